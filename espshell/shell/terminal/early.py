"""The prompt before prompt_toolkit is there, whose import takes longer than all of the start.

It is written at once.  A thread shows what is typed while the main thread imports the rest; then
prompt_toolkit draws the same line over it and gets every key.  Shown are plain characters and
Backspace, up to the first other key: what that one does is for prompt_toolkit to say.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TypeVar

from espshell.records import replace
from espshell.render.theme import paint
from espshell.shell.session import Session
from espshell.shell.terminal.background import TerminalInput, answered, can_ask, hidden_keys

T = TypeVar("T")

_BACKSPACE = b"\x7f\b"
_SWITCH_S = 0.0005  # a key waits no longer for what is imported meanwhile; Python's is 5 ms


class EarlyLine:
    """What is typed at an early prompt, and what is shown of it."""

    def __init__(self, columns: int) -> None:
        """``columns``: how many are left behind the prompt."""
        self.typed = b""
        self._room = columns
        self._shown = 0  # characters
        self._ended = False

    def take(self, keys: bytes) -> bytes:
        """Keep keys; return what the terminal shows for them."""
        self.typed += keys
        echo = bytearray()
        for key in keys:
            is_plain = 0x20 <= key < 0x7F and self._shown < self._room
            if self._ended or not (is_plain or key in _BACKSPACE):
                self._ended = True
            elif is_plain:
                self._shown += 1
                echo.append(key)
            elif self._shown:
                self._shown -= 1
                echo += b"\b \b"
        return bytes(echo)

    def follow(self, keyboard: int, screen: int, end: int) -> None:
        """Take keys from one file descriptor and show them on another until a third is ready."""
        while end not in (ready := select.select([keyboard, end], [], [])[0]):
            keys = os.read(keyboard, 1024) if ready else b""
            if not keys:
                return  # the terminal is gone; who reads next finds out
            os.write(screen, self.take(keys))


def prompt_text(session: Session) -> str:
    """Return the prompt: ``esp32c3:rom> ``."""
    target = session.target
    name = f"{target.chip.name}:{target.loader.dialect.name}" if target else "espshell"
    return f"{name}> "


def painted(session: Session, text: str) -> str:
    """Return a prompt in the colour of the theme."""
    return session.output.recolored(paint(text, "prompt", color=session.output.color))


def prompt(
    session: Session, before: TerminalInput, load: Callable[[], T], held: contextlib.ExitStack
) -> tuple[T, TerminalInput]:
    """Show the prompt, and what is typed at it, while ``load`` runs.

    ``before``: what the terminal has sent so far.  ``held``: gives the terminal back, which is to
    be done when the first line has been read: a key in between would be shown, or lost.

    Returns what ``load`` returns, and all that the terminal has sent.
    """
    if not can_ask(os.environ):
        return load(), before
    keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
    text = prompt_text(session)
    line = EarlyLine(session.output.view.width - len(text) - 1)
    held.enter_context(hidden_keys(keyboard, as_typed=True))
    with _followed(line, keyboard, screen):
        echo = line.take(before.typed.encode())
        session.output.provisional(painted(session, text) + echo.decode())
        loaded = load()
    os.write(screen, b"\r")  # prompt_toolkit draws from the first column
    typed = line.typed.decode("utf-8", "surrogateescape")
    return loaded, answered(typed) if before.is_late else replace(before, typed=typed)


@contextlib.contextmanager
def _followed(line: EarlyLine, keyboard: int, screen: int) -> Iterator[None]:
    done, end = os.pipe()
    thread = threading.Thread(target=line.follow, args=(keyboard, screen, done), daemon=True)
    switch = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    thread.start()
    try:
        yield
    finally:
        os.close(end)
        thread.join()
        os.close(done)
        sys.setswitchinterval(switch)
