"""What a person sees in a real terminal: one process, on a board with firmware, does most of it."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from espshell.shell.terminal import early, repl
from espshell.shell.terminal.background import TerminalInput, answered
from espshell.shell.terminal.early import EarlyLine
from tests.shell.support import Shell
from tests.shell.terminals import CTRL_C, CTRL_D, ENTER, TAB, UP, ShellTerminal, device_name, served

pytestmark = [
    # Python since 3.12 warns of a fork where threads are; the child becomes another program.
    pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning"),
    pytest.mark.skipif(sys.platform == "win32", reason="needs a pty"),
]

LIGHT, DARK = "rgb:ffff/ffff/ffff", "rgb:1e1e/1e1e/1e1e"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with files to complete, and nobody's settings."""
    path = tmp_path_factory.mktemp("terminal")
    (path / "fw.bin").write_bytes(os.urandom(64))
    (path / "two words.bin").write_bytes(bytes(64))
    return path


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[ShellTerminal]:
    """Start the program once, up to its prompt."""
    before = Path.cwd()
    os.chdir(folder)
    terminal = ShellTerminal(
        folder, "sim://demo", XDG_CONFIG_HOME=str(folder), XDG_STATE_HOME=str(folder)
    )
    os.chdir(before)
    terminal.wait(lambda text: "esp32c3:rom>" in text and "115200 baud" in text)
    terminal.enter("snap before DRAM 4")
    yield terminal
    terminal.child.close(force=True)


# Lines up to the cursor, and rows of the menu: what is offered, and what stands beside it.
MENU = [
    ("expect [UART0.INT_", "UART0.INT_ST   0x60000008  read-only"),
    ("wait (UART0.INT_", "UART0.INT_ST   0x60000008  read-only"),
    ("expect u8[DR", "DRAM   0x3fc80000  384 KiB"),
    ("peek DRAM+UART0.INT_", "UART0.INT_ST   0x60000008  read-only"),
    ("dump DRAM..DR", "DROM   0x3c000000  8 MiB"),
    ("watch UART0.CONF0.PAR", "UART0.CONF0.PARITY     bit 0"),
    ("diff UART0.INT_", "UART0.INT_ST   0x60000008  read-only"),
    ("diff flash:ap", "app0   0x00010000  1 MiB"),
    ("hash flash:ap", "app0   0x00010000  1 MiB"),
    ("hash DRAM 64 ", "md5"),
    ("snap a UART0.INT_", "UART0.INT_ST   0x60000008  read-only"),
    ("snap a flash:ap", "app0   0x00010000  1 MiB"),
    ("snap ", "before  snapshot"),
    ("reg UART0.CONF0.PARITY=1 .PAR", ".PARITY     bit 0"),
    ("sr set ", "QE="),
    ("sr set BP=", "0"),
    ("connect sim://esp32s", "sim://esp32s3  simulated"),
    ("trace ", "on"),
    ("erase ", "flash:nvs"),
    ("set color ", "auto"),
    ("set c", "check     read everything twice"),
    ("alias x = pe", "peek    Read memory and show it in hexadecimal and decimal."),
    ("du", "dump    Show a range as a hexdump,"),
]


@pytest.mark.parametrize(("line", "row"), MENU)
def test_menu(shared: ShellTerminal, line: str, row: str) -> None:
    """At each position names are offered with what they are, and the usage stays."""
    shared.clear()
    shared.send(line + TAB)
    words = row.split()
    shown = shared.wait(lambda text: any(_begins(each, words) for each in text.split("\n")[1:]))
    assert shown.split("\n")[0].startswith(f"esp32c3:rom> {line.rpartition(' ')[0]}")
    shared.send(CTRL_C)


def _begins(row: str, words: list[str]) -> bool:
    return row.split()[: len(words)] == words


def test_tab_completes_as_far_as_it_is_clear(shared: ShellTerminal) -> None:
    """What is left is shown with explanations, and the usage behind the connection."""
    shared.clear()
    shared.send("pe" + TAB)
    shown = shared.wait(lambda text: "peek32" in text and "PLACE [COUNT]" in text)
    assert "esp32c3:rom> peek\n" in shown
    assert "peek    Read memory and show it in hexadecimal and decimal." in shown
    assert "sim://demo  115200 baud  ESP32-C3 v0.4  rom  peek PLACE [COUNT]" in shown
    shared.send(CTRL_C)


def test_names_on_the_line_have_colours(shared: ShellTerminal) -> None:
    """Those of places that exist, and commands; the usage stays while the line is completed."""
    shared.enter("set theme dark")
    shared.clear()
    shared.send("expect [UART0.INT_" + TAB)
    shared.wait(lambda text: "UART0.INT_CLR" in text and "[--message MESSAGE]" in text)
    shared.send("ST] == DRAN")
    shared.wait(lambda text: "UART0.INT_ST] == DRAN" in text and "INT_CLR" not in text)
    row = shared.rows().index("esp32c3:rom> expect [UART0.INT_ST] == DRAN")
    cells = shared.screen.buffer[row]
    colors = {name: cells[column].fg for name, column in (("place", 21), ("none", 38))}
    assert colors == {"place": "5fd7d7", "none": "default"}  # 80 of xterm's palette
    assert (cells[13].bold, cells[38].bold) == (True, False)
    shared.send(CTRL_C)


def test_names_are_offered_while_typing(shared: ShellTerminal) -> None:
    """As a setting, without Tab."""
    shared.enter("set complete typing")
    shared.clear()
    shared.send("peek DR")
    shared.wait(lambda text: "DROM   0x3c000000" in text)
    shared.send(CTRL_C)
    shared.enter("set complete tab")


def test_a_file_in_quotes_is_completed(shared: ShellTerminal) -> None:
    """The only one that there is stands on the line, with the quote closed."""
    shared.clear()
    shared.send('hash flash:nvs > "two' + TAB)
    shared.wait(lambda text: 'hash flash:nvs > "two words.bin"' in text)
    shared.send(CTRL_C)
    shared.clear()
    shared.send("load two" + TAB)
    shared.wait(lambda text: "load two\\ words.bin" in text)
    shared.send(CTRL_C)


@pytest.mark.long
@pytest.mark.parametrize("columns", [40, 80, 120])
def test_watch(shared: ShellTerminal, columns: int) -> None:
    """The picture fits at any width, also after a resize, and its last one stays."""
    shared.resize(columns, 20)
    shared.clear()
    shared.send("watch UART0.CONF0 DRAM 64 -n 200ms" + ENTER)
    shared.wait(lambda text: "look 2," in text)
    shared.resize(60, 30)
    shown = shared.wait(lambda text: "look 4," in text and text.count("look") == 1)
    assert "3fc80000" in shown
    assert "STOP_BIT_NUM" in shown
    shared.send(CTRL_C)
    shared.wait(lambda text: "stopped" in text)
    shared.resize(110, 40)
    assert "\n130\n" in shared.enter("echo $?")


def test_paste_with_an_error_in_the_fifth_line(shared: ShellTerminal) -> None:
    """The four before it run, and the five behind it are said not to have been."""
    lines = [f"echo line-{n}" for n in range(1, 11)]
    lines[4] = "pekk 0"
    shared.clear()
    shared.send(f"\x1b[200~{chr(10).join(lines)}\x1b[201~")
    shared.wait(lambda text: "echo line-10" in text)
    shared.send(ENTER)
    shown = shared.wait(lambda text: "  10  echo line-10" in text)
    ran = [row for row in shown.split("\n") if row.startswith("line-")]
    assert ran == ["line-1", "line-2", "line-3", "line-4"]
    assert "unknown command `pekk`; did you mean `peek`?" in shown
    assert "lines 6 to 10 were not run:" in shown


def test_vi_keys_in_a_terminal(shared: ShellTerminal) -> None:
    """Escape leads to vi's commands, and `set editing emacs` leads back."""
    shared.enter("set editing vi")
    shared.clear()
    shared.send("echo two\x1b0wione " + ENTER)
    shared.wait(lambda text: "\none two\n" in text)
    shared.enter("set editing emacs")


def test_up_searches_what_begins_so(shared: ShellTerminal) -> None:
    """Up goes to the last line that begins with what is typed."""
    shared.enter("echo here")
    shared.enter("let x = 1")
    shared.clear()
    shared.send("ec" + UP + ENTER)
    shared.wait(lambda text: "\nhere\n" in text)


def test_pager(shared: ShellTerminal) -> None:
    """What does not fit is in less, which leaves the prompt below; what fits is not."""
    shared.resize(110, 12)
    assert ":" not in shared.enter("echo fits").split("\n")[-2]
    shared.clear()
    shared.send("regs UART0" + ENTER)
    shared.wait(lambda text: text.rstrip().endswith("\n:"))
    shared.send("q")
    shared.back()
    shared.resize(110, 40)


@pytest.mark.long
@pytest.mark.parametrize(("background", "colors"), [(DARK, "114"), (LIGHT, "22"), ("", "")])
def test_theme_of_the_terminal(tmp_path: Path, background: str, colors: str) -> None:
    """The prompt has the colours of the background that the terminal says, else the terminal's."""
    terminal = ShellTerminal(tmp_path, "sim://demo", background=background, COLORFGBG="")
    terminal.wait(lambda text: "esp32c3:rom>" in text and "sim://demo  115200 baud" in text)
    color = f"38;5;{colors}" if colors else "32"
    assert re.search(rf"\x1b\[0;{color};1mesp32c3:rom>", terminal.output)
    assert terminal.rows()[-1].startswith("sim://demo") or "rgb" not in terminal.text()
    assert terminal.leave() == 0


@pytest.mark.parametrize(
    ("came", "background", "typed", "is_late"),
    [
        ("\x1b]11;rgb:0000/2b2b/3636\x1b\\\x1b[?62;22c", "dark", "", False),  # Solarized
        ("\x1b]11;rgb:fdfd/f6f6/e3e3\x07\x1b[?6c", "light", "", False),
        ("\x1b]11;rgba:ff/ff/ff/80\x07\x1b[?6c", "light", "", False),
        ("\x1b[?6c", "", "", False),  # a terminal that does not know OSC 11
        ("pe\x1b]11;rgb:0/0/0\x07ek\x1b[?6c 0\r", "dark", "peek 0\r", False),
        ("peek", "", "peek", True),
        ("", "", "", True),
    ],
)
def test_answers(came: str, background: str, typed: str, is_late: bool) -> None:
    """The colour is taken out of what has come; every key that was typed meanwhile stays."""
    assert answered(came) == TerminalInput(background, typed, is_late)


def test_what_was_typed_before_the_prompt_is_there(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keys of then come first, and an answer that is late is not a key but gives the theme."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    before = TerminalInput(typed="echo 1", is_late=True)
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        shell.session.interactive = True
        pipe.send_text("2\x1b]11;rgb:ff/ff/ff\x07\x1b[?6c3" + ENTER + CTRL_D)
        assert repl.run(shell.session, None, before) == 0
    assert shell.said(0).out == "123\n"
    assert shell.session.output.background == "light"


@pytest.mark.long
def test_a_dumb_terminal_is_asked_nothing(tmp_path: Path) -> None:
    """Neither is one that a person has said to answer nothing."""
    for terminal in (
        ShellTerminal(tmp_path, "sim://demo", TERM="dumb"),
        ShellTerminal(tmp_path, "sim://demo", PROMPT_TOOLKIT_NO_CPR="1"),
    ):
        terminal.wait(lambda text: "esp32c3:rom>" in text)
        assert "\x1b]11;?" not in terminal.output
        terminal.child.close(force=True)


@pytest.mark.long
def test_a_port_that_goes_away_while_nothing_is_done(tmp_path: Path) -> None:
    """The toolbar says so by itself, with one piece of advice; the prompt stays as it is."""
    with served() as (port, server), device_name() as link:
        link.symlink_to(port)
        terminal = ShellTerminal(tmp_path, str(link), "--before", "no-reset")
        terminal.wait(lambda text: "esp32c3:rom>" in text and "baud" in text)
        before = terminal.text().count("\n\n")
        server.kill()
        server.wait()
        link.unlink()
        shown = terminal.wait(lambda text: f"{link} is gone; plug it in again, then" in text)
        assert shown.count("reconnect") == 1
        assert shown.count("\n\n") <= before + 1
        terminal.child.close(force=True)


@pytest.mark.long
def test_a_port_that_comes_back(tmp_path: Path) -> None:
    """What was lost in a command is waited for, and the chip is there again without a word."""
    with device_name() as link:
        with served() as (port, server):
            link.symlink_to(port)
            terminal = ShellTerminal(tmp_path, str(link), "--before", "no-reset")
            terminal.wait(lambda text: "esp32c3:rom>" in text and "baud" in text)
            server.kill()
            server.wait()
            link.unlink()
        terminal.send("peek 0x40000000" + ENTER)
        terminal.wait(lambda text: "waiting for" in text)
        with served() as (port, _):
            link.symlink_to(port)
            terminal.wait(lambda text: "may be stale" in text and "baud" in text)
            assert "0x40000000  0x" in terminal.enter("peek 0x40000000")
            terminal.child.close(force=True)


@pytest.mark.parametrize(
    ("keys", "shown"),
    [
        ("peek", "peek"),
        ("pek\x7fek", "pek\b \bek"),
        ("\x7f\x08", ""),  # nothing is left of the prompt's end
        ("pe\x1b[Dx", "pe"),  # what an arrow does is for the prompt to say
        ("pe\rinfo", "pe"),
        ("é", ""),
        ("123456789", "12345678"),  # no further than the row
    ],
)
def test_keys_at_the_early_prompt(keys: str, shown: str) -> None:
    """Plain characters are shown at once, in any pieces; every key is kept."""
    for pieces in ([keys], list(keys)):
        line = EarlyLine(8)
        assert b"".join(line.take(piece.encode()) for piece in pieces).decode() == shown
        assert line.typed.decode() == keys


def test_a_late_answer_at_the_early_prompt(offline: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no key but gives the theme; the terminal is as it was before."""
    termios = pytest.importorskip("termios")
    person, tty = os.openpty()
    modes = termios.tcgetattr(tty)
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(tty, "r") as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        monkeypatch.setattr(sys, "stdout", stream)

        with contextlib.ExitStack() as held:
            prompt = early.prompt(offline.session, TerminalInput(is_late=True), held)
            os.write(person, b"pe\x1b]11;rgb:ff/ff/ff\x07\x1b[?6cek\r")
            assert os.read(person, 2) == b"pe"  # all of it has been read, and this is shown
            assert prompt.typed() == "pe"
            assert prompt.end() == TerminalInput("light", "ek\r")
            assert os.read(person, 9) == b"\r"  # the cursor is in the first column
            assert termios.tcgetattr(tty) != modes  # until a line has been read
        assert termios.tcgetattr(tty) == modes
    assert "espshell> " in offline.said(0).out
    os.close(person)


EARLY = """
import sys
from espshell import cli
from espshell.shell.terminal import early, editing
modules = (cli.main, editing.open_prompt, early.prompt)  # they run with the first use
go_on = {place}
def wait(given):
    open({gate!r}).read()  # the test opens it for writing when it has seen what it wants
    return go_on(given)
{place} = wait
sys.exit(cli.main(["-p", "sim://esp32c3"]))
"""


@pytest.mark.parametrize("place", ["editing.open_prompt", "early.EarlyPrompt.end"])
@pytest.mark.parametrize("last", [ENTER, CTRL_C])
def test_what_is_typed_at_the_early_prompt(tmp_path: Path, last: str, place: str) -> None:
    """It is shown while the rest is imported and starts, and is then edited as if typed later."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    command = (sys.executable, "-c", EARLY.format(gate=str(gate), place=place))
    terminal = ShellTerminal(tmp_path, command=command)
    terminal.wait(lambda text: text.endswith("esp32c3:rom>") or "esp32c3:rom>\n" in text)
    terminal.send("echo 6*8\x7f7")
    terminal.wait(lambda text: "esp32c3:rom> echo 6*7" in text)
    assert "baud" not in terminal.text().splitlines()[-1]
    terminal.send("\x1b[D" * 3 + "#" + last)
    gate.write_text("")
    shown = terminal.wait(lambda text: text.count("esp32c3:rom>") == 2 and "115200 baud" in text)
    assert "\nesp32c3:rom> echo #6*7\n" in shown
    assert shown.count("echo") == 1
    assert terminal.leave() == 0
