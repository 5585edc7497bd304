"""The pins of a simulated chip: registers of GPIO and IO_MUX, pads with pulls, and wires.

A level is what drives the pins of a net: one that is set from outside, else a pin that drives,
else a pull; nothing at all reads 0.  Two that drive against each other read 0.  What a pad does
whose function is not GPIO is not simulated: it drives nothing.

Sources: technical reference manuals, "GPIO Matrix and IO MUX"; ``gpio_reg.h`` and ``io_mux_reg.h``
of ESP-IDF; of the ESP8266, ``gpio_register.h`` and ``pin_mux_register.h`` of its SDK.  These facts
are the simulator's own, so that it can examine those of the host side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from espshell import tables
from espshell.records import dataclass
from espshell.sim.memory import AddressSpace
from espshell.units import WORD

BANK = 32
INPUT_ENABLE, PULL_UP, PULL_DOWN, DRIVE = 1 << 9, 1 << 8, 1 << 7, 2 << 10
OPEN_DRAIN = 1 << 2

Wire = tuple[int, int]


@dataclass(frozen=True, slots=True)
class GpioModel:
    """Where the registers of a chip's pins are; offsets are from ``base``."""

    base: int
    mux: int
    """Address of the pad of GPIO0, where they follow each other."""
    count: int
    signal: int
    """GPIO_OUT in the matrix; 0 without a matrix."""
    strap_pins: tuple[int | None, ...]
    """The pins of the strapping register, from bit 0."""
    own_function: tuple[int, ...]
    """The pins whose pad has another function than GPIO after a reset."""
    missing: tuple[int, ...] = ()
    input_only: tuple[int, ...] = ()
    out: int = 0x04
    enable: int = 0x20
    level: int = 0x3C
    strap: int = 0x38
    pin0: int = 0x74
    select0: int = 0x554
    bank1: tuple[int, int, int] = (0x10, 0x2C, 0x40)
    """OUT1, ENABLE1 and IN1."""
    pads: tuple[int, ...] = ()
    """The pins in the order of their pads, where that is another one, from the second word on."""
    gpio_function: int = 1
    rtc_pin: tuple[int, int, int, int] | None = None
    """Addresses of OUT, ENABLE, IN and pad of the ESP8266's GPIO16, bit 0 of each."""
    function_0: tuple[int, ...] = ()
    """Pins whose function for GPIO is 0."""

    @property
    def pins(self) -> tuple[int, ...]:
        """All numbers."""
        return tuple(n for n in range(self.count) if n not in self.missing)

    def pad(self, pin: int) -> int:
        """Return the address of a pad's register; 0 where there is none."""
        if self.pads:
            return self.mux + WORD * (1 + self.pads.index(pin)) if pin in self.pads else 0
        return self.mux + WORD * pin


def _read(text: str) -> Any:
    """Return a number, or those of a list with commas and ranges; ``x`` stands for None."""
    if not {",", "-"} & {*text}:
        return None if text == "x" else int(text, 0)
    numbers: list[int | None] = []
    for part in filter(None, text.split(",")):
        first, dash, last = part.partition("-")
        numbers += range(int(first), int(last) + 1) if dash else (_read(part),)
    return tuple(numbers)


def _model(row: str) -> tuple[str, GpioModel]:
    """Return the chip and the model of a row of ``data/gpio.txt``."""
    chip, *values = row.split()
    given = dict(value.split("=") for value in values[6:])
    fields = {name: _read(text) for name, text in given.items()}
    return chip, GpioModel(*map(_read, values[:6]), **fields)


MODELS = dict(map(_model, tables.rows(__package__, "gpio")))


class Gpio:
    """The pins of one chip.

    ``levels`` are set from outside for good; ``wires`` connect pins with each other.
    """

    def __init__(
        self,
        model: GpioModel,
        memory: AddressSpace,
        *,
        levels: Mapping[int, int],
        wires: Iterable[Wire],
    ) -> None:
        self.model = model
        self._memory = memory
        self._levels = levels
        self._wires = tuple(wires)
        for bank in range(1 + (model.count > BANK)):
            offsets = (model.out, model.enable, model.level) if not bank else model.bank1
            out, enable, level = (model.base + offset for offset in offsets)
            for register in (out, enable):
                memory.watch(register + WORD, self._setter(register, clears=False))
                memory.watch(register + 2 * WORD, self._setter(register, clears=True))
            memory.compute(level, self._reader(bank))
        if model.rtc_pin is not None:
            out, enable, level, pad = model.rtc_pin
            used = (out, enable, pad)
            memory.compute(level, lambda: int(all(memory.word(at) & 1 for at in used)))

    def first_values(self) -> Iterator[tuple[int, int]]:
        """Yield the registers that are not zero after a reset: inputs on, GPIO in the matrix."""
        model = self.model
        if not model.signal:
            yield from ((model.pad(pin), self._pull_up) for pin in (0, 2))
            return
        for pin in model.pins:
            pull = PULL_UP if pin == _boot_pin(model) else 0
            yield model.pad(pin), INPUT_ENABLE | DRIVE | pull
            yield model.base + model.select0 + WORD * pin, model.signal

    def latch_straps(self, word: int) -> None:
        """Keep what the strapping pins are at a reset: a word of the ROM's, and what is outside."""
        for bit, pin in enumerate(self.model.strap_pins):
            if pin is not None and self._net_level(pin) is not None:
                word = word & ~(1 << bit) | (self._net_level(pin) or 0) << bit
        self._straps = word
        if self.model.signal:
            self._memory.set_register(self.model.base + self.model.strap, word)

    @property
    def forces_download(self) -> bool:
        """Whether the pin that chooses the loader is held low from outside."""
        return self._net_level(_boot_pin(self.model)) == 0

    def level(self, pin: int) -> int:
        """Return the level of a pin."""
        given = self._net_level(pin)
        if given is not None:
            return given
        net = self._net(pin)
        driven = {self._out(other) for other in net if self._drives(other)}
        if driven:
            return min(driven)
        return int(any(self._pad(other) & self._pull_up for other in net))

    _straps = 0

    @property
    def _pull_up(self) -> int:
        return PULL_UP if self.model.signal else 1 << 7

    def _net(self, pin: int) -> set[int]:
        """Return the pins that are connected with one, and itself."""
        net = {pin}
        while more := {n for wire in self._wires if net & {*wire} for n in wire} - net:
            net |= more
        return net

    def _net_level(self, pin: int) -> int | None:
        given = [self._levels[n] for n in self._net(pin) if n in self._levels]
        return min(given) if given else None

    def _pad(self, pin: int) -> int:
        return self._memory.word(self.model.pad(pin)) if self.model.pad(pin) else 0

    def _bit(self, pin: int, offset: int, index: int) -> int:
        at = offset if pin < BANK else self.model.bank1[index]
        return self._memory.word(self.model.base + at) >> pin % BANK & 1

    def _out(self, pin: int) -> int:
        return self._bit(pin, self.model.out, 0)

    def _drives(self, pin: int) -> bool:
        model = self.model
        if pin in model.input_only or not self._bit(pin, model.enable, 1) or not self._is_gpio(pin):
            return False
        config = self._memory.word(model.base + model.pin0 + WORD * pin)
        return not (config & OPEN_DRAIN and self._out(pin))

    def _is_gpio(self, pin: int) -> bool:
        model, pad = self.model, self._pad(pin)
        if not model.signal:
            function = 0 if pin in model.function_0 else model.gpio_function
            return (pad >> 4 & 3 | pad >> 8 << 2 & 4) == function
        select = self._memory.word(model.base + model.select0 + WORD * pin)
        function = pad >> 12 & 7
        is_plain = function == model.gpio_function or not (function or pin in model.own_function)
        return is_plain and select & (2 * model.signal - 1) == model.signal

    def _reader(self, bank: int) -> Callable[[], int]:
        pins = [pin for pin in self.model.pins if pin // BANK == bank]

        def read() -> int:
            if not self.model.signal:
                return sum(self.level(pin) << pin % BANK for pin in pins) | self._straps << 16
            enabled = (pin for pin in pins if self._pad(pin) & INPUT_ENABLE)
            return sum(self.level(pin) << pin % BANK for pin in enabled)

        return read

    def _setter(self, register: int, *, clears: bool) -> Callable[[int], None]:
        own = register + WORD * (2 if clears else 1)

        def write(bits: int) -> None:
            old = self._memory.word(register)
            self._memory.set_register(own, 0)  # write-only
            self._memory.set_register(register, old & ~bits if clears else old | bits)

        return write


def _boot_pin(model: GpioModel) -> int:
    """Return the pin that chooses between flash and the loader."""
    for pin in (0, 9, 28, 35):
        if pin in model.strap_pins:
            return pin
    raise ValueError("no pin chooses how the chip boots")
