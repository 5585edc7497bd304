"""Carrying out what is to be written: how often it is tried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from espshell.loader.digest import blank_digest
from espshell.ops.flash import load
from espshell.ops.flash.payload import Payload
from espshell.ops.flash.write_job import is_there
from espshell.span import Span
from tests.loader.support import open_sim, wire_of
from tests.ops.support import AT, NEW, image, nor, opened

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


def test_nothing_is_written_behind_a_range_that_failed() -> None:
    """The job ends there: what was to come after it stays unchanged."""
    target = open_sim(chip="esp32c3")
    target.start_stub()
    flash = target.flash
    program, places = flash.program, list[int]()

    def lossy(address: int, data: bytes) -> Iterator[int]:
        places.append(address)
        return iter((len(data),)) if address == 0x1_0000 else program(address, data)

    flash.program = lossy  # type: ignore[method-assign]
    payloads = [Payload(at, DATA, "x.bin") for at in (0x1_0000, 0x2_0000)]
    result = load.load(target, payloads, force=True)

    assert (result.ok, set(places)) == (False, {0x1_0000})


def test_one_wrong_digest_is_not_believed() -> None:
    """A range is not as expected if it is so twice."""
    flash = open_sim(chip="esp32c3").flash
    assert flash.size
    ask, confirmed = flash.digest, list[bool]()

    def once_wrong(address: int, size: int, **options: bool) -> bytes:
        confirmed.append(bool(options))
        return ask(address, size, **options) if options else bytes(16)

    flash.digest = once_wrong  # type: ignore[method-assign]
    assert is_there(flash, Span(0, 4096), blank_digest(4096))
    assert not is_there(flash, Span(0, 4096), bytes(15) + b"x")
    assert confirmed == [False, True] * 2


@pytest.mark.parametrize("rule", ["flip@reply:300+150:5.1", "flip@reply:300+400:5.1"])
def test_right_flash_is_not_called_wrong_where_nothing_has_a_sum(rule: str) -> None:
    """Through the ROM of an ESP8266 what reads back otherwise is read again, piece by piece."""
    target = opened("esp8266", stub=False, options=f"fault={rule}")
    result = load.load(target, image(NEW[:8192]))
    assert result.ok, result.failure
    assert nor(target).read(AT, 8192) == NEW[:8192]
