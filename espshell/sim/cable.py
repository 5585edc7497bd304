"""What a bridge and its cable do to bytes at rates that are too fast for them.

The errors are those of a generator with a fixed seed: a run can be repeated to the bit.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

GARBLE = bytes((n * 167 + 13) & 0xFF for n in range(256))
"""What bytes become where they are not understood."""


class Cable:
    """Carries bytes, either way.

    Above ``max_baud`` (0: no limit) nothing gets through whole.  ``noise`` has pairs of a rate and
    the probability that, at this rate and faster ones, a bit of a byte is wrong.
    """

    def __init__(self, max_baud: int, noise: Sequence[tuple[int, float]]) -> None:
        self._max_baud = max_baud
        self._noise = sorted(noise)
        self._good: dict[float, int] = {}
        """Bytes that still get through, by probability."""

    @cached_property
    def _random(self) -> random.Random:
        import random  # 1 ms, for noise alone

        return random.Random("noise")

    def carry(self, data: bytes, baud: int) -> bytes:
        """Return what arrives of bytes that are sent at a rate."""
        if self._max_baud and baud > self._max_baud:
            return data.translate(GARBLE)
        if not self._noise:
            return data
        probability = next((p for rate, p in reversed(self._noise) if rate <= baud), 0.0)
        return self._spoiled(data, probability) if probability else data

    def _spoiled(self, data: bytes, probability: float) -> bytes:
        at = self._good.pop(probability, None)
        if at is None:
            at = self._distance(probability)
        spoiled = bytearray(data)
        while at < len(spoiled):
            spoiled[at] ^= 1 << self._random.randrange(8)
            at += 1 + self._distance(probability)
        self._good[probability] = at - len(spoiled)
        return bytes(spoiled)

    def _distance(self, probability: float) -> int:
        """Return how many bytes get through before the next that does not."""
        if probability >= 1:
            return 0
        return int(math.log(1 - self._random.random()) / math.log(1 - probability))
