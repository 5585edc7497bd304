"""What a host puts into RAM before it has something started there."""

from __future__ import annotations

from espshell.chips import Chip, Isa, Kind
from espshell.sim.memory import Memory
from espshell.units import WORD

_INSTRUCTION_BUS = range(0x4000_0000, 0x5000_0000)
"""Where the RAM of an Xtensa chip takes 32-bit stores only (ESP32 TRM, "Internal SRAM 0")."""


class Download:
    """The pieces that have come to RAM since the last start, in their order."""

    def __init__(self, facts: Chip, memory: Memory) -> None:
        self.pieces: list[range] = []
        self._facts = facts
        self._memory = memory

    def begin(self, address: int) -> None:
        """Start a piece."""
        self.pieces.append(range(address, address))

    def add(self, data: bytes) -> bool:
        """Put data behind what has come; False if the store is one that the core cannot do."""
        start = self.pieces[-1].start if self.pieces else 0
        address = self.pieces[-1].stop if self.pieces else 0
        self.pieces[-1:] = [range(start, address + len(data))]
        if not self.can_store(address, len(data)):
            return False
        self._memory.write(address, data)
        return True

    def can_store(self, address: int, size: int) -> bool:
        """Say whether the core can store so many bytes there."""
        if self._facts.isa is Isa.RISCV or not (address % WORD or size % WORD):
            return True
        return address not in _INSTRUCTION_BUS or not self.is_ram(address)

    def is_ram(self, address: int, size: int = 1) -> bool:
        """Say whether a range is RAM."""
        region = self._facts.region_at(address, size)
        return region is not None and region.kind is Kind.RAM
