"""A NOR flash: an array whose bits programming clears and erasing sets, and a few of its commands.

Source: W25Q32JV data sheet, instruction set and SFDP register.
"""

from __future__ import annotations

import struct

from espshell.units import KIB

SECTOR = 4 * KIB
"""What the smallest erase covers (bytes)."""

PAGE = 256
"""What one program command covers (bytes)."""


FAMILIES = {"W25Q": 0xEF40, "GD25Q": 0xC840, "XM25QH": 0x2040}
"""Manufacturer and family of an id by a part's name, which goes on with its size in Mbit.

Source: data sheets of W25Q32JV, GD25Q32C and XM25QH32B; the third byte is log2 of the size.
"""

READ_ID = 0x9F
READ_STATUS = (0x05, 0x35, 0x15)
READ_SFDP = 0x5A
READ = 0x03

_PARAMETERS_AT = 0x30
_PARAMETERS = (
    0xFFF9_20E5,  # 4 KiB erase, one to four lines
    0,  # bits less one
    0x6B08_EB44,
    0xBB42_3B08,
    0xFFFF_FFFE,
    0x0000_FFFF,
    0xEB40_FFFF,
    0x520F_200C,
    0x0000_D810,
    0x00A6_0236,
    0xC414_EA82,
    0x3376_63E9,
    0x757A_757A,
    0x5CD5_A2F7,
    0xFF4D_F719,
    0x80F8_30E9,
)
"""Basic flash parameters, revision 1.6 (JESD216B)."""


def jedec_id(size: int, family: str = "W25Q") -> int:
    """Return the id of a part of a size; the next smaller part's, if there is none of the size."""
    return FAMILIES[family] << 8 | size.bit_length() - 1


class Nor:
    """The array and what it says of itself.

    Addresses wrap at its size, as those of a real part do.
    """

    def __init__(self, size: int, jedec: int | None = None) -> None:
        self.data = bytearray(b"\xff") * size
        self.jedec_id = jedec_id(size) if jedec is None else jedec
        self.status = bytearray(3)

    def command(self, opcode: int, address: int, sent: bytes, size: int) -> bytes:
        """Do what arrives over SPI; return as many bytes as are clocked out."""
        if opcode == READ_ID:
            found = self.jedec_id.to_bytes(3, "big")
        elif opcode in READ_STATUS:
            index = READ_STATUS.index(opcode)
            found = bytes(self.status[index : index + 1]) * size
        elif opcode == READ_SFDP:
            found = self.sfdp()[address : address + size]
        elif opcode == READ:
            found = self.read(address, size)
        else:
            found = b""
        return found[:size].ljust(size, b"\xff")

    def sfdp(self) -> bytes:
        """Return header, parameter header and basic flash parameters (JESD216B)."""
        header = b"SFDP" + bytes([6, 1, 0, 0xFF])
        table = bytes([0, 6, 1, len(_PARAMETERS)]) + _PARAMETERS_AT.to_bytes(3, "little") + b"\xff"
        words = list(_PARAMETERS)
        words[1] = 8 * self.size - 1
        packed = struct.pack(f"<{len(words)}I", *words)
        return (header + table).ljust(_PARAMETERS_AT, b"\xff") + packed

    @property
    def size(self) -> int:
        """Bytes in the array."""
        return len(self.data)

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes; behind the last comes the first."""
        offset %= self.size
        found = bytes(self.data[offset : offset + size])
        while len(found) < size:
            found += self.data[: size - len(found)]
        return found

    def program(self, offset: int, data: bytes) -> None:
        """Clear the bits that are 0 in ``data``; a bit that is 0 already stays so."""
        offset %= self.size
        data = data[: self.size - offset]
        old = int.from_bytes(self.data[offset : offset + len(data)], "little")
        new = old & int.from_bytes(data, "little")
        self.data[offset : offset + len(data)] = new.to_bytes(len(data), "little")

    def erase(self, offset: int, size: int) -> None:
        """Set all bits of the sectors that a range touches."""
        start = offset // SECTOR * SECTOR
        end = min(self.size, -(-(offset + size) // SECTOR) * SECTOR)
        if end > start:
            self.data[start:end] = b"\xff" * (end - start)

    def load(self, contents: bytes) -> None:
        """Put contents at the start, as a programmer would; what does not fit is left out."""
        contents = contents[: self.size]
        self.data[: len(contents)] = contents
