"""The source of a command for a transcript, such that it means the same when the transcript runs.

A transcript has no arguments and is in another folder than the script whose lines it repeats.  So
aliases and shortened names are written out, ``$1`` becomes its value, and the path of a sourced
file absolute.  All other variables stay: the transcript has the lines that set them.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from espshell import files
from espshell.errors import UsageError
from espshell.shell.declaration import Trait
from espshell.shell.language import expr
from espshell.shell.language.assignment import assigned
from espshell.shell.language.words import Piece, PlainText, Variables, Word
from espshell.shell.lines import Prepared
from espshell.shell.registry import REST
from espshell.units import parse_number

_PLAIN = re.compile(r"[\w./:+=,@%-]+")


def as_in_a_script(prepared: Prepared, variables: Variables, folder: Path) -> str:
    """Return the source of a command with its full name, ``-`` and redirect.

    Files that it sources are relative to ``folder``.
    """
    command, redirect = prepared.command, prepared.command.redirect
    innermost = prepared.innermost
    write = _writer(innermost)
    words = command.words
    texts = {word.column: _without_arguments(word, variables, write(word)) for word in words}
    if Trait.LINES in innermost.verb.traits and innermost.command.words:
        name = innermost.command.words[0]
        with contextlib.suppress(UsageError):  # no valid path: the line fails again when it is run
            path = (folder / files.path_of(name.expand(variables))).absolute()
            texts[name.column] = quoted(str(path))
    source = prepared.verb.name + command.text[len(command.name.raw) :]
    shift = len(prepared.verb.name) - len(command.name.raw) - command.column
    for word in reversed(words):
        start = word.column + shift
        source = source[:start] + texts[word.column] + source[start + len(word.raw) :]
    to = ""
    if redirect is not None:
        target = redirect.target
        to = target.raw if redirect.kind == "|" else _without_arguments(target, variables, quoted)
        to = f" {redirect.kind} {to}"
    return f"{'-' if command.ignore_failure else ''}{source}{to}"


def assignment(name: str, value: str) -> str:
    """Return the line that sets a variable to a value."""
    return f"let {name} = {value if value.isdigit() else quoted(value, always=True)}"


def _expression_start(prepared: Prepared) -> float:
    """Return the column from which on a command has an expression; infinity if it has none."""
    if _is_let(prepared):
        return prepared.command.column
    return next((words[0].column for slot, words in prepared.bound if slot is REST), math.inf)


def _is_let(prepared: Prepared) -> bool:
    return prepared.verb.rest == "assignment" and Trait.ALIAS not in prepared.verb.traits


def _writer(prepared: Prepared) -> Callable[[Word], Callable[[str], str]]:
    """Return what says how values are written in a word, where they are not in quotes.

    In an expression as they are, which is how the line has had them; alone in ``let`` as text.
    """
    command, start = prepared.command, _expression_start(prepared)
    if _is_let(prepared) and command.words and assigned(command).value.lone_variable():
        return lambda _: _number_or_text
    return lambda word: _inserted if word.column >= start else quoted


def _inserted(value: str) -> str:
    text = quoted(value)
    return value if text == f"({value})" else text


def _number_or_text(value: str) -> str:
    return value if parse_number(value) is not None else quoted(value, always=True)


def _without_arguments(word: Word, variables: Variables, write: Callable[[str], str]) -> str:
    """Return the source of a word with the values of ``$1``, ``$~1`` and so on."""
    return "".join(_pieces(word.pieces, variables, write, in_quotes=False))


def _pieces(
    pieces: tuple[Piece, ...], variables: Variables, write: Callable[[str], str], *, in_quotes: bool
) -> Iterator[str]:
    for piece in pieces:
        if isinstance(piece, PlainText):
            in_quotes ^= piece.raw == '"'
            yield piece.raw
        elif not piece.name.lstrip("~").isdigit():
            yield piece.raw
        elif (value := variables.get(piece.name)) is not None:
            yield _escaped(value) if in_quotes else write(value)
        else:
            yield from _pieces(piece.default or (), variables, write, in_quotes=in_quotes)


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
