"""The verb ``erase``: find the blocks that are not blank, then erase them one by one.

What is blank already is left alone.  Whether a block is blank is asked once, and the answer may be
that of the block before, doubled; so if any was left alone, the whole range is asked about at the
end.  A range that is no whole sectors is written like an image of FF, its edges kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from espshell.device import Flash, Target
from espshell.loader.digest import blank_digest
from espshell.loader.erase import BLOCK
from espshell.ops.flash import load as ops
from espshell.ops.flash.guard import Stray
from espshell.ops.flash.payload import Payload
from espshell.ops.flash.plan import Facts, Plan, plan_erase, plan_write
from espshell.ops.flash.write_job import BLANK, JobSegment, WriteJob, is_there, ranges_text, run
from espshell.ops.progress import Report, Step, silent
from espshell.ops.result import Result
from espshell.span import Span
from espshell.units import SECTOR


@dataclass(frozen=True, slots=True)
class Erasing:
    """A range, and the job that makes it blank."""

    address: int
    size: int
    job: WriteJob
    skipped: int
    """Bytes of it that are blank already."""

    def finish(self, flash: Flash, report: Report = silent) -> Erased:
        """Do it.

        Raises: DeviceError, NoReply or PortError; ``job.state()`` says what is known then.
        """
        span = Span.of(self.address, self.size)
        run(flash, self.job, "erasing", report)
        failed, verifiable = self.job.failed, flash.has_digest and not flash.dry_run
        if verifiable and self.skipped and not failed:
            failed = () if is_there(flash, span, blank_digest(span.size)) else (span,)
        notes = () if verifiable or flash.dry_run else ("not verified: this loader has no digests",)
        doubt = self.job.doubt()
        return Erased(
            self.address,
            self.size,
            self.skipped,
            verified=not (failed or doubt) if verifiable else None,
            failed=failed,
            notes=(*self.job.notes, *notes),
            dry_run=flash.dry_run,
            elsewhere=tuple(self.job.strays),
            doubt=doubt,
        )


@dataclass(frozen=True, slots=True)
class Erased(Result):
    """A range is blank."""

    address: int
    size: int
    skipped: int
    """Bytes of it that were blank already."""
    verified: bool | None
    """None where the loader has no digests."""
    failed: tuple[Span, ...] = ()
    notes: tuple[str, ...] = ()
    dry_run: bool = False
    elsewhere: tuple[Stray, ...] = ()
    """Other places that may have changed."""
    doubt: str = ""
    """Why another place may have changed, in a sentence; empty if none may."""

    @property
    def ok(self) -> bool:
        """Whether all of it is blank, as far as that is known, and nothing else may be."""
        return not self.failed and not self.doubt

    @property
    def failure(self) -> str:
        """The ranges that are not blank, and others that may have been erased."""
        where = ranges_text(self.failed)
        protected = f"not blank after the erase: {where}; is it write-protected?"
        return "; ".join(filter(None, [protected if self.failed else "", self.doubt]))


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
    erasing = prepare(target, address, size, facts, everything=everything, report=report)
    return erasing.finish(target.flash, report)


def prepare(
    target: Target,
    address: int,
    size: int,
    facts: Facts,
    *,
    everything: bool = False,
    report: Report = silent,
) -> Erasing:
    """Prepare the erase of a range that ``plan_erase`` allows.

    Raises: UsageError if the loader does not reach it; nothing was changed.
    """
    flash = target.flash
    span = Span.of(address, size)
    if address % SECTOR or size % SECTOR:
        payload = Payload(address, BLANK * size, "the range")
        plan = plan_write([payload], facts, keep_edges=True, force=True)
        job = ops.compare(target, plan, everything=everything, report=report)
        return Erasing(address, size, job, min(size, (plan.sectors - job.sectors) * SECTOR))
    flash.check(address, size, write=True)
    whole = size == facts.flash_size and flash.has_chip_erase
    segments = []
    for piece in [span] if whole else span.pieces(BLOCK):
        if everything or not flash.has_digest or not _is_blank(flash, piece):
            segments.append(JobSegment(piece.start, piece.size, None))
        if flash.has_digest and not everything:
            report(Step("comparing", piece.end - address, size))
    plan = Plan((), (span,), (), keep_edges=False, warnings=())
    job = WriteJob(plan, tuple(segments), everything=everything)
    return Erasing(address, size, job, size - job.size)


def _is_blank(flash: Flash, span: Span) -> bool:
    """Return whether a range is blank; the digest of its first sector rules most others out."""
    sizes = dict.fromkeys((min(SECTOR, span.size), span.size))
    return all(flash.digest(span.start, size) == blank_digest(size) for size in sizes)
