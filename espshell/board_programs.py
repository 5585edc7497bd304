"""One command line on several boards at the same time: a process a board, above everything else.

Each board has a program of its own, so that one that hangs or dies stops no other.  Their lines
come out whole, with the board in front of each (in JSON: as ``port``); at the end a table says how
each ended.  The exit status is the worst of all.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from typing import IO, cast

from espshell.boards import Request
from espshell.errors import EspError, file_error
from espshell.records import dataclass, field
from espshell.shell import claims
from espshell.shell.crash import STOPPING
from espshell.signals import exit_status

_STOP_S = 10.0
"""How long a board may take to leave its chip after the program was told to end."""


@dataclass
class Board:
    """One board: its program, and how that ended."""

    port: str
    process: subprocess.Popen[bytes]
    started: float = field(default_factory=time.monotonic)
    last_error: str = ""
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The port, short: the last part of a device, a URL as it is."""
        return self.port.rpartition("/")[2] if self.port.startswith("/dev/") else self.port

    @property
    def status(self) -> int:
        """Its exit status."""
        return exit_status(self.process.returncode)

    @property
    def verdict(self) -> str:
        """How it ended, in words."""
        if self.process.returncode < 0 and not self.last_error:
            return f"status {self.status}: killed by signal {-self.process.returncode}"
        return "ok" if self.status == 0 else f"status {self.status}: {self.last_error}"


def run(request: Request, given: bytes) -> int:
    """Run the command line on all boards, each with the input; return the worst exit status.

    Raises: UsageError or BrokenPipeError if results cannot be written; the boards are ended then.
    """
    with tempfile.TemporaryDirectory() as shared, _ended_with_us() as boards:
        for port in request.ports:
            boards.append(Board(port, _start(port, request.arguments, shared)))
        copies = _Copies(boards, as_json="--json" in request.arguments)
        threads = [
            threading.Thread(target=work, daemon=True)
            for board in boards
            for work in (
                functools.partial(_feed, board, given),
                functools.partial(copies.results, board),
                functools.partial(copies.notes, board),
            )
        ]
        for thread in threads:
            thread.start()
        try:
            for board in boards:
                board.process.wait()
        except STOPPING as stop:
            is_interrupt = isinstance(stop, KeyboardInterrupt)
            _stop(boards, signal.SIGINT if is_interrupt else signal.SIGTERM)
            raise
        finally:
            for thread in threads:
                thread.join(_STOP_S)
            copies.table()
    if copies.failure is not None:
        raise copies.failure
    return max(board.status for board in boards)


@contextlib.contextmanager
def _ended_with_us() -> Iterator[list[Board]]:
    """Provide a list of boards; whatever ends the work, no program of theirs goes on alone."""
    boards: list[Board] = []
    try:
        yield boards
    finally:
        _stop(boards, signal.SIGTERM)


def _start(port: str, arguments: Sequence[str], shared: str) -> subprocess.Popen[bytes]:
    """Start the program for a board; ``shared``: a folder in which they say who writes what."""
    return subprocess.Popen(
        [sys.executable, "-m", "espshell", "--port", port, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, claims.FOLDER: shared},
        start_new_session=True,  # Ctrl-C comes to us alone, and we pass it on
    )


def _feed(board: Board, given: bytes) -> None:
    """Give a program the text that was piped in as its input, and the end of it."""
    with contextlib.suppress(OSError), cast(IO[bytes], board.process.stdin) as stream:
        stream.write(given)


class _Copies:
    """Copies the lines of boards, each in one piece, with the board in front."""

    def __init__(self, boards: Sequence[Board], *, as_json: bool) -> None:
        self.failure: EspError | BrokenPipeError | None = None
        """Why results cannot be written."""
        self._boards = boards
        self._as_json = as_json
        self._lock = threading.Lock()

    def results(self, board: Board) -> None:
        """Copy the results of a board; end all of them if that fails."""
        for line in board.process.stdout or ():
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            try:
                self._write(sys.stdout, self._with_port(board, text))
            except OSError as error:
                is_first, self.failure = self.failure is None, self.failure or _failure(error)
                if is_first:
                    _send(self._boards, signal.SIGTERM)

    def notes(self, board: Board) -> None:
        """Copy other output of a board; its last line outside of the script is its error."""
        for line in board.process.stderr or ():
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            if not text.startswith("    "):
                board.last_error = text.strip() or board.last_error
            with contextlib.suppress(OSError):  # nobody can be told that nobody can be told
                self._write(sys.stderr, f"[{board.name}] {text}")
        board.seconds = time.monotonic() - board.started

    def table(self) -> None:
        """Write how each board has ended."""
        width = max((len(board.name) for board in self._boards), default=0)
        with contextlib.suppress(OSError):
            for board in self._boards:
                took = f"{board.seconds:6.1f} s"
                self._write(sys.stderr, f"{board.name:{width}}  {took}  {board.verdict}")

    def _with_port(self, board: Board, text: str) -> str:
        if not self._as_json:
            return f"[{board.name}] {text}"
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        # A program that a line pipes into writes what it likes.
        return json.dumps(
            {"port": board.port, **(value if isinstance(value, dict) else {"output": text})}
        )

    def _write(self, stream: IO[str], text: str) -> None:
        with self._lock:
            stream.write(f"{text}\n")
            stream.flush()


def _failure(error: OSError) -> EspError | BrokenPipeError:
    if isinstance(error, BrokenPipeError):
        return error
    return file_error("write", "the results", error)


def _send(boards: Sequence[Board], number: signal.Signals) -> None:
    for board in boards:
        board.process.send_signal(number)


def _stop(boards: Sequence[Board], number: signal.Signals) -> None:
    """End all programs as we are ended, and give them time to leave their chips."""
    _send(boards, number)
    end = time.monotonic() + _STOP_S
    for board in boards:
        with contextlib.suppress(subprocess.TimeoutExpired):
            board.process.wait(max(0.0, end - time.monotonic()))
        board.process.kill()
        board.process.wait()
