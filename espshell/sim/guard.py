"""Which addresses the protection bits of a flash keep from being written.

Theory of this file.  The bits BP are a code.  A ``Shape`` says how many bytes a code covers, on the
side that TB names.  SEC makes the units smaller, CMP takes the other part of the flash instead.  It
shares nothing with the host's arithmetic, which is examined with it.

Source: tables of the data sheets as flashrom, ufprog and Linux give them; which part has which
shape is in ``parts``.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from espshell.records import dataclass
from espshell.span import align_down
from espshell.units import KIB

BLOCK = 64 * KIB
_SECTOR = 4 * KIB
_MOST_SECTORS = 8


class StatusBit(NamedTuple):
    """A bit of a status register: the register's index in its part, and the bit's."""

    register: int
    bit: int

    def of(self, values: Sequence[int]) -> int:
        """Return the bit of the registers' values."""
        return values[self.register] >> self.bit & 1


class Shape(Enum):
    """How many bytes a code of BP covers."""

    HALVES = "half the flash by the code before the last, a quarter by the one before, ..."
    BLOCKS = "64 KiB by the first code, 128 KiB by the second, ...; all by the last"
    DOUBLE = "128 KiB by the first code, 256 KiB by the second, ..."
    INVERTED = "all but 64 KiB at the top by the first code, all but 128 KiB by the second, ..."
    LOWER = "64 KiB upwards at the top; from half the codes on, all but so much, from the bottom"
    SIXTEENTH = "nothing below code 3, which covers 1/16 of the flash"
    ALL_BUT = "half the flash by the middle code; beyond it all but 4 MiB, all but 2 MiB, ..."


@dataclass(frozen=True, slots=True)
class ProtectionBits:
    """The protection bits of a part."""

    bp: tuple[StatusBit, ...]
    """The code, lowest bit first."""
    tb: StatusBit | None = None
    """1: from the bottom."""
    sec: StatusBit | None = None
    """1: by sectors."""
    cmp: StatusBit | None = None
    """1: the other part of the flash."""
    flip: StatusBit | None = None
    """1: the code's bits are turned over, and the other part of the flash."""
    wps: StatusBit | None = None
    """1: blocks are locked one by one, and the code means nothing."""
    shape: Shape = Shape.HALVES


class BlockLocks:
    """The locks that WPS puts in the place of the code: all set when the flash gets power.

    There is one for each block of 64 KiB, and one for each sector of the first and last block.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._unlocked = frozenset[int]()

    def hold(self, start: int, size: int) -> bool:
        """Whether something of a range is locked."""
        return not self._units(start, size) <= self._unlocked

    def put(self, start: int, size: int, *, locked: bool) -> None:
        """Lock or unlock everything that a range touches."""
        units = self._units(start, size)
        self._unlocked = self._unlocked - units if locked else self._unlocked | units

    def _units(self, start: int, size: int) -> frozenset[int]:
        sectors = range(align_down(start, _SECTOR), start + size, _SECTOR)
        edges = (0, self._size - BLOCK)
        blocks = ((at, align_down(at, BLOCK)) for at in sectors)
        return frozenset(at if block in edges else block for at, block in blocks)


def guarded(guard: ProtectionBits, size: int, values: Sequence[int]) -> range:
    """Return the addresses that the code covers, for a flash of a size (bytes)."""
    code = sum(bit.of(values) << index for index, bit in enumerate(guard.bp))
    last = (1 << len(guard.bp)) - 1
    bottom, other = is_set(guard.tb, values), is_set(guard.cmp, values)
    if is_set(guard.flip, values):
        code, other = last - code, True
    if guard.shape is Shape.LOWER and code > last // 2:
        bottom = True
    if guard.shape is Shape.INVERTED:
        bottom = not bottom
    if not 0 < code < last:
        length = size if code else 0
    elif is_set(guard.sec, values) and guard.shape is not Shape.SIXTEENTH:
        length = _SECTOR * min(_MOST_SECTORS, 1 << code - 1)
    else:
        length = max(0, min(size, _length(guard.shape, code, last, size)))
    if other:
        length, bottom = size - length, not bottom
    return range(length) if bottom else range(size - length, size)


def is_set(bit: StatusBit | None, values: Sequence[int]) -> bool:
    """Whether a part has a bit and it is 1 in the registers' values."""
    return bit is not None and bool(bit.of(values))


def _length(shape: Shape, code: int, last: int, size: int) -> int:
    if shape is Shape.BLOCKS:
        return BLOCK << code - 1
    if shape is Shape.INVERTED:
        return size - (BLOCK << code - 1)
    if shape is Shape.LOWER:
        half = last // 2
        return BLOCK << code - 1 if code <= half else size - (BLOCK << last - 1 - code)
    if shape is Shape.SIXTEENTH:
        return size >> 7 - code if code >= 3 else 0
    middle = (last + 1) // 2
    if shape is Shape.ALL_BUT and code > middle:
        return size - (size >> 2 >> code - middle - 1)
    if shape is Shape.DOUBLE:
        return 2 * BLOCK << code - 1
    least = size >> last - 1
    return max(least, BLOCK) << code - 1
