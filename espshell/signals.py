"""Signals as exceptions: Ctrl-C, and SIGTERM and SIGHUP, which end the program as well.

Ctrl-C raises ``KeyboardInterrupt``, which a prompt may survive.  SIGTERM (``timeout``, CI) and
SIGHUP (a terminal or ssh that is gone) raise ``Terminated``: only the program's outermost function
catches it, and clean-up on the way happens as for Ctrl-C.

A signal that was ignored when the program started (``nohup``) stays ignored.  Before ``cli`` runs
and after it, ``__main__`` lets each of them end the program at once.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

Handler = Callable[[int, FrameType | None], object] | int | None

_ENDING = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)
)


class Terminated(SystemExit):
    """The system asked the program to end; ``status`` is its exit status."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.status = 128 + number
        self.name = signal.Signals(number).name


def exit_status(returncode: int) -> int:
    """Return the status of a process as a shell tells it: 128 and the signal that killed it."""
    return 128 - returncode if returncode < 0 else returncode


@contextlib.contextmanager
def as_exceptions() -> Iterator[None]:
    """Raise KeyboardInterrupt and Terminated meanwhile; in the main thread, where signals come."""
    before = _install(signal.default_int_handler, _terminate)
    try:
        yield
    finally:
        _restore(before)


class _Pending(list[int]):
    """A handler that notes the signals that come."""

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        self.append(number)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay all of these signals until the end of work that must not stop half-way."""
    if isinstance(signal.getsignal(signal.SIGINT), _Pending):
        yield  # inside of other such work, at whose end they come
        return
    pending = _Pending()
    before = _install(pending, pending)
    try:
        yield
    finally:
        _restore(before)
        for number in pending[-1:]:
            signal.raise_signal(number)


def _install(interrupt: Handler, end: Handler) -> dict[int, Handler]:
    """Set handlers for signals that are not ignored; return the previous ones."""
    before: dict[int, Handler] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, *_ENDING):
            handler = signal.getsignal(number)
            if handler not in (signal.SIG_IGN, None):  # None: set by a program that embeds Python
                before[number] = handler
                signal.signal(number, interrupt if number == signal.SIGINT else end)
    return before


def _restore(before: dict[int, Handler]) -> None:
    for number, handler in reversed(before.items()):  # Ctrl-C last: it may raise at once
        signal.signal(number, handler)


def _terminate(number: int, _frame: FrameType | None) -> None:
    for other in _ENDING:  # a second one does not interrupt the clean-up
        if signal.getsignal(other) is _terminate:
            signal.signal(other, signal.SIG_IGN)
    raise Terminated(number)
