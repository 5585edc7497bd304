"""Spans: their arithmetic against sets of addresses."""

from __future__ import annotations

from itertools import pairwise, product

from hypothesis import given
from hypothesis import strategies as st

from espshell.span import Span, align_down, align_up, ceil_div, gaps, merged

spans = st.builds(Span.of, st.integers(0, 100), st.integers(0, 40))
units = st.integers(1, 16)


def addresses(*parts: Span) -> list[int]:
    """Return all addresses in spans, in the order of the spans."""
    return [address for span in parts for address in range(span.start, span.end)]


@given(spans, spans)
def test_two_spans(one: Span, other: Span) -> None:
    """Intersection, overlap and containment are those of the sets of addresses."""
    both = set(addresses(one)) & set(addresses(other))
    assert set(addresses(one.intersection(other))) == both
    assert one.overlaps(other) == bool(both)
    assert one.holds(other) == (set(addresses(other)) <= set(addresses(one)))


@given(spans, units)
def test_pieces(span: Span, unit: int) -> None:
    """Pieces and chunks are the span again; pieces meet at multiples, chunks are of one size."""
    pieces, chunks = list(span.pieces(unit)), list(span.chunks(unit))
    assert addresses(*pieces) == addresses(*chunks) == addresses(span)
    assert all(piece.start % unit == 0 for piece in pieces[1:])
    assert all(chunk.size == unit for chunk in chunks[:-1])


@given(spans, units)
def test_aligned(span: Span, unit: int) -> None:
    """What is aligned holds the span and is less than a unit larger at each end."""
    around = span.aligned(unit)
    assert around.start % unit == around.end % unit == 0
    assert around.holds(span)
    assert span.start - around.start < unit
    assert around.end - span.end < unit


@given(st.lists(spans))
def test_merged(parts: list[Span]) -> None:
    """Merged spans hold the same addresses, in order, with gaps between them."""
    result = merged(parts)
    assert addresses(*result) == sorted(set(addresses(*parts)))
    assert all(one.end < two.start for one, two in pairwise(result))


@given(spans, st.lists(spans))
def test_gaps(whole: Span, parts: list[Span]) -> None:
    """Gaps are the addresses of a span that are in no other, each gap as long as it can be."""
    rest = list(gaps(whole, parts))
    assert addresses(*rest) == sorted(set(addresses(whole)) - set(addresses(*parts)))
    assert list(merged(rest)) == rest


@given(spans, spans, units)
def test_offsets_and_units(span: Span, other: Span, unit: int) -> None:
    """A slice of data holds the bytes of the span; units are as many as its pieces."""
    part = span.intersection(other)
    data = bytes(range(span.start, span.end))
    assert list(data[part.offsets(span.start)]) == addresses(part)
    assert not span or span.units(unit) == len(list(span.pieces(unit)))


def test_one_span() -> None:
    """A span knows its size, what is in it, and how it is written."""
    span = Span.of(0x1000, 0x10)
    assert (span.size, str(span)) == (16, "0x00001000..0x00001010")
    assert 0x100F in span
    assert 0x1010 not in span
    assert span.shifted(-0x1000) == Span(0, 16)
    assert not Span(4, 4)


def test_alignment() -> None:
    """Values are rounded to multiples of a unit."""
    assert (align_down(0x1FFF, 0x1000), align_up(0x1001, 0x1000)) == (0x1000, 0x2000)
    assert (ceil_div(8, 8), ceil_div(9, 8), align_up(0x1000, 0x1000)) == (1, 2, 0x1000)


def test_aligned_pieces_lie_at_multiples_of_their_size() -> None:
    """They cover a span in order, and a flipped bit of a start never leads into the same piece."""
    for start, end, largest in product((0, 1, 3, 7, 8), (8, 9, 15, 31), (1, 4, 16)):
        pieces = list(Span(start, end).aligned_pieces(largest))
        assert merged(pieces) == merged([Span(start, end)])
        assert all(piece.start % piece.size == 0 and piece.size <= largest for piece in pieces)
        assert all(a.end == b.start for a, b in pairwise(pieces))
