"""How a loader uses the flash: by its commands, waiting for each; and flash encryption.

Nothing is unlocked first, and nothing is looked at afterwards: what protection keeps from being
erased or programmed stays as it is, and the loader says that all is well.  That the ROMs and stubs
do not unlock either is not measured.
"""

from __future__ import annotations

import hashlib

from espshell.sim.nor import LONG, PAGE, REACH, SECTOR, Nor
from espshell.span import Span, align_down
from espshell.units import KIB

READ_BYTE_S = 0.6e-6
"""One byte of flash read and digested; a guess of the order of magnitude."""

_BLOCK = 64 * KIB
_ENABLE, _PROGRAM, _SECTOR_ERASE, _BLOCK_ERASE, _CHIP_ERASE = 0x06, 0x02, 0x20, 0xD8, 0xC7
_CIPHER_ROW = 256


class FlashAccess:
    """One flash and the time; ``now`` moves on by what is waited for.

    Methods that write raise PowerLost when the supply fails under them.
    """

    def __init__(self, flash: Nor) -> None:
        self.flash = flash
        self.now = 0.0

    def wait(self) -> None:
        """Wait until the flash is no longer busy."""
        self.now = max(self.now, self.flash.busy_until)

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes; reading takes no time by itself."""
        self.wait()
        return b"\xff" * size if self.flash.is_mute else self.flash.read(offset, size)

    def read_timed(self, offset: int, size: int) -> bytes:
        """Return bytes, and let the time pass that it takes to read and digest them."""
        data = self.read(offset, size)
        self.now += size * READ_BYTE_S
        return data

    def erase(self, offset: int, size: int) -> None:
        """Erase all sectors that a range touches, by blocks where they are whole."""
        end = offset + size
        while offset < end:
            offset = self.erase_next(offset, end)

    def erase_next(self, offset: int, end: int) -> int:
        """Erase the block or sector that an offset lies in; return its end."""
        start = align_down(offset, SECTOR)
        is_block = start % _BLOCK == 0 and start + _BLOCK <= end
        self._write(_BLOCK_ERASE if is_block else _SECTOR_ERASE, start)
        return start + (_BLOCK if is_block else SECTOR)

    def erase_chip(self) -> None:
        """Erase everything."""
        self._write(_CHIP_ERASE)

    def program(self, offset: int, data: bytes) -> None:
        """Program bytes, a page at a time."""
        for piece in Span.of(offset, len(data)).pieces(PAGE):
            self._write(_PROGRAM, piece.start, data[piece.start - offset : piece.end - offset])

    def _write(self, opcode: int, offset: int | None = None, data: bytes = b"") -> None:
        self.wait()
        command = bytes([opcode])
        if offset is not None:
            long = self.flash.size > REACH
            command = bytes([LONG[opcode] if long else opcode])
            command += (offset % self.flash.size).to_bytes(4 if long else 3, "big")
        self.flash.transfer(bytes([_ENABLE]), 0, self.now)
        self.flash.transfer(command + data, 0, self.now)
        self.wait()


def encrypted(data: bytes, offset: int) -> bytes:
    """Return data for an offset in flash as a FLASH_BEGIN with encryption has it stored.

    A real chip uses AES with a key from its eFuses and the address.  Here the ciphertext is the
    data XOR a stream that depends on the address alone, so the same again decrypts.  As on a real
    chip a loader reads back what the flash holds, and it encrypts whenever it is asked, also when
    the eFuses hold no key yet (esptool's own tests rely on it, on an ESP32).
    """
    rows = Span.of(offset, len(data)).aligned(_CIPHER_ROW)
    stream = b"".join(
        hashlib.shake_128(b"flash encryption %d" % (row.start // _CIPHER_ROW)).digest(_CIPHER_ROW)
        for row in rows.pieces(_CIPHER_ROW)
    )
    key = stream[offset - rows.start :][: len(data)]
    mixed = int.from_bytes(data, "little") ^ int.from_bytes(key, "little")
    return mixed.to_bytes(len(data), "little")
