"""The verb ``load``: files into flash, as far as they differ.

A write goes in three steps, so that a person can be asked between the second and the third: a pure
plan (``ops.flash.plan``), ``compare``, which finds the sectors that differ by digest, and
``write``.  It works through segments of at most 64 KiB (``ops.flash.write_job``).

What differs on a loader without digests is not known: everything is sent, and read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from espshell.device import Flash, Target
from espshell.errors import UsageError
from espshell.image import partitions
from espshell.image.partitions import PartitionTable
from espshell.loader.digest import blank_digest, md5
from espshell.ops.chip.info import info
from espshell.ops.flash.digest_compare import differing_sectors
from espshell.ops.flash.guard import Stray
from espshell.ops.flash.payload import Image
from espshell.ops.flash.plan import SECTOR, Facts, Plan, plan_write, seconds
from espshell.ops.flash.write_job import (
    BLANK,
    Segment,
    Stage,
    Work,
    is_there,
    ranges_text,
    run,
    sectors_of,
)
from espshell.ops.memory.diff import Span, merged
from espshell.ops.memory.reading import read_chunks
from espshell.ops.progress import Report, silent
from espshell.ops.result import Result
from espshell.units import KIB

_SAMPLE_STEP = 64 * KIB
_LEAST_SAMPLES = 2


@dataclass(frozen=True, slots=True)
class Written(Result):
    """What a write came to."""

    files: tuple[str, ...]
    address: int
    size: int
    """Bytes of the images."""
    sectors: int
    """Sectors that they touch."""
    sectors_written: int
    verified: bool | None
    """None where the loader has no digests and nothing was read back."""
    failed: tuple[Span, ...] = ()
    state: str = ""
    notes: tuple[str, ...] = ()
    written: tuple[Span, ...] = ()
    """The sectors that were erased and programmed; in a dry run those that would be."""
    erased: tuple[Span, ...] = ()
    """The sectors that were only erased, because they shall be blank."""
    seconds: float = 0.0
    """About how long it was expected to take at most."""
    dry_run: bool = False
    elsewhere: tuple[Stray, ...] = ()
    """Other places that may have changed."""
    doubt: str = ""
    """Why another place may have changed, in a sentence; empty if none may."""

    @property
    def ok(self) -> bool:
        """Whether all of it is as wanted, and nothing else may have changed."""
        return not self.failed and not self.doubt

    @property
    def failure(self) -> str:
        """What is not as wanted."""
        reasons = [f"flash is not as wanted: {self.state}"] if self.failed else []
        return "; ".join([*reasons, self.doubt] if self.doubt else reasons)


def facts_of(
    target: Target,
    *,
    protected: Sequence[Span] = (),
    table: Callable[[], PartitionTable | None] = lambda: None,
    table_offset: int = partitions.OFFSET,
) -> Facts:
    """Gather what a plan must know. Raises: DeviceError if the flash's size is not known."""
    secure = target.loader.dialect.is_secure
    told = target.security
    secure_boot = bool(told and told.secure_boot)
    encrypted = bool(told and told.flash_crypt_count.bit_count() % 2)
    if told is None and not secure and (fused := info(target, with_flash=False).security):
        secure_boot, encrypted = fused.secure_boot, fused.flash_encryption
    plain_only, fuse = False, target.chip.no_download_encryption
    if encrypted and fuse is not None and not secure:
        plain_only = bool(fuse.of(target.memory.gather([fuse.address])[fuse.address]))
    return Facts(
        chip=target.chip,
        flash_size=target.flash.size,
        revision=None if secure else target.read_revision(),
        secure_boot=secure_boot,
        encrypted=encrypted,
        protected=tuple(protected),
        secure_download=secure,
        plain_only=plain_only,
        table=table,
        table_offset=table_offset,
    )


def load(
    target: Target,
    images: Sequence[Image],
    *,
    everything: bool = False,
    keep_edges: bool = False,
    force: bool = False,
    report: Report = silent,
) -> Written:
    """Write images to flash: plan, compare, write what differs, verify.

    Raises: UsageError before anything is changed; DeviceError, NoReply or PortError.
    """
    plan = plan_write(images, facts_of(target), keep_edges=keep_edges, force=force)
    return write(target.flash, compare(target, plan, everything=everything, report=report), report)


def compare(
    target: Target, plan: Plan, *, everything: bool = False, report: Report = silent
) -> Work:
    """Find the sectors that differ from what is planned; with ``everything`` take all.

    Raises: UsageError if the loader does not reach or read what it must; nothing was changed.
    """
    flash = target.flash
    for span in plan.ranges:
        flash.check(span.address, span.size, write=True)
    if plan.keep_edges and plan.edges and not flash.is_readable:
        raise UsageError("this loader cannot read flash, so nothing of a sector can be kept")
    old: dict[int, bytes] = {}
    notes: tuple[str, ...] = ()
    if everything or not flash.has_digest:
        sectors = [at for span in plan.ranges for at in sectors_of(span)]
        if not everything:
            notes = ("this loader has no digests: everything is sent",)
    elif old := _sampled(flash, plan):
        sectors = [at for span in plan.ranges for at in sectors_of(span)]
    else:
        for image in plan.images:
            old |= differing_sectors(flash, image.address, image.data, confirm=False, report=report)
        sectors = sorted(old)
    segments = tuple(_segments(flash, plan, sectors))
    if not plan.keep_edges:
        notes = (*notes, *_lost_edges(flash, plan, segments))
    work = sum(segment.size for segment in segments)
    lasts = seconds(work // SECTOR, work, target.link.port.baud)
    return Work(plan, segments, old, notes, lasts, everything or not flash.has_digest)


def _lost_edges(flash: Flash, plan: Plan, segments: Sequence[Segment]) -> Iterator[str]:
    """Yield what is erased with the sectors, as far as there is anything."""
    for edge in plan.edges:
        held = [s for s in segments if s.address <= edge.address < s.address + s.size]
        if not held or (flash.has_digest and is_there(flash, edge, blank_digest(edge.size))):
            continue
        holds = "is not blank" if flash.has_digest else "is perhaps not blank"
        yield f"{ranges_text([edge])} {holds} and goes with its sector (--keep-edges keeps it)"


def _sampled(flash: Flash, plan: Plan) -> dict[int, bytes]:
    """Return the digests of one sector in every 64 KiB if all of these differ; else nothing.

    Then everything is sent: to look at each sector would cost more than it could save.
    """
    found: dict[int, bytes] = {}
    for image in plan.images:
        first = -(-image.address // SECTOR) * SECTOR
        for at in range(first, image.end - SECTOR + 1, _SAMPLE_STEP):
            data = image.data[at - image.address : at - image.address + SECTOR]
            found[at] = flash.digest(at, SECTOR)
            if found[at] == md5(data):
                return {}
    return found if len(found) > _LEAST_SAMPLES else {}


def write(flash: Flash, work: Work, report: Report = silent) -> Written:
    """Do what is to be done, segment by segment, each verified before the next begins.

    Sectors that were left alone rest on the comparison; so at the end whole images are verified.

    Raises: DeviceError, NoReply or PortError; ``work.state()`` says what is known then.
    """
    plan = work.plan
    readable = flash.has_digest or flash.is_readable
    run(flash, work, "writing", report)
    failed, state, doubt = list(work.failed), "", work.doubt()
    rests_on_comparison = 0 < work.sectors < plan.sectors
    if failed:
        state = _why(flash, work)
    elif not flash.dry_run and flash.has_digest and (rests_on_comparison or doubt):
        wrong = [i for i in plan.images if not is_there(flash, i.span, md5(i.data))]
        failed = [image.span for image in wrong]
        state = "; ".join(f"{image.name} has another digest" for image in wrong)
    notes = [*work.notes, *(plan.warnings if work.segments else ())]
    if not readable and not flash.dry_run:
        notes.append("not verified: this loader cannot read flash")
    return Written(
        files=tuple(image.name for image in plan.images),
        address=plan.images[0].address,
        size=plan.size,
        sectors=plan.sectors,
        sectors_written=work.sectors,
        verified=None if flash.dry_run or not readable else not (failed or doubt),
        failed=tuple(failed),
        state=state or work.state(),
        notes=tuple(notes),
        written=merged(each.span for each in work.segments if each.data is not None),
        erased=merged(each.span for each in work.segments if each.data is None),
        seconds=work.seconds,
        dry_run=flash.dry_run,
        elsewhere=tuple(work.strays),
        doubt=doubt,
    )


def _why(flash: Flash, work: Work) -> str:
    """Return the state, with what the sectors of a failed segment hold now."""
    told = [work.state()]
    for segment in work.segments:
        if segment.stage is not Stage.FAILED or not flash.has_digest:
            continue
        same, blank = [], []
        for at in sectors_of(segment.span):
            if _is_as_before(flash, work, at):
                same.append(Span(at, SECTOR))
            elif flash.digest(at, SECTOR, confirmed=True) == blank_digest(SECTOR):
                blank.append(Span(at, SECTOR))
        if same:
            told.append(f"{ranges_text(same)} still as before: is it write-protected?")
        if blank and segment.data is not None:
            told.append(f"{ranges_text(blank)} erased and not programmed")
    return "; ".join(told)


def _is_as_before(flash: Flash, work: Work, sector: int) -> bool:
    """Say whether a sector has the digest that it had, where that is known."""
    if sector not in work.old:
        return False
    images = [i for i in work.plan.images if i.address < sector + SECTOR and sector < i.end]
    last = images[-1]  # its digest is the one that was kept
    first = max(sector, last.address)
    size = min(sector + SECTOR, last.end) - first
    return flash.digest(first, size, confirmed=True) == work.old[sector]


def _segments(flash: Flash, plan: Plan, sectors: Sequence[int]) -> Iterator[Segment]:
    """Yield sectors put together to segments, blank ones apart from the others."""
    wanted = set(sectors)
    for span in plan.ranges:
        picked = [at for at in sectors_of(span) if at in wanted]
        if not picked:
            continue
        contents = _contents(flash, plan, span, picked)
        run: list[int] = []
        for at in picked:
            is_blank = not contents[at].strip(BLANK)
            fits = (
                run
                and at == run[-1] + SECTOR
                and at // flash.segment_size == run[0] // flash.segment_size
                and is_blank == (not contents[run[0]].strip(BLANK))
            )
            if run and not fits:
                yield _segment(run, contents)
                run = []
            run.append(at)
        yield _segment(run, contents)


def _kept(flash: Flash, address: int, size: int) -> bytes:
    """Read what will be written back: twice where no digest says that it is what flash holds."""
    return b"".join(read_chunks(flash, address, size, check=not flash.has_digest))


def _segment(run: Sequence[int], contents: dict[int, bytes]) -> Segment:
    data = b"".join(contents[at] for at in run)
    return Segment(run[0], len(data), data if data.strip(BLANK) else None)


def _contents(flash: Flash, plan: Plan, span: Span, sectors: Sequence[int]) -> dict[int, bytes]:
    """Return what sectors shall hold: the images, and between them what is kept, or FF."""
    whole = bytearray(BLANK * span.size)
    for edge in plan.edges if plan.keep_edges else ():
        for sector in sectors:
            first = max(sector, edge.address)
            size = min(sector + SECTOR, edge.address + edge.size) - first
            if size > 0:
                at = first - span.address
                whole[at : at + size] = _kept(flash, first, size)
    for image in plan.images:
        at = image.address - span.address
        if 0 <= at < span.size:
            whole[at : at + len(image.data)] = image.data
    return {
        at: bytes(whole[at - span.address : at - span.address + SECTOR]) for at in sectors_of(span)
    }
