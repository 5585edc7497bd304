"""How a change of a register is shown: old and new value, bit by bit.

    3fc90000  0x00000000 → 0x12345678   13 bits changed
              31   27   23   19   15   11   7    3
         old  0000 0000 0000 0000 0000 0000 0000 0000
         new  0001 0010 0011 0100 0101 0110 0111 1000
                 ^   ^    ^^  ^    ^ ^  ^^   ^^^ ^
         0→1  bits 28, 25, 21..20, 18, 14, 12, 10..9, 6..3

The numbers on top are those of the bits below their first digit.  Changes are marked by carets
also in colour, for logs and for those who cannot tell the colours apart.
"""

from __future__ import annotations

import re
import textwrap

from espshell.render import theme
from espshell.units import count_text, hex_width

_PLACE = 10  # columns before the first bit
_COLUMNS = 80


def bit_diff(
    old: int, new: int, *, width: int = 32, title: str = "", color: bool = False
) -> list[str]:
    """Return the lines that show what changed from one value to another; one line if nothing did.

    width: bits in both values, a multiple of 4; up to 32 the lines fit in 80 columns.
    title: what changed: an address, a name; stands before the values.
    """
    changed = old ^ new
    lines = [_headline(old, new, width=width, title=title, color=color)]
    if not changed:
        return lines
    carets = _binary(changed, width).replace("0", " ").replace("1", "^")
    lines.append(" " * _PLACE + theme.paint(_ruler(width), "note", color=color))
    for caption, value in (("old", old), ("new", new)):
        bits = _binary(value, width)
        lines.append(_captioned(caption, _marked(bits, carets) if color else bits, color=color))
    lines.append(" " * _PLACE + carets.rstrip())
    for caption, mask in (("0→1", new & ~old), ("1→0", old & ~new)):
        lines += _listed(caption, bit_ranges(mask), color=color)
    return lines


def bit_ranges(mask: int) -> list[str]:
    """Return the bits that are set as numbers and ranges from the top: ``["31..16", "3"]``."""
    top = mask.bit_length() - 1
    spans = [
        (top - run.start(), top + 1 - run.end()) for run in re.finditer("1+", format(mask, "b"))
    ]
    return [str(high) if high == low else f"{high}..{low}" for high, low in spans]


def _headline(old: int, new: int, *, width: int, title: str, color: bool) -> str:
    def value(number: int) -> str:
        return theme.paint(hex_width(number, width), "value", color=color)

    head = theme.paint(title, "address", color=color) + " " * max(2, _PLACE - len(title))
    if old == new:
        return f"{head}{value(old)}   unchanged"
    count = count_text((old ^ new).bit_count(), "bit")
    return f"{head}{value(old)} → {value(new)}   {count} changed"


def _binary(value: int, width: int) -> str:
    return f"{value:0{width + width // 4 - 1}_b}".replace("_", " ")


def _ruler(width: int) -> str:
    return " ".join(f"{top:<4}" for top in range(width - 1, 0, -4)).rstrip()


def _marked(bits: str, carets: str) -> str:
    marked, end = "", 0
    for run in re.finditer(r"\^+", carets):
        marked += bits[end : run.start()] + theme.paint(bits[slice(*run.span())], "changed")
        end = run.end()
    return marked + bits[end:]


def _captioned(caption: str, text: str, *, color: bool) -> str:
    gap = " " * (_PLACE - 2 - len(caption))
    return f"{gap}{theme.paint(caption, 'note', color=color)}  {text}"


def _listed(caption: str, ranges: list[str], *, color: bool) -> list[str]:
    if not ranges:
        return []
    noun = "bit" if ranges[0].isdigit() and len(ranges) == 1 else "bits"
    first, *more = textwrap.wrap(f"{noun} {', '.join(ranges)}", _COLUMNS - _PLACE)
    return [_captioned(caption, first, color=color), *[" " * _PLACE + line for line in more]]
