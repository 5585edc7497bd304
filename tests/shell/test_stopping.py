"""Ctrl-C in every command that can last, in a real terminal, on a chip that is slow to answer."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from espshell.shell.registry import COMMANDS
from tests.shell.terminals import CTRL_C, ENTER, ShellTerminal, served

pytestmark = [
    # Python since 3.12 warns of a fork where threads are; the child becomes another program.
    pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning"),
    pytest.mark.skipif(sys.platform == "win32", reason="needs a pty"),
]

SLOW = "demo?latency=200ms"
"""Each answer takes so long: what asks often lasts for seconds."""

LIVES = r"\.\.\.$|━"
"""The line itself, half a second after it began, or a bar."""

FROZEN = LIVES + "|" + LIVES
"""The same, where the chip answers nothing until Ctrl-C: what is written at once takes no time."""

LASTING = [
    ("report board.html", FROZEN, ""),
    ("peek DRAM 64k", r"peek DRAM 64k \.\.\.", ""),
    ("dump DRAM --all", FROZEN, ""),
    ("save DRAM ram.bin", "reading", ""),
    ("copy DRAM 8k 0x3fcb0000", "reading", ""),
    ("find DRAM 0x12345678", "reading", ""),
    ("diff DRAM 8k 0x3fcb0000 8k", FROZEN, ""),
    ("hash DRAM", "reading", ""),
    ("memtest 0x3fcb0000 1k", "testing", "holds test patterns now"),
    ("snap kept DRAM", "reading", ""),
    ("fill 0x3fcb0000 8k 1", FROZEN, ""),
    ("load big.bin flash:storage --force", FROZEN, ""),
    ("verify big.bin flash:storage", FROZEN, ""),
    ("erase flash:storage", FROZEN, ""),
    ("compare sim://esp32c3 flash:app0", "connecting|comparing", ""),
    ("gpio 2 pulse 1000 --period 1", r"gpio 2 pulse .*\.\.\.", ""),
    ("wait -t 60 [DRAM] == 12345", "of 60 s", ""),
    ("repeat 3 sleep 60", "sleep 60: run 1 of 3, .* of 60 s", ""),
    ("watch [DRAM]", r"\[DRAM\]  0x", "stopped"),
    ("sleep 60", "of 60 s", ""),
    ("source lines.espsh", "of 60 s", ""),
    ("!echo on; sleep 60", "^on$", ""),
    ("connect", FROZEN, ""),
    ("reconnect", FROZEN, ""),
]
"""Lines that last, what is seen while they run, and what is said of what is left behind."""

QUICK = """
    poke print reg regs svd parts flash-id spi sr sfdp journal undo disconnect ports stub info
    read-mac chip-id map reset run baud link trace efuse syms let expect need fails echo if for else
    end help set alias history log quit cd version get-security-info image call loadram monitor
    esptool espefuse espsecure
"""
"""Commands that ask once or little, or nothing; the last ones need another program or firmware."""


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve the slow chip."""
    with served(SLOW) as port_and_server:
        yield port_and_server


@pytest.fixture
def chip(running: tuple[str, subprocess.Popen[str]]) -> subprocess.Popen[str]:
    """Return the process that is the chip."""
    return running[1]


@pytest.fixture(scope="module")
def terminal(
    tmp_path_factory: pytest.TempPathFactory, running: tuple[str, subprocess.Popen[str]]
) -> Iterator[ShellTerminal]:
    """Start the program on the slow chip, without a stub, which would make it quick."""
    folder = tmp_path_factory.mktemp("stopping")
    (folder / "big.bin").write_bytes(os.urandom(600_000))
    (folder / "lines.espsh").write_text("sleep 60\n")
    before = Path.cwd()
    os.chdir(folder)
    started = ShellTerminal(folder, running[0], "--before", "no-reset", "--stub", "never")
    os.chdir(before)
    started.wait(lambda text: "esp32c3:rom>" in text and "baud" in text)
    started.enter("set confirm off; set rate fixed; poke 0x3fcb0000 1")
    yield started
    started.child.close(force=True)


@pytest.mark.long
@pytest.mark.parametrize(("line", "seen", "said"), LASTING)
def test_ctrl_c(
    terminal: ShellTerminal, chip: subprocess.Popen[str], line: str, seen: str, said: str
) -> None:
    """The command shows that it lives, ends with status 130, and says what it leaves."""
    terminal.clear()
    if seen is FROZEN:
        chip.send_signal(signal.SIGSTOP)
    terminal.send(line + ENTER)
    below = re.compile(rf"\n(?:.*\n)*.*(?:{seen})", re.MULTILINE)
    terminal.wait(lambda text: " baud " not in text and below.search(text) is not None)
    terminal.send(CTRL_C)
    chip.send_signal(signal.SIGCONT)
    shown = terminal.back()
    assert re.search(said or "interrupted", " ".join(shown.split()))
    assert "^C" not in shown
    assert "\n130\n" in terminal.enter("echo $?")


def test_no_command_is_left_out() -> None:
    """Each command of the registry lasts, with a line that does, or is quick."""
    lasting = {re.match(r"!|\S+", line)[0] for line, _, _ in LASTING}  # type: ignore[index]
    ours = {v.name.split()[0] for v in COMMANDS.verbs() if not (v.alias_of or v.preset)}
    assert ours == lasting | set(QUICK.split())
    assert not lasting & set(QUICK.split())
