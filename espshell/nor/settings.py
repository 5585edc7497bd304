"""Settings of status registers as a person types and reads them: ``QE=1 BP=0 DRV=50% SR1=0x00``.

A name is a field (``BP``), a single bit of one (``BP2``) or a whole register (``SR1``).  What
``typed_back`` prints can be typed again.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from espshell.errors import UsageError
from espshell.nor.layout import BitKind, Layout, Values
from espshell.nor.parts import Part
from espshell.records import dataclass
from espshell.units import parse_number

_BYTE = 0xFF


@dataclass(frozen=True, slots=True)
class Setting:
    """What is wanted: a field, a bit or a register by its name in capitals, and its number."""

    name: str
    value: int


def parse(part: Part, texts: Iterable[str]) -> tuple[Setting, ...]:
    """Take settings apart and look whether names and values can be meant on a part.

    Raises: UsageError naming what there is, if one cannot.
    """
    return tuple(_setting(part, text) for text in texts)


def split(text: str) -> tuple[str, str]:
    """Return name, in capitals, and value of a setting. Raises: UsageError if it is none."""
    name, equals, value = (piece.strip() for piece in text.partition("="))
    if not equals or not name or not value:
        raise UsageError(f"{text!r} is not a setting", hint="type NAME=VALUE, as in QE=1")
    return name.upper(), value


def typed_back(part: Part, registers: Values) -> tuple[str, ...]:
    """Return the fields that can be written, as settings that give what ``registers`` hold."""
    texts = []
    for field in part.layout.fields:
        value = field.value(registers)
        if value is not None and field.kind.settable and field.register in part.written:
            texts.append(f"{field.name}={field.text(value)}")
    return tuple(texts)


def open_names(layout: Layout) -> frozenset[str]:
    """Return what candidates call the bits about which they do not agree."""
    bits = (bit for register in layout.registers for bit in register.bits)
    return frozenset(n for bit in bits if bit.kind is BitKind.OPEN for n in bit.name.split("/"))


def _setting(part: Part, text: str) -> Setting:
    name, value = split(text)
    field = part.layout.field(name)
    if field is not None:
        number = field.number(value)
        if number is None:
            number = _number(name, value, field.most, [word for _, word in field.values])
        return Setting(name, number)
    uncertain = open_names(part.layout)
    if part.layout.register(name) is not None or name in uncertain:
        return Setting(name, _number(name, value, _BYTE, []))
    if name in {bit_name.rstrip("0123456789") for bit_name in uncertain}:
        raise UsageError(
            f"{name} is not the same on all parts that it may be: {part.name}",
            hint="--part NAME chooses one",
        )
    fields = [item.name for item in part.layout.fields if item.kind.settable]
    names = [*fields, *(item.name for item in part.layout.registers)]
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}? " if near else ""
    raise UsageError(f"{part.name} has no {name}", hint=f"{hint}there are {', '.join(names)}")


def _number(name: str, text: str, most: int, values: list[str]) -> int:
    number = parse_number(text)
    if number is not None and number <= most:
        return number
    shown = f"0x{most:02x}" if most == _BYTE else str(most)
    hint = f"0 to {shown}" + (f", or {', '.join(values)}" if values else "")
    raise UsageError(f"{name} cannot be {text}", hint=hint)
