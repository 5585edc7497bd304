"""The SPI controller that the flash hangs on: what USR in its command register sets going.

Only user commands are modelled, on one line each way; they take no time.  The flash sees what a
real one sees: the bytes of the command, the address, the dummy cycles and the data, one after
another.  A flash that has not been attached, or that has no supply, leaves the line high.  What is
read in one command with data that was written is zero; that is so on an ESP32-C3 and taken over for
all.

Source: ESP32 and ESP32-C3 technical reference manuals, chapter "SPI Controller"; where the
registers stand is in the tables of chips.
"""

from __future__ import annotations

from collections.abc import Callable

from espshell.chips import Bits, Chip
from espshell.sim.memory import AddressSpace
from espshell.sim.nor import Nor
from espshell.span import ceil_div
from espshell.units import WORD

_USR = Bits(0, 18)
_COMMAND, _ADDR, _DUMMY, _MISO, _MOSI = (Bits(0, low) for low in (31, 30, 29, 28, 27))
_ADDR_BITS = Bits(0, 26, 6)
_DUMMY_CYCLES = Bits(0, 0, 6)
_COMMAND_VALUE = Bits(0, 0, 8)
_LENGTH_WIDTH = 10
_SHORT_LENGTH_WIDTH = 9  # where both lengths stand in USER1


class Spi:
    """Registers on one side, a flash on the other; ``now`` gives the time of a command."""

    def __init__(
        self, facts: Chip, memory: AddressSpace, flash: Nor, now: Callable[[], float]
    ) -> None:
        self.attached = False
        """Whether a loader has connected the flash's pins."""
        self._facts = facts
        self._at = facts.spi
        self._memory = memory
        self._flash = flash
        self._now = now
        memory.watch(self._at.base + self._at.cmd, self._start)

    @property
    def powered(self) -> bool:
        """Whether the flash has its supply; see ``Chip.flash_power``."""
        word = self._memory.word
        needed = self._facts.power_up(self._facts.revision(word), word)
        last = {write.address: write for write in needed}
        return all(not (word(at) ^ write.value) & write.mask for at, write in last.items())

    def _start(self, command: int) -> None:
        if not _USR.of(command):
            return
        user = self._register(self._at.user)
        size = self._length(self._at.miso_dlen, self._at.miso_dlen_low) if _MISO.of(user) else 0
        data = b"\xff" * size
        if self.attached and self.powered:
            data = self._flash.transfer(self._sent(user), size, self._now())
        if _MISO.of(user):
            data = bytes(size) if _MOSI.of(user) else data
            self._memory.set_bytes(self._at.base + self._at.w0, data)
        self._memory.set_register(self._at.base + self._at.cmd, 0)

    def _sent(self, user: int) -> bytes:
        """Return the bytes of command, address, dummy cycles and data; cycles are rounded up."""
        sent = b""
        user1 = self._register(self._at.user1)
        if _COMMAND.of(user):
            sent += bytes([_COMMAND_VALUE.of(self._register(self._at.user2))])
        if _ADDR.of(user):
            bits, word = _ADDR_BITS.of(user1) + 1, self._register(self._at.addr)
            address = word >> 32 - bits if self._at.address_msb_first else word & (1 << bits) - 1
            sent += address.to_bytes(ceil_div(bits, 8), "big")
        if _DUMMY.of(user):
            sent += bytes(ceil_div(_DUMMY_CYCLES.of(user1) + 1, 8))
        if _MOSI.of(user):
            size = self._length(self._at.mosi_dlen, self._at.mosi_dlen_low)
            sent += self._memory.read(self._at.base + self._at.w0, size)
        return sent

    def _register(self, offset: int) -> int:
        return self._memory.word(self._at.base + offset)

    def _length(self, offset: int, low: int) -> int:
        """Return a length in bytes; the register holds bits less one."""
        width = _SHORT_LENGTH_WIDTH if self._at.lengths_in_user1 else _LENGTH_WIDTH
        bits = Bits(0, low, width).of(self._register(offset)) + 1
        return min(ceil_div(bits, 8), WORD * self._at.w_words)
