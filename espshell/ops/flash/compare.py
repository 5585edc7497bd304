"""The verb ``compare``: where the flash of two boards is not the same, by digests of the chips.

One digest of the whole from each board; where they differ, the range is cut in eight, down to
sectors, so that what goes over the wires follows the size of the difference.  Where both stubs can,
the CRC-32 of each sector says at once which differ.  A sector that differs is asked about twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from espshell.device import Flash
from espshell.errors import UsageError
from espshell.ops.flash.digest_compare import sector_spans
from espshell.ops.result import Report, Result, Step, silent
from espshell.span import Span
from espshell.units import SECTOR, count_text, size_text

_FAN_OUT = 8


@dataclass(frozen=True, slots=True)
class Compared(Result):
    """How the flash of two boards differs in a range; whole sectors are told."""

    address: int
    size: int
    titles: tuple[str, str]
    differing: tuple[Span, ...]

    @property
    def failure(self) -> str:
        """How much differs, and where it begins."""
        if not self.differing:
            return ""
        size = sum(span.size for span in self.differing)
        return (
            f"{size_text(size)} of {size_text(self.size)} differ, in "
            f"{count_text(len(self.differing), 'range')}, the first {self.differing[0]}"
        )


def compare(
    one: Flash, other: Flash, span: Span, titles: tuple[str, str], report: Report = silent
) -> Compared:
    """Compare a range of two boards. Raises: UsageError where a loader has no digests."""
    for flash, title in zip((one, other), titles, strict=True):
        if not flash.has_digest:
            raise UsageError(f"the loader on {title} has no digests", hint="`save`, then `diff`")
    starts = _differing(one, other, span, span, report)
    return Compared(span.start, span.size, titles, sector_spans(span, starts))


def _differing(one: Flash, other: Flash, span: Span, whole: Span, report: Report) -> Iterator[int]:
    """Yield the starts of the sectors of a range that differ, in ascending order."""

    def is_equal() -> bool:
        first, second = (flash.digest(span.start, span.size) for flash in (one, other))
        return first == second

    is_sector = span.size <= SECTOR
    differs = not is_equal() and not (is_sector and is_equal())
    if not differs or is_sector:
        report(Step("comparing", span.end - whole.start, whole.size))
        if differs:
            yield span.start
        return
    parts, unit = [], SECTOR
    if span.start % SECTOR == 0 and span.size % SECTOR == 0:  # where both boards tell all sums
        ours, theirs = one.sector_crcs(span), other.sector_crcs(span)
        if ours is not None and theirs is not None:
            sums = zip(span.pieces(SECTOR), ours, theirs, strict=True)
            parts = [part for part, first, second in sums if first != second]
    while span.units(unit) > _FAN_OUT:
        unit *= _FAN_OUT
    for part in parts or span.pieces(unit):
        yield from _differing(one, other, part, whole, report)
