"""The prompt: read a line, run it, and again; an error ends a line and not the session.

The loop is synchronous.  Nothing is printed while a line is edited, so nothing has to be patched,
and Ctrl-C in a command is a plain KeyboardInterrupt.  The editor (``editing``, on prompt_toolkit)
is imported after the prompt is there to be typed at.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from espshell.errors import EspError
from espshell.link.ports import PortInfo
from espshell.shell import recovery, script
from espshell.shell.check import check
from espshell.shell.crash import InternalError, Interrupted, as_error
from espshell.shell.language.grammar import is_continued, split_lines
from espshell.shell.runner import Runner
from espshell.shell.script import Script
from espshell.shell.session import Quit, Session
from espshell.shell.terminal import early, editing, last_port
from espshell.shell.terminal.background import TerminalInput

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

_MOST_LINES = 10
"""How many lines that were not run are shown."""
_MOST_FAILURES = 3
"""The shell ends after so many failures of the prompt in a row."""


def run(
    session: Session, first: Script | None = None, terminal: TerminalInput | None = None
) -> int:
    """Run start-up lines, then what is typed, until `quit` or Ctrl-D.

    ``terminal``: what it has sent before.

    Returns the exit status: 0, or the argument of `quit`.
    """
    with _unseen_control_keys():
        return _run(session, first, terminal or TerminalInput())


def _run(session: Session, first: Script | None, terminal: TerminalInput) -> int:
    usb = _remember_port(session, None)
    session.ask = functools.partial(_ask, session)
    session.output.pager = lambda: session.settings.pager if session.interactive else ""
    runner = Runner(session)
    prompt: PromptSession[str] | None = None
    held = contextlib.ExitStack()  # the terminal, from the early prompt to the first line
    failures = 0  # in a row, of the prompt itself
    while failures < _MOST_FAILURES:
        try:
            if first is not None:
                lines, first = first, None
                _run_first(runner, lines)
            with held:
                prompt = prompt or _open(session, terminal, held)
                text = _read(session, prompt)
            failures = 0
            _run_lines(runner, text or session.next_line)
            usb = _remember_port(session, usb)
        except KeyboardInterrupt:
            continue
        except EOFError:
            return 0
        except Quit as leaving:
            return leaving.status or 0
        except BrokenPipeError:
            raise
        except Exception as error:  # noqa: BLE001 - the last resort: the session goes on
            failures += 1
            session.output.error(as_error(error).one_line())
    return InternalError.exit_status


def _open(
    session: Session, terminal: TerminalInput, held: contextlib.ExitStack
) -> PromptSession[str]:
    """Return the editor of lines, with what is typed while it is imported."""
    shown = early.prompt(session, terminal, held)
    prompt = editing.open_prompt(session)
    editing.take_over(prompt, session, shown)
    session.history = prompt.history.get_strings
    return prompt


def _ask(session: Session, question: str) -> bool:
    """Ask a yes-or-no question; the default is no."""
    session.output.finished()
    try:
        return input(session.output.question(question)).strip().lower() in ("y", "yes")
    except (EOFError, OSError):  # OSError: the terminal has hung up
        return False


def _remember_port(session: Session, last: PortInfo | None) -> PortInfo | None:
    """Keep the port for the next start unless it is the last one kept; return that one."""
    usb = session.target.usb if session.target else None
    if usb is None or usb == last:
        return last
    last_port.remember(usb)
    return usb


def _run_first(runner: Runner, text: Script) -> None:
    """Run start-up lines; an error ends them, and not the session."""
    session = runner.session
    try:
        if check(session, (text, ()), to_run=True).chip and session.target is None:
            session.output.note(f"{text.name}: not run, because no chip is connected")
        else:
            runner.run_script(text)
    except EspError as error:
        script.report(session.output, error)
    except KeyboardInterrupt:
        session.output.interrupted()


def _read(session: Session, prompt: PromptSession[str]) -> str:
    """Return the typed text: several lines if pasted, or continued by a backslash.

    Raises: KeyboardInterrupt, also for a Ctrl-C so close behind Enter that it came as a key.
    """
    editing.prepare(prompt, session)
    text = prompt.prompt(lambda: editing.shown_prompt(session))
    while is_continued(text):
        text = text[:-1] + prompt.prompt("... ")
    if editing.is_interrupted(prompt):
        session.output.interrupted()
        raise KeyboardInterrupt
    return text.strip()


def _run_lines(runner: Runner, text: str) -> None:
    """Run lines until one fails; Ctrl-C ends the command, and the session goes on."""
    session, rest = runner.session, list(split_lines(text))
    try:
        while rest:
            _, line = rest.pop(0)
            before = session.lost
            status = runner.run_line(line)
            if session.lost is not None and session.lost is not before:  # lost just now
                recovery.wait_and_reconnect(session)
            target = session.target
            if target is not None and not target.loader.dialect.is_secure:
                with contextlib.suppress(EspError):  # the next command will report it
                    target.read_revision()  # for the toolbar
            if status:
                break
    except KeyboardInterrupt:
        session.variables["?"] = str(Interrupted.exit_status)
        session.output.interrupted()
    _tell_not_run(session, rest)


@contextlib.contextmanager
def _unseen_control_keys() -> Iterator[None]:
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


def _tell_not_run(session: Session, rest: Sequence[tuple[int, str]]) -> None:
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
