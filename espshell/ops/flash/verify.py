"""The verb ``verify``: whether flash holds what files say, and where it does not.

One digest of each file first; if it differs, digests down to sectors
(``ops.flash.digest_compare``).  Bytes are read only of sectors that differ, and what is read of
them must agree with their digest.  What a digest gives away (blank, or only flash settings patched)
is not read at all.

A loader without digests (the ROM of an ESP8266) has everything read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from espshell.device import Flash
from espshell.errors import ReadsDiffer
from espshell.loader.agreed import agreed
from espshell.loader.digest import md5
from espshell.loader.erase import SECTOR
from espshell.ops.flash.digest_compare import Search, cuts, sector_spans
from espshell.ops.flash.digest_compare import differing_ranges as differing_ranges
from espshell.ops.flash.digest_compare import differing_sectors as differing_sectors
from espshell.ops.flash.explain import explain, known_contents
from espshell.ops.flash.payload import Image
from espshell.ops.memory import diff as bytewise
from espshell.ops.memory.diff import Difference, Span
from espshell.ops.progress import Report, Step, silent
from espshell.ops.result import Result
from espshell.units import count_text, hex32, size_text

if TYPE_CHECKING:
    from espshell.chips import Chip
    from espshell.image.partitions import PartitionTable

MOST = 64
"""Sectors that are compared byte by byte, unless more are wanted."""

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
    """What is in the first of them, byte by byte, where that was asked."""
    compared_sectors: int = 0
    explanations: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing differs."""
        return not self.differing

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
        if self.ok:
            return ""
        verb = "differs" if self.sectors == 1 else "differ"
        return f"{count_text(self.sectors, 'sector')} of {size_text(self.size)} {verb}"

    @property
    def needs_erase(self) -> bool | None:
        """Whether a bit must go from 0 to 1; None if what was compared does not tell."""
        if any(each.bits_cleared for each in self.compared):
            return True
        return False if self.compared and self.compared_sectors == self.sectors else None

    @property
    def summary(self) -> str:
        """What must change to get what is expected; empty unless bytes were compared."""
        if not self.compared:
            return ""
        count = sum(each.bytes_differing for each in self.compared)
        ranges = sum(len(each.differing) for each in self.compared)
        down = sum(each.bits_set for each in self.compared)
        up = sum(each.bits_cleared for each in self.compared)
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
    images: Sequence[Image],
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
    for image in images:
        flash.check(image.address, len(image.data))
    by_digest = flash.has_digest
    find = _by_digest if by_digest else _by_reading
    found = find(flash, images, report)
    sectors = sum(len(each.digests) for each in found)
    wanted = _first(found, most) if diff else []
    _read(flash, wanted, report)
    explanations: list[str] = []
    for each in found:
        known = table() if table and each.spans else None
        told = explain(each.image, each.spans, each.contents, table=known, chip=chip)
        explanations += [f"{each.image.name}: {text}" if len(images) > 1 else text for text in told]
    size = size_text(sum(len(image.data) for image in images))
    return Verify(
        files=tuple((image.name, image.address, len(image.data)) for image in images),
        method="digest" if by_digest else "read",
        differing=tuple(span for each in found for span in each.spans),
        sectors=sectors,
        compared=tuple(_areas(wanted)),
        compared_sectors=len(wanted),
        explanations=tuple(explanations),
        notes=() if by_digest else (f"this loader has no digests: {size} were read",),
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What is known of one image: digests of the sectors that differ, contents of some."""

    image: Image
    digests: Mapping[int, bytes]
    contents: dict[int, bytes]
    """By the address of their first byte."""

    @property
    def spans(self) -> tuple[Span, ...]:
        return sector_spans(self.image.address, len(self.image.data), self.digests)

    def part(self, sector: int) -> Span:
        """Return what the image covers of a sector."""
        first = max(sector, self.image.address)
        return Span(first, min(sector + SECTOR, self.image.end) - first)


def _by_digest(flash: Flash, images: Sequence[Image], report: Report) -> list[_Found]:
    found = []
    for image in images:
        digests = Search(flash, image.address, image.data, report=report).find()
        found.append(_Found(image, digests, known_contents(image, digests)))
    return found


def _by_reading(flash: Flash, images: Sequence[Image], report: Report) -> list[_Found]:
    found = []
    for image in images:
        contents: dict[int, bytes] = {}
        for first, stop in cuts(image.address, image.end, SECTOR):
            wanted = image.data[first - image.address : stop - image.address]
            actual = flash.read(first, stop - first)
            if actual != wanted:
                read = partial(flash.read, first, stop - first)
                actual = agreed(read, f"flash {hex32(first)}..{hex32(stop)}", first=actual)
            if actual != wanted:
                contents[first] = actual
            report(Step("reading", stop - image.address, len(image.data)))
        digests = {first - first % SECTOR: md5(data) for first, data in contents.items()}
        found.append(_Found(image, digests, contents))
    return found


def _first(found: Sequence[_Found], most: int | None) -> list[tuple[_Found, int]]:
    """Return the first sectors that differ, each with what is known of its image."""
    return [(each, sector) for each in found for sector in each.digests][:most]


def _read(flash: Flash, wanted: Sequence[tuple[_Found, int]], report: Report) -> None:
    """See that the contents of sectors are known."""
    for done, (each, sector) in enumerate(wanted, start=1):
        part = each.part(sector)
        if part.address not in each.contents:
            each.contents[part.address] = _read_as_told(flash, part, each.digests[sector])
        report(Step("reading", done * SECTOR, len(wanted) * SECTOR))


def _areas(wanted: Sequence[tuple[_Found, int]]) -> Iterator[Difference]:
    """Yield what differs in each run of sectors."""
    runs: list[tuple[_Found, list[Span]]] = []
    for each, sector in wanted:
        part = each.part(sector)
        if runs and runs[-1][0] is each and _end(runs[-1][1][-1]) == part.address:
            runs[-1][1].append(part)
        else:
            runs.append((each, [part]))
    for each, parts in runs:
        actual = b"".join(each.contents[part.address] for part in parts)
        start = parts[0].address
        expected = each.image.data[start - each.image.address :][: len(actual)]
        yield bytewise.diff(expected, actual, address=start)


def _end(span: Span) -> int:
    return span.address + span.size


def _read_as_told(flash: Flash, span: Span, told: bytes) -> bytes:
    """Read a range whose digest is known. Raises: ReadsDiffer."""
    for _ in range(_TRIES):
        data = flash.read(span.address, span.size)
        if md5(data) == told:
            return data
    raise _unsure(span.address, span.size)


def _unsure(address: int, size: int) -> ReadsDiffer:
    return ReadsDiffer(
        f"readings of flash {hex32(address)}..{hex32(address + size)} do not agree",
        hint="check cable and baud rate, and the flash",
    )
