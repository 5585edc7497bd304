"""Trials of a link, and finding a loader that may be at another rate."""

from __future__ import annotations

import pytest

from espshell.errors import DeviceError
from espshell.loader import trial
from espshell.loader.dialogue import Gone
from tests.loader.support import open_sim, wire_of


@pytest.mark.parametrize("stub", [False, True])
def test_a_clean_link_is_clean(stub: bool) -> None:
    """Kilobytes go both ways, all blocks are right, and no RAM is written."""
    target = open_sim(chip="esp32c3")
    if stub:
        target.start_stub()
    before = wire_of(target).chip.memory.read(0x3FC8_0000, 0x5_0000)
    result = trial.run(target.loader)
    exchange = trial.upload(target.loader)
    assert trial.BLOCKS <= result.blocks <= trial.MOST_BLOCKS
    assert result.failures == 0
    assert result.sent > 1500
    assert result.received > 2000
    assert exchange is not None
    assert exchange.sent > 4096
    assert wire_of(target).chip.memory.read(0x3FC8_0000, 0x5_0000) == before
    assert len(list(trial.round_trips(target.loader, 5))) == 5


@pytest.mark.parametrize("stub", [False, True])
def test_noise_is_counted_and_survived(stub: bool) -> None:
    """On a noisy link some blocks are wrong; the loader is in step again behind them."""
    target = open_sim("noise=460800:0.002", chip="esp32c3")
    if stub:
        target.start_stub()
    target.change_baud(460_800)
    result = trial.run(target.loader)
    assert 0 < result.failures < result.blocks
    assert trial.run(target.loader, until_failure=True).failures == 1
    assert target.memory.words(0x4000_0000, 1)


def test_a_chip_in_secure_download_mode_is_asked_for_its_security() -> None:
    """Where no memory can be read, the answer of connecting comes again and again."""
    target = open_sim("sdm=1", chip="esp32c3")
    assert trial.run(target.loader, target.security).failures == 0
    assert len(list(trial.round_trips(target.loader, 3))) == 3


@pytest.mark.parametrize("stub", [False, True])
def test_a_loader_that_nothing_reaches_is_lost(stub: bool) -> None:
    """A chip that has changed to a rate that the bridge cannot do is lost, and said so, soon."""
    target = open_sim("maxbaud=921600", chip="esp32c3")
    if stub:
        target.start_stub()
    start = target.link.clock.now()
    with pytest.raises(Gone, match="answers neither at 1500000 nor at 115200 baud"):
        target.change_baud(1_500_000)
    assert target.link.clock.now() - start < 20


@pytest.mark.parametrize("lost", range(1, 4))
def test_a_rate_is_found_whatever_was_lost(lost: int) -> None:
    """Request or answers are lost: the loader is found at the new rate or at the old one."""
    for direction in ("request", "reply"):
        known = open_sim(chip="esp32c3")
        count = wire_of(known).count
        number = (count.requests if direction == "request" else count.replies) + lost
        target = open_sim(f"fault=drop@{direction}:{number}", chip="esp32c3")
        try:
            target.loader.change_baud(460_800)
        except DeviceError:
            assert (direction, lost, target.link.port.baud) == ("request", 1, 115_200)
        assert wire_of(target).chip.baud == target.link.port.baud
        assert target.memory.words(0x4000_0000, 1)
