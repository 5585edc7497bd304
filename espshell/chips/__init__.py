"""Espressif's chips: one literal each, and how to find the right one.

A chip's module is imported when it is asked for: a session has one chip, and eleven would take a
tenth of the time that the shell has to start.  ``_ROWS`` is all that is known before.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from espshell.chips.chip import Chip
from espshell.chips.common import MAGIC_ADDRESS, USB_JTAG_SERIAL_PID, USB_VID
from espshell.chips.facts import (
    Bits,
    Feature,
    Field,
    Isa,
    Kind,
    Quirk,
    Region,
    Revision,
    RomClock,
    SpiController,
    Words,
    Write,
)

__all__ = [
    "CHIPS",
    "MAGIC_ADDRESS",
    "NAMES",
    "USB_JTAG_SERIAL_PID",
    "USB_VID",
    "Bits",
    "Chip",
    "Feature",
    "Field",
    "Isa",
    "Kind",
    "Quirk",
    "Region",
    "Revision",
    "RomClock",
    "SpiController",
    "Words",
    "Write",
    "by_id",
    "by_magic",
    "by_name",
    "load",
]

_ROWS: tuple[tuple[str, int | None, int | None], ...] = (
    ("esp8266", None, 0xFFF0_C101),
    ("esp32", None, 0x00F0_1D83),
    ("esp32s2", None, 0x0000_07C6),
    ("esp32s3", 9, None),
    ("esp32c2", 12, None),
    ("esp32c3", 5, None),
    ("esp32c5", 23, None),
    ("esp32c6", 13, None),
    ("esp32c61", 20, None),
    ("esp32h2", 16, None),
    ("esp32p4", 18, None),
)
"""Name, the id by which a ROM tells the chip, or the magic word; oldest families first."""

NAMES = tuple(name for name, _, _ in _ROWS)
"""As typed."""

if TYPE_CHECKING:
    CHIPS: tuple[Chip, ...] = ()
    """All of them."""


def load(name: str) -> Chip:
    """Return the chip of a name in ``NAMES``."""
    chip = getattr(import_module(f"espshell.chips.{name}"), name.upper())
    assert isinstance(chip, Chip)
    return chip


def by_name(name: str) -> Chip | None:
    """Return the chip of that name, however it is written (``ESP32-C3``, ``esp32c3``)."""
    plain = name.lower().replace("-", "").replace("_", "")
    return load(plain) if plain in NAMES else None


def by_id(chip_id: int) -> Chip | None:
    """Return the chip whose ROM reports this id."""
    return next((load(name) for name, row_id, _ in _ROWS if row_id == chip_id), None)


def by_magic(word: int) -> Chip | None:
    """Return the chip that has this word at ``MAGIC_ADDRESS``."""
    return next((load(name) for name, _, magic in _ROWS if magic == word), None)


def __getattr__(name: str) -> tuple[Chip, ...]:
    if name == "CHIPS":
        return tuple(load(chip_name) for chip_name in NAMES)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
