"""The settings of ``set``, and how to reach a chip."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from dataclasses import replace
from pathlib import Path

from espshell.chips import Chip
from espshell.device.target import SYNC_BAUD
from espshell.errors import UsageError
from espshell.records import dataclass
from espshell.render.theme import THEME_NAMES
from espshell.units import MIB, parse_number

AUTO = "auto"
"""Stands for the highest rate that is clean."""

PORT_PLACE = "{port}"
"""Stands for the board in a line, and in the name of a file of the command line."""

MOST_FLASH = 256 * MIB
"""Twice the largest flash that any of the chips addresses (bytes)."""

SWITCHES = ("check", "confirm", "pipe", "shell", "slower", "squeeze", "verify")
CHOICES = {
    "aliases": ("off", "uboot", "gdb"),
    "complete": ("tab", "typing"),
    "compress": ("auto", "off"),
    "editing": ("emacs", "vi"),
    "rate": ("auto", "fixed"),
    "theme": THEME_NAMES,
}
"""Settings that are one of some words."""
ABOUT = {
    "check": "read everything twice",
    "confirm": "ask before flash is changed",
    "pipe": "an empty Enter after `dump ... | less` uses less again",
    "shell": "allow !COMMAND and cd in scripts",
    "slower": "lower the baud rate if flash reads are unreliable",
    "squeeze": "fold repeated rows into one line",
    "verify": "read back after writing",
    "aliases": "names of uboot (md, mw) or gdb (x/16xw, p)",
    "complete": "offer names on tab, or with every key",
    "compress": "auto compresses flash reads on the chip where faster; uses 170 KiB of RAM",
    "editing": "the keys of the prompt: emacs or vi",
    "rate": "auto raises a rate that nobody has chosen; fixed prevents that",
    "theme": "colours: auto, dark, light, mono, or the terminal's own",
    "color": "auto, always or never",
    "dry-run": "show what would be written; write nothing",
    "flash-size": "auto, or the size of the flash: 4M",
    "pager": "pager for results longer than the screen: auto ($PAGER, or less), off, a command",
    "spi-connection": "the pins of the flash",
    "parttable": "the partition table: an address in flash, or a file",
}
"""What each setting means, in a few words."""
SETTINGS = tuple(ABOUT)
"""The names that ``set`` takes."""
SAVED = tuple(name for name in SETTINGS if name not in ("dry-run", "pager", "shell"))
"""Those that a file may have; whether writes are sent is said anew at every start.

A file in the folder of a project must not choose programs of the system.
"""


@dataclasses.dataclass(slots=True)
class Settings:
    """The settings that ``set`` changes; ``ABOUT`` says what each means."""

    check: bool = False
    squeeze: bool = True
    verify: bool = True
    confirm: bool = True
    slower: bool = True
    pipe: bool = True
    shell: bool = False
    rate: str = "auto"
    compress: str = "auto"
    aliases: str = "off"
    editing: str = "emacs"
    complete: str = "tab"
    theme: str = "auto"
    pager: str = "auto"
    flash_size: int | None = None
    """The size of the flash (bytes); None takes it from the JEDEC id."""
    spi_connection: str = "auto"
    """The pins of the flash; see ``device.board``."""
    parttable: str = "0x8000"


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
        """Return the same with a rate that was chosen, or with ``auto``: the highest.

        Raises: UsageError for another text than ``auto`` or a number.
        """
        if isinstance(baud, str) and baud.lower() == AUTO:
            return replace(self, baud=SYNC_BAUD, rate="climb")
        number = parse_number(baud) if isinstance(baud, str) else baud
        if not number or number < 0:
            raise UsageError(f"expected a baud rate such as {SYNC_BAUD}, or {AUTO}, not `{baud}`")
        return replace(self, baud=number, rate="fixed")

    def placed(self, text: str) -> str:
        """Return a text in which ``{port}`` is the port, as files can be named; as it is without.

        Boards that run the same lines write different files by that.
        """
        if not self.port or PORT_PLACE not in text:
            return text
        return text.replace(PORT_PLACE, re.sub(r"[^\w.-]+", "_", self.port).strip("_"))

    def is_on(self, port: str) -> bool:
        """Return whether a port is this one, perhaps by another name of its device."""
        with contextlib.suppress(OSError, ValueError):  # no file, as a URL is none
            return os.path.samefile(port, self.port)
        return port == self.port
