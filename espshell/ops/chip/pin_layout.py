"""Where the registers of a chip's pins are, and where things stand in them.

Sources: the technical reference manuals, "GPIO Matrix and IO MUX"; for the ESP8266 its SDK,
``pin_mux_register.h``.  That pulls of the ESP32's RTC pads are in RTC_IO: ESP-IDF, ``gpio_ll.h``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from espshell import pins as tables
from espshell import registers
from espshell.chips import Chip, Isa, Words
from espshell.pins import Pin, Pins
from espshell.pins.table import Place
from espshell.records import dataclass
from espshell.registers.table import Register

BANK = 32
"""Pins of one register."""


@dataclass(frozen=True, slots=True)
class Pad:
    """Where things stand in a register of IO_MUX: pairs of lowest bit and width."""

    function: tuple[tuple[int, int], ...]
    pull_up: int
    pull_down: int | None
    input_enable: int | None
    drive: tuple[int, int] | None

    def chosen(self, word: int) -> int:
        """Return the function that a register chooses."""
        value = shift = 0
        for low, width in self.function:
            value |= (word >> low & (1 << width) - 1) << shift
            shift += width
        return value

    def choose(self, value: int) -> tuple[int, int]:
        """Return mask and bits that choose a function."""
        mask = bits = 0
        for low, width in self.function:
            mask |= (1 << width) - 1 << low
            bits |= (value & (1 << width) - 1) << low
            value >>= width
        return mask, bits


PAD = Pad(((12, 3),), pull_up=8, pull_down=7, input_enable=9, drive=(10, 2))
PAD_ESP8266 = Pad(((4, 2), (8, 1)), pull_up=7, pull_down=None, input_enable=None, drive=None)


class PinLayout:
    """Where the registers of a chip's pins are."""

    def __init__(self, chip: Chip) -> None:
        self.chip = chip
        self.pins: Pins = tables.of(chip.name)
        table = registers.of(chip.name)
        assert table is not None
        self._table = table
        self.pad = PAD_ESP8266 if chip.isa is Isa.XTENSA_CALL0 else PAD

    def find(self, name: str) -> Register | None:
        """Return a register of the tables."""
        return self._table.find(name)

    def place(self, pin: Pin, what: str) -> Place:
        """Return the bit ``out``, ``enable`` or ``in`` of a pin."""
        if what in pin.places:
            return pin.places[what]
        bank = "" if pin.number < BANK else "1"
        register = self.find(f"GPIO.{what.upper()}{bank}")
        assert register is not None
        return Place(register.address, pin.number % BANK)

    def registers_of(self, pin: Pin) -> dict[str, Register]:
        """Return what else makes up a pin: ``pad``, ``pin``, ``select`` and ``pulls``."""
        if not pin.pad:
            return {}
        named = {
            "pad": f"IO_MUX.{pin.pad}",
            "pin": f"GPIO.PIN{pin.number}",
            "select": f"GPIO.FUNC{pin.number}_OUT_SEL_CFG",
            "pulls": f"RTC_IO.{pin.pulls.partition('.')[0]}",
        }
        registers = {key: self.find(name) for key, name in named.items()}
        return {key: register for key, register in registers.items() if register is not None}

    def pull_bits(self, pin: Pin) -> tuple[str, int, int | None]:
        """Return which register has the pulls of a pin, and the bits for up and down."""
        if not pin.pulls:
            return "pad", self.pad.pull_up, self.pad.pull_down
        register, _, prefix = pin.pulls.partition(".")
        pad = self.find(f"RTC_IO.{register}")
        up, down = (pad and pad.field(f"{prefix}{name}") for name in ("RUE", "RDE"))
        assert up
        assert down
        return "pulls", up.low, down.low

    def strap(self) -> tuple[int, int] | None:
        """Return address and lowest bit of the strapping register."""
        register = self.find("GPIO.STRAP")
        if register is not None:
            return register.address, 0
        strapping = self._table.find_field("GPIO.IN.STRAPPING")
        return (strapping[0].address, strapping[1].low) if strapping else None

    @property
    def strap_pins(self) -> list[Pin]:
        """The pins of the strapping register."""
        pins = (self.pins.get(n) for n in self.pins.straps if n is not None)
        return [pin for pin in pins if pin is not None]

    def addresses(self, chosen: Sequence[Pin]) -> Iterator[int]:
        """Yield every word that the states of pins need."""
        for pin in chosen:
            yield from (self.place(pin, what).address for what in ("out", "enable", "in"))
            yield from (register.address for register in self.registers_of(pin).values())
        if strap := self.strap():
            yield strap[0]


def strap_levels(layout: PinLayout, words: Words) -> dict[int, int]:
    """Return the levels of the strapping pins at the last reset, by pin."""
    strap = layout.strap()
    word = words(strap[0]) >> strap[1] if strap else 0
    straps = enumerate(layout.pins.straps if strap else ())
    return {number: word >> bit & 1 for bit, number in straps if number is not None}


def select_bits(register: Register) -> tuple[int, int, int]:
    """Return lowest bit and width of a signal's number, and the bit OEN_SEL."""
    fields = sorted(register.fields, key=lambda field: field.low)
    number, _, own_enable, _ = fields  # the signal, inverted, who enables, that inverted
    return number.low, number.width, own_enable.mask
