"""load and erase that are stopped: the state said is true, and a second run completes."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from espshell.device import Target
from espshell.errors import EspError
from espshell.ops.flash.erase import Erased, erase, finish, prepare
from espshell.ops.flash.load import Written, compare, facts_of, load, write
from espshell.ops.flash.plan import plan_write
from espshell.ops.flash.write_job import Stage, WriteJob
from espshell.ops.result import Report, Step, silent
from espshell.units import MIB
from tests.loader.support import open_sim, wire_of
from tests.ops.support import (
    AT,
    NEW,
    OLD,
    SECTOR,
    every_loader,
    held,
    image,
    nor,
    on_file,
    opened,
    with_new,
)

SMALL = 3 * SECTOR

Deed = tuple[WriteJob, Callable[[], Written | Erased]]


def loading(target: Target, size: int, report: Report = silent) -> Deed:
    """Return the work of a load, and how to do it."""
    work = compare(target, plan_write(image(NEW[:size]), facts_of(target)))
    return work, lambda: write(target.flash, work, report)


def erasing(target: Target, size: int, report: Report = silent) -> Deed:
    """Return the work of an erase, and how to do it."""
    job = prepare(target, AT, size, facts_of(target))
    return job, lambda: finish(target.flash, job, report)


DEEDS = {"load": loading, "erase": erasing}


def begun(name: str, chip: str, stub: bool, options: str) -> Deed:
    """Begin a deed on a chip; the ROM that is read back slowly is given less to do."""
    target = open_sim(options, chip)
    if stub:
        target.start_stub()
    return DEEDS[name](target, SMALL if chip == "esp8266" else len(NEW))


def places(name: str, chip: str, stub: bool, what: str) -> list[int]:
    """Return random numbers of requests, or of changes of the flash, during a deed."""
    target = opened(chip, stub, OLD)

    def number() -> int:
        if what == "request":
            return wire_of(target).count.requests
        return sum(changes_counted(target))

    before = number()
    _, do = DEEDS[name](target, SMALL if chip == "esp8266" else len(NEW))
    do()
    count = 4 if chip == "esp8266" else 20  # it takes seconds to read back
    return sorted(random.Random(20).choices(range(before + 1, number() + 1), k=count))


def changes_counted(target: Target) -> tuple[int, ...]:
    """Return how many erases and programs there were, as the simulator's rules count them."""
    count = nor(target).count
    return count.sectors, count.blocks, count.chips, count.pages


def see_that_it_is_true(work: WriteJob, data: bytes) -> None:
    """See that each segment is as its stage says, and that nothing else has changed."""
    other = bytearray(data)
    for each in work.segments:
        place = each.span.offsets(0)
        if each.stage is Stage.BEFORE:
            assert data[place] == OLD[place]
        elif each.stage is Stage.DONE:
            assert data[place] == (each.data or b"\xff" * each.span.size)
        other[place] = OLD[place]
    assert other[: len(OLD)] == OLD
    assert set(data[len(OLD) :]) == {0xFF}
    doubt = [each for each in work.segments if each.stage in (Stage.DOUBT, Stage.SENT)]
    assert ("doubt" in work.state() or "not verified" in work.state()) is bool(doubt)
    if not any(each.stage is Stage.SENT and each.data is None for each in work.segments):
        assert len(doubt) <= 1  # an erase without digests verifies nothing


@pytest.mark.long
@every_loader
@pytest.mark.parametrize("what", ["request", "flash"])
@pytest.mark.parametrize("name", DEEDS)
def test_killed(name: str, what: str, chip: str, stub: bool, tmp_path: Path) -> None:
    """At 20 random places: nothing else is touched, the state is true, the next run completes."""
    path = tmp_path / "flash"
    for number in places(name, chip, stub, what):
        path.write_bytes(OLD)
        work = None
        with pytest.raises(EspError):  # noqa: PT012 - what has begun is looked at afterwards
            work, do = begun(name, chip, stub, on_file(path, faults=f"kill@{what}:{number}"))
            do()
        data = path.read_bytes()
        if work is None:
            assert data[: len(OLD)] == OLD
        else:
            see_that_it_is_true(work, data)
        work, do = begun(name, chip, stub, on_file(path))
        assert do().ok
        size = SMALL if chip == "esp8266" else len(NEW)
        wanted = NEW[:size] if name == "load" else b"\xff" * size
        assert path.read_bytes()[: len(OLD)] == with_new(OLD, (AT, wanted))


def test_killed_while_the_chip_is_erased(tmp_path: Path) -> None:
    """By its one command: all of it is in doubt, and a second run completes."""
    path = tmp_path / "flash"
    path.write_bytes(OLD)
    target = open_sim(on_file(path, faults="kill@flash:1"), "esp32c3")
    target.start_stub()
    job = prepare(target, 0, 4 * MIB, facts_of(target))
    with pytest.raises(EspError):
        finish(target.flash, job)
    assert job.state() == "0x00000000..0x00400000 in doubt: as before or partly erased"
    target = open_sim(on_file(path), "esp32c3")
    target.start_stub()
    assert erase(target, 0, 4 * MIB).ok
    assert set(path.read_bytes()) == {0xFF}


@pytest.mark.parametrize("name", DEEDS)
def test_ctrl_c(name: str, stride: Callable[[int], int]) -> None:
    """At every report: the state is true, and the next command works."""
    steps = stops = 0
    while True:
        target = opened(contents=OLD)
        left = steps

        def report(step: Step) -> None:
            nonlocal left
            left -= step.action != "comparing"
            if left < 0:
                raise KeyboardInterrupt

        work, do = DEEDS[name](target, len(NEW), report)
        try:
            do()
        except KeyboardInterrupt:
            steps, stops = steps + stride(1), stops + 1
            see_that_it_is_true(work, bytes(nor(target).data))
            assert load(target, image(NEW)).ok
            assert held(target) == with_new(OLD, (AT, NEW))
            continue
        break
    assert stops >= 2
