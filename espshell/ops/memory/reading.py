"""Reading ranges: the pieces as they arrive, and what to keep in mind about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial

from espshell.chips import Kind
from espshell.device import Flash, Memory, Space
from espshell.errors import ReadsDiffer
from espshell.loader.loader import agreed
from espshell.ops.result import Report, Step, silent
from espshell.span import Span
from espshell.units import KIB, WORD, hex32

CHUNK = 1 * KIB
"""Bytes that ``read_chunks`` gathers before it hands them on."""

_PIECE = 64
"""Bytes that are read again at once: what one command to a flash carries."""

_READINGS = 4
"""How often words are read at most until two readings agree."""

_DIFFER_HINT = "a flipped bit on the link, or memory that changes by itself"


def read_chunks(
    space: Space,
    address: int,
    size: int,
    *,
    check: bool = False,
    report: Report = silent,
) -> Iterator[bytes]:
    """Yield a range of any alignment in pieces as they arrive; together exactly ``size`` bytes.

    The caller has called ``check`` of the space.  With ``check`` every piece is read until two
    readings agree.

    Raises: ReadsDiffer if there are none.
    """
    done = 0
    pieces = _read_twice(space, address, size) if check else _gathered(space.chunks(address, size))
    for data in pieces:
        done += len(data)
        report(Step("reading", done, size))
        yield data


def read_agreed(
    space: Space, address: int, size: int, *, check: bool = False
) -> tuple[bytes, int, tuple[str, ...]]:
    """Return a range, how often it was read, and what to keep in mind about it.

    RAM and ROM are read until two readings agree, because nothing protects a reply; with ``check``
    everything is but what changes when it is read.
    Raises: ReadsDiffer if with ``check`` no two readings in a row agree.
    """
    span = Span.of(address, size)
    around = span.aligned(WORD)
    readings: list[list[int]] = []
    count = around.size // WORD

    def read() -> list[int]:
        readings.append(space.words(around.start, count))
        return readings[-1]

    is_plain = touched = False
    notes: tuple[str, ...] = ()
    if isinstance(space, Memory):
        region = space.chip.region_at(around.start, around.size)
        is_plain = region is not None and region.kind in (Kind.RAM, Kind.ROM)
        if not is_plain:  # of RAM and ROM nothing need be kept in mind
            notes = reading_notes(space, around.start, around.size)
            touched = space.chip.changes_when_read(around.start, around.size) is not None
    if touched or not (check or is_plain):
        read()
    elif isinstance(space, Memory):
        readings.extend(space.words_twice(around.start, count))
    else:
        readings.extend(space.words(around.start, count) for _ in range(2))
    words = readings[-1]
    if words != readings[0]:
        try:
            words = agreed(read, str(span), first=words, most=_READINGS - 1)
        except ReadsDiffer:
            before, words = readings[-2:]
            pairs = enumerate(zip(before, words, strict=True))
            place, first, second = next((WORD * i, a, b) for i, (a, b) in pairs if a != b)
            at = hex32(around.start + place)
            if check:
                values = f"{hex32(first)}, then {hex32(second)}"
                message = f"{_READINGS} readings of {at} do not agree: {values}"
                raise ReadsDiffer(message, hint=_DIFFER_HINT) from None
            notes = (*notes, f"{at} changes while it is read: no two readings agree")
    data = b"".join(word.to_bytes(WORD, "little") for word in words)
    return data[span.offsets(around.start)], len(readings), notes


def reading_notes(space: Space, address: int, size: int) -> tuple[str, ...]:
    """Return notes on values read from a range."""
    if not isinstance(space, Memory):
        return ()
    notes, span = [], Span.of(address, size)
    for region in space.cached:
        if region.span.overlaps(span):
            notes.append(
                f"{region.name} is seen through the cache, which is off in download mode: "
                "these values are meaningless"
            )
    touched = space.chip.changes_when_read(address, size)
    if touched is not None:
        notes.append(f"reading {touched.name} changed it")
    return tuple(notes)


def trust_notes(space: Space, *, check: bool) -> tuple[str, ...]:
    """Return notes on bytes that go into a file or a digest."""
    if check:
        return ()
    if isinstance(space, Memory):
        return ("read once: no digest confirms memory; --check reads twice",)
    if isinstance(space, Flash) and not space.has_digest:
        return ("not confirmed: this loader has no digests; --check reads twice",)
    return ()


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in larger pieces."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _read_twice(space: Space, address: int, size: int) -> Iterator[bytes]:
    for chunk in Span.of(address, size).chunks(CHUNK):
        yield read_settled(space, chunk, space.read(chunk.start, chunk.size))


def read_settled(space: Space, span: Span, expected: bytes) -> bytes:
    """Return a range; what is not as expected (or read before) counts when two readings agree.

    Raises: ReadsDiffer if none do.
    """
    data = bytearray(space.read(span.start, span.size))
    if data != expected:
        for piece in span.chunks(_PIECE):
            part = piece.offsets(span.start)
            if data[part] != expected[part]:
                read = partial(space.read, piece.start, piece.size)
                data[part] = agreed(read, str(piece), first=bytes(data[part]))
    return bytes(data)
