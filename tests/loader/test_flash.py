"""Changing flash: a download that fails begins anew, in step, and not for ever."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from espshell.errors import DeviceError, NoReply, Refused
from espshell.loader import flash
from espshell.loader.dialogue import Gone
from tests.loader.support import open_sim

REFUSED = Refused("the loader refused FLASH_DATA", code=0x0107)


@pytest.mark.parametrize("verb", ["program", "erase"])
@pytest.mark.parametrize(
    ("errors", "tries", "kind"),
    [
        ([], 1, None),
        ([REFUSED, NoReply("no reply")], 3, None),
        ([REFUSED] * 3, 3, DeviceError),
        ([NoReply("no reply")] * 3, 3, NoReply),
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
    """Three times at most, out of step each time, and not at all when the loader is gone."""
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
