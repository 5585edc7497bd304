"""What will happen on the bench, by a clock."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from espshell.clock import Clock


class Agenda:
    """Things to happen at their time; of two at the same time, the one that was planned first."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._planned = 0
        self._entries: list[tuple[float, int, Callable[[float], None]]] = []

    def plan(self, at: float, happen: Callable[[float], None]) -> None:
        """Have something happen; it is told the time that was planned."""
        self._planned += 1
        heapq.heappush(self._entries, (at, self._planned, happen))

    def settle(self) -> None:
        """Let happen what has come due."""
        now = self.clock.now()
        while self._entries and self._entries[0][0] <= now:
            at, _, happen = heapq.heappop(self._entries)
            happen(at)

    @property
    def next_at(self) -> float | None:
        """When the next thing happens, or None."""
        return self._entries[0][0] if self._entries else None
