"""Status registers of flash: what they hold, what their bits are for, what they can protect.

What a change of them looks like stands in ``change``, cells and bars in ``cells`` and ``flashbar``.
Terminals of less than 80 columns get lines with names instead of cells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from espshell.image.partitions import PartitionTable
from espshell.nor import settings
from espshell.nor.layout import BitGroup, BitKind, Layout, RegisterLayout
from espshell.nor.parts import Identified, Part
from espshell.nor.protection import Choice, Protected
from espshell.ops.status.registers import Ranges, Status, StatusBits
from espshell.render import cells, flashbar
from espshell.render.document import Block, Labelled, Styled, Table, Text
from espshell.render.forms import Json, form, json_form, pick, to_json
from espshell.render.view import View
from espshell.units import hex_width, size_text

_CONFIDENCE = {
    "A": "confirmed by two independent sources",
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


@form
def status(result: Status, view: View) -> Iterator[Block]:
    """Yield everything about the registers, protected partitions by the names of the view."""
    yield from _head(result.identified)
    registers = [r for r in result.part.layout.registers if r.name in result.registers]
    if view.has_room:
        yield cells.ruler()
        for register in registers:
            yield cells.names(register)
            yield cells.values(register, result.registers[register.name])
        yield Labelled("", cells.legend(registers))
        if names := cells.shortened(registers):
            yield Labelled("", f"~ {names}")
    else:
        yield from (_names(register, result.registers[register.name]) for register in registers)
    yield from protection(result.protected, result.identified.size, view.partitions, view)
    yield Labelled("lock", f"{result.lock.value}: {result.lock.text}")
    possible = "possible" if result.volatile else "not possible"
    yield Labelled("volatile", f"{possible}: {result.volatile_why}")
    if result.settings:
        # The command that sets what can be set to what it is, continued by backslashes.
        yield Labelled("settings", " ".join(("sr set", *result.settings)), end=" \\")
    else:
        yield Labelled("settings", "none can be written")


def protection(
    protected: Protected, size: int | None, table: PartitionTable | None, view: View
) -> Iterator[Block]:
    """Yield what is protected in words, as a bar where there is room, and what it covers."""
    yield Labelled("protected", flashbar.protected_text(protected, size))
    if size and view.has_room:
        yield from flashbar.picture(protected, size, table)
    if table and protected.ranges:
        covers = flashbar.covered(protected, table).text
        yield Labelled("covers" if protected.known else "may cover", covers)


def _head(identified: Identified) -> Iterator[Block]:
    """Yield which flash it is, and how well the layout of its registers is known."""
    part = identified.part
    size = size_text(identified.size) if identified.size else "size not known"
    sfdp = "SFDP {}.{}".format(*identified.sfdp.revision) if identified.sfdp else "no SFDP"
    names = part.name.replace("/", " / ")
    rest = "  ".join(filter(None, (identified.maker, names, size, sfdp)))
    yield Labelled("flash", Styled(f"{identified.jedec_id:06x}", "value"), f"  {rest}")
    layout = f"what {len(part.candidates)} candidates have in common"
    layout = layout if part.is_open and identified.known else part.layout.name
    ranges = "in print" if part.published else "computed, not from a datasheet"
    certainty = f"{_CONFIDENCE[part.confidence]}; protected ranges are {ranges}"
    if not identified.known:
        certainty = "the id is not in the table; known from SFDP only is known"
    yield Labelled("layout", f"{layout}: {certainty}")


def _names(register: RegisterLayout, value: int) -> Block:
    """Return a register as names and values, for terminals where cells have no room."""
    bits = [
        f"{bit.name.lower() if bit.kind is BitKind.READ_ONLY else bit.name}"
        f"{cells.MARKS.get(bit.kind, '')}={value >> bit.position & 1}"
        for bit in reversed(register.bits)
        if bit.kind is not BitKind.RESERVED
    ]
    return Labelled(f"{register.name} {hex_width(value, 8)}", " ".join(bits))


@json_form
def status_json(result: Status) -> Json:
    """Return what the flash is, its registers and fields, and what they protect."""
    identified, part = result.identified, result.part
    values = ((field.name, field.value(result.registers)) for field in part.layout.fields)
    candidates = [candidate.name for candidate in part.alternatives] if identified.known else []
    return {
        "part": part.name if identified.known else None,
        **pick(identified, "id=jedec_id maker size"),
        "candidates": to_json(candidates),
        "sfdp": ".".join(map(str, identified.sfdp.revision)) if identified.sfdp else None,
        **pick(part, "layout=layout.name confidence"),
        **pick(result, "registers"),
        "fields": {name: value for name, value in values if value is not None},
        **flashbar.protected_json(result.protected),
        **pick(result, "lock volatile volatile_why settings doubts=identified.doubts"),
    }


# --- what bits are for


@form
def status_bits(result: StatusBits, view: View) -> Iterator[Block]:
    """Yield what each field is for, or those that a name of a field, bit or register means.

    Raises: UsageError with the names that there are.
    """
    part, registers = result.status.part, result.status.registers
    fields = _fields(part, result.name)
    rows = []
    for field in fields:
        value, bits = field.value(registers), [bit.position for bit in field.bits]
        now = f"= {field.text(value)}" if value is not None else ""
        last = f"{bits[-1]}.." if len(bits) > 1 else ""
        rows.append((field.name, f"{field.register}.{last}{bits[0]}", _KINDS[field.kind], now))
    for field, row in zip(fields, Table(rows).rows(view), strict=True):
        yield row
        yield Labelled("", field.meaning)
        if field.values:
            values = " ".join(f"{value}={text}" for value, text in field.values)
            yield Labelled("", f"values: {values}")
        if field.hazard:
            style = "error" if field.kind is BitKind.ONE_WAY else "warning"
            yield Labelled("", f"! {field.hazard}", style=style)
    yield from _open_bits(part.layout, result.name)


def _fields(part: Part, name: str) -> tuple[BitGroup, ...]:
    """Return the fields that a name means; none for one on which candidates do not agree."""
    fields = part.layout.fields
    if not name:
        return fields
    settings.parse(part, [f"{name}=0"])  # refuses a name that is none
    upper = name.upper()
    if part.layout.register(upper):
        return tuple(field for field in fields if field.register == upper)
    return tuple(
        field
        for field in fields
        if upper == field.name or upper in (bit.name for bit in field.bits)
    )


def _open_bits(layout: Layout, name: str) -> Iterator[Block]:
    """Yield the bits on which candidates do not agree."""
    upper = name.upper()
    open_bits = [
        f"{bit.register}.{bit.position} ({bit.name})"
        for register in layout.registers
        for bit in register.bits
        if bit.kind is BitKind.OPEN and (not upper or upper in (bit.register, *bit.name.split("/")))
    ]
    if open_bits:
        text = f"different between the candidates, and never written: {', '.join(open_bits)}"
        yield Labelled("?", text)


@json_form
def status_bits_json(result: StatusBits) -> Json:
    """Return the fields: place, class, value, meaning, hazard."""
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


# --- ranges


@form
def ranges(result: Ranges, view: View) -> Iterator[Block]:
    """Yield the ranges that can be protected, the present one marked by ``>``."""
    part = result.part
    source = "as printed in a datasheet"
    source = source if part.published else "computed by a rule, not from a datasheet"
    yield Text(Styled(f"{part.name}: {source}", "note"))
    if not result.choices:
        yield Text("no range is known that can be set")
        return
    if not result.protected.known:
        yield Labelled("now", flashbar.protected_text(result.protected, part.size))
    yield Table(
        _choice(part, choice, _is_present(choice, result.protected)) for choice in result.choices
    )


@json_form
def ranges_json(result: Ranges) -> Json:
    """Return the ranges, the settings for each, and what is protected now."""
    return {
        **pick(result.part, "part=name published"),
        "ranges": [
            {
                **pick(choice, "address=span.start size=span.size"),
                "settings": list(_texts(result.part, choice)),
                "present": _is_present(choice, result.protected),
            }
            for choice in result.choices
        ],
        **flashbar.protected_json(result.protected),
    }


def _choice(part: Part, choice: Choice, present: bool) -> tuple[str, ...]:
    mark, typed = ">" if present else "", " ".join(_texts(part, choice))
    if not choice.span.size:
        return (mark, "none", "", "", typed)
    text = flashbar.range_text(choice.span.start, choice.span.end, part.size)
    place, _, words = text.partition(" (")
    size, _, where = words.rstrip(")").partition(", ")
    return (mark, place, size, where, typed)


def _texts(part: Part, choice: Choice) -> Sequence[str]:
    """Return the settings of a choice as they are typed."""
    fields = ((part.layout.field(setting.name), setting.value) for setting in choice.settings)
    return tuple(f"{field.name}={field.text(value)}" for field, value in fields if field)


def _is_present(choice: Choice, protected: Protected) -> bool:
    ranges = (choice.span,) if choice.span.size else ()
    return protected.known and protected.ranges == ranges
