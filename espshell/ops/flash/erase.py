"""The verb ``erase``: find the blocks that are not blank, then erase them one by one.

A digest of everything afterwards would take a fourth of the time of the erase.  So a piece is what
one command erases, and a part of it that was not blank before must be blank afterwards: a command
that the flash did not take (it is protected) or that went to another place leaves it as it was.

Where pieces are not blank, the next one is larger, because contents are seldom scattered; at the
first that begins blank they are blocks again.  What is blank already is left alone, and asked about
once more at the end: an answer may be that of the piece before, doubled.

A range that is not whole sectors is written like an image of FF, its edges kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from espshell.device import Flash, Target
from espshell.loader.digest import BLOCK, LARGEST, blank_digest
from espshell.ops.flash import load as ops
from espshell.ops.flash.guard import witness
from espshell.ops.flash.payload import Payload
from espshell.ops.flash.plan import Facts, Plan, plan_erase, plan_write
from espshell.ops.flash.write_job import (
    BLANK,
    JobOutcome,
    JobSegment,
    WriteJob,
    is_there,
    ranges_text,
    run,
)
from espshell.ops.result import Report, Step, silent
from espshell.records import dataclass
from espshell.span import Span, gaps
from espshell.units import SECTOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased(JobOutcome):
    """A range is blank."""

    skipped: int
    """Bytes of it that were blank already."""


def erase(
    target: Target,
    address: int,
    size: int,
    *,
    keep_edges: bool = False,
    everything: bool = False,
    force: bool = False,
    protected: Sequence[Span] = (),
    report: Report = silent,
) -> Erased:
    """Erase whole sectors, of these only blocks that are not blank unless ``everything`` is given.

    With ``keep_edges`` a range of any alignment: what else is in its first and last sector is read
    and written back.  With ``force`` also what secure boot or flash encryption may need.

    Raises: UsageError before anything is changed; DeviceError, NoReply or PortError.
    """
    facts = ops.facts_of(target, protected=protected)
    plan_erase(address, size, facts, keep_edges=keep_edges, force=force)
    job = prepare(target, address, size, facts, everything=everything, report=report)
    return finish(target.flash, job, report)


def prepare(
    target: Target,
    address: int,
    size: int,
    facts: Facts,
    *,
    everything: bool = False,
    report: Report = silent,
) -> WriteJob:
    """Return the job that erases a range which ``plan_erase`` allows.

    Raises: UsageError if the loader does not reach it; nothing was changed.
    """
    flash = target.flash
    span = Span.of(address, size)
    if address % SECTOR or size % SECTOR:
        payload = Payload(address, BLANK * size, "the range")
        plan = plan_write([payload], facts, keep_edges=True, force=True)
        return ops.compare(target, plan, everything=everything, report=report)
    flash.check(address, size, write=True)
    if everything or not flash.has_digest:
        whole = size == facts.flash_size and flash.has_chip_erase
        pieces = [span] if whole else list(span.pieces(BLOCK))
        segments = tuple(JobSegment(piece, None) for piece in pieces)
    elif size == facts.flash_size and flash.has_chip_erase:
        part = witness(flash, span, (BLOCK, LARGEST))
        segments = (JobSegment(span, None, witness=part),) if part else ()
    else:
        segments = tuple(_segments(flash, span, report))
    plan = Plan((), (span,), (), keep_edges=False, warnings=())
    return WriteJob(plan, segments, everything=everything)


def finish(flash: Flash, job: WriteJob, report: Report = silent) -> Erased:
    """Carry a job out; then ask about what was left alone, which only digests call blank.

    Raises: DeviceError, NoReply or PortError; ``job.state()`` says what is known then.
    """
    run(flash, job, "erasing", report)
    span = job.plan.payloads[0].span if job.plan.payloads else job.plan.ranges[0]
    failed, verifiable = job.failed, flash.has_digest and not flash.dry_run
    if verifiable and not (failed or job.everything or job.plan.payloads):
        alone = gaps(span, (segment.span for segment in job.segments))
        failed = tuple(s for s in alone if not is_there(flash, s, blank_digest(s.size)))
    notes = () if verifiable or flash.dry_run else ("not verified: this loader has no digests",)
    wrong = f"not blank after erasing: {ranges_text(failed)}; is it write-protected?"
    doubt = job.doubt()
    return Erased(
        address=span.start,
        size=span.size,
        skipped=min(span.size, (job.plan.sectors - job.sectors) * SECTOR),
        verified=not (failed or doubt) if verifiable else None,
        failed=failed,
        wrong=wrong if failed else "",
        notes=(*job.notes, *notes),
        dry_run=flash.dry_run,
        elsewhere=tuple(job.strays),
        doubt=doubt,
    )


def _segments(flash: Flash, span: Span, report: Report) -> Iterator[JobSegment]:
    """Yield the pieces of a range that are not blank; after one the next may be twice as large."""
    start, largest = span.start, BLOCK
    while start < span.end:
        piece = next(Span(start, span.end).aligned_pieces(largest))
        if piece.size > BLOCK:
            ends = Span.of(start, SECTOR), Span.of(piece.end - BLOCK, SECTOR)
            part, last = (witness(flash, end) for end in ends)
            if part is None or last is None:
                largest = BLOCK
                continue
        else:
            part = witness(flash, piece)
        if part:
            yield JobSegment(piece, None, witness=part)
        largest = min(2 * largest, flash.largest_erase) if part else BLOCK
        start = piece.end
        report(Step("comparing", start - span.start, span.size))
