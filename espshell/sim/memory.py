"""The address space of a simulated chip: RAM, ROM, and registers as a sparse table of words.

RAM is zero at power-on and survives a reset.  Words of the ROM that nobody has recorded are
invented: they differ from each other and are the same in every run.  The views that two buses
have of the same RAM are separate arrays here.  Flash and PSRAM cannot be seen while the cache is
off.  A real chip takes an exception at an address where nothing is; this one reads zero.
"""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from functools import cache

from espshell.chips import Chip, Isa, Kind, Region
from espshell.span import Span, align_down
from espshell.units import WORD

CACHE_OFF = 0xBAD0_0BAD
"""What an ESP32 reads through a cache that is off (ESP-IDF, "cache disabled" pattern)."""

_CACHED = (Kind.FLASH, Kind.PSRAM)

_INSTRUCTION_BUS = Span(0x4000_0000, 0x5000_0000)
"""Where the RAM of an Xtensa chip takes 32-bit stores only (ESP32 TRM, "Internal SRAM 0")."""


class AddressSpace:
    """Words and bytes by address.

    ``registers`` are the words that are not zero after a reset.  The eFuse registers among them
    cannot be written: nothing burns here.
    """

    broken: tuple[Span, ...] = ()
    """All words that are not simply what has been stored there."""

    def __init__(
        self, chip: Chip, *, rom: Iterable[tuple[int, bytes]], registers: Mapping[int, int]
    ) -> None:
        regions = sorted(chip.regions, key=lambda region: region.start)
        self._regions = regions
        self._starts = [region.start for region in regions]
        self._contents = [_first_contents(chip, region) for region in regions]
        self._fixed = chip.efuse
        self._reset_values = dict(registers)
        self._registers = dict(registers)
        self._watched: dict[int, Callable[[int], None]] = {}
        self._computed: dict[int, Callable[[], int]] = {}
        for address, data in rom:
            self._patch(address, data)

    def word(self, address: int) -> int:
        """Return the 32 bits at an address; only registers are aligned first."""
        index = bisect_right(self._starts, address) - 1
        if index < 0:
            return 0
        contents = self._contents[index]
        if contents is not None:
            offset = address - self._starts[index]
            if offset < len(contents):
                return int.from_bytes(contents[offset : offset + WORD], "little")
        region = self._regions[index]
        if not region.holds(address):
            return 0
        if region.kind in _CACHED:
            return CACHE_OFF
        compute = self._computed.get(address & ~3)
        return self._registers.get(address & ~3, 0) if compute is None else compute()

    def write_word(self, address: int, value: int, mask: int = 0xFFFF_FFFF) -> None:
        """Set the bits of a word that are 1 in ``mask``; ROM and eFuses stay as they are."""
        region = self._region(address)
        if region is None:
            return
        new = (self.word(address) & ~mask) | (value & mask)
        if region.kind is Kind.RAM:
            self.write(address, new.to_bytes(WORD, "little"))
        elif region.kind is Kind.PERIPHERAL and not self._fixed.holds(address):
            self._registers[address & ~3] = new
            if address in self._watched:
                self._watched[address](new)

    def watch(self, address: int, on_write: Callable[[int], None]) -> None:
        """Call something with each new value of a register that a loader writes."""
        self._watched[address] = on_write

    def compute(self, address: int, value: Callable[[], int]) -> None:
        """Let something say what a register holds, each time that it is read."""
        self._computed[address] = value

    def read(self, address: int, size: int) -> bytes:
        """Return the bytes of the words at an address."""
        index = bisect_right(self._starts, address) - 1
        contents = self._contents[index] if index >= 0 else None
        offset = address - self._starts[index]
        if contents is not None and offset + size <= len(contents):
            return bytes(contents[offset : offset + size])
        words = range(align_down(address, WORD), address + size, WORD)
        region = self._region(address)
        if region is not None and region.kind is Kind.PERIPHERAL and region.holds(words[-1]):
            values = array("I", bytes(WORD * len(words)))
            for at in self._registers.keys() & words:
                values[words.index(at)] = self._registers[at]
            for at in self._computed.keys() & words:
                values[words.index(at)] = self._computed[at]()
            data = values.tobytes()
        else:
            data = b"".join(self.word(at).to_bytes(WORD, "little") for at in words)
        return data[address % WORD : address % WORD + size]

    def write(self, address: int, data: bytes) -> None:
        """Put bytes into RAM; what lies outside of a region of RAM is dropped."""
        region = self._region(address)
        if region is not None and region.kind is Kind.RAM:
            self._patch(address, data[: region.end - address])

    def set_register(self, address: int, value: int) -> None:
        """Set a register as the hardware does."""
        self._registers[address] = value

    def set_bytes(self, address: int, data: bytes) -> None:
        """Set registers as the hardware does; the last one is filled up with zeros."""
        for at in range(0, len(data), WORD):
            self._registers[address + at] = int.from_bytes(data[at : at + WORD], "little")

    def clear_ram(self) -> None:
        """Lose what RAM holds, as without power."""
        for region, contents in zip(self._regions, self._contents, strict=True):
            if region.kind is Kind.RAM and contents is not None:
                contents[:] = bytes(len(contents))

    def add_reset_values(self, words: Iterable[tuple[int, int]]) -> None:
        """Give registers other first values than zero, where they have none yet."""
        self._reset_values = {**dict(words), **self._reset_values}

    def reset(self) -> None:
        """Give the registers their first values; RAM keeps what it holds."""
        self._registers = dict(self._reset_values)

    def _region(self, address: int) -> Region | None:
        index = bisect_right(self._starts, address) - 1
        if index < 0 or not self._regions[index].holds(address):
            return None
        return self._regions[index]

    def _patch(self, address: int, data: bytes) -> None:
        index = bisect_right(self._starts, address) - 1
        contents = self._contents[index]
        if contents is not None:
            offset = address - self._starts[index]
            contents[offset : offset + len(data)] = data


def _first_contents(chip: Chip, region: Region) -> bytearray | None:
    if region.kind is Kind.RAM:
        return bytearray(region.size)
    if region.kind is Kind.ROM:
        return bytearray(_invented(f"{chip.name} {region.name}", region.size))
    return None


@cache
def _invented(seed: str, size: int) -> bytes:
    return hashlib.shake_128(seed.encode()).digest(size)


class Download:
    """The pieces that a host has put into RAM since the last start, in their order."""

    def __init__(self, facts: Chip, memory: AddressSpace) -> None:
        self.pieces: list[Span] = []
        self._facts = facts
        self._memory = memory

    @property
    def end(self) -> int:
        """The address behind what has come last."""
        return self.pieces[-1].end if self.pieces else 0

    def begin(self, address: int) -> None:
        """Start a piece."""
        self.pieces.append(Span.of(address, 0))

    def add(self, data: bytes) -> bool:
        """Put data behind what has come; False if the store is one that the core cannot do."""
        address = self.end
        start = self.pieces[-1].start if self.pieces else address
        self.pieces[-1:] = [Span(start, address + len(data))]
        if not self.can_store(address, len(data)):
            return False
        self._memory.write(address, data)
        return True

    def can_store(self, address: int, size: int) -> bool:
        """Whether the core can store so many bytes there."""
        if self._facts.isa is Isa.RISCV or not (address % WORD or size % WORD):
            return True
        return address not in _INSTRUCTION_BUS or not self.is_ram(address)

    def is_ram(self, address: int) -> bool:
        """Whether RAM is at an address."""
        region = self._facts.region_at(address, 1)
        return region is not None and region.kind is Kind.RAM
