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

from espshell.sim.memory import AddressSpace

SYSTIMER_HZ = 16_000_000
FRC_HZ = 80_000_000

RANDOM = {
    "esp8266": 0x3FF2_0E44,
    "esp32": 0x6003_5144,
    "esp32s2": 0x6003_5110,
    "esp32s3": 0x6003_507C,
    "esp32c2": 0x6002_60B0,
    "esp32c3": 0x6002_60B0,
    "esp32c5": 0x600B_2808,
    "esp32c6": 0x600B_2808,
    "esp32c61": 0x600B_2808,
    "esp32h2": 0x600B_2808,
    "esp32p4": 0x5011_01A4,
}


class Timer(NamedTuple):
    """A counter whose value is latched by a write of one bit."""

    update: int
    bit: int
    valid: int
    """The bit that says that it has been; 0: none."""
    low: int
    high: int
    hz: int = SYSTIMER_HZ


def _systimer(base: int) -> Timer:
    return Timer(base + 0x04, 1 << 30, 1 << 29, base + 0x44, base + 0x40)


TIMERS = {
    "esp32": Timer(0x3FF5_F00C, 0xFFFF_FFFF, 0, 0x3FF5_F004, 0x3FF5_F008, 40_000_000),
    "esp32s2": Timer(0x3F42_3038, 1 << 31, 1 << 30, 0x3F42_3040, 0x3F42_303C, 80_000_000),
    "esp32s3": _systimer(0x6002_3000),
    "esp32c2": _systimer(0x6002_3000),
    "esp32c3": _systimer(0x6002_3000),
    "esp32c5": _systimer(0x6000_A000),
    "esp32c6": _systimer(0x6000_A000),
    "esp32c61": _systimer(0x6000_A000),
    "esp32h2": _systimer(0x6000_B000),
    "esp32p4": _systimer(0x500E_2000),
}

_FRC2_COUNT = 0x6000_0624


def connect(chip: str, memory: AddressSpace, now: Callable[[], float]) -> None:
    """Let the registers of a chip move with a clock in seconds."""

    def random() -> int:
        digest = hashlib.blake2b(repr(now()).encode(), digest_size=4).digest()
        return int.from_bytes(digest, "little")

    memory.compute(RANDOM[chip], random)
    if chip == "esp8266":
        memory.compute(_FRC2_COUNT, lambda: round(now() * FRC_HZ) & 0xFFFF_FFFF)
    timer = TIMERS.get(chip)
    if timer is None:
        return

    def latch(word: int) -> None:
        if word & timer.bit or timer.bit == 0xFFFF_FFFF:
            ticks = round(now() * timer.hz)
            memory.set_register(timer.low, ticks & 0xFFFF_FFFF)
            memory.set_register(timer.high, ticks >> 32)
            memory.set_register(timer.update, timer.valid)

    memory.watch(timer.update, latch)
