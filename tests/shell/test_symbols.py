"""Symbols of a program as names: in expressions, regions, dumps, completion and scripts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from espshell import cli
from espshell.shell.terminal import complete
from tests.image.test_elf import FUNC, GLOBAL, NOTYPE, OBJECT, Row, written
from tests.shell.support import RAM, Shell

ROWS = [
    Row("app_main", RAM, 0x10, FUNC),
    Row("g_counter", RAM + 0x20, 4, OBJECT, GLOBAL),
    Row("big_buffer", RAM + 0x40, 0x30, OBJECT),
    Row("Mixed", RAM + 0x100, 4, OBJECT),
    Row("mixed", RAM + 0x104, 4, OBJECT),
    Row("_heap_start", RAM + 0x200, 0, NOTYPE),
    Row("fast.part.0", RAM + 0x300, 8, FUNC),
    Row("cold.part.1", RAM + 0x310, 0, NOTYPE),
    Row("UART0", RAM + 0x400, 8, OBJECT),
    Row("SPI1", 0x6000_2000, 0x100, OBJECT),
    Row("dram", RAM + 0x408, 8, OBJECT),
    Row("gpio", RAM + 0x500, 8, OBJECT),
    Row("i2", RAM + 0x600, 8, OBJECT),
]


@pytest.fixture
def elf(tmp_path: Path) -> Path:
    """Return a program whose symbols are the rows above."""
    path = tmp_path / "app.elf"
    path.write_bytes(written(ROWS, machine=243))
    return path


@pytest.fixture
def named(shell: Shell, elf: Path) -> Shell:
    """Return a connected session that knows the program."""
    assert shell.type(f"syms {elf}").status == 0
    return shell


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("app_main", RAM),
        ("APP_MAIN", RAM),
        ("Mixed", RAM + 0x100),
        ("mixed", RAM + 0x104),
        ("_heap_start", RAM + 0x200),
        ("fast.part.0", RAM + 0x300),
        ("g_counter+4", RAM + 0x24),
        ("[g_counter]", 7),
        ("u8[g_counter+1]", 0),
        ("UART0", 0x6000_0000),
        ("dram", 0x3FC8_0000),
        ("i2", RAM + 0x600),
    ],
)
@pytest.mark.parametrize("interactive", [False, True])
def test_names(named: Shell, expression: str, value: int, interactive: bool) -> None:
    """A name is an address; written so before any case, and the chip's own names come first."""
    named.session.interactive = interactive
    named.type(f"poke {RAM + 0x20:#x} 7")
    assert named.type(f"let x = {expression}").status == 0
    assert int(named.session.variables["x"], 0) == value


def test_a_name_is_a_region(named: Shell) -> None:
    """A symbol with a size has that length; a label has a place only."""
    assert named.type("hash big_buffer").out.endswith("of 0x3fc90040..0x3fc90070\n")
    assert named.type("watch g_counter --count 1").out.count("\n") == 2
    assert named.type("hash _heap_start").status == 2
    for label in ("_heap_start", "cold.part.1"):
        assert len(named.type(f"dump {label} --all").out.splitlines()) == 16
    assert named.type("snap a big_buffer; diff a big_buffer").status == 0


def test_what_is_read_is_named(named: Shell) -> None:
    """peek, dump and find say whose an address is, and how far behind its start."""
    assert named.type("peek app_main+4").out.endswith("app_main+0x4\n")
    shown = named.type("peek big_buffer+0x2c 2").out.splitlines()
    assert [line.partition("  0  ")[2] for line in shown] == ["big_buffer+0x2c", ""]
    rows = named.type("dump app_main 0x30 --all").out.splitlines()
    assert [row.rpartition("|")[2].strip() for row in rows] == ["app_main", "DRAM", "g_counter"]
    assert named.type("dump big_buffer --all").out.count("big_buffer+0x10\n") == 1
    named.type("poke g_counter 0x12345678")
    assert "SPI1" not in named.type("peek8 0x60002001").out
    found = named.type("find32 app_main 0x100 0x12345678").out
    assert "|  g_counter" in found


def test_long_dumps_squeeze_within_a_symbol(shell: Shell, tmp_path: Path) -> None:
    """In a long dump a symbol is named once, so that equal rows can be one line."""
    path = tmp_path / "app.elf"
    path.write_bytes(written([Row("large", RAM, 0x1000, OBJECT)], machine=243))
    shell.type(f"syms {path}")
    assert len(shell.type("dump large").out.splitlines()) == 3


def test_they_outlive_a_connection(named: Shell) -> None:
    """Names belong to the program and not to the chip."""
    named.type("disconnect")
    assert named.type("let x = app_main").status == 0
    named.type("connect")
    assert named.type("peek app_main").status == 0


def test_completion(named: Shell) -> None:
    """What begins like a symbol is completed, in any case, beside the chip's own names."""

    def offered(line: str) -> list[str]:
        return [each.text for each in complete.candidates(named.session, line)]

    assert offered("peek g_c") == ["g_counter"]
    assert offered("dump MIX") == ["Mixed", "mixed"]
    assert set(offered("peek gp")) >= {"GPIO", "gpio"}
    assert "app_main" not in offered("peek ")


def test_a_wrong_name(named: Shell) -> None:
    """The nearest symbol is suggested, and the nearest register as before."""
    assert "did you mean `g_counter`" in named.type("peek g_conter").err
    assert "did you mean `GPIO.IN`" in named.type("peek GPIO.INN").err


def test_syms(named: Shell, elf: Path) -> None:
    """Alone it says what is loaded; a pattern lists; what is nowhere is an error."""
    assert named.type("syms").out == f"{elf}  13 symbols, riscv\n"
    assert named.type("syms *MIXED*").out.splitlines() == [
        "0x3fc90100  4 bytes  object  Mixed",
        "0x3fc90104  4 bytes  object  mixed",
    ]
    assert named.type("syms app_main; echo $_").out.endswith(f"{RAM:#x}\n")
    assert (named.type("syms nothing*").status, named.type("syms ./none").status) == (2, 2)


def test_nothing_is_loaded(shell: Shell) -> None:
    """Without symbols the way to them is told."""
    ran = shell.type("syms app*")
    assert (ran.status, "--elf FILE" in ran.err) == (2, True)


def test_another_machine(shell: Shell, tmp_path: Path) -> None:
    """A program for another kind of core is noted, also by a chip that is connected later."""
    path = tmp_path / "app.elf"
    path.write_bytes(written(ROWS))
    note = f"{path} is for xtensa, an ESP32-C3 is riscv\n"
    assert shell.type(f"syms {path}").err == note
    assert note in shell.type("connect sim://esp32c3").err
    assert "is for" not in shell.type("connect sim://esp8266").err


def test_json(named: Shell) -> None:
    """Symbols are objects with numbers, and a peek is as without them."""
    named.session.output.as_json = True
    (listed,) = named.type("syms app_main").objects
    assert listed["value"]["symbols"] == [
        {"name": "app_main", "address": RAM, "size": 16, "kind": "function"}
    ]
    (peeked,) = named.type("peek app_main").objects
    assert peeked["value"] == {"address": RAM, "width": 32, "values": [0], "readings": 2}


def test_a_script_may_load_its_own(shell: Shell, elf: Path) -> None:
    """Names of a file that a line above loads are known when the script is checked."""
    ran = shell.script(f"syms {elf}\nexpect g_counter == {RAM + 0x20}\n")
    assert (ran.status, ran.out.count("true")) == (0, 1)
    assert shell.script(f"syms {elf}\npeek g_conter\n").err.startswith("test.espsh:2: peek: `g_con")


def test_a_script_may_load_what_a_variable_names(shell: Shell, elf: Path) -> None:
    """Then names are only known when it runs."""
    assert shell.script("syms $1\npeek app_main\n", str(elf)).status == 0
    ran = shell.script("syms $1\npeek nothing\n", str(elf))
    assert (ran.status, ran.out.count("symbols")) == (2, 1)


def test_on_the_command_line(elf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--elf loads them before anything runs; a file that is none is a usage error."""
    port = ["-p", "sim://esp32c3"]
    assert cli.main([*port, "--elf", str(elf), "-c", "peek g_counter"]) == 0
    assert capsys.readouterr().out == "0x3fc90020  0x00000000  0  g_counter\n"
    assert cli.main([*port, "--elf", str(elf) + "x", "-c", "peek g_counter"]) == 2
    assert "cannot read" in capsys.readouterr().err


def test_who_does_not_use_them_does_not_wait_for_them() -> None:
    """The start of the program imports nothing of symbols, ELF files or programs in RAM."""
    code = "import sys, espshell.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    wanted = {
        "espshell.ops.memory.symbols",
        "espshell.ops.chip.loadram",
        "espshell.image.elf",
        "elftools",
    }
    assert not wanted & set(done.stdout.split())
