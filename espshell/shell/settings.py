"""The settings of ``set``, and how to reach a chip."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from dataclasses import replace
from pathlib import Path

from espshell.chips import Chip
from espshell.device.target import SYNC_BAUD
from espshell.records import dataclass
from espshell.units import MIB

MOST_FLASH = 256 * MIB
"""Twice the largest flash that any of the chips addresses (bytes)."""

SWITCHES = ("check", "confirm", "pipe", "shell", "slower", "squeeze", "verify")
CHOICES = {
    "aliases": ("off", "uboot", "gdb"),
    "editing": ("emacs", "vi"),
    "rate": ("auto", "fixed"),
}
"""Settings that are one of some words."""
SETTINGS = (
    *SWITCHES,
    *CHOICES,
    *("color", "dry-run", "flash-size", "pager", "spi-connection", "parttable"),
)
"""The names that ``set`` takes."""
SAVED = tuple(name for name in SETTINGS if name not in ("dry-run", "pager", "shell"))
"""Those that a file may have; whether writes are sent is said anew at every start.

A file in the folder of a project must not choose programs of the system.
"""


@dataclasses.dataclass(slots=True)
class Settings:
    """The settings that ``set`` changes."""

    check: bool = False
    """Read everything twice."""
    squeeze: bool = True
    """Show runs of equal rows as one line."""
    verify: bool = True
    """Read back after writing."""
    confirm: bool = True
    """Ask before flash is changed, if a person is there."""
    slower: bool = True
    """Go on at a lower baud rate when reads of flash keep failing."""
    rate: str = "auto"
    """``auto``: raise a rate that was left at the default for long transfers; ``fixed``: never."""
    pipe: bool = True
    """Whether an empty Enter behind ``dump | less`` goes through ``less``, too."""
    shell: bool = False
    """Whether scripts may run ``!COMMAND`` and ``cd``."""
    aliases: str = "off"
    """The names of other tools that are understood: ``uboot`` or ``gdb``."""
    editing: str = "emacs"
    """The keys of the prompt: ``emacs`` or ``vi``."""
    pager: str = "auto"
    """What shows a result that does not fit on the terminal: a command, ``auto`` or ``off``."""
    flash_size: int | None = None
    """The size of the flash (bytes); None takes it from the JEDEC id."""
    spi_connection: str = "auto"
    """The pins of the flash; see ``device.pins``."""
    parttable: str = "0x8000"
    """The offset of the partition table in flash, or a file with a table."""


@dataclass(frozen=True, slots=True)
class Bench:
    """How to reach a chip: from the command line, or the last ``connect``."""

    port: str = ""
    baud: int = SYNC_BAUD
    rate: str = "auto"
    """``auto``: nobody has chosen the rate; ``fixed``: it was chosen; ``climb``: the highest."""
    chip: Chip | None = None
    before: str = "default-reset"
    after: str = "hard-reset"
    stub: str = "auto"
    """When the flasher stub is started: ``auto``, ``always`` or ``never``."""
    stub_dir: Path | None = None
    """The folder of the stub's files; None takes those of the installed esptool package."""
    stub_version: int | None = None
    """The stub's generation; None takes the newest one available."""

    def at_rate(self, baud: int | str) -> Bench:
        """Return the same with a rate that was chosen, or with ``auto``: the highest."""
        if isinstance(baud, str):
            return replace(self, baud=SYNC_BAUD, rate="climb")
        return replace(self, baud=baud, rate="fixed")

    def is_on(self, port: str) -> bool:
        """Return whether a port is this one, perhaps by another name of its device."""
        with contextlib.suppress(OSError, ValueError):  # no file, as a URL is none
            return os.path.samefile(port, self.port)
        return port == self.port
