"""What runs on the chip: functions that were called, programs in RAM and what they say.

Who lies where in RAM is a picture:

    DRAM
      segment 0  0x3fc85000..0x3fc86000       4 KiB  | X              |  X stub data
      stub data  0x3fc84000..0x3fc96e38    75.6 KiB  |=X==============|  X segment 0

The bars of one region have one scale, and X is where two want the same, and who the other is; on
another bus in a line of its own.  Below 80 columns there are no bars.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from espshell.ops.chip.call import Called
from espshell.ops.chip.loadram import Occupant, RamLoaded
from espshell.ops.chip.monitor import Monitored
from espshell.render.document import Block, Styled, Text
from espshell.render.forms import Json, form, json_form, json_rows, pick
from espshell.render.view import View
from espshell.span import Span
from espshell.units import count_text, hex32, size_text

json_rows(
    Called="address arguments value seconds~6 dry_run!",
    Monitored="text size seconds~6 until? found heard=heard.sentence?",
)

_BAR = 16  # columns: with a name of nine and what it overlaps, a line has 80


def picture(pieces: Sequence[Occupant], view: View) -> Iterator[Block]:
    """Yield who lies where, region by region."""
    ordered = sorted(pieces, key=lambda piece: piece.span.start)
    width = max(len(piece.name) for piece in pieces)
    for region in dict.fromkeys(piece.region for piece in ordered):
        inside = [piece for piece in ordered if piece.region == region]
        yield Text(Styled(region, "label"))
        for piece in inside:
            yield _row(piece, inside, width, view)
            for other in pieces:
                same = next((span for span in piece.others if span.overlaps(other.span)), None)
                if same is not None:
                    text = f"X {other.name}: the same RAM is {same}"
                    yield Text(" " * (width + 4), Styled(text, "error"), hang=width + 4)


def _row(piece: Occupant, inside: Sequence[Occupant], width: int, view: View) -> Block:
    size = f"{size_text(piece.span.size):>10}"
    others = [p for p in inside if p is not piece and p.span.overlaps(piece.span)]
    style = "error" if others else "note" if piece.is_stub else "value"
    bar = f"  |{_bar(piece, inside)}|" if len(inside) > 1 and view.has_room else ""
    names = f"  X {', '.join(p.name for p in others)}" if others else ""
    name = Styled(f"{piece.name:<{width}}", "name")
    return Text("  ", name, f"  {piece.span}  {size}", Styled(bar + names, style))


def _bar(piece: Occupant, inside: Sequence[Occupant]) -> str:
    start, end = min(p.span.start for p in inside), max(p.span.end for p in inside)
    others = [p for p in inside if p is not piece]
    step = (end - start) / _BAR
    cells = []
    for column in range(_BAR):
        first = start + int(column * step)
        cell = Span(first, max(first + 1, start + int((column + 1) * step)))
        shared = any(other.span.overlaps(piece.span) for other in others)
        if not cell.overlaps(piece.span):
            cells.append(" ")
        elif shared and any(cell.overlaps(other.span) for other in others):
            cells.append("X")
        else:
            cells.append("=" if piece.is_stub else "#")
    return "".join(cells)


@form
def ram_loaded(result: RamLoaded, view: View) -> Iterator[Block]:
    """Yield who lies where, and whether it was started."""
    yield from picture(result.pieces, view)
    count = count_text(sum(not piece.is_stub for piece in result.pieces), "segment")
    size = f"{count}, {size_text(result.size)} in {count_text(result.blocks, 'block')}"
    file = Styled(result.file, "name")
    if result.dry_run:
        yield Text("dry run: ", file, f": {size} would be loaded, entry {hex32(result.entry)}")
        return
    back = ", read back" if result.verified else ""
    state = f"started at {hex32(result.entry)}" if result.started else "not started"
    yield Text(file, f": {size}{back}; ", Styled(state, "value"))


@json_form
def ram_loaded_json(result: RamLoaded) -> Json:
    """Return the segments, and what came of the program."""
    segments: list[Json] = [
        {"address": piece.span.start, "size": piece.span.size, "region": piece.region}
        for piece in result.pieces
        if not piece.is_stub
    ]
    return {
        **pick(result, "file entry"),
        "segments": segments,
        **pick(result, "size blocks started verified returned monitor=monitored dry_run!"),
    }


@form
def monitored(result: Monitored, view: View) -> Iterator[Block]:
    """Yield what was said."""
    for text in result.text.splitlines():
        yield Text(text)


@form
def called(result: Called, view: View) -> Iterator[Block]:
    """Yield the value in hexadecimal and decimal."""
    line = f"{hex32(result.address)}({', '.join(f'{word:#x}' for word in result.arguments)})"
    if result.value is None:
        yield Text(f"dry run: {line} would be called")
    else:
        yield Text(Styled(hex32(result.value), "value"), f"  {result.value}  {line}")
