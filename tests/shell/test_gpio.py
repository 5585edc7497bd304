"""`gpio` in the shell, and pins in expressions, on simulated chips with wires."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from espshell.device import Memory
from espshell.errors import ScriptError, UsageError
from espshell.ops.chip.gpio import Setting, set_pin
from espshell.ops.memory import words
from espshell.shell.check import check
from espshell.shell.script import Script
from espshell.shell.settings import Bench
from espshell.shell.terminal import complete
from tests.shell.support import Shell


def connected(shell: Shell, url: str) -> Shell:
    shell.session.connect(Bench(port=url))
    return shell


def test_a_wire_carries_a_level(offline: Shell) -> None:
    """What one pin drives the other reads, in expressions and in scripts that wait."""
    shell = connected(offline, "sim://esp32c3?wire=4:5&gpio10=1")
    assert shell.type("gpio 4 out 1").out == "GPIO4  MTMS, -, reads 0 → out 1, reads 1\n"
    assert (
        shell.type("expect gpio:5 == 1; wait gpio:5 == gpio:4; expect (gpio:10) == 1").status == 0
    )
    assert shell.type("gpio 4 toggle; wait -t 1 (gpio:5) == 0").status == 0
    assert shell.type("gpio 4 pulse 3 --period 100ms").out == (
        "GPIO4  pulsed 3 times; now out 0, reads 0\n"
    )
    assert shell.type("watch gpio:5 --count 2").status == 0
    assert shell.type("watch gpio --count 1").out.endswith("0x00000600  1536\n")


def test_undo_takes_all_of_it_back(offline: Shell) -> None:
    """The writes of one `gpio` are undone together; what is as asked already is not written."""
    shell = connected(offline, "sim://esp32c3")
    before = shell.type("gpio 4").out
    shell.type("gpio 4 out 1 --pull up --drive 3")
    assert shell.type("gpio 4 out 1").out == "GPIO4  is out 1, pull-up, reads 1 already\n"
    assert shell.type("gpio 4").out != before
    assert shell.type("undo").status == 0
    assert shell.type("gpio 4").out == before
    assert len(shell.session.journal) == 0


def test_open_drain_and_what_holds_a_pin(offline: Shell) -> None:
    """An open drain lets go at 1; a level from outside wins, and that is said."""
    shell = connected(offline, "sim://esp32c3?gpio10=0")
    ran = shell.type("gpio 3 out 1 --open-drain")
    assert ran.out.endswith("out 1 (open drain), reads 0\n")
    assert "something else" not in ran.err
    assert shell.type("gpio 3 out 1 --open-drain --pull up").out.endswith("reads 1\n")
    ran = shell.type("gpio 10 out 1")
    assert "GPIO10 reads 0: something else drives it" in ran.err


def test_w1ts_sets_the_output(offline: Shell) -> None:
    """The registers that set and clear bits do so, and hold nothing themselves."""
    shell = connected(offline, "sim://esp32c3")
    lines = "poke GPIO.OUT_W1TS 4; poke GPIO.ENABLE_W1TS 4; expect [GPIO.OUT] == 4"
    assert shell.type(f"{lines}; expect [GPIO.IN] & 4 == 4; poke GPIO.OUT_W1TC 4").status == 0
    assert shell.type("expect [GPIO.OUT] == 0; expect [GPIO.IN] & 4 == 0").status == 0


def test_what_moves(offline: Shell) -> None:
    """Random numbers differ; a timer counts virtual time where it is latched."""
    shell = connected(offline, "sim://esp32c3")
    shell.type("let a = [RNG.DATA]; let b = [RNG.DATA]")
    assert shell.session.variables["a"] != shell.session.variables["b"]
    latch = "reg --no-verify SYSTIMER.UNIT0_OP.TIMER_UNIT0_UPDATE=1"
    shell.type(f"{latch}; let a = [SYSTIMER.UNIT0_VALUE_LO]; sleep 1; {latch}")
    passed = shell.type("expect ([SYSTIMER.UNIT0_VALUE_LO] - $a) // 16000 >= 1000")
    assert passed.status == 0, passed.err


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("gpio 22", "an ESP32-C3 has no GPIO22; it has 0..21"),
        ("gpio 3 out", "`out` needs 0 or 1; gpio 3 out 1"),
        ("gpio 3 out 2", "a pin can be 0 or 1, not 2"),
        ("gpio 3 in 1", "`in` takes no number; gpio 3 in"),
        ("gpio 3 pulse 0", "a pin is pulsed at least once, not 0 times"),
        ("gpio 15 out 1", "GPIO15 carries the flash (CLK); --force sets it anyway"),
        ("gpio 21 out 1", "GPIO21 carries the connection (TX); --force sets it anyway"),
        ("gpio 3 sideways", "`sideways` is not one of in, out, toggle, pulse, release"),
        ("expect gpio:99 == 1", "an ESP32-C3 has no GPIO99; it has 0..21"),
    ],
)
def test_refusals(offline: Shell, line: str, message: str) -> None:
    """One line says what is wrong and what would be right; nothing is written."""
    shell = connected(offline, "sim://esp32c3")
    ran = shell.type(line)
    assert ran.status == 2
    assert message in ran.err
    assert len(shell.session.journal) == 0


def test_a_pin_that_can_only_read(offline: Shell) -> None:
    """It is not driven, also by force; as an input it is set."""
    shell = connected(offline, "sim://esp32")
    ran = shell.type("gpio 34 out 1 --force")
    assert (ran.status, "GPIO34 of an ESP32 can only be an input" in ran.err) == (2, True)
    assert shell.type("gpio 34 in").status == 0


def test_a_pin_whose_register_does_not_take_it_is_not_driven(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first write that does not read back is the last: the output comes behind it."""
    poke = words.poke

    def refused(memory: Memory, address: int, values: list[int], **how: Any) -> words.Poke:
        done = poke(memory, address, values, **how)
        (write,) = done.writes
        return replace(done, writes=(replace(write, new=bytes(byte ^ 255 for byte in write.data)),))

    monkeypatch.setattr(words, "poke", refused)
    result = set_pin(shell.session.chip.memory, 4, Setting(output=1))
    assert (len(result.writes), result.ok, result.after.is_output) == (1, False, False)


def test_the_pins_of_the_connection_are_those_that_it_goes_over(shell: Shell) -> None:
    """UART0, or the chip's own USB: the others are free."""
    memory, setting = shell.session.chip.memory, Setting(output=0)
    for over_usb, taken, free in ((False, 21, 19), (True, 19, 21)):
        with pytest.raises(UsageError, match=f"GPIO{taken} carries the connection"):
            set_pin(memory, taken, setting, over_usb=over_usb)
        assert set_pin(memory, free, setting, over_usb=over_usb).after.is_output


def test_a_script_is_refused_before_its_first_line(offline: Shell) -> None:
    """A pin that there is not is found out when the chip is known, before anything is written."""
    shell = connected(offline, "sim://esp32c3")
    with pytest.raises(ScriptError, match="has no GPIO77"):
        check(shell.session, (Script("", "gpio 4 out 1; wait gpio:77 == 1"), []), to_run=True)


def test_completion(offline: Shell) -> None:
    """Pins come with what they are for, actions with what they do."""
    shell = connected(offline, "sim://esp32c3")
    found = {c.text: c.about for c in complete.candidates(shell.session, "gpio 1")}
    assert found["15"] == "flash CLK"
    assert [c.text for c in complete.candidates(shell.session, "gpio 8 re")] == ["release"]
    assert "gpio:21" in [c.text for c in complete.candidates(shell.session, "wait gpio:2")]


def test_dry_run(offline: Shell) -> None:
    """Nothing is sent, and the pin stays as it is."""
    shell = connected(offline, "sim://esp32c3")
    assert shell.type("gpio --dry-run 3 out 1").out == "GPIO3  not sent (dry run): 4 registers\n"
    assert shell.type("gpio 3").out.splitlines()[1].startswith("3    0      in ")
