"""How lines are edited at the prompt, and what is said of lines that were pasted and not run."""

from __future__ import annotations

from collections.abc import Sequence

from prompt_toolkit import PromptSession
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Always

from espshell.shell.session import Session

_MODES = {"emacs": EditingMode.EMACS, "vi": EditingMode.VI}
_MOST_LINES = 10


def prepare(prompt: PromptSession[str], session: Session) -> None:
    """Give the next line the keys of the settings; Up goes to lines that begin as what is typed.

    The buffer's own filter is set, and not that of the prompt, which would turn off completion
    while typing.
    """
    prompt.editing_mode = _MODES[session.settings.editing]
    prompt.default_buffer.enable_history_search = Always()


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
