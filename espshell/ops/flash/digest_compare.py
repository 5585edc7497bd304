"""Where flash is not as expected, found out by digests.

One digest of the whole is asked for first.  If it differs, parts are, eight at a time, down to
sectors: what goes over the wire follows the size of the difference.

Which reply may be believed is the subject of ``loader.digest``; here it is what follows from them
that is not believed at once:

- A sector that differs, and a range that is blank in flash, are asked about twice.
- A range whose bytes are all the same may look like another one (a bit of the request that
  flips): that it is equal is asked twice.
- If a range differs and none of its parts does, it is asked about again, and then they are.

With our handlers a stub sends the CRC-32 of each sector in one request.  They say where to look; a
digest says what is equal.

What is left: a bit that flips in a request for an image of which the flash holds a copy exactly
there.  And all of it twice in a row.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from espshell.device.flash import Flash
from espshell.errors import ReadsDiffer
from espshell.loader.digest import BLOCK, blank_digest, md5
from espshell.ops.result import Report, Step, silent
from espshell.records import dataclass
from espshell.span import Span, align_down, gaps, merged
from espshell.units import SECTOR, WORD

_FAN_OUT = 8
_FEW, _MANY = 2, 64  # sectors that differ in a range: these are read; with more it is cut in eight
_LEAST_OTHERS = 8  # sectors for each that is read
_CRC_S = 0.4e-6  # a byte, about
_TRIES = 3


def differing_sectors(
    flash: Flash,
    address: int,
    data: bytes,
    *,
    unit: int = SECTOR,
    confirm: bool = True,
    contents: dict[int, bytes] | None = None,
    report: Report = silent,
) -> dict[int, bytes]:
    """Return the sectors of flash that are not as ``data`` says, and digests of what they hold.

    Keys are the starts of sectors in ascending order.  The digest is of that part of a sector
    that the data covers.

    unit: bytes of a sector, a power of two.
    confirm: without it a sector counts at its first answer: half as many are asked for where
        everything differs, and a flipped bit can make an equal sector differ.  Where the chip
        has sums of sectors they are enough, and the digest is the CRC-32, little endian.
    contents: gets what a few sectors hold that were read on the way, by the start of each.  It also
        says that something is expected to differ: then there is no digest of the whole, but of
        blocks.

    Raises: UsageError if this loader has no digests; ReadsDiffer if the answers contradict each
    other.
    """
    whole = Span.of(address, len(data))
    search = _SectorSearch(flash, whole, data, unit, confirm, report, contents)
    block = BLOCK  # what is asked about at once, so that round trips and looks cost alike
    while 2 * block < whole.size and block * block < whole.size * flash.latency_s / _CRC_S:
        block *= 2
    spans = [whole] if contents is None else whole.pieces(block)
    differing: dict[int, bytes] = {}
    for span in spans if whole else ():
        differing |= search.sectors(span)
    return differing


@dataclass(frozen=True, slots=True)
class _SectorSearch:
    """A search for the sectors of one image that differ; see ``differing_sectors``."""

    flash: Flash
    whole: Span
    data: bytes
    unit: int
    confirm: bool
    report: Report
    contents: dict[int, bytes] | None = None

    def sectors(self, span: Span) -> dict[int, bytes]:
        """Return starts and digests of the sectors of a range that differ."""
        digest = self._differing(span)
        if digest is None or span.units(self.unit) == 1:
            self._done(span)
            return {} if digest is None else {align_down(span.start, self.unit): digest}
        if digest == blank_digest(span.size):
            self._done(span)
            return {
                align_down(part.start, self.unit): blank_digest(part.size)
                for part in span.pieces(self.unit)
                if self._bytes(part).strip(b"\xff")
            }
        if (
            self.unit == SECTOR
            and span.units(SECTOR) > 2
            and (differing := self._by_crcs(span, digest))
        ):
            self._done(span)
            return differing
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
            f"flash {span} does not match its digest, but each of its parts does",
            hint="check cable and baud rate, and the flash",
        )

    def _by_crcs(self, span: Span, digest: bytes) -> dict[int, bytes]:
        """Return the sectors of a range that differ by the sums of all; none if they say nothing.

        That the others are equal is claimed by digests: by that of the range, where the few that
        differ are read and put into what is expected, else by one of each run of others.
        """
        count = span.units(SECTOR)
        crcs = (self.flash.sector_crcs(span) if count > _FEW else None) or []
        pairs = zip(span.pieces(SECTOR), crcs, strict=False)
        sums = {part: crc for part, crc in pairs if crc != zlib.crc32(self._bytes(part))}
        if not self.confirm:
            return {part.start: crc.to_bytes(WORD, "little") for part, crc in sums.items()}
        parts = list(sums)
        if 0 < len(parts) <= min(_FEW, count // _LEAST_OTHERS):
            data, actual = bytearray(self._bytes(span)), {}
            for part in parts:
                actual[part.start] = self.flash.read(part.start, part.size)
                data[part.offsets(span.start)] = actual[part.start]
            if md5(bytes(data)) == digest:
                if self.contents is not None:
                    self.contents.update(actual)
                return {
                    part.start: md5(actual[part.start])
                    for part in parts
                    if actual[part.start] != self._bytes(part)  # a sum may have been damaged
                }
        if not parts or len(parts) > _MANY:
            return {}
        differing: dict[int, bytes] = {}
        for part in sorted([*parts, *gaps(span, parts)]):
            differing |= self.sectors(part)
        return differing

    def _differing(self, span: Span) -> bytes | None:
        """Return the digest of a range that is not as expected; None of one that is."""
        data = self._bytes(span)
        expected = md5(data)

        def is_doubtful(digest: bytes) -> bool:
            if digest == expected:
                return data.count(data[0]) == span.size
            counts = self.confirm and span.units(self.unit) == 1
            return counts or digest == blank_digest(span.size)

        digest = self.flash.ask_digest(span.start, span.size, is_doubtful)
        return None if digest == expected else digest

    def _bytes(self, span: Span) -> bytes:
        return self.data[span.offsets(self.whole.start)]

    def _done(self, span: Span) -> None:
        self.report(Step("comparing", span.end - self.whole.start, self.whole.size))


def sector_spans(whole: Span, sectors: Iterable[int], unit: int = SECTOR) -> tuple[Span, ...]:
    """Return sectors as ranges, neighbours put together, cut at the ends of what was compared."""
    return merged(whole.intersection(Span.of(sector, unit)) for sector in sectors)
