"""What is to be done to flash, segment by segment, and how far it has come.

Each segment is verified by digest before the next begins, so that at any moment at most one is in
doubt.  ``Work.state`` says so at any time, also after an error, Ctrl-C or a loss of power.  A
digest that fails is never passed over in silence, even if a second try mends the segment: what was
sent may have changed another place (``ops.flash.guard``), and ``Work.doubt`` says so.

A loader acknowledges the last block of a download before it programs it: until the digest agrees,
"sent" does not mean "written".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from espshell.device import Flash
from espshell.loader.digest import blank_digest, md5
from espshell.ops.flash import guard
from espshell.ops.flash.guard import Guard, Stray
from espshell.ops.flash.plan import SECTOR, Plan
from espshell.ops.memory.diff import Span, merged
from espshell.ops.progress import Report, Step
from espshell.units import count_text, hex32

BLANK = b"\xff"
"""What an erased byte is."""

_TRIES = 3
_RANGES = 8  # in a sentence


class Stage(Enum):
    """What is known of a segment: of one that is written, and of one that is erased."""

    BEFORE = "as before", "as before"
    DOUBT = "in doubt: as before, erased or partly written", "in doubt: as before or partly erased"
    SENT = "sent, not verified", "erased, not verified"
    DONE = "written and verified", "erased and verified"
    FAILED = "not as wanted", "not blank"

    def told(self, *, erased: bool) -> str:
        """Return it in words."""
        written, blank = self.value
        return blank if erased else written


@dataclass(slots=True)
class Segment:
    """Sectors that are written in one go; ``data`` None: to be erased."""

    address: int
    size: int
    data: bytes | None
    stage: Stage = Stage.BEFORE
    tries: int = 0
    """How often it was sent."""

    @property
    def wanted(self) -> bytes:
        """The bytes that shall be there."""
        return BLANK * self.size if self.data is None else self.data

    @property
    def digest(self) -> bytes:
        """Their MD5."""
        return blank_digest(self.size) if self.data is None else md5(self.data)

    @property
    def span(self) -> Span:
        """Where it is."""
        return Span(self.address, self.size)


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be done to make a plan come true, and how far it has come."""

    plan: Plan
    segments: tuple[Segment, ...]
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
        return sum(segment.size for segment in self.segments)

    @property
    def sectors(self) -> int:
        """How many sectors are written or erased."""
        return self.size // SECTOR

    @property
    def failed(self) -> tuple[Span, ...]:
        """The segments that are not as wanted, as far as is known."""
        return tuple(each.span for each in self.segments if each.stage is Stage.FAILED)

    @property
    def repeated(self) -> tuple[Span, ...]:
        """The segments that were not as wanted at first and are now."""
        return tuple(
            each.span for each in self.segments if each.stage is Stage.DONE and each.tries > 1
        )

    def doubt(self) -> str:
        """Return why another place may have changed, in a sentence; empty if none may."""
        sentences = []
        if self.repeated:
            sentences.append(
                f"{ranges_text(self.repeated)} was not as wanted at the first try and is now: "
                "another place may have been written"
            )
        sentences += [stray.text for stray in self.strays[:_RANGES]]
        if len(self.strays) > _RANGES:
            sentences.append(count_text(len(self.strays) - _RANGES, "more range"))
        if self.repeated and not self.strays:
            sentences.append("none was found where one flipped bit of the address leads")
        return "; ".join(sentences)

    def state(self) -> str:
        """Return which ranges are now in which state, in a sentence."""
        told: dict[str, list[Span]] = {}
        for stage in Stage:
            for each in self.segments:
                if each.stage is stage:
                    told.setdefault(stage.told(erased=each.data is None), []).append(each.span)
        return "; ".join(f"{ranges_text(spans)} {text}" for text, spans in told.items())


def run(flash: Flash, work: Work, action: str, report: Report) -> None:
    """Do what is to be done until a segment cannot be brought to what is wanted.

    Raises: DeviceError, NoReply or PortError; ``work.state()`` says what is known then.
    """
    guards = () if flash.dry_run or not work.segments else _guards(flash, work)
    done = 0
    for segment in work.segments:
        if not _written(flash, work, segment, Progress(action, done, work.size, report)):
            break
        done += segment.size
    work.strays.extend(guard.changed(flash, guards))


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a segment stands in all that is to be done."""

    action: str
    done: int
    total: int
    report: Report

    def sent(self, size: int) -> None:
        """Report that so many bytes of the segment are done."""
        self.report(Step(self.action, self.done + size, self.total))


def _written(flash: Flash, work: Work, segment: Segment, progress: Progress) -> bool:
    """Bring a segment to what is wanted in a few tries; return whether it is."""
    watched = _prepared(flash, segment) if work.everything and not flash.dry_run else ()
    if segment.stage is Stage.FAILED:
        work.strays.extend(guard.search(flash, segment.span, None))
    for _ in range(_TRIES):
        for sent in _attempt(flash, segment):
            progress.sent(sent)
        if segment.stage is not Stage.FAILED:
            work.strays.extend(guard.changed(flash, watched))
            return True
        if segment.tries == 1:
            work.strays.extend(guard.search(flash, segment.span, segment.data))
    return False


def _guards(flash: Flash, work: Work) -> tuple[Guard, ...]:
    if not (flash.has_digest or flash.is_readable):
        return ()
    erases = any(segment.data is None for segment in work.segments)
    posted = guard.post(flash, work.plan.ranges, far=erases or not flash.erases_as_data_comes)
    written = {at for segment in work.segments for at in sectors_of(segment.span)}
    edges = [edge for edge in work.plan.edges if edge.address // SECTOR * SECTOR not in written]
    return posted + guard.guards_at(flash, edges)


def _prepared(flash: Flash, segment: Segment) -> tuple[Guard, ...]:
    """Make sure that a segment which comes to another place does not look written.

    What is there already is erased first; what is blank already gets guards where one flipped bit
    would lead.
    """
    span, data = segment.span, segment.data
    if not (flash.has_digest or flash.is_readable) or not guard.holds(flash, span, data):
        return ()
    if data is None:
        return guard.guards_at(flash, guard.flipped(span, flash.size))
    segment.stage = Stage.DOUBT
    for _ in flash.erase(segment.address, segment.size):
        pass
    if guard.holds(flash, span, data):
        segment.stage, segment.tries = Stage.FAILED, 1
    return ()


def _attempt(flash: Flash, segment: Segment) -> Iterator[int]:
    """Write or erase a segment once and verify it; yield the bytes that are done."""
    if not flash.dry_run:
        segment.stage = Stage.DOUBT
    segment.tries += 1
    if segment.data is None:
        yield from flash.erase(segment.address, segment.size)
    else:
        yield from flash.program(segment.address, segment.data)
    if flash.dry_run:
        return
    segment.stage = Stage.SENT
    good = _holds(flash, segment)
    if good is not None:
        segment.stage = Stage.DONE if good else Stage.FAILED


def _holds(flash: Flash, segment: Segment) -> bool | None:
    """Say whether a segment is in the flash; None if nothing can tell, or not soon."""
    if flash.has_digest:
        return is_there(flash, segment.span, segment.digest)
    if flash.is_readable and segment.data is not None:
        return flash.read(segment.address, segment.size) == segment.data
    return None


def is_there(flash: Flash, span: Span, digest: bytes) -> bool:
    """Say whether a range has a digest; that it has not is asked twice."""
    if flash.digest(span.address, span.size) == digest:
        return True
    return flash.digest(span.address, span.size, confirmed=True) == digest


def sectors_of(span: Span) -> range:
    """Return the addresses of the sectors of whole sectors."""
    return range(span.address, span.address + span.size, SECTOR)


def ranges_text(spans: Sequence[Span]) -> str:
    """Return ranges in words, neighbours merged."""
    found = merged(spans)
    shown = [f"{hex32(s.address)}..{hex32(s.address + s.size)}" for s in found[:_RANGES]]
    more = [f"{count_text(len(found) - _RANGES, 'more range')}"] if len(found) > _RANGES else []
    return ", ".join(shown + more)
