"""Where a pattern was found: each place with the rows around it, the pattern marked."""

from __future__ import annotations

from espshell.ops.memory.find import Found, Hit
from espshell.render.hexdump import HexWriter


def found_lines(result: Found, *, color: bool = False) -> list[str]:
    """Return the rows around each place."""
    length = len(result.pattern.items)
    return [line for hit in result.hits for line in _rows(hit, length, color=color)]


def _rows(hit: Hit, length: int, *, color: bool) -> list[str]:
    # What is not as it was before is marked: before, the pattern was all other bytes.
    before = bytearray(hit.row)
    for i in range(hit.address - hit.row_address, hit.address - hit.row_address + length):
        before[i] ^= 0xFF
    label = f"{hit.address:#010x}  {hit.label}".rstrip()
    writer = HexWriter(
        hit.row_address,
        color=color,
        squeeze=False,
        before=bytes(before),
        label=lambda _: label,
    )
    return (writer.feed(hit.row) + writer.finish()).splitlines()
