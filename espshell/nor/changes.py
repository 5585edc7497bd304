"""What differs between two states of status registers: register by register, field by field."""

from __future__ import annotations

from collections.abc import Iterator

from espshell.nor.layout import BitKind, Values
from espshell.nor.parts import Part
from espshell.records import dataclass


@dataclass(frozen=True, slots=True)
class BitChange:
    """A bit that changes."""

    name: str
    position: int
    before: int
    after: int
    kind: BitKind


@dataclass(frozen=True, slots=True)
class RegisterChange:
    """A register before and after; also one that stays as it is."""

    name: str
    read_opcode: int
    before: int
    after: int
    changed: tuple[BitChange, ...]
    """Highest bit first, as registers are shown."""
    compared: int
    """The bits that must read back as in ``after``: all but those that the flash sets itself."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field whose value changes, with values as they are typed."""

    name: str
    before: str
    after: str
    kind: BitKind


def of_register(part: Part, name: str, before: int, after: int) -> RegisterChange:
    """Return what happens to a register of the part's layout."""
    register = part.layout.register(name)
    assert register is not None  # names come from the layout
    changed = tuple(
        BitChange(bit.name, bit.position, before >> bit.position & 1, value, bit.kind)
        for bit in reversed(register.bits)
        if (value := after >> bit.position & 1) != before >> bit.position & 1
    )
    compared = 0xFF & ~register.mask(BitKind.READ_ONLY, BitKind.RESERVED, BitKind.OPEN)
    return RegisterChange(name, register.read_opcode, before, after, changed, compared)


def of_fields(part: Part, before: Values, after: Values) -> Iterator[FieldChange]:
    """Yield the fields that change; one that was not read whole is left out."""
    for field in part.layout.fields:
        old, new = field.value(before), field.value(after)
        if old is not None and new is not None and old != new:
            yield FieldChange(field.name, field.text(old), field.text(new), field.kind)
