"""Status registers drawn as eight cells each, the highest bit at the left; and lines with a label.

              7       6       5       4       3       2       1       0
    SR1  05h  SRP0!   SEC     TB      BP2     BP1     BP0     wel     busy
              0       0       0       1       1       1       .       .       0x1c

Everything stands in columns of ten before what matters, so that a bar of 64 cells begins and ends
where the bits do.  What the flash sets itself is in small letters.  Bits that cannot be set are
dots while they are 0; one that is 1 is shown, since a WEL that stayed set is worth seeing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from espshell.nor.layout import WIDTH, Bit, BitKind, RegisterLayout
from espshell.render.document import LABEL, Block, Part, Styled, Text
from espshell.units import hex_width

CELL = 8
"""Columns of a bit."""

MARKS = {BitKind.ONE_WAY: "*", BitKind.LOCK: "!", BitKind.DANGER: "!", BitKind.OPEN: "?"}
"""What stands behind the name of a bit by its kind."""

_LEGENDS = (("*", "one-way"), ("!", "locks or may stop booting"), ("?", "differs by candidate"))
_STYLES = {"*": "error", "!": "warning", "?": "note", "": "name"}


def ruler() -> Block:
    """Return the line with the numbers of the bits."""
    text = _row([str(position) for position in reversed(range(WIDTH))])
    return Text(Styled(" " * LABEL + text.rstrip(), "note"))


def names(register: RegisterLayout, *, locked: int = 0) -> Block:
    """Return the line with a register's name, the opcode that reads it, and its bits' names.

    locked: bits that recede although their kind could be set.
    """
    head = Styled(f"{f'{register.name:<4} {register.read_opcode:02X}h':<{LABEL}}", "label")
    parts: list[Part] = [head]
    for bit in reversed(register.bits):
        text = short_name(bit)
        gap = " " * (CELL - len(text)) if bit.position else ""
        is_fixed = bit.kind in (BitKind.READ_ONLY, BitKind.RESERVED) or locked & bit.mask
        style = "note" if is_fixed else _STYLES[MARKS.get(bit.kind, "")]
        parts += [Styled(text, style), gap]
    return Text(*parts)


def values(
    register: RegisterLayout,
    value: int,
    *,
    caption: str = "",
    changed: int = 0,
    cursor: int | None = None,
) -> Block:
    """Return the line with the values of the bits, and all in hexadecimal.

    changed: bits to mark by colour; the caller draws ``carets`` below.
    cursor: position of the bit that stands in brackets.
    """
    parts: list[Part] = [Styled(f"{caption:>{LABEL - 2}} ", "note")]
    for bit in reversed(register.bits):  # a cell begins a column early, where a bracket may stand
        text, style = str(value >> bit.position & 1), "" if bit.kind.settable else "note"
        if text == "0" and not bit.kind.settable:
            text = "."
        before, after = ("[", "]") if bit.position == cursor else (" ", " ")
        bracket = "value" if bit.position == cursor else ""
        parts += [Styled(before, bracket), Styled(text, "changed" if changed & bit.mask else style)]
        parts += [Styled(after, bracket), " " * (CELL - 3)]
    return Text(*parts, " ", Styled(hex_width(value, WIDTH), "value"))


def carets(mask: int) -> Block:
    """Return the line with a caret below each bit of a mask."""
    bits = reversed(range(WIDTH))
    return Text((" " * LABEL + _row(["^" if mask >> bit & 1 else "" for bit in bits])).rstrip())


def legend(registers: Iterable[RegisterLayout]) -> str:
    """Return what the marks mean that are on bits of these registers."""
    bits = [bit for register in registers for bit in register.bits]
    used = {MARKS.get(bit.kind) for bit in bits}
    texts = [f"{mark} {text}" for mark, text in _LEGENDS if mark in used]
    if not all(bit.kind.settable for bit in bits):
        texts.append(". not settable")
    return "  ".join(texts)


def shortened(registers: Iterable[RegisterLayout]) -> str:
    """Return the whole names of bits for which a cell is too narrow; empty if there are none."""
    cut = [bit for register in registers for bit in register.bits if "~" in short_name(bit)]
    return ", ".join(f"{bit.register}.{bit.position} {bit.name}" for bit in cut)


def short_name(bit: Bit) -> str:
    """Return what a bit is called in its cell."""
    room = CELL - 1
    if bit.kind is BitKind.READ_ONLY:
        return bit.name.lower()[:room]
    mark = MARKS.get(bit.kind, "")
    if len(bit.name) + len(mark) <= room:
        return bit.name + mark
    return bit.name.partition("/")[0][: room - 1 - len(mark)] + "~" + mark


def _row(texts: Sequence[str]) -> str:
    return "".join(f"{text:<{CELL}}" for text in texts)
