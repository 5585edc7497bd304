"""Changes of status registers: as they are planned, and as they came out.

What changes is marked by colour and by a caret below, so that it can be read in a log, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from espshell.nor import opcodes
from espshell.nor.layout import RegisterLayout
from espshell.nor.plan import StatusPlan
from espshell.nor.sequence import BitChange, RegisterChange, StatusWrite
from espshell.ops.status.raw_bytes import StatusBytes
from espshell.ops.status.registers import StatusChange
from espshell.render import cells, flashbar
from espshell.render.document import LABEL, Block, Labelled, Styled, Text
from espshell.render.forms import Json, form, json_form, json_rows, pick
from espshell.render.view import View
from espshell.units import hex_width

NOTHING_TO_DO = "nothing to do: the registers already have these values"

_VOLATILE = "volatile (50h): lost at power-off or when the flash is reset"
_PERMANENT = "non-volatile (06h): permanent; power must not fail during the write"
_READS = (opcodes.RDSR1, opcodes.RDSR2, opcodes.RDSR3)


json_rows(
    BitDifference="reg=register bit=name before wanted got",
    Confirmation="gate=kind name why=reason",
    FieldChange="name from=before to=after",
    RegisterChange="reg=name before after changed",
    StatusBytes="value count before wanted changed beside notes dry_run",
)


def status_plan(plan: StatusPlan, view: View) -> Iterator[Block]:
    """Yield what a plan changes, bit by bit, what that protects, and what is sent for it."""
    if plan.nothing_to_do:
        yield Text(NOTHING_TO_DO)
        return
    yield from register_changes(plan, view)
    if plan.ok or plan.before != plan.after:
        yield from _protection(plan, view)
    for text in plan.warnings if plan.ok else ():
        yield Labelled("warning", text, style="warning")
    for confirmation in plan.confirmations:
        yield Labelled(confirmation.kind.value, confirmation.reason, style="error")
    for text in plan.refusals:
        yield Labelled("refused", text, style="error")
    if plan.ok:
        yield Labelled("write", _VOLATILE if plan.volatile else _PERMANENT)
        for index, writes in enumerate(plan.attempts):
            yield Labelled("sends", "if that is ignored: " * bool(index) + sent_text(writes))


def register_changes(plan: StatusPlan, view: View) -> Iterator[Block]:
    """Yield each register that changes, bits before and after; the others on one line."""
    for change in plan.registers:
        if change.changed:
            yield from _register_change(plan, change, view)
    same = [f"{r.name} {hex_width(r.before, 8)}" for r in plan.registers if not r.changed]
    if same:
        yield Labelled("unchanged", "  ".join(same))


def _register_change(plan: StatusPlan, change: RegisterChange, view: View) -> Iterator[Block]:
    fields = fields_text(plan, change.name)
    register = plan.part.layout.register(change.name)
    if register is None or not view.has_room:
        head = f"{change.name:<4} {hex_width(change.before, 8)} → {hex_width(change.after, 8)}"
        yield Text(f"{head}  {fields}")
        return
    rows = (("before", change.before), ("after", change.after))
    yield from _marked_rows(register, rows, change.before ^ change.after)
    yield Text(" " * LABEL + fields)


def _marked_rows(
    register: RegisterLayout, rows: tuple[tuple[str, int], ...], mask: int
) -> Iterator[Block]:
    """Yield a register several times, the bits of a mask marked, by carets too."""
    yield cells.names(register)
    for caption, value in rows:
        yield cells.values(register, value, caption=caption, changed=mask)
    yield cells.carets(mask)


def sent_text(writes: tuple[StatusWrite, ...]) -> str:
    """Return opcodes and data in order, in hexadecimal; SR1 is read (05) to see WEL and BUSY.

    ``04 · 05 · 50 · 01 2c · 05``
    """
    read = f"{opcodes.RDSR1:02x}"
    texts = []
    for write in writes:
        disable, enable, command = (
            " ".join(f"{byte:02x}" for byte in (opcode, *data)) for opcode, data in write.commands
        )
        check = [read] if write.enable == opcodes.WREN else []
        texts += [disable, read, enable, *check, command, read]
    return " · ".join(texts)


def fields_text(plan: StatusPlan, register: str = "") -> str:
    """Return the fields that change: ``TB 0→1  BP 0→3``; of one register, or of all."""
    texts = []
    for change in plan.fields:
        field = plan.part.layout.field(change.name)
        if not register or (field is not None and field.register == register):
            texts.append(f"{change.name} {change.before}→{change.after}")
    return "  ".join(texts)


def _protection(plan: StatusPlan, view: View) -> Iterator[Block]:
    size, table = plan.part.size or None, view.partitions
    before, after = (flashbar.protected_text(what, size) for what in (plan.before, plan.after))
    yield Labelled("protected", after if before == after else f"{before} → {after}")
    if before == after:
        return
    if size and view.has_room:
        yield from flashbar.picture(plan.after, size, table)
    if table:
        was, will = (flashbar.covered(what, table) for what in (plan.before, plan.after))
        for label, names, others in (("protects", will, was.names), ("frees", was, will.names)):
            new = tuple(name for name in names.wholly if name not in others)
            partly = tuple(name for name in names.partly if name not in others)
            if new or partly:
                yield Labelled(label, flashbar.Covered(new, partly).text)


@form
def status_change(result: StatusChange, view: View) -> Iterator[Block]:
    """Yield how a change ended; what differs stands as three rows, before, wanted and got."""
    plan = result.plan
    fields = fields_text(plan)
    if plan.nothing_to_do:
        yield Text(NOTHING_TO_DO)
    elif result.dry_run:
        yield Text(f"dry run: nothing was sent; it would be {fields}")
    elif result.ok:
        until = ", until the next power-off or reset" * plan.volatile
        yield Text(Styled("done and verified", "ok"), f": {fields}{until}")
    elif view.has_room:
        wrong = {bit.register for bit in result.differing}
        for change in plan.registers:
            register = plan.part.layout.register(change.name)
            if change.name in wrong and register is not None:
                got = result.got[change.name]
                rows = (("before", change.before), ("wanted", change.after), ("got", got))
                yield from _marked_rows(register, rows, (got ^ change.after) & change.compared)
    else:
        for d in result.differing:
            values = f"before {d.before}  wanted {d.wanted}  got {d.got}"
            yield Text(f"{d.register}.{d.name}  {values}")


@json_form
def status_change_json(result: StatusChange) -> Json:
    """Return the plan and how it ended."""
    ended = pick(result, "got differing notes nothing_to_do=plan.nothing_to_do dry_run ok")
    return {**plan_json(result.plan), **ended}


def plan_json(plan: StatusPlan) -> dict[str, Json]:
    """Return a plan as JSON values."""
    return {
        **pick(plan, "registers fields volatile"),
        "before": flashbar.protected_json(plan.before),
        "after": flashbar.protected_json(plan.after),
        "sends": [sent_text(writes) for writes in plan.attempts],
        **pick(plan, "warnings gates=confirmations refusals"),
    }


@json_form
def bit_change_json(result: BitChange) -> Json:
    """Return a bit before and after, and its class."""
    return {**pick(result, "bit=name from=before to=after"), "class": result.kind.value or "plain"}


@form
def status_bytes(result: StatusBytes, view: View) -> Iterator[Block]:
    """Yield the value with the digits that its count of bytes needs, and each byte by itself."""
    digits = 8 * result.count
    value = Styled(hex_width(result.value, digits), "value")
    before, planned = (hex_width(value or 0, digits) for value in (result.before, result.wanted))
    if result.ok and result.dry_run:
        yield Text(f"dry run: {planned} would be written over ", value)
    elif result.ok and result.wanted is None:
        yield Text(value)
        for opcode, byte in zip(
            _READS, result.value.to_bytes(result.count, "little"), strict=False
        ):
            if result.count > 1:
                yield Text(f"{opcode:02X}h  {hex_width(byte, 8)}")
    else:
        if result.ok:
            yield Text(Styled("done and verified", "ok"), f": {before} → ", value)
        else:
            yield Text(f"before  {before}")
            yield Text(f"wanted  {planned}")
            yield Text(f"got     {value.text}")
        yield from (Text("  ".join(texts)) for texts in (result.changed, result.beside) if texts)
