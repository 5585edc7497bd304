"""Requests and responses: the eight header bytes, the checksum and the status codes.

    request    00 opcode size16 checksum32 payload
    response   01 opcode size16 value32    payload status

Little endian.  The value has a meaning after READ_REG only; any other reply repeats an earlier
one, and so does the second status byte when the first is zero.

Source: Espressif's serial protocol description in the esptool manual; oddities recorded from ROM
code in ``tests/data/esp32-rom.json``.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from functools import reduce
from operator import xor
from typing import NamedTuple

REQUEST = 0x00
RESPONSE = 0x01
HEADER = struct.Struct("<BBHI")
CHECKSUM_SEED = 0xEF


class Opcode(IntEnum):
    """Commands of the ROM loaders (below D0) and of the flasher stubs (D0 and above)."""

    FLASH_BEGIN = 0x02
    FLASH_DATA = 0x03
    FLASH_END = 0x04
    MEM_BEGIN = 0x05
    MEM_END = 0x06
    MEM_DATA = 0x07
    SYNC = 0x08
    WRITE_REG = 0x09
    READ_REG = 0x0A
    SPI_SET_PARAMS = 0x0B
    SPI_ATTACH = 0x0D
    READ_FLASH_SLOW = 0x0E
    CHANGE_BAUDRATE = 0x0F
    FLASH_DEFL_BEGIN = 0x10
    FLASH_DEFL_DATA = 0x11
    FLASH_DEFL_END = 0x12
    SPI_FLASH_MD5 = 0x13
    GET_SECURITY_INFO = 0x14
    UNKNOWN = 0x55
    """A command that no loader has."""
    ERASE_FLASH = 0xD0
    ERASE_REGION = 0xD1
    READ_FLASH = 0xD2
    RUN_USER_CODE = 0xD3
    STREAM = 0xE1
    DEFLATE = 0xE2
    FIND = 0xE3
    CRC32 = 0xE4
    CALL = 0xE6
    MEMTEST = 0xE7
    READ_MEMORY = 0xEF
    """From E1 on: our handlers in a stub's plugin table (``protocol.handlers``)."""


class Response(NamedTuple):
    """A reply; ``body`` is payload and status, which only a dialect can separate."""

    opcode: int
    value: int
    body: bytes


STATUS_TEXT = {
    0x0105: "invalid or unsupported command",
    0x0106: "command failed on the chip",
    0x0107: "bad checksum",
    0x0108: "flash write failed",
    0x0109: "flash read failed",
    0x010A: "flash read of a wrong length",
    0x010B: "decompression failed",
    0x010C: "decompression: wrong checksum",
    0x010D: "decompression: bad parameter",
    0xC000: "bad data size",
    0xC100: "bad checksum",
    0xC200: "bad block size",
    0xC300: "invalid or unsupported command",
    0xC400: "bad flash address",
    0xC500: "flash write failed",
    0xC600: "invalid operation",
    0xC700: "decompression failed",
    0xC800: "not enough data",
    0xC900: "too much data",
    0xFF00: "command not implemented",
}
"""Status codes in words, the failing byte first.

Source: status table of the esptool manual ("Status Bytes"); C3, C4, C8, C9 and FF seen in the stub
transcripts; the other stub codes are those of esp-flasher-stub and are not all exercised here.
"""

BAD_CHECKSUMS = frozenset((0x0107, 0xC100))
"""Status codes of data that has not arrived as it was sent: a fault of the link."""


def checksum(data: bytes) -> int:
    """Return the XOR of data, seeded with EF; the data commands carry it."""
    return reduce(xor, data, CHECKSUM_SEED)


def request(opcode: int, payload: bytes, check: int = 0) -> bytes:
    """Return the bytes of a request, not yet framed."""
    return HEADER.pack(REQUEST, opcode, len(payload), check) + payload


def is_response(data: bytes) -> bool:
    """Return whether unescaped bytes are a whole response: direction and size agree."""
    return len(data) >= 10 and data[0] == RESPONSE and data[2] | data[3] << 8 == len(data) - 8


def parse_response(data: bytes) -> Response:
    """Return the fields of a response; ``data`` has passed ``is_response``."""
    _, opcode, _, value = HEADER.unpack_from(data)
    return Response(opcode, value, data[8:])


def status_text(code: int) -> str:
    """Return a 16-bit status code in words."""
    return f"{STATUS_TEXT.get(code, 'unknown reason')} (0x{code:04x})"
