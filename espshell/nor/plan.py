"""What must be sent to change status registers, worked out before anything is sent.

The rule of this file: a plan changes the bits that were named and no other.  Reserved bits, bits
that are not understood and one-way bits go back as they were read, and a plan that would change
nothing sends nothing.  Whoever carries a plan out sends ``Write.commands`` one after the other,
looks at WEL after each enable and waits for BUSY after each write, reads all registers again, and
asks ``differing`` what did not come out.

How it works: ``make`` computes the bytes after, finds what forbids the change (``refusals``), what
a person must confirm (``confirmations``) and what a person should know (``warnings``), and last in
which order the registers are written: what unlocks first, what locks last.

What is ugly: where candidates are written in different ways there are several ``attempts``.  The
first is the write of SR1 and SR2 in one, which a part of the newer kind ignores; only if it was
ignored (``may_go_on``) does the next follow, since on a part of the older kind a write of SR1 alone
would clear SR2.

Sources: flashrom's discipline of writing (b946ca13), incidents as named in ``meaning``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from espshell.nor import changes, protection, sequence
from espshell.nor.changes import FieldChange, RegisterChange
from espshell.nor.layout import Bit, Kind, Values
from espshell.nor.parts import Identified, Part, volatile_possible
from espshell.nor.protection import LockMode, Protected
from espshell.nor.sequence import Write
from espshell.nor.settings import Setting, open_names

_NOT_ANSWERING = 0xFF


class ConfirmationKind(Enum):
    """What a person must do beside saying yes."""

    ONE_WAY = "one-way"
    """Allow it expressly and type the part's name: it cannot be undone."""
    DANGER = "danger"
    """Say yes a second time: a board may not boot any more, or a register freeze."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a person must confirm, for which field, and the reason as a sentence."""

    kind: ConfirmationKind
    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class BitDifference:
    """A bit that did not come out as planned."""

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
    attempts: tuple[tuple[Write, ...], ...]
    """One way to do it, or several to be tried in order; none if it is refused or nothing to do."""
    confirmations: tuple[Confirmation, ...]
    refusals: tuple[str, ...]
    """Why it must not or cannot be done, a sentence each."""
    warnings: tuple[str, ...]
    before: Protected
    after: Protected

    @property
    def nothing_to_do(self) -> bool:
        """Whether the registers hold already what is wanted."""
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
        """What the registers shall hold, by their names."""
        return {register.name: register.after for register in self.registers}

    def differing(self, got: Values) -> tuple[BitDifference, ...]:
        """Return the bits that read back otherwise; those that the flash sets do not count."""
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
        """Whether the next attempt may follow: what was read back shows that SR2 was not touched.

        Else the part took the write of both, and a write of SR1 alone could clear SR2.
        """
        change = next((one for one in self.registers if one.name == "SR2"), None)
        if change is None:
            return True
        untouched = not (got.get("SR2", ~change.before) ^ change.before) & change.compared
        return untouched and bool(self.differing(got))


def make(
    identified: Identified, registers: Values, settings: Iterable[Setting], *, volatile: bool
) -> StatusPlan:
    """Plan a change; ``registers`` hold what was read just now, all that the part's layout has.

    ``settings`` come from ``settings.parse``.  Nothing is raised for what forbids the change: it
    stands in ``refusals``.
    """
    part = identified.part
    before = {r.name: registers[r.name] for r in part.layout.registers if r.name in registers}
    after, refusals = _applied(part, before, settings)
    register_changes = tuple(changes.of_register(part, n, before[n], after[n]) for n in before)
    fields = tuple(changes.of_fields(part, before, after))
    before_range, after_range = (protection.decode(part, values) for values in (before, after))
    changed = any(values.changed for values in register_changes)
    if changed:
        refusals += _forbidden(identified, before, fields, after_range, volatile=volatile)
    attempts: tuple[tuple[Write, ...], ...] = ()
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
    """Return the registers with settings applied, and what cannot be set."""
    after, refusals = dict(before), []
    given: dict[tuple[str, int], int] = {}
    for setting in settings:
        for bit, value in _bits(part, setting):
            if bit.register not in before:
                refusals.append(f"{bit.register}, which holds {setting.name}, was not read")
                continue
            old = before[bit.register] >> bit.position & 1
            whole = setting.name == bit.register
            if whole and bit.kind is Kind.READ_ONLY:
                continue
            if value != old and (reason := _not_settable(part, bit)):
                refusals.append(reason)
                continue
            if given.setdefault((bit.register, bit.position), value) != value:
                refusals.append(f"{setting.name} contradicts another setting")
                continue
            after[bit.register] = after[bit.register] & ~bit.mask | value << bit.position
        if setting.name in open_names(part.layout) and not part.layout.field(setting.name):
            refusals.append(_open(part, setting.name))
    return after, refusals


def _bits(part: Part, setting: Setting) -> Iterator[tuple[Bit, int]]:
    """Yield the bits that a setting names and their values."""
    field = part.layout.field(setting.name)
    register = part.layout.register(setting.name)
    bits: Sequence[Bit] = field.bits if field else register.bits if register else ()
    for i, bit in enumerate(bits):
        yield bit, setting.value >> i & 1


def _not_settable(part: Part, bit: Bit) -> str:
    """Say why a bit cannot be set to another value; empty if it can."""
    if bit.kind is Kind.READ_ONLY:
        return f"{bit.name} is read-only"
    if bit.kind is Kind.RESERVED:
        return f"bit {bit.position} of {bit.register} is reserved; it must stay as it was read"
    if bit.kind is Kind.OPEN:
        return _open(part, bit.name)
    if bit.register not in part.written:
        return f"{bit.name} cannot be set: nothing here writes {bit.register} of {part.name}"
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
    for field in fields:
        reasons += _one_way(part, field, volatile=volatile)
    possible, why = volatile_possible(identified)
    if volatile and not possible:
        reasons.append(f"a volatile write is not possible: {why}")
    if part.is_open and not after.known and any(f.name in protection.FIELDS for f in fields):
        reasons.append(
            f"it is not known what would be protected: {after.why}; say which part it is"
        )
    return reasons


def _one_way(part: Part, field: FieldChange, *, volatile: bool) -> Iterator[str]:
    if field.kind is not Kind.ONE_WAY:
        return
    if field.after == "0":
        yield f"{field.name} is one-way: it is 1 and stays 1"
    elif part.is_open:
        yield f"{field.name} is one-way, and it is not known which part it is: {part.name}"
    elif volatile:
        yield f"{field.name} is one-way and cannot be set for a while only"


_ALWAYS = frozenset({"DC", "LC", "HFM", "HPF"})
"""Fields of which each value may be the wrong one; of others only 1 is."""


def _confirmations(part: Part, fields: Sequence[FieldChange]) -> Iterator[Confirmation]:
    for field in fields:
        described = part.layout.field(field.name)
        if described is None:
            continue
        hazard = f"; {described.hazard}" if described.hazard else ""
        if kind := _kind(field):
            yield Confirmation(kind, field.name, f"{field.name}: {described.meaning}{hazard}")


def _kind(field: FieldChange) -> ConfirmationKind | None:
    set_to_one = field.after != "0"
    if field.kind is Kind.ONE_WAY or (field.name == "SRP1" and set_to_one):
        return ConfirmationKind.ONE_WAY
    if field.name in _ALWAYS or (field.name == "QE" and not set_to_one):
        return ConfirmationKind.DANGER
    if field.kind in (Kind.LOCK, Kind.DANGER) and set_to_one:
        return ConfirmationKind.DANGER
    return None


def _warnings(
    part: Part, fields: Sequence[FieldChange], before: Values, after: Values, *, volatile: bool
) -> Iterator[str]:
    names = {field.name: field for field in fields}
    if protection.lock_mode(part, before) is LockMode.HARDWARE:
        yield f"lock mode hardware: {LockMode.HARDWARE.text}"
    if "QE" in names and names["QE"].after == "1":
        yield "with WP# or HOLD# wired to a supply, outputs of the flash would drive against it"
    if names.keys() & {"CMP", "BP"} and _locks_all(part, after):
        yield "CMP=1 with BP=0 protects the whole flash"
    if volatile:
        yield "it is lost when the flash loses power or is reset (66h, 99h), as esptool does"
        if "DRV" in part.note:
            yield f"{part.names[0]} {part.note}"
    elif names.keys() & {*protection.FIELDS, "SRP0", "SRP", "SRWD"}:
        yield "the bootloader of ESP-IDF clears BP, CMP and SRP0 at every boot"


def _locks_all(part: Part, after: Values) -> bool:
    cmp, bp = (part.layout.field(name) for name in ("CMP", "BP"))
    if cmp is None or bp is None or "bitcmp" in part.variants:
        return False
    return cmp.value(after) == 1 and bp.value(after) == 0
