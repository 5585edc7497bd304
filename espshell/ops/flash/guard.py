"""Guards around a write: whether it changed a place beside its own, and which.

The commands that begin a download or an erase carry an address and a size under no checksum, and
the answer repeats neither.  So one flipped bit changes another place, and the loader says OK:

- A wrong address: the first digest of the intended place fails.  One flipped bit leads to at most
  32 places, and ``search`` asks each of them.
- A wrong size, or an address that is wrong by less than the size: the flash right beside the range
  changes.  So the sectors in front of it and behind it are *guards*, whose digests are taken before
  and after.  An erase that is too long clears all up to where it ends; so the first sector behind
  that is not blank is a guard, too: as long as it is there, nothing was lost.

Without digests the first bytes of a sector are read instead, which an erase clears, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from espshell.device import Flash
from espshell.loader.digest import blank_digest, md5
from espshell.span import Span, align_down, gaps
from espshell.units import SECTOR

_SAMPLE = 64
"""Bytes that are read where a loader computes no digest."""

_ADDRESS_BITS = 32


@dataclass(frozen=True, slots=True)
class Stray:
    """A place that a write should have left alone."""

    span: Span
    reason: str
    """Why it is named, as the end of a sentence: ``holds the same data``."""

    @property
    def text(self) -> str:
        """Place and reason."""
        return f"{self.span} {self.reason}"


@dataclass(frozen=True, slots=True)
class Guard:
    """A range that must be as before, and its digest (or first bytes) before."""

    span: Span
    mark: bytes


def post(flash: Flash, ranges: Sequence[Span], *, far: bool) -> tuple[Guard, ...]:
    """Return the guards of ranges (whole sectors, in order) that are about to change.

    far: whether an erase may run past the end of a range, up to the end of the flash.
    """
    places: list[Span] = []
    for gap in gaps(Span(0, flash.size), ranges):
        if gap.start:
            places.append(Span.of(gap.start, SECTOR))
        if gap.end < flash.size:
            places.append(Span(gap.end - SECTOR, gap.end))
        if gap.start and far and flash.has_digest:
            places += _first_not_blank(flash, gap)
    return guards_at(flash, places)


def guards_at(flash: Flash, places: Iterable[Span]) -> tuple[Guard, ...]:
    """Return guards at places, each once."""
    return tuple(Guard(span, mark(flash, span)) for span in dict.fromkeys(places))


def changed(flash: Flash, guards: Sequence[Guard]) -> tuple[Stray, ...]:
    """Return the guards that are not as before."""
    return tuple(
        Stray(guard.span, "is not as it was before")
        for guard in guards
        if mark(flash, guard.span) != guard.mark
    )


def search(flash: Flash, span: Span, data: bytes | None) -> tuple[Stray, ...]:
    """Return the places to which one flipped bit of an address leads and that look written.

    data: what should have come to ``span``; None for an erase, after which any blank place is one.
    """
    reason = "is blank and may have been erased" if data is None else "holds the same data"
    places = flipped(span, flash.size)
    return tuple(Stray(place, reason) for place in places if holds(flash, place, data))


def holds(flash: Flash, span: Span, data: bytes | None) -> bool:
    """Return whether a range holds data (None: is blank), as far as that is cheap to know.

    By digest; where there is none by a short range of the data, and then nothing is blank.
    """
    if flash.has_digest:
        return mark(flash, span) == (blank_digest(span.size) if data is None else md5(data))
    if data is None:
        return False
    at = len(data) - len(data.lstrip(b"\xff"))
    return flash.read(span.start + at, min(_SAMPLE, len(data) - at)) == data[at : at + _SAMPLE]


def flipped(span: Span, end: int) -> Iterator[Span]:
    """Yield where a range would be inside the flash if one bit of its address were wrong."""
    for bit in range(_ADDRESS_BITS):
        place = Span.of(span.start ^ 1 << bit, span.size)
        if place.end <= end:
            yield place


def mark(flash: Flash, span: Span) -> bytes:
    """Return the digest of a range, asked twice, or its first bytes where there are no digests."""
    if flash.has_digest:
        return flash.digest(span.start, span.size, confirmed=True)
    return flash.read(span.start, min(_SAMPLE, span.size))


def _first_not_blank(flash: Flash, area: Span) -> list[Span]:
    """Return the first sector of a range that is not blank, found by digests of growing ranges."""
    start, size = area.start, SECTOR
    while start < area.end:
        size = min(size, area.end - start)
        if flash.digest(start, size) != blank_digest(size):
            break
        start, size = start + size, 2 * size
    else:
        return []
    while size > SECTOR:
        half = align_down(size // 2, SECTOR)
        is_behind = flash.digest(start, half) == blank_digest(half)
        start, size = (start + half, size - half) if is_behind else (start, half)
    return [Span.of(start, SECTOR)]
