"""Status registers drawn as eight cells each, the highest bit at the left; and lines with a label.

              7       6       5       4       3       2       1       0
    SR1  05h  SRP0!   SEC     TB      BP2     BP1     BP0     wel     busy
              0       0       0       1       1       1       .       .       0x1c

Everything stands in columns of ten before what matters, so that a bar of 64 cells begins and ends
where the bits do.  What the flash sets itself is in small letters.  Bits that cannot be set are
dots while they are 0; one that is 1 is shown, since a WEL that stayed set is worth seeing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence

from espshell.nor.layout import WIDTH, Bit, BitKind, StatusRegister
from espshell.render.theme import paint
from espshell.units import hex_width

PLACE = 10
"""Columns before the first cell."""

CELL = 8
"""Columns of a bit."""

COLUMNS = 80
"""A terminal that is narrower gets no cells."""

MARKS = {BitKind.ONE_WAY: "*", BitKind.LOCK: "!", BitKind.DANGER: "!", BitKind.OPEN: "?"}
"""What stands behind the name of a bit by its kind."""

_LEGENDS = (
    ("*", "one-way"),
    ("!", "locks or may stop booting"),
    ("?", "differs by candidate"),
)
_STYLES = {"*": "error", "!": "warning", "?": "note", "": "name"}


def ruler() -> str:
    """Return the line with the numbers of the bits."""
    return " " * PLACE + _row([str(position) for position in reversed(range(WIDTH))])


def names(register: StatusRegister, *, locked: int = 0, color: bool = False) -> str:
    """Return the line with a register's name, the opcode that reads it, and its bits' names.

    locked: bits that recede although their kind could be set.
    """
    head = f"{register.name:<4} {register.read_opcode:02X}h"
    cells = (_name(bit, locked, color) for bit in reversed(register.bits))
    return (paint(f"{head:<{PLACE}}", "label", color=color) + "".join(cells)).rstrip()


def values(
    register: StatusRegister,
    value: int,
    *,
    caption: str = "",
    changed: int = 0,
    cursor: int | None = None,
    color: bool = False,
) -> str:
    """Return the line with the values of the bits, and all in hexadecimal.

    changed: bits to mark by colour; the caller draws ``carets`` below.
    cursor: position of the bit that stands in brackets.
    """
    head = paint(f"{caption:>{PLACE - 2}} ", "note", color=color)
    cells = "".join(
        _value(bit, value, changed=changed, cursor=cursor, color=color)
        for bit in reversed(register.bits)
    )
    return f"{head}{cells} {paint(hex_width(value, WIDTH), 'value', color=color)}"


def carets(mask: int) -> str:
    """Return the line with a caret below each bit of a mask."""
    bits = reversed(range(WIDTH))
    return (" " * PLACE + _row(["^" if mask >> bit & 1 else "" for bit in bits])).rstrip()


def legend(registers: Iterable[StatusRegister]) -> str:
    """Return what the marks mean that are on bits of these registers."""
    bits = [bit for register in registers for bit in register.bits]
    used = {MARKS.get(bit.kind) for bit in bits}
    told = [f"{mark} {text}" for mark, text in _LEGENDS if mark in used]
    if not all(bit.kind.settable for bit in bits):
        told.append(". not settable")
    return "  ".join(told)


def shortened(registers: Iterable[StatusRegister]) -> str:
    """Return the whole names of bits for which a cell is too narrow; empty if there are none."""
    found = [bit for each in registers for bit in each.bits if "~" in short_name(bit)]
    return ", ".join(f"{bit.register}.{bit.position} {bit.name}" for bit in found)


def short_name(bit: Bit) -> str:
    """Return what a bit is called in its cell."""
    room = CELL - 1
    if bit.kind is BitKind.READ_ONLY:
        return bit.name.lower()[:room]
    mark = MARKS.get(bit.kind, "")
    if len(bit.name) + len(mark) <= room:
        return bit.name + mark
    return bit.name.partition("/")[0][: room - 1 - len(mark)] + "~" + mark


def labelled(
    label: str, text: str, *, width: int, style: str = "", color: bool = False
) -> list[str]:
    """Return text behind a label, wrapped into lines of a width that begin below each other.

    style: of label and text; without one the label has its own.
    """
    room = max(width - PLACE, 20)
    # Names of many parts in one are the only words that are too long.
    text = " ".join(w.replace("/", " / ") if len(w) > room else w for w in text.split(" "))
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
    lines = [(" " * PLACE if i else f"{label:<{PLACE}}") + line for i, line in enumerate(lines)]
    if style:
        return [paint(line, style, color=color) for line in lines]
    lines[0] = paint(lines[0][:PLACE], "label", color=color) + lines[0][PLACE:]
    return lines


def _row(texts: Sequence[str]) -> str:
    return "".join(f"{text:<{CELL}}" for text in texts)


def _name(bit: Bit, locked: int, color: bool) -> str:
    text = short_name(bit)
    style = "note" if locked & bit.mask else _style(bit)
    return paint(text, style, color=color) + " " * (CELL - len(text))


def _value(bit: Bit, value: int, *, changed: int, cursor: int | None, color: bool) -> str:
    """Return the cell of a value; it begins one column early, where a bracket may stand."""
    text = str(value >> bit.position & 1)
    style = "" if bit.kind.settable else "note"
    if text == "0" and not bit.kind.settable:
        text = "."
    if changed & bit.mask:
        style = "changed"
    shown = paint(text, style, color=color) if style else text
    if bit.position != cursor:
        return f" {shown}" + " " * (CELL - 2)
    before, after = (paint(bracket, "value", color=color) for bracket in "[]")
    return f"{before}{shown}{after}" + " " * (CELL - 3)


def _style(bit: Bit) -> str:
    if bit.kind in (BitKind.READ_ONLY, BitKind.RESERVED):
        return "note"
    return _STYLES[MARKS.get(bit.kind, "")]
