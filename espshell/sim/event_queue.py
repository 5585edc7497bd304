"""Events of the simulated bench, in the order of their time."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf


class EventQueue:
    """Events at their time; of two at the same time, the one that was added first."""

    def __init__(self) -> None:
        self.next_at = inf
        """When the next event is due."""
        self._count = 0
        self._entries: list[tuple[float, int, Callable[[float], None]]] = []

    def add(self, at: float, event: Callable[[float], None]) -> None:
        """Have something called at a time; it is given the time that was planned."""
        self._count += 1
        heapq.heappush(self._entries, (at, self._count, event))
        self.next_at = self._entries[0][0]

    def run_due(self, now: float) -> None:
        """Call all events that have come due by now."""
        while self.next_at <= now:
            at, _, event = heapq.heappop(self._entries)
            self.next_at = self._entries[0][0] if self._entries else inf
            event(at)
