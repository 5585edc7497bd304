"""A flasher stub: what runs in the ROM loader's place once a host has loaded and started it.

Theory of this file.  The bytes that the host loads really lie in the simulated RAM and are not
executed: both kinds of stub are imitated here, by what they answered when they were recorded.
The exception is the plugin table of a version 2 stub.  Its 27 pointers are read from RAM each time,
and one that somebody has changed is followed: there the host's own machine code is being tested.  A
stub whose text or data is overwritten is dead.

A reply is made anew each time; nothing in it is left over from an earlier one.  Only the receive
buffers are: what a frame does not bring is what an earlier one has left there.

Sources: ``tests/data/esp32-stub-v1.json`` and ``esp32-stub-v2.json``, recorded from both stubs on
the ROM of an ESP32; opcodes from the esptool manual.  What is not recorded says so.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from espshell.protocol import slip
from espshell.protocol.packet import HEADER, RESPONSE, Opcode, checksum
from espshell.sim import cipher
from espshell.sim.chip import SimChip
from espshell.sim.habits import (
    BAD_ADDRESS,
    BAD_BLOCK_SIZE,
    BAD_CHECKSUM,
    BAD_SIZE,
    FRAME,
    INFLATE_FAILED,
    INVALID,
    NOT_BEGUN,
    NOT_IMPLEMENTED,
    TOO_MUCH,
    V1,
    V2,
)
from espshell.sim.handler import Caller
from espshell.sim.nor import SECTOR, PowerLost
from espshell.sim.program import COMMAND_S, READ_BYTE_S, Next
from espshell.sim.receiver import Frames, Receiver, RomReceiver
from espshell.sim.stub_image import FIRST_SLOT, GREETING, SLOTS, Image
from espshell.units import KIB, WORD

HELLO = slip.encode(GREETING)

_LARGEST_BLOCK = 4 * KIB
_SYNC_REPLIES = 8
_DATA_HEADER = 16  # of a payload: size, number, two words
_ENTRY = 16  # of WRITE_REG
_PLAIN_BEGIN = 16  # a FLASH_BEGIN without a word for encryption


@dataclass(slots=True)
class Sending:
    """A READ_FLASH that is under way."""

    offset: int
    size: int
    block_size: int
    inflight: int
    """Blocks that may be sent and not acknowledged."""
    receiver: Receiver
    """What takes acknowledgements."""
    sent: bytes = b""


class StubLoader:
    """One run of a stub; see ``Program``."""

    def __init__(self, chip: SimChip, image: Image) -> None:
        self.chip = chip
        self.image = image
        self.habits = V1 if image.table is None else V2
        self.buffers = 2
        self.cost_s = COMMAND_S
        self.busy_s = 0.0
        self._access = chip.access
        self._afterwards: list[Callable[[], None]] = []
        self.next = Next.LOADER
        self.entry = 0
        self.new_baud = 0
        self._receiver = self.habits.receiver(FRAME)
        self._buffer = bytearray(FRAME)
        self._body = b""
        self._value = 0
        self._data = b""
        self._extra_size = 0
        self._flash_size = chip.flash.size
        self._ram_left = 0
        self._flash_left: int | None = None
        self._offset = 0
        self._encrypts = False
        self._erased_to = 0
        self._erase_end = 0
        self._inflate = zlib.decompressobj()
        self._sending: Sending | None = None
        self._caller = Caller(chip)
        self._commands = self._table()

    def receive(self, data: bytes, *, joined: bool = False) -> Frames:
        """Return the frames that are complete; ``joined``: no pause before these bytes."""
        sending = self._sending
        receiver = self._receiver if sending is None else sending.receiver
        return receiver.feed(data, joined=joined)

    def execute(self, frame: bytes) -> list[bytes]:
        """Answer one unescaped frame: replies as they go on the wire."""
        began = self._access.now
        self._access.now += COMMAND_S
        self.cost_s, self.busy_s, self.new_baud = COMMAND_S, 0.0, 0
        replies: list[bytes] = []
        try:
            replies = self._answer(frame)
            self.cost_s = self._access.now - began
            while self._afterwards:
                self._afterwards.pop()()
        except PowerLost:
            self.next = Next.DARK
        self.busy_s = self._access.now - began - self.cost_s
        return replies

    @property
    def takes_all(self) -> bool:
        """Whether frames are acknowledgements, which it looks for between two blocks."""
        return self._sending is not None and self._sending.inflight > 1

    def _answer(self, frame: bytes) -> list[bytes]:
        if self._sending is not None:
            return self._acknowledged(frame)
        self._buffer[: len(frame)] = frame
        self._body = frame[HEADER.size :]
        self._value, self._data, self._extra_size = 0, b"", 0
        opcode = self._buffer[1]
        status = self._checked(len(frame), opcode)
        if self._is_dead():
            return []
        count = _SYNC_REPLIES if opcode == Opcode.SYNC and not status else 1
        replies = [self._reply(opcode, status)] * count
        return replies + self._blocks(acknowledged=0)

    def _is_dead(self) -> bool:
        return self.next is Next.NOTHING

    def _checked(self, size: int, opcode: int) -> int:
        """Return the error byte of a frame, 0 if it was done."""
        if self._buffer[0] and not self.habits.answers_replies:
            return INVALID
        if size != HEADER.size + int.from_bytes(self._buffer[2:4], "little"):
            return BAD_SIZE
        if self.habits is V2 and 0 <= opcode - FIRST_SLOT < SLOTS:
            return self._plugin(opcode)
        known = self._commands.get(opcode)
        if known is None:
            return self.habits.unknown
        sizes, command = known
        return command() if not sizes or len(self._body) in sizes else BAD_SIZE

    def _reply(self, opcode: int, status: int) -> bytes:
        size = len(self._data) + 2 + self._extra_size
        head = HEADER.pack(RESPONSE, opcode, size, self._value)
        return slip.encode(head + self._data + bytes([status, 0]))

    def _word(self, index: int) -> int:
        return int.from_bytes(self._body[WORD * index : WORD * index + WORD], "little")

    def _table(self) -> dict[int, tuple[tuple[int, ...], Callable[[], int]]]:
        """Return for each command the sizes that its payload may have, none: any, and what it does.

        Sizes of commands that are not in the transcripts are those that esptool sends.
        """
        return {
            Opcode.FLASH_BEGIN: ((16, 20), self._flash_begin),
            Opcode.FLASH_DATA: ((), self._flash_data),
            Opcode.FLASH_END: ((4,), self._flash_end),
            Opcode.MEM_BEGIN: ((16,), self._mem_begin),
            Opcode.MEM_END: ((8,), self._mem_end),
            Opcode.MEM_DATA: ((), self._mem_data),
            Opcode.SYNC: ((), self._nothing),
            Opcode.WRITE_REG: ((), self._write_reg),
            Opcode.READ_REG: ((4,), self._read_reg),
            Opcode.SPI_SET_PARAMS: ((24,), self._set_params),
            Opcode.SPI_ATTACH: ((4, 8), self._nothing),
            Opcode.CHANGE_BAUDRATE: ((8,), self._change_baud),
            Opcode.FLASH_DEFL_BEGIN: ((16, 20), self._flash_begin),
            Opcode.FLASH_DEFL_DATA: ((), self._deflated_data),
            Opcode.FLASH_DEFL_END: ((4,), self._flash_end),
            Opcode.SPI_FLASH_MD5: ((16,), self._digest),
            Opcode.GET_SECURITY_INFO: ((), self._security_info),
            Opcode.ERASE_FLASH: ((), self._erase_flash),
            Opcode.ERASE_REGION: ((8,), self._erase_region),
            Opcode.READ_FLASH: ((16,), self._read_flash),
            Opcode.RUN_USER_CODE: ((), self._run_user_code),
        }

    def _nothing(self) -> int:
        return 0

    def _security_info(self) -> int:
        self._data = self.chip.security_info
        return 0 if self._data else NOT_IMPLEMENTED

    # -- memory

    def _read_reg(self) -> int:
        self._value = self.chip.memory.word(self._word(0))
        return 0

    def _write_reg(self) -> int:
        if not self._body or len(self._body) % _ENTRY:
            return self.habits.short_write
        for index in range(0, len(self._body) // WORD, _ENTRY // WORD):
            address, value, mask, delay_us = (self._word(index + n) for n in range(4))
            if not self.chip.download.can_store(address, WORD):
                self.next = Next.NOTHING
            self.chip.memory.write_word(address, value, mask)
            self._access.now += delay_us * 1e-6
            self._see_if_whole(address, WORD)
        return 0

    def _mem_begin(self) -> int:
        self._ram_left = self._word(0)
        self.chip.download.begin(self._word(3))
        return 0

    def _mem_data(self) -> int:
        """Take a block; neither checksum nor number is looked at."""
        data = self._body[_DATA_HEADER:]
        size = self._word(0) if self.habits.believes_size else len(data)
        if size > self._ram_left:
            return TOO_MUCH
        if size > len(data):
            return BAD_SIZE  # not recorded
        self._ram_left -= size
        address = self.chip.download.pieces[-1].stop
        if not self.chip.download.add(data[:size]):
            self.next = Next.NOTHING
        self._see_if_whole(address, size)
        return 0

    def _mem_end(self) -> int:
        stay, entry = self._word(0), self._word(1)
        if stay or not entry:
            return self.habits.unfinished if self._ram_left else 0
        self.entry, self.next = entry, Next.RAM
        return 0

    def call(self, entry: int) -> bool:
        """Call what was downloaded, as a version 2 stub does; say whether it comes back."""
        return self.goes_on() and self._caller.returns(entry)

    def goes_on(self) -> bool:
        """Go on when what was called has come back; say whether this kind of stub does."""
        self.next = Next.LOADER
        return self.habits.returns

    def _see_if_whole(self, address: int, size: int) -> None:
        touched = any(
            start < address + size and address < start + len(data)
            for start, data in self.image.pieces
        )
        if touched and not self.image.is_whole(self.chip.memory):
            self.next = Next.NOTHING

    def _plugin(self, opcode: int) -> int:
        pointer = self.chip.memory.word(self.image.slots[WORD * (opcode - FIRST_SLOT)])
        if pointer == self.image.default:
            return NOT_IMPLEMENTED
        answer = self._caller.run(pointer, opcode, self._body)
        if answer is None:
            self.next = Next.NOTHING
            return 0
        self._value, self._data = answer.value, answer.data
        return answer.status

    # -- flash

    def _flash_begin(self) -> int:
        size, offset = self._word(0), self._word(3)
        if self.habits.checks_range and offset + size > self._flash_size:
            return BAD_ADDRESS
        self._flash_left = size
        self._offset = offset
        self._encrypts = len(self._body) > _PLAIN_BEGIN and self._word(4) != 0
        self._erased_to = offset // SECTOR * SECTOR
        self._erase_end = offset + size
        self._inflate = zlib.decompressobj()
        if self.habits.erases_first:
            self._afterwards.append(lambda: self._erase_to(offset + min(size, 1)))
        return 0

    def _flash_data(self) -> int:
        return self._checked_block() or self._program(self._body[_DATA_HEADER:])

    def _deflated_data(self) -> int:
        error = self._checked_block()
        if error:
            return error
        try:
            data = self._inflate.decompress(self._body[_DATA_HEADER:])
        except zlib.error:
            return INFLATE_FAILED
        return self._program(data)

    def _checked_block(self) -> int:
        """Return what is wrong with a block; that of too much data is not recorded."""
        data = self._body[_DATA_HEADER:]
        if self._flash_left is None:
            return NOT_BEGUN
        if checksum(data) != self._buffer[4]:
            return BAD_CHECKSUM
        if self._word(0) != len(data):
            return BAD_SIZE
        return TOO_MUCH if self._flash_left <= 0 else 0

    def _program(self, data: bytes) -> int:
        """Erase for a block and program it after it has been acknowledged.

        A block may be padded: what is beyond the announced size is left out.
        """
        data = data[: self._flash_left]
        offset, end = self._offset, self._offset + len(data)
        self._flash_left = (self._flash_left or 0) - len(data)
        self._offset = end
        if self._encrypts:
            data = cipher.apply(data, offset)

        def work() -> None:
            self._erase_to(end)
            self._access.program(offset, data)

        self._afterwards.append(work)
        return 0

    def _erase_to(self, end: int) -> None:
        """Erase what is not erased yet: blocks as far as was announced, then sectors."""
        while self._erased_to < end:
            self._erased_to = self._access.erase_next(self._erased_to, self._erase_end)

    def _flash_end(self) -> int:
        """End a download; that it says nothing about one that was not begun is not recorded."""
        self._flash_left = None
        if self.habits.reboots and not self._word(0):
            self.next = Next.RESET
        return 0

    def _run_user_code(self) -> int:
        if self.habits.reboots:
            self.next = Next.BOOT
        return 0

    def _erase_flash(self) -> int:
        self._access.erase_chip()
        return 0

    def _erase_region(self) -> int:
        """Erase sectors; the errors are not recorded."""
        offset, size = self._word(0), self._word(1)
        if offset % SECTOR or offset + size > self._flash_size:
            return BAD_ADDRESS
        if size % SECTOR:
            return BAD_BLOCK_SIZE
        self._access.erase(offset, size)
        return 0

    def _set_params(self) -> int:
        self._flash_size = self._word(1)
        return 0

    def _digest(self) -> int:
        offset, size = self._word(0), self._word(1)
        if offset + size > self._flash_size:
            error, self._extra_size = self.habits.digest_error
            return error
        found = self._access.read(offset, size)
        self._data = hashlib.md5(found, usedforsecurity=False).digest()
        self._access.now += size * READ_BYTE_S
        return 0

    def _change_baud(self) -> int:
        self.new_baud = self._word(0)
        return 0

    def _read_flash(self) -> int:
        """Begin to send; real stubs do not look at how many blocks in flight were asked for."""
        offset, size, block_size, inflight = (self._word(n) for n in range(4))
        if not 0 < block_size <= _LARGEST_BLOCK:
            return BAD_BLOCK_SIZE
        if offset + size > self._flash_size:
            return BAD_ADDRESS  # not recorded
        inflight = max(1, min(inflight, self.chip.inflight))
        # A legacy stub reads them by itself, without its two buffers.
        plain = inflight > 1 or self.habits is V1
        receiver = RomReceiver(FRAME) if plain else self._receiver
        self._sending = Sending(offset, size, block_size, inflight, receiver)
        return 0

    def _acknowledged(self, frame: bytes) -> list[bytes]:
        """Go on with a READ_FLASH: any frame is taken for the number of bytes that have come."""
        return self._blocks(int.from_bytes(frame[:WORD], "little"))

    def _blocks(self, acknowledged: int) -> list[bytes]:
        """Return the next frames of a READ_FLASH: blocks, or the digest of what was sent."""
        sending = self._sending
        if sending is None:
            return []
        if acknowledged >= sending.size:
            self._sending = None
            return [slip.encode(hashlib.md5(sending.sent, usedforsecurity=False).digest())]
        allowed = min(sending.size, acknowledged + sending.inflight * sending.block_size)
        found: list[bytes] = []
        while (sent := len(sending.sent)) < allowed and not (found and sending.inflight == 1):
            size = min(sending.block_size, sending.size - sent)
            if sent + size > allowed:
                break  # it waits for another acknowledgement
            block = self._access.read(sending.offset + sent, size)
            sending.sent += block
            # The others are read while the first is on the line.
            self._access.now += 0 if found else size * READ_BYTE_S
            found.append(slip.encode(block))
        return found
