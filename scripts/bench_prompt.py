"""Seconds at the prompt, as a person at a terminal sees them: until text has been drawn."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator

import pyte

from scripts.terminal import Pty


class TimedShell(Pty):
    """The shell in a terminal of 110 by 40."""

    def __init__(self, port: str) -> None:
        self.start = time.perf_counter()
        command = (sys.executable, "-m", "espshell", "-p", port)
        super().__init__(pyte.Screen(110, 40), command, {**os.environ, "TERM": "xterm-256color"})
        self.child.delaybeforesend = None

    def wait(self, text: str, since: float) -> float:
        """Read until a text has been drawn; return the seconds since a moment."""
        while not any(text in row for row in self.screen.display):
            self.receive()
        return time.perf_counter() - since

    def type(self, text: str, prompt: str) -> list[float]:
        """Type a line; return the seconds of each key."""
        seconds = []
        for end in range(1, len(text) + 1):
            moment = time.perf_counter()
            self.send(text[end - 1])
            seconds.append(self.wait(prompt + text[:end].rstrip(), moment))
        return seconds


@contextlib.contextmanager
def silent_port() -> Iterator[str]:
    """Give the name of a port on which nobody answers."""
    ends = os.openpty()
    try:
        yield os.ttyname(ends[1])
    finally:
        for end in ends:
            os.close(end)


def until_connecting(port: str) -> float:
    """Return the seconds until the shell says that it is connecting."""
    with TimedShell(port) as shell:
        return shell.wait("connecting to", shell.start)
