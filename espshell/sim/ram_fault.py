"""What can be wrong with the RAM of a simulated chip.

    stuck:ADDRESS.BIT=VALUE               a bit of a word that always reads as 0 or 1
    bridge:ADDRESS+SIZE:LINE,LINE         two address lines that touch, for accesses to a range:
                                          each is 1 only if both are
    couple:ADDRESS.BIT>ADDRESS.BIT        a bit that turns another over when it becomes 1

Addresses are those of words, lines are counted in bytes, from 0 on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from espshell.chips import Chip
from espshell.errors import UsageError
from espshell.records import dataclass
from espshell.sim.memory import AddressSpace
from espshell.span import Span, align_down
from espshell.units import WORD, parse_number

EXAMPLE = "stuck:0x3fca0010.5=1"


@dataclass(frozen=True, slots=True)
class RamFault:
    """One fault; only the fields of its kind mean something."""

    kind: str
    span: Span
    """Where accesses are affected."""
    first: int = 0
    """A mask: the bit that is stuck or turns over another, or an address line."""
    second: int = 0
    """A mask: what it is stuck at, the bit that is turned over, or the other address line."""
    victim: int = 0
    """The address of the word that is turned over."""

    def place(self, address: int) -> int:
        """Return the address that an access reaches."""
        both = self.first | self.second
        touches = self.kind == "bridge" and address in self.span and address & both != both
        return address & ~both if touches else address

    def seen(self, address: int, value: int) -> int:
        """Return what is read where a value is stored."""
        if self.kind != "stuck" or address not in self.span:
            return value
        return (value & ~self.first) | self.second

    def flips(self, address: int, old: int, new: int) -> bool:
        """Whether a store turns the victim over."""
        return self.kind == "couple" and address in self.span and bool(new & ~old & self.first)


def parse(text: str) -> RamFault:
    """Return the fault that a text describes. Raises: UsageError."""
    kind, _, rest = text.partition(":")
    pattern = {
        "stuck": r"(\w+)\.(\d+)=([01])",
        "bridge": r"(\w+)\+(\w+):(\d+),(\d+)",
        "couple": r"(\w+)\.(\d+)>(\w+)\.(\d+)",
    }.get(kind, "(?!)")
    match = re.fullmatch(pattern, rest)
    numbers = [parse_number(word) for word in match.groups()] if match else []
    a, b, *others = (-1 if number is None else number for number in (numbers or [None, None]))
    if min(a, b, *others) < 0:
        raise UsageError(f"ram: expected a fault such as {EXAMPLE}, not {text!r}")
    if kind == "stuck":
        return RamFault(kind, Span.of(a, WORD), 1 << b, others[0] << b)
    if kind == "bridge":
        return RamFault(kind, Span.of(a, b), 1 << others[0], 1 << others[1])
    return RamFault(kind, Span.of(a, WORD), 1 << b, 1 << others[1], others[0])


class FaultySpace(AddressSpace):
    """An address space in which some RAM is broken; see ``parse``."""

    faults: tuple[RamFault, ...] = ()

    def __init__(
        self,
        chip: Chip,
        *,
        rom: Iterable[tuple[int, bytes]],
        registers: Mapping[int, int],
        faults: tuple[RamFault, ...],
    ) -> None:
        super().__init__(chip, rom=rom, registers=registers)
        self.faults = faults
        victims = (Span.of(f.victim, WORD) for f in faults if f.kind == "couple")
        self.broken = (*(fault.span for fault in faults), *victims)

    def word(self, address: int) -> int:
        """Return what is read at an address."""
        value = super().word(self._place(address))
        for fault in self.faults:
            value = fault.seen(address, value)
        return value

    def read(self, address: int, size: int) -> bytes:
        """Return the bytes that are read at an address."""
        span = Span.of(address, size)
        if not any(fault.span.overlaps(span) for fault in self.faults):
            return super().read(address, size)
        words = range(align_down(address, WORD), span.end, WORD)
        data = b"".join(self.word(at).to_bytes(WORD, "little") for at in words)
        return data[address % WORD :][:size]

    def _patch(self, address: int, data: bytes) -> None:
        span = Span.of(address, len(data))
        if not any(fault.span.overlaps(span) for fault in self.faults):
            super()._patch(address, data)
            return
        for at in range(align_down(address, WORD), span.end, WORD):
            place = self._place(at)
            old = super().word(place)
            word = bytearray(old.to_bytes(WORD, "little"))
            for byte in range(max(at, address), min(at + WORD, span.end)):
                word[byte - at] = data[byte - address]
            super()._patch(place, bytes(word))
            new = int.from_bytes(word, "little")
            for fault in self.faults:
                if fault.flips(at, old, new):
                    turned = super().word(fault.victim) ^ fault.second
                    super()._patch(fault.victim, turned.to_bytes(WORD, "little"))

    def _place(self, address: int) -> int:
        for fault in self.faults:
            address = fault.place(address)
        return address
