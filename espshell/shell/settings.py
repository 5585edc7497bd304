"""What ``set`` changes, and how a chip is to be reached."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from espshell.chips import Chip
from espshell.device.target import SYNC_BAUD
from espshell.units import MIB

MOST_FLASH = 256 * MIB
"""Twice the largest flash that any of the chips addresses (bytes)."""


@dataclass(slots=True)
class Settings:
    """What ``set`` changes."""

    check: bool = False
    """Read everything twice."""
    squeeze: bool = True
    """Show runs of equal rows as one line."""
    verify: bool = True
    """Read back what was written."""
    confirm: bool = True
    """Ask before flash is changed, where somebody can be asked."""
    slower: bool = True
    """Go on at a lower baud rate when a read of flash fails again and again."""
    flash_size: int | None = None
    """What the flash has (bytes); None goes by its id."""
    spi_connection: str = "auto"
    """The pins of the flash; see ``device.pins``."""
    parttable: str = "0x8000"
    """Where the partition table stands in flash, or a file with one."""


@dataclass(frozen=True, slots=True)
class Bench:
    """How a chip is to be reached: what the command line said, or the last ``connect``."""

    port: str = ""
    baud: int = SYNC_BAUD
    chip: Chip | None = None
    before: str = "default-reset"
    after: str = "hard-reset"
    stub: str = "auto"
    """When the flasher stub is started: ``auto``, ``always`` or ``never``."""
    stub_dir: Path | None = None
    """Where its files are, if not in the installed esptool package."""
    stub_version: int | None = None
    """Which generation; None takes the newest that there is."""
