"""Looking once (``expect``), until something is true (``wait``), or to see it change (``watch``).

All time is the clock's that is passed in: the chip's own, so that a simulated chip makes nobody
wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from espshell.clock import Clock
from espshell.ops.result import Result

T = TypeVar("T")

Seen = int | bytes | tuple[int | bytes, ...]
"""What was seen at a look: a number, bytes, or one of these for each thing that is watched."""

LEAST_INTERVAL_S = 0.001
"""Between two looks; a look may take no time on a clock that is virtual."""


@dataclass(frozen=True, slots=True)
class Expectation(Result):
    """Whether an expression was true.

    ``left``, ``operator`` and ``right`` are None where it is not one comparison; ``value`` is the
    expression's own.
    """

    expression: str
    value: int
    left: int | None = None
    operator: str | None = None
    right: int | None = None
    message: str = ""
    notes: tuple[str, ...] = ()
    """What to keep in mind about what was read for it."""

    @property
    def failure(self) -> str:
        """Both sides, in hexadecimal and decimal."""
        if self.value:
            return ""
        prefix = f"{self.message}: " if self.message else ""
        if self.left is None or self.right is None:
            return f"{prefix}`{self.expression}` is {self.value:#x}"
        return (
            f"{prefix}`{self.expression}` is false: left is {self.left:#x} ({self.left}), "
            f"right is {self.right:#x} ({self.right})"
        )


@dataclass(frozen=True, slots=True)
class Waited(Result):
    """The last state of an expectation, after how many looks and seconds."""

    expectation: Expectation
    looks: int
    seconds: float

    @property
    def notes(self) -> tuple[str, ...]:
        """Notes on what was read."""
        return self.expectation.notes

    @property
    def failure(self) -> str:
        """Both sides as they were at the last look."""
        if self.expectation.ok:
            return ""
        return f"after {self.seconds:.3g} s {self.expectation.failure}"


@dataclass(frozen=True, slots=True)
class Sample(Generic[T]):
    """A value that differs from that of the look before.

    ``seconds`` count from the first look.
    """

    look: int
    seconds: float
    seen: T


@dataclass(frozen=True, slots=True)
class Watched(Result):
    """The values, each time that they had changed: numbers, or bytes from ``address`` on.

    Of several things ``what`` has all names, and each value is a tuple.
    """

    what: str
    address: int | None
    samples: tuple[Sample[Seen], ...]
    looks: int
    interrupted: bool = False
    """Whether Ctrl-C ended it."""
    notes: tuple[str, ...] = ()

    @property
    def last_value(self) -> int | None:
        """The last number."""
        value = self.samples[-1].seen if self.samples else None
        return value if isinstance(value, int) else None


def wait(
    look: Callable[[], Expectation],
    clock: Clock,
    *,
    timeout_s: float = 10.0,
    interval_s: float = 0.1,
    looked: Callable[[Expectation, float], None] = lambda expectation, seconds: None,
) -> Waited:
    """Look until an expectation is true or the time is over; at least once, and once at its end.

    Blocks for as long as that takes; ``looked`` gets each look and the seconds so far.
    """
    start = clock.now()
    looks = 0
    while True:
        expectation = look()
        looks += 1
        passed = clock.now() - start
        if expectation.ok or passed >= timeout_s:
            return Waited(expectation, looks, passed)
        looked(expectation, passed)
        clock.sleep(min(max(interval_s, LEAST_INTERVAL_S), timeout_s - passed))


def changes(
    look: Callable[[], T],
    clock: Clock,
    *,
    interval_s: float = 1.0,
    count: int | None = None,
    looked: Callable[[Sample[T]], None] | None = None,
) -> Iterator[Sample[T]]:
    """Yield the first value, then each that differs; for ``count`` looks or for ever.

    ``looked`` is called at every look, changed or not.
    """
    start = clock.now()
    index = 0
    last: Sample[T] | None = None
    while count is None or index < count:
        if index:
            clock.sleep(max(interval_s, LEAST_INTERVAL_S))
        index += 1
        sample = Sample(index, clock.now() - start, look())
        if looked is not None:
            looked(sample)
        if last is None or last.seen != sample.seen:
            yield sample
        last = sample
