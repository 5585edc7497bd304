"""A RISC-V core of a simulated chip: executes what a host has put into RAM.

The emulator ``unicorn`` is imported when the first such code is called.  The core sees the chip's
memory, a page of it copied at its first access, and what it writes there stays.

What code calls outside of itself, ``send`` of the stub or a function of the ROM, stops it, is done
here, and lets it go on.  Time: an instruction is a cycle.  Code runs in pieces of so many of them,
and how many there were in its last piece is a guess: the emulator does not tell.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from espshell.errors import PortError
from espshell.sim.chip import SimChip
from espshell.sim.romcode import RomCode
from espshell.span import align_down
from espshell.units import KIB, WORD

MOST_INSTRUCTIONS = 20_000_000
"""What code may take before it counts as one that never returns."""

SCRATCH = 0x7000_0000
"""Where no chip has anything: what a call needs besides its code."""
RETURN_TO = SCRATCH + 0x800
SEND, POLL, RELEASE = (RETURN_TO + 16 * n for n in range(1, 4))
_SCRATCH_SIZE = 64 * KIB

_PAGE = 4 * KIB
_LEAST_PIECE = 1024
_PRECISION = 3  # a piece is an eighth of what has been executed


class Crash(Exception):
    """The code does something that no core can do, or never returns."""


class Core:
    """A core with the chip's memory; ``now`` of the chip's flash access is its time."""

    def __init__(self, chip: SimChip) -> None:
        try:
            unicorn = import_module("unicorn")
            names = import_module("unicorn.riscv_const")
        except ImportError as error:
            raise PortError(
                "the simulated chip is to run code, and there is no emulator for it",
                hint="pip install unicorn",
            ) from error
        self.sent: list[tuple[float, bytes]] = []
        """What has been sent since the last call, and when."""
        self._chip = chip
        self._failed: type[Exception] = unicorn.UcError
        self._core = unicorn.Uc(unicorn.UC_ARCH_RISCV, unicorn.UC_MODE_RISCV32)
        self._core.hook_add(unicorn.UC_HOOK_MEM_UNMAPPED, self._map)
        self._core.mem_map(SCRATCH, _SCRATCH_SIZE)
        for broken in chip.memory.broken:
            for kind, look in (
                (unicorn.UC_HOOK_MEM_READ, self._read_broken),
                (unicorn.UC_HOOK_MEM_WRITE, self._write_broken),
            ):
                self._core.hook_add(kind, look, begin=broken.start, end=broken.end - 1)
        self._arguments = [getattr(names, f"UC_RISCV_REG_A{n}") for n in range(6)]
        self._pc, self._sp, self._ra = (
            getattr(names, f"UC_RISCV_REG_{name}") for name in ("PC", "SP", "RA")
        )
        self._rom = RomCode(chip.facts.name, chip.access, self)
        self._exits = frozenset((RETURN_TO, SEND, POLL, RELEASE, *self._rom.entries))
        self._core.ctl_exits_enabled(True)
        self._core.ctl_set_exits(sorted(self._exits))
        self._pages: dict[int, bytes] = {}

    def call(self, entry: int, *arguments: int) -> int:
        """Call a function; return what it returns. Raises: Crash."""
        core = self._core
        self.sent.clear()
        for page, last in list(self._pages.items()):
            if self._chip.memory.read(page, _PAGE) != last:
                core.mem_unmap(page, _PAGE)  # changed since the last call
                del self._pages[page]
        for register, value in zip(self._arguments, arguments, strict=False):
            core.reg_write(register, value)
        core.reg_write(self._sp, SCRATCH + _SCRATCH_SIZE - 16)
        core.reg_write(self._ra, RETURN_TO)
        try:
            at = self._run(entry)
            while at != RETURN_TO:
                core.reg_write(self._arguments[0], self._outside(at))
                at = self._run(core.reg_read(self._ra))
        except self._failed as error:
            raise Crash from error
        self._write_back()
        return int(core.reg_read(self._arguments[0]))

    def read(self, address: int, size: int) -> bytes:
        """Return bytes as the core sees them."""
        self._map_all(address, size)
        return bytes(self._core.mem_read(address, size))

    def write(self, address: int, data: bytes) -> None:
        """Put bytes where the core sees them."""
        self._map_all(address, len(data))
        self._core.mem_write(address, data)

    def _run(self, at: int) -> int:
        """Execute from an address until the code leaves; return where to. Time passes."""
        executed = piece = 0
        while True:
            piece = max(_LEAST_PIECE, executed >> _PRECISION)
            self._core.emu_start(at, RETURN_TO, count=piece)
            at = int(self._core.reg_read(self._pc))
            if at in self._exits:
                executed += piece // 2  # somewhere in it
                break
            executed += piece
            if executed > MOST_INSTRUCTIONS:
                raise Crash
        self._chip.access.now += executed / self._chip.core_hz
        return at

    def _outside(self, address: int) -> int:
        """Do what is called at an address; return what it returns."""
        arguments = [int(self._core.reg_read(register)) for register in self._arguments]
        if address == SEND:
            frame = self.read(arguments[0], arguments[1])
            self.sent.append((self._chip.access.now, frame))
            return 1
        if address in self._rom.entries:
            value, instructions = self._rom.entries[address](*arguments)
            self._chip.access.now += instructions / self._chip.core_hz
            return value
        return 0  # the host has sent nothing

    def _map_all(self, address: int, size: int) -> None:
        for page in range(align_down(address, _PAGE), address + size, _PAGE):
            if page not in self._pages and not SCRATCH <= page < SCRATCH + _SCRATCH_SIZE:
                self._map(self._core, 0, page)

    def _map(self, core: Any, _access: int, address: int, *_: object) -> bool:
        """Give the core a page of the chip's memory at its first access."""
        page = align_down(address, _PAGE)
        if not any(r.start < page + _PAGE and page < r.end for r in self._chip.facts.regions):
            return False
        self._pages[page] = self._chip.memory.read(page, _PAGE)
        core.mem_map(page, _PAGE)
        core.mem_write(page, self._pages[page])
        return True

    def _read_broken(self, core: Any, _access: int, address: int, size: int, *_: object) -> None:
        """Let the core read what broken RAM gives."""
        core.mem_write(address, self._chip.memory.read(address, size))

    def _write_broken(
        self, _core: Any, _access: int, address: int, size: int, value: int, *_: object
    ) -> None:
        data = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        self._chip.memory.write(address, data)

    def _write_back(self) -> None:
        for page, before in self._pages.items():
            after = self._pages[page] = bytes(self._core.mem_read(page, _PAGE))
            for at in range(0, _PAGE if after != before else 0, WORD):
                if after[at : at + WORD] == before[at : at + WORD]:
                    continue
                if not any(page + at in broken for broken in self._chip.memory.broken):
                    word = int.from_bytes(after[at : at + WORD], "little")
                    self._chip.memory.write_word(page + at, word)
