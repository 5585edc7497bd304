"""Bytes on their way from a chip to the host: UART, then the packets of a USB bridge.

A bridge sends what it has when its latency timer, started by the first byte, runs out, or when a
packet is full.  With a latency of zero every byte arrives by itself.

Source: FTDI application note AN232B-04, "Data Throughput, Latency and Handshaking".
"""

from __future__ import annotations

import hashlib
from collections import deque
from math import inf

from espshell.records import dataclass

BITS_PER_BYTE = 10
"""Start, eight, stop."""

PACKET = 62
"""Data bytes in a full packet of a full-speed bridge: 64 less two of status."""

_BABBLE_BAUD = 115_200


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
        data = b""
        while (ready := self.ready_at()) <= now:
            data += self._take_packet(ready)
        return data

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

    def _take_packet(self, ready: float) -> bytes:
        packet = b""
        while self._bursts and len(packet) < PACKET:
            burst = self._bursts[0]
            taken, data = burst.taken, burst.data
            end = min(burst.count_by(ready), taken + PACKET - len(packet))
            packet += data[taken:end]
            burst.taken = end
            if end < len(data):
                break
            self._bursts.popleft()
        self._ready = None
        return packet
