"""Seconds at the prompt, as a person at a terminal sees them: until text has been drawn."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator

import pexpect
import pyte

_TIMEOUT_S = 30


class Screen(pyte.Screen):
    """The shell in a terminal of 110 by 40, which answers as terminals do."""

    def __init__(self, port: str) -> None:
        super().__init__(110, 40)
        self._stream = pyte.Stream(self)
        self.start = time.perf_counter()
        environment = {**os.environ, "TERM": "xterm-256color"}
        words = ["-m", "espshell", "-p", port]
        self._shell = pexpect.spawn(
            sys.executable, words, dimensions=(40, 110), encoding="utf-8", env=environment
        )
        self._shell.delaybeforesend = None

    def __enter__(self) -> Screen:
        return self

    def __exit__(self, *_: object) -> None:
        self._shell.close(force=True)

    def write_process_input(self, data: str) -> None:
        """Answer the program: where the cursor is, and what the terminal can do."""
        self._shell.send(data)

    def wait(self, text: str, since: float) -> float:
        """Read until a text has been drawn; return the seconds since a moment."""
        while not any(text in row for row in self.display):
            self._stream.feed(self._shell.read_nonblocking(4096, _TIMEOUT_S))
        return time.perf_counter() - since

    def type(self, text: str, prompt: str) -> list[float]:
        """Type a line; return the seconds of each key."""
        seconds = []
        for end in range(1, len(text) + 1):
            moment = time.perf_counter()
            self._shell.send(text[end - 1])
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
    with Screen(port) as screen:
        return screen.wait("connecting to", screen.start)
