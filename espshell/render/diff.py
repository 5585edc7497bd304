"""Two ranges of bytes of one size, one above the other where they differ.

      3fc90000  00 01 02 03  04 05 06 07  ...  |................|
    - 3fc90010  10 11 12 13  14 15 16 17  ...  |................|
    + 3fc90010  10 ff 12 13  14 15 16 17  ...  |................|
                   ^^

Changed bytes are marked by carets also in colour, for logs and for those who cannot tell the
colours apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from espshell.ops.memory.diff import Difference
from espshell.render.hexdump import ROW, HexWriter
from espshell.render.theme import paint
from espshell.span import Span, align_down
from espshell.units import count_text, size_text

ROWS = 16
"""Rows that are shown of a larger difference, unless all are wanted."""

Writer = Callable[[int, bytes, bytes, bool], Iterator[str]]
"""Gives the lines of a row: its address, what is expected, what is there, whether in colour."""


def one_above_the_other(address: int, old: bytes, new: bytes, color: bool) -> Iterator[str]:
    """Yield a row that does not differ, or both of it and the carets."""
    if old == new:
        yield f"  {_dumped(address, old, old, color=color)[0]}"
        return
    yield f"{paint('-', 'old', color=color)} {_dumped(address, old, new, color=color)[0]}"
    yield f"{paint('+', 'new', color=color)} {_dumped(address, new, old, color=color)[0]}"
    yield f"  {_dumped(address, new, old, color=False)[1]}"


def diff_lines(
    expected: bytes,
    actual: bytes,
    differing: Sequence[Span],
    *,
    address: int = 0,
    rows: int | None = ROWS,
    color: bool = False,
    writer: Writer = one_above_the_other,
) -> list[str]:
    """Return the rows that differ, each run of them in a row of context.

    differing: as ``ops.memory.diff`` tells, in ascending order.
    rows: how many differing rows are shown; None for all.
    writer: how a row is shown.
    """
    changed = differing_rows(differing)
    shown = changed[:rows]
    hidden = changed[len(shown) : len(shown) + 1]  # no context of the last that is shown
    wanted = {row + step for row in shown for step in (-ROW, 0, ROW)}
    lines: list[str] = []
    last: int | None = None
    end = address + len(expected)
    for row in sorted(wanted):
        first, stop = max(row, address), min(row + ROW, end)
        if first >= stop or row in hidden:
            continue
        if last is not None and row != last + ROW:
            lines.append(paint("  ...", "squeeze", color=color))
        old, new = (data[first - address : stop - address] for data in (expected, actual))
        lines += writer(first, old, new, color)
        last = row
    left = len(changed) - len(shown)
    if left:
        more = f"  ... {count_text(left, 'more row')} not shown (--all shows them)"
        lines.append(paint(more, "squeeze", color=color))
    return lines


def difference_lines(
    result: Difference,
    titles: tuple[str, str] = ("", ""),
    *,
    rows: int | None = ROWS,
    color: bool = False,
) -> list[str]:
    """Return what a comparison has found: the names of the sides, the rows, the sum of it."""
    if result.ok:
        return [f"{paint('equal', 'ok', color=color)}  {size_text(len(result.expected))}"]
    lines = [
        f"{paint(sign, style, color=color)} {title}"
        for sign, style, title in zip("-+", ("old", "new"), titles, strict=True)
        if title
    ]
    lines += diff_lines(
        result.expected,
        result.actual,
        result.differing,
        address=result.address,
        rows=rows,
        color=color,
    )
    return [*lines, result.summary]


def differing_rows(differing: Sequence[Span]) -> list[int]:
    """Return the addresses of the rows that hold a difference, in order, each once."""
    found: dict[int, None] = {}
    for span in differing:
        found.update(dict.fromkeys(range(align_down(span.start, ROW), span.end, ROW)))
    return list(found)


def _dumped(address: int, data: bytes, other: bytes, *, color: bool) -> list[str]:
    """Return a row and, without colour, the carets below it."""
    writer = HexWriter(address, color=color, squeeze=False, before=other)
    return (writer.feed(data) + writer.finish()).splitlines()
