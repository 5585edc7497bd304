"""The verb ``verify``: whether flash holds what files say, and where it does not.

One digest of each file first, or of its blocks where something is expected to differ; if one does,
digests down to sectors (``ops.flash.digest_compare``).  Bytes are read only of sectors that differ,
and what is read of them must agree with their digest.  What a digest gives away (blank, or only
flash settings patched) is not read at all.

A loader without digests (the ROM of an ESP8266) has everything read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from espshell.device import Flash
from espshell.errors import ReadsDiffer
from espshell.loader.digest import md5
from espshell.ops.flash.digest_compare import differing_sectors, sector_spans
from espshell.ops.flash.explain import explain, known_contents
from espshell.ops.flash.payload import Payload
from espshell.ops.memory import diff as bytewise
from espshell.ops.memory.diff import Difference
from espshell.ops.memory.reading import read_settled
from espshell.ops.result import Report, Result, Step, silent
from espshell.records import dataclass
from espshell.span import Span, align_down
from espshell.units import MIB, SECTOR, count_text, size_text

if TYPE_CHECKING:
    from espshell.chips import Chip
    from espshell.image.partitions import PartitionTable

DIFF_BY_STUB = MIB
"""Bytes from which on a stub that is to be started first finds differences sooner than a ROM."""

MOST = 64
"""Sectors that are compared byte by byte by default."""

_TRIES = 3


@dataclass(frozen=True, slots=True)
class Verify(Result):
    """Where flash is not as files say."""

    files: tuple[tuple[str, int, int], ...]
    """Name, address and size of each."""
    method: str
    """``digest`` or ``read``."""
    differing: tuple[Span, ...]
    """Whole sectors, cut where a file begins and ends, in the order of the files."""
    sectors: int
    """How many of them."""
    compared: tuple[Difference, ...] = ()
    """The first of them byte by byte, where ``diff`` was given."""
    compared_sectors: int = 0
    explanations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return self.ok

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(size for _, _, size in self.files)

    @property
    def failure(self) -> str:
        """How much differs; empty if nothing does."""
        if not self.differing:
            return ""
        verb = "differs" if self.sectors == 1 else "differ"
        return f"{count_text(self.sectors, 'sector')} of {size_text(self.size)} {verb}"

    @property
    def needs_erase(self) -> bool | None:
        """Whether a bit must go from 0 to 1; None if too little was compared to know."""
        if any(area.bits_cleared for area in self.compared):
            return True
        return False if self.compared and self.compared_sectors == self.sectors else None

    @property
    def summary(self) -> str:
        """The changes that make flash as expected; empty unless bytes were compared."""
        if not self.compared:
            return ""
        count = sum(area.bytes_differing for area in self.compared)
        ranges = sum(len(area.differing) for area in self.compared)
        down = sum(area.bits_set for area in self.compared)
        up = sum(area.bits_cleared for area in self.compared)
        text = (
            f"{count_text(count, 'byte')} in {count_text(ranges, 'range')}; "
            f"{count_text(down, 'bit')} 1 to 0 and {up} 0 to 1"
        )
        if self.needs_erase is not None:
            text += f": {'needs' if self.needs_erase else 'can be programmed without'} an erase"
        if self.compared_sectors < self.sectors:
            text += f" (first {self.compared_sectors} of {self.sectors} sectors compared)"
        return text


def verify(
    flash: Flash,
    payloads: Sequence[Payload],
    *,
    diff: bool = False,
    most: int | None = MOST,
    table: Callable[[], PartitionTable | None] | None = None,
    chip: Chip | None = None,
    report: Report = silent,
) -> Verify:
    """Compare flash with images; with ``diff`` read the sectors that differ, and compare bytes.

    most: how many sectors are compared so, the first ones; None for all.
    table: finds out what partitions there are; called if something differs.
    chip: whose names flash frequencies have.

    Raises: UsageError if an image is not in the flash, before anything is asked; ReadsDiffer if
    the answers contradict each other.
    """
    for payload in payloads:
        flash.check(payload.address, payload.size)
    by_digest = flash.has_digest
    compared = [_compared(flash, payload, report, diff=diff) for payload in payloads]
    count = sum(len(comparison.digests) for comparison in compared)
    pairs = [(comparison, at) for comparison in compared for at in comparison.digests]
    chosen = pairs[:most] if diff else []
    _read(flash, chosen, report)
    explanations: list[str] = []
    for comparison in compared:
        name, spans = comparison.payload.name, comparison.spans
        partitions = table() if table and spans else None
        contents = comparison.contents
        texts = explain(comparison.payload, spans, contents, table=partitions, chip=chip)
        explanations += [f"{name}: {text}" if len(payloads) > 1 else text for text in texts]
    size = size_text(sum(payload.size for payload in payloads))
    return Verify(
        files=tuple((payload.name, payload.address, payload.size) for payload in payloads),
        method="digest" if by_digest else "read",
        differing=tuple(span for comparison in compared for span in comparison.spans),
        sectors=count,
        compared=tuple(_areas(chosen)),
        compared_sectors=len(chosen),
        explanations=tuple(explanations),
        notes=() if by_digest else (f"this loader has no digests: {size} were read",),
    )


@dataclass(frozen=True, slots=True)
class _Comparison:
    """An image: digests of the sectors that differ, and the contents of some of them."""

    payload: Payload
    digests: Mapping[int, bytes]
    contents: dict[int, bytes]
    """By the address of their first byte."""

    @property
    def spans(self) -> tuple[Span, ...]:
        return sector_spans(self.payload.span, self.digests)

    def part(self, sector: int) -> Span:
        """Return the part of a sector that the image covers."""
        return self.payload.span.intersection(Span.of(sector, SECTOR))


def _compared(flash: Flash, payload: Payload, report: Report, *, diff: bool) -> _Comparison:
    """Compare by digest or, where there are none, by reading everything."""
    contents: dict[int, bytes] = {}
    if flash.has_digest:
        digests = differing_sectors(
            flash, payload.address, payload.data, contents=contents if diff else None, report=report
        )
        return _Comparison(payload, digests, known_contents(payload, digests) | contents)
    for part in payload.span.pieces(SECTOR):
        expected = payload.part(part)
        actual = read_settled(flash, part, expected)
        if actual != expected:
            contents[part.start] = actual
        report(Step("reading", part.end - payload.address, payload.size))
    digests = {align_down(start, SECTOR): md5(data) for start, data in contents.items()}
    return _Comparison(payload, digests, contents)


def _read(flash: Flash, sectors: Sequence[tuple[_Comparison, int]], report: Report) -> None:
    """Read the contents of sectors as far as they are not known. Raises: ReadsDiffer."""
    for done, (comparison, sector) in enumerate(sectors, start=1):
        part = comparison.part(sector)
        if part.start not in comparison.contents:
            readings = (flash.read(part.start, part.size) for _ in range(_TRIES))
            digest = comparison.digests[sector]
            data = next((data for data in readings if md5(data) == digest), None)
            if data is None:
                raise ReadsDiffer(
                    f"readings of flash {part} do not agree",
                    hint="check cable and baud rate, and the flash",
                )
            comparison.contents[part.start] = data
        report(Step("reading", done * SECTOR, len(sectors) * SECTOR))


def _areas(sectors: Sequence[tuple[_Comparison, int]]) -> Iterator[Difference]:
    """Yield what differs in each run of sectors."""
    runs: list[tuple[_Comparison, Span]] = []
    for comparison, sector in sectors:
        part = comparison.part(sector)
        if runs and runs[-1][0] is comparison and runs[-1][1].end == part.start:
            part = Span(runs.pop()[1].start, part.end)
        runs.append((comparison, part))
    for comparison, run in runs:
        actual = b"".join(comparison.contents[part.start] for part in run.pieces(SECTOR))
        yield bytewise.diff(comparison.payload.part(run), actual, address=run.start)
