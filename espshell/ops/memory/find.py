"""The verb ``find``: where a pattern of bytes is, streamed, each place told once.

Where a handler in the stub can, the chip looks, and only what it has found is read.

Else pieces are put behind what is kept of those before.  A place counts when a row's worth of bytes
behind it has come, too, so that the row around it can be shown without a second read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from espshell.device import Memory, Space
from espshell.errors import UsageError
from espshell.ops.memory import on_chip
from espshell.ops.memory.reading import read_chunks, reading_notes
from espshell.ops.memory.words import check_fits
from espshell.ops.result import Report, Result, silent
from espshell.records import dataclass
from espshell.span import Span
from espshell.units import count_text

ROW = 16
"""Bytes of the rows that are shown around a place."""

MOST = 16
"""Places after which a search stops, unless told."""

LARGEST = 100_000
"""Places that are kept at most."""

_ALIGNMENTS = (1, 2, 4)
_MOST_ON_CHIP = 256  # each costs round trips, so many are quicker found in what is read


@dataclass(frozen=True, slots=True)
class Pattern:
    """Bytes to look for; None stands for any byte."""

    items: tuple[int | None, ...]

    @property
    def text(self) -> str:
        """The bytes in hexadecimal, with ``??`` for any."""
        return "".join("??" if item is None else f"{item:02x}" for item in self.items)

    @classmethod
    def of_bytes(cls, data: bytes) -> Pattern:
        """Return the pattern that is just these bytes. Raises: UsageError if there are none."""
        if not data:
            raise UsageError("the pattern is empty")
        return cls(tuple(data))

    @classmethod
    def of_number(cls, value: int, width: int) -> Pattern:
        """Return a little-endian value. Raises: UsageError if it does not fit."""
        check_fits(value, width)
        return cls(tuple((value & ((1 << width) - 1)).to_bytes(width // 8, "little")))

    @classmethod
    def of_hex(cls, text: str) -> Pattern:
        """Return the pattern of pairs of digits, ``??`` for any byte; ``_`` may part them.

        Raises: UsageError for anything else, and if any byte would do.
        """
        digits = text.replace("_", "")
        pairs = re.findall("..", digits)
        if len(digits) % 2 or not all(re.fullmatch(r"[0-9a-fA-F]{2}|\?\?", p) for p in pairs):
            raise UsageError(
                f"`hex:{text}` is not a pattern", hint="pairs of digits, ?? for any: hex:de??be"
            )
        items = tuple(None if pair == "??" else int(pair, 16) for pair in pairs)
        if not any(item is not None for item in items):
            raise UsageError(f"`hex:{text}` matches everywhere; give at least one byte")
        return cls(items)

    def expression(self) -> re.Pattern[bytes]:
        """Return it as a regular expression that also finds places that overlap."""
        parts = (b"." if item is None else re.escape(bytes([item])) for item in self.items)
        return re.compile(b"(?=%b)" % b"".join(parts), re.DOTALL)


@dataclass(frozen=True, slots=True)
class Hit:
    """A place, and the bytes of the rows that it touches, as far as they were searched."""

    address: int
    row_address: int
    row: bytes
    label: str = ""
    """What a program calls the place, where its symbols are known."""


@dataclass(frozen=True, slots=True)
class Found(Result):
    """The places where a pattern is."""

    address: int
    size: int
    pattern: Pattern
    hits: tuple[Hit, ...]
    complete: bool
    """Whether the whole range was searched; else the search stopped at the last place."""
    notes: tuple[str, ...] = ()
    readings: int = 1
    """How often each byte was read."""

    @property
    def failure(self) -> str:
        """What was not found."""
        if self.hits:
            return ""
        return f"{self.pattern.text} is not in {Span.of(self.address, self.size)}"

    @property
    def last_value(self) -> int | None:
        """The address of the first place."""
        return self.hits[0].address if self.hits else None


def find(
    space: Space,
    address: int,
    size: int,
    pattern: Pattern,
    *,
    align: int = 1,
    most: int = MOST,
    check: bool = False,
    force: bool = False,
    report: Report = silent,
) -> Found:
    """Look for a pattern at addresses that are multiples of ``align``; stop after ``most`` places.

    Places may overlap each other.  The range is read once, with ``check`` twice.

    Raises: UsageError for more than ``LARGEST`` places.
    """
    if most > LARGEST:
        raise UsageError(f"{most} places are too many, at most {LARGEST} are kept")
    if not force:
        space.check(address, size)
    if isinstance(space, Memory) and is_on_chip(
        space, address, size, pattern, align=align, most=most, check=check
    ):
        return _found_by_chip(space, Span.of(address, size), pattern, align, most)
    pieces = read_chunks(space, address, size, check=check, report=report)
    hits = list(islice(_hits(pieces, Span.of(address, size), pattern, align), most))
    complete = len(hits) < most
    notes = reading_notes(space, address, size)
    if not complete:
        notes = (*notes, _stopped(most))
    return Found(address, size, pattern, tuple(hits), complete, notes, 1 + check)


def is_on_chip(
    space: Space,
    address: int,
    size: int,
    pattern: Pattern,
    *,
    align: int = 1,
    most: int = MOST,
    check: bool = False,
) -> bool:
    """Return whether ``find`` has the chip search, so that nothing is read."""
    is_quick = not check and align in _ALIGNMENTS and most <= _MOST_ON_CHIP
    return (
        is_quick
        and isinstance(space, Memory)
        and on_chip.can_find(space, address, size, pattern.items)
    )


def _found_by_chip(memory: Memory, span: Span, pattern: Pattern, align: int, most: int) -> Found:
    """Return the places that the chip finds, with rows around them that are read."""
    hits: list[Hit] = []
    for at in on_chip.places(memory, span.start, span.size, pattern.items):
        if at % align:
            continue
        rows = Span.of(at, len(pattern.items)).aligned(ROW).intersection(span)
        hits.append(Hit(at, rows.start, memory.read(rows.start, rows.size)))
        if len(hits) == most:
            break
    complete = len(hits) < most
    notes = ("searched on the chip",) if complete else ("searched on the chip", _stopped(most))
    return Found(span.start, span.size, pattern, tuple(hits), complete, notes)


def _stopped(most: int) -> str:
    return f"stopped after {count_text(most, 'place')}; --max changes the limit"


def _hits(pieces: Iterable[bytes], span: Span, pattern: Pattern, align: int) -> Iterator[Hit]:
    """Yield the places of a pattern in the pieces of a range, each once the row behind it came."""
    expression, length = pattern.expression(), len(pattern.items)
    held, start = b"", span.start  # what is still needed
    following = span.start  # where the next place could begin
    for data in pieces:
        held += data
        end = start + len(held) - length + 1
        if start + len(held) < span.end:
            end -= ROW
        for match in expression.finditer(held, following - start):
            at = start + match.start()
            if at >= end:
                break
            if at % align == 0:
                rows = Span.of(at, length).aligned(ROW)
                first = max(start, rows.start)
                yield Hit(at, first, held[Span(first, rows.end).offsets(start)])
        following = max(following, end)
        kept = max(0, following - start - ROW)
        held, start = held[kept:], start + kept
