"""Editing at the prompt, lines of the system, pasted lines, the pager, and dumps that go on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pexpect
import pytest

from espshell.shell.output import Output
from espshell.shell.terminal import editing, repl
from tests.shell.support import RAM, Shell
from tests.shell.terminals import ENTER, UP
from tests.shell.test_live import Screen
from tests.shell.test_repl import type_keys


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the person's files and the folder of the tests as they are."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_up_finds_lines_that_begin_so(shell: Shell) -> None:
    """With something typed, Up goes to the last line that begins with it."""
    type_keys(shell, "echo first", ENTER, "let x = 1", ENTER)
    assert type_keys(shell, "ec", UP, ENTER).out.endswith("\nfirst\n")


def test_vi_keys(shell: Shell) -> None:
    """`set editing vi` holds from the next line on: Escape leads to vi's commands."""
    ran = type_keys(shell, "set editing vi", ENTER, "echo two\x1b0wione ", ENTER)
    assert ran.out.endswith("\none two\n")


def test_pasted_lines_that_were_not_run_are_named(shell: Shell) -> None:
    """An error in the fifth of ten lines: the five behind it are listed."""
    lines = [f"echo {n}" for n in range(1, 11)]
    lines[4] = "pekk 0x10"
    ran = type_keys(shell, f"\x1b[200~{chr(10).join(lines)}\x1b[201~", ENTER)
    assert ran.out.endswith("1\n2\n3\n4\n")
    assert ran.err.endswith(
        "lines 6 to 10 were not run:\n   6  echo 6\n   7  echo 7\n   8  echo 8\n   9  echo 9\n"
        "  10  echo 10\n"
    )


def test_commands_of_the_system(shell: Shell, tmp_path: Path) -> None:
    """`!` passes the whole line on, and `cd` changes the folder; a script may do neither."""
    shell.session.interactive = True
    assert shell.type("!echo 'a;b' > out.txt").status == 0
    assert (tmp_path / "out.txt").read_text() == "a;b\n"
    assert "`exit 3` ended with status 3" in shell.type("!exit 3").err
    (tmp_path / "sub").mkdir()
    assert shell.type("cd sub").err == f"{tmp_path}/sub\n"
    assert shell.type("cd nosuch").status == 2
    for line in ("!touch x", "cd .."):
        ran = shell.script(line)
        assert (ran.status, "`set shell on` allows it" in ran.err) == (2, True)
    assert shell.script("set shell on\n!touch x\ncd ..").status == 0
    assert (tmp_path / "sub" / "x").exists()
    assert Path.cwd() == tmp_path


def test_cd_takes_the_file_of_partitions_along(shell: Shell, tmp_path: Path) -> None:
    """It is that of the folder in which it was named, wherever one goes."""
    (tmp_path / "table.csv").write_text("mine,data,nvs,0x9000,0x6000\n")
    (tmp_path / "sub").mkdir()
    shell.session.interactive = True
    for line in ("set parttable table.csv", "cd sub", "parts"):
        ran = shell.type(line)
        assert ran.status == 0, line
    assert "mine" in ran.out


def test_the_pager_gets_what_does_not_fit(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only results, only for a person, and as they are; a pager that is missing is done without."""
    session, screen = shell.session, Screen(80, 4)
    monkeypatch.setenv("LINES", "4")
    monkeypatch.setenv("COLUMNS", "80")
    session.output = Output(stdout=screen, stderr=screen, color="never")
    session.output.pager = lambda: session.settings.pager if session.interactive else ""
    session.interactive = True
    shell.runner.run_line("set pager 'cat > paged.txt'")
    shell.runner.run_line("print 5")
    assert not (tmp_path / "paged.txt").exists()  # it fits
    shell.runner.run_line("map")
    paged = tmp_path / "paged.txt"
    assert "DRAM" in paged.read_text()
    assert "DRAM" not in screen.getvalue()
    paged.unlink()
    shell.runner.run_line("dump 0x3fc90000 2k --all")  # a stream
    session.settings.pager = "no-such-pager 2> nothing"
    before = len(screen.getvalue())
    shell.runner.run_line("map")
    assert "DRAM" in screen.getvalue()[before:]
    session.interactive = False
    shell.runner.run_line("map")
    assert not paged.exists()


@pytest.mark.parametrize("line", ["!ls a\0b", "peek DRAM | less a\0b", "set pager 'a\0b'"])
def test_a_nul_is_in_no_command_of_the_system(shell: Shell, line: str) -> None:
    """Where the system is given a command, a NUL is refused in one line."""
    shell.session.interactive = True
    ran = shell.type(line)
    assert ran.status == 2
    assert "a system command cannot hold a NUL character" in ran.err


def test_marks_of_change_go_by_address(shell: Shell) -> None:
    """A dump of another range marks what a dump has shown, and nothing else."""
    shell.type(f"dump {RAM:#x} 32")
    shell.type(f"poke {RAM + 16:#x} 0xff 0xff")
    shell.type(f"poke {RAM + 64:#x} 0xff")
    assert shell.type(f"dump {RAM + 8:#x} 128 --all").out.count("^^") == 2
    assert shell.type(f"dump {RAM:#x} 256").out.count("^^") == 0


def test_enter_goes_on_from_where_a_dump_was_stopped(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not from the start, and to the end that was asked for."""
    from espshell.ops.memory import words

    def stopped(*args: object, sink: object, **rest: object) -> None:
        sink(bytes(1536))  # type: ignore[operator]
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(words, "dump", stopped)
        patch.setattr("espshell.shell.commands.memory.memory.dump", stopped)
        repl._run_lines(shell.runner, f"dump {RAM:#x} 4k")
    assert shell.session.next_line == f"dump8 {RAM + 1536:#x} 2560"


def test_enter_goes_through_the_same_program(shell: Shell) -> None:
    """`dump ... | less` goes on in less, unless that is switched off."""
    shell.type(f"dump {RAM:#x} 16 | cat > /dev/null")
    assert shell.session.next_line == f"dump8 {RAM + 16:#x} 16 | cat > /dev/null"
    shell.type("set pipe off")
    shell.type(f"dump {RAM:#x} 16 | cat > /dev/null")
    assert shell.session.next_line == f"dump8 {RAM + 16:#x} 16"


def test_addresses_of_a_dump_can_be_typed(shell: Shell) -> None:
    """What stands before a row is taken by `peek` at the prompt, and nothing is guessed."""
    shell.session.interactive = True
    for row in shell.type(f"dump {RAM + 3:#x} 32").out.splitlines():
        assert shell.type(f"peek8 {row.split()[0]}").out.startswith(f"0x{row.split()[0]}")
    assert shell.type("dump 40000000 16").out.startswith("40000000")
    assert shell.type("poke 3fc90000 12345678").out.count("0x00bc614e") == 1
    shell.session.interactive = False
    assert "did you mean `0x3fc90000`?" in shell.type("peek 3fc90000").err


@pytest.mark.parametrize(
    ("pack", "line", "ours"),
    [
        ("uboot", f"md {RAM:#x} 64", f"dump32 {RAM:#x} 64"),
        ("uboot", f"md.b {RAM:#x}", f"dump8 {RAM:#x}"),
        ("uboot", f"mw.w {RAM:#x} 7", f"poke16 {RAM:#x} 7"),
        ("gdb", f"x/16xw {RAM:#x}", f"dump32 {RAM:#x} 64"),
        ("gdb", f"x/8xb {RAM:#x}", f"dump8 {RAM:#x} 8"),
        ("gdb", f"x/2xg {RAM:#x}", f"dump64 {RAM:#x} 16"),
        ("gdb", "p/t 3 > 2", "print/t 3 > 2"),
    ],
)
def test_names_of_other_tools(shell: Shell, pack: str, line: str, ours: str) -> None:
    """Unknown, they are explained; with the pack they do the same as ours."""
    name = line.split()[0]
    assert f"`set aliases {pack}` understands `{name}`" in shell.type(line).err
    shell.type(f"set aliases {pack}")
    first = shell.type(line)
    shell.type("set aliases off")
    assert first.status == 0
    again = shell.type(ours).out
    assert first.out == again or "unchanged" in again


def test_the_toolbar_shows_a_device_that_is_gone(shell: Shell, tmp_path: Path) -> None:
    """At once, and not only with the next command; a URL cannot be looked for."""
    assert not editing.is_gone("sim://esp32c3")
    assert not editing.is_gone(str(tmp_path))
    shell.session.chip.link.port.url = str(tmp_path / "ttyUSB0")
    advice = "plug it in again, then `reconnect`"
    assert editing._connection_text(shell.session) == f"{tmp_path / 'ttyUSB0'} is gone; {advice}"


# A real terminal ---------------------------------------------------------------------------------


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")
def test_ctrl_z_and_fg(tmp_path: Path) -> None:
    """Ctrl-Z gives the shell below its prompt; `fg` brings back the line that was being typed."""
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "TERM": "xterm-256color"}
    environment |= {
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "PS1": "below> ",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    child = pexpect.spawn(
        "bash", ["--norc", "-i"], env=environment, timeout=30, encoding="utf-8", dimensions=(24, 80)
    )
    child.sendline(f"{sys.executable} -m espshell -p sim://esp32c3")
    child.expect("rom> ")
    child.send("echo back\x1a")
    child.expect_exact("below> ")
    child.sendline("fg")
    child.expect_exact("back")
    child.send(ENTER)
    child.expect_exact("back\r\n")
    child.close(force=True)
