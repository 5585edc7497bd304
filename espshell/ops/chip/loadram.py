"""The verb ``load_ram``: the segments of a program into RAM, and its start.

Everything is checked before anything is sent: whether the file is for this chip, whether each
segment lies in RAM, and whether one would overwrite another, or the flasher stub that is to take
it; RAM that has an address on each bus is one.

Surprising:

- A v2 stub checks neither the sum nor the number of a block, so what it has taken is read back.
- What MEM_END starts may speak before the answer has come; that text is kept in ``link.noise``.
- A v2 stub calls the entry as a function and goes on when that returns.  ``has_returned`` asks,
  because nothing tells.

Source: "RAM download" of the esptool manual; the rest as measured, see the tests of ``sim``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, product
from pathlib import Path

from espshell.chips import Chip, Isa, Kind, Quirk
from espshell.device import Target
from espshell.errors import BenchError, DeviceError, NoReply, UsageError
from espshell.loader import stub_file
from espshell.loader.stub_file import Stub
from espshell.ops.chip import ram_file
from espshell.ops.chip.monitor import Monitored
from espshell.ops.flash.payload import Payload
from espshell.ops.image.objections import chip_objection, revision_objections
from espshell.ops.memory.writing import DRY_RUN, not_as_written, write_and_verify
from espshell.ops.result import Report, Result, silent
from espshell.protocol.commands import MemEnd
from espshell.protocol.dialect import STUB
from espshell.span import Span, ceil_div
from espshell.units import hex32

_JUMP_S = 0.2
"""How long a ROM's answer to MEM_END is waited for: the program may be quicker than it."""

_PROBES_S = (0.1, 0.3)

_MACHINES = {Isa.RISCV: "riscv", Isa.XTENSA: "xtensa", Isa.XTENSA_CALL0: "xtensa"}


@dataclass(frozen=True, slots=True)
class Occupant:
    """What takes a range of RAM: a segment of the program, or a part of the stub."""

    name: str
    span: Span
    region: str
    is_stub: bool = False
    others: tuple[Span, ...] = ()
    """Other addresses of the same RAM."""

    def hits(self, other: Occupant) -> bool:
        """Return whether both take the same byte, under whichever address."""
        return any(span.overlaps(other.span) for span in (self.span, *self.others))


@dataclass(frozen=True, slots=True)
class RamPlan:
    """A program that may be loaded, and who lies where; nothing has been sent."""

    file: str
    entry: int
    segments: tuple[Payload, ...]
    """Whole words."""
    pieces: tuple[Occupant, ...]
    """The segments, then the parts of the stub that runs."""
    block_size: int
    """Bytes of a MEM_DATA block."""
    notes: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(len(segment.data) for segment in self.segments)

    @property
    def blocks(self) -> int:
        """Blocks of all segments."""
        return sum(ceil_div(len(segment.data), self.block_size) for segment in self.segments)

    @property
    def clash(self) -> tuple[Occupant, Occupant] | None:
        """The first segment that would overwrite the stub, and what of it."""
        pairs = product(self.pieces, self.pieces)
        clashes = ((m, s) for m, s in pairs if s.is_stub and not m.is_stub and m.hits(s))
        return next(clashes, None)


@dataclass(frozen=True, slots=True)
class RamLoaded(RamPlan, Result):
    """A program is in RAM, and runs if ``started``; in a dry run nothing was sent."""

    started: bool = False
    verified: bool = False
    """Whether it was read back."""
    returned: bool | None = None
    """Whether the program has come back to the stub; None where that is not known."""
    monitored: Monitored | None = None
    """Its output, where that was monitored."""
    dry_run: bool = False

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the listening."""
        return self.monitored is not None and self.monitored.interrupted

    @property
    def failure(self) -> str:
        """The text that has not come."""
        return self.monitored.failure if self.monitored else ""


def plan_ram(target: Target, file: Path, *, run: bool = True, force: bool = False) -> RamPlan:
    """Read a program and see what loading it would mean; nothing is written.

    An image (.bin), the same as Intel HEX, or an ELF file.  ``force``: what speaks against it is
    only noted.  Only with ``run`` its entry matters.

    Raises: UsageError if it is for another chip or revision, damaged, or not all for RAM.  That it
    overwrites the stub is left to ``RamPlan.clash``, so that it can be shown.
    """
    chip = target.chip
    program = ram_file.read(file, chip)
    segments = ((f"segment {n}", segment.span) for n, segment in enumerate(program.segments))
    pieces = _occupants(chip, segments)
    objections = tuple(_objections(target, str(file), program, pieces, run=run))
    if objections and not force:
        raise UsageError(objections[0], hint="--force loads it anyway")
    for segment in program.segments:
        _require_ram(chip, str(file), segment.span)
    for span in program.zeroed:
        _require_ram(chip, str(file), span)
    if running := _running_stub(target):
        parts = ((f"stub {name}", span) for name, span in running.occupied)
        pieces += _occupants(chip, parts, is_stub=True)
    block_size = target.loader.dialect.block_size
    return RamPlan(
        str(file), program.entry, program.segments, tuple(pieces), block_size, objections
    )


def load_ram(
    target: Target,
    plan: RamPlan,
    *,
    run: bool = True,
    verify: bool = False,
    report: Report = silent,
) -> RamLoaded:
    """Load a program and, with ``run``, start it; the loader is gone then.

    Raises: UsageError before anything is sent if it would overwrite the stub; DeviceError before
    it is started if it does not read back.
    """
    if plan.clash is not None:
        mine, stubs = plan.clash
        where = "" if mine.span.overlaps(stubs.span) else ", the same RAM on another bus"
        raise UsageError(
            f"{mine.name} would overwrite the {stubs.name} at {hex32(stubs.span.start)}{where}",
            hint="`stub never` and `reset` stop the stub",
        )
    memory = target.memory
    writes = [
        write_and_verify(
            memory,
            segment.address,
            segment.data,
            verify=verify,
            remember=False,
            sending=memory.load(segment.address, segment.data),
            report=report,
        )
        for segment in plan.segments
    ]
    if differing := tuple(address for write in writes for address in write.differing):
        raise DeviceError(
            f"{not_as_written(differing)}; nothing was started",
            hint="the loader may be using that RAM",
        )
    notes = plan.notes
    if memory.dry_run:
        notes = (*notes, DRY_RUN)
    elif run and not _start(target, plan.entry):
        notes = (*notes, "MEM_END was not answered; the program may be running anyway")
    return RamLoaded(
        file=plan.file,
        entry=plan.entry,
        segments=plan.segments,
        pieces=plan.pieces,
        block_size=plan.block_size,
        started=run and not memory.dry_run,
        verified=all(write.verified for write in writes),
        notes=notes,
        dry_run=memory.dry_run,
    )


def has_returned(target: Target) -> bool:
    """Ask whether the program has come back to the stub; if so, the loader is in step again.

    A program that still runs gets a SYNC to read.  Only a v2 stub is asked: nothing else returns.
    """
    loader = target.loader
    if loader.dialect != STUB:
        return False
    with contextlib.suppress(BenchError):
        loader.link.drain(0, limit_s=0.1)
        values = (loader.sync(wait_s, opened=True) for wait_s in _PROBES_S)
        if loader.dialect.sync_value in values:
            loader.resynchronise()
            return True
    return False


def _start(target: Target, entry: int) -> bool:
    """Start the program; return whether that was answered."""
    loader = target.loader
    loader.link.forget_noise()
    try:
        loader.execute(MemEnd(entry), timeout_s=None if loader.dialect.is_stub else _JUMP_S)
    except NoReply:
        return not loader.dialect.is_stub  # a ROM may have jumped before its answer has left
    return True


# -- the file and the chip -------------------------------------------------------------------------


def _objections(
    target: Target, name: str, program: ram_file.Program, pieces: Iterable[Occupant], *, run: bool
) -> Iterator[str]:
    """Yield objections to a program, the most serious first."""
    chip = target.chip
    if program.machine and program.machine != _MACHINES[chip.isa]:
        yield f"{name} is for {program.machine}, an {chip.title} is {_MACHINES[chip.isa]}"
    if program.firmware is not None:
        wrong = chip_objection(name, program.firmware, chip)
        if wrong:
            yield wrong
            return  # the revision of another chip says nothing
        head = program.firmware.extended
        if head and (head.min_revision_legacy or head.min_revision or head.max_revision):
            yield from revision_objections(name, head, chip, target.read_revision())
        for problem in program.firmware.problems():
            yield f"{name} is damaged: {problem}"
    if run and not any(program.entry in segment.span for segment in program.segments):
        yield f"{name} starts at {hex32(program.entry)}, which is in none of its segments"
    quirks = {Quirk.NO_STUB_WITH_SECURE_BOOT, Quirk.STUB_START_BY_READ} & set(chip.quirks)
    if run and quirks and target.security is not None and target.security.secure_boot:
        yield f"an {chip.title} with secure boot does not start code by MEM_END"
    for one, other in combinations(pieces, 2):
        if one.hits(other):
            yield f"{name}: {one.name} and {other.name} overlap in RAM"


def _require_ram(chip: Chip, name: str, span: Span) -> None:
    """Check that all of a range is RAM. Raises: UsageError with the region that is not."""
    what = f"{name}: the segment at {hex32(span.start)}"
    for at, region in chip.walk(span):
        if region is None:
            raise UsageError(
                f"{what}: {hex32(at)} is outside the memory map of the {chip.title}",
                hint="`map` lists it",
            )
        if region.kind is not Kind.RAM:
            for_flash = "this program runs from flash: `load FILE flash:app0`"
            raise UsageError(
                f"{what} is in {region.name} ({region.note}), not in RAM",
                hint=for_flash if region.kind is Kind.FLASH else "`map` lists the RAM regions",
            )


def _occupants(
    chip: Chip, spans: Iterable[tuple[str, Span]], *, is_stub: bool = False
) -> list[Occupant]:
    regions = ((name, span, chip.region_at(span.start)) for name, span in spans)
    return [
        Occupant(name, span, region.name if region else "", is_stub, chip.same_ram(span)[1:])
        for name, span, region in regions
    ]


def _running_stub(target: Target) -> Stub | None:
    """Return the stub that runs; one that we have not started is taken for the one we would."""
    loader = target.loader
    if loader.stub is not None or not loader.dialect.is_stub:
        return loader.stub
    with contextlib.suppress(UsageError):
        name = target.chip.stub_name(target.read_revision())
        return stub_file.find(target.chip, name) if name else None
    return None
