"""What the spaces and the ways to leave need of a connected chip; ``Target`` is one.

And the pins that a flash hangs on, where these are not the usual ones.  Source:
``--spi-connection`` in the esptool manual, "Advanced Options"; which pins a chip takes stands in
``chips`` (``custom_spi_pins``); HSPI is pin 1 as CLK and no others, observed.
"""

from __future__ import annotations

from typing import Protocol

from espshell.chips import Chip
from espshell.device.memory import Memory
from espshell.errors import UsageError
from espshell.link.link import Link
from espshell.link.ports import PortInfo
from espshell.loader.loader import Loader
from espshell.units import parse_number

Pads = tuple[int, int, int, int, int]
"""GPIO numbers of CLK, Q, D, HD and CS; all 0: the pins of SPI; ``HSPI``: those of HSPI."""

SPI: Pads = (0, 0, 0, 0, 0)
HSPI: Pads = (1, 0, 0, 0, 0)

_NAMES = {"auto": None, "spi": SPI, "hspi": HSPI}
_LARGEST_HD = 46
"""SPI_ATTACH has six bits for a pin, but the ROM of an ESP32-S3 takes no HD behind this one."""


def parse_pads(text: str) -> Pads | None:
    """Return the pins that a text names, None for ``auto``. Raises: UsageError."""
    if text.lower() in _NAMES:
        return _NAMES[text.lower()]
    numbers = [parse_number(word.strip()) for word in text.split(",")]
    pins = tuple(number for number in numbers if number is not None and 0 <= number <= 63)
    if len(numbers) != 5 or len(pins) != 5:
        raise UsageError(
            f"`{text}` does not name flash pins",
            hint="auto, SPI, HSPI, or five numbers: CLK,Q,D,HD,CS, as in 6,17,8,11,16",
        )
    clk, q, d, hd, cs = pins
    return clk, q, d, hd, cs


def require_pads(chip: Chip, pads: Pads) -> None:
    """Check that a chip can reach a flash on these pins. Raises: UsageError."""
    if pads == SPI or (pads == HSPI and chip.name == "esp32"):
        return
    if pads == HSPI or not chip.custom_spi_pins:
        raise UsageError(
            f"the pins of the flash of an {chip.title} cannot be set this way",
            hint="`set spi-connection auto` uses the default pins",
        )
    wrong = [pin for pin in pads if pin not in chip.custom_spi_pins]
    wrong += [pads[3]] if pads[3] > _LARGEST_HD else []
    if wrong:
        raise UsageError(f"GPIO {wrong[0]} of an {chip.title} cannot be a flash pin")


class Board(Protocol):
    """A chip, the loader on it, and how both are reached."""

    link: Link
    loader: Loader
    chip: Chip
    memory: Memory
    usb: PortInfo | None

    @property
    def over_usb_otg(self) -> bool:
        """Whether the port is the chip's own USB-OTG."""

    def read_revision(self) -> tuple[int, int]:
        """Return major and minor revision, read once."""

    def change_baud(self, baud: int) -> None:
        """Change the rate at both ends."""
