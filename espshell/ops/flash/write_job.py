"""What is to be done to flash, segment by segment, and how far it has come.

Each segment is verified by digest before the next begins, so that at any moment at most one is in
doubt.  ``Work.state`` says so at any time, also after an error, Ctrl-C or a loss of power.

A loader acknowledges the last block of a download before it programs it: until the digest agrees,
"sent" does not mean "written".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from espshell.device import Flash
from espshell.loader.digest import blank_digest, md5
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
    done = 0
    for segment in work.segments:
        for _ in range(_TRIES):
            for sent in _attempt(flash, segment):
                report(Step(action, done + sent, work.size))
            if segment.stage is not Stage.FAILED:
                break
        else:
            return
        done += segment.size


def _attempt(flash: Flash, segment: Segment) -> Iterator[int]:
    """Write or erase a segment once and verify it; yield the bytes that are done."""
    if not flash.dry_run:
        segment.stage = Stage.DOUBT
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
