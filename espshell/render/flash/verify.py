"""Where flash is not as files say, or as that of another board: ranges; or bytes side by side.

    address   expected                                         | found
    00010010  10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f | 10 ff 12 13 ...
                 ^^                                                 ^^

On a narrow terminal and into a pipe the rows stand one above the other, as those of ``diff``:
each line has an address and says which side it is, so that it can be searched for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import groupby

from espshell.ops.flash.compare import Compared
from espshell.ops.flash.verify import Verify
from espshell.ops.memory.diff import Difference, diff
from espshell.render.document import Block, Styled, Table, Text, cut, plain
from espshell.render.forms import Json, form, json_form, json_rows, pick
from espshell.render.memory import compare
from espshell.render.memory.compare import dump_rows
from espshell.render.view import View
from espshell.span import Span
from espshell.units import SECTOR, count_text, size_text

RANGES = 16
"""Ranges that are shown, unless all are wanted."""

WIDTH = 110
"""Columns that two sides need."""

_CELLS = range(10, 58)  # columns of a hexdump's bytes
_BLANK = b"\xff"

json_rows(Compared="address size titles equal=ok differing")


@form
def verify(result: Verify, view: View) -> Iterator[Block]:
    """Yield that files and flash are equal, or where they differ and what that may mean."""
    if result.ok:
        for name, address, size in result.files:
            file = f"{name}  " if len(result.files) > 1 else ""
            text = f"  {file}{size_text(size)} at flash:{address:#x} ({result.method})"
            yield Text(Styled("equal", "ok"), text)
        return
    if result.compared:
        yield from _bytes(result, view)
        yield Text(result.summary)
    else:
        spans = result.differing
        shown = spans if view.every_row else spans[:RANGES]
        yield Table(
            (f"flash:{span}", size_text(span.size), count_text(span.units(SECTOR), "sector"))
            for span in shown
        )
        yield from compare.more_hidden(len(spans) - len(shown), "range")
    yield from (Text(Styled(text, "hint")) for text in result.explanations)


@json_form
def verify_json(result: Verify) -> Json:
    """Return where files and flash differ, and how that was found out."""
    files: list[Json] = [
        {"name": name, "address": address, "size": size} for name, address, size in result.files
    ]
    return {
        **pick(result, "equal differing"),
        "files": files,
        **pick(result, "method sectors compared_sectors compared needs_erase explanations"),
    }


def _bytes(result: Verify, view: View) -> Iterator[Block]:
    beside, old, new = view.width >= WIDTH, Styled("expected", "old"), Styled("found", "new")
    if beside:
        yield Text(" " * _CELLS.start, old, " " * (len(_CELLS) - len(old.text)), " | ", new)
    else:
        yield Text(Styled("-", "old"), " ", old)
        yield Text(Styled("+", "new"), " ", new)
    room, hidden = compare.ROWS, 0
    for area in (piece for difference in result.compared for piece in _pieces(difference)):
        if not view.every_row and not area.actual.strip(_BLANK):
            span = Span.of(area.address, len(area.actual))
            text = f"  {span} is blank (FF), {area.bytes_differing} bytes of it differ"
            yield Text(Styled(text, "squeeze"))
            continue
        rows = len(compare.differing_rows(area.differing))
        if room <= 0 and not view.every_row:
            hidden += rows
            continue
        if room < compare.ROWS:
            yield Text(Styled("  ...", "squeeze"))
        yield from compare.diff_rows(
            area,
            view,
            rows=None if view.every_row else room,
            writer=side_by_side if beside else compare.one_above_the_other,
        )
        room -= rows
    yield from compare.more_hidden(hidden, "row", "elsewhere ")


def _pieces(area: Difference) -> Iterator[Difference]:
    """Yield a range cut where blank sectors of the flash begin and end; equal parts left out."""
    start = area.address
    sectors = Span.of(start, len(area.actual)).pieces(SECTOR)
    for _, group in groupby(
        sectors, lambda part: not area.actual[part.offsets(start)].strip(_BLANK)
    ):
        parts = list(group)
        run = Span(parts[0].start, parts[-1].end)
        expected, actual = (data[run.offsets(start)] for data in (area.expected, area.actual))
        piece = diff(expected, actual, address=run.start)
        if not piece.equal:
            yield piece


def side_by_side(address: int, old: bytes, new: bytes, view: View) -> Iterator[Block]:
    """Yield a row, expected at the left and found at the right, and carets if it differs."""
    expected, actual = dump_rows(address, old, new, view), dump_rows(address, new, old, view)
    yield Text(*cut(expected[0], 0, _CELLS.stop), " | ", *cut(actual[0], _CELLS.start, _CELLS.stop))
    if old != new:
        carets = plain(dump_rows(address, new, old, replace(view, color=False))[1])[_CELLS.start :]
        yield Text(" " * _CELLS.start, f"{carets:<{len(_CELLS)}} | {carets}")


@form
def compared(result: Compared, view: View) -> Iterator[Block]:
    """Yield the verdict, and the ranges that differ with the partitions that they begin in."""
    where = Span.of(result.address, result.size)
    verdict = Styled("equal", "ok") if result.ok else Styled("different", "error")
    yield Text(
        verdict, f"  flash {where} ({size_text(result.size)}) of ", " and ".join(result.titles)
    )
    table = view.partitions
    rows = []
    for span in result.differing:
        partition = table.at(span.start) if table else None
        rows.append((str(span), size_text(span.size), partition.name if partition else ""))
    yield Table(rows)
