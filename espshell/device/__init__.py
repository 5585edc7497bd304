"""The chip as a person thinks of it: one connection, and spaces that can be read and written."""

from __future__ import annotations

from espshell.device.flash import Flash
from espshell.device.memory import Memory, Space
from espshell.device.target import Target

__all__ = ["Flash", "Memory", "Space", "Target"]
