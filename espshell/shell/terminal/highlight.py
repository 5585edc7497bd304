"""The colours of the prompt, and of a line that is being typed: by its form, and by what exists.

A command, place or variable that exists is coloured otherwise than one that does not, before Enter.
Nothing is read from the chip for that, and each name is looked up once.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from functools import cache

from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.lexers import Lexer
from prompt_toolkit.styles import Style
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Text, _TokenType

from espshell.errors import EspError
from espshell.render.theme import STYLES, THEMES
from espshell.shell.language.lexer import EspshLexer
from espshell.shell.registry import COMMANDS
from espshell.shell.session import Session

_MOST_NAMES = 2000  # looked up and remembered

_STYLES: dict[_TokenType, str] = {
    Comment: "comment",
    Keyword.Namespace: "label",
    Keyword.Type: "label",
    Name.Attribute: "option",
    Number: "number",
    Operator.Word: "label",
    String: "string",
}
"""The styles of what needs no knowledge; what stands for none of these is plain."""


_MENUS = {
    "dark": ("#d0d0d0", "#303030", "#ffffff", "#005f87"),
    "light": ("#303030", "#e4e4e4", "#ffffff", "#005f87"),
}
"""Text and background of a menu, then of its chosen row; elsewhere it is reverse."""

# What prompt_toolkit would else show in colours of its own.
_MENU_PARTS = (
    "completion-menu", "completion-menu.completion", "completion-menu.meta.completion",
    "completion-toolbar.completion",
)  # fmt: skip
_MENU_REST = (
    "completion-menu.multi-column-meta", "completion-toolbar", "completion-toolbar.arrow",
    "scrollbar.background",
)  # fmt: skip
_RECEDE = ("aborting", "exiting", "auto-suggestion", "tab", "trailing-whitespace")
_ODD = ("control-character", "nbsp", "digraph")
_MARKED = (
    "search", "matching-bracket.cursor", "matching-bracket.other", "multiple-cursors",
    "validation-toolbar", "window-too-small",
)  # fmt: skip


class KnowingLexer(Lexer):
    """Colours a line by the commands and names that a session has."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._lexer = EspshLexer(stripnl=False, ensurenl=False)
        self._names: dict[tuple[str, str], bool] = {}
        self._known_to: tuple[object, ...] = ()
        self.lookups = 0
        """Names looked up so far."""

    def lex_document(self, document: Document) -> Callable[[int], StyleAndTextTuples]:
        """Return the styled text of a line by its number."""
        lines: list[StyleAndTextTuples] = [[]]
        for style, text in self._styled(document.text):
            for index, piece in enumerate(text.split("\n")):
                if index:
                    lines.append([])
                lines[-1].append((f"class:espsh.{style}" if style else "", piece))
        return lambda number: lines[number] if number < len(lines) else []

    def _styled(self, text: str) -> Iterator[tuple[str, str]]:
        first = space = ""  # the command's first word while a second may follow; flash: and so on
        for kind, piece in self._lexer.get_tokens(text):
            style = next((_STYLES[up] for up in (kind, kind.parent) if up in _STYLES), "")
            if kind is Keyword:
                style, first = self._command(piece), piece.lower()
            elif kind is Text and first and piece.lower() in COMMANDS.family(first):
                style, first = "command", ""
            elif kind in (Text, Name.Class) and self._exists(space, piece):
                style = "place"
            elif kind in (Name.Variable, String.Interpol):
                name = piece.strip("${}").partition(":-")[0]
                exists = name in self._session.variables or ":-" in piece
                style = "variable" if exists else "unknown"
            if not piece.isspace() and kind is not Keyword:
                first = ""
            if kind is Keyword.Namespace:
                space = piece.lower()
            elif piece != ":":
                space = "" if piece.isspace() else space
            yield style, piece

    def _command(self, name: str) -> str:
        if name in self._session.aliases or COMMANDS.get(name) or COMMANDS.family(name):
            return "command"
        try:
            COMMANDS.find(name, prefixes=True)
        except EspError as error:
            return "" if "could be" in error.message else "unknown"
        return "command"

    def _exists(self, space: str, name: str) -> bool:
        """Return whether a name has a meaning; remembered until what gives names changes."""
        session = self._session
        connection = session.connection
        partitions = connection.partitions if connection else None
        sources = (connection, partitions, session.symbols, session.svd)
        if sources != self._known_to or len(self._names) > _MOST_NAMES:
            self._known_to = sources
            self._names.clear()
        key = (space, name)
        if key not in self._names:
            self.lookups += 1
            self._names[key] = bool(re.match(r"[A-Za-z_]", name)) and self._is_known(space, name)
        return self._names[key]

    def _is_known(self, space: str, name: str) -> bool:
        scope = self._session.scope_at_hand
        scope.prefixes = False  # whole names only: one letter may begin a name by chance
        if scope.chip is None:
            return False
        with contextlib.suppress(EspError):
            if space == "flash":
                return name.lower() in {place.lower() for place in scope.space(space).names()}
            return (scope.space(space) if space else scope).knows(name)
        return False


@cache
def prompt_style(theme: str) -> Style:
    """Return the style of the prompt: every class that it can show, in colours of a theme."""
    styles = {name: attributes(THEMES[theme].get(codes, "")) for name, codes in STYLES.items()}
    rules = {f"espsh.{name}": style for name, style in styles.items()}
    rules |= {"bottom-toolbar": "noreverse", "bottom-toolbar.usage": styles["hint"]}
    for name, style in (("note", _RECEDE), ("warning", _ODD), ("changed", _MARKED)):
        rules |= dict.fromkeys(style, f"noinherit {styles[name]}")
    menu = _MENUS.get(theme)
    rest = "noinherit " + (f"{menu[0]} bg:{menu[1]}" if menu else "reverse")
    current = "noinherit " + (f"{menu[2]} bg:{menu[3]}" if menu else "bold")
    for part in _MENU_PARTS:
        rules[part] = rest
        rules[f"{part}.current"] = current
    rules |= dict.fromkeys(_MENU_REST, rest) | {"scrollbar.button": current}
    return Style.from_dict(rules)


def attributes(codes: str) -> str:
    """Return SGR codes as prompt_toolkit has them."""
    words = {"1": "bold", "2": "dim", "3": "italic", "4": "underline", "7": "reverse"}
    names = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "gray")
    if indexed := re.search(r"38;5;(\d+)", codes):
        codes = codes.replace(indexed[0], "")
    parts = [code for code in codes.split(";") if code]
    styles = [words.get(code) or f"fg:ansi{names[int(code) - 30]}" for code in parts]
    return " ".join([*styles, rgb_text(int(indexed[1]))] if indexed else styles)


def rgb_text(index: int) -> str:
    """Return a colour of xterm's palette, 16 to 255: a cube of six levels, then greys."""
    if index >= 232:
        return "#" + f"{8 + 10 * (index - 232):02x}" * 3
    levels = (0, 95, 135, 175, 215, 255)
    cube = index - 16
    return "#" + "".join(f"{levels[cube // step % 6]:02x}" for step in (36, 6, 1))
