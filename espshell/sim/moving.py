"""Registers of a simulated chip that move by themselves: random numbers and timers.

Random numbers follow from the time alone, so that a run can be repeated.  Timers count virtual
time; where a chip latches theirs by a write, so does this one.

Sources: ``wdev_reg.h`` and ``systimer_reg.h`` of ESP-IDF; of the ESP32, ``timer_group_reg.h``, and
of the ESP8266, ``timer_register.h`` of its SDK.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from espshell import tables
from espshell.sim.memory import AddressSpace

FRC_HZ = 80_000_000
_FRC2_COUNT = 0x6000_0624


class Timer(NamedTuple):
    """A counter whose value is latched by a write of one bit."""

    update: int
    bit: int
    valid: int
    """The bit that says that it has been; 0: none."""
    low: int
    high: int
    hz: int


def connect(chip: str, memory: AddressSpace, now: Callable[[], float]) -> None:
    """Let the registers of a chip move with a clock in seconds."""

    def random() -> int:
        digest = hashlib.blake2b(repr(now()).encode(), digest_size=4).digest()
        return int.from_bytes(digest, "little")

    rows = map(str.split, tables.rows(__package__, "moving"))
    source, *words = next(words for name, *words in rows if name == chip)
    memory.compute(int(source, 16), random)
    if chip == "esp8266":
        memory.compute(_FRC2_COUNT, lambda: round(now() * FRC_HZ) & 0xFFFF_FFFF)
    if not words:
        return
    update, bit, valid, low, high = (int(word, 16) for word in words[:-1])
    timer = Timer(update, bit, valid, low, high, int(words[-1]))

    def latch(word: int) -> None:
        if word & timer.bit or timer.bit == 0xFFFF_FFFF:
            ticks = round(now() * timer.hz)
            memory.set_register(timer.low, ticks & 0xFFFF_FFFF)
            memory.set_register(timer.high, ticks >> 32)
            memory.set_register(timer.update, timer.valid)

    memory.watch(timer.update, latch)
