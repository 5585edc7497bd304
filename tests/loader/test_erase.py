"""The size that a ROM is asked to erase."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.chips.esp32 import ESP32
from espshell.chips.esp8266 import ESP8266
from espshell.errors import DeviceError
from espshell.loader import flash
from espshell.loader.flash import announced_size
from espshell.loader.spi import FlashCommand
from espshell.units import SECTOR


def erased_by_the_rom(offset: int, announced: int) -> int:
    """Return the sectors that the ROM of an ESP8266 erases: those up to the boundary twice."""
    sectors = announced // SECTOR
    head = 16 - offset // SECTOR % 16
    return sectors + min(sectors, head)


@given(st.integers(0, 1024), st.integers(0, 300))
def test_quirk_of_the_esp8266(first: int, count: int) -> None:
    """What is announced and the odd sector are all that is to be erased, and nothing else."""
    announced, odd = announced_size(ESP8266, first * SECTOR, count * SECTOR)
    assert odd in (0, SECTOR)
    assert erased_by_the_rom(first * SECTOR, announced) + odd // SECTOR == count


@given(st.integers(0, 1024), st.integers(0, 0x100))
def test_other_roms_erase_what_they_are_asked_for(first: int, count: int) -> None:
    """Without the quirk the size is what is wanted."""
    assert announced_size(ESP32, first * SECTOR, count * SECTOR) == (count * SECTOR, 0)


def test_a_sector_that_stays_busy_is_an_error() -> None:
    """The command of the flash itself is not called done before BUSY is 0."""

    class Busy:
        def run(self, command: FlashCommand) -> bytes:
            return b"\1" * command.read_size

    with pytest.raises(DeviceError, match="does not finish erasing the sector at 0x00003000"):
        flash._erase_sector(Busy(), 0x3000)  # type: ignore[arg-type]
