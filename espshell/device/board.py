"""What the spaces and the ways to leave need of a connected chip; ``Target`` is one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from espshell.chips import Chip, Write
from espshell.device.memory import Memory
from espshell.device.pins import Pads
from espshell.link.link import Link
from espshell.link.ports import PortInfo
from espshell.loader.loader import Loader
from espshell.loader.spi import Controller, FlashCommand
from espshell.protocol.commands import RegisterWrite


class Board(Protocol):
    """A chip, the loader on it, and the flash that hangs on it."""

    link: Link
    loader: Loader
    chip: Chip
    memory: Memory
    controller: Controller
    pads: Pads | None
    usb: PortInfo | None

    @property
    def over_usb_otg(self) -> bool:
        """Whether the port is the chip's own USB-OTG."""

    def attach_flash(self) -> None:
        """Give the flash its power and connect its pins, once a loader."""

    def flash_command(self, command: FlashCommand) -> bytes:
        """Run one command of the flash chip."""

    def change_baud(self, baud: int) -> None:
        """Change the rate at both ends."""

    def register_writes(self, writes: Iterable[Write]) -> list[RegisterWrite]:
        """Return writes of the chip tables as entries of WRITE_REG."""
