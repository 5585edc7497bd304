"""One command line on several boards at the same time: a process a board, above everything else.

Each board has a program of its own, so that one that hangs or dies stops no other.  Their lines
come out whole, with the board in front of each (in JSON: as ``port``); at the end a table says how
each ended.  The exit status is the worst of all.
"""

from __future__ import annotations

import contextlib
import fnmatch
import functools
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import IO, cast

from espshell.errors import BenchError, EspError, UsageError, file_error
from espshell.files import SCRIPT, read_stream
from espshell.link.ports import PortInfo, list_ports
from espshell.records import dataclass, field
from espshell.shell.crash import STOPPING

PORT, SELECTION, LIKELY = ("-p", "--port"), "--ports", "--all-likely"

_PLACE = "{port}"
"""Stands for the board in the name of a file that each board writes."""

_WRITTEN = ("--transcript", "--trace", "--junit", "--log", "--report")
"""Options with a file that is written: one for all would be overwritten by each."""

_SELECTORS = ("serial", "vid", "pid", "product", "location", "kind", "device")

_STOP_S = 10.0
"""How long a board may take to leave its chip after the program was told to end."""


@dataclass(frozen=True, slots=True)
class Request:
    """Which boards, and the command line that each gets, without its port."""

    ports: tuple[str, ...]
    arguments: tuple[str, ...]


def requested(arguments: Sequence[str]) -> Request | None:
    """Return what is to run on several boards; None if the command line is for one.

    Raises: UsageError, BenchError if a selection fits no port.
    """
    ports: list[str] = []
    selected: list[str] = []
    others: list[str] = []
    is_several = False
    remaining = iter(arguments)
    for argument in remaining:
        name, has_value, value = argument.partition("=")
        if argument == "--":
            others += [argument, *remaining]
        elif argument in ("-c", "--command"):
            others += [argument, *_value(remaining)]
        elif name in (*PORT, SELECTION):
            text = value if has_value else next(iter(_value(remaining)), "")
            if name == SELECTION:
                selected += _selected(text)
            else:
                ports.append(text)
            is_several |= name == SELECTION
        elif argument == LIKELY:
            is_several = True
            selected += _selected("")
        else:
            others.append(argument)
    if len(ports) < 2 and not is_several:
        return None
    ports = _distinct(ports, selected)
    _require_own_files(others)
    return Request(tuple(ports), tuple(others))


def _distinct(named: Sequence[str], selected: Sequence[str]) -> list[str]:
    """Return each device once. Raises: UsageError for one that is named twice, also by a link."""
    by_device: dict[str, str] = {}
    for port in named:
        device = os.path.realpath(port) if port.startswith("/") else port
        if device in by_device:
            text = f"{port} is named twice" if by_device[device] == port else None
            raise UsageError(
                text or f"{by_device[device]} and {port} are one device",
                hint="each board needs its own port",
            )
        by_device[device] = port
    for port in selected:
        by_device.setdefault(os.path.realpath(port) if port.startswith("/") else port, port)
    return list(by_device.values())


def _value(remaining: Iterator[str]) -> list[str]:
    return [value for value in (next(remaining, None),) if value is not None]


def _selected(text: str) -> list[str]:
    """Return the likely ports whose USB descriptors fit ``serial=A5*,kind=CP210x``.

    Raises: UsageError for another selector; BenchError if no port matches.
    """
    selectors = [part.partition("=")[::2] for part in text.split(",") if part]
    for name, _ in selectors:
        if name not in _SELECTORS:
            names = ", ".join(_SELECTORS)
            raise UsageError(f"{SELECTION} knows no `{name}`", hint=f"it knows {names}")
    fits = [p.device for p in list_ports() if p.is_likely and _fits(p, selectors)]
    if not fits:
        raise BenchError(
            f"no port matches {text!r}" if text else "there is no likely board",
            hint="`espshell ports` lists the ports",
        )
    return fits


def _fits(port: PortInfo, selectors: Sequence[Sequence[str]]) -> bool:
    held = {name: getattr(port, name) for name in _SELECTORS}
    held["vid"], _, held["pid"] = port.ids.partition(":")
    return all(fnmatch.fnmatchcase(str(held[n]).lower(), v.lower()) for n, v in selectors)


def _require_own_files(arguments: Sequence[str]) -> None:
    """Require a file of its own for each board. Raises: UsageError."""
    for argument, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if argument == "--":
            return
        name, has_value, value = argument.partition("=")
        if name == "--trace" and not has_value:  # to the screen
            continue
        if name in _WRITTEN and _PLACE not in (value if has_value else following):
            written = argument if has_value else f"{argument} {following}"
            raise UsageError(
                f"{written}: several boards would write the same file",
                hint=f"{_PLACE} in the name stands for the board",
            )


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
    def verdict(self) -> str:
        """How it ended, in words."""
        status = self.process.returncode
        return "ok" if status == 0 else f"status {status}: {self.last_error}"


def run(request: Request, *, reads_input: bool) -> int:
    """Run the command line on all boards; return the worst exit status.

    ``reads_input``: each board gets a copy of standard input.

    Raises: UsageError or BrokenPipeError if results cannot be written; the boards are ended then.
    """
    given = read_stream(sys.stdin.buffer, "standard input", SCRIPT) if reads_input else b""
    with _ended_with_us() as boards:
        for port in request.ports:
            boards.append(Board(port, _start(port, request.arguments)))
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
    return max(board.process.returncode % 256 for board in boards)


@contextlib.contextmanager
def _ended_with_us() -> Iterator[list[Board]]:
    """Provide a list of boards; whatever ends the work, no program of theirs goes on alone."""
    boards: list[Board] = []
    try:
        yield boards
    finally:
        _stop(boards, signal.SIGTERM)


def _start(port: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the program for a board."""
    place = re.sub(r"[^\w.-]+", "_", port).strip("_")
    words = [argument.replace(_PLACE, place) for argument in arguments]
    return subprocess.Popen(
        [sys.executable, "-m", "espshell", "--port", port, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
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
