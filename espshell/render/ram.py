"""Programs in RAM and what they say, as lines and as JSON; and the picture of who lies where.

    DRAM
      segment 0  0x3fc85000..0x3fc86000       4 KiB  | X              |  X stub data
      stub data  0x3fc84000..0x3fc96e38    75.6 KiB  |=X==============|  X segment 0

The bars of one region have one scale, and X is where two want the same, and who the other is; on
another bus in a line of its own.
"""

from __future__ import annotations

from collections.abc import Sequence

from espshell.ops.chip.loadram import Occupant, RamLoaded
from espshell.ops.chip.monitor import Monitored
from espshell.ops.memory.symbols import SymbolList
from espshell.render.json import Json, to_json
from espshell.render.text import render, table
from espshell.render.theme import paint
from espshell.span import Span
from espshell.units import count_text, hex32, size_text

_BAR = 16  # columns: with a name of nine and what it overlaps, a line has 80


def picture(pieces: Sequence[Occupant], *, color: bool = False) -> list[str]:
    """Return who lies where, region by region, as lines."""
    lines: list[str] = []
    regions = sorted(pieces, key=lambda piece: piece.span.start)
    width = max(len(piece.name) for piece in pieces)
    for region in dict.fromkeys(piece.region for piece in regions):
        inside = [piece for piece in regions if piece.region == region]
        lines.append(paint(region, "label", color=color))
        for piece in inside:
            lines.append(_row(piece, inside, width, color=color))
            told = (_told(piece, other) for other in pieces if piece.is_elsewhere(other))
            lines += [" " * (width + 4) + paint(text, "error", color=color) for text in told]
    return lines


def _told(piece: Occupant, other: Occupant) -> str:
    span = next(span for span in piece.others if span.overlaps(other.span))
    return f"X {other.name}: the same RAM is {span}"


def _row(piece: Occupant, inside: Sequence[Occupant], width: int, *, color: bool) -> str:
    bar = f"  |{_bar(piece, inside)}|" if len(inside) > 1 else ""
    others = [p for p in inside if p is not piece and p.overlaps(piece)]
    told = f"  X {', '.join(p.name for p in others)}" if others else ""
    name = paint(f"{piece.name:<{width}}", "name", color=color)
    style = "error" if others else "note" if piece.is_stub else "value"
    rest = paint(f"{bar}{told}", style, color=color) if bar else ""
    return f"  {name}  {piece.span}  {size_text(piece.span.size):>10}{rest}"


def _bar(piece: Occupant, inside: Sequence[Occupant]) -> str:
    start, end = min(p.span.start for p in inside), max(p.span.end for p in inside)
    others = [p for p in inside if p is not piece]
    step = (end - start) / _BAR
    cells = []
    for column in range(_BAR):
        first = start + int(column * step)
        cell = Span(first, max(first + 1, start + int((column + 1) * step)))
        shared = any(other.overlaps(piece) for other in others)
        if not cell.overlaps(piece.span):
            cells.append(" ")
        elif shared and any(cell.overlaps(other.span) for other in others):
            cells.append("X")
        else:
            cells.append("=" if piece.is_stub else "#")
    return "".join(cells)


@render.register
def _(result: RamLoaded, *, color: bool = False) -> list[str]:
    lines = picture(result.pieces, color=color)
    count = count_text(sum(not piece.is_stub for piece in result.pieces), "segment")
    size = f"{count}, {size_text(result.size)} in {count_text(result.blocks, 'block')}"
    file = paint(result.file, "name", color=color)
    if result.dry_run:
        return [*lines, f"dry run: {file}: {size} would be loaded, entry {hex32(result.entry)}"]
    back = ", read back" if result.verified else ""
    told = f"started at {hex32(result.entry)}" if result.started else "not started"
    return [*lines, f"{file}: {size}{back}; {paint(told, 'value', color=color)}"]


@to_json.register
def _(result: RamLoaded) -> Json:
    return {
        "file": result.file,
        "entry": result.entry,
        "segments": [
            {"address": piece.span.start, "size": piece.span.size, "region": piece.region}
            for piece in result.pieces
            if not piece.is_stub
        ],
        "size": result.size,
        "blocks": result.blocks,
        "started": result.started,
        "verified": result.verified,
        "returned": result.returned,
        "monitor": to_json(result.monitored),
        **({"dry_run": True} if result.dry_run else {}),
    }


@render.register
def _(result: Monitored, *, color: bool = False) -> list[str]:
    return result.text.splitlines()


@to_json.register
def _(result: Monitored) -> Json:
    return {
        "text": result.text,
        "size": result.size,
        "seconds": round(result.seconds, 6),
        "until": result.until or None,
        "found": result.found,
        "heard": result.heard.sentence or None,
    }


@render.register
def _(result: SymbolList, *, color: bool = False) -> list[str]:
    if not result.pattern:
        count = count_text(result.total, "symbol")
        return [f"{paint(result.file, 'name', color=color)}  {count}, {result.machine}"]
    # The name comes last: those of C++ have hundreds of characters.
    rows = [
        (hex32(symbol.address), size_text(symbol.size) if symbol.size else "", kind, symbol.name)
        for symbol in result.symbols
        for kind in (f"{symbol.kind.value}{'' if symbol.is_global else ', local'}",)
    ]
    return table(rows, color=color)


@to_json.register
def _(result: SymbolList) -> Json:
    return {
        "file": result.file,
        "machine": result.machine,
        "count": result.total,
        "symbols": [
            {
                "name": symbol.name,
                "address": symbol.address,
                "size": symbol.size,
                "kind": symbol.kind.value,
            }
            for symbol in result.symbols
        ],
    }
