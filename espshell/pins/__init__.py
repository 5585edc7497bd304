"""The pins of a chip: functions, roles, straps, as data; see ``table``."""

from __future__ import annotations

from functools import cache
from pkgutil import get_data

from espshell.pins.table import Pin, Pins

__all__ = ["Pin", "Pins", "of"]


@cache
def of(chip: str) -> Pins:
    """Return the pins of a chip by its name (``esp32c3``)."""
    data = get_data(__name__, f"data/{chip}.txt")
    return Pins.from_text((data or b"").decode())
