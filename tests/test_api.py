"""The shell for programs: its methods, its exceptions, and the fixtures of the pytest plugin."""

from __future__ import annotations

import ast
import doctest
import logging
import runpy
from pathlib import Path

import pytest

import espshell
from espshell import api
from espshell.errors import BenchError, DeviceError, ScriptError, UsageError
from espshell.ops.result import Step
from espshell.shell.registry import COMMANDS

pytest_plugins = ["pytester"]

EXAMPLES = Path(__file__).parents[1] / "examples"

DATA = bytes(range(256)) * 40


def test_the_example_of_the_module() -> None:
    """The first lines that a reader sees are true."""
    assert doctest.testmod(api).failed == 0


def test_memory(esp_chip: espshell.ConnectedChip) -> None:
    """What is written is read, by values, bytes, digests and comparisons."""
    place = "DRAM + 0x8000"
    assert esp_chip.poke(place, 1, 2, width=8).ok
    assert esp_chip.peek(place, 2, width=8, force=True).values == (1, 2)
    assert esp_chip.write(place, DATA).ok
    assert esp_chip.read(place, len(DATA)) == DATA
    assert (
        esp_chip.hash(place, 256).digest
        == espshell.hash_range(esp_chip.target.memory, 0x3FC8_8000, 256).digest
    )
    assert esp_chip.find(place, b"\x10\x11\x12", 1024).hits[0].address == 0x3FC8_8010
    assert esp_chip.copy(place, 256, "DRAM + 0xc000").ok
    assert esp_chip.diff(place, "DRAM + 0xc000", 256).ok
    assert esp_chip.fill("DRAM + 0xc000", 0, 256).ok
    assert not esp_chip.diff(place, "DRAM + 0xc000", 256).ok
    assert esp_chip.wait("u32[DRAM + 0xc000] == 0").ok
    assert not esp_chip.wait("u32[DRAM + 0xc000] == 1", timeout_s=0.1).ok


def test_pins() -> None:
    """A harness is tested by what one pin drives and another reads."""
    with espshell.connect("sim://esp32c3?wire=4:5") as chip:
        assert chip.drive(4, 1).after.level == 1
        assert chip.pins(5).last_value == 1
        assert not chip.release(4).after.is_output
        assert chip.release(5, pull="up").after.pull == "up"
        assert chip.wait("gpio:4 == 1").ok
        assert len(chip.pins().states) == 22


def test_flash(tmp_path: Path) -> None:
    """Bytes and files go to flash and come back; progress is told to whom was asked for."""
    steps: list[Step] = []
    image, copy = tmp_path / "an image.bin", tmp_path / "copy.bin"
    image.write_bytes(DATA)
    with espshell.connect("sim://esp32c3", progress=steps.append) as chip:
        assert chip.load((image, "flash:0x200000")).ok
        assert chip.verify((image, "flash:0x200000")).ok
        assert chip.read("flash:0x200000", len(DATA)) == DATA
        assert chip.save("flash:0x200000", copy, len(DATA)).size == len(DATA)
        assert copy.read_bytes() == DATA
        assert chip.erase("flash:0x200000", 0x1000).ok
        mismatch = chip.verify((image, "flash:0x200000"))
        assert not mismatch.ok
        assert mismatch.failure
        assert chip.flash_id().size == 4 << 20
        assert chip.status().ok
        assert chip.set_status("BP=0").ok
    assert steps[-1].total


def test_the_chip(esp_chip: espshell.ConnectedChip) -> None:
    """It says what it is, changes its rate, resets, and leaves its loader."""
    assert esp_chip.name == esp_chip.info().chip == "esp32c3"
    assert esp_chip.mac().count(":") == 5
    assert esp_chip.set_register("GPIO.OUT", 0x10).ok
    assert esp_chip.register("GPIO.OUT").last_value == 0x10
    assert esp_chip.set_baud(921600).baud == 921600
    assert esp_chip.reset().chip == "esp32c3"
    assert esp_chip.run_application().how


def test_errors_are_exceptions(esp_chip: espshell.ConnectedChip, tmp_path: Path) -> None:
    """Who must act is the class of the exception; the connection stays."""
    with pytest.raises(UsageError, match="0x00000010"):
        esp_chip.peek(0x10)
    with pytest.raises(UsageError, match="unknown command"):
        esp_chip.run("pook 1")
    with pytest.raises(DeviceError):
        esp_chip.run("need esp32")
    lines = tmp_path / "x.espsh"
    lines.write_text("poke DRAM $1\nexpect [DRAM] == 8\n")
    with pytest.raises(ScriptError, match=r"x\.espsh:2"):
        esp_chip.run_script(lines, 7)
    assert esp_chip.run_script(lines, 8) == 0
    with pytest.raises(BenchError):
        espshell.connect("/dev/there-is-no-such-port")


def test_several_boards(caplog: pytest.LogCaptureFixture) -> None:
    """One that does not answer is named to the logger and missing; the others are there."""
    ports = ["sim://esp32", "/dev/there-is-no-such-port", "sim://esp32s3"]
    with caplog.at_level(logging.ERROR), espshell.open_all(ports) as chips:
        assert [chip.name for chip in chips.values()] == ["esp32", "esp32s3"]
    assert "/dev/there-is-no-such-port" in caplog.text


def test_every_method_names_a_command() -> None:
    """A method whose command were renamed would be found here, not by a user."""
    tree = ast.parse(Path(api.__file__).read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    made = [
        c.args[1] for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "_call"
    ]
    names = {str(name.value) for name in made if isinstance(name, ast.Constant)}
    assert {"dump", "find", "load", "sr", "sr set", "info"} <= names
    assert names <= {verb.name for verb in COMMANDS.verbs()}


def test_fixtures(pytester: pytest.Pytester) -> None:
    """A test gets the chip that it is for, and is skipped on another."""
    pytester.makepyfile(
        """
        import pytest

        def test_default(esp_chip):
            assert esp_chip.name == "esp32c3"

        @pytest.mark.esp_chips("esp32s3", "esp32")
        def test_marked(esp_chip, esp_port):
            assert esp_chip.name == "esp32s3"
            assert esp_port == "sim://esp32s3"
        """
    )
    pytester.runpytest_inprocess("-p", "no:xdist").assert_outcomes(passed=2)
    other = pytester.runpytest_inprocess("-p", "no:xdist", "--esp-port", "sim://esp32c3")
    other.assert_outcomes(passed=1, skipped=1)


def test_examples(capsys: pytest.CaptureFixture[str], pytester: pytest.Pytester) -> None:
    """The example files do what they say."""
    program = runpy.run_path(str(EXAMPLES / "board_report.py"))
    assert program["main"]("sim://esp32c3") == 0
    assert "4 MiB of flash\nthe last sector is good" in capsys.readouterr().out
    pytester.makepyfile(test_board=(EXAMPLES / "test_board.py").read_text())
    pytester.runpytest_inprocess("-p", "no:xdist").assert_outcomes(passed=3)
