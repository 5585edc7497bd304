"""Guards around a write: whether it changed a place beside its own, and which.

The commands that begin a download or an erase carry an address and a size under no checksum, and
the answer repeats neither.  So one flipped bit changes another place, and the loader says OK:

- A wrong address: the first digest of the intended place fails.  One flipped bit leads to at most
  32 places, and ``search`` asks each of them.
- A wrong size that is too large, and whatever else leads behind the range: the loader has been told
  that the flash ends there (``Flash.limited``), and refuses.  One that is too small leaves a part
  of the intended place as it was.
- An address that is wrong by less than the size: an erase is sent in pieces that lie at multiples
  of their size, and then that cannot be.  A download may: the sector in front of it is a *guard*,
  whose digest is taken before and after.
- An erase of a region that has become one of everything (D1, D0) is not answered as the command
  that was sent.  After such silence ``erased_all`` looks whether all the rest is blank.

Where the loader does not take the limit, the sectors in front of the range and behind it are guards
and, because an erase that is too long clears all up to where it ends, the first behind it that
holds something.  Without digests the first bytes of a sector are read instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from espshell.device import Flash
from espshell.loader.digest import BLOCK, blank_digest, md5
from espshell.ops.memory.reading import read_settled
from espshell.records import dataclass
from espshell.span import Span, align_down, gaps
from espshell.units import SECTOR

_SAMPLE = 64
"""Bytes that are read where a loader computes no digest."""

_FIRST = 256
"""Bytes whose digest is asked for first, because most often it decides."""

_ADDRESS_BITS = 32

_BLANK = "is blank and may have been erased"


@dataclass(frozen=True, slots=True)
class Stray:
    """A place that a write should have left alone."""

    span: Span
    reason: str
    """Why it is named, as the end of a sentence: ``holds the same data``."""


Guards = dict[Span, bytes]
"""Ranges that must be as before, and the digest (or first bytes) of each before."""


def post(flash: Flash, span: Span, end: int, *, far: bool, limited: bool) -> Guards:
    """Return the guards of a range (whole sectors) that is about to change.

    end: where the next such range begins, or the flash ends.
    far: whether an erase may run past the end of the range.
    limited: whether the loader refuses what is behind it.
    """
    places: list[Span] = []
    if span.start and not (limited and span.start % BLOCK == 0):
        places.append(Span(span.start - SECTOR, span.start))
    if span.end < end and not limited:
        places.append(Span.of(span.end, SECTOR))
        if far and flash.has_digest:
            places += _first_not_blank(flash, Span(span.end, end))
    return guards_at(flash, places)


def guards_at(flash: Flash, places: Iterable[Span]) -> Guards:
    """Return guards at places, each once."""
    return {span: mark(flash, span) for span in dict.fromkeys(places)}


def changed(flash: Flash, guards: Guards) -> tuple[Stray, ...]:
    """Return the guards that are not as before."""
    wrong = (span for span, before in guards.items() if mark(flash, span) != before)
    return tuple(Stray(span, "is not as it was before") for span in wrong)


def search(flash: Flash, span: Span, data: bytes | None) -> tuple[Stray, ...]:
    """Return the places to which one flipped bit of an address leads and that look written.

    data: what should have come to ``span``; None for an erase, after which any blank place is one.
    """
    reason = _BLANK if data is None else "holds the same data"
    pieces = span.aligned_pieces(flash.largest_erase) if data is None else [span]
    places = (place for piece in pieces for place in flipped(piece, flash.reach))
    return tuple(Stray(place, reason) for place in places if holds(flash, place, data))


def erased_all(flash: Flash, ranges: Sequence[Span]) -> tuple[Stray, ...]:
    """Return all that is in no range if nothing of it holds anything any more."""
    rest = tuple(gaps(Span(0, flash.size), ranges))
    if any(_first_not_blank(flash, gap) for gap in rest):
        return ()
    return tuple(Stray(gap, _BLANK) for gap in rest)


def holds(flash: Flash, span: Span, data: bytes | None) -> bool:
    """Return whether a range holds data (None: is blank), as far as that is cheap to know.

    By digest, of a few bytes first; where there is none by a short range of the data, and then
    nothing is blank.
    """
    if flash.has_digest:
        first = min(_FIRST, span.size)
        if flash.digest(span.start, first) != (md5(data[:first]) if data else blank_digest(first)):
            return False
        return mark(flash, span) == (md5(data) if data else blank_digest(span.size))
    if data is None:
        return False
    at = len(data) - len(data.lstrip(b"\xff"))
    sample = data[at : at + _SAMPLE]
    return read_settled(flash, Span.of(span.start + at, len(sample)), sample) == sample


def flipped(span: Span, end: int) -> Iterator[Span]:
    """Yield where a range would be inside the flash if one bit of its address were wrong."""
    for bit in range(_ADDRESS_BITS):
        place = Span.of(span.start ^ 1 << bit, span.size)
        if place.end <= end:
            yield place


def witness(flash: Flash, span: Span, sizes: Iterable[int] = ()) -> Span | None:
    """Return a beginning of a range that is not blank, by a few digests; None if all is blank.

    sizes: those that are tried, in ascending order, before all of it is.
    """
    for size in dict.fromkeys(min(size, span.size) for size in (_FIRST, SECTOR, *sizes, span.size)):
        if flash.digest(span.start, size) != blank_digest(size):
            return Span.of(span.start, size)
    return None


def mark(flash: Flash, span: Span) -> bytes:
    """Return the digest of a range, asked twice, or its first bytes where there are no digests."""
    if flash.has_digest:
        return flash.digest(span.start, span.size, confirmed=True)
    size = min(_SAMPLE, span.size)
    return read_settled(flash, Span.of(span.start, size), flash.read(span.start, size))


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
