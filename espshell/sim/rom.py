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
import struct
import zlib
from collections.abc import Callable

from espshell.chips import Quirk
from espshell.protocol import slip
from espshell.protocol.packet import HEADER, RESPONSE, Opcode, checksum
from espshell.sim.access import encrypted
from espshell.sim.chip import SimChip
from espshell.sim.nor import SECTOR, PowerLost
from espshell.sim.program import COMMAND_S, DONE, SYNC_REPLIES, Answer, Completed, Next
from espshell.sim.receiver import RomReceiver
from espshell.span import ceil_div
from espshell.units import MIB, WORD

BLOCK_HEADER = 24
"""Bytes before the data of FLASH_DATA and MEM_DATA: packet header, size, number, two words."""

INVALID = 0x05
FAILED = 0x06
BAD_CHECKSUM = 0x07
WRITE_FAILED = 0x08
READ_FAILED = 0x09
READ_LENGTH = 0x0A
INFLATE_FAILED = 0x0B

_WORD = struct.Struct("<I")
_BUFFER = 0x1800 + BLOCK_HEADER
_SLOW_READ = 64
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
        self.receive = RomReceiver(_BUFFER).feed
        self._access = chip.access
        self._dialect = chip.facts.rom
        self._buffer = bytearray(_BUFFER)
        self._opcode = 0
        self._value = 0
        self._payload = bytearray(_SLOW_READ + _MOST_STATUS)
        self._error = 0
        self._repeat = 0
        self._flash_size = _FLASH_SIZE
        self._offset = 0
        self._encrypts = False
        self._sequence = 0
        self._inflate = zlib.decompressobj()
        opcodes = self._dialect.commands
        if chip.secure_download:
            opcodes &= _SECURE_DOWNLOAD
        self._commands = {int(op): run for op, run in self._table().items() if op in opcodes}

    def execute(self, frame: bytes) -> Answer:
        """Answer one unescaped frame."""
        buffer, access = self._buffer, self._access
        buffer[: len(frame)] = frame
        began = access.now
        access.now += COMMAND_S
        opcode = buffer[1]
        command = None if buffer[0] else self._commands.get(opcode)
        if command is None:
            # Refused without payload: esptool could not tell an ESP32-S2 in secure download mode
            # otherwise.
            completed = Completed(INVALID)
        else:
            self._opcode = opcode
            self._repeat = SYNC_REPLIES if opcode == Opcode.SYNC else 1
            if opcode in _CLEARS_ERROR:
                self._error = 0
            try:
                completed = command()
            except PowerLost:
                completed = Completed(next=Next.DARK, is_silent=True)
        replies = () if completed.is_silent else (self._reply(completed),) * self._repeat
        cost_s = access.now - began
        return Answer(replies, cost_s, 0.0, (), completed.next, completed.entry, completed.new_baud)

    def _table(self) -> dict[Opcode, Callable[[], Completed]]:
        word = self._word
        return {
            Opcode.FLASH_BEGIN: self._flash_begin,
            Opcode.FLASH_DATA: lambda: self._take_block(self._program),
            # Both leave: 0 reboots, 1 runs what a reboot would run.
            Opcode.FLASH_END: lambda: Completed(next=Next.BOOT),
            Opcode.MEM_BEGIN: self._mem_begin,
            Opcode.MEM_END: self._mem_end,
            Opcode.MEM_DATA: lambda: self._take_block(
                lambda data: DONE if self.chip.download.add(data) else Completed(next=Next.NOTHING)
            ),
            Opcode.SYNC: lambda: Completed(value=self._dialect.sync_value),
            Opcode.WRITE_REG: self._write_reg,
            Opcode.READ_REG: self._read_reg,
            Opcode.SPI_SET_PARAMS: self._set_params,
            Opcode.SPI_ATTACH: self._attach,
            Opcode.READ_FLASH_SLOW: self._read_flash,
            Opcode.CHANGE_BAUDRATE: self._change_baud,
            Opcode.FLASH_DEFL_BEGIN: self._flash_begin,
            Opcode.FLASH_DEFL_DATA: lambda: self._take_block(self._program_deflated),
            Opcode.FLASH_DEFL_END: lambda: Completed(next=Next.LOADER if word(0) else Next.BOOT),
            Opcode.SPI_FLASH_MD5: self._digest,
            # Flags, crypt count, key purposes and, but for the oldest, id and version.
            Opcode.GET_SECURITY_INFO: lambda: Completed(data=self.chip.security_info),
        }

    def _reply(self, completed: Completed) -> bytes:
        error, value, data, size, *_ = completed
        if value is not None:
            self._value = value
        self._error = error or self._error
        payload = self._payload
        if data:
            payload[: len(data)] = data
            size = max(size, len(data))
        payload[size] = 1 if error else 0
        payload[size + 1] = self._error
        size += self._dialect.status_size
        head = HEADER.pack(RESPONSE, self._opcode, size, self._value)
        raw = slip.encode(head + payload[:size])
        if self._opcode == Opcode.CHANGE_BAUDRATE:
            raw += self.chip.model.after_baud_reply
        return raw

    def _read_reg(self) -> Completed:
        return Completed(0, self.chip.memory.word(_WORD.unpack_from(self._buffer, HEADER.size)[0]))

    def _word(self, index: int) -> int:
        """Return a word of the request's payload."""
        word: int = _WORD.unpack_from(self._buffer, HEADER.size + WORD * index)[0]
        return word

    @property
    def _request_size(self) -> int:
        """What the request's header says."""
        return int.from_bytes(self._buffer[2:4], "little")

    # -- memory

    def _write_reg(self) -> Completed:
        """Apply every entry; one that is not whole is applied with what the buffer holds."""
        size = min(self._request_size, len(self._buffer) - HEADER.size - 4 * WORD)
        for index in range(0, 4 * max(1, ceil_div(size, 4 * WORD)), 4):
            address, value, mask, delay_us = (self._word(index + n) for n in range(4))
            self.chip.memory.write_word(address, value, mask)
            self._access.now += delay_us * 1e-6
        return DONE

    def _mem_begin(self) -> Completed:
        self.chip.download.begin(self._word(3))
        self._sequence = 0
        return DONE

    def _mem_end(self) -> Completed:
        starts = not self._word(0) and not self.chip.starts_only_signed
        return Completed(next=Next.RAM, entry=self._word(1)) if starts else DONE

    def _take_block(self, store: Callable[[bytes], Completed]) -> Completed:
        """Check number, then sum: a number is used up even if the sum is bad."""
        size, sequence = self._word(0), self._word(1)
        if sequence != self._sequence or size > self._dialect.block_size:
            return Completed(INVALID)
        self._sequence += 1
        data = bytes(self._buffer[BLOCK_HEADER : BLOCK_HEADER + size])
        return store(data) if checksum(data) == self._buffer[4] else Completed(BAD_CHECKSUM)

    # -- flash

    def _flash_begin(self) -> Completed:
        size, _, block_size, offset = (self._word(n) for n in range(4))
        words = self._dialect.flash_begin_words
        if words > 4 and self._request_size < WORD * words:
            return Completed(INVALID)
        if block_size > self._dialect.block_size:
            return Completed(INVALID)
        self._sequence = 0
        self._offset = offset
        self._encrypts = words > 4 and self._word(4) != 0
        self._inflate = zlib.decompressobj()
        if offset % SECTOR or offset + size > self._flash_size:
            return Completed(FAILED)  # and yet takes blocks
        self.chip.spi.attached = True
        if Quirk.ERASES_TOO_MUCH in self.chip.facts.quirks:
            count = ceil_div(size, SECTOR)
            to_boundary = _SECTORS_OF_BLOCK - offset // SECTOR % _SECTORS_OF_BLOCK
            size = (count + min(to_boundary, count)) * SECTOR
        self._access.erase(offset, min(size, self.chip.flash.size - offset))
        return DONE

    def _program(self, data: bytes) -> Completed:
        if self._offset + len(data) > self._flash_size:
            return Completed(WRITE_FAILED)
        self._access.program(
            self._offset, encrypted(data, self._offset) if self._encrypts else data
        )
        self._offset += len(data)
        return DONE

    def _program_deflated(self, data: bytes) -> Completed:
        try:
            return self._program(self._inflate.decompress(data))
        except zlib.error:
            return Completed(INFLATE_FAILED)

    def _set_params(self) -> Completed:
        self._flash_size = self._word(1)
        return DONE

    def _attach(self) -> Completed:
        self.chip.spi.attached = True
        return DONE

    def _read_flash(self) -> Completed:
        """Answer 64 bytes, whatever was asked; where it fails, those of an earlier reply."""
        offset, size = self._word(0), self._word(1)
        if self.chip.hijacked_entry:
            return Completed(next=Next.RAM, entry=self.chip.hijacked_entry, is_silent=True)
        if size > _SLOW_READ:
            return Completed(READ_LENGTH, size=_SLOW_READ)
        if offset + size > self._flash_size:
            return Completed(READ_FAILED, size=_SLOW_READ)
        return Completed(data=self._access.read_timed(offset, size), size=_SLOW_READ)

    def _digest(self) -> Completed:
        offset, size = self._word(0), self._word(1)
        if offset + size > self._flash_size:
            return Completed(READ_FAILED, size=self._dialect.digest_size)
        digest = hashlib.md5(self._access.read_timed(offset, size), usedforsecurity=False)
        return Completed(data=digest.hexdigest().encode())

    def _change_baud(self) -> Completed:
        baud = self._word(0)
        if not baud:
            return Completed(FAILED)  # not measured
        if self.chip.baud_is_fixed:
            return Completed(INVALID)  # how it fails is not measured
        return Completed(new_baud=self.chip.baud_for(baud))
