"""Programs in simulated RAM that say what the URL declares."""

from __future__ import annotations

import pytest

from espshell.errors import UsageError
from espshell.protocol.commands import MemEnd
from espshell.sim import url
from espshell.sim.boot import ChipMode
from tests.loader.support import open_sim, wire_of


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello%0d%0a", b"hello\r\n"),
        (r"a\r\n\t\\b", b"a\r\n\t\\b"),
        (r"\x1b[2J\xff", b"\x1b[2J\xff"),
        ("caf%C3%A9+", "caf\u00e9+".encode()),
        (r"\q", rb"\q"),
    ],
)
def test_what_is_declared(text: str, said: bytes) -> None:
    """Percent-encoding and escapes give any byte."""
    assert url.parse(f"sim://esp32?says={text}").says == said


def test_returns_is_yes_or_no() -> None:
    """Anything but 0 and 1 is refused."""
    assert url.parse("sim://esp32?returns=1").returns
    with pytest.raises(UsageError, match="returns: expected 0 or 1, not '2'"):
        url.parse("sim://esp32?returns=2")


@pytest.mark.parametrize("chip", ["esp8266", "esp32", "esp32c3"])
def test_a_rom_starts_it_and_is_gone(chip: str) -> None:
    """It speaks at the rate in use, again and again, and there is no loader."""
    target = open_sim(r"says=hi\n", chip)
    if chip != "esp8266":
        target.change_baud(460800)
    target.loader.execute(MemEnd(target.chip.regions[-1].start))
    for _ in range(3):
        assert target.link.hear(b"hi\n", 1.5)
    assert wire_of(target).mode is ChipMode.APPLICATION


@pytest.mark.parametrize(
    ("version", "returns", "mode"),
    [
        (2, 1, ChipMode.DOWNLOAD),
        (2, 0, ChipMode.APPLICATION),
        (1, 1, ChipMode.APPLICATION),
    ],
)
def test_a_stub_starts_it(version: int, returns: int, mode: ChipMode) -> None:
    """Only a v2 stub calls it as a function, and goes on when it returns."""
    target = open_sim(f"says=hi&returns={returns}", "esp32c3")
    target.start_stub(version=version)
    target.loader.execute(MemEnd(0x4039_0000))
    assert target.link.hear(b"hi", 1.0)
    assert wire_of(target).mode is mode
