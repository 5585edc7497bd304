"""The live view of `watch`, and commands that show that they live: on a screen in memory."""

from __future__ import annotations

import io
import os
from collections.abc import Callable

import pyte
import pytest

from espshell.ops.memory import words
from espshell.shell.output import Output
from tests.shell.support import RAM, Shell


class Screen(io.StringIO):
    """A terminal whose size can change, and what is on it."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__()
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self.screen)

    def isatty(self) -> bool:
        """Return True: it is a terminal."""
        return True

    def write(self, text: str) -> int:
        """Draw a text."""
        self._stream.feed(text.replace("\r\n", "\n").replace("\n", "\r\n"))
        return super().write(text)

    def rows(self) -> list[str]:
        """Return the rows, without spaces at their ends."""
        return [row.rstrip() for row in self.screen.display]


class Bench:
    """A session whose output goes to a screen, and what happens while it waits."""

    def __init__(self, shell: Shell, screen: Screen, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shell, self.screen = shell, screen
        self.events: list[Callable[[], None]] = []
        self._seconds = 0.0
        shell.session.output = Output(stdout=screen, stderr=screen, color="never")
        monkeypatch.setattr("time.monotonic", lambda: self._seconds)
        monkeypatch.setattr("time.sleep", self._sleep)
        monkeypatch.setattr(
            "shutil.get_terminal_size",
            lambda: os.terminal_size((screen.screen.columns, screen.screen.lines)),
        )

    def _sleep(self, seconds: float) -> None:
        """Let time pass; every second an event happens, and then Ctrl-C."""
        before, self._seconds = self._seconds, self._seconds + seconds
        if int(self._seconds + 1e-9) > int(before + 1e-9):
            if not self.events:
                raise KeyboardInterrupt
            self.events.pop(0)()

    def poke(self, address: int, value: int) -> Callable[[], None]:
        """Return an event that changes a word."""
        memory = self.shell.session.chip.memory

        def event() -> None:
            words.poke(memory, address, (value,))

        return event


@pytest.fixture
def bench(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return a session on a screen of 80 by 24."""
    return Bench(shell, Screen(80, 24), monkeypatch)


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_watch_is_drawn_in_place(bench: Bench, columns: int) -> None:
    """At any width each look replaces the one before; what has changed says when."""
    bench.screen.screen.resize(24, columns)
    seen: list[list[str]] = []
    bench.events = [bench.poke(RAM, 7), lambda: seen.append(bench.screen.rows())]
    bench.shell.runner.run_line(f"watch [{RAM:#x}] {RAM:#x} 16")
    rows = seen[0]
    assert rows[0] == "look 2, 1.0 s"
    shown = " ".join(" ".join(rows[1:3]).split())
    assert shown.startswith(f"*[{RAM:#x}] 0x00000007 7 changed at 1.0 s")
    text = "\n".join(rows)
    assert f"*{RAM:#010x}" in text
    assert (text.count("^^"), text.count("look")) == (1, 1)
    assert max(map(len, rows)) <= columns


def test_watch_survives_a_resize(bench: Bench) -> None:
    """The picture is drawn anew before the next look, and fits."""
    seen: list[list[str]] = []
    resize = bench.screen.screen.resize
    bench.events = [
        lambda: resize(5, 40),
        lambda: seen.append(bench.screen.rows()),
        lambda: resize(40, 120),
        lambda: seen.append(bench.screen.rows()),
    ]
    bench.shell.runner.run_line(f"watch {RAM:#x} 128 -n 10s")
    small, large = ["\n".join(rows) for rows in seen]
    assert small.count("look") == large.count("look") == 1
    assert "... " in small.splitlines()[-1]
    assert "  |....|" in small
    assert "|................|" in large


def test_watch_shows_fields_and_pins(bench: Bench) -> None:
    """A register has its fields, each with the time of its last change; pins have numbers."""
    seen: list[str] = []
    bench.events = [
        bench.poke(0x6000_0020, 0x2),  # UART0.CONF0: PARITY_EN
        lambda: seen.append("\n".join(bench.screen.rows())),
        lambda: seen.append("\n".join(bench.screen.rows())),
    ]
    bench.shell.runner.run_line("watch UART0.CONF0 gpio")
    (row,) = (row for row in seen[0].splitlines() if "PARITY_EN" in row)
    assert row.split() == ["*PARITY_EN", "1", "1", "changed", "at", "1.0", "s"]
    assert "\n   PARITY_EN" in seen[1]  # no longer new
    assert "high  9" in seen[0]
    assert "\n   PARITY " not in seen[0]  # 0 and never changed: it has no room


def test_watch_leaves_the_last_picture(bench: Bench, tmp_path) -> None:  # type: ignore[no-untyped-def]
    """It is on the first screen and in the log; the pictures before are in neither."""
    bench.shell.session.log_to(tmp_path / "log")
    bench.events = [bench.poke(RAM, 1), lambda: None]
    bench.shell.runner.run_line(f"watch [{RAM:#x}]")
    bench.shell.session.log_to(None)
    text = (tmp_path / "log").read_text()
    assert text.count("look ") == 1
    assert "\x1b" not in text
    left = bench.screen.getvalue().rpartition("\x1b[?1049l")[2]
    assert left.startswith("look 3, 2.0 s\n [0x3fc90000]  0x00000001  1  changed at 1.0 s\n")


def test_wait_and_repeat_show_that_they_live(bench: Bench) -> None:
    """After half a second there is a line of what is waited for, which goes away."""
    clock = bench.shell.session.clock
    before = clock.sleep

    def sleep(seconds: float) -> None:
        bench._seconds += seconds
        before(seconds)

    clock.sleep = sleep  # type: ignore[method-assign]
    bench.shell.runner.run_line(f"wait -t 2 [{RAM:#x}] == 1")
    drawn = bench.screen.getvalue()
    assert f"\r[{RAM:#x}] == 1: 0x0, 1.0 of 2 s\x1b[K" in drawn
    assert "0x0, 0.4 of" not in drawn
    assert not any("of 2 s" in row for row in bench.screen.rows())
    bench.shell.runner.run_line("repeat 3 sleep 400ms")
    assert "\rsleep 400ms: run 3 of 3\x1b[K" in bench.screen.getvalue()
    assert not any("run 3" in row for row in bench.screen.rows())
