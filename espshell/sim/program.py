"""What runs on a simulated chip and answers a host: the ROM loader, or a stub in its place."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from espshell.sim.receiver import Frames

COMMAND_S = 30e-6
"""From the end of a request to the start of its reply."""

READ_BYTE_S = 0.6e-6
"""One byte of flash read and digested; a guess of the order of magnitude."""


class Next(Enum):
    """What runs after a command."""

    LOADER = "the loader"
    BOOT = "what the flash holds"
    RESET = "the ROM loader: a software reset leaves the boot mode as the pins once set it"
    RAM = "what was downloaded to RAM"
    NOTHING = "nothing: it has crashed"
    DARK = "nothing ever: it has lost its supply"


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

    @property
    def takes_all(self) -> bool:
        """Whether no request is lost now, however many are under way."""

    def receive(self, data: bytes, *, joined: bool = False) -> Frames:
        """Return the frames that are complete; ``joined``: no pause before these bytes."""

    def execute(self, frame: bytes) -> list[bytes]:
        """Answer a frame: replies as they go on the wire."""
