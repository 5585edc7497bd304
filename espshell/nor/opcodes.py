"""Opcodes of SPI NOR flash, and which of them only read.

What is surprising: the same opcode is another thing elsewhere.  35h reads SR2 on most parts and
switches ISSI, Macronix and ESMT parts to four data lines, where nothing here reaches them any more;
15h reads SR3, Macronix' CR, or is a write on ISSI parts; 2Fh burns one-way bits on two of them.
So an opcode that is not known counts as one that writes, and so does one that writes on any make of
part as long as the make is not known.

What each opcode does, and by which maker it differs, stands in ``data/opcodes.txt``.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum
from functools import cache

from espshell import tables
from espshell.records import dataclass

RDSR1, RDSR2, RDSR3 = 0x05, 0x35, 0x15
WRSR1, WRSR2, WRSR3 = 0x01, 0x31, 0x11
RDSR2_QER3 = 0x3F
"""Where QER of JESD216 is 011."""

WREN, WRDI, VOLATILE_WREN = 0x06, 0x04, 0x50
RESET_ENABLE, RESET = 0x66, 0x99
RDID, RDSFDP, RELEASE_POWER_DOWN = 0x9F, 0x5A, 0xAB
READ, SECTOR_ERASE = 0x03, 0x20


class Effect(Enum):
    """What an opcode does to the flash."""

    READS = "only reads"
    WRITES = "writes"
    ERASES = "erases"
    LOCKS = "writes bits that cannot be cleared again"
    MODE = "changes the bus mode of the flash"
    UNKNOWN = "is not known"


@dataclass(frozen=True, slots=True)
class OpcodeInfo:
    """An opcode on the parts of a maker."""

    opcode: int
    name: str
    effect: Effect
    note: str = ""

    @property
    def writes(self) -> bool:
        """Whether it may change anything, so that a person must insist on it."""
        return self.effect is not Effect.READS


def describe(opcode: int, manufacturer: int | None = None) -> OpcodeInfo:
    """Describe an opcode; ``manufacturer`` is the first byte of the JEDEC id, None if unknown.

    With an unknown maker the worst of all meanings counts.
    """
    rows = _rows()
    general = rows.get((None, opcode), OpcodeInfo(opcode, "unknown opcode", Effect.UNKNOWN))
    if manufacturer is not None:
        return rows.get((manufacturer, opcode), general)
    own = (row for (maker, _), row in rows.items() if maker is not None and row.opcode == opcode)
    worst = next((row for row in own if row.writes), None)
    if worst is None or general.writes:
        return general
    return replace(general, effect=worst.effect, note=f"on some parts: {worst.name}")


@cache
def _rows() -> dict[tuple[int | None, int], OpcodeInfo]:
    """Return the table by maker, None for what holds where no maker has a row, and opcode."""
    rows: dict[tuple[int | None, int], OpcodeInfo] = {}
    for line in tables.rows(__package__, "opcodes"):
        makers, number, effect, name = line.split(maxsplit=3)
        row = OpcodeInfo(int(number, 16), name, Effect[effect.upper()])
        for maker in makers.split(","):
            rows[None if maker == "*" else int(maker, 16), row.opcode] = row
    return rows
