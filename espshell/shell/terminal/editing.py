"""How lines are edited at the prompt, and what is said of lines that were pasted and not run."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Always
from prompt_toolkit.input import typeahead
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress

from espshell import files
from espshell.shell.session import Session
from espshell.shell.terminal import background
from espshell.shell.terminal.background import Asked

_MODES = {"emacs": EditingMode.EMACS, "vi": EditingMode.VI}
_MOST_LINES = 10
_LOOK_S = 0.5  # the toolbar shows so soon that a device is gone


def prepare(prompt: PromptSession[str], session: Session) -> None:
    """Give the next line the keys of the settings; Up goes to lines that begin as what is typed.

    The buffer's own filter is set, and not that of the prompt, which would turn off completion
    while typing.
    """
    prompt.editing_mode = _MODES[session.settings.editing]
    port = session.target.link.port.url if session.target else ""
    prompt.refresh_interval = _LOOK_S if port.startswith("/") else 0
    prompt.default_buffer.enable_history_search = Always()


def take_over(prompt: PromptSession[str], session: Session, asked: Asked) -> None:
    """Give the prompt what was typed before it was there; keep a late answer out of its line."""
    if asked.typed:
        keys: list[KeyPress] = []
        typing = Vt100Parser(keys.append)
        typing.feed(asked.typed)
        typing.flush()
        typeahead.store_typeahead(prompt.app.input, keys)
    parser = getattr(prompt.app.input, "vt100_parser", None)
    if asked.is_late and parser is not None:
        feed = parser.feed

        def feed_keys(data: str) -> None:
            answer = background.answered(data)
            session.output.background = session.output.background or answer.background
            feed(answer.typed)

        parser.feed = feed_keys


@contextlib.contextmanager
def unseen_control_keys() -> Iterator[None]:
    """Do not show ``^C`` meanwhile, which would stand in front of what a command says of it."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield
        return
    import termios

    before = termios.tcgetattr(sys.stdin)
    echo = before[3] & ~termios.ECHOCTL
    termios.tcsetattr(sys.stdin, termios.TCSANOW, [*before[:3], echo, *before[4:]])
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(sys.stdin, termios.TCSANOW, before)


def is_gone(port: str) -> bool:
    """Return whether a port is a device that is no longer there."""
    return port.startswith("/") and not files.exists(Path(port))


def tell_not_run(session: Session, rest: Sequence[tuple[int, str]]) -> None:
    """Note which lines of several that were entered at once have not been run."""
    lines = [(number, line) for number, line in rest if line.strip()]
    if not lines:
        return
    first, last = lines[0][0], lines[-1][0]
    where = f"line {first} was" if first == last else f"lines {first} to {last} were"
    session.output.note(f"{where} not run:")
    for number, line in lines[:_MOST_LINES]:
        session.output.plain(f"{number:4}  {line.strip()}")
    if len(lines) > _MOST_LINES:
        session.output.plain(f"      and {len(lines) - _MOST_LINES} more")
