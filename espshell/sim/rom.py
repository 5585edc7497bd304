"""The ROM loader: frames in, replies out.  No port, no clock.

Theory of this file.  The ROM has one receive buffer and one reply, and it clears neither.  A frame
is written over the start of the buffer, and the command is read from the buffer: whatever a short
or cut frame does not bring is what an earlier one has left.  The size field of a request is not
looked at.  A reply is the reply buffer with two status bytes put behind the payload: the value, the
error byte and the last two bytes are left over.  A frame that is refused is answered with the reply
before, now marked as failed, and as often as that reply was sent.  Keeping these two buffers as the
ROM does makes all of its oddities come out by themselves; do not "tidy" either of them.

In secure download mode the ROM treats most of its commands as unknown ones.

Sources: ``tests/data/esp32-rom.json`` and further measurements on the ROM code of an ESP32 (v3),
repeated in ``tests/sim``; opcodes from the esptool manual.  What is not measured says so.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable

from espshell.chips import Quirk
from espshell.protocol import slip
from espshell.protocol.packet import HEADER, RESPONSE, Opcode, checksum
from espshell.sim import cipher
from espshell.sim.chip import SimChip
from espshell.sim.nor import SECTOR, PowerLost
from espshell.sim.program import COMMAND_S, READ_BYTE_S, Next
from espshell.sim.receiver import RomReceiver
from espshell.units import MIB

BLOCK_HEADER = 24
"""Bytes before the data of FLASH_DATA and MEM_DATA: packet header, size, number, two words."""

INVALID = 0x05
FAILED = 0x06
BAD_CHECKSUM = 0x07
WRITE_FAILED = 0x08
READ_FAILED = 0x09
READ_LENGTH = 0x0A
INFLATE_FAILED = 0x0B

_BUFFER = 0x1800 + BLOCK_HEADER
_SLOW_READ = 64
_SYNC_REPLIES = 8
_FLASH_SIZE = 4 * MIB  # what the ROM believes until SPI_SET_PARAMS
_MOST_STATUS = 4
_SECTORS_OF_BLOCK = 16

# The others leave the error byte of an earlier refusal in their replies.  Not measured and so left
# out: SYNC, WRITE_REG, SPI_SET_PARAMS, the ends of downloads, GET_SECURITY_INFO.
_CLEARS_ERROR = frozenset(
    {
        Opcode.READ_REG,
        Opcode.SPI_ATTACH,
        Opcode.SPI_FLASH_MD5,
        Opcode.READ_FLASH_SLOW,
        Opcode.CHANGE_BAUDRATE,
    }
)


_SECURE_DOWNLOAD = frozenset(
    {
        Opcode.SYNC,
        Opcode.GET_SECURITY_INFO,
        Opcode.SPI_ATTACH,
        Opcode.SPI_SET_PARAMS,
        Opcode.CHANGE_BAUDRATE,
        Opcode.FLASH_BEGIN,
        Opcode.FLASH_DATA,
        Opcode.FLASH_END,
    }
)
"""What is left of the commands in secure download mode (esptool manual)."""


class RomLoader:
    """One run of the ROM loader, from reset on; see ``Program``."""

    buffers = 0
    takes_all = True

    def __init__(self, chip: SimChip) -> None:
        self.chip = chip
        self.cost_s = COMMAND_S
        self._access = chip.access
        self.busy_s = 0.0
        self.next = Next.LOADER
        self.entry = 0
        self.new_baud = 0
        self.receive = RomReceiver(_BUFFER).feed
        self._dialect = chip.facts.rom
        self._buffer = bytearray(_BUFFER)
        self._opcode = 0
        self._value = 0
        self._payload = bytearray(_SLOW_READ + _MOST_STATUS)
        self._size = 0
        self._error = 0
        self._repeat = 0
        self._flash_size = _FLASH_SIZE
        self._offset = 0
        self._encrypts = False
        self._sequence = 0
        self._inflate = zlib.decompressobj()
        self._never_returns = False
        known = self._dialect.commands
        if chip.secure_download:
            known &= _SECURE_DOWNLOAD
        self._commands = {int(op): run for op, run in self._table().items() if op in known}

    def execute(self, frame: bytes) -> list[bytes]:
        """Answer one unescaped frame: replies as they go on the wire."""
        self._buffer[: len(frame)] = frame
        began = self._access.now
        self._access.now += COMMAND_S
        self.new_baud = 0
        try:
            return self._answer()
        except PowerLost:
            self.next = Next.DARK
            return []
        finally:
            self.cost_s = self._access.now - began

    def _answer(self) -> list[bytes]:
        opcode = self._buffer[1]
        command = self._commands.get(opcode)
        if command is None or self._buffer[0]:
            return self._refuse()
        self._opcode = opcode
        self._size = 0
        self._repeat = 1
        if opcode in _CLEARS_ERROR:
            self._error = 0
        error = command()
        return [] if self._never_returns else self._reply(error)

    def _table(self) -> dict[Opcode, Callable[[], int]]:
        """Return what is called for each command; it gives the error byte, 0 if all is well."""
        return {
            Opcode.FLASH_BEGIN: self._flash_begin,
            Opcode.FLASH_DATA: self._flash_data,
            Opcode.FLASH_END: self._flash_end,
            Opcode.MEM_BEGIN: self._mem_begin,
            Opcode.MEM_END: self._mem_end,
            Opcode.MEM_DATA: self._mem_data,
            Opcode.SYNC: self._sync,
            Opcode.WRITE_REG: self._write_reg,
            Opcode.READ_REG: self._read_reg,
            Opcode.SPI_SET_PARAMS: self._set_params,
            Opcode.SPI_ATTACH: self._attach,
            Opcode.READ_FLASH_SLOW: self._read_flash,
            Opcode.CHANGE_BAUDRATE: self._change_baud,
            Opcode.FLASH_DEFL_BEGIN: self._flash_begin,
            Opcode.FLASH_DEFL_DATA: self._deflated_data,
            Opcode.FLASH_DEFL_END: self._deflated_end,
            Opcode.SPI_FLASH_MD5: self._digest,
            Opcode.GET_SECURITY_INFO: self._security_info,
        }

    def _refuse(self) -> list[bytes]:
        # Without payload: esptool could not tell an ESP32-S2 in secure download mode otherwise.
        self._size = 0
        return self._reply(INVALID)

    def _reply(self, error: int) -> list[bytes]:
        size = self._size
        if error:
            self._error = error
        self._payload[size] = 1 if error else 0
        self._payload[size + 1] = self._error
        size += self._dialect.status_size
        head = HEADER.pack(RESPONSE, self._opcode, size, self._value)
        raw = slip.encode(head + self._payload[:size])
        if self._opcode == Opcode.CHANGE_BAUDRATE:
            raw += self.chip.model.after_baud_reply
        return [raw] * self._repeat

    def _word(self, index: int) -> int:
        """Return a word of the request's payload."""
        at = HEADER.size + 4 * index
        return int.from_bytes(self._buffer[at : at + 4], "little")

    def _sync(self) -> int:
        self._repeat = _SYNC_REPLIES
        self._value = self._dialect.sync_value
        return 0

    def _read_reg(self) -> int:
        self._value = self.chip.memory.word(int.from_bytes(self._buffer[8:12], "little"))
        return 0

    def _write_reg(self) -> int:
        """Apply every entry; one that is not whole is applied with what the buffer holds."""
        size = int.from_bytes(self._buffer[2:4], "little")
        for index in range(0, max(1, -(-size // 16)) * 4, 4):
            address, value, mask, delay_us = (self._word(index + n) for n in range(4))
            self.chip.memory.write_word(address, value, mask)
            self._access.now += delay_us * 1e-6
        return 0

    def _mem_begin(self) -> int:
        self.chip.download.begin(self._word(3))
        self._sequence = 0
        return 0

    def _mem_data(self) -> int:
        error = self._check_block()
        if not error:
            self._put(self._block())
        return error

    def _put(self, data: bytes) -> None:
        if not self.chip.download.add(data):
            self.next = Next.NOTHING

    def _mem_end(self) -> int:
        stay, self.entry = self._word(0), self._word(1)
        if not stay and not self.chip.starts_only_signed:
            self.next = Next.RAM
        return 0

    def _flash_begin(self) -> int:
        size, _, block_size, offset = (self._word(n) for n in range(4))
        words = self._dialect.flash_begin_words
        if words > 4 and int.from_bytes(self._buffer[2:4], "little") < 4 * words:
            return INVALID
        if block_size > self._dialect.block_size:
            return INVALID
        self._sequence = 0
        self._offset = offset
        self._encrypts = words > 4 and self._word(4) != 0
        self._inflate = zlib.decompressobj()
        if offset % SECTOR or offset + size > self._flash_size:
            return FAILED  # and yet takes blocks
        self.chip.spi.attached = True
        size = min(self._erased(offset, size), self.chip.flash.size - offset)
        self._access.erase(offset, size)
        return 0

    def _erased(self, offset: int, size: int) -> int:
        """Return how much is erased where that much is asked for."""
        if Quirk.ERASES_TOO_MUCH not in self.chip.facts.quirks:
            return size
        count = -(-size // SECTOR)
        to_boundary = _SECTORS_OF_BLOCK - offset // SECTOR % _SECTORS_OF_BLOCK
        return (count + min(to_boundary, count)) * SECTOR

    def _flash_data(self) -> int:
        return self._check_block() or self._program(self._block())

    def _deflated_data(self) -> int:
        error = self._check_block()
        if error:
            return error
        try:
            data = self._inflate.decompress(self._block())
        except zlib.error:
            return INFLATE_FAILED
        return self._program(data)

    def _flash_end(self) -> int:
        """Leave in either case: 0 reboots, 1 runs what a reboot would run."""
        self.next = Next.BOOT
        return 0

    def _deflated_end(self) -> int:
        if not self._word(0):
            self.next = Next.BOOT
        return 0

    def _set_params(self) -> int:
        self._flash_size = self._word(1)
        return 0

    def _attach(self) -> int:
        self.chip.spi.attached = True
        return 0

    def _read_flash(self) -> int:
        """Answer 64 bytes, whatever was asked; where it fails, those of an earlier reply."""
        offset, size = self._word(0), self._word(1)
        if self.chip.hijacked_entry:
            self.entry, self.next = self.chip.hijacked_entry, Next.RAM
            self._never_returns = True
        self._size = _SLOW_READ
        if size > _SLOW_READ:
            return READ_LENGTH
        if offset + size > self._flash_size:
            return READ_FAILED
        self._payload[:size] = self._read(offset, size)
        return 0

    def _digest(self) -> int:
        offset, size = self._word(0), self._word(1)
        self._size = self._dialect.digest_size
        if offset + size > self._flash_size:
            return READ_FAILED
        digest = hashlib.md5(self._read(offset, size), usedforsecurity=False)
        self._payload[: self._size] = digest.hexdigest().encode()
        return 0

    def _read(self, offset: int, size: int) -> bytes:
        found = self._access.read(offset, size)
        self._access.now += size * READ_BYTE_S
        return found

    def _change_baud(self) -> int:
        baud = self._word(0)
        if not baud:
            return FAILED  # not measured
        if self.chip.baud_is_fixed:
            return INVALID  # how it fails is not measured
        self.new_baud = self.chip.baud_for(baud)
        return 0

    def _security_info(self) -> int:
        """Answer flags, crypt count, key purposes and, but for the oldest, id and version."""
        info = self.chip.security_info
        self._size = len(info)
        self._payload[: len(info)] = info
        return 0

    def _check_block(self) -> int:
        """Check number, then sum: a number is used up even if the sum is bad."""
        size, sequence = self._word(0), self._word(1)
        if sequence != self._sequence or size > self._dialect.block_size:
            return INVALID
        self._sequence += 1
        good = checksum(self._block()) == self._buffer[4]
        return 0 if good else BAD_CHECKSUM

    def _block(self) -> bytes:
        return bytes(self._buffer[BLOCK_HEADER : BLOCK_HEADER + self._word(0)])

    def _program(self, data: bytes) -> int:
        if self._offset + len(data) > self._flash_size:
            return WRITE_FAILED
        kept = cipher.apply(data, self._offset) if self._encrypts else data
        self._access.program(self._offset, kept)
        self._offset += len(data)
        return 0
