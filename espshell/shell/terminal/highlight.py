"""The colours of a line that is being typed: by its form, and by what exists.

A command, place or variable that exists is coloured otherwise than one that does not, before Enter.
Nothing is read from the chip for that, and each name is looked up once.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator

from prompt_toolkit.document import Document
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.lexers import Lexer
from pygments.token import Comment, Keyword, Name, Number, Operator, String, Text, _TokenType

from espshell.errors import EspError
from espshell.shell.arguments.types import Scope
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
            scope = session.scope_at_hand
            scope.prefixes = False  # whole names only: one letter may begin a name by chance
            self._names[key] = bool(re.match(r"[A-Za-z_]", name)) and _is_known(scope, space, name)
        return self._names[key]


def _is_known(scope: Scope, space: str, name: str) -> bool:
    with contextlib.suppress(EspError):
        if space == "flash" and scope.chip is not None:
            return name.lower() in {place.lower() for place in scope.space(space).names()}
        return scope.chip is not None and (scope.space(space) if space else scope).knows(name)
    return False
