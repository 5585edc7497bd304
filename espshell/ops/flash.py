"""The verbs that change flash: ``load`` and ``erase``, and what they have come to if stopped.

A write goes in three steps, so that a person can be asked between the second and the third: a pure
plan (``ops.plan``), ``compare``, which finds the sectors that differ by digest, and ``write``.  It
writes in segments of at most 64 KiB and verifies each by digest before it begins the next, so that
at any moment at most one segment is in doubt.  ``Work.state`` says so at any time, also after an
error, Ctrl-C or a loss of power.

What differs on a loader without digests is not known: everything is sent, and read back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum

from espshell.loader.flash import blank_digest
from espshell.ops.diff import Span
from espshell.ops.differing import differing_sectors
from espshell.ops.images import Image
from espshell.ops.plan import SECTOR, Facts, Plan, plan_erase, plan_write, seconds
from espshell.ops.progress import Report, Step, silent
from espshell.target import Flash, Target
from espshell.units import count_text, hex32

_TRIES = 3
_BLANK = b"\xff"


class Stage(Enum):
    """What is known of a segment."""

    BEFORE = "as before"
    DOUBT = "in doubt: as before, erased or partly written"
    SENT = "written, not verified"
    DONE = "written and verified"
    FAILED = "not as wanted"


@dataclass(slots=True)
class Segment:
    """Sectors that are written in one go; ``data`` None: to be erased."""

    address: int
    size: int
    data: bytes | None
    stage: Stage = Stage.BEFORE

    @property
    def wanted(self) -> bytes:
        """The bytes that shall be there."""
        return _BLANK * self.size if self.data is None else self.data


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done to make a plan come true, and how far it has come."""

    plan: Plan
    segments: tuple[Segment, ...]
    old: dict[int, bytes] = field(default_factory=dict)
    """Digests of sectors before, by address, where they were asked for."""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    """About how long it will take at most."""

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self.segments)

    @property
    def sectors(self) -> int:
        """How many sectors are written or erased."""
        return self.size // SECTOR

    @property
    def erased_only(self) -> int:
        """How many of them shall be blank."""
        return sum(each.size for each in self.segments if each.data is None) // SECTOR

    def state(self) -> str:
        """Return which ranges are now in which state, in a sentence."""
        told = []
        for stage in Stage:
            spans = [Span(s.address, s.size) for s in self.segments if s.stage is stage]
            if spans:
                told.append(f"{ranges_text(spans)} {stage.value}")
        return "; ".join(told)


@dataclass(frozen=True, slots=True)
class Written:
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
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether all of it is as wanted, as far as that is known."""
        return not self.failed

    @property
    def failure(self) -> str:
        """What is not as wanted."""
        return f"flash is not as wanted: {self.state}"


@dataclass(frozen=True, slots=True)
class Erased:
    """A range is blank."""

    address: int
    size: int
    skipped: int
    """Bytes of it that were blank already."""
    verified: bool | None
    failed: tuple[Span, ...] = ()
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether all of it is blank, as far as that is known."""
        return not self.failed

    @property
    def failure(self) -> str:
        """What is not blank."""
        return f"not blank after the erase: {ranges_text(self.failed)}; is it write-protected?"


def facts_of(target: Target, *, protected: Sequence[Span] = ()) -> Facts:
    """Gather what a plan must know. Raises: DeviceError if the flash's size is not known."""
    security = target.security
    secure = target.loader.dialect.is_secure
    return Facts(
        chip=target.chip,
        flash_size=target.flash.size,
        revision=None if secure else target.read_revision(),
        secure_boot=security.secure_boot if security else False,
        encrypted=bool(security and security.flash_crypt_count.bit_count() % 2),
        protected=tuple(protected),
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
    """Find the sectors that differ from what is planned; with ``everything`` take all."""
    flash = target.flash
    old: dict[int, bytes] = {}
    notes: tuple[str, ...] = ()
    if everything or not flash.has_digest:
        sectors = [at for span in plan.ranges for at in _sectors(span)]
        if not everything:
            notes = ("this loader has no digests: everything is sent",)
    else:
        for image in plan.images:
            old |= differing_sectors(flash, image.address, image.data, confirm=False, report=report)
        sectors = sorted(old)
    segments = tuple(_segments(flash, plan, sectors))
    work = sum(segment.size for segment in segments)
    lasts = seconds(work // SECTOR, work, target.link.port.baud)
    return Work(plan, segments, old, notes, lasts)


def write(flash: Flash, work: Work, report: Report = silent) -> Written:
    """Do what is to be done, segment by segment, each verified before the next begins.

    Raises: DeviceError, NoReply or PortError; ``work.state()`` says what is known then.
    """
    plan = work.plan
    readable = flash.has_digest or flash.is_readable
    done = 0
    for segment in work.segments:
        if not _write_segment(flash, work, segment, report, done):
            break
        done += segment.size
    failed = [Span(s.address, s.size) for s in work.segments if s.stage is Stage.FAILED]
    if not failed and not flash.dry_run and flash.has_digest and work.segments:
        failed = [
            Span(image.address, len(image.data))
            for image in plan.images
            if not _is_there(flash, image)
        ]
    notes = [*work.notes, *(plan.warnings if work.segments else ())]
    if not readable and not flash.dry_run:
        notes.append("not verified: this loader cannot read flash")
    return Written(
        files=tuple(image.name for image in plan.images),
        address=plan.images[0].address,
        size=plan.size,
        sectors=plan.sectors,
        sectors_written=work.sectors,
        verified=None if flash.dry_run or not readable else not failed,
        failed=tuple(failed),
        state=_why(flash, work) if failed else work.state(),
        notes=tuple(notes),
        dry_run=flash.dry_run,
    )


def erase(
    target: Target,
    address: int,
    size: int,
    *,
    keep_edges: bool = False,
    everything: bool = False,
    protected: Sequence[Span] = (),
    report: Report = silent,
) -> Erased:
    """Erase whole sectors; what is blank already is left alone unless ``everything`` is wanted.

    With ``keep_edges`` a range of any alignment: what else is in its first and last sector is read
    and written back.

    Raises: UsageError before anything is changed.
    """
    facts = facts_of(target, protected=protected)
    span = plan_erase(address, size, facts, keep_edges=keep_edges)
    flash = target.flash
    if (span.address, span.size) != (address, size):
        return _erase_with_edges(target, address, size, facts, report)
    whole = span == Span(0, facts.flash_size)
    if whole and not flash.dry_run and (everything or not _is_blank(flash, span)):
        report(Step("erasing", 0, size))
        if flash.erase_all():
            return _erased(flash, span, 0, [span] if _is_blank(flash, span) is False else [])
    skipped, failed = 0, []
    for piece in _blocks(span):
        if not everything and _is_blank(flash, piece):
            skipped += piece.size
        else:
            for _ in flash.erase(piece.address, piece.size):
                pass
            if not flash.dry_run and _is_blank(flash, piece) is False:
                failed.append(piece)
        report(Step("erasing", piece.address + piece.size - address, size))
    return _erased(flash, span, skipped, failed)


def ranges_text(spans: Sequence[Span]) -> str:
    """Return ranges in words, neighbours merged."""
    merged: list[Span] = []
    for span in sorted(spans, key=lambda span: span.address):
        if merged and merged[-1].address + merged[-1].size == span.address:
            merged[-1] = replace(merged[-1], size=merged[-1].size + span.size)
        else:
            merged.append(span)
    shown = [f"{hex32(s.address)}..{hex32(s.address + s.size)}" for s in merged[:_RANGES]]
    more = [f"{count_text(len(merged) - _RANGES, 'more range')}"] if len(merged) > _RANGES else []
    return ", ".join(shown + more)


_RANGES = 8  # in a sentence


def _write_segment(flash: Flash, work: Work, segment: Segment, report: Report, before: int) -> bool:
    """Write one segment until it verifies; say whether it did, or nothing can tell."""
    for _ in range(_TRIES):
        segment.stage = Stage.BEFORE if flash.dry_run else Stage.DOUBT
        if segment.data is None:
            steps = flash.erase(segment.address, segment.size)
        else:
            steps = flash.program(segment.address, segment.data)
        for sent in steps:
            report(Step("writing", before + sent, work.size))
        if flash.dry_run:
            return True
        segment.stage = Stage.SENT
        good = _holds(flash, segment)
        if good is None:
            return True
        segment.stage = Stage.DONE if good else Stage.FAILED
        if good:
            return True
    return False


def _holds(flash: Flash, segment: Segment) -> bool | None:
    """Say whether a segment is in the flash; None if nothing can tell."""
    if flash.has_digest:
        wanted = _md5(segment.wanted)
        if flash.digest(segment.address, segment.size) == wanted:
            return True
        return flash.digest(segment.address, segment.size, confirmed=True) == wanted
    if flash.is_readable:
        return flash.read(segment.address, segment.size) == segment.wanted
    return None


def _is_there(flash: Flash, image: Image) -> bool:
    wanted = _md5(image.data)
    if flash.digest(image.address, len(image.data)) == wanted:
        return True
    return flash.digest(image.address, len(image.data), confirmed=True) == wanted


def _is_blank(flash: Flash, span: Span) -> bool | None:
    """Say whether a range is blank; None if the loader cannot tell without reading it."""
    if not flash.has_digest:
        return None
    blank = blank_digest(span.size)
    if flash.digest(span.address, span.size) != blank:
        return flash.digest(span.address, span.size, confirmed=True) == blank
    return True


def _why(flash: Flash, work: Work) -> str:
    """Return the state, with what the sectors of a failed segment hold now."""
    told = [work.state()]
    for segment in work.segments:
        if segment.stage is not Stage.FAILED or not flash.has_digest:
            continue
        same, blank = [], []
        for at in _sectors(Span(segment.address, segment.size)):
            found = flash.digest(at, SECTOR, confirmed=True)
            if found == work.old.get(at):
                same.append(Span(at, SECTOR))
            elif found == blank_digest(SECTOR):
                blank.append(Span(at, SECTOR))
        if same:
            told.append(f"{ranges_text(same)} still as before: is it write-protected?")
        if blank:
            told.append(f"{ranges_text(blank)} erased and not programmed")
    return "; ".join(told)


def _segments(flash: Flash, plan: Plan, sectors: Sequence[int]) -> Iterator[Segment]:
    """Yield sectors put together to segments, blank ones apart from the others."""
    wanted = set(sectors)
    for span in plan.ranges:
        picked = [at for at in _sectors(span) if at in wanted]
        if not picked:
            continue
        contents = _contents(flash, plan, span, picked)
        run: list[int] = []
        for at in picked:
            is_blank = not contents[at].strip(_BLANK)
            fits = (
                run
                and at == run[-1] + SECTOR
                and at // flash.segment_size == run[0] // flash.segment_size
                and is_blank == (not contents[run[0]].strip(_BLANK))
            )
            if run and not fits:
                yield _segment(run, contents)
                run = []
            run.append(at)
        yield _segment(run, contents)


def _segment(run: Sequence[int], contents: dict[int, bytes]) -> Segment:
    data = b"".join(contents[at] for at in run)
    return Segment(run[0], len(data), data if data.strip(_BLANK) else None)


def _contents(flash: Flash, plan: Plan, span: Span, sectors: Sequence[int]) -> dict[int, bytes]:
    """Return what sectors shall hold: the images, and between them what is kept, or FF."""
    whole = bytearray(_BLANK * span.size)
    for edge in plan.edges if plan.keep_edges else ():
        first = edge.address - edge.address % SECTOR
        if span.address <= edge.address < span.address + span.size and first in sectors:
            at = edge.address - span.address
            whole[at : at + edge.size] = flash.read(edge.address, edge.size)
    for image in plan.images:
        at = image.address - span.address
        if 0 <= at < span.size:
            whole[at : at + len(image.data)] = image.data
    return {
        at: bytes(whole[at - span.address : at - span.address + SECTOR]) for at in _sectors(span)
    }


def _erase_with_edges(
    target: Target, address: int, size: int, facts: Facts, report: Report
) -> Erased:
    image = Image(address, _BLANK * size, "the range")
    plan = plan_write([image], facts, keep_edges=True, force=True)
    work = compare(target, plan, report=report)
    done = write(target.flash, work, report)
    span = Span(address, size)
    skipped = (plan.sectors - work.sectors) * SECTOR
    return replace(
        _erased(target.flash, span, min(skipped, size), list(done.failed)), verified=done.verified
    )


def _erased(flash: Flash, span: Span, skipped: int, failed: Sequence[Span]) -> Erased:
    notes: tuple[str, ...] = ()
    if not flash.has_digest and not flash.dry_run:
        notes = ("not verified: this loader has no digests",)
    verified = None if flash.dry_run or not flash.has_digest else not failed
    return Erased(span.address, span.size, skipped, verified, tuple(failed), notes, flash.dry_run)


def _sectors(span: Span) -> range:
    return range(span.address, span.address + span.size, SECTOR)


def _blocks(span: Span) -> Iterator[Span]:
    """Yield a range cut at every 64 KiB."""
    at, end = span.address, span.address + span.size
    while at < end:
        stop = min(end, at - at % _BLOCK + _BLOCK)
        yield Span(at, stop - at)
        at = stop


_BLOCK = 16 * SECTOR


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
