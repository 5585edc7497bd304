"""Where flash is not as expected, found out by digests.

One digest of the whole is asked for first.  If it differs, parts are, eight at a time, down to
sectors: what goes over the wire follows the size of the difference.

Which reply may be believed is the subject of ``loader.digest``; here it is what follows from them
that is not believed at once:

- A sector that differs, and a range that is blank in flash, are asked about twice.
- A range whose bytes are all the same may look like another one (a bit of the request that
  flips): that it is equal is asked twice.
- If a range differs and none of its parts does, it is asked about again, and then they are.

What is left: a bit that flips in a request for an image of which the flash holds a copy exactly
there.  And all of it twice in a row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from espshell.device.flash import Flash
from espshell.errors import ReadsDiffer
from espshell.loader.digest import blank_digest, md5
from espshell.loader.erase import SECTOR
from espshell.ops.memory.diff import Span, merged
from espshell.ops.progress import Report, Step, silent
from espshell.units import hex32

_FAN_OUT = 8
_TRIES = 3


def differing_ranges(
    flash: Flash, address: int, data: bytes, *, unit: int = SECTOR, report: Report = silent
) -> tuple[Span, ...]:
    """Return where flash is not as ``data`` says: whole units, cut at the ends of the data.

    Raises: as ``differing_sectors``.
    """
    found = differing_sectors(flash, address, data, unit=unit, report=report)
    return sector_spans(address, len(data), found, unit)


def differing_sectors(
    flash: Flash,
    address: int,
    data: bytes,
    *,
    unit: int = SECTOR,
    confirm: bool = True,
    report: Report = silent,
) -> dict[int, bytes]:
    """Return which sectors of flash are not as ``data`` says, and the digest of what they hold.

    Keys are the starts of sectors in ascending order.  The digest is of that part of a sector
    that the data covers.

    unit: bytes of a sector, a power of two.
    confirm: without it a sector counts at its first answer: half as many are asked for where
        everything differs, and a flipped bit can make an equal sector differ.

    Raises: UsageError if this loader has no digests; ReadsDiffer if the answers contradict each
    other.
    """
    search = Search(flash, address, data, unit, confirm=confirm, report=report)
    return search.find()


class Search:
    """The sectors of one image that differ."""

    def __init__(
        self,
        flash: Flash,
        address: int,
        data: bytes,
        unit: int = SECTOR,
        *,
        confirm: bool = True,
        report: Report = silent,
    ) -> None:
        self._flash = flash
        self._start, self._end = address, address + len(data)
        self._data = data
        self._unit = unit
        self._confirm = confirm
        self._report = report

    def find(self) -> dict[int, bytes]:
        """Return starts and digests of the sectors that differ; see ``differing_sectors``."""
        start, end = self._start, self._end
        told = self._differing(start, end) if start < end else None
        if told is None:
            self._done(end)
            return {}
        return self._inside(start, end, told)

    def _inside(self, start: int, end: int, told: bytes) -> dict[int, bytes]:
        """Return the sectors of a range that differ, whose digest has been told."""
        if self._is_sector(start, end):
            self._done(end)
            return {start - start % self._unit: told}
        if told == blank_digest(end - start):
            return self._not_blank(start, end)
        for _ in range(_TRIES):
            found: dict[int, bytes] = {}
            for first, stop in _parts(start, end, self._unit):
                part = self._differing(first, stop)
                if part is None:
                    self._done(stop)
                else:
                    found |= self._inside(first, stop, part)
            if found:
                return found
            told = self._flash.digest_behind_fence(start, end - start)
            if told == self._expected(start, end):
                return {}
        raise ReadsDiffer(
            f"flash {hex32(start)}..{hex32(end)} is not as expected, and each part of it is",
            hint="check cable and baud rate, and the flash",
        )

    def _differing(self, start: int, end: int) -> bytes | None:
        """Return the digest of a range that is not as expected; None of one that is."""
        data, size = self._slice(start, end), end - start
        expected = md5(data)
        told, twice = self._flash.ask_digest(start, size)
        if told == expected:
            doubt = data.count(data[0]) == size
        else:
            counts = self._confirm and self._is_sector(start, end)
            doubt = counts or told == blank_digest(size)
        if doubt and not twice:
            told = self._flash.ask_digest_again(start, size, told)
        return None if told == expected else told

    def _not_blank(self, start: int, end: int) -> dict[int, bytes]:
        """Return the sectors of a range that is blank in flash, and not to be."""
        self._done(end)
        return {
            first - first % self._unit: blank_digest(stop - first)
            for first, stop in cuts(start, end, self._unit)
            if self._slice(first, stop).strip(b"\xff")
        }

    def _is_sector(self, start: int, end: int) -> bool:
        return start // self._unit == (end - 1) // self._unit

    def _slice(self, start: int, end: int) -> bytes:
        return self._data[start - self._start : end - self._start]

    def _expected(self, start: int, end: int) -> bytes:
        return md5(self._slice(start, end))

    def _done(self, end: int) -> None:
        self._report(Step("comparing", end - self._start, self._end - self._start))


def _parts(start: int, end: int, unit: int) -> Iterator[tuple[int, int]]:
    """Cut a range into at most eight parts, at multiples of a size as small as that allows."""
    while -(-end // unit) - start // unit > _FAN_OUT:
        unit *= _FAN_OUT
    return cuts(start, end, unit)


def cuts(start: int, end: int, unit: int) -> Iterator[tuple[int, int]]:
    """Yield start and end of the parts of a range in each unit that it touches."""
    while start < end:
        stop = min(end, start - start % unit + unit)
        yield start, stop
        start = stop


def sector_spans(
    address: int, size: int, sectors: Iterable[int], unit: int = SECTOR
) -> tuple[Span, ...]:
    """Return sectors as ranges, neighbours put together, cut at the ends of what was compared."""
    ends = ((max(at, address), min(at + unit, address + size)) for at in sectors)
    return merged(Span(first, stop - first) for first, stop in ends)
