"""Carrying out what is to be written: how often it is tried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from espshell.ops.flash import load
from espshell.ops.flash.payload import Payload
from tests.loader.support import open_sim, wire_of

DATA = bytes(range(256)) * 16


@pytest.mark.parametrize("failures", [0, 2, 3])
def test_a_segment_is_tried_three_times(failures: int) -> None:
    """What does not arrive twice is sent a third time, and after that it is given up."""
    target = open_sim(chip="esp32c3")
    target.start_stub()
    flash = target.flash
    program, tried = flash.program, 0

    def lossy(address: int, data: bytes) -> Iterator[int]:
        nonlocal tried
        tried += 1
        if tried <= failures:
            return iter((len(data),))
        return program(address, data)

    flash.program = lossy  # type: ignore[method-assign]
    load.load(target, (Payload(0x1_0000, DATA, "x.bin"),), force=True)

    there = wire_of(target).chip.flash.data[0x1_0000:0x1_1000] == DATA
    assert (tried, there) == (min(failures + 1, 3), failures < 3)
