"""What tests count of a simulated chip: its wire and its flash."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class FlashCounters:
    """What a flash has done since it was made."""

    sectors: int = 0
    """Erased by themselves."""
    blocks: int = 0
    """Of 32 and 64 KiB."""
    chips: int = 0
    pages: int = 0
    status_writes: int = 0
    """Of those that wear it: the ones after 50h do not count."""
    offences: list[str] = field(default_factory=list)
    """Commands that no host should send, with what was wrong."""


@dataclass(slots=True)
class Counters:
    """What has gone over the wire since it was made."""

    requests: int = 0
    """Frames that the loader took."""
    replies: int = 0
    """Frames that the chip sent."""
    bytes_to_chip: int = 0
    bytes_to_host: int = 0
    overruns: int = 0
    """Bytes that found the FIFO full."""
    dropped: int = 0
    """Frames that found all buffers of a stub taken."""
    max_in_flight: int = 0
    """Most bytes that were sent and not yet taken by the loader, at the end of a write."""
    flash: FlashCounters = field(default_factory=FlashCounters)
    """What its flash has done."""
