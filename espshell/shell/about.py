"""What a name is: a register, field, region, partition, symbol, pin or eFuse, and where."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from espshell import pins
from espshell.errors import EspError
from espshell.ops.chip import gpio
from espshell.ops.result import Result
from espshell.records import dataclass
from espshell.span import Span
from espshell.units import number_text, size_text

if TYPE_CHECKING:
    from espshell.chips import Chip
    from espshell.registers.table import BitField, Register
    from espshell.shell.language.scope import TargetScope
    from espshell.shell.session import Session

Facts = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class About(Result):
    """What a name stands for."""

    name: str
    kind: str
    """``register``, ``field``, ``peripheral``, ``region``, ``partition``, ``symbol``, ``pin`` or
    ``eFuse``."""
    meaning: str = ""
    """A sentence of the tables, where they have one."""
    facts: Facts = ()
    """What belongs to it and is known without asking the chip, in words."""
    fields: tuple[tuple[str, str, str, str], ...] = ()
    """Of a register: name, bits, access and meaning."""
    see: str = ""
    """A line that shows its value."""


def about(session: Session, name: str) -> About | None:
    """Return what a name is; None without a chip, and for a name that means nothing.

    Raises: UsageError for a pin that there is not, EspError if there is no partition table.
    """
    scope = session.scope
    if scope.chip is None:
        return None
    space, colon, rest = name.partition(":")
    space = space.lower()
    if colon and space == "gpio" and rest.isdecimal():
        return _pin(scope.chip, int(rest))
    if colon and space == "efuse":
        return _fuse(session, rest)
    if colon and space == "flash":
        return _partition(scope, rest)
    if colon and space != "mem":
        return None
    if in_memory := _in_memory(scope, rest if colon else name):
        return in_memory
    if colon or (fuse := _fuse(session, name)):
        return None if colon else fuse
    with contextlib.suppress(EspError):  # where no table can be read
        return _partition(scope, name)
    return None


def _in_memory(scope: TargetScope, name: str) -> About | None:
    if symbol := scope.symbol(name):
        where = Span.of(symbol.address, symbol.size) if symbol.size else number_text(symbol.address)
        facts: Facts = (("at", str(where)), ("kind", symbol.kind.value))
        return About(symbol.name, "symbol", facts=facts, see=f"dump {symbol.name}")
    if field := scope.field(name):
        return _field(*field)
    if register := scope.register(name):
        return _register(register)
    if peripheral := scope.peripheral(name):
        where = Span.of(peripheral.address, peripheral.size)
        see = f"regs {peripheral.name}"
        return About(peripheral.name, "peripheral", facts=(("at", str(where)),), see=see)
    if region := scope.place(name):
        at = str(Span(region.start, region.end))
        facts = (("at", at), ("size", size_text(region.size)), ("kind", region.kind.value))
        return About(region.name, "region", region.note, facts, see=f"dump {region.name} 64")
    return None


def _register(register: Register) -> About:
    facts = (
        ("at", number_text(register.address)),
        ("access", register.access.text),
        ("reset", f"{register.reset:#010x}"),
        *((("reading", "changes it"),) if register.changes_when_read else ()),
    )
    fields = tuple((f.name, f.bits, f.access.text, f.meaning) for f in register.fields)
    see = f"reg {register.full_name}"
    return About(register.full_name, "register", register.meaning, facts, fields, see)


def _field(register: Register, field: BitField) -> About:
    name = f"{register.full_name}.{field.name}"
    meanings = dict(field.value_meanings)
    values = (f"{n} ({value}) {meanings.get(value, '')}".rstrip() for value, n in field.values)
    facts = (
        ("in", f"{register.full_name} at {register.address:#010x}"),
        ("bits", field.bits),
        ("access", field.access.text),
        *((("values", ", ".join(values)),) if field.values else ()),
    )
    return About(name, "field", field.meaning, facts, see=f"reg {name}")


def _partition(scope: TargetScope, name: str) -> About | None:
    flash = scope.space("flash")
    row = flash.place(name)
    if row is None:
        return None
    where = str(Span(row.start, row.end))
    facts = (("at", where), ("size", size_text(row.size)))
    return About(f"flash:{row.name}", "partition", facts=facts, see=f"dump flash:{row.name} 64")


def _pin(chip: Chip, number: int) -> About:
    pin, table = gpio.pin_named(chip, number), pins.of(chip.name)
    roles = ", ".join(" ".join(filter(None, role)) for role in pin.roles)
    named = [function for function in pin.functions if function != "-"]
    facts = (
        ("can be", ", ".join(dict.fromkeys(named))),
        ("use", roles),
        ("only", "input" if pin.input_only else ""),
        ("strap", table.meanings.get(number, "yes") if pin.is_strap else ""),
    )
    shown = tuple(fact for fact in facts if fact[1])
    return About(pin.name, "pin", facts=shown, see=f"gpio {number}")


def _fuse(session: Session, name: str) -> About | None:
    fuse = session.target.efuse.table.find(name) if session.target else None
    if fuse is None:
        return None
    facts = (("in", f"block {fuse.block}, bits {fuse.bits}"), ("width", f"{fuse.width} bits"))
    return About(f"efuse:{fuse.name}", "eFuse", fuse.meaning.text, facts, see=f"efuse {fuse.name}")
