"""The chip as a person thinks of it: one connection, and spaces that can be read and written."""

from __future__ import annotations

from espshell.target.memory import Memory
from espshell.target.target import Target

__all__ = ["Memory", "Target"]
