"""The chip as a person thinks of it: one connection, and spaces that can be read and written."""

from __future__ import annotations

from espshell.target.flash import Flash
from espshell.target.memory import Memory
from espshell.target.space import Space
from espshell.target.target import Target

__all__ = ["Flash", "Memory", "Space", "Target"]
