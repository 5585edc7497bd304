"""The verb ``diff``: where two ranges of bytes of one size are not the same.

Pure: the bytes may come from anywhere.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from espshell.errors import UsageError
from espshell.ops.result import Result
from espshell.records import dataclass
from espshell.span import Span
from espshell.units import WORD, count_text

if TYPE_CHECKING:
    from espshell.registers.table import BitField, Register, Registers


@dataclass(frozen=True, slots=True)
class RegisterDifference:
    """A register that holds something else than expected."""

    register: Register
    expected: int
    actual: int

    @property
    def fields(self) -> tuple[BitField, ...]:
        """The fields that differ."""
        return tuple(f for f in self.register.fields if f.mask & (self.expected ^ self.actual))


@dataclass(frozen=True, slots=True)
class Difference(Result):
    """How ``actual`` differs from ``expected``; both stand at ``address``."""

    address: int
    expected: bytes
    actual: bytes
    differing: tuple[Span, ...]
    bytes_differing: int
    bits_set: int
    """Bits that are 1 in ``actual`` only."""
    bits_cleared: int
    """Bits that are 1 in ``expected`` only."""
    notes: tuple[str, ...] = ()
    titles: tuple[str, ...] = ()
    """What ``expected`` and ``actual`` are called, if they are."""
    registers: tuple[RegisterDifference, ...] = ()
    """The registers that differ, where the range is one of registers."""

    @property
    def equal(self) -> bool:
        """Whether nothing differs."""
        return self.ok

    @property
    def failure(self) -> str:
        """How much differs."""
        if not self.differing:
            return ""
        return f"{self.bytes_differing} of {count_text(len(self.expected), 'byte')} differ"

    @property
    def summary(self) -> str:
        """How much differs: bytes, ranges and bits."""
        size = len(self.expected)
        ranges = count_text(len(self.differing), "range")
        return (
            f"{self.bytes_differing} of {count_text(size, 'byte')} in {ranges}; "
            f"{count_text(self.bits_set, 'bit')} set, {self.bits_cleared} cleared"
        )


def diff(
    expected: bytes,
    actual: bytes,
    *,
    address: int = 0,
    notes: tuple[str, ...] = (),
    titles: tuple[str, ...] = (),
) -> Difference:
    """Compare two ranges of bytes byte by byte.

    Raises: UsageError if their sizes are not the same.
    """
    if len(expected) != len(actual):
        raise UsageError(
            f"the sizes differ: {count_text(len(expected), 'byte')} and {len(actual)}",
            hint="give one side a length: `A LEN`, `A..END` or `A..+LEN`",
        )
    spans: tuple[Span, ...] = ()
    changed = bits_set = bits_cleared = 0
    if expected != actual:  # as numbers, whose operators walk the bytes faster than we can
        old, new = (int.from_bytes(data, "little") for data in (expected, actual))
        mask = (old ^ new).to_bytes(len(expected), "little")
        runs = re.finditer(rb"[^\0]+", mask)
        spans = tuple(Span(*run.span()).shifted(address) for run in runs)
        changed = len(mask) - mask.count(0)
        bits_set, bits_cleared = (new & ~old).bit_count(), (old & ~new).bit_count()
    return Difference(
        address, expected, actual, spans, changed, bits_set, bits_cleared, notes, titles
    )


def differing_registers(result: Difference, tables: Registers) -> tuple[RegisterDifference, ...]:
    """Return the registers of a difference, by address; those that end outside are left out."""
    words = (span.aligned(WORD) for span in result.differing)
    differences = []
    for place in sorted({at for word in words for at in range(word.start, word.end, WORD)}):
        start = place - result.address
        old, new = (data[start : start + WORD] for data in (result.expected, result.actual))
        if start >= 0 and len(old) == WORD:
            expected, actual = (int.from_bytes(data, "little") for data in (old, new))
            differences += [RegisterDifference(r, expected, actual) for r in tables.at(place)]
    return tuple(differences)
