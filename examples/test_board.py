"""Tests of a board, with the fixtures of espshell's pytest plugin.

pytest examples/test_board.py                             on a simulated chip
pytest examples/test_board.py --esp-port /dev/ttyUSB0     on a board
"""

from __future__ import annotations

import pytest

import espshell


def test_flash_is_large_enough(esp_chip: espshell.ConnectedChip) -> None:
    """The firmware needs 4 MiB."""
    assert (esp_chip.flash_id().size or 0) >= 4 << 20


def test_ram_keeps_its_bits(esp_chip: espshell.ConnectedChip) -> None:
    """A checkerboard and its inverse read back."""
    for value in (0xAAAA_AAAA, 0x5555_5555):
        assert esp_chip.fill("DRAM", value, 1024).ok


@pytest.mark.esp_chips("esp32c3", "esp32s3")
def test_pins_are_outputs(esp_chip: espshell.ConnectedChip) -> None:
    """A bit of the output register can be set and cleared."""
    assert esp_chip.set_register("GPIO.OUT", 1 << 8).ok
    assert esp_chip.set_register("GPIO.OUT", 0).ok
