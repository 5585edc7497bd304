"""What runs on a simulated chip and answers a host: the ROM loader, or a stub in its place."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Protocol

from espshell.sim.receiver import Frames

COMMAND_S = 30e-6
"""From the end of a request to the start of its reply."""

SYNC_REPLIES = 8


class Next(Enum):
    """What runs after a command."""

    LOADER = "the loader"
    BOOT = "what the flash holds"
    RESET = "the ROM loader: a software reset leaves the boot mode as the pins once set it"
    RAM = "what was downloaded to RAM"
    NOTHING = "nothing: it has crashed"
    DARK = "nothing ever: it has lost its supply"


class Completed(NamedTuple):
    """What one command does inside a loader, which makes an ``Answer`` of it."""

    error: int = 0
    """The error byte; 0 if all is well."""
    value: int | None = None
    """The value of the reply's header, if the command sets it."""
    data: bytes = b""
    size: int = 0
    """Size of the payload, where it is more than the data."""
    next: Next = Next.LOADER
    entry: int = 0
    new_baud: int = 0
    is_silent: bool = False
    """Whether there is no reply."""
    work: Callable[[], None] | None = None
    """What is done after the reply."""
    stream: tuple[tuple[float, bytes], ...] | None = None
    """Frames after the reply; see ``Answer``."""


DONE = Completed()


class Answer(NamedTuple):
    """All that comes of one frame."""

    replies: tuple[bytes, ...] = ()
    """As they go on the wire."""
    cost_s: float = COMMAND_S
    """From the end of the request to its reply."""
    busy_s: float = 0.0
    """From the reply to when the next request is taken."""
    stream: tuple[tuple[float, bytes], ...] = ()
    """What goes on the wire after the replies: the time that it takes to make, while what came
    before it is sent, and the frame."""
    next: Next = Next.LOADER
    entry: int = 0
    """Where to go on in RAM, if that is next."""
    new_baud: int = 0
    """The rate to change to after the reply; 0: stay."""


class Program(Protocol):
    """A loader as the wire sees it."""

    buffers: int
    """Requests that may be under way; one more is lost. 0: what the UART's FIFO holds."""

    @property
    def takes_all(self) -> bool:
        """Whether no request is lost now, however many are under way."""

    def receive(self, data: bytes, *, joined: bool = False) -> Frames:
        """Return the frames that are complete; ``joined``: no pause before these bytes."""

    def execute(self, frame: bytes) -> Answer:
        """Answer one unescaped frame."""
