"""A flasher stub: what runs in the ROM loader's place once a host has loaded and started it.

Theory of this file.  The bytes that the host loads really lie in the simulated RAM and are not
executed: both kinds of stub are imitated here, by what they answered when they were recorded.
The exception is the plugin table of a version 2 stub.  Its 27 pointers are read from RAM each time,
and one that somebody has changed is followed: there the host's own machine code is being tested.
It may send frames after its reply; a request that comes meanwhile is kept.  A stub whose text or
data is overwritten is dead.

A reply is made anew each time; nothing in it is left over from an earlier one.  Only the receive
buffers are: what a frame does not bring is what an earlier one has left there.

Sources: ``tests/data/esp32-stub-v1.json`` and ``esp32-stub-v2.json``, recorded from both stubs on
the ROM of an ESP32; opcodes from the esptool manual.  What is not recorded says so.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable

from espshell.protocol import slip
from espshell.protocol.packet import HEADER, RESPONSE, Opcode, checksum
from espshell.records import dataclass
from espshell.sim.access import encrypted
from espshell.sim.chip import SimChip
from espshell.sim.handler import Caller
from espshell.sim.nor import SECTOR, PowerLost
from espshell.sim.program import COMMAND_S, DONE, SYNC_REPLIES, Answer, Completed, Next
from espshell.sim.receiver import Frames, Receiver, RomReceiver
from espshell.sim.stub_image import FIRST_SLOT, GREETING, SLOTS, StubImage
from espshell.sim.stub_variant import FRAME, V1, V2, StubError
from espshell.span import Span, align_down
from espshell.units import KIB, WORD

HELLO = slip.encode(GREETING)

_LARGEST_BLOCK = 4 * KIB
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

    buffers = 2

    def __init__(self, chip: SimChip, image: StubImage) -> None:
        self.chip = chip
        self.image = image
        self.variant = V1 if image.table is None else V2
        self.caller = Caller(chip)
        self._access = chip.access
        self._receiver = self.variant.receiver(FRAME)
        self._buffer = bytearray(FRAME)
        self._body = b""
        self._flash_size = chip.flash.size
        self._ram_size = 0
        """Bytes of a download to RAM that are still to come."""
        self._flash_remaining: int | None = None
        """Bytes of a download to flash that are still to come; None: there is none."""
        self._offset = 0
        self._encrypts = False
        self._erased_to = 0
        self._erase_end = 0
        self._inflate = zlib.decompressobj()
        self._sending: Sending | None = None
        self._commands = self._table()

    def receive(self, data: bytes, *, joined: bool = False) -> Frames:
        """Return the frames that are complete; ``joined``: no pause before these bytes."""
        sending = self._sending
        receiver = self._receiver if sending is None else sending.receiver
        return receiver.feed(data, joined=joined)

    @property
    def takes_all(self) -> bool:
        """Whether frames are acknowledgements, which it looks for between two blocks."""
        return self._sending is not None and self._sending.inflight > 1

    def execute(self, frame: bytes) -> Answer:
        """Answer one unescaped frame."""
        began = self._access.now
        self._access.now += COMMAND_S
        cost_s, replies = COMMAND_S, list[bytes]()
        try:
            completed, replies = self._answer(frame)
            cost_s = self._access.now - began
            if completed.work is not None:
                completed.work()
        except PowerLost:
            completed = Completed(next=Next.DARK)
        busy_s = self._access.now - began - cost_s
        return Answer(
            tuple(replies),
            cost_s,
            busy_s,
            tuple((after_s, slip.encode(frame)) for after_s, frame in completed.stream or ()),
            completed.next,
            completed.entry,
            completed.new_baud,
        )

    def _answer(self, frame: bytes) -> tuple[Completed, list[bytes]]:
        if self._sending is not None:
            # Any frame is taken for the number of bytes that have come.
            return DONE, self._blocks(int.from_bytes(frame[:WORD], "little"))
        self._buffer[: len(frame)] = frame
        self._body = frame[HEADER.size :]
        opcode = self._buffer[1]
        completed = self._run(opcode, len(frame))
        if completed.next is Next.NOTHING and completed.stream is None:
            return completed, []
        size = max(completed.size, len(completed.data)) + 2
        head = HEADER.pack(RESPONSE, opcode, size, completed.value or 0)
        reply = slip.encode(head + completed.data + bytes([completed.error, 0]))
        count = SYNC_REPLIES if opcode == Opcode.SYNC and not completed.error else 1
        return completed, [reply] * count + self._blocks(acknowledged=0)

    def _run(self, opcode: int, size: int) -> Completed:
        """Check a frame of a size and do what it says."""
        if self._buffer[0] and not self.variant.answers_replies:
            return Completed(StubError.INVALID)
        if size != HEADER.size + int.from_bytes(self._buffer[2:4], "little"):
            return Completed(StubError.BAD_SIZE)
        if self.variant is V2 and 0 <= opcode - FIRST_SLOT < SLOTS:
            return self._run_plugin(opcode)
        sizes, command = self._commands.get(opcode, ((), lambda: Completed(self.variant.unknown)))
        return command() if not sizes or len(self._body) in sizes else Completed(StubError.BAD_SIZE)

    def _word(self, index: int) -> int:
        return int.from_bytes(self._body[WORD * index : WORD * index + WORD], "little")

    def _table(self) -> dict[int, tuple[tuple[int, ...], Callable[[], Completed]]]:
        """Return for each command the sizes that its payload may have, none: any, and what it does.

        Sizes of commands that are not in the transcripts are those that esptool sends.
        """
        memory, word = self.chip.memory, self._word
        info = self.chip.security_info
        after_user_code = Next.BOOT if self.variant.reboots else Next.LOADER
        return {
            Opcode.FLASH_BEGIN: ((16, 20), self._flash_begin),
            Opcode.FLASH_DATA: ((), lambda: self._flash_data(lambda data: data)),
            Opcode.FLASH_END: ((4,), self._flash_end),
            Opcode.MEM_BEGIN: ((16,), self._mem_begin),
            Opcode.MEM_END: ((8,), self._mem_end),
            Opcode.MEM_DATA: ((), self._mem_data),
            Opcode.SYNC: ((), lambda: DONE),
            Opcode.WRITE_REG: ((), self._write_reg),
            Opcode.READ_REG: ((4,), lambda: Completed(value=memory.word(word(0)))),
            Opcode.SPI_SET_PARAMS: ((24,), self._set_params),
            Opcode.SPI_ATTACH: ((4, 8), lambda: DONE),
            Opcode.CHANGE_BAUDRATE: ((8,), lambda: Completed(new_baud=word(0))),
            Opcode.FLASH_DEFL_BEGIN: ((16, 20), self._flash_begin),
            Opcode.FLASH_DEFL_DATA: ((), lambda: self._flash_data(self._inflate.decompress)),
            Opcode.FLASH_DEFL_END: ((4,), self._flash_end),
            Opcode.SPI_FLASH_MD5: ((16,), self._digest),
            Opcode.GET_SECURITY_INFO: (
                (),
                lambda: Completed(data=info) if info else Completed(StubError.NOT_IMPLEMENTED),
            ),
            Opcode.ERASE_FLASH: ((), self._erase_flash),
            Opcode.ERASE_REGION: ((8,), self._erase_region),
            Opcode.READ_FLASH: ((16,), self._read_flash),
            Opcode.RUN_USER_CODE: ((), lambda: Completed(next=after_user_code)),
        }

    # -- memory

    def _write_reg(self) -> Completed:
        if not self._body or len(self._body) % _ENTRY:
            return Completed(self.variant.short_write)
        survives = True
        for index in range(0, len(self._body) // WORD, _ENTRY // WORD):
            address, value, mask, delay_us = (self._word(index + n) for n in range(4))
            survives &= self.chip.download.can_store(address, WORD)
            self.chip.memory.write_word(address, value, mask)
            self._access.now += delay_us * 1e-6
            survives &= self._survives_write(address, WORD)
        return DONE if survives else Completed(next=Next.NOTHING)

    def _mem_begin(self) -> Completed:
        self._ram_size = self._word(0)
        self.chip.download.begin(self._word(3))
        return DONE

    def _mem_data(self) -> Completed:
        """Take a block; neither checksum nor number is looked at."""
        data = self._body[_DATA_HEADER:]
        size = self._word(0) if self.variant.believes_size else len(data)
        if size > self._ram_size:
            return Completed(StubError.TOO_MUCH)
        if size > len(data):
            return Completed(StubError.BAD_SIZE)  # not recorded
        self._ram_size -= size
        address = self.chip.download.end
        is_stored = self.chip.download.add(data[:size])
        survives = self._survives_write(address, size) and is_stored
        return DONE if survives else Completed(next=Next.NOTHING)

    def _mem_end(self) -> Completed:
        stay, entry = self._word(0), self._word(1)
        if stay or not entry:
            return Completed(self.variant.unfinished if self._ram_size else 0)
        return Completed(next=Next.RAM, entry=entry)

    def _survives_write(self, address: int, size: int) -> bool:
        """Whether the stub is still whole after a write to RAM."""
        written = Span.of(address, size)
        is_hit = any(
            written.overlaps(Span.of(start, len(data))) for start, data in self.image.pieces
        )
        return not is_hit or self.image.is_whole(self.chip.memory)

    def _run_plugin(self, opcode: int) -> Completed:
        pointer = self.chip.memory.word(self.image.slots.start + WORD * (opcode - FIRST_SLOT))
        if pointer == self.image.default:
            return Completed(StubError.NOT_IMPLEMENTED)
        result = self.caller.run(pointer, opcode, self._body)
        if result is None:
            return Completed(next=Next.NOTHING)
        after = Next.NOTHING if result.crashes else Next.LOADER
        return Completed(result.status, result.value, result.data, next=after, stream=result.stream)

    # -- flash

    def _flash_begin(self) -> Completed:
        size, offset = self._word(0), self._word(3)
        if self.variant.checks_range and offset + size > self._flash_size:
            return Completed(StubError.BAD_ADDRESS)
        self._flash_remaining = size
        self._offset = offset
        self._encrypts = len(self._body) > _PLAIN_BEGIN and self._word(4) != 0
        self._erased_to = align_down(offset, SECTOR)
        self._erase_end = offset + size
        self._inflate = zlib.decompressobj()
        if not self.variant.erases_first:
            return DONE
        return Completed(work=lambda: self._erase_to(offset + min(size, 1)))

    def _flash_data(self, decode: Callable[[bytes], bytes]) -> Completed:
        """Erase for a block and program it after it has been acknowledged.

        A block may be padded: what is beyond the announced size is left out.  The error of too
        much data is not recorded.
        """
        data = self._body[_DATA_HEADER:]
        if self._flash_remaining is None:
            return Completed(StubError.NOT_BEGUN)
        if checksum(data) != self._buffer[4]:
            return Completed(StubError.BAD_CHECKSUM)
        if self._word(0) != len(data):
            return Completed(StubError.BAD_SIZE)
        if self._flash_remaining <= 0:
            return Completed(StubError.TOO_MUCH)
        try:
            data = decode(data)[: self._flash_remaining]
        except zlib.error:
            return Completed(StubError.INFLATE_FAILED)
        offset, end = self._offset, self._offset + len(data)
        self._flash_remaining -= len(data)
        self._offset = end
        if self._encrypts:
            data = encrypted(data, offset)

        def work() -> None:
            self._erase_to(end)
            self._access.program(offset, data)

        return Completed(work=work)

    def _erase_to(self, end: int) -> None:
        """Erase what is not erased yet: blocks as far as was announced, then sectors."""
        while self._erased_to < end:
            self._erased_to = self._access.erase_next(self._erased_to, self._erase_end)

    def _flash_end(self) -> Completed:
        """End a download, also one that was not begun, which is not recorded."""
        self._flash_remaining = None
        leaves = self.variant.reboots and not self._word(0)
        return Completed(next=Next.RESET) if leaves else DONE

    def _erase_flash(self) -> Completed:
        self._access.erase_chip()
        return DONE

    def _erase_region(self) -> Completed:
        """Erase sectors; the errors are not recorded."""
        offset, size = self._word(0), self._word(1)
        if offset % SECTOR or offset + size > self._flash_size:
            return Completed(StubError.BAD_ADDRESS)
        if size % SECTOR:
            return Completed(StubError.BAD_BLOCK_SIZE)
        self._access.erase(offset, size)
        return DONE

    def _set_params(self) -> Completed:
        self._flash_size = self._word(1)
        return DONE

    def _digest(self) -> Completed:
        offset, size = self._word(0), self._word(1)
        if offset + size > self._flash_size:
            error, extra_size = self.variant.digest_error
            return Completed(error, size=extra_size)
        data = self._access.read_timed(offset, size)
        return Completed(data=hashlib.md5(data, usedforsecurity=False).digest())

    def _read_flash(self) -> Completed:
        """Begin to send; real stubs do not look at how many blocks in flight were asked for."""
        offset, size, block_size, inflight = (self._word(n) for n in range(4))
        if not 0 < block_size <= _LARGEST_BLOCK:
            return Completed(StubError.BAD_BLOCK_SIZE)
        if offset + size > self._flash_size:
            return Completed(StubError.BAD_ADDRESS)  # not recorded
        inflight = max(1, min(inflight, self.chip.inflight))
        # A legacy stub reads them by itself, without its two buffers.
        plain = inflight > 1 or self.variant is V1
        receiver = RomReceiver(FRAME) if plain else self._receiver
        self._sending = Sending(offset, size, block_size, inflight, receiver)
        return DONE

    def _blocks(self, acknowledged: int) -> list[bytes]:
        """Return the next frames of a READ_FLASH: blocks, or the digest of what was sent."""
        sending = self._sending
        if sending is None:
            return []
        if acknowledged >= sending.size:
            self._sending = None
            return [slip.encode(hashlib.md5(sending.sent, usedforsecurity=False).digest())]
        allowed = min(sending.size, acknowledged + sending.inflight * sending.block_size)
        frames: list[bytes] = []
        while (sent := len(sending.sent)) < allowed and not (frames and sending.inflight == 1):
            size = min(sending.block_size, sending.size - sent)
            if sent + size > allowed:
                break  # it waits for another acknowledgement
            # The others are read while the first is on the line.
            read = self._access.read if frames else self._access.read_timed
            block = read(sending.offset + sent, size)
            sending.sent += block
            frames.append(slip.encode(block))
        return frames
