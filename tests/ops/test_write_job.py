"""Carrying out what is to be written: how often it is tried."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from espshell.loader.digest import blank_digest
from espshell.ops.flash import guard, load, write_job
from espshell.ops.flash.payload import Payload
from espshell.ops.flash.plan import Plan, plan_write
from espshell.ops.flash.write_job import JobSegment, WriteJob, is_there
from espshell.span import Span
from tests.loader.support import open_sim, wire_of
from tests.ops.support import AT, NEW, SECTOR, image, noise, nor, opened

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


@pytest.mark.parametrize(("chip", "stub"), [("esp32c3", True), ("esp8266", False)])
def test_an_erase_beforehand_that_comes_nowhere(chip: str, stub: bool) -> None:
    """What is there already is no proof: where it was not erased first, the result is in doubt."""
    target = opened(chip, stub, DATA)
    flash = target.flash
    erase, places = flash.erase, list[int]()

    def lossy(address: int, size: int) -> Iterator[int]:
        places.append(address)
        return iter((size,)) if len(places) == 1 else erase(address, size)

    flash.erase = lossy  # type: ignore[method-assign]
    result = load.load(target, image(DATA, 0), everything=True, force=True)
    assert places == [0]
    assert (result.ok, result.verified, result.failed) == (False, False, ())
    assert "was wrong at the first try and is right now" in result.doubt


def test_a_stop_while_it_is_erased_beforehand() -> None:
    """The segment is in doubt from then on, and is not said to be as before."""
    target = opened(contents=DATA)
    flash = target.flash

    def stopped(address: int, size: int) -> Iterator[int]:
        raise KeyboardInterrupt

    plan = plan_write(image(DATA, 0), load.facts_of(target), force=True)
    job = load.compare(target, plan, everything=True)
    flash.erase = stopped  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        load.write(flash, job)
    assert job.state().endswith("in doubt: as before, erased or partly written")


def test_where_the_first_try_went_is_looked_for() -> None:
    """Data that came to a place a bit away are found there, although the second try is right."""
    target = opened(contents=bytes(0x6_0000))
    flash = target.flash
    program, places = flash.program, list[int]()

    def astray(address: int, data: bytes) -> Iterator[int]:
        places.append(address)
        return program(address ^ 0x4_0000 if len(places) == 1 else address, data)

    flash.program = astray  # type: ignore[method-assign]
    result = load.load(target, image(DATA, 0x5_0000), force=True)
    assert len(places) == 2
    assert [stray.span for stray in result.elsewhere] == [Span.of(0x1_0000, SECTOR)]
    assert (result.ok, "holds the same data" in result.doubt) == (False, True)


def test_the_rest_of_a_sector_that_stays_is_guarded() -> None:
    """Of a file whose last sector is equal and is left alone, what lies behind it is looked at."""
    old = noise(3 * SECTOR)
    target = opened(contents=old)
    flash, memory = target.flash, nor(target).data
    program = flash.program

    def too_much(address: int, data: bytes) -> Iterator[int]:
        yield from program(address, data)
        memory[SECTOR + 0x900] ^= 1

    flash.program = too_much  # type: ignore[method-assign]
    result = load.load(target, image(DATA + old[SECTOR : SECTOR + 0x800], 0), force=True)
    assert [stray.span for stray in result.elsewhere] == [Span(0x1800, 0x2000)]
    assert not result.ok


@pytest.mark.parametrize(("chip", "stub"), [("esp32", False), ("esp32c3", True)])
@pytest.mark.parametrize("data", [DATA, None])
def test_how_far_guards_reach(
    chip: str, stub: bool, data: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Far behind the range where a wrong size erases all up to there: not by data to a stub."""
    target, reached = opened(chip, stub), list[bool]()

    def post(*_: object, far: bool, limited: bool) -> dict[Span, bytes]:
        reached.append(far)
        return {}

    monkeypatch.setattr(guard, "post", post)
    span = Span(0, SECTOR)
    job = WriteJob(
        Plan((), (span,), (), keep_edges=False, warnings=()), (JobSegment(Span(0, SECTOR), data),)
    )
    assert write_job._guards(target.flash, job, span, target.flash.size, limited=False) == {}
    assert reached == [data is None or not stub]


def test_of_two_files_in_one_sector_the_kept_digest_is_the_last_ones() -> None:
    """A sector that stays as it was is said to, whichever part of it was asked about."""
    target = opened(contents=noise(2 * SECTOR))
    target.flash.program = lambda address, data: iter((len(data),))  # type: ignore[method-assign]
    halves = [*image(DATA[:0x800], SECTOR), *image(DATA[:0x800], SECTOR + 0x800)]
    result = load.load(target, halves, keep_edges=True, force=True)
    assert "still as before: is it write-protected?" in result.state


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
