"""The verb ``load``: files into flash, as far as they differ.

A write goes in three steps, so that a person can be asked between the second and the third: a pure
plan (``ops.flash.plan``), ``compare``, which finds the sectors that differ by digest, and
``write``.  It works through segments of 64 KiB, or of three seconds of a quicker wire
(``ops.flash.write_job``).

What differs on a loader without digests is not known: everything is sent, and read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from espshell.device import Flash, Target
from espshell.errors import UsageError
from espshell.image import partitions
from espshell.image.partitions import PartitionTable
from espshell.loader.digest import blank_digest, md5
from espshell.ops.chip.info import info
from espshell.ops.flash.digest_compare import differing_sectors
from espshell.ops.flash.payload import Payload
from espshell.ops.flash.plan import Facts, Plan, plan_write, seconds
from espshell.ops.flash.write_job import (
    BLANK,
    JobOutcome,
    JobSegment,
    Stage,
    WriteJob,
    is_there,
    ranges_text,
    run,
    sectors_of,
)
from espshell.ops.memory.reading import read_chunks
from espshell.ops.result import Report, silent
from espshell.records import dataclass
from espshell.span import Span, align_up, merged
from espshell.units import SECTOR, WORD

_LEAST_SAMPLES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Written(JobOutcome):
    """The result of a write to flash."""

    files: tuple[str, ...]
    sectors: int
    """Sectors that they touch."""
    sectors_written: int
    state: str = ""
    written: tuple[Span, ...] = ()
    """The sectors that were erased and programmed; in a dry run those that would be."""
    erased: tuple[Span, ...] = ()
    """The sectors that were only erased, because they shall be blank."""
    seconds: float = 0.0
    """About how long it was expected to take at most."""


def facts_of(
    target: Target,
    *,
    protected: Sequence[Span] = (),
    table: Callable[[], PartitionTable | None] = lambda: None,
    table_offset: int = partitions.OFFSET,
) -> Facts:
    """Gather the facts for a plan. Raises: DeviceError if the flash's size is not known."""
    secure = target.loader.dialect.is_secure
    security = target.security
    secure_boot = bool(security and security.secure_boot)
    encrypted = bool(security and security.flash_crypt_count.bit_count() % 2)
    if security is None and not secure and (fused := info(target, with_flash=False).security):
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
    payloads: Sequence[Payload],
    *,
    everything: bool = False,
    keep_edges: bool = False,
    force: bool = False,
    report: Report = silent,
) -> Written:
    """Write images to flash: plan, compare, write what differs, verify.

    Raises: UsageError before anything is changed; DeviceError, NoReply or PortError.
    """
    plan = plan_write(payloads, facts_of(target), keep_edges=keep_edges, force=force)
    return write(target.flash, compare(target, plan, everything=everything, report=report), report)


def compare(
    target: Target, plan: Plan, *, everything: bool = False, report: Report = silent
) -> WriteJob:
    """Find the sectors that differ from a plan; with ``everything`` take all.

    Raises: UsageError if the loader does not reach or read what it must; nothing was changed.
    """
    flash = target.flash
    for span in plan.ranges:
        flash.check(span.start, span.size, write=True)
    if plan.keep_edges and plan.edges and not flash.is_readable:
        raise UsageError("this loader cannot read flash, so the rest of a sector cannot be kept")
    old: dict[int, bytes] = {}
    notes: tuple[str, ...] = ()
    if everything or not flash.has_digest:
        sectors = [at for span in plan.ranges for at in sectors_of(span)]
        if not everything:
            notes = ("this loader has no digests: everything is written",)
    elif old := _sampled(flash, plan):
        sectors = [at for span in plan.ranges for at in sectors_of(span)]
    else:
        for payload in plan.payloads:
            old |= differing_sectors(
                flash, payload.address, payload.data, confirm=False, report=report
            )
        sectors = sorted(old)
    segments = tuple(_segments(flash, plan, sectors))
    if not plan.keep_edges:
        notes = (*notes, *_lost_edges(flash, plan, segments))
    job = sum(segment.span.size for segment in segments)
    lasts = seconds(job // SECTOR, job, target.link.port.baud)
    return WriteJob(plan, segments, old, notes, lasts, everything or not flash.has_digest)


def _lost_edges(flash: Flash, plan: Plan, segments: Sequence[JobSegment]) -> Iterator[str]:
    """Yield a note on each edge that is lost with its sector and not blank."""
    for edge in plan.edges:
        held = [segment for segment in segments if edge.start in segment.span]
        if not held or (flash.has_digest and is_there(flash, edge, blank_digest(edge.size))):
            continue
        holds = "is not blank" if flash.has_digest else "is perhaps not blank"
        yield f"{ranges_text([edge])} {holds} and goes with its sector (--keep-edges keeps it)"


def _sampled(flash: Flash, plan: Plan) -> dict[int, bytes]:
    """Return the digests of one sector in every segment if all of these differ; else nothing.

    Then everything is sent: to look at each sector would cost more than it could save.
    """
    digests: dict[int, bytes] = {}
    for payload in plan.payloads:
        first = align_up(payload.address, SECTOR)
        for at in range(first, payload.end - SECTOR + 1, flash.segment_size):
            digests[at] = flash.digest(at, SECTOR)
            if digests[at] == md5(payload.part(Span.of(at, SECTOR))):
                return {}
    return digests if len(digests) > _LEAST_SAMPLES else {}


def write(flash: Flash, job: WriteJob, report: Report = silent) -> Written:
    """Carry out a job, segment by segment, each verified before the next begins.

    Sectors that were left alone rest on the comparison; so at the end whole images are verified.

    Raises: DeviceError, NoReply or PortError; ``job.state()`` says what is known then.
    """
    plan = job.plan
    readable = flash.has_digest or flash.is_readable
    run(flash, job, "writing", report)
    failed, state, doubt = list(job.failed), job.state(), job.doubt()
    rests_on_comparison = 0 < job.sectors < plan.sectors
    if failed:
        state = "; ".join([state, *_why(flash, job)])
    elif not flash.dry_run and flash.has_digest and (rests_on_comparison or doubt):
        wrong = [i for i in plan.payloads if not is_there(flash, i.span, md5(i.data))]
        failed = [payload.span for payload in wrong]
        state = "; ".join(f"{payload.name} has a different digest" for payload in wrong) or state
    notes = [*job.notes, *(plan.warnings if job.segments else ())]
    if not readable and not flash.dry_run:
        notes.append("not verified: this loader cannot read flash")
    return Written(
        files=tuple(payload.name for payload in plan.payloads),
        address=plan.payloads[0].address,
        size=plan.size,
        sectors=plan.sectors,
        sectors_written=job.sectors,
        verified=None if flash.dry_run or not readable else not (failed or doubt),
        failed=tuple(failed),
        wrong=f"flash is not as intended: {state}" if failed else "",
        state=state,
        notes=tuple(notes),
        written=merged(segment.span for segment in job.segments if segment.data is not None),
        erased=merged(segment.span for segment in job.segments if segment.data is None),
        seconds=job.seconds,
        dry_run=flash.dry_run,
        elsewhere=tuple(job.strays),
        doubt=doubt,
    )


def _why(flash: Flash, job: WriteJob) -> Iterator[str]:
    """Yield what the sectors of failed segments hold now, in sentences."""
    failed = (segment for segment in job.segments if segment.stage is Stage.FAILED)
    for segment in failed if flash.has_digest else ():
        same, blank = [], []
        for at in sectors_of(segment.span):
            if _is_as_before(flash, job, at):
                same.append(Span.of(at, SECTOR))
            elif flash.digest(at, SECTOR, confirmed=True) == blank_digest(SECTOR):
                blank.append(Span.of(at, SECTOR))
        if same:
            yield f"{ranges_text(same)} still as before: is it write-protected?"
        if blank and segment.data is not None:
            yield f"{ranges_text(blank)} erased and not programmed"


def _is_as_before(flash: Flash, job: WriteJob, sector: int) -> bool:
    """Return whether a sector still has the digest from before; False where that is not known."""
    if sector not in job.old:
        return False
    span = Span.of(sector, SECTOR)
    last = [payload.span for payload in job.plan.payloads if payload.span.overlaps(span)][-1]
    part = span.intersection(last)  # the digest of the last image is the one that was kept
    old = job.old[sector]
    if len(old) == WORD:  # the CRC-32, where the chip computes those of all sectors at once
        return flash.sector_crcs(part) == [int.from_bytes(old, "little")]
    return flash.digest(part.start, part.size, confirmed=True) == old


def _segments(flash: Flash, plan: Plan, sectors: Sequence[int]) -> Iterator[JobSegment]:
    """Yield sectors put together to segments, blank ones apart from the others."""
    chosen = set(sectors)
    for span in plan.ranges:
        picked = [at for at in sectors_of(span) if at in chosen]
        contents = _contents(flash, plan, span, picked) if picked else {}
        # Neighbours in a row share the difference of address and index.
        keys = {
            at: (at - SECTOR * i, at // flash.segment_size, not contents[at].strip(BLANK))
            for i, at in enumerate(picked)
        }
        for (_, _, is_blank), group in groupby(picked, keys.__getitem__):
            first, *others = group
            data = b"".join(contents[at] for at in (first, *others))
            yield JobSegment(Span.of(first, len(data)), None if is_blank else data)


def _contents(flash: Flash, plan: Plan, span: Span, sectors: Sequence[int]) -> dict[int, bytes]:
    """Return the new contents of sectors: the images, between them the old contents or FF."""
    whole = bytearray(BLANK * span.size)
    for edge in plan.edges if plan.keep_edges else ():
        for sector in sectors:
            if part := edge.intersection(Span.of(sector, SECTOR)):
                # Twice where no digest says that it is what flash holds: it is written back.
                pieces = read_chunks(flash, part.start, part.size, check=not flash.has_digest)
                whole[part.offsets(span.start)] = b"".join(pieces)
    for payload in plan.payloads:
        if payload.address in span:
            whole[payload.span.offsets(span.start)] = payload.data
    parts = (Span.of(sector, SECTOR) for sector in sectors_of(span))
    return {part.start: bytes(whole[part.offsets(span.start)]) for part in parts}
