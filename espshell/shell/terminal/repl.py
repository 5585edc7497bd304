"""The prompt: prompt_toolkit around a session.  Imported only for a person at a terminal.

The loop is synchronous: prompt, run, print, prompt.  Nothing is printed while a line is edited, so
nothing has to be patched, and Ctrl-C in a command is a plain KeyboardInterrupt.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from platformdirs import user_data_path
from prompt_toolkit import PromptSession
from prompt_toolkit.application import Application
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.cursor_shapes import ModalCursorShapeConfig
from prompt_toolkit.document import Document
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples
from prompt_toolkit.lexers import DynamicLexer, Lexer
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import BaseStyle, DynamicStyle

from espshell.errors import EspError
from espshell.link.ports import PortInfo
from espshell.render.theme import paint
from espshell.shell import recovery, script
from espshell.shell.check import check
from espshell.shell.crash import InternalError, Interrupted, as_error
from espshell.shell.language.grammar import is_continued, split_lines
from espshell.shell.registry import COMMANDS
from espshell.shell.runner import Runner
from espshell.shell.script import Script
from espshell.shell.session import Quit, Session
from espshell.shell.terminal import colors, complete, editing, highlight, last_port
from espshell.shell.terminal.background import Asked
from espshell.shell.terminal.history import LastingHistory

HISTORY_FILE = "history"

_ADVICE = "plug it in, then `reconnect`"

_SWITCH_S = 0.0005  # a key waits no longer for what is imported meanwhile; Python's is 5 ms

_MOST_FAILURES = 3
"""The shell ends after so many failures of the prompt in a row."""


def run(session: Session, first: Script | None = None, asked: Asked | None = None) -> int:
    """Run start-up lines, then what is typed, until `quit` or Ctrl-D.

    ``asked``: what the terminal was asked before, and what was typed meanwhile.

    Returns the exit status: 0, or the argument of `quit`.
    """
    with editing.unseen_control_keys():
        return _run(session, first, asked)


def _run(session: Session, first: Script | None, asked: Asked | None) -> int:
    usb = _remember_port(session, None)
    prompt = _prompt_session(session)
    _load_meanwhile(session, prompt)
    if asked is not None:
        editing.take_over(prompt, session, asked)
    session.history = prompt.history.get_strings
    session.ask = functools.partial(_ask, session)
    session.output.pager = lambda: session.settings.pager if session.interactive else ""
    runner = Runner(session)
    failures = 0  # in a row, of the prompt itself
    while failures < _MOST_FAILURES:
        try:
            if first is not None:
                lines, first = first, None
                _run_first(runner, lines)
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


def _load_meanwhile(session: Session, prompt: PromptSession[str]) -> None:
    """Import what the first key needs, and rich, while a person looks: each takes 50 ms."""

    def load() -> None:
        before = sys.getswitchinterval()
        sys.setswitchinterval(_SWITCH_S)
        try:
            highlight.KnowingLexer(session)
            COMMANDS.find("peek").usage  # noqa: B018 - runs the modules of the types of arguments
            if session.output.color:
                import_module("rich.console")
        finally:
            sys.setswitchinterval(before)

    def start(app: Application[str]) -> None:
        app.after_render -= start
        threading.Thread(target=load).start()

    prompt.app.after_render += start


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
    """Return the typed text: several lines if pasted, or continued by a backslash."""
    editing.prepare(prompt, session)
    text = prompt.prompt(lambda: ANSI(_prompt_text(session)))
    while is_continued(text):
        text = text[:-1] + prompt.prompt("... ")
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
    editing.tell_not_run(session, rest)


def _prompt_text(session: Session) -> str:
    """Return ``esp32c3:rom> ``, coloured."""
    target = session.target
    name = f"{target.chip.name}:{target.loader.dialect.name}" if target else "espshell"
    return session.output.recolored(paint(f"{name}> ", "prompt"))


def _toolbar(session: Session, text: str, columns: int) -> StyleAndTextTuples:
    """Return the line below the prompt: the connection, and the usage of the typed command.

    Without room for both, the usage only.
    """
    where, usage = _connection_text(session), complete.usage(session, text)
    if usage and len(where) + 2 + len(usage) > columns:
        where = ""
    gap = "  " if where and usage else ""
    return [
        ("class:bottom-toolbar", where + gap),
        ("class:bottom-toolbar.usage", usage),
    ]


def _connection_text(session: Session) -> str:
    target = session.target
    if target is None:
        return f"lost {session.bench.port}; {_ADVICE}" if session.lost else "not connected"
    if editing.is_gone(target.link.port.url):
        return f"{target.link.port.url} is gone; {_ADVICE}"
    chip = target.chip.title
    if target.revision is not None:
        chip += " v{}.{}".format(*target.revision)
    port = target.link.port
    written = f"  journal {len(session.journal)}" if len(session.journal) else ""
    return f"{port.url}  {port.baud} baud  {chip}  {target.loader.dialect.name}{written}"


class _Completer(Completer):
    """Candidates of ``complete`` for prompt_toolkit."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """Yield the completions of the word before the cursor."""
        text = document.text_before_cursor
        pressed = complete_event.completion_requested
        try:
            candidates = complete.candidates(self._session, text, may_read=pressed)
        except Exception as error:  # noqa: BLE001 - a bug is logged, and the line stays
            as_error(error)
            return
        for candidate in candidates:
            yield Completion(candidate.text, -candidate.size, display_meta=candidate.about)


def _prompt_session(session: Session) -> PromptSession[str]:
    @functools.cache
    def lexer() -> Lexer:  # imported with the first key, so that the prompt need not wait
        return highlight.KnowingLexer(session)

    path = Path(user_data_path("espshell", appauthor=False)) / HISTORY_FILE
    prompt: PromptSession[str] = PromptSession(
        history=LastingHistory(path, session.output.note),
        completer=_Completer(session),
        complete_while_typing=Condition(lambda: session.settings.complete == "typing"),
        auto_suggest=AutoSuggestFromHistory(),
        lexer=DynamicLexer(lambda: lexer() if prompt.default_buffer.text else None),
        style=DynamicStyle(lambda: _style(session)),
        include_default_pygments_style=False,
        enable_open_in_editor=True,
        enable_suspend=True,
        cursor=ModalCursorShapeConfig(),
        color_depth=None if session.output.color else ColorDepth.MONOCHROME,
    )

    def toolbar() -> StyleAndTextTuples:
        columns = prompt.app.output.get_size().columns
        try:
            return _toolbar(session, prompt.default_buffer.document.text_before_cursor, columns)
        except Exception as error:  # noqa: BLE001 - a bug is logged, and the line stays
            as_error(error)
            return []

    prompt.bottom_toolbar = toolbar
    return prompt


@functools.cache
def _prompt_style(theme: str) -> BaseStyle:
    return colors.prompt_style(theme)


def _style(session: Session) -> BaseStyle:
    """Return the style of the theme as of now; each is made once."""
    return _prompt_style(session.output.chosen_theme)
