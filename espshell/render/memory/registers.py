"""Registers field by field."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from espshell.render.bits import bit_diff
from espshell.render.document import Block, Cell, Indented, Part, Styled, Table, Text
from espshell.render.forms import Json, form, json_form, json_rows, pick, to_json
from espshell.render.view import View
from espshell.span import Span
from espshell.units import count_text, hex32

if TYPE_CHECKING:
    from espshell.ops.memory.registers import (
        BuiltInTables,
        FieldList,
        FieldWrite,
        RegisterList,
        RegisterValue,
        RegisterValues,
        SvdTables,
    )
    from espshell.registers.table import BitField, Register


json_rows(
    FieldList="register=register.full_name fields",
    Peripheral="name address size",
    Register="name=full_name address access=access.text reset fields",
    SvdTables="file device left_out peripherals=tables.peripherals# registers=count",
)


@form
def register_value(result: RegisterValue, view: View) -> Iterator[Block]:
    """Yield name, address and value, and a row a field."""
    yield Text(*_headline(result.register, result.value))
    if result.register.meaning:
        yield Indented(2, Text(Styled(result.register.meaning, "note"), wraps=True))
    yield field_table(result.fields, result.value)


def field_table(fields: Iterable[BitField], word: int) -> Block:
    """Return a row a field: name, bits, value and what that is called."""
    rows = [(field.name, field.bits, *_value(field, word)) for field in fields]
    return Indented(2, Table(rows))


def _value(field: BitField, word: int) -> Sequence[Cell]:
    if not field.access.readable:
        return "-", "write-only", *_meaning(field.meaning)
    value = field.value(word)
    meaning = dict(field.value_meanings).get(value) or field.meaning
    return _number(value), field.named(value), *_meaning(meaning)


def _meaning(text: str) -> Sequence[Cell]:
    return (Styled(text, "note"),) if text else ()


def _number(value: int) -> str:
    return f"{value:#x} ({value})" if value > 9 else str(value)


def _headline(register: Register, value: int) -> tuple[Part, ...]:
    name, address = Styled(register.full_name, "name"), Styled(hex32(register.address), "address")
    return name, "  ", address, "  ", Styled(hex32(value), "value")


@json_form
def register_value_json(result: RegisterValue) -> Json:
    """Return the value and those of its fields that can be read."""
    return {
        **pick(result, "register=register.full_name address=register.address value"),
        "fields": {f.name: f.value(result.value) for f in result.fields if f.access.readable},
    }


@json_form
def field_json(result: BitField) -> Json:
    """Return its place and what its values are called."""
    values: dict[str, Json] = {name: value for value, name in result.values}
    by_value = dict(result.value_meanings)
    meanings: Json = {name: by_value[value] for value, name in result.values if value in by_value}
    return {
        **pick(result, "name low width access=access.text"),
        "values": values,
        **({"meaning": result.meaning} if result.meaning else {}),
        **({"meanings": meanings} if result.value_meanings else {}),
    }


@json_form
def register_values_json(result: RegisterValues) -> Json:
    """Return the registers, and the names of those that were not read."""
    skipped: list[Json] = [register.full_name for register in result.skipped]
    return {**pick(result, "registers"), "skipped": skipped}


@json_form
def register_list_json(result: RegisterList) -> Json:
    """Return the peripherals, or the registers with their fields."""
    return to_json(result.peripherals or result.registers)


@form
def register_values(result: RegisterValues, view: View) -> Iterator[Block]:
    """Yield a row a register."""
    yield Table(
        (item.register.full_name, hex32(item.register.address), hex32(item.value))
        for item in result.registers
    )


@form
def field_write(result: FieldWrite, view: View) -> Iterator[Block]:
    """Yield old and new bit by bit, and a row for each field that changed."""
    register = result.register
    if result.old is None or result.new is None:
        text = "not sent (dry run)" if result.written.dry_run else "written, not read back"
        yield Text(*_headline(register, result.wanted & result.written.mask), f"   {text}")
        return
    yield from bit_diff(result.old, result.new, view, title=register.full_name)
    rows = [
        (f.name, f.bits, f"{_number(f.value(result.old))} → {_number(f.value(result.new))}")
        for f in result.changed
    ]
    yield Indented(2, Table(rows))


@json_form
def field_write_json(result: FieldWrite) -> Json:
    """Return old and new, of the register and of the fields that changed."""
    old, new = result.old, result.new
    changed: dict[str, Json] = {}
    if old is not None and new is not None:
        changed = {f.name: {"old": f.value(old), "new": f.value(new)} for f in result.changed}
    return {
        **pick(result, "register=register.full_name address=register.address mask=written.mask"),
        **pick(result, "old new wanted"),
        "changed": changed,
        **pick(result, "dry_run=written.dry_run!"),
    }


@form
def register_list(result: RegisterList, view: View) -> Iterator[Block]:
    """Yield a row a peripheral, or a register."""
    rows: list[Sequence[Cell]] = [
        (peripheral.name, str(Span.of(peripheral.address, peripheral.size)))
        for peripheral in result.peripherals
    ]
    rows += [(r.full_name, hex32(r.address), r.access.text) for r in result.registers]
    yield Table(rows)


@form
def field_list(result: FieldList, view: View) -> Iterator[Block]:
    """Yield a row a field: name, bits, access and values; meanings of values below it."""
    has_meanings = any(field.value_meanings for field in result.fields)
    rows: list[Sequence[Cell]] = []
    for field in result.fields:
        named = ", ".join(f"{name} ({value})" for value, name in field.values)
        most = (1 << field.width) - 1
        choices = named or ("0, 1" if most == 1 else f"0..{_number(most)}")
        rows.append((field.name, field.bits, field.access.text, choices))
        if has_meanings:
            yield Text(Styled(field.name, "name"), f"  {field.bits}  {field.access.text}")
            meanings = dict(field.value_meanings)
            values = [(name, str(n), *_meaning(meanings.get(n, ""))) for n, name in field.values]
            yield Indented(2, Table(values or [("any", choices)]))
    if not has_meanings:
        yield Table(rows)


@form
def svd_tables(result: SvdTables, view: View) -> Iterator[Block]:
    """Yield the file and how much it describes."""
    count = count_text(len(result.tables.peripherals), "peripheral")
    yield Text(
        Styled(result.file, "name"),
        f"  {result.device}: {count}, {count_text(result.count, 'register')}",
    )


@form
def built_in_tables(result: BuiltInTables, view: View) -> Iterator[Block]:
    """Yield that no file is in use."""
    yield Text("the built-in tables; `svd FILE` loads others")
