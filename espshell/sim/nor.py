"""A NOR flash on its SPI bus: bytes in, bytes out, and a time at which it happens.

Theory of this file.  The array changes at once and the flash is busy afterwards: nobody can look
before that is over, for nothing but its status can be read meanwhile.  A write must be allowed by
06h, which its end takes back.  What protection forbids is not executed, and 06h goes on to hold;
parts with error bits set one and take it back.  Clocks in which a host reads are data to a command
that takes some, with the line high: so 05h that has become 01h writes.

``offences`` collects what no host should do, however harmless it was here.

Sources: W25Q32JV data sheet, "Instructions"; other makers' commands as in ``parts``.  That a write
which is refused leaves WEL as it was is so on W25Q parts and taken over for the others without
error bits.
"""

from __future__ import annotations

import hashlib
import mmap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from espshell.sim.guard import BlockLocks, StatusBit, guarded, is_set
from espshell.sim.parts import BLOCK_ERASE, PartModel, StatusWrite
from espshell.sim.status import RegisterBank
from espshell.span import Span, align_down
from espshell.units import KIB

SECTOR = 4 * KIB
"""What the smallest erase covers (bytes)."""

PAGE = 256
"""What one program command covers (bytes)."""

BUSY, WEL = 1 << 0, 1 << 1

_Command = Callable[[int, bytes, int], "bytes | None"]
"""Takes the opcode, the bytes behind it, and how many are to be clocked out."""

_STATUS_1 = 0x05
_WAKE = 0xAB
_RESET_ENABLE, _RESET = 0x66, 0x99
_LEAVE_QPI = 0xF5
_EON_OTP = 0x3A

LONG = {0x03: 0x13, 0x0B: 0x0C, 0x02: 0x12, 0x20: 0x21, 0x52: 0x5C, 0xD8: 0xDC}
"""The same commands with four bytes of address, where three do not reach."""

_SHORT = {long: short for short, long in LONG.items()}
REACH = 1 << 24
"""What three bytes can address."""


class PowerLost(Exception):
    """The supply has failed in the middle of an operation."""


@dataclass(slots=True)
class FlashCounters:
    """What a flash has done since it was made."""

    sectors: int = 0
    """Erased by themselves."""
    blocks: int = 0
    """Of 32 and 64 KiB."""
    chips: int = 0
    pages: int = 0
    status_writes: int = 0
    """Of those that wear it: the ones after 50h do not count."""
    offences: list[str] = field(default_factory=list)
    """Commands that no host should send, with what was wrong."""


class Nor:
    """One flash; ``data`` is its array.

    Addresses wrap at its size, as those of a real part do.  ``stored`` are the first values of its
    status registers, ``dies_at`` is the number of the erase or program command in whose middle the
    supply fails.
    """

    def __init__(
        self,
        part: PartModel,
        *,
        data: bytearray | mmap.mmap | None = None,
        stored: Sequence[int] = (),
        wp_low: bool = False,
        dies_at: int | None = None,
    ) -> None:
        self.part = part
        self.data = bytearray(b"\xff") * part.size if data is None else data
        self.status = RegisterBank(part, stored, wp_low=wp_low)
        self.count = FlashCounters()
        self.instant = False
        """Whether it is never busy."""
        self.busy_until = 0.0
        self.write_enabled = False
        self._dies_at = dies_at
        self._operations = 0
        self._now = 0.0
        self._address_size = 3
        self._volatile_enabled = False
        self._reset_enabled = False
        self._down = False
        self._qpi = False
        self._otp = False
        self._guarded: tuple[tuple[int, ...], range] | None = None
        self._errors: set[StatusBit] = set()
        self._locks = BlockLocks(len(self.data))
        self._commands = self._table()

    @property
    def size(self) -> int:
        """Bytes in the array."""
        return len(self.data)

    @property
    def is_mute(self) -> bool:
        """Whether it takes no commands, because it is in QPI or powered down."""
        return self._qpi or self._down

    @property
    def guarded(self) -> range:
        """The addresses that its block protection bits cover."""
        values = tuple(self.status.active)
        if self._guarded is None or self._guarded[0] != values:
            self._guarded = values, guarded(self.part.guard, self.size, values)
        return self._guarded[1]

    def transfer(self, sent: bytes, size: int, now: float) -> bytes:
        """Take what is clocked in while CS# is low; return the bytes clocked out after that.

        Raises: PowerLost, with the array half changed.
        """
        answer = self._answer(sent[0], sent[1:], size, now) if sent else b""
        return answer[:size].ljust(size, b"\xff")

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes; behind the last comes the first."""
        offset %= self.size
        data = bytes(self.data[offset : offset + size])
        while len(data) < size:
            data += bytes(self.data[: size - len(data)])
        return data

    def load(self, contents: bytes) -> None:
        """Put contents at the start, as a programmer would; what does not fit is left out."""
        contents = contents[: self.size]
        self.data[: len(contents)] = contents

    def power_cycle(self) -> None:
        """Forget what does not survive without power; an operation under way is taken for done."""
        self.status.power_cycle()
        self._clear_mode()
        self._down = self._qpi = False

    # -- commands

    def _table(self) -> dict[int, _Command]:
        part = self.part
        reads = [register.read for register in part.registers if register.read is not None]
        rows: list[tuple[Iterable[int], _Command]] = [
            ((0x04, 0x06, 0x66, 0x99, 0xB9), self._control),
            ((0x50,) if part.volatile_writes else (), self._control),
            ((0x90, 0x9F, 0xAB), self._identify),
            ((0x4B,) if part.unique_id else (), self._identify),
            ((0x5A,) if part.sfdp else (), self._identify),
            ((0x03, 0x0B), self._read),
            ((0x02,), self._program),
            (BLOCK_ERASE, self._erase),
            ((0x60, 0xC7), self._erase_chip),
            ((0x36, 0x39, 0x3D, 0x7E, 0x98) if part.guard.wps else (), self._lock_blocks),
            ((write.opcode for write in part.writes), self._write_status),
            ((burn.opcode for burn in part.burns), self._burn),
            (part.traps, self._control),
            (reads, self._read_status),
            (() if part.qpi is None else (part.qpi,), self._control),
        ]
        return {opcode: command for opcodes, command in rows for opcode in opcodes}

    def _answer(self, opcode: int, rest: bytes, size: int, now: float) -> bytes:
        self._now = now
        self._address_size = 3
        if opcode in _SHORT and self.size > REACH:
            opcode, self._address_size = _SHORT[opcode], 4
        command = self._commands.get(opcode)
        reset, self._reset_enabled = self._reset_enabled, False
        is_deaf = self._qpi and opcode not in (_RESET_ENABLE, _RESET, _LEAVE_QPI)
        if is_deaf or (self._down and opcode != _WAKE):
            return b""
        if now < self.busy_until and command != self._read_status:
            self._offend(opcode, "while busy")
            return b""
        if opcode == _RESET and not reset:
            return b""
        if opcode == _LEAVE_QPI:
            self._qpi = False
        if command in (self._write_status, self._program):
            rest += b"\xff" * size
        return (command(opcode, rest, size) if command is not None else None) or b""

    def _offend(self, opcode: int, what: str) -> None:
        self.count.offences.append(f"{opcode:02X}h {what}")

    def _control(self, opcode: int, _rest: bytes, _size: int) -> None:
        """Do a command that only changes the mode of the flash."""
        if opcode == 0x06:
            self.write_enabled = True
        elif opcode == 0x04:
            self.write_enabled = self._volatile_enabled = self._otp = False
        elif opcode == 0x50:
            self._volatile_enabled = True
        elif opcode == _RESET_ENABLE:
            self._reset_enabled = True
        elif opcode == _RESET:
            self.status.reset()
            self._clear_mode()
            self._qpi = False
        elif opcode == 0xB9:
            self._down = True
        elif opcode == self.part.qpi:
            self._offend(opcode, "enters QPI")
            self._qpi = True
        else:
            self._offend(opcode, "is no status read here")
            self._otp = self._otp or opcode == _EON_OTP

    def _clear_mode(self) -> None:
        self.write_enabled = self._volatile_enabled = self._reset_enabled = self._otp = False
        self._errors.clear()
        self._locks = BlockLocks(self.size)
        self.busy_until = 0.0

    # -- reads

    def _identify(self, opcode: int, rest: bytes, size: int) -> bytes:
        """Answer ids and SFDP; all but 9Fh come after an address, 4Bh and 5Ah after one more."""
        part = self.part
        if opcode == 0x9F:
            return part.jedec_id.to_bytes(3, "big")
        if opcode == _WAKE:
            self._down = False
        if len(rest) < self._address_size + (opcode in (0x4B, 0x5A)):
            return b""
        if opcode == 0x4B:
            return hashlib.shake_128(f"unique {part.name}".encode()).digest(8)
        if opcode == 0x5A:
            return part.sfdp[self._address(rest) :][:size]
        capacity = bytes([(part.jedec_id - 1) & 0xFF])
        if opcode == _WAKE:
            return capacity * size
        return ((bytes([part.jedec_id >> 16]) + capacity) * (size + 1))[self._address(rest) & 1 :]

    def _read(self, opcode: int, rest: bytes, size: int) -> bytes:
        dummy = 1 if opcode == 0x0B else 0
        if len(rest) < self._address_size + dummy:
            return b""
        return self.read(self._address(rest) + len(rest) - self._address_size - dummy, size)

    def _read_status(self, opcode: int, _rest: bytes, size: int) -> bytes:
        index = self._register(opcode)
        value = self.status.active[index]
        value |= sum(1 << bit.bit for bit in self._errors if bit.register == index)
        busy = self._now < self.busy_until
        if opcode == _STATUS_1:
            value |= (BUSY if busy else 0) | (WEL if self.write_enabled or busy else 0)
        return bytes([value]) * size

    def _address(self, rest: bytes) -> int:
        return int.from_bytes(rest[: self._address_size], "big")

    def _register(self, read: int) -> int:
        reads = [register.read for register in self.part.registers]
        return reads.index(None if self._otp and None in reads and read == _STATUS_1 else read)

    # -- writes

    def _write_status(self, opcode: int, rest: bytes, _size: int) -> None:
        write = next(write for write in self.part.writes if write.opcode == opcode)
        volatile = write.volatile or (self._volatile_enabled and not self.write_enabled)
        if not (volatile and self._volatile_enabled) and not self._may_write(opcode):
            return
        if not 0 < len(rest) <= len(write.registers) or self.status.is_locked:
            return
        self._volatile_enabled = False
        if self._otp:
            write = StatusWrite(opcode, (self._register(_STATUS_1),))
        self.status.write(write, rest, volatile=volatile)
        if volatile:
            self.write_enabled = False
        else:
            self.count.status_writes += 1
            self._begin(self.part.times.status_s)

    def _burn(self, opcode: int, _rest: bytes, _size: int) -> None:
        burn = next(burn for burn in self.part.burns if burn.opcode == opcode)
        if self._may_write(opcode):
            self.status.burn(burn.register, burn.mask)
            self.count.status_writes += 1
            self._begin(self.part.times.status_s)

    def _program(self, opcode: int, rest: bytes, _size: int) -> None:
        """Clear bits in a page; behind its last byte comes its first."""
        if len(rest) <= self._address_size or not self._may_write(opcode):
            return
        address = self._address(rest) % self.size
        page = align_down(address, PAGE)
        if not self._may_change(page, PAGE, self.part.program_error):
            return
        self.count.pages += 1
        data = rest[self._address_size :]
        dies = self._dies()
        if dies:
            data = data[: len(data) // 2]
        start, data = (address + max(0, len(data) - PAGE)) % PAGE, data[-PAGE:]
        first, wrapped = data[: PAGE - start], data[PAGE - start :]
        mask = bytearray(b"\xff") * PAGE
        mask[start : start + len(first)] = first
        mask[: len(wrapped)] = wrapped
        old, allowed = (int.from_bytes(data, "little") for data in (self.read(page, PAGE), mask))
        self.data[page : page + PAGE] = (old & allowed).to_bytes(PAGE, "little")
        self._end(dies, self.part.times.page_s)

    def _erase(self, opcode: int, rest: bytes, _size: int) -> None:
        if len(rest) != self._address_size or not self._may_write(opcode):
            return
        size, times = min(BLOCK_ERASE[opcode], self.size), self.part.times
        start = align_down(self._address(rest) % self.size, size)
        if not self._may_change(start, size, self.part.erase_error):
            return
        if size <= SECTOR:
            self.count.sectors += 1
        else:
            self.count.blocks += 1
        seconds = {0x20: times.sector_s, 0x52: times.half_block_s, 0xD8: times.block_s}
        self._clear(start, size, seconds[opcode])

    def _erase_chip(self, opcode: int, _rest: bytes, _size: int) -> None:
        if self._may_write(opcode) and self._may_change(0, self.size, self.part.erase_error):
            self.count.chips += 1
            self._clear(0, self.size, self.part.times.chip_s)

    def _clear(self, start: int, size: int, seconds: float) -> None:
        dies = self._dies()
        cleared = size // 2 if dies else size
        self.data[start : start + cleared] = b"\xff" * cleared
        self._end(dies, seconds)

    def _may_write(self, opcode: int) -> bool:
        if not self.write_enabled:
            self._offend(opcode, "without WEL")
        return self.write_enabled

    def _may_change(self, start: int, size: int, error: StatusBit | None) -> bool:
        """Return whether a range is unprotected; if not, set the error bits that a part has."""
        self._errors.clear()
        covered = self.guarded
        if is_set(self.part.guard.wps, self.status.active):
            is_guarded = self._locks.hold(start, size)
        else:
            is_guarded = Span.of(start, size).overlaps(Span(covered.start, covered.stop))
        if not is_guarded:
            return True
        if error is not None:
            self._errors |= {bit for bit in (error, self.part.protection_error) if bit is not None}
            self.write_enabled = False
        return False

    def _dies(self) -> bool:
        self._operations += 1
        return self._operations == self._dies_at

    def _end(self, dies: bool, seconds: float) -> None:
        if dies:
            self.power_cycle()
            raise PowerLost
        self._begin(seconds)

    def _begin(self, seconds: float) -> None:
        self.write_enabled = False
        self.busy_until = self._now + (0.0 if self.instant else seconds)

    def _lock_blocks(self, opcode: int, rest: bytes, _size: int) -> bytes:
        """Lock (36h, all 7Eh) or unlock (39h, all 98h) what an address belongs to; 3Dh reads."""
        address = self._address(rest) % self.size
        if opcode == 0x3D:
            return b"\1" if self._locks.hold(address, 1) else b"\0"
        if self._may_write(opcode):
            start, size = (0, self.size) if opcode in (0x7E, 0x98) else (address, 1)
            self._locks.put(start, size, locked=opcode in (0x36, 0x7E))
            self.write_enabled = False
        return b""
