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

from collections.abc import Iterable
from dataclasses import dataclass

from espshell.device.flash import Flash
from espshell.errors import ReadsDiffer
from espshell.loader.digest import blank_digest, md5
from espshell.ops.progress import Report, Step, silent
from espshell.span import Span, align_down, merged
from espshell.units import SECTOR

_FAN_OUT = 8
_TRIES = 3


def differing_sectors(
    flash: Flash,
    address: int,
    data: bytes,
    *,
    unit: int = SECTOR,
    confirm: bool = True,
    report: Report = silent,
) -> dict[int, bytes]:
    """Return the sectors of flash that are not as ``data`` says, and digests of what they hold.

    Keys are the starts of sectors in ascending order.  The digest is of that part of a sector
    that the data covers.

    unit: bytes of a sector, a power of two.
    confirm: without it a sector counts at its first answer: half as many are asked for where
        everything differs, and a flipped bit can make an equal sector differ.

    Raises: UsageError if this loader has no digests; ReadsDiffer if the answers contradict each
    other.
    """
    whole = Span.of(address, len(data))
    search = _SectorSearch(flash, whole, data, unit, confirm, report)
    return search.sectors(whole) if whole else {}


@dataclass(frozen=True, slots=True)
class _SectorSearch:
    """A search for the sectors of one image that differ; see ``differing_sectors``."""

    flash: Flash
    whole: Span
    data: bytes
    unit: int
    confirm: bool
    report: Report

    def sectors(self, span: Span) -> dict[int, bytes]:
        """Return starts and digests of the sectors of a range that differ."""
        digest = self._differing(span)
        if digest is not None and not self._is_sector(span):
            return self._inside(span, digest)
        self._done(span)
        return {} if digest is None else {align_down(span.start, self.unit): digest}

    def _inside(self, span: Span, digest: bytes) -> dict[int, bytes]:
        """Return the sectors that differ of a range that has this digest and differs."""
        if digest == blank_digest(span.size):
            return self._not_blank(span)
        unit = self.unit
        while span.units(unit) > _FAN_OUT:
            unit *= _FAN_OUT
        for _ in range(_TRIES):
            sectors: dict[int, bytes] = {}
            for part in span.pieces(unit):
                sectors |= self.sectors(part)
            if sectors:
                return sectors
            again = self.flash.digest_behind_fence(span.start, span.size)
            if again == md5(self._bytes(span)):
                return {}
        raise ReadsDiffer(
            f"flash {span} is not as expected, and each part of it is",
            hint="check cable and baud rate, and the flash",
        )

    def _differing(self, span: Span) -> bytes | None:
        """Return the digest of a range that is not as expected; None of one that is."""
        data = self._bytes(span)
        expected = md5(data)
        digest, twice = self.flash.ask_digest(span.start, span.size)
        if digest == expected:
            doubt = data.count(data[0]) == span.size
        else:
            counts = self.confirm and self._is_sector(span)
            doubt = counts or digest == blank_digest(span.size)
        if doubt and not twice:
            digest = self.flash.ask_digest_again(span.start, span.size, digest)
        return None if digest == expected else digest

    def _not_blank(self, span: Span) -> dict[int, bytes]:
        """Return the sectors of a range that is blank in flash, and not to be."""
        self._done(span)
        return {
            align_down(part.start, self.unit): blank_digest(part.size)
            for part in span.pieces(self.unit)
            if self._bytes(part).strip(b"\xff")
        }

    def _is_sector(self, span: Span) -> bool:
        return span.units(self.unit) == 1

    def _bytes(self, span: Span) -> bytes:
        return self.data[span.offsets(self.whole.start)]

    def _done(self, span: Span) -> None:
        self.report(Step("comparing", span.end - self.whole.start, self.whole.size))


def sector_spans(whole: Span, sectors: Iterable[int], unit: int = SECTOR) -> tuple[Span, ...]:
    """Return sectors as ranges, neighbours put together, cut at the ends of what was compared."""
    return merged(whole.intersection(Span.of(sector, unit)) for sector in sectors)
