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
- Every command here is ``checked`` (``loader.spi``), the reads too: while WEL is set, one bit that
  flips on the link makes a write of 05h or of 2Bh, and a stale WEL is seen by a read only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from espshell.device import Flash
from espshell.errors import BenchError, DeviceError, EspError, ReadsDiffer, Refused, UsageError
from espshell.loader.spi import FlashCommand
from espshell.nor import makers, opcodes, parts, plan, protection, settings
from espshell.nor.layout import BitKind
from espshell.nor.parts import Identified, Part
from espshell.nor.plan import BitDifference, StatusPlan
from espshell.nor.protection import LockMode, Protected
from espshell.nor.sequence import StatusWrite
from espshell.nor.settings import Setting
from espshell.ops.flash.sfdp import read_sfdp
from espshell.ops.result import Result
from espshell.records import dataclass
from espshell.signals import uninterrupted
from espshell.span import Span

T = TypeVar("T")

BUSY, WEL = 1 << 0, 1 << 1
"""Bits of SR1 on every part."""

BUSY_S = 5.0
"""How long a status write may take; data sheets promise 0.05 to 0.6 s."""

_POLL_S = 0.01


def read_register(flash: Flash, opcode: int) -> int:
    """Return the byte that an opcode reads."""
    return flash.command(FlashCommand(opcode, read_size=1, checked=True))[0]


def send(flash: Flash, opcode: int, data: bytes = b"") -> None:
    """Send an opcode and bytes."""
    flash.command(FlashCommand(opcode, data=data, checked=True))


def disable(flash: Flash) -> None:
    """Take WEL back. Raises: DeviceError if it stays."""
    send(flash, opcodes.WRDI)
    if read_register(flash, opcodes.RDSR1) & WEL:
        raise DeviceError("WEL stays set after 04h: the next write could be permanent")


def disable_soon(flash: Flash) -> None:
    """Wait, and take WEL back if it is set."""
    if wait(flash) & WEL:
        disable(flash)


def wait(flash: Flash) -> int:
    """Wait until BUSY is 0, twice in a row; return SR1 then. Raises: DeviceError if it is not."""
    clock = flash.clock
    end = clock.now() + BUSY_S
    last = BUSY
    while (value := read_register(flash, opcodes.RDSR1)) != last or value & BUSY:
        last = value
        if clock.now() >= end:
            raise DeviceError(f"the flash is still busy after {BUSY_S:.0f} s")
        if value & BUSY:
            clock.sleep(_POLL_S)
    return value


def require_known(read: Callable[[], T], trouble: EspError | None, names: str) -> T:
    """Read what came of a write, at the first or second try.

    Raises: BenchError or DeviceError that says that it is not known.
    """
    with contextlib.suppress(BenchError, DeviceError):
        return read()
    try:
        return read()
    except (BenchError, DeviceError) as error:
        kind = DeviceError if isinstance(error, Refused) else type(error)
        cause = trouble.message if trouble else error.message
        raise kind(
            f"{cause}; {names} may or may not have been written", hint="`sr` shows them"
        ) from error


_READINGS = 3
_ROUNDS = 2


@dataclass(frozen=True, slots=True)
class Status(Result):
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
class StatusBits(Result):
    """What the bits of the registers are for, or those that a name means."""

    status: Status
    name: str = ""


@dataclass(frozen=True, slots=True)
class StatusChange(Result):
    """Status registers were changed, or nothing was to do."""

    plan: StatusPlan
    got: dict[str, int]
    """What they hold now; in a dry run what they held before."""
    differing: tuple[BitDifference, ...] = ()
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def failure(self) -> str:
        """The bits that are not as planned: before, wanted, got."""
        if not self.differing:
            return ""
        bits = ", ".join(
            f"{d.register}.{d.name} was {d.before}, wanted {d.wanted}, got {d.got}"
            for d in self.differing
        )
        return f"the flash did not accept the write: {bits}"


@dataclass(frozen=True, slots=True)
class Ranges(Result):
    """The ranges that a part can protect, and the one that it does protect."""

    part: Part
    choices: tuple[protection.Choice, ...]
    protected: Protected


def identify(flash: Flash, *, name: str | None = None) -> Identified:
    """Identify the flash, by an id that was read three times alike, and by SFDP.

    name: what a person read on it; it decides between parts of the same id.

    Raises: DeviceError if nothing answers; ReadsDiffer; UsageError for a name of another id.
    """
    number = flash.identify()
    if not makers.answers(number):
        raise DeviceError("no flash chip answers", hint="is it connected and powered?")
    return parts.identify(number, read_sfdp(flash).table, name=name)


def read_status(flash: Flash, identified: Identified) -> Status:
    """Read the registers of the part's layout, and no others."""
    registers = _read(flash, identified.part)
    return explain_status(identified, registers)


def explain_status(identified: Identified, registers: dict[str, int]) -> Status:
    """Explain what registers mean on a part; nothing is read."""
    part = identified.part
    possible, why = parts.volatile_possible(identified)
    notes = list(identified.doubts)
    if part.is_open:
        notes.append(
            f"the flash may be any of {', '.join(part.names)}; only bits with the same meaning "
            "on all of them can be written (--part NAME chooses one)"
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
    """Return the ranges that are protected for certain."""
    return status.protected.ranges if status.protected.known else ()


def plan_change(
    flash: Flash, identified: Identified, changes: Sequence[Setting], *, volatile: bool
) -> StatusPlan:
    """Read the registers three times and plan a change; nothing is written.

    Raises: ReadsDiffer if the readings are not the same.
    """
    return plan.make(identified, read_stable(flash, identified.part), changes, volatile=volatile)


def plan_protection(
    flash: Flash, identified: Identified, start: int, end: int, *, volatile: bool
) -> StatusPlan:
    """Plan to protect exactly a range; an empty range unprotects all.

    Raises: UsageError with the nearest ranges that exist, if this one does not.
    """
    registers = read_stable(flash, identified.part)
    fit = protection.encode(identified.part, registers, start, end)
    if fit.exact is None:
        near = [
            f"{word}: {choice.span.start:#x}..{choice.span.end:#x}"
            for word, choice in (("smaller", fit.smaller), ("larger", fit.larger))
            if choice is not None
        ]
        near += ["--part NAME chooses one"] if identified.part.is_open else []
        span = f"protect exactly {start:#x}..{end:#x}"
        what = span if end > start else "be unprotected with certainty"
        raise UsageError(f"{identified.part.name} cannot {what}", hint="; ".join(near))
    return plan.make(identified, registers, fit.exact.settings, volatile=volatile)


def protection_ranges(flash: Flash, identified: Identified) -> Ranges:
    """Return every range that can be protected."""
    registers = read_stable(flash, identified.part)
    part = identified.part
    return Ranges(part, protection.ranges(part, registers), protection.decode(part, registers))


def read_stable(flash: Flash, part: Part) -> dict[str, int]:
    """Return the registers after three readings that agree, but for bits that the flash sets.

    Raises: ReadsDiffer.
    """
    readings = [_read(flash, part) for _ in range(_READINGS)]
    masks = {r.name: 0xFF & ~r.mask(BitKind.READ_ONLY) for r in part.layout.registers}
    for name, mask in masks.items():
        values = [reading[name] for reading in readings if name in reading]
        if len({value & mask for value in values}) > 1:
            shown = ", ".join(f"0x{value:02x}" for value in values)
            raise ReadsDiffer(
                f"readings of {name} differ: {shown}; nothing is written to such a flash",
                hint="check its wiring and supply",
            )
    return readings[-1]


def change_status(flash: Flash, status_plan: StatusPlan) -> StatusChange:
    """Carry a plan out, read back, and return the bits that are not as planned.

    Nothing is sent if there is nothing to do, or in a dry run.  Gates are the caller's.

    Raises: UsageError if the plan is refused; BenchError if it is not known what came of it.
    """
    if not status_plan.ok:
        raise UsageError(status_plan.refusals[0])
    before = {register.name: register.before for register in status_plan.registers}
    if status_plan.nothing_to_do or flash.dry_run:
        return StatusChange(status_plan, before, dry_run=flash.dry_run)
    notes: list[str] = []
    got = before
    with uninterrupted():
        for writes in status_plan.attempts:
            got = _attempt(flash, status_plan, writes, notes)
            if not status_plan.may_go_on(got):
                break
    return StatusChange(status_plan, got, status_plan.differing(got), tuple(dict.fromkeys(notes)))


def _attempt(
    flash: Flash, status_plan: StatusPlan, writes: Iterable[StatusWrite], notes: list[str]
) -> dict[str, int]:
    """Send writes and read back; once more if trouble on the link has kept them from the flash."""
    for round_ in range(_ROUNDS):
        trouble: EspError | None = None
        try:
            for write in writes:
                _send(flash, write, notes)
        except (BenchError, DeviceError) as error:
            trouble = error
            notes.append(f"{error.message}; the value read back decides")
        names = ", ".join(register.name for register in status_plan.registers if register.changed)
        got = require_known(lambda: _read_back(flash, status_plan.part), trouble, names)
        registers = status_plan.registers
        if any((got[row.name] ^ row.before) & row.compared for row in registers):
            trouble = None  # at least one register is not as before: the flash was written
        if trouble is None or round_ == _ROUNDS - 1:
            return got
    raise AssertionError("the last round returns")


def _send(flash: Flash, write: StatusWrite, notes: list[str]) -> None:
    """Enable, look at WEL, write, wait, look at WEL. Raises: DeviceError, NoReply."""
    _, enable, (opcode, data) = write.commands
    disable(flash)
    send(flash, enable[0])
    if enable[0] == opcodes.WREN and not read_register(flash, opcodes.RDSR1) & WEL:
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
    return {
        register.name: read_register(flash, register.read_opcode)
        for register in part.layout.registers
    }
