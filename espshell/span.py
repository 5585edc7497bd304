"""Ranges of addresses or offsets, and the arithmetic on them.

A ``Span`` is half open: ``end`` is the first address behind it.  It knows nothing of what lies
there; spaces, regions and partitions do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from espshell.records import dataclass


def ceil_div(value: int, unit: int) -> int:
    """Return how many units it takes to hold a value: ``ceil_div(9, 8)`` is 2."""
    return -(-value // unit)


def align_down(value: int, unit: int) -> int:
    """Return the largest multiple of ``unit`` up to a value."""
    return value // unit * unit


def align_up(value: int, unit: int) -> int:
    """Return the smallest multiple of ``unit`` from a value on."""
    return ceil_div(value, unit) * unit


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Addresses from ``start`` up to ``end``, which is not included; empty if they are equal."""

    start: int
    end: int

    @classmethod
    def of(cls, start: int, size: int) -> Span:
        """Return the span of ``size`` bytes from ``start`` on."""
        return cls(start, start + size)

    @property
    def size(self) -> int:
        """Bytes in it."""
        return self.end - self.start

    def __bool__(self) -> bool:
        return self.end > self.start

    def __contains__(self, address: int) -> bool:
        return self.start <= address < self.end

    def __str__(self) -> str:
        return f"0x{self.start:08x}..0x{self.end:08x}"

    def holds(self, other: Span) -> bool:
        """Whether another span lies in it; an empty one lies everywhere."""
        return not other or (self.start <= other.start and other.end <= self.end)

    def overlaps(self, other: Span) -> bool:
        """Whether both have bytes in common."""
        return max(self.start, other.start) < min(self.end, other.end)

    def intersection(self, other: Span) -> Span:
        """Return what both have in common; empty, at ``start``, if that is nothing."""
        start, end = max(self.start, other.start), min(self.end, other.end)
        return Span(start, end) if start < end else Span(self.start, self.start)

    def aligned(self, unit: int) -> Span:
        """Return the smallest span around it that begins and ends at multiples of ``unit``."""
        return Span(align_down(self.start, unit), align_up(self.end, unit))

    def shifted(self, offset: int) -> Span:
        """Return a span of this size that starts ``offset`` bytes later."""
        return Span(self.start + offset, self.end + offset)

    def units(self, unit: int) -> int:
        """Return how many units of this size it touches."""
        return self.aligned(unit).size // unit

    def offsets(self, base: int) -> slice:
        """Return where it is in bytes of which the first is at ``base``."""
        return slice(self.start - base, self.end - base)

    def pieces(self, unit: int) -> Iterator[Span]:
        """Yield it in pieces cut at the multiples of ``unit``."""
        start = self.start
        while start < self.end:
            end = min(align_down(start, unit) + unit, self.end)
            yield Span(start, end)
            start = end

    def aligned_pieces(self, largest: int) -> Iterator[Span]:
        """Yield it in pieces of a power of two bytes, each at a multiple of its own size.

        ``largest`` is a power of two; no piece is larger.  So one bit of a start that flips leads
        to a place which has nothing in common with the piece.
        """
        start = self.start
        while start < self.end:
            size = min(largest, start & -start or largest, 1 << (self.end - start).bit_length() - 1)
            yield Span.of(start, size)
            start += size

    def chunks(self, size: int) -> Iterator[Span]:
        """Yield it in pieces of ``size`` bytes from its start on; the last may be shorter."""
        for start in range(self.start, self.end, size):
            yield Span(start, min(start + size, self.end))


def merged(spans: Iterable[Span]) -> tuple[Span, ...]:
    """Return spans in order, those that touch or overlap as one, empty ones left out."""
    result: list[Span] = []
    for span in sorted(filter(None, spans)):
        if result and span.start <= result[-1].end:
            result[-1] = Span(result[-1].start, max(result[-1].end, span.end))
        else:
            result.append(span)
    return tuple(result)


def gaps(whole: Span, spans: Iterable[Span]) -> Iterator[Span]:
    """Yield what of a span no other covers, in order."""
    start = whole.start
    for span in merged(whole.intersection(span) for span in spans):
        if start < span.start:
            yield Span(start, span.start)
        start = span.end
    if start < whole.end:
        yield Span(start, whole.end)
