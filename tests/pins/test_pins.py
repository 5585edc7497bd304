"""The pins of all chips: the tables row by row, and every pin driven and read on the simulator."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from espshell import chips, pins, registers
from espshell.errors import UsageError
from espshell.ops.chip import gpio
from espshell.ops.chip import info as boots
from espshell.ops.memory import words
from espshell.sim.gpio import MODELS
from tests.loader.support import open_sim

EACH = pytest.mark.parametrize("chip", chips.NAMES)

COUNTS = {
    "esp8266": 17,
    "esp32": 35,
    "esp32s2": 43,
    "esp32s3": 45,
    "esp32c2": 21,
    "esp32c3": 22,
    "esp32c5": 29,
    "esp32c6": 31,
    "esp32c61": 30,
    "esp32h2": 28,
    "esp32p4": 55,
}
"""As the data sheets count GPIOs."""


@EACH
def test_rows(chip: str) -> None:
    """Numbers ascend, roles have words, pads and banks are in the register tables."""
    table, known = pins.of(chip), registers.of(chip)
    assert known is not None
    numbers = [pin.number for pin in table.pins]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == COUNTS[chip]
    for pin in table.pins:
        assert all(kind in gpio.ROLES for kind, _ in pin.roles), pin
        assert all(re.fullmatch(r"-|[A-Z0-9_]+", name) for name in pin.functions), pin
        if pin.pad:
            assert known.find(f"IO_MUX.{pin.pad}"), pin
            assert known.find(f"GPIO.PIN{pin.number}"), pin
            assert pin.functions[table.gpio_function(pin)] == pin.name
            matrix = known.find(f"GPIO.FUNC{pin.number}_OUT_SEL_CFG")
            assert bool(table.signal) == bool(matrix) or pin.role("flash"), pin
    straps = [n for n in (*table.straps, *table.meanings) if n is not None]
    straps += [n for conditions, _ in table.rules for n, _ in conditions]
    assert {*straps} <= {*numbers}
    assert {mode for _, mode in table.rules} <= {*boots.MODES}


@EACH
def test_both_sides_agree(chip: str) -> None:
    """The simulator's own facts name the same pins, pads and straps as the host's tables."""
    table, known, model = pins.of(chip), registers.of(chip), MODELS[chip]
    assert known is not None
    assert {pin.number for pin in table.pins if pin.pad} == {*model.pins}
    assert {pin.number for pin in table.pins if pin.input_only} == {*model.input_only}
    assert (table.straps, table.signal) == (model.strap_pins, model.signal)
    for pin in table.pins:
        if pin.pad:
            register = known.find(f"IO_MUX.{pin.pad}")
            assert register is not None
            assert register.address == model.pad(pin.number), pin
            is_own = pin.functions[0] != pin.name
            assert not model.signal or is_own == (pin.number in model.own_function), pin


@EACH
def test_every_pin_is_driven_and_read(chip: str, stride: Callable[[int], int]) -> None:
    """Each pin of each chip reads what it drives, high and low, and a pull when released."""
    memory = open_sim(chip=chip).memory
    for pin in pins.of(chip).pins[:: stride(3)]:
        if pin.input_only:
            with pytest.raises(UsageError, match="can only be an input"):
                gpio.set_pin(memory, pin.number, gpio.Setting(output=1), force=True)
            continue
        for level in (1, 0):
            done = gpio.set_pin(memory, pin.number, gpio.Setting(output=level), force=True)
            assert done.ok, pin
            assert done.after.is_output, pin
            assert (done.after.level, gpio.level(memory, pin.number)) == (level, level), pin
        pull = "up" if pin.pad else None
        done = gpio.set_pin(memory, pin.number, gpio.Setting(pull=pull), force=True)
        assert (done.ok, done.after.is_output) == (True, False)
        assert done.after.pull == (pull or ""), pin


@EACH
def test_a_pin_that_there_is_not(chip: str) -> None:
    """It is refused with those that there are."""
    memory = open_sim(chip=chip).memory
    with pytest.raises(UsageError, match=f"has no GPIO{99}") as caught:
        gpio.read_pins(memory, 99)
    assert caught.value.hint.startswith("it has 0..")


@EACH
def test_what_is_needed_is_refused(chip: str) -> None:
    """Pins of the flash and of the connection are not touched without force."""
    memory = open_sim(chip=chip).memory
    needed = [p for p in pins.of(chip).pins if p.role("flash", "psram", "uart0")]
    assert needed
    for pin in needed:
        with pytest.raises(UsageError, match=r"carries the (flash|connection)"):
            gpio.set_pin(memory, pin.number, gpio.Setting(output=0))


@pytest.mark.parametrize(
    ("chip", "number", "name"),
    [
        ("esp32", 113, "PWM1_OUT2B"),
        ("esp32", 189, "I2S1O_DATA23"),
        ("esp32s2", 125, "TWAI_CLKOUT"),
        ("esp32s3", 154, "LCD_PCLK"),
        ("esp32s3", 171, "PWM1_OUT2B"),
        ("esp32c2", 73, "FSPICS5"),
        ("esp32c3", 74, "TWAI_TX"),
        ("esp32c3", 126, "SPICS1"),
        ("esp32c5", 73, "TWAI1_STANDBY"),
        ("esp32c6", 127, "CLK_OUT3"),
        ("esp32c61", 69, "FSPICS0"),
        ("esp32h2", 96, "ANT_SEL3"),
        ("esp32p4", 100, "PWM1_OUT2B"),
        ("esp32p4", 133, "LEDC_OUT7"),
    ],
)
def test_signals(chip: str, number: int, name: str) -> None:
    """The last of rows of signals has the number that ESP-IDF gives it."""
    assert pins.of(chip).signals[number] == name


def test_a_signal_of_the_matrix_is_named() -> None:
    """A pin that a peripheral drives through the matrix shows which."""
    memory = open_sim(chip="esp32c3").memory
    select = memory.registers and memory.registers.find("GPIO.FUNC3_OUT_SEL_CFG")
    assert select
    words.poke(memory, select.address, [45])
    assert gpio.read_pins(memory, 3).states[0].function == "LEDC_OUT0"


def boot_mode(chip: str, options: str = "") -> boots.BootMode:
    memory = open_sim(chip=chip, options=options).memory
    words = memory.gather(boots.boot_words(memory.chip))
    return boots.boot_mode(memory.chip, words.__getitem__)


def test_boot_modes() -> None:
    """Straps tell how the chip has started, and the levels how it would."""
    boot = boot_mode("esp32c3")
    assert (boot.mode, boot.levels) == ("download", ((9, 0), (8, 1)))
    assert (boot.next_mode, boot.next_levels) == ("flash", ((9, 1),))
    held = boot_mode("esp32c3", "gpio9=0")
    assert held.next_mode == "invalid"


@EACH
def test_a_simulated_chip_knows_why_it_is_in_the_loader(chip: str) -> None:
    """The straps of each chip in its loader say download mode."""
    boot = boot_mode(chip)
    assert (boot.mode, boot.next_mode) == ("download", "flash")
