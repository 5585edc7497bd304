"""Changes of status registers: as they are planned, and as they came out.

What changes is marked by colour and by a caret below, so that it can be read in a log, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from espshell.image.partitions import PartitionTable
from espshell.nor import opcodes
from espshell.nor.changes import RegisterChange
from espshell.nor.layout import Kind, Register
from espshell.nor.parts import Part
from espshell.nor.plan import StatusPlan
from espshell.nor.protection import Protected
from espshell.nor.sequence import Write
from espshell.ops.status.raw_bytes import StatusBytes
from espshell.ops.status.registers import StatusChange
from espshell.render import cells, flashbar
from espshell.render.cells import COLUMNS, labelled
from espshell.render.json import Json, to_json
from espshell.render.text import render
from espshell.render.theme import paint
from espshell.units import hex_width

NOTHING_TO_DO = "nothing to do: the registers hold that already"

_VOLATILE = "volatile (50h): the flash forgets it without power or by a reset"
_PERMANENT = "permanent (06h): it stays; power must not fail while it is written"
_READS = (opcodes.RDSR1, opcodes.RDSR2, opcodes.RDSR3)


def plan_lines(
    plan: StatusPlan, table: PartitionTable | None = None, *, width: int = 80, color: bool = False
) -> list[str]:
    """Return what a plan changes, bit by bit, what that protects, and what is sent for it."""
    width = width or COLUMNS
    if plan.nothing_to_do:
        return [NOTHING_TO_DO]
    lines = diff_lines(plan, width=width, color=color)
    if plan.ok or plan.before != plan.after:
        lines += _protection(plan, table, width=width, color=color)
    for text in plan.warnings if plan.ok else ():
        lines += labelled("warning", text, width=width, style="warning", color=color)
    for confirmation in plan.confirmations:
        kind, reason = confirmation.kind.value, confirmation.reason
        lines += labelled(kind, reason, width=width, style="error", color=color)
    for text in plan.refusals:
        lines += labelled("refused", text, width=width, style="error", color=color)
    if plan.ok:
        write = _VOLATILE if plan.volatile else _PERMANENT
        lines += labelled("write", write, width=width, color=color)
        for index, writes in enumerate(plan.attempts):
            told = "if that is ignored: " * bool(index) + sent_text(writes)
            lines += labelled("sends", told, width=width, color=color)
    return lines


def diff_lines(plan: StatusPlan, *, width: int = 80, color: bool = False) -> list[str]:
    """Return each register that changes, bits before and after; the others on one line."""
    lines: list[str] = []
    for each in plan.registers:
        if each.changed:
            lines += _register_diff(plan, each, width=width, color=color)
    same = [f"{r.name} {hex_width(r.before, 8)}" for r in plan.registers if not r.changed]
    if same:
        lines += labelled("unchanged", "  ".join(same), width=width, color=color)
    return lines


def sent_text(writes: tuple[Write, ...]) -> str:
    """Return opcodes and data in order, in hexadecimal; SR1 is read (05) to see WEL and BUSY.

    ``04 · 05 · 50 · 01 2c · 05``
    """
    read = f"{opcodes.RDSR1:02x}"
    told = []
    for write in writes:
        disable, enable, command = (
            " ".join(f"{byte:02x}" for byte in (opcode, *data)) for opcode, data in write.commands
        )
        looked = [read] if write.enable == opcodes.WREN else []
        told += [disable, read, enable, *looked, command, read]
    return " · ".join(told)


def fields_text(plan: StatusPlan, register: str = "") -> str:
    """Return the fields that change: ``TB 0→1  BP 0→3``; of one register, or of all."""
    found = []
    for each in plan.fields:
        field = plan.part.layout.field(each.name)
        if not register or (field is not None and field.register == register):
            found.append(f"{each.name} {each.before}→{each.after}")
    return "  ".join(found)


def change_lines(result: StatusChange, *, width: int = COLUMNS, color: bool = False) -> list[str]:
    """Return how a change ended; what differs stands as three rows, before, wanted and got."""
    plan = result.plan
    if plan.nothing_to_do:
        return [NOTHING_TO_DO]
    told = fields_text(plan)
    if result.dry_run:
        return [f"dry run: nothing was sent; it would be {told}"]
    if result.ok:
        done = paint("done and verified", "ok", color=color)
        return [f"{done}: {told}" + (", until the next power-off or reset" * plan.volatile)]
    if 0 < width < COLUMNS:
        return [
            f"{d.register}.{d.name}  before {d.before}  wanted {d.wanted}  got {d.got}"
            for d in result.differing
        ]
    lines: list[str] = []
    wrong = {each.register for each in result.differing}
    for each in plan.registers:
        register = plan.part.layout.register(each.name)
        if each.name in wrong and register is not None:
            lines += _three_rows(register, each, result.got[each.name], color=color)
    return lines


def bytes_lines(result: StatusBytes, part: Part | None = None, *, color: bool = False) -> list[str]:
    """Return the value with the digits that its count of bytes needs, and each byte by itself.

    part: names the bits that are 1, and is not needed.
    """
    digits = 8 * result.count
    if not result.ok:
        rows = (("before", result.before), ("wanted", result.wanted), ("got", result.value))
        lines = [f"{label:<8}{hex_width(value or 0, digits)}" for label, value in rows]
        return [*lines, *_changed_text(result)]
    value = paint(hex_width(result.value, digits), "value", color=color)
    if result.dry_run:
        wanted = hex_width(result.wanted or 0, digits)
        return [f"dry run: {wanted} would be written over {value}"]
    if result.wanted is None:
        return [value, *_bytes(result, part)]
    before = hex_width(result.before or 0, digits)
    done = paint("done and verified", "ok", color=color)
    return [f"{done}: {before} → {value}", *_changed_text(result)]


def protected_json(protected: Protected) -> dict[str, Json]:
    """Return what is protected; where it is not known, the ranges are all that may be."""
    return {
        "protected": [{"address": each.start, "size": each.size} for each in protected.ranges],
        "protected_known": protected.known,
        "protected_published": protected.published,
        "protected_why": protected.why,
    }


def plan_json(plan: StatusPlan) -> dict[str, Json]:
    """Return a plan as JSON values."""
    return {
        "registers": [_register_json(each) for each in plan.registers],
        "fields": [
            {"name": each.name, "from": each.before, "to": each.after} for each in plan.fields
        ],
        "volatile": plan.volatile,
        "before": protected_json(plan.before),
        "after": protected_json(plan.after),
        "sends": [sent_text(writes) for writes in plan.attempts],
        "warnings": list(plan.warnings),
        "gates": [
            {"gate": asked.kind.value, "name": asked.name, "why": asked.reason}
            for asked in plan.confirmations
        ],
        "refusals": list(plan.refusals),
    }


@render.register
def _(result: StatusChange, *, color: bool = False) -> list[str]:
    return change_lines(result, color=color)


@to_json.register
def _(result: StatusChange) -> Json:
    return {
        **plan_json(result.plan),
        "got": dict(result.got),
        "differing": [
            {
                "reg": each.register,
                "bit": each.name,
                "before": each.before,
                "wanted": each.wanted,
                "got": each.got,
            }
            for each in result.differing
        ],
        "notes": list(result.notes),
        "nothing_to_do": result.plan.nothing_to_do,
        "dry_run": result.dry_run,
        "ok": result.ok,
    }


@render.register
def _(result: StatusBytes, *, color: bool = False) -> list[str]:
    return bytes_lines(result, color=color)


@to_json.register
def _(result: StatusBytes) -> Json:
    return {
        "value": result.value,
        "count": result.count,
        "before": result.before,
        "wanted": result.wanted,
        "changed": list(result.changed),
        "beside": list(result.beside),
        "notes": list(result.notes),
        "dry_run": result.dry_run,
    }


# --- pieces


def _register_diff(
    plan: StatusPlan, change: RegisterChange, *, width: int, color: bool
) -> Iterator[str]:
    fields = fields_text(plan, change.name)
    register = plan.part.layout.register(change.name)
    if width < COLUMNS or register is None:
        head = f"{change.name:<4} {hex_width(change.before, 8)} → {hex_width(change.after, 8)}"
        yield f"{head}  {fields}"
        return
    mask = change.before ^ change.after
    yield cells.names(register, color=color)
    yield cells.values(register, change.before, caption="before", changed=mask, color=color)
    yield cells.values(register, change.after, caption="after", changed=mask, color=color)
    yield cells.carets(mask)
    yield " " * cells.PLACE + fields


def _three_rows(
    register: Register, change: RegisterChange, got: int, *, color: bool
) -> Iterator[str]:
    wrong = (got ^ change.after) & change.compared
    yield cells.names(register, color=color)
    rows = (("before", change.before), ("wanted", change.after), ("got", got))
    for caption, value in rows:
        yield cells.values(register, value, caption=caption, changed=wrong, color=color)
    yield cells.carets(wrong)


def _protection(
    plan: StatusPlan, table: PartitionTable | None, *, width: int, color: bool
) -> list[str]:
    size = plan.part.size or None
    before, after = (flashbar.protected_text(each, size) for each in (plan.before, plan.after))
    text = after if before == after else f"{before} → {after}"
    lines = labelled("protected", text, width=width, color=color)
    if before == after:
        return lines
    if size and width >= COLUMNS:
        lines.append(flashbar.bar(plan.after, size, color=color))
        lines.append(paint(flashbar.scale(size), "note", color=color))
        lines += flashbar.partition_rows(table, size) if table else []
    if table:
        was, will = (flashbar.covered(each, table) for each in (plan.before, plan.after))
        for label, names, others in (
            ("protects", will, was.names),
            ("frees", was, will.names),
        ):
            new = tuple(name for name in names.wholly if name not in others)
            partly = tuple(name for name in names.partly if name not in others)
            if new or partly:
                told = flashbar.Covered(new, partly).text
                lines += labelled(label, told, width=width, color=color)
    return lines


def _changed_text(result: StatusBytes) -> list[str]:
    return ["  ".join(each) for each in (result.changed, result.beside) if each]


def _bytes(result: StatusBytes, part: Part | None) -> Iterator[str]:
    """Yield a line for each byte: its opcode, its value, the bits of it that are 1."""
    for index, opcode in enumerate(_READS[: result.count]):
        value = result.value >> 8 * index & 0xFF
        line = f"{opcode:02X}h  {hex_width(value, 8)}"
        registers = part.layout.registers if part else ()
        for register in registers:
            if register.read_opcode == opcode:
                ones = " ".join(
                    bit.name
                    for bit in reversed(register.bits)
                    if value & bit.mask and bit.kind is not Kind.RESERVED
                )
                line += f"  {register.name}  {ones}".rstrip()
        if part or result.count > 1:
            yield line


def _register_json(change: RegisterChange) -> Json:
    return {
        "reg": change.name,
        "before": change.before,
        "after": change.after,
        "changed": [
            {
                "bit": each.name,
                "from": each.before,
                "to": each.after,
                "class": each.kind.value or "plain",
            }
            for each in change.changed
        ],
    }
