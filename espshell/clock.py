"""Time as something that is passed in, so that tests and the simulator need not wait."""

from __future__ import annotations

import math
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since some moment, and a way to let them pass."""

    def now(self) -> float:
        """Return seconds since an arbitrary moment; never goes backwards."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


class SystemClock:
    """The machine's monotonic clock."""

    def now(self) -> float:
        """Return seconds since an arbitrary moment."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Block for so long."""
        time.sleep(seconds)


class VirtualClock:
    """A clock that only moves when told to; sleeping takes no time."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        """Return virtual seconds since the clock was made."""
        return self._now

    def sleep(self, seconds: float) -> None:
        """Move on by so much, at once; by the least step there is if that is below it.

        So who sleeps for what is left until a deadline always gets there.
        """
        if seconds > 0:
            self._now = max(self._now + seconds, math.nextafter(self._now, math.inf))

    def advance_to(self, moment: float) -> None:
        """Move on to a moment; a moment in the past changes nothing."""
        self._now = max(self._now, moment)
