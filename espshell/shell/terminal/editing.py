"""How lines are edited at the prompt, and what is said of lines that were pasted and not run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Always

from espshell import files
from espshell.shell.session import Session

_MODES = {"emacs": EditingMode.EMACS, "vi": EditingMode.VI}
_MOST_LINES = 10
_LOOK_S = 1.0  # the toolbar shows so soon that a device is gone


def prepare(prompt: PromptSession[str], session: Session) -> None:
    """Give the next line the keys of the settings; Up goes to lines that begin as what is typed.

    The buffer's own filter is set, and not that of the prompt, which would turn off completion
    while typing.
    """
    prompt.editing_mode = _MODES[session.settings.editing]
    port = session.target.link.port.url if session.target else ""
    prompt.refresh_interval = _LOOK_S if _is_device(port) else 0
    prompt.default_buffer.enable_history_search = Always()


def is_gone(port: str) -> bool:
    """Return whether a port is a device that is no longer there."""
    return _is_device(port) and not files.exists(Path(port))


def _is_device(port: str) -> bool:
    return port.startswith("/")


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
