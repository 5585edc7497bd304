"""The shell for programs: its methods, its exceptions, and the fixtures of the pytest plugin."""

from __future__ import annotations

import ast
import asyncio
import doctest
import gc
import logging
import os
import runpy
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import espshell
from espshell import api
from espshell.api import chip as chip_module
from espshell.api import connection
from espshell.errors import BenchError, DeviceError, ScriptError, UsageError
from espshell.ops.result import Step
from espshell.shell.registry import COMMANDS
from espshell.shell.session import COLLECTED_EVERY
from espshell.sim.chip import SimChip

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
    assert esp_chip.write(place, b'a "$x"\n').ok
    assert esp_chip.find(place, 'a "$x"\n', 64).hits[0].address == 0x3FC8_8000
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
        assert chip.gpio(5).last_value == 1
        assert not chip.release(4).after.is_output
        assert chip.release(5, pull="up").after.pull == "up"
        assert chip.wait("gpio:4 == 1").ok
        assert len(chip.gpio().states) == 22


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
    with pytest.raises(UsageError, match="expected a baud rate"):
        espshell.connect("sim://esp32c3", baud="fast")
    with pytest.raises(DeviceError, match="is false"):
        esp_chip.wait("[DRAM] == 9", timeout_s=0.01).require_ok()


def test_several_boards(caplog: pytest.LogCaptureFixture) -> None:
    """One that does not answer is named to the logger and missing; the others are there."""
    ports = ["sim://esp32", "/dev/there-is-no-such-port", "sim://esp32s3"]
    with caplog.at_level(logging.ERROR), espshell.open_all(ports) as chips:
        assert [chip.name for chip in chips.values()] == ["esp32", "esp32s3"]
    assert "/dev/there-is-no-such-port" in caplog.text


def methods() -> list[ast.FunctionDef]:
    """Return the public methods of a connected chip."""
    files = [Path(module.__file__ or "") for module in (chip_module, connection)]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text()))]
    return [n for n in nodes if isinstance(n, ast.FunctionDef) and not n.name.startswith("_")]


def test_every_method_names_a_command() -> None:
    """A method whose command were renamed would be found here, not by a user."""
    calls = [n for method in methods() for n in ast.walk(method) if isinstance(n, ast.Call)]
    made = [
        c.args[1] for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "_call"
    ]
    names = {str(name.value) for name in made if isinstance(name, ast.Constant)}
    assert {"dump", "find", "load", "sr", "sr set", "info"} <= names
    assert names <= {verb.name for verb in COMMANDS.verbs()}


def test_every_method_says_what_it_returns() -> None:
    """Its class is one that a program can import from the package, and no base class."""
    for method in methods():
        assert ast.get_docstring(method), method.name
        assert method.returns is not None
        names = {n.id for n in ast.walk(method.returns) if isinstance(n, ast.Name)}
        assert not names & {"object", "Any"}, method.name
        assert "Result" not in names or method.name == "run"
        missing = names - {"str", "int", "bytes", "C"} - {*dir(espshell)}
        assert not missing, method.name


USER = """
import espshell


def main() -> int:
    steps: list[espshell.Step] = []
    with espshell.connect("sim://esp32c3", progress=steps.append) as chip:
        total = sum(chip.peek("DRAM", 4).values) + len(chip.dump("DRAM").data)
        total += chip.register("UART0.CLKDIV").last_value
        total += len(chip.gpio().states) + len(chip.efuse().verdict)
        poked = chip.poke("DRAM", 1)
        total += poked.address if isinstance(poked, espshell.Poke) else 0
        total += chip.load(("a.bin", "flash:0")).require_ok().size
        total += len(chip.verify(("a.bin", "flash:0")).failure)
        total += len(chip.status().registers) + (chip.flash_id().size or 0)
        total += chip.run_script("x.espsh", 1)
    with espshell.open_all(["sim://esp32c3"]) as chips:
        total += sum(len(chip.mac()) for chip in chips.values())
    return total
"""


@pytest.mark.long
def test_a_typed_program(tmp_path: Path) -> None:
    """No expression of a user's program is of unknown type, by the strictest rules of mypy."""
    program = tmp_path / "program.py"
    program.write_text(USER)
    words = ["--strict", "--disallow-any-expr", "--config-file=", f"--cache-dir={tmp_path}"]
    command = [sys.executable, "-m", "mypy", *words, str(program)]
    checked = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert checked.returncode == 0, checked.stdout


def test_an_exception_in_the_block_closes() -> None:
    """The chip is left as requested, the exception propagates; closing again is not an error."""
    chip = espshell.connect("sim://esp32c3", after="no-reset")
    with pytest.raises(ZeroDivisionError), chip:
        raise ZeroDivisionError
    assert repr(chip) == "<ConnectedChip closed>"
    chip.close()
    with pytest.raises(BenchError, match="no chip is connected"):
        chip.peek("DRAM")


def test_scripts(tmp_path: Path) -> None:
    """A script is checked whole before its first line, and its redirects write files."""
    lines = tmp_path / "x.espsh"
    with espshell.connect("sim://esp32c3") as chip:
        lines.write_text(f"poke DRAM 7 > {tmp_path}/poke.txt\npeek DRAM >> {tmp_path}/poke.txt\n")
        assert chip.run_script(lines) == 0
        assert "0x00000007" in (tmp_path / "poke.txt").read_text().splitlines()[-1]
        lines.write_text("poke DRAM 8\npook\n")
        with pytest.raises(ScriptError, match=r"x\.espsh:2: pook: unknown command"):
            chip.run_script(lines)
        assert chip.peek("DRAM").last_value == 7


def test_progress_ends_an_operation(tmp_path: Path) -> None:
    """What the function for progress raises is what the caller gets, and the chip still answers."""

    def stop(_step: Step) -> None:
        raise TimeoutError("enough")

    with espshell.connect("sim://esp32c3", progress=stop) as chip:
        with pytest.raises(TimeoutError, match="enough"):
            chip.dump("ROM0", 0x4000)
        assert chip.peek("DRAM").ok


def test_threads_take_turns() -> None:
    """Lines from several threads are run one at a time, and each gets its own result."""
    with espshell.connect("sim://esp32c3") as chip, ThreadPoolExecutor(8) as pool:

        def write(index: int) -> tuple[int, ...]:
            place = 0x3FC9_0000 + 16 * index
            chip.poke(place, index, index + 1, force=True)
            return chip.peek(place, 2).values

        assert list(pool.map(write, range(32))) == [(n, n + 1) for n in range(32)]


def test_two_chips_at_once() -> None:
    """Each keeps its own state; asyncio runs them in threads."""

    async def both() -> list[espshell.Info]:
        with espshell.open_all(["sim://esp32c3", "sim://esp32s3"]) as chips:
            infos = (asyncio.to_thread(chip.info) for chip in chips.values())
            return await asyncio.gather(*infos)

    assert [info.chip for info in asyncio.run(both())] == ["esp32c3", "esp32s3"]


def test_a_file_of_any_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is never an option, an expression or several words."""
    monkeypatch.chdir(tmp_path)
    with espshell.connect("sim://esp32c3") as chip:
        for name in ("--all", "-x 1.bin", "DRAM", "0x10", "a'\"$b.bin", "#c", "flash:0", "é ü"):
            Path(name).write_bytes(DATA[:64])
            assert chip.load((name, "DRAM")).ok
            assert chip.save("DRAM", f"{name}.copy", 64).size == 64
            assert Path(f"{name}.copy").read_bytes() == DATA[:64]


def test_verbs_that_judge() -> None:
    """What the boot says, eFuses, RAM, protection and undo are values, too."""
    with espshell.connect("sim://demo") as chip:
        assert chip.efuse_field("SECURE_VERSION").last_value == 0
        assert [fuse.name for fuse in chip.efuse("SECURE_VERSION").fields] == ["SECURE_VERSION"]
        assert chip.efuse("jtag").fields
        assert chip.memtest("DRAM + 0x8000", 64, restore=True).ok
        assert chip.poke("DRAM + 0x8000", 5).ok
        assert chip.undo().writes
        assert chip.registers("UART0.*").registers
        assert chip.protect("chip").ok
        assert chip.unprotect().ok
        assert chip.sfdp()
        assert espshell.text_of(chip.peek("DRAM")).startswith("0x3fc80000  ")
        assert not chip.monitor(until='no "such" text', timeout_s=0.5).ok


def test_examples(capsys: pytest.CaptureFixture[str], pytester: pytest.Pytester) -> None:
    """The example files do what they say."""
    program = runpy.run_path(str(EXAMPLES / "board_report.py"))
    assert program["main"]("sim://esp32c3") == 0
    assert "4 MiB of flash\nthe last sector is good" in capsys.readouterr().out
    pytester.makepyfile(test_board=(EXAMPLES / "test_board.py").read_text())
    pytester.runpytest_inprocess("-p", "no:xdist").assert_outcomes(passed=3)


def test_example_of_a_boot(capsys: pytest.CaptureFixture[str]) -> None:
    """The boot log is waited for, and what does not come is status 1."""
    main = runpy.run_path(str(EXAMPLES / "boot_test.py"))["main"]
    assert main("sim://demo", "entry") == 0
    assert "0x003f0000  data\nESP-ROM" in capsys.readouterr().out
    assert main("sim://demo", "no such text") == 1


def test_example_of_several_boards(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Boards are loaded at the same time; one that is missing is named, and the status says it."""
    image = tmp_path / "app.bin"
    with espshell.connect("sim://demo") as chip:
        image.write_bytes(chip.read("flash:app0", 0x5000))
    main = runpy.run_path(str(EXAMPLES / "flash_boards.py"))["main"]
    ports = ["sim://esp32c3", "sim://esp32c3?flash=8M"]
    assert main(str(image), ports) == 0
    assert main(str(image), [*ports, "sim://esp32"]) == 3
    assert "sim://esp32: does not answer" in capsys.readouterr().out


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_two_hundred_connections_leave_nothing() -> None:
    """Descriptors, threads, objects, signal handlers and imports are as after the first few."""
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    finders = list(sys.meta_path)

    def state() -> tuple[int, int, int]:
        gc.collect()
        return len(os.listdir("/proc/self/fd")), threading.active_count(), len(gc.get_objects())

    def cycles(count: int) -> None:
        for _ in range(count):
            with espshell.connect("sim://esp32c3") as chip:
                chip.poke("DRAM", 1)
                chip.dump("DRAM", 64)
            with pytest.raises(espshell.UsageError):
                espshell.connect("sim://esp32c3", chip="esp32")

    cycles(3)
    files, threads, objects = state()
    cycles(200)
    after = state()
    assert after[:2] == (files, threads)
    assert after[2] < objects + 200, "an object a connection stays"
    assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert finders == sys.meta_path


def test_garbage_of_many_connections_is_collected() -> None:
    """A run that resets its chip for ever does not keep the simulators of all resets."""
    gc.collect()
    threshold = gc.get_threshold()
    gc.disable()
    try:
        with espshell.connect("sim://esp32c3") as chip:
            for _ in range(2 * COLLECTED_EVERY):
                chip.run("reconnect")
        most = sum(isinstance(thing, SimChip) for thing in gc.get_objects())
    finally:
        gc.enable()
    assert gc.get_threshold() == threshold
    assert most <= COLLECTED_EVERY + 1


def test_none_is_no_argument_before_another() -> None:
    """It is an error: the address that is missing is not the number behind it."""
    with espshell.connect("sim://esp32c3") as chip:
        with pytest.raises(espshell.UsageError, match="the first argument of dump is None"):
            chip.dump(None, 256)  # type: ignore[arg-type]
        assert chip.hash("DRAM..+16").digest == chip.hash("DRAM", 16).digest
