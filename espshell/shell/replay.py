"""The source of a command for a transcript: it means the same when the transcript is run.

A transcript has no arguments and lies in another folder than the script whose lines it repeats.  So
aliases and shortened names are written out, ``$1`` is replaced by its value, and a file that is
sourced by its absolute path.  All other variables stay: the lines that set them are there, too.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

from espshell import files
from espshell.errors import UsageError
from espshell.shell.declaration import Trait
from espshell.shell.language import expr
from espshell.shell.language.words import Piece, Text, Variables, Word
from espshell.shell.lines import Prepared

_PLAIN = re.compile(r"[\w./:+=,@%-]+")


def as_in_a_script(prepared: Prepared, variables: Variables, folder: Path) -> str:
    """Return the source of a command with its full name, mark and redirect.

    folder: where the files are that it sources.
    """
    command, redirect = prepared.command, prepared.command.redirect
    texts = {word.column: _without_arguments(word, variables) for word in command.words}
    for held in _with_held(prepared):
        if Trait.LINES in held.verb.traits and held.command.words:
            name = held.command.words[0]
            with contextlib.suppress(UsageError):  # no path: it stays, and fails, as it is
                path = (folder / files.path_of(name.expand(variables))).absolute()
                texts[name.column] = _quoted(str(path))
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
    return f"{'-' * command.ignore_failure}{source}{to}"


def assignment(name: str, value: str) -> str:
    """Return the line that sets a variable to a value."""
    return f"let {name} = {value if value.isdigit() else _quoted(value, always=True)}"


def _with_held(prepared: Prepared | None) -> Iterator[Prepared]:
    while prepared is not None:
        yield prepared
        prepared = prepared.inner


def _without_arguments(word: Word, variables: Variables) -> str:
    """Return the source of a word, ``$1`` and such replaced by their values."""
    return "".join(_pieces(word.pieces, variables, in_quotes=False))


def _pieces(pieces: tuple[Piece, ...], variables: Variables, *, in_quotes: bool) -> Iterator[str]:
    for piece in pieces:
        if isinstance(piece, Text):
            in_quotes ^= piece.raw == '"'
            yield piece.raw
        elif not piece.name.isdigit():
            yield piece.raw
        elif (value := variables.get(piece.name)) is not None:
            yield _escaped(value) if in_quotes else _quoted(value)
        else:
            yield from _pieces(piece.default or (), variables, in_quotes=in_quotes)


def _escaped(value: str) -> str:
    return re.sub(r'([$"\\`])', r"\\\1", value)


def _quoted(value: str, *, always: bool = False) -> str:
    """Return a value as one word of a line: in brackets if it is an expression of several."""
    if _PLAIN.fullmatch(value) and not always:
        return value
    try:
        if not always and expr.parse(value):
            return f"({value})"
    except UsageError:
        pass
    return f'"{_escaped(value)}"'
