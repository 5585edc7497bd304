"""What of a flash is protected: as addresses, as a bar of 64 cells, and as partitions.

    protected 0x000000..0x100000 (1 MiB, bottom; computed)
             [################................................]
              |bootloader, nvs
               |ota_0----------|ota_1----------|storage--------

A cell that is protected in part only is a ``+``, since 4 KiB of a large flash are less than a cell.
``?`` is what may be protected where that is not known.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from espshell.image.partitions import PartitionTable
from espshell.nor.protection import Protected
from espshell.records import dataclass
from espshell.render.document import LABEL, Block, Styled, Text
from espshell.render.forms import Json, pick
from espshell.span import Span
from espshell.units import KIB, MIB, size_text

CELLS = 64
"""Cells of a bar."""

_SECTOR = 0x1000
_MOST_ROWS = 6
_MOST_RANGES = 4
_STYLES = {"#": "warning", "+": "warning", "?": "note", ".": ""}


@dataclass(frozen=True, slots=True)
class Covered:
    """Names of what lies in protected ranges, wholly or in part."""

    wholly: tuple[str, ...]
    partly: tuple[str, ...]

    @property
    def text(self) -> str:
        """Both, in words; ``nothing`` if there is neither."""
        partly = f"partly {', '.join(self.partly)}" if self.partly else ""
        return "; ".join(filter(None, (", ".join(self.wholly), partly))) or "nothing"

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return self.wholly + self.partly


def range_text(start: int, end: int, size: int | None = None) -> str:
    """Return ``0x000000..0x100000 (1 MiB, bottom)``; the place if the flash's size is known."""
    length = end - start
    # Not rounded: all but 4 KiB of 4 MiB is not 4.0 MiB.
    is_odd = length > MIB and length % MIB and not length % KIB
    words = f"{length // KIB} KiB" if is_odd else size_text(length)
    if size and length == size:
        words += ", all"
    elif size:
        words += ", bottom" if not start else ", top" if end == size else ", middle"
    return f"{_address(start)}..{_address(end)} ({words})"


def protected_text(protected: Protected, size: int | None) -> str:
    """Return what is protected, in words; what is not known says why."""
    texts = [range_text(span.start, span.end, size) for span in protected.ranges]
    if not protected.known:
        several = texts[:_MOST_RANGES] + ["others"] * (len(texts) > _MOST_RANGES)
        may = f"; it may be {' or '.join(several)}" if texts else ""
        return f"unknown: {protected.why}{may}"
    if protected.published:
        return ", ".join(texts) or "none"
    if not texts:
        return "none (computed)"
    return ", ".join(f"{text[:-1]}; computed)" for text in texts)


def picture(protected: Protected, size: int, table: PartitionTable | None) -> Iterator[Block]:
    """Yield the bar over a flash of a size, its scale, and the partitions below it."""
    yield bar(protected, size)
    end = _address(size)
    text = " " * LABEL + _address(0) + end.rjust(CELLS - len(_address(0)))
    yield Text(Styled(text, "note"))
    for row in partition_rows(table, size) if table else ():
        yield Text(row)


def bar(protected: Protected, size: int) -> Block:
    """Return the bar over a flash of a size, in brackets, below what a label would begin."""
    cells = "".join(_cell(protected, size, index) for index in range(CELLS))
    runs = (Styled(run.group(), _STYLES[run[1]]) for run in re.finditer(r"(.)\1*", cells))
    return Text(" " * (LABEL - 1), "[", *runs, "]")


def partition_rows(table: PartitionTable, size: int, *, most: int = _MOST_ROWS) -> list[str]:
    """Return names of partitions below the cells where they begin, as many as there is room for."""
    rows: list[str] = []
    hidden = 0
    for first, last, name in _labels(table, size):
        text = f"|{name}".ljust(last - first, "-")[: CELLS - first]
        index = next((index for index, row in enumerate(rows) if len(row) <= first), len(rows))
        if index == most:
            hidden += 1
            continue
        if index == len(rows):
            rows.append("")
        rows[index] = rows[index].ljust(first) + text
    if hidden:
        rows.append(f"... and {hidden} more")
    return [" " * LABEL + row for row in rows]


def covered(protected: Protected, table: PartitionTable) -> Covered:
    """Return the bootloader, the table and the partitions that protected ranges meet."""
    wholly, partly = [], []
    for name, start, end in areas(table):
        area = Span(start, end)
        if any(span.holds(area) for span in protected.ranges):
            wholly.append(name)
        elif any(span.overlaps(area) for span in protected.ranges):
            partly.append(name)
    return Covered(tuple(wholly), tuple(partly))


def protected_json(protected: Protected) -> dict[str, Json]:
    """Return what is protected; where it is not known, the ranges are all that may be."""
    names = "protected=ranges protected_known=known protected_published=published"
    return pick(protected, names, "protected_why=why")


def areas(table: PartitionTable) -> Iterator[tuple[str, int, int]]:
    """Yield name, start and end of what is before the partition table, of it, and of partitions.

    A bootloader may begin behind address 0; the range up to the table counts as its own.
    """
    partitions = sorted(table.partitions, key=lambda partition: partition.offset)
    offsets = {partition.offset for partition in partitions}
    if table.offset and min(offsets, default=table.offset) >= table.offset:
        yield "bootloader", 0, table.offset
    if table.offset not in offsets:
        yield "partition table", table.offset, table.offset + _SECTOR
    yield from ((p.name, p.offset, p.end) for p in partitions if p.size)


def _labels(table: PartitionTable, size: int) -> Iterator[tuple[int, int, str]]:
    """Yield first cell, the one behind the last, and name; what is in the same cell in one."""
    small: dict[int, list[str]] = {}
    large = []
    for name, start, end in areas(table):
        first, last = start * CELLS // size, -(-end * CELLS // size)
        if first >= CELLS:  # behind the flash; `parts` tells that
            continue
        if last - first == 1:
            small.setdefault(first, []).append(name)
        else:
            large.append((first, min(last, CELLS), name))
    alone = [(first, first + 1, ", ".join(names)) for first, names in small.items()]
    yield from sorted((*alone, *large), key=lambda label: label[0])


def _address(value: int) -> str:
    return f"0x{value:06x}"


def _cell(protected: Protected, size: int, index: int) -> str:
    start, end = index * size // CELLS, (index + 1) * size // CELLS
    if not protected.known:
        return "?" if protected.hits(start, end) else "."
    if any(span.holds(Span(start, end)) for span in protected.ranges):
        return "#"
    return "+" if protected.hits(start, end) else "."
