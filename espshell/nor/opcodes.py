"""Opcodes of SPI NOR flash, and which of them only read.

What is surprising: the same opcode is another thing elsewhere.  35h reads SR2 on most parts and
switches ISSI, Macronix and ESMT parts to four data lines, where nothing here reaches them any more;
15h reads SR3, Macronix' CR, or is a write on ISSI parts; 2Fh burns one-way bits on two of them.
So an opcode that is not known counts as one that writes, and so does one that writes on any make of
part as long as the make is not known.

Sources: data sheets of W25Q128JV, MX25L3233F, GD25Q32C and IS25WP128F, instruction sets; JESD216;
flashrom b946ca13 and hackpascal/ufprog 57fc859f for what differs by maker.
"""

from __future__ import annotations

from enum import Enum

from espshell.nor import makers
from espshell.records import dataclass

RDSR1, RDSR2, RDSR3 = 0x05, 0x35, 0x15
WRSR1, WRSR2, WRSR3 = 0x01, 0x31, 0x11
WREN, WRDI, VOLATILE_WREN = 0x06, 0x04, 0x50
RESET_ENABLE, RESET = 0x66, 0x99
RDID, RDSFDP, RELEASE_POWER_DOWN = 0x9F, 0x5A, 0xAB
READ, SECTOR_ERASE = 0x03, 0x20


class Effect(Enum):
    """What an opcode does to the flash."""

    READS = "only reads"
    WRITES = "writes"
    ERASES = "erases"
    LOCKS = "writes bits that cannot be undone"
    MODE = "changes how the flash listens"
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
    general = _row(opcode, _COMMON.get(opcode, ("unknown opcode", Effect.UNKNOWN)))
    if manufacturer is not None:
        own = _BY_MAKER.get(manufacturer, {}).get(opcode)
        return _row(opcode, own) if own else general
    others = (rows[opcode] for rows in _BY_MAKER.values() if opcode in rows)
    worst = next((row for row in others if row[1] is not Effect.READS), None)
    if worst is None or general.writes:
        return general
    note = f"on some parts: {worst[0]}"
    return OpcodeInfo(opcode, general.name, worst[1], note)


def _row(opcode: int, row: tuple[str, Effect]) -> OpcodeInfo:
    return OpcodeInfo(opcode, *row)


_R, _W, _E, _L, _M = Effect.READS, Effect.WRITES, Effect.ERASES, Effect.LOCKS, Effect.MODE

_COMMON: dict[int, tuple[str, Effect]] = {
    0x01: ("write SR1", _W),
    0x02: ("program a page", _W),
    0x03: ("read", _R),
    0x04: ("write disable", _M),
    0x05: ("read SR1", _R),
    0x06: ("write enable", _M),
    0x0B: ("fast read", _R),
    0x0C: ("fast read, 4-byte address", _R),
    0x11: ("write SR3", _W),
    0x12: ("program a page, 4-byte address", _W),
    0x13: ("read, 4-byte address", _R),
    0x15: ("read SR3", _R),
    0x17: ("write the bank register", _M),
    0x20: ("erase a sector of 4 KiB", _E),
    0x21: ("erase a sector of 4 KiB, 4-byte address", _E),
    0x30: ("resume (some parts) or clear flags", _M),
    0x31: ("write SR2", _W),
    0x32: ("program a page by four lines", _W),
    0x34: ("program a page by four lines, 4-byte address", _W),
    0x35: ("read SR2", _R),
    0x36: ("lock a block", _W),
    0x38: ("enter QPI, or program by four lines", _M),
    0x39: ("unlock a block", _W),
    0x3B: ("fast read, two lines", _R),
    0x3C: ("fast read, two lines, 4-byte address", _R),
    0x3D: ("read the lock of a block", _R),
    0x3E: ("write SR2 (QER 011)", _W),
    0x3F: ("read SR2 (QER 011)", _R),
    0x42: ("program a security register", _W),
    0x44: ("erase a security register", _E),
    0x48: ("read a security register", _R),
    0x4B: ("read the unique id", _R),
    0x50: ("the next status write is volatile", _M),
    0x52: ("erase a block of 32 KiB", _E),
    0x5A: ("read SFDP", _R),
    0x5C: ("erase a block of 32 KiB, 4-byte address", _E),
    0x60: ("erase the whole chip", _E),
    0x66: ("enable reset", _M),
    0x6B: ("fast read, four lines", _R),
    0x6C: ("fast read, four lines, 4-byte address", _R),
    0x75: ("suspend", _M),
    0x77: ("set burst with wrap", _M),
    0x7A: ("resume", _M),
    0x7E: ("lock all blocks", _W),
    0x90: ("read maker and device", _R),
    0x92: ("read maker and device, two lines", _R),
    0x94: ("read maker and device, four lines", _R),
    0x98: ("unlock all blocks", _W),
    0x99: ("reset", _M),
    0x9E: ("read the JEDEC id", _R),
    0x9F: ("read the JEDEC id", _R),
    0xA3: ("high performance mode", _M),
    0xAB: ("release from power-down, or read the device id", _R),
    0xB0: ("suspend (some parts)", _M),
    0xB7: ("enter 4-byte address mode", _M),
    0xB9: ("power down", _M),
    0xBB: ("fast read, address by two lines; its mode byte may make it stay", _M),
    0xC0: ("set read parameters, or burst", _M),
    0xC5: ("write the extended address", _M),
    0xC7: ("erase the whole chip", _E),
    0xC8: ("read the extended address", _R),
    0xD8: ("erase a block of 64 KiB", _E),
    0xDC: ("erase a block of 64 KiB, 4-byte address", _E),
    0xE9: ("leave 4-byte address mode", _M),
    0xEB: ("fast read, address by four lines; its mode byte may make it stay", _M),
    0xF5: ("leave QPI", _M),
    0xFF: ("leave QPI or continuous reading", _M),
}

_ENTER_QPI = ("enter QPI: the flash then listens on four lines only", _M)
_EON_OTP = ("enter the OTP mode, in which 01h burns one-way bits", _L)

_EON_ROWS: dict[int, tuple[str, Effect]] = {
    0x35: ("read SR2, but on parts with QPI: enter it", _M),
    0x3A: _EON_OTP,
    0x85: ("read SR4", _R),
    0x95: ("read SR3", _R),
    0xC0: ("write SR3", _W),
    0xC1: ("write SR4", _W),
}

_BY_MAKER: dict[int, dict[int, tuple[str, Effect]]] = {
    makers.MACRONIX: {
        0x11: ("unknown opcode", Effect.UNKNOWN),
        0x15: ("read the configuration register", _R),
        0x2B: ("read the security register", _R),
        0x2F: ("write the security register", _L),
        0x31: ("unknown opcode", Effect.UNKNOWN),
        0x35: _ENTER_QPI,
        0x50: ("unknown opcode", Effect.UNKNOWN),
        0x68: ("choose individual block locks for ever", _L),
        0xB1: ("enter the secured area", _M),
        0xC1: ("leave the secured area", _M),
    },
    makers.ISSI: {
        0x11: ("unknown opcode", Effect.UNKNOWN),
        0x15: ("write the autoboot register", _W),
        0x2B: ("read the ASP register", _R),
        0x2F: ("program the ASP register", _L),
        0x35: _ENTER_QPI,
        0x42: ("write the function register", _L),
        0x48: ("read the function register", _R),
        0x61: ("read the read parameters", _R),
        0x63: ("write the read parameters, volatile", _W),
        0x65: ("write the read parameters", _W),
        0x81: ("read the extended read parameters", _R),
        0x83: ("write the extended read parameters, volatile", _W),
        0x85: ("write the extended read parameters", _W),
        0xC0: ("write the read parameters, volatile", _W),
    },
    makers.EON: _EON_ROWS,
    makers.ESMT: {**_EON_ROWS, 0x35: _ENTER_QPI},
    makers.MICRON_XMC: {
        0x3A: _EON_OTP,
        0x50: ("the next status write is volatile; on Micron parts: clear flags", _M),
        0x70: ("read the flag register", _R),
        0x85: ("read the volatile configuration", _R),
        0xB5: ("read the non-volatile configuration", _R),
    },
}
"""What differs from ``_COMMON``, by the first byte of the id."""
