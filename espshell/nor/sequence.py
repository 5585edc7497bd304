"""What changes in registers, in which order they are written, and by which opcodes.

What unlocks comes first and what locks comes last, since a register that is locked on the way keeps
its old value.  A write that brings two registers brings the second as it was read, so that the
older kind of part (see ``writes``) does not lose QE or CMP.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from espshell.nor import opcodes
from espshell.nor.layout import BitKind, Form, Values
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


def register_change(part: Part, name: str, before: int, after: int) -> RegisterChange:
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


def field_changes(part: Part, before: Values, after: Values) -> Iterator[FieldChange]:
    """Yield the fields that change; one that was not read whole is left out."""
    for field in part.layout.fields:
        old, new = field.value(before), field.value(after)
        if old is not None and new is not None and old != new:
            yield FieldChange(field.name, field.text(old), field.text(new), field.kind)


@dataclass(frozen=True, slots=True)
class StatusWrite:
    """One write of registers: enable, opcode, bytes."""

    enable: int
    opcode: int
    data: bytes
    registers: tuple[str, ...]
    """Whose bytes ``data`` are, in order."""

    @property
    def commands(self) -> tuple[tuple[int, bytes], ...]:
        """Opcodes and data, in order.  WRDI first: a stale WEL would make 50h non-volatile."""
        return ((opcodes.WRDI, b""), (self.enable, b""), (self.opcode, self.data))


def attempts(
    part: Part, changes: Sequence[RegisterChange], *, volatile: bool
) -> tuple[tuple[tuple[StatusWrite, ...], ...], list[str]]:
    """Return the ways to do it: one that fits all candidates, else one each; or why there is none.

    Of several the one that writes SR1 and SR2 together comes first.
    """
    common = [f for f in part.writes[0].forms if all(f in plan.forms for plan in part.writes)]
    order = sorted(part.writes, key=lambda plan: not plan.clears_sr2)
    for ways in ([common], [list(plan.forms) for plan in order]):
        sequences = [_writes(part, forms, changes, volatile=volatile) for forms in ways]
        if all(writes is not None for writes in sequences):
            return tuple(writes for writes in sequences if writes is not None), []
    changed = " and ".join(writes.name for writes in changes if writes.changed)
    return (), [f"no known command writes {changed} of {part.name} from the state that was read"]


def _writes(
    part: Part, forms: Sequence[Form], changes: Sequence[RegisterChange], *, volatile: bool
) -> tuple[StatusWrite, ...] | None:
    """Return the writes by some forms, what locks last; None if they do not reach all."""
    held = {change.name: change.before for change in changes}
    bits = {change.name: change.changed for change in changes}
    fixed = {register.name: register.mask(BitKind.READ_ONLY) for register in part.layout.registers}
    enable = opcodes.VOLATILE_WREN if volatile else opcodes.WREN

    def locks(form: Form, value: int) -> bool:
        changed = (bit for name in form.registers for bit in bits[name])
        return any(bit.kind is BitKind.LOCK and bit.after == value for bit in changed)

    def reach(chosen: Sequence[Form], target: Values) -> Iterator[StatusWrite]:
        for form in sorted(chosen, key=lambda form: locks(form, 1) - locks(form, 0)):
            held.update((name, target[name]) for name in form.registers)
            data = bytes(held[name] & ~fixed[name] for name in form.registers)
            yield StatusWrite(enable, form.opcode, data, form.registers)

    target = {change.name: change.after for change in changes}
    usable = [form for form in forms if held.keys() >= set(form.registers)]
    groups = _covering(usable, {change.name for change in changes if change.changed})
    if groups is None:
        return None
    locking = [form for form in groups if locks(form, 1)]
    if len(locking) < 2:
        return tuple(reach(groups, target))
    locked = {
        name: sum(1 << bit.position for bit in bits[name] if bit.kind is BitKind.LOCK and bit.after)
        for name in target
    }
    unlocked = {name: value & ~locked[name] for name, value in target.items()}
    first = _covering(usable, {name for name, value in unlocked.items() if value != held[name]})
    return (*reach(first or [], unlocked), *reach(locking, target))


def _covering(forms: Sequence[Form], names: set[str]) -> list[Form] | None:
    """Return forms that reach the registers of these names: few, and few others with them."""
    missing, chosen = set(names), list[Form]()
    while missing:
        best = max(
            forms,
            key=lambda form: (len(missing & set(form.registers)), -len(form.registers)),
            default=None,
        )
        if best is None or not missing & set(best.registers):
            return None
        chosen.append(best)
        missing -= set(best.registers)
    return chosen
