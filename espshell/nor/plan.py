"""Plan a change of status registers, completely before anything is sent.

The rule of this file: a plan changes the bits that were named and no other.  Reserved bits, bits
of unknown meaning and one-way bits are written as they were read, and a plan that changes nothing
sends nothing.  The caller sends ``Write.commands`` one after the other, checks WEL after each
enable, waits for BUSY after each write, reads all registers again, and compares them by
``differing``.

How it works: ``make`` computes the bytes after, finds what forbids the change (``refusals``), what
a person must confirm (``confirmations``) and what a person should know (``warnings``), and last in
which order the registers are written: what unlocks first, what locks last.

Ugly: where candidates are written in different ways there are several ``attempts``.  The first
writes SR1 and SR2 together, which a part of the newer kind ignores; the next one follows only if
the first was ignored (``may_go_on``), because on a part of the older kind a write of SR1 alone
clears SR2.

Sources: flashrom's discipline of writing (b946ca13), incidents as named in ``meaning``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

from espshell.nor import protection, sequence
from espshell.nor.layout import Bit, BitKind, Values
from espshell.nor.parts import Identified, Part, volatile_possible
from espshell.nor.protection import LockMode, Protected
from espshell.nor.sequence import FieldChange, RegisterChange, StatusWrite
from espshell.nor.settings import Setting, open_names
from espshell.records import dataclass

_NOT_ANSWERING = 0xFF


class ConfirmationKind(Enum):
    """What a person must do beside saying yes."""

    ONE_WAY = "one-way"
    """Allow it explicitly and type the part's name: it cannot be undone."""
    DANGER = "danger"
    """Say yes a second time: the board may no longer boot, or a register may freeze."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a person must confirm, for which field, and the reason as a sentence."""

    kind: ConfirmationKind
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class BitDifference:
    """A bit that reads back otherwise than planned."""

    register: str
    name: str
    before: int
    wanted: int
    got: int


@dataclass(frozen=True, slots=True)
class StatusPlan:
    """A change of status registers."""

    part: Part
    volatile: bool
    registers: tuple[RegisterChange, ...]
    fields: tuple[FieldChange, ...]
    attempts: tuple[tuple[StatusWrite, ...], ...]
    """The writes, or several ways to try in order; none if it is refused or nothing changes."""
    confirmations: tuple[Confirmation, ...]
    refusals: tuple[str, ...]
    """The reasons against it, a sentence each."""
    warnings: tuple[str, ...]
    before: Protected
    after: Protected

    @property
    def nothing_to_do(self) -> bool:
        """Whether the registers have the planned values already."""
        return not any(register.changed for register in self.registers) and not self.refusals

    @property
    def ok(self) -> bool:
        """Whether it may be carried out, once it is confirmed."""
        return not self.refusals

    def needs(self, kind: ConfirmationKind) -> bool:
        """Whether a confirmation of this kind is needed."""
        return any(confirmation.kind is kind for confirmation in self.confirmations)

    @property
    def wanted(self) -> dict[str, int]:
        """The planned values of the registers, by name."""
        return {register.name: register.after for register in self.registers}

    def differing(self, got: Values) -> tuple[BitDifference, ...]:
        """Return the bits that read back otherwise, except those that the flash itself sets."""
        differences = []
        for change in self.registers:
            read = got.get(change.name, change.before)
            wrong = (read ^ change.after) & change.compared
            register = self.part.layout.register(change.name)
            for bit in register.bits if register else ():
                if wrong & bit.mask:
                    values = (
                        value >> bit.position & 1 for value in (change.before, change.after, read)
                    )
                    differences.append(BitDifference(change.name, bit.name, *values))
        return tuple(differences)

    def may_go_on(self, got: Values) -> bool:
        """Whether the next attempt may follow: something differs, and SR2 reads back unchanged.

        Else the part accepted the write of both, and a write of SR1 alone could clear SR2.
        """
        sr2 = next((change for change in self.registers if change.name == "SR2"), None)
        if sr2 and (got.get("SR2", ~sr2.before) ^ sr2.before) & sr2.compared:
            return False
        return bool(self.differing(got))


def make(
    identified: Identified, registers: Values, settings: Iterable[Setting], *, volatile: bool
) -> StatusPlan:
    """Plan a change; ``registers`` are the present values of all registers of the part's layout.

    ``settings`` come from ``settings.parse``.  Reasons against the change are not raised: they are
    in ``refusals``.
    """
    part = identified.part
    before = {r.name: registers[r.name] for r in part.layout.registers if r.name in registers}
    after, refusals = _applied(part, before, settings)
    register_changes = tuple(sequence.register_change(part, n, before[n], after[n]) for n in before)
    fields = tuple(sequence.field_changes(part, before, after))
    before_range, after_range = (protection.decode(part, values) for values in (before, after))
    changed = any(values.changed for values in register_changes)
    if changed:
        refusals += _forbidden(identified, before, fields, after_range, volatile=volatile)
    attempts: tuple[tuple[StatusWrite, ...], ...] = ()
    if changed and not refusals:
        attempts, missing = sequence.attempts(part, register_changes, volatile=volatile)
        refusals += missing
    return StatusPlan(
        part=part,
        volatile=volatile,
        registers=register_changes,
        fields=fields,
        attempts=attempts,
        confirmations=tuple(_confirmations(part, fields)),
        refusals=tuple(dict.fromkeys(refusals)),
        warnings=tuple(_warnings(part, fields, before, after, volatile=volatile))
        if changed
        else (),
        before=before_range,
        after=after_range,
    )


# --- the bytes after


def _applied(
    part: Part, before: Values, settings: Iterable[Setting]
) -> tuple[dict[str, int], list[str]]:
    """Return the registers with settings applied, and the reasons against some of them."""
    after, refusals = dict(before), []
    given: dict[tuple[str, int], int] = {}
    for setting in settings:
        field, register = part.layout.field(setting.name), part.layout.register(setting.name)
        bits: Sequence[Bit] = field.bits if field else register.bits if register else ()
        for i, bit in enumerate(bits):
            value = setting.value >> i & 1
            if bit.register not in before:
                refusals.append(f"{bit.register}, which holds {setting.name}, was not read")
                continue
            old = before[bit.register] >> bit.position & 1
            whole = setting.name == bit.register
            if whole and bit.kind is BitKind.READ_ONLY:
                continue
            if value != old and (reason := _not_settable(part, bit)):
                refusals.append(reason)
                continue
            if given.setdefault((bit.register, bit.position), value) != value:
                refusals.append(f"{setting.name} contradicts another setting")
                continue
            after[bit.register] = after[bit.register] & ~bit.mask | value << bit.position
        if setting.name in open_names(part.layout) and not field:
            refusals.append(_open(part, setting.name))
    return after, refusals


def _not_settable(part: Part, bit: Bit) -> str:
    """Return the reason why a bit cannot be set to another value; empty if it can."""
    if bit.kind is BitKind.READ_ONLY:
        return f"{bit.name} is read-only"
    if bit.kind is BitKind.RESERVED:
        return f"bit {bit.position} of {bit.register} is reserved; it must stay as it was read"
    if bit.kind is BitKind.OPEN:
        return _open(part, bit.name)
    if bit.register not in part.written:
        return f"{bit.name} cannot be set: espshell does not write {bit.register} of {part.name}"
    return ""


def _open(part: Part, name: str) -> str:
    return f"{name} is not the same on all parts that it may be: {part.name}; say which it is"


# --- what stands against it


def _forbidden(
    identified: Identified,
    before: Values,
    fields: Sequence[FieldChange],
    after: Protected,
    *,
    volatile: bool,
) -> list[str]:
    part, reasons = identified.part, list(identified.doubts)
    mode = protection.lock_mode(part, before)
    if mode in (LockMode.POWER_CYCLE, LockMode.PERMANENT):
        reasons.append(f"lock mode {mode.value}: {mode.text}")
    if not identified.known and _NOT_ANSWERING in before.values():
        reasons.append("a register reads 0xff, so it is not known what writing it would set")
    for field in (field for field in fields if field.kind is BitKind.ONE_WAY):
        if field.after == "0":
            reasons.append(f"{field.name} is one-way: it is 1 and stays 1")
        elif part.is_open:
            reasons.append(f"{field.name} is one-way, and the part is ambiguous: {part.name}")
        elif volatile:
            reasons.append(f"{field.name} is one-way and cannot be set temporarily")
    possible, why = volatile_possible(identified)
    if volatile and not possible:
        reasons.append(f"a volatile write is not possible: {why}")
    if part.is_open and not after.known and any(f.name in protection.FIELDS for f in fields):
        reasons.append(
            f"what would be protected is unknown: {after.why}; name the part with --part"
        )
    return reasons


_ALWAYS = frozenset({"DC", "LC", "HFM", "HPF"})
"""Fields of which each value may be the wrong one; of others only 1 is."""


def _confirmations(part: Part, fields: Sequence[FieldChange]) -> Iterator[Confirmation]:
    for field in fields:
        described = part.layout.field(field.name)
        set_to_one, kind = field.after != "0", None
        if field.kind is BitKind.ONE_WAY or (field.name == "SRP1" and set_to_one):
            kind = ConfirmationKind.ONE_WAY
        elif (
            field.name in _ALWAYS
            or (field.name == "QE" and not set_to_one)
            or (field.kind in (BitKind.LOCK, BitKind.DANGER) and set_to_one)
        ):
            kind = ConfirmationKind.DANGER
        if kind and described:
            hazard = f"; {described.hazard}" if described.hazard else ""
            yield Confirmation(kind, field.name, f"{field.name}: {described.meaning}{hazard}")


def _warnings(
    part: Part, fields: Sequence[FieldChange], before: Values, after: Values, *, volatile: bool
) -> Iterator[str]:
    names = {field.name: field for field in fields}
    if protection.lock_mode(part, before) is LockMode.HARDWARE:
        yield f"lock mode hardware: {LockMode.HARDWARE.text}"
    if "QE" in names and names["QE"].after == "1":
        yield "with WP# or HOLD# wired to a supply, the flash's outputs would drive against it"
    cmp, bp = (part.layout.field(name) for name in ("CMP", "BP"))
    inverts = cmp is not None and cmp.value(after) == 1 and "bitcmp" not in part.variants
    if names.keys() & {"CMP", "BP"} and inverts and bp is not None and bp.value(after) == 0:
        yield "CMP=1 with BP=0 protects the whole flash"
    if volatile:
        yield "it is lost when the flash loses power or is reset (66h, 99h), as esptool does"
        if "DRV" in part.note:
            yield f"{part.names[0]} {part.note}"
    elif names.keys() & {*protection.FIELDS, "SRP0", "SRP", "SRWD"}:
        yield "the bootloader of ESP-IDF clears BP, CMP and SRP0 at every boot"
