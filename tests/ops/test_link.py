"""What a measured link is advised to do."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from espshell.errors import EspError, NoReply, Refused
from espshell.link.ports import Bridge
from espshell.loader.dialogue import Gone
from espshell.ops.chip import rate
from espshell.ops.chip.link import Latency, LinkReport, Throughput, advise

FTDI = Bridge("FT232R", 3_000_000, has_latency_timer=True)
CP2102 = Bridge("CP210x", 921_600)

GOOD = LinkReport(
    port="/dev/ttyUSB7",
    kind="FT232R",
    baud=921_600,
    loader="rom",
    latency=Latency(0.9e-3, 1e-3, 1.2e-3),
    up=Throughput(90_000, 91_000),
    down=Throughput(80_000, 85_000),
    exchanges=41,
    errors=0,
    sent=8000,
    received=4000,
)
LATE = Latency(15e-3, 15.9e-3, 16.1e-3)


@pytest.mark.parametrize(
    ("report", "bridge", "words"),
    [
        (GOOD, FTDI, []),
        (GOOD, None, []),
        (replace(GOOD, baud=None, up=Throughput(1e5, None)), None, []),
        (replace(GOOD, latency=LATE), FTDI, ["devices/ttyUSB7/latency_timer"]),
        (replace(GOOD, latency=LATE), None, ["devices/ttyUSB7/latency_timer"]),
        (replace(GOOD, latency=LATE), CP2102, ["15.9 ms: a hub, a network"]),
        (replace(GOOD, latency=Latency(0.05, 0.06, 0.07)), FTDI, ["60.0 ms: a hub, a network"]),
        (
            replace(GOOD, latency=Latency(1e-3, 1e-3, 9e-3)),
            FTDI,
            ["from 1.0 to 9.0 ms: a shared hub"],
        ),
        (replace(GOOD, errors=2), FTDI, ["`baud 460800`"]),
        (replace(GOOD, errors=2, baud=115_200), FTDI, ["a shorter cable, another USB port"]),
        (replace(GOOD, errors=2, port="socket://x:1"), None, ["USB port where it is served, or"]),
        (replace(GOOD, errors=2, port="sim://esp32"), None, ["without noise, or"]),
        (replace(GOOD, up=Throughput(30_000, 90_000)), FTDI, ["30.0 of 90.0 kB/s get to the chip"]),
        (replace(GOOD, baud=1_500_000), CP2102, ["above the maximum of a CP210x: 921600"]),
        (replace(GOOD, baud=115_200), FTDI, ["`baud auto`"]),
        (replace(GOOD, baud=115_200), Bridge("slow", 115_200), []),
    ],
)
def test_advice(report: LinkReport, bridge: Bridge | None, words: list[str]) -> None:
    """Each fault has its advice, a link without one has none."""
    texts = list(advise(report, bridge))
    assert len(texts) == len(words)
    assert all(word in text for word, text in zip(words, texts, strict=True))


def test_going_back_comes_to_an_end() -> None:
    """Each step back is slower, by half of those that there are, down to the first contact."""
    for start, steps in ((3_000_000, [921_600, 230_400, 115_200]), (460_800, [230_400, 115_200])):
        baud, taken = start, []
        while baud > 115_200:
            baud = rate.slower(baud)
            taken.append(baud)
        assert taken == steps


@pytest.mark.parametrize(
    ("error", "failures", "tried"),
    [
        (NoReply("lost"), 3, 4),
        (NoReply("lost"), 4, 4),
        (Refused("no", code=1), 3, 4),
        (Gone("away"), 1, 1),
    ],
)
def test_going_back_is_tried_four_times(error: EspError, failures: int, tried: int) -> None:
    """A request that gets lost is sent again; a port that is gone ends it at once."""
    rates: list[int] = []

    class Lossy:
        def change_baud(self, baud: int) -> None:
            rates.append(baud)
            if len(rates) <= failures:
                raise error

    ends = contextlib.nullcontext() if failures < tried else pytest.raises(type(error))
    with ends:
        rate.go_back(Lossy(), 115_200)  # type: ignore[arg-type]
    assert rates == [115_200] * tried
