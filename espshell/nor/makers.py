"""What the three bytes of a JEDEC id say: who made the part, and how large it is.

What is surprising: the third byte is log2 of the size on most parts only; ``data/makers.txt`` has
what is surprising about the first.

Sources of the sizes: data sheets of MX25U3235F, W25Q512JV, AT25SF041 to AT25SF321, SST25VF016B,
SST25VF032B, SST25VF080B, SST26VF016B to SST26VF064B.
"""

from __future__ import annotations

from functools import cache

from espshell import tables
from espshell.units import KIB, MIB

MACRONIX, ISSI, EON, ESMT, MICRON_XMC, ADESTO, SST = 0xC2, 0x9D, 0x1C, 0x8C, 0x20, 0x1F, 0xBF

OTHER_COMMANDS = frozenset({MACRONIX, ISSI, EON, ESMT})
"""Makers on whose parts 35h or 15h may be something else than a read; see ``opcodes``."""

_SST_SIZES = {0x41: 2 * MIB, 0x42: 4 * MIB, 0x43: 8 * MIB, 0x4A: 4 * MIB, 0x8E: 1 * MIB}
_LARGE = {0x20: 64 * MIB, 0x21: 128 * MIB, 0x22: 256 * MIB}


def manufacturer(jedec_id: int) -> int:
    """Return the first byte of an id of three."""
    return jedec_id >> 16 & 0xFF


def name(jedec_id: int) -> str:
    """Return who made the part of an id; empty if nobody is known."""
    return _names().get(manufacturer(jedec_id), "")


@cache
def _names() -> dict[int, str]:
    rows = (line.split(maxsplit=1) for line in tables.rows(__package__, "makers"))
    return {int(number, 16): text for number, text in rows}


def answers(jedec_id: int) -> bool:
    """Whether an id is one: a flash that is not there gives 00 or FF for all of it."""
    return jedec_id not in (0, 0xFF_FFFF)


def size(jedec_id: int) -> int | None:
    """Return the size in bytes that an id tells; None if its last byte is no known code."""
    family, capacity = jedec_id >> 8 & 0xFF, jedec_id & 0xFF
    if manufacturer(jedec_id) == ADESTO:  # log2 of the Mbit stands in the second byte
        capacity = (family & 0x1F) + 15
    elif manufacturer(jedec_id) == SST:
        return _SST_SIZES.get(capacity)
    elif capacity in _LARGE:
        return _LARGE[capacity]
    elif 0x30 <= capacity <= 0x3F:  # MX25U and others of 1.8 V
        capacity -= 0x20
    power = 1 << capacity
    return power if 64 * KIB <= power <= 256 * MIB else None
