"""A terminal in memory with a program in it: what a person sees who types, and when.

``Pty`` is what all have in common: pexpect types, pyte draws, and both answer as a terminal does.
``Terminal`` is for what a person does who reads, too: it takes in what comes until nothing new
comes.  ``picture.py`` draws and records by it, and tests follow the manual's pages by it.  Tests of
the prompt (``tests/shell/terminals.py``) and benchmarks wait for what they know will come.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pexpect
import pyte
from pyte.screens import Char

ROOT = Path(__file__).parent.parent
ENTER, TAB, CTRL_D, CTRL_L = "\r", "\t", "\x04", "\x0c"
READY = re.compile(r"(espshell|esp\w+:\w+)> ?$|^\$ ?$")
"""The prompt of the shell, of a connected one, or of `sh`."""

HISTORY = 5000
TIMEOUT_S = 60
"""Nothing takes as long; this only ends what hangs."""
_QUIET_S = 0.12
"""How long nothing new comes before what is there is taken for all."""


@dataclass(frozen=True)
class Piece:
    """What the program has written at once, and when: seconds since it was started."""

    seconds: float
    text: str


Self = TypeVar("Self", bound="Pty")


class Pty:
    """A program at a terminal, whose screen is as large as the terminal."""

    def __init__(
        self,
        screen: pyte.Screen,
        command: Sequence[str],
        environment: Mapping[str, str],
        folder: Path | None = None,
    ) -> None:
        self.screen = screen
        self._stream = pyte.Stream(screen)
        self.child: pexpect.spawn[str] = pexpect.spawn(
            command[0],
            [*command[1:]],
            cwd=folder and str(folder),
            dimensions=(screen.lines, screen.columns),
            env=environment,
            encoding="utf-8",
            codec_errors="replace",
            timeout=TIMEOUT_S,
        )
        # Where its cursor is, if it is asked.
        screen.write_process_input = self.child.send  # type: ignore[method-assign, assignment]

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.close(force=True)

    def send(self, keys: str) -> None:
        """Press keys."""
        self.child.send(keys)

    def receive(self, seconds: float = TIMEOUT_S) -> str:
        """Draw what comes next, and return it. Raises: pexpect.TIMEOUT, pexpect.EOF."""
        # Little at once: a program that writes much waits until it is drawn.
        text = self.child.read_nonblocking(4096, seconds)
        self.answer(text)
        self._stream.feed(text)
        return text

    def answer(self, text: str) -> None:
        """Answer questions that the screen does not, in their order: those before the screen's."""

    def rows(self) -> list[str]:
        """Return the rows of the screen, without spaces at their ends."""
        return [row.rstrip() for row in self.screen.display]


def all_rows(screen: pyte.HistoryScreen) -> list[str]:
    """Return all rows since the start without blanks at their ends, scrolled ones first."""
    above = ("".join(row[x].data for x in range(screen.columns)) for row in screen.history.top)
    return [row.rstrip() for row in (*above, *screen.display)]


def cells(screen: pyte.Screen) -> tuple[tuple[Char, ...], ...]:
    """Return what a screen shows, the cursor reversed, without the empty rows below."""
    rows = [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]
    if not screen.cursor.hidden:
        row, x = rows[screen.cursor.y], min(screen.cursor.x, screen.columns - 1)
        row[x] = row[x]._replace(reverse=not row[x].reverse)
    while rows and all(cell == screen.default_char for cell in rows[-1]):
        rows.pop()
    return tuple(map(tuple, rows))


class Terminal(Pty):
    """A program at a terminal; lines that scroll out of it are kept."""

    screen: pyte.HistoryScreen

    def __init__(
        self,
        command: list[str],
        folder: Path,
        *,
        columns: int = 80,
        rows: int = 24,
        theme: str = "dark",
    ) -> None:
        self.pieces: list[Piece] = []
        self._start = time.monotonic()
        screen = pyte.HistoryScreen(columns, rows, history=HISTORY)
        super().__init__(screen, command, _environment(folder, theme), folder)

    @property
    def seconds(self) -> float:
        """The time since the program was started."""
        return time.monotonic() - self._start

    def look(self, seconds: float = _QUIET_S) -> bool:
        """Take in what comes until nothing new has come for a while; return whether any came."""
        is_new = False
        while True:
            try:
                text = self.receive(seconds)
            except (pexpect.TIMEOUT, pexpect.EOF):
                return is_new
            is_new = True
            self.pieces.append(Piece(self.seconds, text))

    def watch(self, seconds: float) -> None:
        """Take in what comes for a time."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.look(min(left, 0.05))

    def wait(self, condition: Callable[[], bool]) -> None:
        """Take in what comes until a condition is met. Raises: TimeoutError with the screen."""
        end = time.monotonic() + TIMEOUT_S
        while not condition():
            self.look()
            if time.monotonic() > end:
                raise TimeoutError("\n".join(self.text()))

    def wait_prompt(self) -> None:
        """Take in what comes until a prompt has come and nothing behind it."""
        self.look()
        self.wait(lambda: bool(READY.search(self.row())) and not self.look())

    def run(self, line: str, answer: str = "y") -> list[str]:
        """Type a line; return the rows that come until the next prompt. Questions get an answer."""
        first = self._row_number() + (len(self.row()) + 1 + len(line)) // self.screen.columns + 1
        self.send(line + ENTER)
        self.look()
        while True:
            self.wait(self.is_ready)
            if self.look():
                continue
            if not self._is_asked():
                return self.text()[first : self._row_number()]
            self.send(answer + ENTER)
            self.look()

    def _is_asked(self) -> bool:
        return self.row().endswith("[y/N]")

    def is_ready(self) -> bool:
        """Return whether a prompt or a question waits."""
        return self._is_asked() or bool(READY.search(self.row()))

    def row(self) -> str:
        """Return the text of the row that the cursor is in."""
        return self.rows()[self.screen.cursor.y]

    def text(self) -> list[str]:
        """Return all rows since the start."""
        return all_rows(self.screen)

    def _row_number(self) -> int:
        return len(self.screen.history.top) + self.screen.cursor.y


def _environment(folder: Path, theme: str) -> Mapping[str, str]:
    """Return the environment of a person with an empty home and no pager, of a theme."""
    kept = {name: os.environ[name] for name in ("LANG", "PYTHONPATH") if name in os.environ}
    home = str(folder / "home")
    return {
        "LC_ALL": "C.UTF-8",
        **kept,
        "HOME": home,
        **{f"XDG_{name}_HOME": home for name in ("CONFIG", "DATA", "STATE")},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "TERM": "xterm-256color",
        "COLORTERM": "truecolor",
        "COLORFGBG": "15;0" if theme == "dark" else "0;15",
        "PAGER": "cat",
        "PS1": "$ ",
    }
