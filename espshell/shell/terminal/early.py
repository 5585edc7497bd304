"""The prompt before prompt_toolkit is there, whose import takes longer than all of the start.

It is written at once.  A thread shows what is typed while the main thread imports the rest and
prompt_toolkit starts; then that draws the same line over it and gets every key.  Shown are plain
characters and Backspace, up to the first other key: what that one does is for prompt_toolkit to
say.
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import threading
from collections.abc import Iterator

from espshell.records import replace
from espshell.render.theme import paint
from espshell.shell.session import Session
from espshell.shell.terminal.background import TerminalInput, answered, can_ask, hidden_keys

_BACKSPACE = b"\x7f\b"
_SWITCH_S = 0.0005  # a key waits no longer for what is imported meanwhile; Python's is 5 ms


class EarlyLine:
    """What is typed at an early prompt, and what is shown of it."""

    def __init__(self, columns: int) -> None:
        """``columns``: how many are left behind the prompt."""
        self.typed = b""
        self.plain_size = 0
        """Bytes of it up to the first key that is not plain."""
        self._handed_over = 0
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
                break
            self.plain_size += 1
            if is_plain:
                self._shown += 1
                echo.append(key)
            elif self._shown:
                self._shown -= 1
                echo += b"\b \b"
        return bytes(echo)

    def hand_over(self, end: int) -> bytes:
        """Return the typed bytes from the last end to this one."""
        start, self._handed_over = self._handed_over, end
        return self.typed[start:end]

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


class EarlyPrompt:
    """A prompt that is shown, with what is typed at it, while the editor of lines is made."""

    def __init__(self, before: TerminalInput, line: EarlyLine, shown: contextlib.ExitStack) -> None:
        self._before = before
        self._line = line
        self._shown = shown

    def typed(self) -> str:
        """Return the plain characters that have been typed so far, once each."""
        return self._line.hand_over(self._line.plain_size).decode()

    def end(self) -> TerminalInput:
        """Show no more keys; return what `typed` has not returned, and what the terminal said."""
        self._shown.close()
        typed = self._line.hand_over(len(self._line.typed)).decode("utf-8", "surrogateescape")
        return answered(typed) if self._before.is_late else replace(self._before, typed=typed)


def prompt(session: Session, before: TerminalInput, held: contextlib.ExitStack) -> EarlyPrompt:
    """Show the prompt, and what is typed at it, until the end of what is returned.

    ``before``: what the terminal has sent so far.  ``held``: gives the terminal back, which is to
    be done when the first line has been read: a key in between would be shown, or lost.
    """
    text = prompt_text(session)
    line = EarlyLine(session.output.view.width - len(text) - 1)
    echo = line.take(before.typed.encode())
    shown = contextlib.ExitStack()
    if can_ask(os.environ):
        keyboard, screen = sys.stdin.fileno(), sys.stdout.fileno()
        held.enter_context(hidden_keys(keyboard, as_typed=True))
        held.enter_context(shown)
        shown.callback(os.write, screen, b"\r")  # prompt_toolkit draws from the first column
        session.output.provisional(painted(session, text) + echo.decode())
        shown.enter_context(_followed(line, keyboard, screen))
    return EarlyPrompt(before, line, shown)


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
