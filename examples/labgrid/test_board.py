"""A board in a lab: brought into each state, looked at, flashed, started.

pytest --lg-env environment.yaml test_board.py
"""

from __future__ import annotations

from typing import Any

import pytest
from espshell_labgrid import Status
from labgrid.protocol import BootstrapProtocol
from labgrid.strategy import StrategyError


@pytest.fixture(scope="module")
def esp(target: Any) -> Any:
    """Return the driver of the board, as what a strategy for any board would ask for."""
    return target.get_driver(BootstrapProtocol, activate=False)


def test_memory_reads_back(strategy: Any, esp: Any) -> None:
    """In the loader all verbs of espshell are there."""
    strategy.transition("download")
    assert esp.chip.poke("DRAM", 0xCAFE_F00D).ok
    assert esp.chip.peek("DRAM").last_value == 0xCAFE_F00D


def test_image_is_flashed(strategy: Any, esp: Any) -> None:
    """A sector that somebody has erased is written again, and the image verifies."""
    strategy.transition(Status.download)
    assert esp.chip.erase("flash:app0", 0x1000).ok
    strategy.transition(Status.flashed)
    esp.verify()
    esp.reset()
    assert esp.chip.partitions().table.partitions


def test_application_starts(strategy: Any, esp: Any) -> None:
    """The driver lets go of the port, and the application runs."""
    strategy.transition(Status.running)
    with pytest.raises(Exception, match="not active"):
        esp.chip.peek("DRAM")
    strategy.transition(Status.download)
    assert esp.chip.name == "esp32c3"


def test_a_wrong_image_breaks_the_strategy(strategy: Any, esp: Any, target: Any) -> None:
    """What espshell refuses is the cause of labgrid's error."""
    strategy.transition(Status.download)
    esp.place = "flash:0x1001"
    with pytest.raises(StrategyError) as error:
        strategy.transition(Status.flashed)
    assert "0x00001001" in str(error.value.__cause__)
    target.deactivate(esp)
