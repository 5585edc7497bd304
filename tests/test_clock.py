"""Clocks: they never go backwards, and the virtual one moves only when told to."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.clock import SystemClock, VirtualClock
from espshell.link.link import Link
from espshell.link.trace import ReplayPort
from espshell.ops.memory.watch import Expectation, wait
from tests.shell.support import Shell


def test_virtual_time() -> None:
    """Sleeping and advancing move it at once; a negative sleep and a moment past do not."""
    clock = VirtualClock()
    clock.sleep(1.5)
    clock.sleep(-1.0)
    assert clock.now() == 1.5
    clock.advance_to(4.0)
    clock.advance_to(2.0)
    assert clock.now() == 4.0


def test_system_time() -> None:
    """It does not go backwards, also over a sleep of no time."""
    clock = SystemClock()
    before = clock.now()
    clock.sleep(0.0)
    assert clock.now() >= before


@given(
    start=st.floats(0, 1e9),
    timeout_s=st.floats(0, 1e3),
    interval_s=st.sampled_from((0.001, 0.1, 1.0, 7.0)),
)
def test_deadlines_are_reached(start: float, timeout_s: float, interval_s: float) -> None:
    """Whoever sleeps for what is left gets there in as many steps as intervals, and a few."""
    clock = VirtualClock()
    clock.advance_to(start)
    least = max(interval_s, timeout_s / 1000)
    looks = 0

    def look() -> Expectation:
        nonlocal looks
        looks += 1
        assert looks <= timeout_s / least + 10 if least else looks == 1
        return Expectation("1 == 2", 0)

    assert wait(look, clock, timeout_s=timeout_s, interval_s=least).seconds >= timeout_s


def test_a_wait_without_an_interval_ends() -> None:
    """On a virtual clock looking takes no time, so there is a least interval."""
    waited = wait(lambda: Expectation("0", 0), VirtualClock(), timeout_s=0.2, interval_s=0)
    assert waited.looks < 300


WAITS: tuple[Callable[[Link, float], object], ...] = (
    lambda link, timeout_s: link.receive(timeout_s),
    lambda link, timeout_s: link.receive_all(timeout_s),
    lambda link, timeout_s: link.hear(b"OHAI", timeout_s),
    lambda link, timeout_s: link.drain(timeout_s / 3, timeout_s),
)


class Silent(ReplayPort):
    """A port on which nothing comes; a wait takes few reads."""

    reads = 0

    def read(self, wait_s: float) -> bytes:
        """Let the time pass."""
        self.reads += 1
        assert self.reads < 10
        return super().read(wait_s)


@given(start=st.floats(0, 1e9), timeout_s=st.floats(1e-9, 100))
def test_a_link_that_hears_nothing_gives_up(start: float, timeout_s: float) -> None:
    """Every wait of a link ends at its deadline, whenever it begins."""
    for wait_on in WAITS:
        port = Silent([])
        port.clock.sleep(start)
        assert not wait_on(Link(port), timeout_s)


@pytest.mark.parametrize("seconds", [0.1 * n for n in range(1, 400, 40)])
def test_wait_ends_at_any_moment_of_a_session(seconds: float) -> None:
    """The line that hung for some start times, on the simulator."""
    shell = Shell().connect()
    shell.type(f"sleep {seconds:.1f}")
    assert shell.type("wait -t 0.2 1 == 2").status == 1
