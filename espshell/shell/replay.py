"""The source of a command for a transcript, such that it means the same when the transcript runs.

A transcript has no arguments and is in another folder than the script whose lines it repeats.  So
aliases and shortened names are written out, ``$1`` becomes its value, and the path of a sourced
file absolute.  All other variables stay: the transcript has the lines that set them.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from espshell import files, regex
from espshell.errors import UsageError
from espshell.shell.declaration import Trait
from espshell.shell.language import expr
from espshell.shell.language.words import Piece, PlainText, Variables, Word
from espshell.shell.lines import Prepared

_PLAIN = regex.late(r"[\w./:+=,@%-]+")


def as_in_a_script(prepared: Prepared, variables: Variables, folder: Path) -> str:
    """Return the source of a command with its full name, ``-`` and redirect.

    Files that it sources are relative to ``folder``.
    """
    command, redirect = prepared.command, prepared.command.redirect
    texts = {word.column: _without_arguments(word, variables) for word in command.words}
    innermost = prepared.innermost
    if Trait.LINES in innermost.verb.traits and innermost.command.words:
        name = innermost.command.words[0]
        with contextlib.suppress(UsageError):  # no valid path: the line fails again when it is run
            path = (folder / files.path_of(name.expand(variables))).absolute()
            texts[name.column] = quoted(str(path))
    source = prepared.verb.name + command.text[len(command.name.raw) :]
    shift = len(prepared.verb.name) - len(command.name.raw) - command.column
    for word in reversed(command.words):
        start = word.column + shift
        source = source[:start] + texts[word.column] + source[start + len(word.raw) :]
    to = ""
    if redirect is not None:
        target = redirect.target
        to = target.raw if redirect.kind == "|" else _without_arguments(target, variables)
        to = f" {redirect.kind} {to}"
    return f"{'-' if command.ignore_failure else ''}{source}{to}"


def assignment(name: str, value: str) -> str:
    """Return the line that sets a variable to a value."""
    return f"let {name} = {value if value.isdigit() else quoted(value, always=True)}"


def _without_arguments(word: Word, variables: Variables) -> str:
    """Return the source of a word with the values of ``$1``, ``$~1`` and so on."""
    return "".join(_pieces(word.pieces, variables, in_quotes=False))


def _pieces(pieces: tuple[Piece, ...], variables: Variables, *, in_quotes: bool) -> Iterator[str]:
    for piece in pieces:
        if isinstance(piece, PlainText):
            in_quotes ^= piece.raw == '"'
            yield piece.raw
        elif not piece.name.lstrip("~").isdigit():
            yield piece.raw
        elif (value := variables.get(piece.name)) is not None:
            yield _escaped(value) if in_quotes else quoted(value)
        else:
            yield from _pieces(piece.default or (), variables, in_quotes=in_quotes)


def _escaped(value: str) -> str:
    return re.sub(r'([$"\\`])', r"\\\1", value)


def quoted(value: str, *, always: bool = False) -> str:
    """Return a value as one word of a line: in parentheses if it is an expression of several."""
    if _PLAIN.fullmatch(value) and not always:
        return value
    try:
        if not always and expr.parse(value):
            return f"({value})"
    except UsageError:
        pass
    return f'"{_escaped(value)}"'
