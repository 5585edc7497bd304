"""Ports that do as they are told."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from espshell.clock import Clock, VirtualClock
from espshell.protocol import slip

MAGIC = bytes.fromhex("01 0a 0400 831df000 00000000")
"""The answer to READ_REG of an ESP32's magic word, as a ROM gives it."""

REPLY = slip.encode(MAGIC)


class FakePort:
    """A port where chunks arrive at given moments; what is done to it is kept.

    ``lines`` is how often the control lines can be set before it turns out that there are none.
    """

    url = "fake"
    baud = 115200

    def __init__(self, arriving: Iterable[tuple[float, bytes]] = (), *, lines: bool = True) -> None:
        self.clock: Clock = VirtualClock()
        self.has_lines = True
        self.log: list[object] = []
        self._lines = lines
        self._arriving = deque(arriving)

    def read(self, wait_s: float) -> bytes:
        """Return the next chunk if it arrives in time; else let the time pass."""
        now = self.clock.now()
        if self._arriving and self._arriving[0][0] <= now + wait_s:
            moment, data = self._arriving.popleft()
            self.clock.sleep(moment - now)
            return data
        self.clock.sleep(wait_s)
        return b""

    def write(self, data: bytes) -> None:
        """Keep what was written."""
        self.log.append(data)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Keep the states, and the moment."""
        self.has_lines = self._lines
        self.log.append((round(self.clock.now(), 6), dtr, rts))

    def close(self) -> None:
        """Do nothing."""


class BabblingPort(FakePort):
    """A chip that never stops talking: every read brings something, a millisecond later."""

    def __init__(self, babble: bytes) -> None:
        super().__init__()
        self.reads = 0
        self._babble = babble

    def read(self, wait_s: float) -> bytes:
        """Return the same bytes again."""
        self.reads += 1
        self.clock.sleep(0.001)
        return self._babble
