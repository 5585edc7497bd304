"""The loaders' commands about flash, as values; see ``commands``.

Addresses and sizes are bytes of flash.  A download is a BEGIN, which erases what it announces (the
stub since version 2 erases as the data comes), and numbered blocks; the commands that end one also
leave the loader, so nothing is sent after the last block.

Source: command table of the esptool manual; replies recorded from ROM code and from stubs.
"""

from __future__ import annotations

import binascii
import struct
from typing import ClassVar

from espshell.protocol.commands import Action, DataBlock, LoaderCommand
from espshell.protocol.packet import Opcode
from espshell.records import dataclass


@dataclass(frozen=True, slots=True)
class SpiAttach(Action):
    """Connect the flash's pins; ``words`` is two for a ROM, one for a stub.

    ``pads`` are five GPIO numbers (CLK, Q, D, HD, CS) instead of the usual ones.
    """

    opcode = Opcode.SPI_ATTACH
    repeatable = True
    words: int
    pads: tuple[int, ...] = ()

    def payload(self) -> bytes:
        """Return the pads in one word, then zeros."""
        clk, q, d, hd, cs = self.pads or (0,) * 5
        packed = hd << 24 | cs << 18 | d << 12 | q << 6 | clk
        return packed.to_bytes(4, "little") + bytes(4 * (self.words - 1))


@dataclass(frozen=True, slots=True)
class SpiSetParams(Action):
    """Tell the loader how large the flash is: it checks ranges against that size.

    The rest is the same for every NOR flash: blocks of 64 KiB, sectors of 4 KiB, pages of 256
    bytes, 16 bits of status.
    """

    opcode = Opcode.SPI_SET_PARAMS
    repeatable = True
    size: int

    def payload(self) -> bytes:
        """Return id 0, the size, block, sector, page and status mask."""
        return struct.pack("<6I", 0, self.size, 0x1_0000, 0x1000, 0x100, 0xFFFF)


@dataclass(frozen=True, slots=True)
class FlashBegin(Action):
    """Announce blocks of data for the flash; the loader erases their range."""

    opcode = Opcode.FLASH_BEGIN
    timeout_s = 10.0
    size: int
    blocks: int
    block_size: int
    offset: int
    words: int = 4

    def payload(self) -> bytes:
        """Return four words, or five ("not encrypted") where the dialect has them."""
        plain = struct.pack("<IIII", self.size, self.blocks, self.block_size, self.offset)
        return plain + bytes(4 * (self.words - 4))


@dataclass(frozen=True, slots=True)
class FlashData(DataBlock):
    """One announced block for the flash."""

    opcode = Opcode.FLASH_DATA
    timeout_s = 3.0


@dataclass(frozen=True, slots=True)
class FlashDeflBegin(FlashBegin):
    """Announce blocks that together are ``size`` bytes in zlib's format."""

    opcode = Opcode.FLASH_DEFL_BEGIN


@dataclass(frozen=True, slots=True)
class FlashDeflData(FlashData):
    """One announced block of compressed data."""

    opcode = Opcode.FLASH_DEFL_DATA


@dataclass(frozen=True, slots=True)
class FlashEnd(Action):
    """Leave the loader: reboot into the application, or ``run`` it without a reset."""

    opcode = Opcode.FLASH_END
    FORMAT = "<I"
    run: bool


@dataclass(frozen=True, slots=True)
class RunUserCode(Action):
    """Have a stub boot the application; a legacy one does and may not answer, a v2 one stays."""

    opcode = Opcode.RUN_USER_CODE


@dataclass(frozen=True, slots=True)
class ReadFlashSlow(LoaderCommand[bytes]):
    """Read flash through the ROM; it sends 64 bytes whatever ``size`` is, and checks no range."""

    opcode = Opcode.READ_FLASH_SLOW
    FORMAT = "<II"
    SIZE: ClassVar[int] = 64
    offset: int
    size: int

    def parse(self, value: int, payload: bytes) -> bytes:
        """Return ``size`` bytes. Raises: ValueError if fewer have come."""
        if len(payload) < self.size:
            raise ValueError(f"{len(payload)} bytes of flash, not {self.size}")
        return payload[: self.size]


@dataclass(frozen=True, slots=True)
class ReadFlash(Action):
    """Let a stub send flash in frames of ``block_size`` bytes, at most 4096, then their MD5.

    Each frame is acknowledged with the number of bytes received so far; at most ``in_flight``
    frames may be unacknowledged, and a stub may keep to fewer.
    """

    opcode = Opcode.READ_FLASH
    FORMAT = "<4I"
    LARGEST: ClassVar[int] = 4096
    offset: int
    size: int
    block_size: int
    in_flight: int


@dataclass(frozen=True, slots=True)
class SpiFlashMd5(LoaderCommand[bytes]):
    """Let the chip compute the MD5 of a range; parsed to its 16 bytes.

    A ROM answers in 32 digits of text, a stub in binary.
    """

    opcode = Opcode.SPI_FLASH_MD5
    FORMAT = "<II8x"
    repeatable = True
    offset: int
    size: int

    def parse(self, value: int, payload: bytes) -> bytes:
        """Return the digest. Raises: ValueError for any other size, or bad digits."""
        if len(payload) == 32:
            try:
                payload = binascii.unhexlify(payload)
            except binascii.Error as error:
                raise ValueError("a digest with digits that are not hexadecimal") from error
        if len(payload) != 16:
            raise ValueError(f"{len(payload)} bytes of digest, not 16")
        return payload


@dataclass(frozen=True, slots=True)
class EraseRegion(Action):
    """Erase whole sectors; a stub's command."""

    opcode = Opcode.ERASE_REGION
    FORMAT = "<II"
    timeout_s = 10.0
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class EraseFlash(Action):
    """Erase the whole chip; a stub's command."""

    opcode = Opcode.ERASE_FLASH
    timeout_s = 200.0
