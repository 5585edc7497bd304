"""Two ranges of bytes of one size, one above the other where they differ; places of a pattern.

      3fc90000  00 01 02 03  04 05 06 07  ...  |................|
    - 3fc90010  10 11 12 13  14 15 16 17  ...  |................|
    + 3fc90010  10 ff 12 13  14 15 16 17  ...  |................|
                   ^^

Changed bytes are marked by carets also in colour, for logs and for those who cannot tell the
colours apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

from espshell.records import replace
from espshell.render.document import Block, Line, Styled, Text
from espshell.render.forms import form, json_rows
from espshell.render.hexdump import ROW, Hexdump, row_size
from espshell.render.view import View
from espshell.span import Span, align_down
from espshell.units import count_text, hex32, size_text

if TYPE_CHECKING:
    from espshell.ops.memory.diff import Difference
    from espshell.ops.memory.find import Found

ROWS = 16
"""Rows that are shown of a larger difference, unless all are wanted."""

_MARGIN = 2
"""Columns before a row."""

Writer = Callable[[int, bytes, bytes, View], Iterator[Block]]
"""Gives the lines of a row: its address, what is expected, what is there."""


json_rows(
    Difference=(
        "equal differing address size=expected# bytes=bytes_differing bits_set bits_cleared "
        "registers!"
    ),
    RegisterDifference="name=register.full_name expected actual",
    Found="address size pattern=pattern.text hits complete readings",
    Hit="=address",
)


def one_above_the_other(address: int, old: bytes, new: bytes, view: View) -> Iterator[Block]:
    """Yield a row that does not differ, or both of it and the carets."""
    narrow = replace(view, width=view.width - _MARGIN)
    if old == new:
        yield Text("  ", *dump_rows(address, old, old, narrow)[0])
        return
    yield Text(Styled("-", "old"), " ", *dump_rows(address, old, new, narrow)[0])
    yield Text(Styled("+", "new"), " ", *dump_rows(address, new, old, narrow)[0])
    yield Text("  ", *dump_rows(address, new, old, replace(narrow, color=False))[1])


def dump_rows(address: int, data: bytes, other: bytes, view: View) -> list[Line]:
    """Return a row and, without colour, the carets below it."""
    return list(Hexdump(address, data, squeeze=False, before=other).lines(view))


def differing_rows(differing: Sequence[Span], size: int = ROW) -> list[int]:
    """Return the addresses of the rows of a size that hold a difference, in order, each once."""
    return list(
        dict.fromkeys(
            row for span in differing for row in range(align_down(span.start, size), span.end, size)
        )
    )


def diff_rows(
    result: Difference, view: View, *, rows: int | None = ROWS, writer: Writer = one_above_the_other
) -> Iterator[Block]:
    """Yield the rows that differ, each run of them in a row of context.

    rows: how many differing rows are shown; None for all.
    writer: how a row is shown.
    """
    size = row_size(view.width - _MARGIN) if view.fold else ROW
    changed = differing_rows(result.differing, size)
    shown = changed[:rows]
    hidden = changed[len(shown) : len(shown) + 1]  # no context of the last that is shown
    around = {row + step for row in shown for step in (-size, 0, size)}
    last: int | None = None
    start, end = result.address, result.address + len(result.expected)
    for row in sorted(around):
        first, stop = max(row, start), min(row + size, end)
        if first >= stop or row in hidden:
            continue
        if last is not None and row != last + size:
            yield Text(Styled("  ...", "squeeze"))
        part = slice(first - start, stop - start)
        yield from writer(first, result.expected[part], result.actual[part], view)
        last = row
    yield from more_hidden(len(changed) - len(shown), "row")


def more_hidden(count: int, noun: str, where: str = "") -> Iterator[Block]:
    """Yield how much more there is, and what shows it."""
    if count:
        text = f"  ... {count_text(count, f'more {noun}')} {where}not shown (--all shows them)"
        yield Text(Styled(text, "squeeze"))


@form
def difference(result: Difference, view: View) -> Iterator[Block]:
    """Yield the names of the sides, the rows, and how much differs."""
    if result.ok:
        yield Text(Styled("equal", "ok"), f"  {size_text(len(result.expected))}")
        return
    for sign, style, title in zip("-+", ("old", "new"), result.titles, strict=False):
        yield Text(Styled(sign, style), f" {title}")
    yield from diff_rows(result, view, rows=None if view.every_row else ROWS)
    for item in result.registers[: None if view.every_row else ROWS]:
        expected, actual = item.expected, item.actual
        fields = [f"{f.name} {f.value(expected)} → {f.value(actual)}" for f in item.fields]
        change = ", ".join(fields) or f"{hex32(expected)} → {hex32(actual)}"
        yield Text(Styled(item.register.full_name, "name"), f"  {change}")
    hidden = 0 if view.every_row else max(len(result.registers) - ROWS, 0)
    yield from more_hidden(hidden, "register")
    yield Text(result.summary)


@form
def found(result: Found, view: View) -> Iterator[Block]:
    """Yield the rows around each place, the pattern marked."""
    length = len(result.pattern.items)
    for hit in result.hits:
        # What is not as it was before is marked: before, the pattern was all other bytes.
        before = bytearray(hit.row)
        for i in range(hit.address - hit.row_address, hit.address - hit.row_address + length):
            before[i] ^= 0xFF
        # Where the row begins, its address says it.
        where = "" if hit.address == hit.row_address else f"{hit.address:#010x}"
        label = partial(_name, f"{where}  {hit.label}".strip())
        yield Hexdump(hit.row_address, hit.row, squeeze=False, before=bytes(before), label=label)


def _name(name: str, address: int) -> str:
    return name
