"""Registers: fields as rows, and both forms of every result that has some.

Imported when there is something of it to show; the import makes the forms known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from espshell.ops.memory.registers import (
    FieldList,
    FieldWrite,
    RegisterList,
    RegisterValue,
    RegisterValues,
)
from espshell.registers import BitField, Register
from espshell.render.bits import bit_diff
from espshell.render.json import Json, to_json
from espshell.render.text import render, table
from espshell.render.theme import paint
from espshell.units import hex32


def field_rows(fields: Iterable[BitField], word: int, *, color: bool = False) -> list[str]:
    """Return a row a field: name, bits, value and what that is called."""
    rows = [(each.name, each.bits, *_value(each, word)) for each in fields]
    return ["  " + line for line in table(rows, color=color)]


def _value(field: BitField, word: int) -> Sequence[str]:
    if not field.access.readable:
        return "-", "write-only"
    value = field.value(word)
    return _number(value), field.named(value)


def _number(value: int) -> str:
    return f"{value:#x} ({value})" if value > 9 else str(value)


def _headline(register: Register, value: int, *, color: bool) -> str:
    name = paint(register.full_name, "name", color=color)
    place = paint(hex32(register.address), "address", color=color)
    return f"{name}  {place}  {paint(hex32(value), 'value', color=color)}"


@render.register
def _(result: RegisterValue, *, color: bool = False) -> list[str]:
    head = _headline(result.register, result.value, color=color)
    return [head, *field_rows(result.fields, result.value, color=color)]


@render.register
def _(result: RegisterValues, *, color: bool = False) -> list[str]:
    rows = [
        (each.register.full_name, hex32(each.register.address), hex32(each.value))
        for each in result.registers
    ]
    return table(rows, color=color)


@render.register
def _(result: FieldWrite, *, color: bool = False) -> list[str]:
    register = result.register
    if result.old is None or result.new is None:
        value = result.wanted & result.written.mask
        told = "not sent (dry run)" if result.written.dry_run else "written, not read back"
        return [f"{_headline(register, value, color=color)}   {told}"]
    lines = bit_diff(result.old, result.new, title=register.full_name, color=color)
    rows = [
        (f.name, f.bits, f"{_number(f.value(result.old))} → {_number(f.value(result.new))}")
        for f in result.changed
    ]
    return [*lines, *("  " + line for line in table(rows, color=color))]


@render.register
def _(result: RegisterList, *, color: bool = False) -> list[str]:
    rows: list[tuple[str, ...]] = [
        (each.name, f"{hex32(each.address)}..{hex32(each.address + each.size)}")
        for each in result.peripherals
    ]
    rows += [(r.full_name, hex32(r.address), r.access.text) for r in result.registers]
    return table(rows, color=color)


@render.register
def _(result: FieldList, *, color: bool = False) -> list[str]:
    rows = [(f.name, f.bits, f.access.text, _choices(f)) for f in result.fields]
    return table(rows, color=color)


def _choices(field: BitField) -> str:
    most = (1 << field.width) - 1
    named = ", ".join(f"{name} ({value})" for value, name in field.values)
    return named or ("0, 1" if most == 1 else f"0..{_number(most)}")


@to_json.register
def _(result: RegisterValue) -> Json:
    register = result.register
    return {
        "register": register.full_name,
        "address": register.address,
        "value": result.value,
        "fields": {f.name: f.value(result.value) for f in result.fields if f.access.readable},
    }


@to_json.register
def _(result: RegisterValues) -> Json:
    return {
        "registers": [to_json(each) for each in result.registers],
        "skipped": [each.full_name for each in result.skipped],
    }


@to_json.register
def _(result: FieldWrite) -> Json:
    old, new = result.old, result.new
    changed: dict[str, Json] = {}
    if old is not None and new is not None:
        changed = {f.name: {"old": f.value(old), "new": f.value(new)} for f in result.changed}
    return {
        "register": result.register.full_name,
        "address": result.register.address,
        "mask": result.written.mask,
        "old": old,
        "new": new,
        "wanted": result.wanted,
        "changed": changed,
        **({"dry_run": True} if result.written.dry_run else {}),
    }


@to_json.register
def _(result: RegisterList) -> Json:
    if result.peripherals:
        return [{"name": p.name, "address": p.address, "size": p.size} for p in result.peripherals]
    return [
        {
            "name": register.full_name,
            "address": register.address,
            "access": register.access.text,
            "reset": register.reset,
            "fields": [_field(each) for each in register.fields],
        }
        for register in result.registers
    ]


@to_json.register
def _(result: FieldList) -> Json:
    return {
        "register": result.register.full_name,
        "fields": [_field(each) for each in result.fields],
    }


def _field(field: BitField) -> Json:
    return {
        "name": field.name,
        "low": field.low,
        "width": field.width,
        "access": field.access.text,
        "values": {name: value for value, name in field.values},
    }
