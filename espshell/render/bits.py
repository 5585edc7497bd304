"""How a change of a register is shown: old and new value, bit by bit.

    3fc90000  0x00000000 → 0x12345678   13 bits changed
              31   27   23   19   15   11   7    3
         old  0000 0000 0000 0000 0000 0000 0000 0000
         new  0001 0010 0011 0100 0101 0110 0111 1000
                 ^   ^    ^^  ^    ^ ^  ^^   ^^^ ^
         0→1  bits 28, 25, 21..20, 18, 14, 12, 10..9, 6..3

The numbers on top are those of the bits below their first digit; what has no room stands in a
second picture below, the lower bits last.  Changes are marked by carets
also in colour, for logs and for those who cannot tell the colours apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from espshell.render.document import LABEL, Block, Labelled, Part, Styled, Text
from espshell.render.view import View
from espshell.units import count_text, hex_width

_GROUP = 4
"""Bits of a digit, which stand together."""


def bit_diff(
    old: int, new: int, view: View, *, width: int = 32, title: str = ""
) -> Iterator[Block]:
    """Yield what changed from one value to another; one line if nothing did.

    width: bits in both values, a multiple of 4; up to 32 the lines fit in 80 columns.
    title: what changed: an address, a name; stands before the values.
    """
    changed = old ^ new
    values = [Styled(hex_width(value, width), "value") for value in (old, new)]
    head = (Styled(title, "address"), " " * max(2, LABEL - len(title)))
    if not changed:
        yield Text(*head, values[0], "   unchanged")
        return
    count = count_text(changed.bit_count(), "bit")
    yield Text(*head, values[0], " → ", values[1], f"   {count} changed")
    room = width  # all bits beside each other, or half of them, or a quarter
    while view.fold and room > _GROUP and LABEL + room + room // _GROUP - 1 > view.width:
        room = -(-room // 2 // _GROUP) * _GROUP
    for top in range(width, 0, -room):
        yield from _picture(old, new, top, min(room, top))
    for caption, mask in (("0→1", new & ~old), ("1→0", old & ~new)):
        if ranges := bit_ranges(mask):
            noun = "bit" if ranges[0].isdigit() and len(ranges) == 1 else "bits"
            label = Styled(f"{caption:>{LABEL - 2}}", "note")
            yield Labelled(label, f"{noun} {', '.join(ranges)}")


def bit_ranges(mask: int) -> list[str]:
    """Return the bits that are set as numbers and ranges from the top: ``["31..16", "3"]``."""
    top = mask.bit_length() - 1
    spans = [
        (top - run.start(), top + 1 - run.end()) for run in re.finditer("1+", format(mask, "b"))
    ]
    return [str(high) if high == low else f"{high}..{low}" for high, low in spans]


def _picture(old: int, new: int, top: int, count: int) -> Iterator[Block]:
    """Yield ``count`` bits below ``top``: their numbers, both values, a caret for each change."""
    low = top - count
    bits = [f"{value >> low & (1 << count) - 1:0{count}b}" for value in (old, new)]
    marks = "".join(" " if a == b else "^" for a, b in zip(*bits, strict=True))
    starts = range(0, count, _GROUP)
    ruler = " ".join(f"{top - start - 1:<{_GROUP}}" for start in starts).rstrip()
    yield Text(" " * LABEL, Styled(ruler, "note"))
    for caption, digits in zip(("old", "new"), bits, strict=True):
        yield Text(
            f"{'':{LABEL - 2 - len(caption)}}",
            Styled(caption, "note"),
            "  ",
            *_marked(_grouped(digits), _grouped(marks)),
        )
    yield Text(" " * LABEL, _grouped(marks).rstrip())


def _grouped(digits: str) -> str:
    return " ".join(digits[start : start + _GROUP] for start in range(0, len(digits), _GROUP))


def _marked(bits: str, carets: str) -> Iterator[Part]:
    end = 0
    for run in re.finditer(r"\^+", carets):
        yield bits[end : run.start()]
        yield Styled(bits[slice(*run.span())], "changed")
        end = run.end()
    yield bits[end:]
