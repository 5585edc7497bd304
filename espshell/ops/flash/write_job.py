"""A write job: the segments to be written or erased, and the state of each.

Each segment is verified by digest before the next begins, so that at any moment at most one is in
doubt.  ``WriteJob.state`` says so at any time, also after an error, Ctrl-C or a loss of power.  A
digest that fails is never passed over in silence, even if a second try mends the segment: what was
sent may have changed another place (``ops.flash.guard``), and ``WriteJob.doubt`` says so.

A loader acknowledges the last block of a download before it programs it: until the digest agrees,
"sent" does not mean "written".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum

from espshell.device import Flash
from espshell.loader.digest import blank_digest, md5
from espshell.ops.flash import guard
from espshell.ops.flash.guard import Guards, Stray
from espshell.ops.flash.plan import Plan
from espshell.ops.memory.reading import read_settled
from espshell.ops.result import Report, Result, Step
from espshell.records import dataclass, field
from espshell.span import Span, align_down, merged
from espshell.units import SECTOR, count_text

BLANK = b"\xff"
"""What an erased byte is."""

_TRIES = 3
_RANGES = 8  # in a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutcome(Result):
    """What came of a job on a range of flash; the results add what was to be there."""

    address: int
    size: int
    """Bytes of the images or of the range."""
    verified: bool | None
    """None where the loader has no digests and nothing was read back."""
    failed: tuple[Span, ...] = ()
    wrong: str = ""
    """What is not there as it should be, in a sentence."""
    notes: tuple[str, ...] = ()
    dry_run: bool = False
    elsewhere: tuple[Stray, ...] = ()
    """Other places that may have changed."""
    doubt: str = ""
    """Why another place may have changed, in a sentence; empty if none may."""

    @property
    def failure(self) -> str:
        """The ranges that are wrong, and others that may have changed."""
        return "; ".join(filter(None, (self.wrong, self.doubt)))


class Stage(Enum):
    """The state of a segment: of one that is written, and of one that is erased."""

    BEFORE = "as before", "as before"
    DOUBT = "in doubt: as before, erased or partly written", "in doubt: as before or partly erased"
    SENT = "sent, not verified", "erased, not verified"
    DONE = "written and verified", "erased and verified"
    FAILED = "not as wanted", "not blank"


@dataclass(slots=True)
class JobSegment:
    """Sectors that are written in one go; ``data`` None: to be erased."""

    span: Span
    data: bytes | None
    stage: Stage = Stage.BEFORE
    tries: int = 0
    """How often it was sent."""
    witness: Span | None = None
    """A part that is not blank before it is erased: what one command clears is blank there
    afterwards, or it was not erased."""


@dataclass(frozen=True, slots=True)
class WriteJob:
    """The segments that carry out a plan, and how far they have come."""

    plan: Plan
    segments: tuple[JobSegment, ...]
    old: dict[int, bytes] = field(default_factory=dict)
    """Digests of sectors before, by address, where they were asked for; each of that part of the
    sector that its image covers."""
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    """About how long it will take at most."""
    everything: bool = False
    """Whether it is not known that each sector differs."""
    strays: list[Stray] = field(default_factory=list)
    """Other places that may have changed."""

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.span.size for segment in self.segments)

    @property
    def sectors(self) -> int:
        """How many sectors are written or erased."""
        return self.size // SECTOR

    @property
    def failed(self) -> tuple[Span, ...]:
        """The segments that are known not to hold what they should."""
        return tuple(segment.span for segment in self.segments if segment.stage is Stage.FAILED)

    def doubt(self) -> str:
        """Return why another place may have changed, in a sentence; empty if none may."""
        done = (segment for segment in self.segments if segment.stage is Stage.DONE)
        repeated = [segment.span for segment in done if segment.tries > 1]
        sentences = []
        if repeated:
            sentences.append(
                f"{ranges_text(repeated)} was wrong at the first try and is right now: "
                "another place may have been written"
            )
        sentences += [f"{stray.span} {stray.reason}" for stray in self.strays[:_RANGES]]
        if len(self.strays) > _RANGES:
            sentences.append(count_text(len(self.strays) - _RANGES, "more range"))
        if repeated and not self.strays:
            sentences.append("none was found at addresses that differ in one bit")
        return "; ".join(sentences)

    def state(self) -> str:
        """Return which ranges are now in which state, in a sentence."""
        by_text: dict[str, list[Span]] = {}
        for segment in sorted(self.segments, key=lambda segment: list(Stage).index(segment.stage)):
            text = segment.stage.value[segment.data is None]
            by_text.setdefault(text, []).append(segment.span)
        return "; ".join(f"{ranges_text(spans)} {text}" for text, spans in by_text.items())


def run(flash: Flash, job: WriteJob, action: str, report: Report) -> None:
    """Write or erase segment by segment, until one fails at every try.

    Raises: DeviceError, NoReply or PortError; ``job.state()`` says what is known then.
    """
    done, before = 0, flash.erases_in_doubt
    ranges = job.plan.ranges
    for span, end in zip(ranges, [*(r.start for r in ranges[1:]), flash.size], strict=True):
        segments = [segment for segment in job.segments if segment.span.start in span]
        if not segments:
            continue
        with flash.limited(span.end) as limited:
            guards = {} if flash.dry_run else _guards(flash, job, span, end, limited=limited)
            for segment in segments:
                for sent in _write(flash, job, segment):
                    report(Step(action, done + sent, job.size))
                if segment.stage is Stage.FAILED:
                    break
                done += segment.span.size
            job.strays.extend(guard.changed(flash, guards))
        if job.failed:
            break
    if flash.has_chip_erase and flash.has_digest and flash.erases_in_doubt != before:
        job.strays.extend(guard.erased_all(flash, ranges))


def _guards(flash: Flash, job: WriteJob, span: Span, end: int, *, limited: bool) -> Guards:
    """Return the guards of a range of the plan, and of edges in it whose sectors stay."""
    if not (flash.has_digest or flash.is_readable):
        return {}
    erases = any(segment.data is None for segment in job.segments)
    writes = any(segment.data is not None for segment in job.segments)
    posted: Guards = {}
    if writes or not limited:
        far = erases or not flash.erases_as_data_comes
        posted = guard.post(flash, span, end, far=far, limited=limited)
    written = {at for segment in job.segments for at in sectors_of(segment.span)}
    edges = [
        edge
        for edge in job.plan.edges
        if edge.start in span and align_down(edge.start, SECTOR) not in written
    ]
    return posted | guard.guards_at(flash, edges)


def _write(flash: Flash, job: WriteJob, segment: JobSegment) -> Iterator[int]:
    """Write or erase a segment in a few tries, each verified; yield the bytes that are done."""
    watched = _prepared(flash, segment) if job.everything and not flash.dry_run else {}
    if segment.stage is Stage.FAILED:
        job.strays.extend(guard.search(flash, segment.span, None))
    for _ in range(_TRIES):
        segment.tries += 1
        if not flash.dry_run:
            segment.stage = Stage.DOUBT
        if segment.data is None:
            yield from flash.erase(segment.span.start, segment.span.size)
        else:
            yield from flash.program(segment.span.start, segment.data)
        if flash.dry_run:
            return
        segment.stage = Stage.SENT
        good = _holds(flash, segment)
        if good is not None:
            segment.stage = Stage.DONE if good else Stage.FAILED
        if segment.stage is not Stage.FAILED:
            job.strays.extend(guard.changed(flash, watched))
            return
        if segment.tries == 1:
            job.strays.extend(guard.search(flash, segment.span, segment.data))


def _prepared(flash: Flash, segment: JobSegment) -> Guards:
    """Make sure that a segment which comes to another place does not look written.

    What is there already is erased first; what is blank already gets guards where one flipped bit
    would lead.
    """
    span, data = segment.span, segment.data
    if not (flash.has_digest or flash.is_readable) or not guard.holds(flash, span, data):
        return {}
    if data is None:
        return guard.guards_at(flash, guard.flipped(span, flash.reach))
    segment.stage = Stage.DOUBT
    for _ in flash.erase(span.start, span.size):
        pass
    if flash.has_digest:
        is_gone = guard.holds(flash, span, None)
    else:
        is_gone = not guard.holds(flash, span, data)
    if not is_gone:
        segment.stage, segment.tries = Stage.FAILED, 1
    return {}


def _holds(flash: Flash, segment: JobSegment) -> bool | None:
    """Return whether flash holds a segment; None if nothing can tell, or not soon."""
    if flash.has_digest:
        span = (segment.data is None and segment.witness) or segment.span
        digest = blank_digest(span.size) if segment.data is None else md5(segment.data)
        return is_there(flash, span, digest)
    if flash.is_readable and segment.data is not None:
        return read_settled(flash, segment.span, segment.data) == segment.data
    return None


def is_there(flash: Flash, span: Span, digest: bytes) -> bool:
    """Return whether a range has this digest; another one is confirmed first."""
    if flash.digest(span.start, span.size) == digest:
        return True
    return flash.digest(span.start, span.size, confirmed=True) == digest


def sectors_of(span: Span) -> range:
    """Return the addresses of the sectors of whole sectors."""
    return range(span.start, span.end, SECTOR)


def ranges_text(spans: Sequence[Span]) -> str:
    """Return ranges in words, neighbours merged."""
    ranges = merged(spans)
    shown = [str(span) for span in ranges[:_RANGES]]
    more = [count_text(len(ranges) - _RANGES, "more range")] if len(ranges) > _RANGES else []
    return ", ".join(shown + more)
