"""The loaders' commands about flash, as values; see ``commands``.

Addresses and sizes are bytes of flash.  A download is a BEGIN, which erases what it announces (the
stub since version 2 erases as the data comes), and numbered blocks; the commands that end one also
leave the loader, so a download that is over is simply left.

Source: command table of the esptool manual; replies recorded from ROM code and from stubs.
"""

from __future__ import annotations

import binascii
import struct
from dataclasses import dataclass
from typing import ClassVar

from espshell.protocol import packet
from espshell.protocol.commands import Action, LoaderCommand
from espshell.protocol.packet import Opcode


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
        """Return the pads in one word, and what else is wanted as zeros."""
        clk, q, d, hd, cs = self.pads or (0,) * 5
        packed = hd << 24 | cs << 18 | d << 12 | q << 6 | clk
        return packed.to_bytes(4, "little") + bytes(4 * (self.words - 1))


@dataclass(frozen=True, slots=True)
class SpiSetParams(Action):
    """Tell the loader how large the flash is; its own checks of ranges go by that.

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
    """Announce blocks of data for the flash; erases what they will cover."""

    opcode = Opcode.FLASH_BEGIN
    timeout_s = 10.0
    size: int
    blocks: int
    block_size: int
    offset: int
    words: int = 4

    def payload(self) -> bytes:
        """Return four words, or five ("not encrypted") where the dialect wants them."""
        plain = struct.pack("<IIII", self.size, self.blocks, self.block_size, self.offset)
        return plain + bytes(4 * (self.words - 4))


@dataclass(frozen=True, slots=True)
class FlashData(Action):
    """One announced block for the flash."""

    opcode = Opcode.FLASH_DATA
    timeout_s = 3.0
    sequence: int
    data: bytes

    def payload(self) -> bytes:
        """Return size, number, two zero words and the data."""
        return struct.pack("<IIII", len(self.data), self.sequence, 0, 0) + self.data

    def check(self) -> int:
        """Return the checksum over the data."""
        return packet.checksum(self.data)


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
    """Leave the loader: reboot into the application, or ``run`` what it would run."""

    opcode = Opcode.FLASH_END
    run: bool

    def payload(self) -> bytes:
        """Return the flag."""
        return struct.pack("<I", int(self.run))


@dataclass(frozen=True, slots=True)
class RunUserCode(Action):
    """Have a stub boot the application; a legacy one does and may not answer, a v2 one stays."""

    opcode = Opcode.RUN_USER_CODE

    def payload(self) -> bytes:
        """Return nothing."""
        return b""


@dataclass(frozen=True, slots=True)
class ReadFlashSlow(LoaderCommand[bytes]):
    """Read flash through the ROM; it sends 64 bytes whatever was asked, and checks no range."""

    opcode = Opcode.READ_FLASH_SLOW
    SIZE: ClassVar[int] = 64
    offset: int
    size: int

    def payload(self) -> bytes:
        """Return offset and size."""
        return struct.pack("<II", self.offset, self.size)

    def parse(self, value: int, payload: bytes) -> bytes:
        """Return the bytes that were asked for. Raises: ValueError if fewer came."""
        if len(payload) < self.size:
            raise ValueError(f"{len(payload)} bytes of flash, not {self.size}")
        return payload[: self.size]


@dataclass(frozen=True, slots=True)
class ReadFlash(Action):
    """Let a stub send flash in frames of ``block_size`` bytes, at most 4096, and their MD5 behind.

    Each frame is acknowledged with the number of bytes that have come (``ack``); at most
    ``in_flight`` may be unacknowledged, and a stub may keep to fewer.
    """

    opcode = Opcode.READ_FLASH
    LARGEST: ClassVar[int] = 4096
    offset: int
    size: int
    block_size: int
    in_flight: int

    def payload(self) -> bytes:
        """Return four words."""
        return struct.pack("<IIII", self.offset, self.size, self.block_size, self.in_flight)


@dataclass(frozen=True, slots=True)
class SpiFlashMd5(LoaderCommand[bytes]):
    """Let the chip compute the MD5 of a range; gives its 16 bytes.

    A ROM answers in 32 digits of text, a stub in binary.
    """

    opcode = Opcode.SPI_FLASH_MD5
    repeatable = True
    offset: int
    size: int

    def payload(self) -> bytes:
        """Return offset, size and two zero words."""
        return struct.pack("<IIII", self.offset, self.size, 0, 0)

    def parse(self, value: int, payload: bytes) -> bytes:
        """Return the digest. Raises: ValueError if it is none."""
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
    timeout_s = 10.0
    offset: int
    size: int

    def payload(self) -> bytes:
        """Return offset and size."""
        return struct.pack("<II", self.offset, self.size)


@dataclass(frozen=True, slots=True)
class EraseFlash(Action):
    """Erase the whole chip; a stub's command."""

    opcode = Opcode.ERASE_FLASH
    timeout_s = 200.0
