"""Status registers of flash: what they hold, what their bits are for, what they can protect.

What a change of them looks like stands in ``status_change``, cells and bars in ``cells`` and
``flashbar``.  Terminals of less than 80 columns get lines with names instead of cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from espshell.image.partitions import PartitionTable
from espshell.nor import settings
from espshell.nor.layout import BitKind, Field, Layout, StatusRegister
from espshell.nor.parts import Identified, Part
from espshell.nor.protection import Choice, Protected
from espshell.ops.status.registers import Ranges, Status, StatusBits
from espshell.render import cells, flashbar
from espshell.render.cells import COLUMNS, labelled
from espshell.render.json import Json, to_json
from espshell.render.status_change import bytes_lines, change_lines, plan_lines, protected_json
from espshell.render.text import render, table
from espshell.render.theme import paint
from espshell.units import hex_width, size_text

__all__ = [
    "bits_lines",
    "bytes_lines",
    "change_lines",
    "plan_lines",
    "ranges_lines",
    "status_lines",
]

_CONFIDENCE = {
    "A": "two independent sources have it",
    "B": "from one source only",
    "C": "inferred, or sources disagree",
}
_KINDS = {
    BitKind.PLAIN: "",
    BitKind.READ_ONLY: "read-only",
    BitKind.ONE_WAY: "one-way",
    BitKind.LOCK: "locks",
    BitKind.DANGER: "dangerous",
    BitKind.OPEN: "not certain",
    BitKind.RESERVED: "reserved",
}


def status_lines(
    status: Status, table: PartitionTable | None = None, *, width: int = 80, color: bool = False
) -> list[str]:
    """Return everything about the registers; ``Status.notes`` are told elsewhere.

    table: partitions, to be named below the bar and as what is covered.
    width: columns of the terminal.
    """
    width = width or COLUMNS
    lines = _head(status.identified, width=width, color=color)
    if width < COLUMNS:
        for register in _read(status):
            lines += named_line(register, status.registers[register.name], width=width, color=color)
    else:
        lines += _grid(status, color=color)
    lines += protection_lines(
        status.protected, status.identified.size, table, width=width, color=color
    )
    lock = f"{status.lock.value}: {status.lock.text}"
    volatile = f"{'possible' if status.volatile else 'not possible'}: {status.volatile_why}"
    lines += labelled("lock", lock, width=width, color=color)
    lines += labelled("volatile", volatile, width=width, color=color)
    return lines + _typed_back(status, width=width, color=color)


def protection_lines(
    protected: Protected,
    size: int | None,
    table: PartitionTable | None,
    *,
    width: int,
    color: bool = False,
) -> list[str]:
    """Return what is protected in words, as a bar where there is room, and what it covers."""
    text = flashbar.protected_text(protected, size)
    lines = labelled("protected", text, width=width, color=color)
    if size and width >= COLUMNS:
        lines.append(flashbar.bar(protected, size, color=color))
        lines.append(paint(flashbar.scale(size), "note", color=color))
        lines += flashbar.partition_rows(table, size) if table else []
    if table and protected.ranges:
        covers = flashbar.covered(protected, table).text
        label = "covers" if protected.known else "may cover"
        lines += labelled(label, covers, width=width, color=color)
    return lines


def named_line(
    register: StatusRegister, value: int, *, width: int, color: bool = False
) -> list[str]:
    """Return a register as names and values, for terminals where cells have no room."""
    told = []
    for bit in reversed(register.bits):
        name = bit.name.lower() if bit.kind is BitKind.READ_ONLY else bit.name
        if bit.kind is not BitKind.RESERVED:
            told.append(f"{name}{cells.MARKS.get(bit.kind, '')}={value >> bit.position & 1}")
    head = f"{register.name} {hex_width(value, 8)}"
    return labelled(head, " ".join(told), width=width, color=color)


def bits_lines(
    about: Status | Part, name: str = "", *, width: int = 80, color: bool = False
) -> list[str]:
    """Return what each field is for, or those that a name of a field, bit or register means.

    Raises: UsageError with the names that there are.
    """
    part = about.part if isinstance(about, Status) else about
    registers = about.registers if isinstance(about, Status) else {}
    fields = _fields(part, name)
    rows = []
    for field in fields:
        value = field.value(registers)
        now = f"= {field.text(value)}" if value is not None else ""
        rows.append((field.name, _where(field), _KINDS[field.kind], now))
    lines: list[str] = []
    for field, row in zip(fields, table(rows, color=color), strict=True):
        lines += [row, *_explained(field, width or COLUMNS, color)]
    return lines + _open_bits(part.layout, name, width=width or COLUMNS, color=color)


def ranges_lines(result: Ranges, *, color: bool = False) -> list[str]:
    """Return the ranges that can be protected, the present one marked by ``>``."""
    part = result.part
    how = "as a source has them in print" if part.published else "computed by a rule, not in print"
    lines = [paint(f"{part.name}: {how}", "note", color=color)]
    if not result.choices:
        return [*lines, "no range is known that could be set"]
    rows = [_choice(part, each, _is_present(each, result.protected)) for each in result.choices]
    if not result.protected.known:
        now = flashbar.protected_text(result.protected, part.size)
        lines += labelled("now", now, width=COLUMNS, color=color)
    return lines + table(rows, color=color)


@render.register
def _(result: Status, *, color: bool = False) -> list[str]:
    return status_lines(result, color=color)


@to_json.register
def _(result: Status) -> Json:
    found, part = result.identified, result.part
    values = ((field.name, field.value(result.registers)) for field in part.layout.fields)
    return {
        "part": part.name if found.known else None,
        "id": found.jedec_id,
        "maker": found.maker,
        "size": found.size,
        "candidates": [each.name for each in part.alternatives] if found.known else [],
        "sfdp": ".".join(map(str, found.sfdp.revision)) if found.sfdp else None,
        "layout": part.layout.name,
        "confidence": part.confidence,
        "registers": dict(result.registers),
        "fields": {name: value for name, value in values if value is not None},
        **protected_json(result.protected),
        "lock": result.lock.value,
        "volatile": result.volatile,
        "volatile_why": result.volatile_why,
        "settings": list(result.settings),
        "doubts": list(found.doubts),
    }


@render.register
def _(result: StatusBits, *, color: bool = False) -> list[str]:
    return bits_lines(result.status, result.name, color=color)


@to_json.register
def _(result: StatusBits) -> Json:
    part, registers = result.status.part, result.status.registers
    return {
        "part": part.name,
        "bits": [
            {
                "name": field.name,
                "reg": field.register,
                "positions": [bit.position for bit in field.bits],
                "class": field.kind.value or "plain",
                "value": field.value(registers),
                "values": {text: number for number, text in field.values},
                "meaning": field.meaning,
                "hazard": field.hazard,
            }
            for field in _fields(part, result.name)
        ],
    }


@render.register
def _(result: Ranges, *, color: bool = False) -> list[str]:
    return ranges_lines(result, color=color)


@to_json.register
def _(result: Ranges) -> Json:
    return {
        "part": result.part.name,
        "published": result.part.published,
        "ranges": [
            {
                "address": each.span.start,
                "size": each.span.size,
                "settings": list(_texts(result.part, each)),
                "present": _is_present(each, result.protected),
            }
            for each in result.choices
        ],
        **protected_json(result.protected),
    }


# --- what a flash is


def _head(found: Identified, *, width: int, color: bool) -> list[str]:
    part = found.part
    size = size_text(found.size) if found.size else "size not known"
    sfdp = "SFDP {}.{}".format(*found.sfdp.revision) if found.sfdp else "no SFDP"
    ident = f"{found.jedec_id:06x}"
    names = part.name.replace("/", " / ")
    text = "  ".join(filter(None, (ident, found.maker, names, size, sfdp)))
    first, *more = labelled("flash", text, width=width, color=color)
    first = first.replace(ident, paint(ident, "value", color=color), 1)
    return [first, *more, *labelled("layout", _known(found), width=width, color=color)]


def _known(found: Identified) -> str:
    """Say how well the layout is known, in words."""
    part = found.part
    if not found.known:
        return f"{part.layout.name}: the id is not in the table; only what SFDP says is known"
    common = f"what {len(part.candidates)} candidates have in common"
    told = common if part.is_open else part.layout.name
    ranges = "in print" if part.published else "computed, not in print"
    return f"{told}: {_CONFIDENCE[part.confidence]}; protected ranges are {ranges}"


def _read(status: Status) -> tuple[StatusRegister, ...]:
    """Return the registers of which there is a value."""
    return tuple(each for each in status.part.layout.registers if each.name in status.registers)


def _grid(status: Status, *, color: bool) -> list[str]:
    registers = _read(status)
    lines = [paint(cells.ruler().rstrip(), "note", color=color)]
    for register in registers:
        lines.append(cells.names(register, color=color))
        lines.append(cells.values(register, status.registers[register.name], color=color))
    lines += labelled("", cells.legend(registers), width=COLUMNS, color=color)
    if names := cells.shortened(registers):
        lines += labelled("", f"~ {names}", width=COLUMNS, color=color)
    return lines


def _typed_back(status: Status, *, width: int, color: bool) -> list[str]:
    """Return the command that sets what can be set to what it is, continued by backslashes."""
    if not status.settings:
        return labelled("settings", "none can be written", width=width, color=color)
    command = " ".join(("sr set", *status.settings))
    lines = labelled("settings", command, width=width - 2, color=color)
    return [*(f"{line} \\" for line in lines[:-1]), lines[-1]]


# --- what bits are for


def _fields(part: Part, name: str) -> tuple[Field, ...]:
    """Return the fields that a name means; none for one on which candidates do not agree."""
    fields = part.layout.fields
    if not name:
        return fields
    settings.parse(part, [f"{name}=0"])  # refuses a name that is none
    wanted = name.upper()
    if part.layout.register(wanted):
        return tuple(field for field in fields if field.register == wanted)
    return tuple(
        field
        for field in fields
        if wanted == field.name or wanted in (bit.name for bit in field.bits)
    )


def _where(field: Field) -> str:
    first, last = field.bits[0].position, field.bits[-1].position
    return f"{field.register}.{last}..{first}" if first != last else f"{field.register}.{first}"


def _explained(field: Field, width: int, color: bool) -> Iterator[str]:
    yield from labelled("", field.meaning, width=width)
    if field.values:
        named = " ".join(f"{value}={text}" for value, text in field.values)
        yield from labelled("", f"values: {named}", width=width)
    if field.hazard:
        style = "error" if field.kind is BitKind.ONE_WAY else "warning"
        yield from labelled("", f"! {field.hazard}", width=width, style=style, color=color)


def _open_bits(layout: Layout, name: str, *, width: int, color: bool) -> list[str]:
    """Return the bits on which candidates do not agree."""
    wanted = name.upper()
    found = [
        f"{bit.register}.{bit.position} ({bit.name})"
        for register in layout.registers
        for bit in register.bits
        if bit.kind is BitKind.OPEN
        and (not wanted or wanted in (bit.register, *bit.name.split("/")))
    ]
    if not found:
        return []
    text = f"not the same on all candidates, and never written: {', '.join(found)}"
    return labelled("?", text, width=width, color=color)


# --- ranges


def _choice(part: Part, choice: Choice, present: bool) -> tuple[str, ...]:
    found = choice.span
    mark, typed = ">" if present else "", " ".join(_texts(part, choice))
    if not found.size:
        return (mark, "none", "", "", typed)
    text = flashbar.range_text(found.start, found.end, part.size)
    place, _, words = text.partition(" (")
    size, _, where = words.rstrip(")").partition(", ")
    return (mark, place, size, where, typed)


def _texts(part: Part, choice: Choice) -> Sequence[str]:
    """Return the settings of a choice as they are typed."""
    fields = ((part.layout.field(each.name), each.value) for each in choice.settings)
    return tuple(f"{field.name}={field.text(value)}" for field, value in fields if field)


def _is_present(choice: Choice, protected: Protected) -> bool:
    ranges = (choice.span,) if choice.span.size else ()
    return protected.known and protected.ranges == ranges
