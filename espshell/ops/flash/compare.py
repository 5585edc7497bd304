"""The verb ``compare``: where the flash of two boards is not the same, by digests of the chips.

One digest of the whole from each board; where they differ, the range is cut in eight, down to
sectors, so that what goes over the wires follows the size of the difference.  Where both stubs can,
the CRC-32 of each sector says at once which differ.  A sector that differs is asked about twice.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from espshell.device import Flash
from espshell.errors import EspError, UsageError
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


@contextlib.contextmanager
def of_board(title: str) -> Iterator[None]:
    """Let every error from here name its board: there are two."""
    try:
        yield
    except EspError as error:
        if title not in error.message:
            error.message = f"{title}: {error.message}"
        raise


def compare(
    one: Flash, other: Flash, span: Span, titles: tuple[str, str], report: Report = silent
) -> Compared:
    """Compare a range of two boards. Raises: UsageError where a loader has no digests."""
    for flash, title in zip((one, other), titles, strict=True):
        if not flash.has_digest:
            raise UsageError(f"the loader on {title} has no digests", hint="`save`, then `diff`")
    search = _Search(one, other, span, titles, report)
    return Compared(span.start, span.size, titles, sector_spans(span, search.sectors(span)))


@dataclass(frozen=True, slots=True)
class _Search:
    """A search for the sectors that differ between two boards."""

    one: Flash
    other: Flash
    whole: Span
    titles: tuple[str, str]
    report: Report

    def sectors(self, span: Span) -> list[int]:
        """Return the starts of the sectors of a range that differ, in ascending order."""
        is_sector = span.size <= SECTOR
        differs = not self._is_equal(span) and not (is_sector and self._is_equal(span))
        if not differs or is_sector:
            self.report(Step("comparing", span.end - self.whole.start, self.whole.size))
            return [span.start] if differs else []
        unit = SECTOR
        while span.units(unit) > _FAN_OUT:
            unit *= _FAN_OUT
        parts = self._by_crcs(span) or list(span.pieces(unit))
        return [start for part in parts for start in self.sectors(part)]

    def _by_crcs(self, span: Span) -> list[Span]:
        """Return the sectors whose sums differ, if both boards tell them, and they are all."""
        if span.start % SECTOR or span.size % SECTOR:
            return []
        with of_board(self.titles[0]):
            ours = self.one.sector_crcs(span)
        with of_board(self.titles[1]):
            theirs = self.other.sector_crcs(span)
        if ours is None or theirs is None:
            return []
        pairs = zip(span.pieces(SECTOR), ours, theirs, strict=True)
        return [part for part, one, other in pairs if one != other]

    def _is_equal(self, span: Span) -> bool:
        with of_board(self.titles[0]):
            one = self.one.digest(span.start, span.size)
        with of_board(self.titles[1]):
            return one == self.other.digest(span.start, span.size)
