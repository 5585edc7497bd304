"""Clocks: they never go backwards, and the virtual one moves only when told to."""

from __future__ import annotations

from espshell.clock import SystemClock, VirtualClock


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
