"""Clocks that are passed in, so that tests and the simulator need not wait."""

from __future__ import annotations

import math
import time
from typing import Protocol


class Clock(Protocol):
    """A time in seconds, and a way to let time pass."""

    def now(self) -> float:
        """Return the seconds since an arbitrary moment; they never decrease."""

    def sleep(self, seconds: float) -> None:
        """Wait for a number of seconds."""


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Return the seconds since an arbitrary moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block for a number of seconds."""
        time.sleep(seconds)


class VirtualClock:
    """A clock that moves only by ``sleep`` and ``advance_to``, without waiting."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        """Return the virtual seconds since the clock was created."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move the time forward at once, by at least the smallest step of a float.

        So a caller that sleeps for the rest of the time until a deadline always reaches it.
        """
        if seconds > 0:
            self._now = max(self._now + seconds, math.nextafter(self._now, math.inf))

    def advance_to(self, moment: float) -> None:
        """Move the time forward to a moment; one in the past changes nothing."""
        self._now = max(self._now, moment)
