"""Machine code that a host has put into RAM and has a stub call.

RISC-V code is executed, by the emulator ``unicorn``, which is imported when the first such code is
called.  It sees the chip's memory, and what it writes there stays.  No emulator that comes as a
package knows Xtensa: of that code, what is known is done, and anything else crashes.

A handler of the plugin table gets the opcode, the payload, its size, and where its response
goes.  It returns 0, or the error byte of the reply.

Source: esp-flasher-stub's plugin interface, seen working on an ESP32-C3 and an ESP32.
"""

from __future__ import annotations

import struct
from functools import cached_property
from importlib import import_module
from typing import Any

from espshell.chips import Isa
from espshell.errors import PortError
from espshell.records import dataclass
from espshell.sim.chip import SimChip
from espshell.span import align_down
from espshell.units import KIB, WORD

MOST_INSTRUCTIONS = 1_000_000
"""What a call may take before it counts as one that never returns."""

RESPONSE = struct.Struct("<I64sH")
"""Value, data, and how many bytes of it count."""

# Copy as many words as the second word of the payload says from the address in its first; the value
# is that address plus all of them.
XTENSA_BULK_READ = bytes.fromhex(
    "364100"  # entry  a1, 32
    "622300"  # l32i   a6, a3, 0
    "722301"  # l32i   a7, a3, 4
    "60b620"  # mov    a11, a6
    "82c504"  # addi   a8, a5, 4
    "e09711"  # slli   a9, a7, 2
    "925522"  # s16i   a9, a5, 68
    "164701"  # beqz   a7, end
    "a22600"  # loop: l32i a10, a6, 0
    "a26800"  # s32i   a10, a8, 0
    "a0bb80"  # add    a11, a11, a10
    "62c604"  # addi   a6, a6, 4
    "82c804"  # addi   a8, a8, 4
    "72c7ff"  # addi   a7, a7, -1
    "56a7fe"  # bnez   a7, loop
    "b26500"  # end: s32i a11, a5, 0
    "22a000"  # movi   a2, 0
    "1df0"  # retw.n
)
"""The one handler that is known for Xtensa with register windows; a5 is the response."""

_PAGE = 4 * KIB
_SCRATCH = 0x7000_0000
"""Where no chip has anything: response, payload and stack of a call."""
_RETURN_TO = _SCRATCH + 0x800
_PAYLOAD = _SCRATCH + _PAGE
_SCRATCH_SIZE = 64 * KIB


@dataclass(frozen=True, slots=True)
class HandlerResult:
    """What a handler returns for a request."""

    status: int
    value: int = 0
    data: bytes = b""


class Caller:
    """Calls code on a chip's core, emulated or imitated.

    Both methods raise PortError if they need an emulator that is not installed.
    """

    def __init__(self, chip: SimChip) -> None:
        self._chip = chip

    def run(self, pointer: int, opcode: int, payload: bytes) -> HandlerResult | None:
        """Call a handler of the plugin table; None if it crashes."""
        if self._chip.facts.isa is Isa.RISCV:
            return self._emulator.run(pointer, opcode, payload)
        code = self._chip.memory.read(pointer, len(XTENSA_BULK_READ))
        if self._chip.facts.isa is not Isa.XTENSA or code != XTENSA_BULK_READ:
            return None
        return _bulk_read(self._chip, payload)

    def returns(self, entry: int) -> bool:
        """Call code without arguments; return whether it comes back."""
        if self._chip.facts.isa is Isa.RISCV:
            return self._emulator.call(entry) is not None
        # What is not blank is taken to do nothing and return.
        return self._chip.memory.word(entry & ~3) != 0

    @cached_property
    def _emulator(self) -> Core:
        return Core(self._chip)


def _bulk_read(chip: SimChip, payload: bytes) -> HandlerResult | None:
    address, count = struct.unpack_from("<II", payload.ljust(8, b"\0"))
    if count > 16:
        return None  # it writes over what lies behind the response
    data = chip.memory.read(address, WORD * count)
    total = address + sum(struct.unpack(f"<{count}I", data))
    return HandlerResult(0, total & 0xFFFFFFFF, data)


class Core:
    """A RISC-V core with the chip's memory; a page of it is copied at its first access."""

    def __init__(self, chip: SimChip) -> None:
        try:
            unicorn = import_module("unicorn")
            self._registers = import_module("unicorn.riscv_const")
        except ImportError as error:
            raise PortError(
                "the simulated chip is to run code, and there is no emulator for it",
                hint="pip install unicorn",
            ) from error
        self._chip = chip
        self._failed: type[Exception] = unicorn.UcError
        self._core = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
        self._core.hook_add(unicorn.UC_HOOK_MEM_UNMAPPED, self._map)
        self._core.mem_map(_SCRATCH, _SCRATCH_SIZE)
        self._pages: dict[int, bytes] = {}

    def run(self, pointer: int, opcode: int, payload: bytes) -> HandlerResult | None:
        """Call a handler of the plugin table; None if it crashes."""
        self._core.mem_write(_SCRATCH, bytes(RESPONSE.size))
        status = self.call(pointer, opcode, payload)
        value, data, size = RESPONSE.unpack(self._read(_SCRATCH, RESPONSE.size))
        return None if status is None else HandlerResult(status & 0xFF, value, data[:size])

    def call(self, entry: int, opcode: int = 0, payload: bytes = b"") -> int | None:
        """Call a function; return what it returns, or None if it crashes or never returns."""
        names, core = self._registers, self._core
        for page, last in list(self._pages.items()):
            if self._chip.memory.read(page, _PAGE) != last:
                core.mem_unmap(page, _PAGE)  # changed since the last call
                del self._pages[page]
        core.mem_write(_PAYLOAD, payload)
        for register, value in (
            (names.UC_RISCV_REG_A0, opcode),
            (names.UC_RISCV_REG_A1, _PAYLOAD),
            (names.UC_RISCV_REG_A2, len(payload)),
            (names.UC_RISCV_REG_A3, _SCRATCH),
            (names.UC_RISCV_REG_SP, _SCRATCH + _SCRATCH_SIZE - 16),
            (names.UC_RISCV_REG_RA, _RETURN_TO),
        ):
            core.reg_write(register, value)
        try:
            core.emu_start(entry, _RETURN_TO, count=MOST_INSTRUCTIONS)
        except self._failed:
            return None
        if core.reg_read(names.UC_RISCV_REG_PC) != _RETURN_TO:
            return None
        self._write_back()
        return int(core.reg_read(names.UC_RISCV_REG_A0))

    def _read(self, address: int, size: int) -> bytes:
        return bytes(self._core.mem_read(address, size))

    def _map(self, core: Any, _access: int, address: int, *_: object) -> bool:
        """Give the core a page of the chip's memory at its first access."""
        page = align_down(address, _PAGE)
        if not any(r.start < page + _PAGE and page < r.end for r in self._chip.facts.regions):
            return False
        self._pages[page] = self._chip.memory.read(page, _PAGE)
        core.mem_map(page, _PAGE)
        core.mem_write(page, self._pages[page])
        return True

    def _write_back(self) -> None:
        for page, before in self._pages.items():
            after = self._pages[page] = self._read(page, _PAGE)
            for at in range(0, _PAGE if after != before else 0, WORD):
                if after[at : at + WORD] != before[at : at + WORD]:
                    word = int.from_bytes(after[at : at + WORD], "little")
                    self._chip.memory.write_word(page + at, word)
