"""The verb ``sr``: status registers of the flash, read, explained and changed.

The rule of this file: nothing is written that was not planned from registers that were just read
three times alike, and nothing is called done that was not read back.  Which bits may change, and by
which commands, is decided in ``nor.plan``; here it is only carried out:

- 04h first, because a stale WEL would make a volatile write a permanent one; then 06h or 50h, and
  WEL is looked at; then the write, and BUSY is polled; then WEL again: still set, the write was
  ignored.
- Whatever goes wrong on the way (a lost answer, a time-out), what the registers hold afterwards is
  what counts.  If they cannot be read either, the error says that the state is not known.
- Ctrl-C waits until a write is over: one that is cut has made parts unusable (esp-idf#7994).
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from espshell.errors import BenchError, DeviceError, EspError, ReadsDiffer, Refused, UsageError
from espshell.loader.spi import FlashCommand
from espshell.nor import makers, opcodes, parts, plan, protection, settings
from espshell.nor.layout import Kind
from espshell.nor.parts import Identified, Part
from espshell.nor.plan import Asked, Difference, Gate, StatusPlan
from espshell.nor.protection import Fit, LockMode, Protected
from espshell.nor.sequence import Write
from espshell.nor.settings import Setting
from espshell.ops.diff import Span
from espshell.ops.sfdp import read_sfdp
from espshell.target import Flash

_READINGS = 3
_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Status:
    """The status registers of a flash, and what they mean."""

    identified: Identified
    registers: dict[str, int]
    protected: Protected
    lock: LockMode
    volatile: bool
    """Whether a write can be one that a power cycle undoes."""
    volatile_why: str
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Registers are a good answer, whatever they hold."""
        return True

    @property
    def part(self) -> Part:
        """The part, or what several parts have in common."""
        return self.identified.part

    @property
    def settings(self) -> tuple[str, ...]:
        """What can be written, as settings that can be typed back."""
        return settings.typed_back(self.part, self.registers)

    @property
    def last_value(self) -> int:
        """All registers as one number, the first one lowest."""
        return sum(value << 8 * i for i, value in enumerate(self.registers.values()))


@dataclass(frozen=True, slots=True)
class StatusChange:
    """Status registers were changed, or nothing was to do."""

    plan: StatusPlan
    got: dict[str, int]
    """What they hold now; in a dry run what they held before."""
    differing: tuple[Difference, ...] = ()
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether every bit is as wanted."""
        return not self.differing

    @property
    def failure(self) -> str:
        """Which bits are not as wanted: before, wanted, got."""
        told = ", ".join(
            f"{d.register}.{d.name} was {d.before}, wanted {d.wanted}, got {d.got}"
            for d in self.differing
        )
        return f"the flash did not take it: {told}"


@dataclass(frozen=True, slots=True)
class StatusBytes:
    """Status bytes as esptool's commands read and write them, the first register lowest."""

    value: int
    count: int
    before: int | None = None
    """What was there before a write."""
    wanted: int | None = None
    changed: tuple[str, ...] = ()
    """Bits that changed, in words."""
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether what was written, if anything was, is there now."""
        return self.wanted is None or self.dry_run or self.value == self.wanted

    @property
    def failure(self) -> str:
        """What is not as wanted."""
        digits = 2 * self.count
        return (
            f"the flash did not take it: was 0x{self.before or 0:0{digits}x}, "
            f"wanted 0x{self.wanted or 0:0{digits}x}, got 0x{self.value:0{digits}x}"
        )

    @property
    def last_value(self) -> int:
        """The bytes as a number."""
        return self.value


@dataclass(frozen=True, slots=True)
class Ranges:
    """The ranges that a part can protect, and the one that it does protect."""

    part: Part
    choices: tuple[protection.Choice, ...]
    protected: Protected

    @property
    def ok(self) -> bool:
        """A list is a good answer."""
        return True


def identify(flash: Flash, *, name: str | None = None) -> Identified:
    """Say what the flash is, by an id that was read three times alike, and by SFDP.

    name: what a person read on it; it decides between parts of the same id.

    Raises: DeviceError if nothing answers; ReadsDiffer; UsageError for a name of another id.
    """
    ids = {flash.identify() for _ in range(_READINGS)}
    if len(ids) > 1:
        told = ", ".join(f"{each:06x}" for each in sorted(ids))
        raise ReadsDiffer(f"readings of the flash's id differ: {told}", hint="check its wiring")
    number = ids.pop()
    if not makers.answers(number):
        raise DeviceError("no flash chip answers", hint="is it connected and powered?")
    return parts.identify(number, read_sfdp(flash).table, name=name)


def status(flash: Flash, identified: Identified) -> Status:
    """Read the registers of the part's layout, and no others."""
    registers = _read(flash, identified.part)
    return explained(identified, registers)


def explained(identified: Identified, registers: dict[str, int]) -> Status:
    """Say what registers mean on a part; nothing is read."""
    part = identified.part
    possible, why = parts.volatile_possible(identified)
    notes = list(identified.doubts)
    if part.is_open:
        notes.append(
            f"the flash may be any of {', '.join(part.names)}; only bits that mean the same on all "
            "of them can be written (--part NAME says which it is)"
        )
    return Status(
        identified=identified,
        registers=registers,
        protected=protection.decode(part, registers),
        lock=protection.lock_mode(part, registers),
        volatile=possible,
        volatile_why=why,
        notes=tuple(notes),
    )


def protected_spans(status: Status) -> tuple[Span, ...]:
    """Return what is protected for certain."""
    if not status.protected.known:
        return ()
    return tuple(Span(each.start, each.size) for each in status.protected.ranges)


def plan_change(
    flash: Flash, identified: Identified, wanted: Sequence[Setting], *, volatile: bool
) -> StatusPlan:
    """Read the registers three times and plan a change; nothing is written.

    Raises: ReadsDiffer if the readings are not the same.
    """
    return plan.make(identified, read_stable(flash, identified.part), wanted, volatile=volatile)


def plan_protection(
    flash: Flash, identified: Identified, start: int, end: int, *, volatile: bool
) -> StatusPlan:
    """Plan to protect exactly a range; an empty range unprotects all.

    Raises: UsageError with the nearest ranges that exist, if this one does not.
    """
    registers = read_stable(flash, identified.part)
    fit = protection.encode(identified.part, registers, start, end)
    if fit.exact is None:
        raise _impossible(identified.part, fit, start, end)
    return plan.make(identified, registers, fit.exact.settings, volatile=volatile)


def ranges(flash: Flash, identified: Identified) -> Ranges:
    """Return every range that can be protected."""
    registers = read_stable(flash, identified.part)
    part = identified.part
    return Ranges(part, protection.ranges(part, registers), protection.decode(part, registers))


def read_stable(flash: Flash, part: Part) -> dict[str, int]:
    """Return the registers after three readings that agree, but for bits that the flash sets.

    Raises: ReadsDiffer.
    """
    readings = [_read(flash, part) for _ in range(_READINGS)]
    masks = {r.name: 0xFF & ~r.mask(Kind.READ_ONLY) for r in part.layout.registers}
    for name, mask in masks.items():
        values = [reading[name] for reading in readings if name in reading]
        if len({value & mask for value in values}) > 1:
            told = ", ".join(f"0x{value:02x}" for value in values)
            raise ReadsDiffer(
                f"readings of {name} differ: {told}; nothing is written to such a flash",
                hint="check its wiring and supply",
            )
    return readings[-1]


def change(flash: Flash, made: StatusPlan) -> StatusChange:
    """Carry a plan out, read back, and say which bits are not as wanted.

    Nothing is sent if there is nothing to do, or in a dry run.  Gates are the caller's.

    Raises: UsageError if the plan is refused; BenchError if it is not known what came of it.
    """
    if not made.ok:
        raise UsageError(made.refusals[0])
    before = {each.name: each.before for each in made.registers}
    if made.nothing_to_do or flash.dry_run:
        return StatusChange(made, before, dry_run=flash.dry_run)
    notes: list[str] = []
    got = before
    with uninterrupted():
        for writes in made.attempts:
            got = _attempt(flash, made, writes, notes)
            if not made.differing(got) or not made.may_go_on(got):
                break
    return StatusChange(made, got, made.differing(got), tuple(dict.fromkeys(notes)))


def read_bytes(flash: Flash, count: int, *, force: bool = False) -> StatusBytes:
    """Read status bytes by 05h, 35h and 15h, as esptool does.

    Raises: UsageError where such an opcode is another command on this flash, unless ``force``.
    """
    wanted = _READS[:count]
    maker = makers.manufacturer(flash.known_id) if flash.known_id else None
    for opcode in wanted:
        known = opcodes.describe(opcode, maker)
        if known.writes and not force:
            raise UsageError(
                f"{opcode:02X}h is {known.name} on this flash, and {known.effect.value}",
                hint="`sr` shows the registers that it has; --force sends it all the same",
            )
    values = [register(flash, opcode) for opcode in wanted]
    return StatusBytes(int.from_bytes(bytes(values), "little"), count)


def write_bytes(
    flash: Flash,
    value: int,
    count: int,
    *,
    non_volatile: bool,
    identified: Identified | None = None,
) -> StatusBytes:
    """Write status bytes in esptool's sequence; but wait for each, and compare.

    Two bytes: 01h with both, then 01h and 31h with one each; 06h or 50h before each.  Which bits a
    part loses that way ``parts.loses_bits`` says; gates are the caller's.

    Raises: UsageError where such a byte cannot be read; BenchError or DeviceError if it is not
    known what came of it.
    """
    before = read_bytes(flash, count).value
    notes: tuple[str, ...] = ()
    if flash.dry_run:
        return StatusBytes(before, count, before, value, dry_run=True)
    data = value.to_bytes(count, "little")
    writes = [(opcodes.WRSR1, data)] if count == 2 else []
    writes += [(opcode, data[i : i + 1]) for i, opcode in enumerate(_WRITES[:count])]
    enable = opcodes.WREN if non_volatile else opcodes.VOLATILE_WREN
    with uninterrupted():
        try:
            disable(flash)  # esptool does not; but a stale WEL would make 50h permanent
            for opcode, sent in writes:
                send(flash, enable)
                send(flash, opcode, sent)
                wait(flash)
            disable(flash)
        except (BenchError, DeviceError) as error:
            notes = (*notes, f"{error.message}; what reads back is what counts")
            see_known(lambda: disable_soon(flash), error, "the status")
        got = see_known(lambda: read_bytes(flash, count).value, None, "the status")
    mask = ~0x03  # BUSY and WEL are the flash's
    changed = _changed_bits(identified, before, got, count)
    return StatusBytes(
        value=got & mask | value & 0x03,
        count=count,
        before=before,
        wanted=value,
        changed=changed,
        notes=notes,
    )


def unknown_bits(identified: Identified, before: int, value: int, count: int) -> tuple[Asked, ...]:
    """Return the bits that a write of bytes would set without anybody knowing what they do.

    They may be one-way, so they stand behind that gate.
    """
    found = []
    for index, opcode in enumerate(_READS[:count]):
        registers = identified.part.layout.registers
        register = next((each for each in registers if each.read_opcode == opcode), None)
        for position in range(8):
            rises = (value & ~before) >> 8 * index + position & 1
            bit = register.bits[position] if register else None
            if rises and (bit is None or bit.kind in (Kind.RESERVED, Kind.OPEN)):
                name = bit.name if bit and bit.kind is Kind.OPEN else f"bit {8 * index + position}"
                why = f"{name}: what it does on {identified.part.name} is not known"
                found.append(Asked(Gate.ONE_WAY, name, why))
    return tuple(found)


# --- carrying out


_READS = (opcodes.RDSR1, opcodes.RDSR2, opcodes.RDSR3)
_WRITES = (opcodes.WRSR1, opcodes.WRSR2, opcodes.WRSR3)


def _attempt(
    flash: Flash, made: StatusPlan, writes: Iterable[Write], notes: list[str]
) -> dict[str, int]:
    """Send writes and read back; once more if trouble on the link has kept them from the flash."""
    for round_ in range(_ROUNDS):
        trouble: EspError | None = None
        try:
            for write in writes:
                _send(flash, write, notes)
        except (BenchError, DeviceError) as error:
            trouble = error
            notes.append(f"{error.message}; what reads back is what counts")
        names = ", ".join(each.name for each in made.registers if each.changed)
        got = see_known(lambda: _read_back(flash, made.part), trouble, names)
        if trouble is None or _touched(made, got) or round_ == _ROUNDS - 1:
            return got
    raise AssertionError("the last round returns")


def _touched(made: StatusPlan, got: dict[str, int]) -> bool:
    """Whether a register is not as it was before."""
    return any((got[each.name] ^ each.before) & each.compared for each in made.registers)


def _send(flash: Flash, write: Write, notes: list[str]) -> None:
    """Enable, look at WEL, write, wait, look at WEL. Raises: DeviceError, NoReply."""
    _, enable, (opcode, data) = write.commands
    disable(flash)
    send(flash, enable[0])
    if enable[0] == opcodes.WREN and not register(flash, opcodes.RDSR1) & WEL:
        raise DeviceError("the flash does not set WEL after 06h")
    send(flash, opcode, data)
    if wait(flash) & WEL:
        disable(flash)
        names = " and ".join(write.registers)
        notes.append(
            f"WEL was still set after {opcode:02X}h: the flash ignored the write of {names}"
        )


def _read_back(flash: Flash, part: Part) -> dict[str, int]:
    """Return the registers, once nothing is written any more, and two readings agree."""
    disable_soon(flash)
    first, second = _read(flash, part), _read(flash, part)
    return second if first == second else read_stable(flash, part)


def _read(flash: Flash, part: Part) -> dict[str, int]:
    return {each.name: register(flash, each.read_opcode) for each in part.layout.registers}


def _impossible(part: Part, fit: Fit, start: int, end: int) -> UsageError:
    near = []
    for word, choice in (("smaller", fit.smaller), ("larger", fit.larger)):
        if choice is not None:
            near.append(f"{word}: {choice.range.start:#x}..{choice.range.end:#x}")
    return UsageError(
        f"{part.names[0]} cannot protect exactly {start:#x}..{end:#x}",
        hint="; ".join(near) or ("--part NAME says which it is" if part.is_open else ""),
    )


def _changed_bits(
    identified: Identified | None, before: int, got: int, count: int
) -> tuple[str, ...]:
    """Return the bits that changed, with their names where the part is known."""
    names: dict[int, str] = {}
    for index, opcode in enumerate(_READS[:count]):
        for register in identified.part.layout.registers if identified else ():
            if register.read_opcode == opcode:
                names |= {8 * index + bit.position: bit.name for bit in register.bits}
    told = []
    for bit in range(8 * count):
        old, new = before >> bit & 1, got >> bit & 1
        if old != new:
            told.append(f"{names.get(bit, f'bit {bit}')} {old}→{new}")
    return tuple(told)
