"""Where flash is not as files say: ranges, or bytes side by side where there is room.

    address   expected                                         | found
    00010010  10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f | 10 ff 12 13 ...
                 ^^                                                 ^^

On a narrow terminal and into a pipe the rows stand one above the other, as those of ``diff``:
each line has an address and says which side it is, so that it can be searched for.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from espshell.ops.flash.verify import Verify
from espshell.ops.memory.diff import Difference, diff
from espshell.render.diff import ROWS, diff_lines, differing_rows, one_above_the_other
from espshell.render.hexdump import HexWriter
from espshell.render.json import Json, to_json
from espshell.render.text import render, table
from espshell.render.theme import paint
from espshell.span import Span
from espshell.units import SECTOR, count_text, size_text

RANGES = 16
"""Ranges that are shown, unless all are wanted."""

WIDTH = 110
"""Columns that two sides need."""

_CELLS = 16 * 3  # of one side: a gap in the middle, none at the end
_PLACE = 8
_BLANK = b"\xff"


def verify_lines(
    result: Verify, *, every_row: bool = False, width: int = 0, color: bool = False
) -> list[str]:
    """Return what was found; ``every_row`` shows all of it.

    width: columns of the terminal; 0 where there is none.
    """
    if result.ok:
        return _equal(result, color)
    if result.compared:
        lines = _bytes(result, every_row=every_row, width=width, color=color)
        lines.append(result.summary)
    else:
        lines = _ranges(result, every_row=every_row, color=color)
    return [*lines, *(paint(text, "hint", color=color) for text in result.explanations)]


@render.register
def _(result: Verify, *, color: bool = False) -> list[str]:
    return verify_lines(result, color=color)


@to_json.register
def _(result: Verify) -> Json:
    return {
        "equal": result.equal,
        "differing": to_json(result.differing),
        "files": [
            {"name": name, "address": address, "size": size} for name, address, size in result.files
        ],
        "method": result.method,
        "sectors": result.sectors,
        "compared_sectors": result.compared_sectors,
        "compared": [to_json(each) for each in result.compared],
        "needs_erase": result.needs_erase,
        "explanations": list(result.explanations),
    }


def _equal(result: Verify, color: bool) -> list[str]:
    word = paint("equal", "ok", color=color)
    several = len(result.files) > 1
    return [
        f"{word}  {f'{name}  ' if several else ''}{size_text(size)} at flash:{address:#x}"
        f" ({result.method})"
        for name, address, size in result.files
    ]


def _ranges(result: Verify, *, every_row: bool, color: bool) -> list[str]:
    shown = result.differing if every_row else result.differing[:RANGES]
    rows = [
        (
            f"flash:{span}",
            size_text(span.size),
            count_text(span.units(SECTOR), "sector"),
        )
        for span in shown
    ]
    lines = table(rows, color=color)
    left = len(result.differing) - len(shown)
    return [*lines, *_left(left, "range", color)]


def _bytes(result: Verify, *, every_row: bool, width: int, color: bool) -> list[str]:
    beside = width >= WIDTH
    lines = _titles(beside, color)
    left, hidden = ROWS, 0
    for area in (piece for each in result.compared for piece in _pieces(each)):
        if not every_row and _is_blank(area):
            lines.append(_blank_line(area, color))
            continue
        rows = len(differing_rows(area.differing))
        if left <= 0 and not every_row:
            hidden += rows
            continue
        if left < ROWS:
            lines.append(paint("  ...", "squeeze", color=color))
        lines += diff_lines(
            area.expected,
            area.actual,
            area.differing,
            address=area.address,
            rows=None if every_row else left,
            color=color,
            writer=side_by_side if beside else one_above_the_other,
        )
        left -= rows
    return [*lines, *_left(hidden, "row", color, "elsewhere ")]


def _pieces(area: Difference) -> Iterator[Difference]:
    """Yield a range cut where blank sectors of the flash begin and end; equal parts left out."""
    start = area.address
    sectors = Span.of(start, len(area.actual)).pieces(SECTOR)
    for _, group in groupby(
        sectors, lambda sector: not area.actual[sector.offsets(start)].strip(_BLANK)
    ):
        parts = list(group)
        run = Span(parts[0].start, parts[-1].end)
        expected, actual = (data[run.offsets(start)] for data in (area.expected, area.actual))
        piece = diff(expected, actual, address=run.start)
        if not piece.equal:
            yield piece


def _is_blank(area: Difference) -> bool:
    return not area.actual.strip(_BLANK)


def _blank_line(area: Difference, color: bool) -> str:
    span = Span.of(area.address, len(area.actual))
    text = f"  {span} is blank (FF), {area.bytes_differing} bytes of it differ"
    return paint(text, "squeeze", color=color)


def side_by_side(address: int, old: bytes, new: bytes, color: bool) -> Iterator[str]:
    """Yield a row, expected at the left and found at the right, and carets if it differs."""
    place, expected = _cells(address, old, new, color)
    _, found = _cells(address, new, old, color)
    yield f"{place}  {expected} | {found}"
    if old != new:
        carets = _dumped(address, new, old, color=False)[1][_PLACE + 2 :]
        yield f"{'':{_PLACE}}  {carets:<{_CELLS}} | {carets}"


def _cells(address: int, data: bytes, other: bytes, color: bool) -> tuple[str, str]:
    """Return the address and the bytes of a row of a hexdump."""
    line = _dumped(address, data, other, color=color)[0]
    place, _, rest = line.partition("  ")
    return place, rest[: rest.rindex("  |", 0, rest.index("|") + 1)]


def _dumped(address: int, data: bytes, other: bytes, *, color: bool) -> list[str]:
    writer = HexWriter(address, color=color, squeeze=False, before=other)
    return (writer.feed(data) + writer.finish()).splitlines()


def _titles(beside: bool, color: bool) -> list[str]:
    old, new = paint("expected", "old", color=color), paint("found", "new", color=color)
    if beside:
        return [f"{'':{_PLACE}}  {old}{'':{_CELLS - len('expected')}} | {new}"]
    return [f"{paint('-', 'old', color=color)} {old}", f"{paint('+', 'new', color=color)} {new}"]


def _left(count: int, noun: str, color: bool, where: str = "") -> list[str]:
    if not count:
        return []
    text = f"  ... {count_text(count, f'more {noun}')} {where}not shown (--all shows them)"
    return [paint(text, "squeeze", color=color)]
