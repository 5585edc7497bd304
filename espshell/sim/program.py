"""What runs on a simulated chip and answers a host: the ROM loader, or a stub in its place.

Times of the flash are those of a common part, a W25Q32JV, typical values of its data sheet.
"""

from __future__ import annotations

from enum import Enum
from typing import Protocol

COMMAND_S = 30e-6
"""From the end of a request to the start of its reply."""

ERASE_S = 0.045
"""One sector (tSE)."""

ERASE_CHIP_S = 10.0
"""All of it (tCE)."""

PROGRAM_S = 0.4e-3
"""One page (tPP)."""

READ_BYTE_S = 0.6e-6
"""One byte of flash read and digested; a guess of the order of magnitude."""


class Next(Enum):
    """What runs after a command."""

    LOADER = "the loader"
    BOOT = "what the flash holds"
    RESET = "the ROM loader: a software reset leaves the boot mode as the pins once set it"
    RAM = "what was downloaded to RAM"
    NOTHING = "nothing: it has crashed"


class Program(Protocol):
    """A loader as the wire sees it; all but ``buffers`` tell of the frame before."""

    buffers: int
    """Requests that may be under way; one more is lost. 0: what the UART's FIFO holds."""
    cost_s: float
    """From the end of the request to its reply."""
    busy_s: float
    """From the reply to when the next request is looked at."""
    next: Next
    entry: int
    """Where to go on in RAM, if that is next."""
    new_baud: int
    """The rate to change to after the reply; 0: stay."""

    def receive(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the unescaped frames that are complete, each with the number of bytes fed."""

    def execute(self, frame: bytes) -> list[bytes]:
        """Answer a frame: replies as they go on the wire."""
