"""How many bytes FLASH_BEGIN must be asked for, so that a ROM erases what is wanted and no more.

The ROM of the ESP8266 counts the sectors up to the first 64 KiB boundary twice
(``Quirk.ERASES_TOO_MUCH``).  With ``head`` sectors up to that boundary, asking for n erases
n + min(n, head); here that is turned round.
"""

from __future__ import annotations

from espshell.chips import Chip, Quirk

SECTOR = 0x1000
BLOCK = 0x1_0000


def asked_size(chip: Chip, offset: int, size: int) -> int:
    """Return the size to ask a ROM for; ``offset`` is a multiple of a sector.

    Never less than is erased then: an odd sector more is erased where it cannot be met exactly.
    """
    if Quirk.ERASES_TOO_MUCH not in chip.quirks:
        return size
    wanted = -(-size // SECTOR)
    head = (BLOCK - offset % BLOCK) // SECTOR
    asked = wanted - head if wanted >= 2 * head else -(-wanted // 2)
    return asked * SECTOR
