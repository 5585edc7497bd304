"""Bytes on their way: the UART of a chip, the packets of a USB bridge, and what a cable spoils.

A bridge sends what it has when its latency timer, started by the first byte, runs out, or when a
packet is full.  With a latency of zero every byte arrives by itself.

What bridge and cable do to bytes at rates that are too fast for them is that of a generator with a
fixed seed: a run can be repeated to the bit.

Source: FTDI application note AN232B-04, "Data Throughput, Latency and Handshaking".
"""

from __future__ import annotations

import hashlib
import math
import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

BITS_PER_BYTE = 10
"""Start, eight, stop."""

PACKET = 62
"""Data bytes in a full packet of a full-speed bridge: 64 less two of status."""

_BABBLE_BAUD = 115_200

GARBLE = bytes((n * 167 + 13) & 0xFF for n in range(256))
"""What bytes become where they are not understood."""


@dataclass(slots=True)
class Burst:
    """Bytes that follow each other without a pause; ``first`` is when the first is complete."""

    first: float
    byte_s: float
    data: bytearray
    taken: int = 0

    def count_by(self, moment: float) -> int:
        """Return how many bytes are complete at a moment."""
        if moment < self.first:
            return 0
        if not self.byte_s:
            return len(self.data)
        # A hair more, so that the moment at which a byte completes counts it.
        return min(len(self.data), int((moment - self.first) / self.byte_s + 1e-6) + 1)


class SerialLine:
    """The chip's transmitter and what carries its bytes to the host."""

    def __init__(self, latency_s: float) -> None:
        self._latency_s = latency_s
        self._bursts: deque[Burst] = deque()
        self._ready: float | None = None
        """When the next packet arrives at the host, as far as that has been found out."""
        self._held = False
        self._babbling = False
        self._babbled = 0
        self.free_at = 0.0
        """When the transmitter has sent what it has been given."""

    def send(self, data: bytes, at: float, byte_s: float) -> None:
        """Transmit bytes as soon as the line is free, and not before a moment."""
        free_at, bursts = self.free_at, self._bursts
        start = max(at, free_at)
        if bursts and at <= free_at and bursts[-1].byte_s == byte_s and not self._held:
            bursts[-1].data += data
        else:
            bursts.append(Burst(start + byte_s, byte_s, bytearray(data)))
            self._held = False
        if self._ready is not None and free_at + byte_s <= self._ready:
            self._ready = None  # some of it may still catch the packet
        self.free_at = start + len(data) * byte_s

    def hold(self, at: float, seconds: float) -> None:
        """Keep the line busy for a time."""
        self.free_at = max(at, self.free_at) + seconds
        self._held = True

    def babble(self, at: float) -> None:
        """Send meaningless bytes from a moment on."""
        self.hold(at, 0.0)
        self._babbling = True
        self._ready = None

    def cut(self, now: float) -> None:
        """Stop sending: what has not left the chip by now never will."""
        self._babbling = False
        for burst in self._bursts:
            del burst.data[max(burst.taken, burst.count_by(now)) :]
        self._bursts = deque(b for b in self._bursts if len(b.data) > b.taken)
        self.free_at = min(self.free_at, now)
        self._ready = None

    def ready_at(self) -> float:
        """Return when the next packet arrives at the host; infinity if nothing is coming."""
        if self._ready is not None:
            return self._ready
        if self._babbling and not self._bursts:
            seed = f"garbage {self._babbled}".encode()
            self._babbled += 1
            garbage = hashlib.shake_128(seed).digest(PACKET)
            self.send(garbage, self.free_at, BITS_PER_BYTE / _BABBLE_BAUD)
        self._ready = self._packet_ready() if self._bursts else inf
        return self._ready

    def take(self, now: float) -> bytes:
        """Return the bytes that have arrived since the last call."""
        packets = b""
        while (ready := self.ready_at()) <= now:
            room = PACKET
            while self._bursts and room:
                burst = self._bursts[0]
                taken, size = burst.taken, len(burst.data)
                burst.taken = end = min(burst.count_by(ready), taken + room)
                packets += burst.data[taken:end]
                room -= end - taken
                if end < size:
                    break
                self._bursts.popleft()
            self._ready = None
        return packets

    def _packet_ready(self) -> float:
        room, deadline = PACKET, inf
        for burst in self._bursts:
            first, byte_s, taken = burst.first, burst.byte_s, burst.taken
            begins = first + taken * byte_s
            if begins > deadline:
                break
            if deadline == inf:
                deadline = begins + self._latency_s
            size = len(burst.data) - taken
            if size >= room:
                return min(deadline, first + (taken + room - 1) * byte_s)
            room -= size
        return deadline


class Cable:
    """Carries bytes, either way.

    Above ``max_baud`` (0: no limit) nothing gets through whole.  ``noise`` has pairs of a rate and
    the probability that, at this rate and faster ones, a bit of a byte is wrong.
    """

    def __init__(self, max_baud: int, noise: Sequence[tuple[int, float]]) -> None:
        self._max_baud = max_baud
        self._noise = sorted(noise)
        self._random = random.Random("noise")
        self._good: dict[float, int] = {}
        """Bytes that still get through, by probability."""

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
