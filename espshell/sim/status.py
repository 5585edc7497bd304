"""The status registers of a simulated flash: what they hold, and what may be written.

Theory of this file.  Each register has two copies.  ``stored`` survives without power, ``active``
is what the flash goes by.  A write after 06h changes both, one after 50h only the active copy.
One-way bits are set by the former alone and never go back.  BUSY and WEL are not kept here.

SRP1 and SRP0 lock all registers: 0,1 while the pin WP# is low (and is not used as IO2, QE), 1,0
until the next time without power, 1,1 for good.

Source: data sheet of the W25Q32JV, "Status Registers"; other parts differ only by their
``PartModel``.
"""

from __future__ import annotations

from collections.abc import Sequence

from espshell.sim.guard import is_set
from espshell.sim.parts import PartModel, StatusWrite


class RegisterBank:
    """The registers of a part; ``stored`` are their first values, those of the factory if none."""

    def __init__(self, part: PartModel, stored: Sequence[int], *, wp_low: bool) -> None:
        self._part = part
        self._wp_low = wp_low
        factory = [register.factory for register in part.registers]
        self.stored = list(stored) + factory[len(stored) :]
        self.active = list(self.stored)

    @property
    def is_locked(self) -> bool:
        """Whether no register can be written now."""
        part, active = self._part, self.active
        if is_set(part.srp1, active):
            return True
        return is_set(part.srp0, active) and self._wp_low and not is_set(part.qe, active)

    def write(self, write: StatusWrite, data: bytes, *, volatile: bool = False) -> None:
        """Write the registers of a command, one byte each; those without a byte may be cleared."""
        values = data.ljust(len(write.registers), b"\0") if write.clears_rest else data
        for index, value in zip(write.registers, values, strict=False):
            self._put(index, value, volatile=volatile)

    def burn(self, register: int, mask: int) -> None:
        """Set one-way bits."""
        self.stored[register] |= mask
        self.active[register] |= mask

    def reset(self) -> None:
        """Forget the active copies, as 66h and 99h do."""
        self.active = list(self.stored)

    def power_cycle(self) -> None:
        """Load the stored values; a lock until the next power cycle ends."""
        srp0, srp1 = self._part.srp0, self._part.srp1
        if srp1 is not None and srp1.of(self.stored) and not srp0.of(self.stored):
            self.stored[srp1.register] &= ~(1 << srp1.bit)
        self.reset()

    def _put(self, index: int, value: int, *, volatile: bool) -> None:
        register = self._part.registers[index]
        if volatile:
            kept = ~register.writable
            srp1 = self._part.srp1
            if srp1 is not None and srp1.register == index:
                value |= self.active[index] & 1 << srp1.bit
            self.active[index] = self.active[index] & kept | value & register.writable
            return
        burnt = (self.stored[index] | value) & register.one_way
        kept = ~(register.writable | register.one_way)
        self.stored[index] = self.stored[index] & kept | value & register.writable | burnt
        self.active[index] = self.stored[index]
