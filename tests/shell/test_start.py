"""The first lines at a terminal: which port is taken, what is waited for, start-up lines."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pexpect
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from espshell.errors import BenchError
from espshell.link import ports
from espshell.link.ports import PortInfo
from espshell.shell.script import Script
from espshell.shell.settings import Bench
from espshell.shell.terminal import greeting, last_port, repl
from tests.shell.support import Ran, Shell
from tests.shell.terminals import CTRL_C, CTRL_D, ENTER, ShellTerminal

pytestmark = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")

FIRST = PortInfo("sim://esp32c3", 0x10C4, 0xEA60, "0001", "CP2102", "1-1")
SECOND = PortInfo("sim://esp32", 0x1A86, 0x7523, "", "CH340", "1-2")
SERIAL = PortInfo("/dev/ttyS0")


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)


def greeted(shell: Shell, *present: PortInfo, monkeypatch: pytest.MonkeyPatch) -> str:
    """Start with these ports and nothing else said; return the notes."""
    monkeypatch.setattr(ports, "list_ports", lambda: present)
    shell.session.bench = Bench()
    greeting.greet(shell.session)
    return shell.said(0).err


@pytest.mark.parametrize(
    ("present", "others"),
    [
        ((), "bridges)\n"),
        ((SERIAL,), "bridges); there is /dev/ttyS0\n"),
        (tuple(PortInfo(f"COM{n}") for n in range(9)), "COM0, COM1, COM2, COM3 and more\n"),
    ],
)
def test_without_a_board(
    present: tuple[PortInfo, ...],
    others: str,
    offline: Shell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first lines say what was looked for and what to try; each fits 80 columns or folds."""
    said = greeted(offline, *present, monkeypatch=monkeypatch)
    assert "no board found (looked for USB ports of Espressif chips" in said
    assert others in said
    assert "`connect sim://demo`" in said
    assert "`ports`" in said
    assert "`help tour`" in said


def test_the_last_port_is_taken_again(offline: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes before a menu, under the name that it has now, and that is said."""
    last_port.remember(replace(FIRST, device="/dev/ttyUSB7"))
    said = greeted(offline, SECOND, FIRST, monkeypatch=monkeypatch)
    assert "using sim://esp32c3, as last time (CP210x)" in said
    assert offline.session.chip.chip.name == "esp32c3"


@pytest.mark.parametrize("other", [SECOND, PortInfo("sim://esp32c3", 0x10C4, 0xEA60, "0002")])
def test_another_port_is_not_the_last_one(other: PortInfo) -> None:
    """The name alone is not enough: it may be given to another device."""
    last_port.remember(FIRST)
    assert last_port.recall([other]) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"device": 1, "more": 2}', "[" * 9999])
def test_a_damaged_file_is_no_port(text: str) -> None:
    """It is as if there were none."""
    last_port.remember(FIRST)
    last_port._path().write_text(text)
    assert last_port.recall([FIRST]) is None


def test_a_connection_at_the_prompt_is_remembered(shell: Shell) -> None:
    """What was connected last counts, and a URL is nothing that could be looked for."""
    shell.session.chip.usb = FIRST
    typed(shell, "echo hi", ENTER)
    assert last_port.recall([SECOND, FIRST]) == FIRST


def test_a_port_by_its_serial_number(offline: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """usb:SERIAL is the device of that number, wherever a port is named."""
    monkeypatch.setattr(ports, "list_ports", lambda: (FIRST, SECOND))
    ran = offline.type("connect usb:0001")
    assert (ran.status, ran.out) == (0, "esp32c3  rom on sim://esp32c3 at 115200 baud\n")
    assert offline.session.bench.port == "usb:0001"
    for name, words in (("usb:0002", "there are sim://esp32c3 0001"), ("usb:", "no device has")):
        with pytest.raises(BenchError) as raised:
            ports.device_of(name)
        assert words in raised.value.one_line()
    ran = offline.type("connect usb:0002")
    assert (ran.status, ran.err.count("\n")) == (3, 1)


def typed(shell: Shell, *keys: str, first: Script | None = None) -> Ran:
    """Press keys at the prompt, behind start-up lines, then Ctrl-D."""
    shell.session.interactive = True
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text("".join(keys) + CTRL_D)
        return shell.said(repl.run(shell.session, first))


@pytest.mark.parametrize(
    ("lines", "out", "err"),
    [
        ("echo a\necho b", "a\nb\nc\n", ""),
        ("echo a\npeek 0x10\necho b", "a\nc\n", "espshell.toml startup:2: peek: "),
        ("ech a", "c\n", "espshell.toml startup:1: "),
    ],
)
def test_startup_lines(lines: str, out: str, err: str, shell: Shell) -> None:
    """They run before the first prompt, by full names; an error ends them, not the session."""
    ran = typed(shell, "echo c", ENTER, first=Script("espshell.toml startup", lines))
    assert (ran.status, ran.out) == (0, out)
    assert ran.err.startswith(err)


def test_startup_lines_without_a_chip(offline: Shell) -> None:
    """Lines that need one are not run, and that is said."""
    ran = typed(offline, first=Script("espshell.toml startup", "echo a\npeek 0x3fc90000"))
    assert (ran.out, ran.err) == (
        "",
        "espshell.toml startup: not run, because no chip is connected\n",
    )


@pytest.fixture
def silent() -> Iterator[str]:
    """Return a port on which nobody answers."""
    ends = os.openpty()
    yield os.ttyname(ends[1])
    for end in ends:
        os.close(end)


def test_terminal_on_a_silent_port(silent: str, tmp_path: Path) -> None:
    """What is waited for is shown; Ctrl-C takes it away, and the prompt comes."""
    terminal = ShellTerminal(tmp_path, silent)
    terminal.wait(lambda text: f"connecting to {silent} ..." in text)
    terminal.send(CTRL_C)
    shown = terminal.wait(lambda text: "not connected" in text and "espshell>" in text)
    assert f"connecting to {silent} ..." not in shown
    terminal.child.close(force=True)


def test_terminal_with_a_file_of_the_folder(tmp_path: Path) -> None:
    """A person sees what it says and agrees; then a profile's lines run, and aliases are there."""
    (tmp_path / "espshell.toml").write_text(
        'startup = ["nonsense"]\naliases.hi = "echo hello"\n[profile.p]\nstartup = ["echo 6*7"]'
    )
    terminal = ShellTerminal(tmp_path, "sim://esp32c3", "--profile", "p")
    shown = terminal.wait(lambda text: "use it? [y/N]" in text)
    assert '    aliases.hi = "echo hello"' in shown
    terminal.send("y" + ENTER)
    shown = terminal.wait(lambda text: "esp32c3:rom>" in text and "115200 baud" in text)
    assert "\n6*7\n" in shown
    terminal.send("hi" + ENTER)
    terminal.wait(lambda text: "\nhello\n" in text)
    terminal.send(CTRL_D)
    terminal.child.expect(pexpect.EOF)
    terminal.child.close()
    assert terminal.child.exitstatus == 0


AT_THE_PROMPT = """
import sys
from espshell import cli, registers
from espshell.shell.terminal import early, editing
modules = (cli.main, early.prompt)  # they run with the first use
HEAVY = (
    "prompt_toolkit", "rich", "pygments", "elftools", "intelhex", "unicorn", "shtab", "jinja2",
    "serial.rfc2217",
)
def shown(session, before, held):
    print([m for m in HEAVY if m in sys.modules], file=sys.stderr)
    editing.open_prompt(session)
    print([m for m in HEAVY if m in sys.modules], registers.of.cache_info().currsize)
    raise EOFError
early.prompt = shown
cli._is_terminal = lambda: True
cli.main(["-p", "sim://esp32s3", "-i", "--color", "always"])
"""


def test_what_the_first_prompt_needs() -> None:
    """It is shown before all that a line or a key needs later; no key waits for that."""
    ran = subprocess.run([sys.executable, "-c", AT_THE_PROMPT], capture_output=True, text=True)
    assert ran.stderr.splitlines()[1] == "[]"
    assert ran.stdout.splitlines()[-1] == "['prompt_toolkit', 'rich', 'pygments'] 1"
