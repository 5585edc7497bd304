"""The first screen without a board, in a real terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("termios")

from espshell.link import ports
from tests.shell.terminals import ENTER, ShellTerminal

HAS_BOARD = any(port.is_likely for port in ports.list_ports())


@pytest.mark.skipif(HAS_BOARD, reason="a board is plugged in, which would be reset")
def test_without_a_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says what was looked for and what to try, and what it says can be typed."""
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("ESPSHELL_PORT", raising=False)
    terminal = ShellTerminal(tmp_path, "")
    shown = terminal.wait(lambda text: "\n>" in text or "espshell>" in text)
    shown = " ".join(shown.split())  # wherever a line was folded
    assert "no board found (looked for USB ports" in shown
    assert "`ports`" in shown
    assert "`connect sim://demo` (a simulated board), or `help tour`" in shown
    terminal.send("help tour" + ENTER)
    assert "connect sim://demo" in terminal.wait(lambda text: "help scripts" in text)
    terminal.send("connect sim://demo" + ENTER)
    terminal.wait(lambda text: "esp32c3:rom>" in text)
    terminal.child.close(force=True)
