"""Changing flash: a download that fails begins anew, in step, and not for ever."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from espshell.errors import DeviceError, NoReply, Refused
from espshell.loader import flash
from espshell.loader.dialogue import Gone
from espshell.units import KIB, SECTOR
from tests.loader.support import open_sim, wire_of

REFUSED = Refused("the loader refused FLASH_DATA", code=0x0108)
DAMAGED = Refused("the loader refused FLASH_DATA", code=0x0107)


@pytest.mark.parametrize("verb", ["program", "erase"])
@pytest.mark.parametrize(
    ("errors", "tries", "kind"),
    [
        ([], 1, None),
        ([REFUSED, NoReply("no reply")], 3, None),
        ([REFUSED] * 5, 5, DeviceError),
        ([NoReply("no reply"), *[DAMAGED] * 4], 5, NoReply),
        ([NoReply("no reply")] * 5, 5, NoReply),
        ([Gone("stopped answering")], 1, NoReply),
    ],
)
def test_a_failure_begins_anew(
    verb: str,
    errors: list[Exception],
    tries: int,
    kind: type[Exception] | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Five times at most, out of step each time, and not at all when the loader is gone."""
    target = open_sim(chip="esp32c3")
    left, began = list(errors), list[bool]()

    def attempt(*_: object) -> Iterator[int]:
        began.append(target.loader.in_step)
        target.loader.begin_anew()
        if left:
            raise left.pop(0)
        yield 1

    monkeypatch.setattr(flash, "_download", attempt)
    monkeypatch.setattr(flash, "_erase", lambda *args: list(attempt(*args)))

    def run() -> None:
        place = target.loader, target.chip, target.flash._controller, 0x1_0000
        if verb == "program":
            list(flash.program(*place, bytes(4096)))
        else:
            flash.erase_sectors(*place, 4096)

    if kind is None:
        run()
    else:
        with pytest.raises(kind, match="at 0x00010000 failed: "):
            run()
    assert began == [True, *[False] * (tries - 1)]


def test_the_next_try_sends_less_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has arrived is not sent again, and what has not goes in ever smaller pieces."""
    target = open_sim(chip="esp32c3")
    began = list[tuple[int, int]]()

    def attempt(*place: object) -> Iterator[int]:
        offset, data = place[-2:]
        assert isinstance(offset, int)
        assert isinstance(data, bytes)
        began.append((offset, len(data)))
        target.loader.begin_anew()
        if len(data) > SECTOR:
            raise DAMAGED
        yield len(data)

    monkeypatch.setattr(flash, "_download", attempt)
    place = target.loader, target.chip, target.flash._controller, 0x1_0000
    assert list(flash.program(*place, bytes(3 * SECTOR)))[-1] == 3 * SECTOR
    sectors = [(0x1_0000 + SECTOR * n, SECTOR) for n in range(3)]
    assert began == [(0x1_0000, 3 * SECTOR), *sectors]


@pytest.mark.parametrize("stub", [False, True])
def test_a_bad_link_is_slow_and_no_dead_end(stub: bool) -> None:
    """Where no block of a normal size arrives whole, stub and flash do, in small ones."""
    target = open_sim("noise=9600:0.00015", "esp32c3")
    if stub:
        target.start_stub()
    data = random.Random(1).randbytes(16 * KIB)
    for _ in target.flash.program(0x1_0000, data):
        pass
    assert wire_of(target).chip.flash.read(0x1_0000, len(data)) == data
