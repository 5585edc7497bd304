"""The prompt: keys in, lines run; and in a real terminal what a person sees."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pexpect
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from espshell.clock import VirtualClock
from espshell.errors import UsageError
from espshell.link import ports
from espshell.link.ports import PortInfo
from espshell.shell import recovery
from espshell.shell.settings import Bench
from espshell.shell.terminal import early, editing, greeting, repl
from tests.shell.support import Ran, Shell
from tests.shell.terminals import CTRL_C, CTRL_D, ENTER, TAB, UP, ShellTerminal, device_name, served

# Python since 3.12 warns of a fork where threads are; the child becomes another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")


@pytest.fixture(autouse=True)
def _own_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the person's files out of the tests, and the tests out of them."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))


def history_file(tmp_path: Path) -> Path:
    return tmp_path / "espshell" / "history"


def type_keys(shell: Shell, *keys: str) -> Ran:
    """Press keys at the prompt of a session, then Ctrl-D; return the status and what was said."""
    shell.session.interactive = True
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text("".join(keys) + CTRL_D)
        greeting.greet(shell.session)
        return shell.said(repl.run(shell.session))


def test_ctrl_c_right_behind_enter(offline: Shell) -> None:
    """It stops the line that was entered and drops what was typed before it."""
    ran = type_keys(offline, "echo lost", ENTER, "lost", CTRL_C, "echo yes", ENTER)
    assert ran.out.endswith("\nyes\n")
    assert "interrupted" in ran.err
    assert "lost" not in ran.out


def test_greeting_connects_and_tells_the_chip(offline: Shell) -> None:
    """Whoever starts the shell sees which chip is there."""
    ran = type_keys(offline)
    assert ran.status == 0
    assert re.match(r"chip +ESP32-C3 \(QFN32\), revision v0.4\n", ran.out)
    assert "`help` lists the commands" in ran.err


def test_port_that_cannot_be_opened_opens_the_shell(offline: Shell) -> None:
    """A chip that is not there can be connected later."""
    offline.session.bench = Bench(port="/nonexistent")
    ran = type_keys(offline, "connect sim://esp32c3", ENTER)
    assert "cannot open /nonexistent" in ran.err
    assert ran.out == "esp32c3  rom on sim://esp32c3 at 115200 baud\n"


def test_empty_enter_goes_on_behind_peek_and_dump(shell: Shell) -> None:
    """Each Enter shows the next piece."""
    ran = type_keys(shell, "peek 0x3fc90000", ENTER, ENTER, ENTER)
    assert [line[:10] for line in ran.out.splitlines()[-3:]] == (
        ["0x3fc90000", "0x3fc90004", "0x3fc90008"]
    )


def test_empty_enter_repeats_nothing_else(shell: Shell) -> None:
    """Behind a command that changes something, Enter does nothing."""
    ran = type_keys(shell, "poke 0x3fc90000 1", ENTER, "peek 0x10", ENTER, ENTER, ENTER)
    assert ran.out.count("3fc90000") == 1
    assert ran.err.count("peek: ") == 1


def test_ctrl_c_clears_the_line(shell: Shell) -> None:
    """What was typed is gone, and the shell goes on; also in a line that is continued."""
    ran = type_keys(
        shell, "echo lost", CTRL_C, "echo a \\", ENTER, "lost", CTRL_C, "echo yes", ENTER
    )
    assert ran.out.splitlines()[-1] == "yes"
    assert "lost" not in ran.out


def test_ctrl_c_ends_a_command_and_not_the_shell(
    offline: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command's status is that of an interruption; the lines behind it are not run."""

    def press(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("espshell.clock.time.sleep", press)
    offline.session.bench = Bench()
    ran = type_keys(offline, "sleep 1; echo no", ENTER, "echo $?", ENTER)
    assert ran.out == "130\n"
    assert ran.err.endswith("interrupted\n")


BOARD = PortInfo("sim://esp32c3", 0x10C4, 0xEA60, "0001", "CP2102", "1-1")


class Gone:
    """A chip whose port goes away in the first command, and a clock that counts the waiting."""

    def __init__(self, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
        self.naps = 0
        self.pressed = False
        self.boards: tuple[PortInfo, ...] = ()
        shell.connect("?fault=unplug@request:60").session.chip.usb = BOARD
        self._clock = VirtualClock()
        monkeypatch.setattr(recovery, "SystemClock", lambda: self)
        monkeypatch.setattr(ports, "list_ports", lambda: self.boards)

    def now(self) -> float:
        """Return virtual time."""
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        """Count, and press Ctrl-C."""
        self.naps += 1
        self._clock.sleep(seconds)
        if self.pressed:
            raise KeyboardInterrupt


@pytest.mark.parametrize("pressed", [True, False], ids=["ctrl-c", "30 s"])
def test_a_lost_port_is_waited_for_once(
    offline: Shell, monkeypatch: pytest.MonkeyPatch, pressed: bool
) -> None:
    """Ctrl-C or 30 s end the waiting, for the commands behind it, too; `reconnect` still finds it.

    A device that comes back is not the business of commands that follow.
    """
    gone = Gone(offline, monkeypatch)
    gone.pressed = pressed
    ran = type_keys(offline, "dump 0x3fc90000 4k", ENTER, "echo one", ENTER, "echo two", ENTER)
    assert ran.out.endswith("one\ntwo\n")
    assert ran.err.count("waiting for") == 1
    assert gone.naps == (1 if pressed else 100)

    gone.boards = (BOARD,)
    assert offline.type("reconnect").out == "esp32c3  rom on sim://esp32c3 at 115200 baud\n"
    assert offline.session.lost is None


def test_connect_ends_the_search_for_a_lost_port(
    offline: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another board that was connected stays connected, and is not reset a second time."""
    gone = Gone(offline, monkeypatch)
    gone.pressed = True
    keys = ("dump 0x3fc90000 4k", ENTER, "connect sim://esp32", ENTER, "poke 0x3ffb0000 7", ENTER)
    ran = type_keys(offline, *keys, "peek 0x3ffb0000", ENTER)
    assert ran.err.count("waiting for") == 1
    assert ran.out.splitlines()[-1] == "0x3ffb0000  0x00000007  7"
    assert offline.session.lost is None


def test_a_reconnect_that_fails_is_not_a_loss(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The port is there and no loader answers: nobody waits for a port to come back."""
    shell.session.bench = replace(shell.session.bench, port="/nonexistent")
    ran = type_keys(shell, "reconnect", ENTER, "echo on", ENTER)
    assert "cannot open /nonexistent" in ran.err
    assert "waiting" not in ran.err


def test_a_device_that_comes_back_as_another_is_told(
    offline: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What came back and is refused ends the waiting, not the shell."""
    gone = Gone(offline, monkeypatch)
    gone.boards = (replace(BOARD, device="sim://esp32"),)
    offline.session.bench = replace(offline.session.bench, chip=offline.session.chip.chip)
    ran = type_keys(offline, "dump 0x3fc90000 4k", ENTER, "echo on", ENTER)
    assert "ESP32" in ran.err.splitlines()[-1]
    assert ran.out.endswith("on\n")


def test_a_bug_is_one_line_and_the_session_lives(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An exception that nobody foresaw names itself; its traceback is in a file of the owner's."""
    log = tmp_path / "log"
    monkeypatch.setattr("platformdirs.user_log_path", lambda *_, **__: log)
    monkeypatch.setattr("espshell.shell.commands.script.Echo", lambda _: [][1])  # in the command
    monkeypatch.setattr("espshell.device.target.Target.read_revision", lambda _: [][1])  # outside
    ran = type_keys(shell, "let x = 5", ENTER, "echo $x", ENTER)
    assert ran.err.count("this is a bug of espshell at ") == 3
    assert ran.err.count("\n") == 4
    path = log / "tracebacks.txt"
    assert path.read_text().count("IndexError: list index out of range") == 3
    assert path.stat().st_mode & 0o077 == 0
    monkeypatch.undo()
    assert type_keys(shell, "peek 0x3fc90000 $x", ENTER).out.count("0x00000000") == 5


def test_a_prompt_that_cannot_be_shown_ends(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The last resort does not go round for ever."""
    monkeypatch.setattr("platformdirs.user_log_path", lambda *_, **__: tmp_path)
    monkeypatch.setattr(repl, "_read", lambda *_: 1 / 0)
    ran = type_keys(shell)
    assert (ran.status, ran.err.count("ZeroDivisionError")) == (70, 3)


def test_quit(shell: Shell) -> None:
    """`quit` leaves at once, with its status or 0."""
    assert type_keys(shell, "quit 5", ENTER, "echo no", ENTER).status == 5
    ran = type_keys(shell, "peek 0x10", ENTER, "quit", ENTER)
    assert (ran.status, "peek: " in ran.err) == (0, True)


def test_continued_and_pasted_lines(shell: Shell) -> None:
    """A backslash joins the next line; of several lines pasted at once the first error ends all."""
    assert "a b\n" in type_keys(shell, "echo a \\", ENTER, "b", ENTER).out
    pasted = "\x1b[200~echo one\necho two\npek\necho three\x1b[201~"
    ran = type_keys(shell, pasted, ENTER)
    assert ran.out.splitlines()[-2:] == ["one", "two"]


def test_history_is_kept_and_listed(shell: Shell, tmp_path: Path) -> None:
    """Lines are kept for the next time, found by the arrow, and listed by `history`."""
    type_keys(shell, "echo first", ENTER)
    assert "+echo first" in history_file(tmp_path).read_text().splitlines()
    ran = type_keys(shell, UP, ENTER, "history 2", ENTER)
    assert ran.out.splitlines()[-3:] == ["first", "1  echo first", "2  history 2"]


def test_history_that_cannot_be_written_is_done_without(shell: Shell, tmp_path: Path) -> None:
    """A file where the folder should be is told, and the shell works."""
    (tmp_path / "espshell").touch()
    assert "on\n" in type_keys(shell, "echo on", ENTER).out


def test_history_belongs_to_its_owner(shell: Shell, tmp_path: Path) -> None:
    """Nobody else may read what was typed, also where an older version let them."""
    path = history_file(tmp_path)
    path.parent.mkdir()
    path.write_bytes(b"\n# then\n+echo \xff old\n+  more\n")
    path.chmod(0o644)
    ran = type_keys(shell, "echo \x1b[200~new\x1b[201~", ENTER, "history", ENTER)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "echo new" in ran.out


@pytest.mark.parametrize("kind", ["folder", "full", "pipe", "link to itself", "lost meanwhile"])
def test_a_history_that_fails(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Whatever is in its place: it is said once, every line runs, and nothing is lost till then."""
    path = history_file(tmp_path)
    path.parent.mkdir()
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "lost meanwhile":
        path.touch()
        monkeypatch.setattr("espshell.files.append_private", _append_once())
    else:
        path.symlink_to("/dev/full" if kind == "full" else "history")
    ran = type_keys(shell, "echo one", ENTER, "echo two", ENTER, "history", ENTER)
    assert ran.out.splitlines()[-5:-3] == ["one", "two"]
    assert "2  echo two" in ran.out
    assert ran.err.count("the history of this session is not kept: cannot write") == 1


def _append_once() -> Callable[[Path, bytes], None]:
    calls = iter([None])

    def append(path: Path, data: bytes) -> None:
        if next(calls, data) is not None:
            raise UsageError(f"cannot write {path}: no space left on device")

    return append


def test_prompt_and_toolbar(shell: Shell) -> None:
    """The prompt says chip and loader; the toolbar the port, the rate and the usage."""
    shell.type("info")
    where = "sim://esp32c3  115200 baud  ESP32-C3 v0.4  rom"
    usage = "peek PLACE [COUNT] [--check] [--force]"

    def toolbar(text: str, columns: int = 100) -> str:
        return "".join(part[1] for part in editing._toolbar(shell.session, text, columns))

    assert "esp32c3:rom> " in early.prompt_text(shell.session)
    assert toolbar("") == where
    assert toolbar("peek 0") == f"{where}  {usage}"
    assert toolbar("peek 0", columns=60) == usage
    shell.type("poke 0x3fc90000 1 2; poke 0x3fc90000 1")
    assert toolbar("") == f"{where}  journal 2"
    shell.type("disconnect")
    assert "espshell> " in early.prompt_text(shell.session)
    assert toolbar("") == "not connected"


def test_completer_replaces_the_word_before_the_cursor(shell: Shell) -> None:
    """A candidate takes the place of what was typed of it, and no more."""
    completer = editing._Completer(shell.session)
    found = list(completer.get_completions(Document("fails peek rt"), CompleteEvent()))
    assert [(each.text, each.start_position) for each in found] == [
        ("RTC_FAST", -2),
        ("RTC_CNTL", -2),
    ]


# A real terminal ---------------------------------------------------------------------------------


def test_terminal_interrupted_dump(tmp_path: Path) -> None:
    """Ctrl-C in the middle of a dump of 1 MiB ends it; the next command works."""
    with ShellTerminal(tmp_path) as terminal:
        terminal.wait(lambda text: "esp32c3:rom>" in text and "115200 baud  ESP32-C3" in text)
        terminal.send("dump DROM 1M --all" + ENTER)
        terminal.wait(lambda text: "3c000200" in text)  # and then nobody reads, so it must wait
        terminal.send(CTRL_C)
        terminal.wait(lambda text: "interrupted" in text and text.rstrip().endswith("rom"))
        terminal.send("peek 0x40000000" + ENTER)
        terminal.wait(lambda text: "0x40000000  0x" in text)
        assert "3c0ffff0" not in terminal.text()


@pytest.mark.parametrize(("answer", "chip"), [("2", "esp32"), ("1", "esp32c3")])
def test_several_boards_are_a_menu(
    offline: Shell, monkeypatch: pytest.MonkeyPatch, answer: str, chip: str
) -> None:
    """A person is shown the likely boards and says which."""
    boards = (
        PortInfo("sim://esp32c3", 0x10C4, 0xEA60, "0001", "CP2102", "1-1"),
        PortInfo("sim://esp32", 0x1A86, 0x7523, "", "CH340", "1-2"),
        PortInfo("/dev/ttyS0"),
    )
    monkeypatch.setattr(ports, "list_ports", lambda: boards)
    monkeypatch.setattr("builtins.input", lambda _: answer)
    offline.session.bench = Bench()
    greeting.greet(offline.session)

    assert offline.session.chip.chip.name == chip
    assert "1  sim://esp32c3  CP210x  0001\n2  sim://esp32  CH340" in offline.said(0).err


def test_toolbar_knows_the_revision_after_a_reconnect(shell: Shell) -> None:
    """The revision is read once a connection, whichever command made it."""
    repl._run_lines(shell.runner, "connect sim://esp32")
    assert "ESP32 v3.1" in editing._connection_text(shell.session)
    requests = shell.session.chip.loader.link.port._device.wire.count  # type: ignore[attr-defined]
    before = requests.requests
    repl._run_lines(shell.runner, "echo hi")

    assert requests.requests == before


@pytest.mark.parametrize("error", [EOFError, KeyboardInterrupt, ZeroDivisionError])
def test_whatever_happens_at_the_start_opens_the_shell(
    offline: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: type[BaseException]
) -> None:
    """Ctrl-D and Ctrl-C at the question for a board, and a bug, leave a shell without a chip."""

    def fail(_: object) -> None:
        raise error

    monkeypatch.setattr("platformdirs.user_log_path", lambda *_, **__: tmp_path)
    monkeypatch.setattr(greeting, "_choose_port", fail)
    ran = type_keys(offline, "echo on", ENTER)
    assert (ran.status, ran.out) == (0, "on\n")


def test_no_choice_opens_the_shell(offline: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that is none of the numbers leaves the shell without a chip."""
    boards = (PortInfo("sim://esp32c3", 0x10C4, 0xEA60), PortInfo("sim://esp32", 0x1A86, 0x7523))
    monkeypatch.setattr(ports, "list_ports", lambda: boards)
    monkeypatch.setattr("builtins.input", lambda _: "")
    offline.session.bench = Bench()
    greeting.greet(offline.session)

    assert offline.session.target is None


def test_a_bug_under_tab_leaves_the_line(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Completion and toolbar that fail offer nothing; what was typed runs."""
    monkeypatch.setattr("platformdirs.user_log_path", lambda *_, **__: tmp_path)
    monkeypatch.setattr("espshell.shell.terminal.complete.candidates", lambda *_: [][1])
    monkeypatch.setattr("espshell.shell.terminal.complete.usage", lambda *_: [][1])
    ran = type_keys(shell, "echo o", TAB, "n", ENTER)
    assert ran.out.endswith("on\n")
    assert "IndexError" in (tmp_path / "tracebacks.txt").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pty")
def test_terminal_whose_port_goes_away(tmp_path: Path) -> None:
    """A real port is closed: it is waited for once, Ctrl-C ends that, and the shell goes on."""
    with served() as (port, server), device_name() as link:
        link.symlink_to(port)
        terminal = ShellTerminal(tmp_path, str(link), "--before", "no-reset")
        terminal.wait(lambda text: "esp32c3:rom>" in text)
        server.kill()
        server.wait()
        link.unlink()
    terminal.send("peek 0x40000000" + ENTER)
    terminal.wait(lambda text: "waiting for" in text)
    terminal.send(CTRL_C)
    terminal.wait(lambda text: "interrupted" in text)
    terminal.send("echo still; echo $?" + ENTER)
    shown = terminal.wait(lambda text: "\nstill\n0\n" in text and text.count("espshell>") == 2)
    assert shown.count("waiting for") == 1
    terminal.child.kill(signal.SIGTERM)
    terminal.child.expect(pexpect.EOF)
    terminal.child.close()
    assert terminal.child.exitstatus == 143
