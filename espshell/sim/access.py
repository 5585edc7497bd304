"""How a loader uses the flash: by its commands, waiting for each.

Nothing is unlocked first, and nothing is looked at afterwards: what protection keeps from being
erased or programmed stays as it is, and the loader says that all is well.  That the ROMs and stubs
do not unlock either is not measured.
"""

from __future__ import annotations

from espshell.sim.nor import LONG, PAGE, REACH, SECTOR, Nor
from espshell.units import KIB

_BLOCK = 64 * KIB
_ENABLE, _PROGRAM, _SECTOR_ERASE, _BLOCK_ERASE, _CHIP_ERASE = 0x06, 0x02, 0x20, 0xD8, 0xC7


class FlashAccess:
    """One flash and the time; ``now`` moves on by what is waited for.

    Ways that write raise PowerLost when the supply fails under them.
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

    def erase(self, offset: int, size: int) -> None:
        """Erase all sectors that a range touches, by blocks where they are whole."""
        end = offset + size
        while offset < end:
            offset = self.erase_next(offset, end)

    def erase_next(self, offset: int, end: int) -> int:
        """Erase the block or sector that an offset lies in; return its end."""
        start = offset // SECTOR * SECTOR
        whole = start % _BLOCK == 0 and start + _BLOCK <= end
        self._write(_BLOCK_ERASE if whole else _SECTOR_ERASE, start)
        return start + (_BLOCK if whole else SECTOR)

    def erase_chip(self) -> None:
        """Erase everything."""
        self._write(_CHIP_ERASE)

    def program(self, offset: int, data: bytes) -> None:
        """Program bytes, a page at a time."""
        start = 0
        while start < len(data):
            size = PAGE - (offset + start) % PAGE
            self._write(_PROGRAM, offset + start, data[start : start + size])
            start += size

    def _write(self, opcode: int, offset: int | None = None, data: bytes = b"") -> None:
        self.wait()
        sent = bytes([opcode])
        if offset is not None:
            long = self.flash.size > REACH
            sent = bytes([LONG[opcode] if long else opcode])
            sent += (offset % self.flash.size).to_bytes(4 if long else 3, "big")
        self.flash.transfer(bytes([_ENABLE]), 0, self.now)
        self.flash.transfer(sent + data, 0, self.now)
        self.wait()
