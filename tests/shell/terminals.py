"""The program in a real terminal: pexpect types, pyte draws, and both answer as a terminal does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte

ENTER, CTRL_C, CTRL_D, CTRL_Z, UP, TAB = "\r", "\x03", "\x04", "\x1a", "\x1b[A", "\t"

TIMEOUT_S = 30
"""Nothing takes a second; this only ends what hangs."""


class _Screen(pyte.Screen):
    """A screen that tells where its cursor is, so that there is known to be room for a toolbar."""

    answer: Callable[[str], object]

    def write_process_input(self, data: str) -> None:
        """Send an answer to the program."""
        self.answer(data)


class Terminal:
    """A program in a terminal of 110 by 40: espshell, unless another command is given."""

    def __init__(
        self,
        home: Path,
        port: str = "sim://esp32c3",
        *options: str,
        size: tuple[int, int] = (110, 40),
        background: str = "",
        command: tuple[str, ...] = (),
        **environment: str,
    ) -> None:
        """``background``: the colour that OSC 11 is answered with; empty for no answer."""
        self.screen = _Screen(*size)
        self._stream = pyte.Stream(self.screen)
        self._background = background
        name, *words = command or (sys.executable, "-m", "espshell", "-p", port, *options)
        self.child = pexpect.spawn(
            name,
            words,
            env={**os.environ, "XDG_DATA_HOME": str(home), "TERM": "xterm-256color", **environment},
            dimensions=(size[1], size[0]),
            timeout=TIMEOUT_S,
            encoding="utf-8",
            codec_errors="replace",
        )
        self.child.delaybeforesend = None
        self.screen.answer = self.child.send
        self.output = ""
        """Everything that has come."""

    def text(self) -> str:
        """Return what is on the screen."""
        return "\n".join(self.rows())

    def rows(self) -> list[str]:
        """Return the rows of the screen, without spaces at their ends."""
        return [line.rstrip() for line in self.screen.display]

    def wait(self, seen: Callable[[str], bool]) -> str:
        """Read until the screen is as wanted; return it."""
        end = time.monotonic() + TIMEOUT_S
        while not seen(self.text()):
            try:
                came = self.child.read_nonblocking(4096, max(end - time.monotonic(), 0))
            except (pexpect.TIMEOUT, pexpect.EOF) as error:
                raise AssertionError(f"not seen; the screen is:\n{self.text()}") from error
            if self._background and "\x1b]11;?" in came:
                self.child.send(f"\x1b]11;{self._background}\x1b\\")
            self.output += came
            self._stream.feed(came)
        return self.text()

    def send(self, keys: str) -> None:
        """Press keys."""
        self.child.send(keys)

    def clear(self) -> None:
        """Clear the screen; the prompt is in its first row then."""
        self.send("\x0c")
        self.wait(lambda text: text.split("\n")[0].endswith(">"))

    def enter(self, line: str) -> str:
        """Run a line on a clear screen; return what it shows up to the next prompt."""
        self.clear()
        self.send(line + ENTER)
        return self.back()

    def back(self) -> str:
        """Wait for a prompt below the first row, and its toolbar; return the rows between."""
        text = self.wait(lambda text: _PROMPT.search(text) is not None)
        return text[: text.rindex("\n", 0, text.rindex(">"))] + "\n"

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self.screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def leave(self) -> int:
        """End the program by Ctrl-D; return its exit status."""
        self.send(CTRL_D)
        self.child.expect(pexpect.EOF)
        self.child.close()
        assert self.child.exitstatus is not None
        return self.child.exitstatus


_PROMPT = re.compile(r"\n\S+>\n*\n\S.*(?:baud|connected|is gone|lost ).*\n*$")


@contextmanager
def served(chip: str = "esp32c3") -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve a simulated chip in real time; give the name of its port, and its process."""
    command = [sys.executable, "-m", "espshell", "sim", chip, "--pty"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip(), server
        finally:
            server.kill()
