"""The program in a real terminal: what is on its screen, as soon as it is there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pexpect
import pyte

from scripts.terminal import TIMEOUT_S, Pty

ENTER, CTRL_C, CTRL_D, CTRL_Z, UP, TAB = "\r", "\x03", "\x04", "\x1a", "\x1b[A", "\t"


class ShellTerminal(Pty):
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
        own = {"XDG_DATA_HOME": str(home), "TERM": "xterm-256color", **environment}
        command = command or (sys.executable, "-m", "espshell", "-p", port, *options)
        super().__init__(pyte.Screen(*size), command, {**os.environ, **own})
        self.child.delaybeforesend = None
        self._background = background
        self.output = ""
        """Everything that has come."""

    def text(self) -> str:
        """Return what is on the screen."""
        return "\n".join(self.rows())

    def wait(self, seen: Callable[[str], bool]) -> str:
        """Read until the screen is as wanted; return it."""
        end = time.monotonic() + TIMEOUT_S
        while not seen(self.text()):
            try:
                came = self.receive(max(end - time.monotonic(), 0))
            except (pexpect.TIMEOUT, pexpect.EOF) as error:
                raise AssertionError(f"not seen; the screen is:\n{self.text()}") from error
            self.output += came
        return self.text()

    def answer(self, text: str) -> None:
        """Tell the colour of the background."""
        if self._background and "\x1b]11;?" in text:
            self.child.send(f"\x1b]11;{self._background}\x1b\\")

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


@contextmanager
def device_name() -> Iterator[Path]:
    """Give a short name for a link to a pty; it goes with the pty, whose own name is used again."""
    with TemporaryDirectory() as folder:
        yield Path(folder) / "ttyUSB0"
