"""How many bytes FLASH_BEGIN must be asked for, so that a ROM erases what is wanted and no more.

The ROM of the ESP8266 counts the sectors up to the first 64 KiB boundary twice
(``Quirk.ERASES_TOO_MUCH``).  With ``head`` sectors up to that boundary, asking for n erases
n + min(n, head): an even number wherever n is small.  Here that is turned round, and an odd sector
at the end is left to somebody else.
"""

from __future__ import annotations

from espshell.chips import Chip, Quirk
from espshell.span import ceil_div
from espshell.units import SECTOR

BLOCK = 0x1_0000
"""What a larger erase covers, much faster than its sectors (bytes)."""

LARGEST = 16 * BLOCK
"""What a stub is asked to erase in one go at most (bytes)."""

ROM_SEGMENT = 15 * SECTOR
"""What is announced to a ROM at once: a whole number of its largest blocks (bytes)."""


_SECTOR_S = 0.4  # the slowest sector erase of common parts
_ANSWER_S = 3.0


def work_s(size: int) -> float:
    """Return how long erasing and programming so much may take, at the slowest."""
    return _ANSWER_S + _SECTOR_S * ceil_div(size, SECTOR)


def asked_size(chip: Chip, offset: int, size: int) -> tuple[int, int]:
    """Return the size to ask a ROM for, and how many bytes at the end that does not erase.

    ``offset`` and ``size`` are whole sectors.  The second is 0, or a sector where the ROM would
    erase another one behind the range.
    """
    if Quirk.ERASES_TOO_MUCH not in chip.quirks:
        return size, 0
    sectors = size // SECTOR
    head = (BLOCK - offset % BLOCK) // SECTOR
    if sectors >= 2 * head:
        return size - head * SECTOR, 0
    return sectors // 2 * SECTOR, sectors % 2 * SECTOR
