"""How lines are edited at the prompt: prompt_toolkit around a session.

Imported only for a person at a terminal.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from platformdirs import user_data_path
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.cursor_shapes import ModalCursorShapeConfig
from prompt_toolkit.document import Document
from prompt_toolkit.enums import EditingMode
from prompt_toolkit.filters import Always, Condition
from prompt_toolkit.formatted_text import ANSI, StyleAndTextTuples
from prompt_toolkit.input import typeahead
from prompt_toolkit.input.vt100_parser import Vt100Parser
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys
from prompt_toolkit.lexers import DynamicLexer
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import DynamicStyle

from espshell import files
from espshell.shell.crash import as_error
from espshell.shell.registry import COMMANDS
from espshell.shell.session import Session
from espshell.shell.terminal import background, complete, early, highlight
from espshell.shell.terminal.early import EarlyPrompt
from espshell.shell.terminal.history import LastingHistory

HISTORY_FILE = "history"
ADVICE = "plug it in, then `reconnect`"

_MODES = {"emacs": EditingMode.EMACS, "vi": EditingMode.VI}
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


def shown_prompt(session: Session) -> ANSI:
    """Return the prompt, as it is drawn."""
    return ANSI(early.painted(session, early.prompt_text(session)))


def take_over(prompt: PromptSession[str], session: Session, shown: EarlyPrompt) -> None:
    """Give the prompt what is typed before it is drawn; keep a late answer out of its line.

    What has been typed so far, its keys take in before the first drawing, and the first keys take
    tens of milliseconds; what is typed until then comes at the drawing itself.
    """
    app = prompt.app
    keys: list[KeyPress] = []
    Vt100Parser(keys.append).feed(shown.typed())
    typeahead.store_typeahead(app.input, keys)

    def end(_: object) -> None:
        app.before_render -= end
        terminal = shown.end()
        session.output.background = session.output.background or terminal.background
        typing = Vt100Parser(app.key_processor.feed)
        typing.feed(terminal.typed)
        typing.flush()
        app.key_processor.process_keys()
        if terminal.is_late:
            _take_late_answer(prompt, session)

    app.before_render += end


def _take_late_answer(prompt: PromptSession[str], session: Session) -> None:
    """Keep an answer of the terminal that comes yet out of what is typed."""
    parser = getattr(prompt.app.input, "vt100_parser", None)
    if parser is None:
        return
    feed = parser.feed

    def feed_keys(data: str) -> None:
        answer = background.answered(data)
        session.output.background = session.output.background or answer.background
        feed(answer.typed)

    parser.feed = feed_keys


def is_interrupted(prompt: PromptSession[str]) -> bool:
    """Return whether Ctrl-C was read behind Enter; what was typed before it is dropped with it."""
    keys = typeahead.get_typeahead(prompt.app.input)
    interrupts = [index for index, press in enumerate(keys) if press.key == Keys.ControlC]
    typeahead.store_typeahead(prompt.app.input, keys[interrupts[0] + 1 :] if interrupts else keys)
    return bool(interrupts)


def is_gone(port: str) -> bool:
    """Return whether a port is a device that is no longer there."""
    return port.startswith("/") and not files.exists(Path(port))


def open_prompt(session: Session) -> PromptSession[str]:
    """Return a prompt for the lines of a session, with all that its first key needs imported."""
    lexer = highlight.KnowingLexer(session)
    COMMANDS.verbs()[0].usage  # noqa: B018 - runs the modules of commands and of arguments
    if session.output.color:
        import_module("rich.console")
    path = Path(user_data_path("espshell", appauthor=False)) / HISTORY_FILE
    prompt: PromptSession[str] = PromptSession(
        history=LastingHistory(path, session.output.note),
        completer=_Completer(session),
        complete_while_typing=Condition(lambda: session.settings.complete == "typing"),
        auto_suggest=AutoSuggestFromHistory(),
        lexer=DynamicLexer(lambda: lexer if prompt.default_buffer.text else None),
        style=DynamicStyle(lambda: highlight.prompt_style(session.output.chosen_theme)),
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


def _toolbar(session: Session, text: str, columns: int) -> StyleAndTextTuples:
    """Return the line below the prompt: the connection, and the usage of the typed command.

    Without room for both, the usage only.
    """
    where, usage = _connection_text(session), complete.usage(session, text)
    if usage and len(where) + 2 + len(usage) > columns:
        where = ""
    gap = "  " if where and usage else ""
    return [("class:bottom-toolbar", where + gap), ("class:bottom-toolbar.usage", usage)]


def _connection_text(session: Session) -> str:
    target = session.target
    if target is None:
        return f"lost {session.bench.port}; {ADVICE}" if session.lost else "not connected"
    if is_gone(target.link.port.url):
        return f"{target.link.port.url} is gone; {ADVICE}"
    chip = target.chip.title
    if target.revision is not None:
        chip += " v{}.{}".format(*target.revision)
    port = target.link.port
    written = f"  journal {len(session.journal)}" if len(session.journal) else ""
    return f"{port.url}  {port.baud} baud  {chip}  {target.loader.dialect.name}{written}"
