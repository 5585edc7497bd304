"""Ask the terminal for the colour of its background, so that the theme can be chosen by it.

OSC 11 asks for the colour, and DA1 behind it for what every terminal answers: a terminal that does
not know the first question costs no waiting.  Keys that are typed meanwhile are kept, and an answer
that comes too late is taken out of what is typed.

Source: xterm, ctlseqs, "Operating System Commands" (Ps = 1 1) and "Send Device Attributes".
"""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Iterator, Mapping

from espshell import regex
from espshell.records import dataclass

_ASK = b"\x1b]11;?\x1b\\\x1b[c"
_LEVEL = "([0-9A-Fa-f]+)"
_COLOR = regex.late(rf"\x1b\]11;rgba?:{_LEVEL}/{_LEVEL}/{_LEVEL}[^\x07\x1b]*(?:\x07|\x1b\\)")
_ATTRIBUTES = regex.late(r"\x1b\[\?[0-9;]*c")
_PATIENCE_S = 0.1  # at hand they answer within 10 ms; a later answer counts from the prompt on
_WEIGHTS = (0.2126, 0.7152, 0.0722)  # of red, green and blue in how light a colour looks; BT.709


@dataclass(frozen=True, slots=True)
class TerminalInput:
    """What a terminal has answered, and what was typed meanwhile."""

    background: str = ""
    """``dark`` or ``light``; empty for a terminal that does not say."""
    typed: str = ""
    is_late: bool = False
    """Whether an answer may still come."""


def can_ask(environment: Mapping[str, str]) -> bool:
    """Return whether a terminal is there that may be asked: a person's, not a dumb one."""
    if sys.platform == "win32" or environment.get("TERM", "dumb") == "dumb":
        return False
    if environment.get("PROMPT_TOOLKIT_NO_CPR") == "1":  # a person says that it answers nothing
        return False
    try:
        return all(os.isatty(stream.fileno()) for stream in (sys.stdin, sys.stdout))
    except (OSError, ValueError, AttributeError):
        return False


def ask(patience_s: float = _PATIENCE_S) -> TerminalInput:
    """Ask the terminal that is standard input and output; wait no longer than ``patience_s``.

    Nothing is asked while typed keys wait to be read: they may belong to a question.
    """
    keys, screen = sys.stdin.fileno(), sys.stdout.fileno()
    if select.select([keys], [], [], 0)[0]:
        return TerminalInput()
    text, end = "", time.monotonic() + patience_s
    with hidden_keys(keys):
        os.write(screen, _ASK)
        while not _ATTRIBUTES.search(text) and (rest := end - time.monotonic()) > 0:
            if select.select([keys], [], [], rest)[0]:
                text += os.read(keys, 1024).decode("utf-8", "replace")
    return answered(text)


def hidden_answer(terminal: TerminalInput) -> contextlib.AbstractContextManager[None]:
    """Show nothing that the terminal sends meanwhile, if that may be a late answer."""
    return hidden_keys(sys.stdin.fileno()) if terminal.is_late else contextlib.nullcontext()


@contextlib.contextmanager
def hidden_keys(keyboard: int, *, as_typed: bool = False) -> Iterator[None]:
    """Let keys be read one by one meanwhile, and not be shown.

    ``as_typed``: also those which make signals, and Enter as the carriage return that it is.
    """
    import termios

    before = termios.tcgetattr(keyboard)
    mode = [*before]
    mode[3] &= ~(termios.ICANON | termios.ECHO)
    if as_typed:
        mode[0] &= ~termios.ICRNL
        mode[3] &= ~(termios.ISIG | termios.IEXTEN)
    termios.tcsetattr(keyboard, termios.TCSANOW, mode)
    try:
        yield
    finally:
        termios.tcsetattr(keyboard, termios.TCSANOW, before)


def learn(environment: Mapping[str, str]) -> TerminalInput:
    """Return what the terminal says if there is one that can be asked, and nothing otherwise."""
    if can_ask(environment):
        with contextlib.suppress(OSError, ImportError):
            return ask()
    return TerminalInput()


def answered(text: str) -> TerminalInput:
    """Take the answers out of what has come from a terminal."""
    color = _COLOR.search(text)
    typed = _ATTRIBUTES.sub("", _COLOR.sub("", text))
    shade = ""
    if color:
        levels = (int(part, 16) / (16 ** len(part) - 1) for part in color.groups())
        lightness = sum(weight * level for weight, level in zip(_WEIGHTS, levels, strict=True))
        shade = "light" if lightness > 0.5 else "dark"
    return TerminalInput(shade, typed, is_late=not _ATTRIBUTES.search(text))
