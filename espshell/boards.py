"""One command line on several boards at the same time: a process a board, above everything else.

Each board has a program of its own, so that one that hangs or dies stops no other.  Their lines
come out whole, with the board in front of each (in JSON: as ``port``); at the end a table says how
each ended.  The exit status is the worst of all.
"""

from __future__ import annotations

import contextlib
import fnmatch
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import IO

from espshell.errors import BenchError, UsageError
from espshell.link.ports import PortInfo, list_ports

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
            ports += _selected(text) if name == SELECTION else [text]
            is_several |= name == SELECTION
        elif argument == LIKELY:
            is_several = True
            ports += _selected("")
        else:
            others.append(argument)
    if len(ports) < 2 and not is_several:
        return None
    if doubled := {port for port in ports if ports.count(port) > 1}:
        raise UsageError(
            f"{', '.join(sorted(doubled))} is named twice", hint="a board has one port"
        )
    _require_own_files(others)
    return Request(tuple(ports), tuple(others))


def _value(remaining: Iterator[str]) -> list[str]:
    return [value for value in (next(remaining, None),) if value is not None]


def _selected(text: str) -> list[str]:
    """Return the likely ports whose USB descriptors fit ``serial=A5*,kind=CP210x``.

    Raises: UsageError for another selector; BenchError if no port fits.
    """
    selectors = [part.partition("=")[::2] for part in text.split(",") if part]
    for name, _ in selectors:
        if name not in _SELECTORS:
            names = ", ".join(_SELECTORS)
            raise UsageError(f"{SELECTION} knows no `{name}`", hint=f"it knows {names}")
    fits = [p.device for p in list_ports() if p.is_likely and _fits(p, selectors)]
    if not fits:
        raise BenchError(
            f"no port fits {text!r}" if text else "there is no likely board",
            hint="`espshell ports` lists them",
        )
    return fits


def _fits(port: PortInfo, selectors: Sequence[Sequence[str]]) -> bool:
    held = {name: getattr(port, name) for name in _SELECTORS}
    held["vid"], _, held["pid"] = port.ids.partition(":")
    return all(fnmatch.fnmatchcase(str(held[n]).lower(), v.lower()) for n, v in selectors)


def _require_own_files(arguments: Sequence[str]) -> None:
    """Require a file of its own for each board. Raises: UsageError."""
    for argument, following in zip(arguments, (*arguments[1:], ""), strict=True):
        name, has_value, value = argument.partition("=")
        file = value if has_value or name == "--trace" else following
        if name in _WRITTEN and file and _PLACE not in file:
            raise UsageError(
                f"{name}={file}: several boards would write one file",
                hint=f"{_PLACE} in its name stands for the board",
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
    """
    as_json, lock = "--json" in request.arguments, threading.Lock()
    given = sys.stdin.buffer.read() if reads_input else None
    boards = [Board(port, _start(port, request.arguments, given)) for port in request.ports]
    threads = [
        threading.Thread(target=_copy, args=(board, stream, target, as_json, lock), daemon=True)
        for board in boards
        for stream, target in (
            (board.process.stdout, sys.stdout),
            (board.process.stderr, sys.stderr),
        )
    ]
    for thread in threads:
        thread.start()
    try:
        for board in boards:
            board.process.wait()
    except BaseException as stop:
        _stop(boards, signal.SIGINT if isinstance(stop, KeyboardInterrupt) else signal.SIGTERM)
        raise
    finally:
        for thread in threads:
            thread.join(_STOP_S)
    width = max(len(board.name) for board in boards)
    for board in boards:
        sys.stderr.write(f"{board.name:{width}}  {board.seconds:6.1f} s  {board.verdict}\n")
    return max(board.process.returncode % 256 for board in boards)


def _start(port: str, arguments: Sequence[str], given: bytes | None) -> subprocess.Popen[bytes]:
    """Start the program for a board, with the text that was piped in as its input."""
    place = re.sub(r"[^\w.-]+", "_", port).strip("_")
    words = [argument.replace(_PLACE, place) for argument in arguments]
    process = subprocess.Popen(
        [sys.executable, "-m", "espshell", "--port", port, *words],
        stdin=subprocess.PIPE if given is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C comes to us alone, and we pass it on
    )
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError), process.stdin as stream:
            stream.write(given or b"")
    return process


def _copy(
    board: Board,
    stream: IO[bytes] | None,
    target: IO[str],
    as_json: bool,
    lock: threading.Lock,
) -> None:
    """Copy the lines of a board, each in one piece, with the board in front."""
    is_result = target is sys.stdout
    for line in stream or ():
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if not is_result:
            board.last_error = text.strip() or board.last_error
        if as_json and is_result:
            text = json.dumps({"port": board.port, **json.loads(text)})
        else:
            text = f"[{board.name}] {text}"
        with lock, contextlib.suppress(OSError):
            target.write(f"{text}\n")
            target.flush()
    board.seconds = time.monotonic() - board.started


def _stop(boards: Sequence[Board], number: signal.Signals) -> None:
    """End all programs as we are ended, and give them time to leave their chips."""
    for board in boards:
        board.process.send_signal(number)
    for board in boards:
        try:
            board.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            board.process.kill()
