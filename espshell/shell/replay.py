"""The source of a command for a transcript, such that it means the same when the transcript runs.

A transcript has no arguments and is in another folder than the script whose lines it repeats.  So
aliases and shortened names are written out, ``$1`` becomes its value, and the path of a sourced
file absolute.  All other variables stay: the transcript has the lines that set them.

A value is inserted in a line as text, and not as a value of its own: ``DRAM+$1`` with ``1<<4`` is
``DRAM+1<<4``.  So it stands there unchanged wherever the word stays one word that says the same.
"""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from espshell import files, regex
from espshell.errors import EspError, UsageError
from espshell.shell.arguments.types import AnyType
from espshell.shell.declaration import Trait
from espshell.shell.language import expr, grammar
from espshell.shell.language.assignment import assigned
from espshell.shell.language.scope import TargetScope
from espshell.shell.language.words import Piece, PlainText, Variables, Word
from espshell.shell.lines import Prepared
from espshell.shell.registry import OPTION, REST, Bound
from espshell.units import number_text, parse_number

_PLAIN = regex.late(r"(?!--?[A-Za-z]|@)[\w./:+=,@%-]+")
_ESCAPED = regex.late(r"\\.")
_SPACES = regex.late(r"(?<!\w)\s+|\s+(?!\w)")
"""What an expression does not need: spaces between words are all that separates anything."""


def as_in_a_script(
    prepared: Prepared, variables: Variables, folder: Path, scope: TargetScope | None = None
) -> str:
    """Return the source of a command with its full name, ``-`` and redirect.

    Files that it sources are relative to ``folder``.  ``scope``: where its names may be shortened.
    """
    command, redirect = prepared.command, prepared.command.redirect
    innermost = prepared.innermost
    write = _writer(prepared, variables)
    words = command.words
    texts = {word.column: write(word) for word in words}
    texts |= _inner_names(prepared)
    if scope is not None:
        texts = _with_whole_names(texts, prepared, variables, scope)
    if Trait.LINES in innermost.verb.traits and innermost.command.words:
        name = innermost.command.words[0]
        with contextlib.suppress(UsageError):  # no valid path: the line fails again when it is run
            path = (folder / files.path_of(name.expand(variables))).absolute()
            texts[name.column] = str(path) if _PLAIN.fullmatch(str(path)) else _as_text(str(path))
    source = prepared.verb.name + command.text[len(command.name.raw) :]
    shift = len(prepared.verb.name) - len(command.name.raw) - command.column
    for word in reversed(words):
        start = word.column + shift
        source = source[:start] + texts[word.column] + source[start + len(word.raw) :]
    to = ""
    if redirect is not None:
        target = redirect.target
        to = target.raw if redirect.kind == "|" else _text(target, variables)
        to = f" {redirect.kind} {to}"
    return f"{'-' if command.ignore_failure else ''}{source}{to}"


def _inner_names(prepared: Prepared) -> Iterator[tuple[int, str]]:
    """Yield the words of the full names of the commands inside of one, with their columns."""
    while (inner := prepared.inner) is not None:
        column, parts = inner.command.name.column, inner.verb.name.split()
        words = [word for word in prepared.command.words if word.column >= column]
        if len(inner.command.name.raw.split()) == len(parts):
            yield from zip((word.column for word in words), parts, strict=False)
        prepared = inner


def _with_whole_names(
    texts: dict[int, str], prepared: Prepared, variables: Variables, scope: TargetScope
) -> dict[int, str]:
    """Return words in which shortened names of places are written out."""
    names: set[str] = set()
    held: Prepared | None = prepared
    while held is not None:
        for kind, words in ((s.type, w) for s, w in _arguments(held) if s.type and s.type.raw):
            with contextlib.suppress(UsageError):
                names |= set(kind.names(kind.parse([w.expand(variables, raw=True) for w in words])))
        held = held.inner
    for name in names:
        space, _, short = name.rpartition(":")
        whole = _whole(name, scope)
        if whole != short:
            pattern = re.compile(rf"""(?<![\w$'"])(?<!\w\.){re.escape(short)}(?!\w|\.\w)""")
            is_there = re.compile(rf"{space}:", re.IGNORECASE) if space else pattern
            texts = {
                column: pattern.sub(whole, text) if is_there.search(text) else text
                for column, text in texts.items()
            }
    return texts


def _arguments(prepared: Prepared) -> Bound:
    """Return what the words of a command are, the value of ``let`` included."""
    command = prepared.command
    if not (_is_let(prepared) and command.words):
        return prepared.bound
    return ((REST, (assigned(command).value,)),)


def _is_let(prepared: Prepared) -> bool:
    return prepared.verb.rest == "assignment" and Trait.ALIAS not in prepared.verb.traits


def _whole(name: str, scope: TargetScope) -> str:
    """Return a name behind its space as a script needs it; itself if it is whole, or means none."""
    space, _, short = name.rpartition(":")
    try:
        scope.prefixes = False
        if scope.knows(name):
            return short
        scope.prefixes = True
        inside = scope.space(space) if space else scope
        if (place := inside.place(short)) is not None:
            return place.name
        match = None if space else scope.field(short)
        return f"{match[0].full_name}.{match[1].name}" if match else short
    except EspError:  # said when it runs
        return short
    finally:
        scope.prefixes = True


def assignment(name: str, value: str) -> str:
    """Return the line that sets a variable to exactly this value."""
    number = parse_number(value)
    is_number = number is not None and number_text(number) == value
    return f"let {name} = {value if is_number else _as_text(value)}"


def _writer(prepared: Prepared, variables: Variables) -> Callable[[Word], str]:
    """Return what gives the source of a word of a command without ``$1``, ``$~1`` and so on."""
    start, expressions = math.inf, set[int]()
    while True:
        for slot, bound in prepared.bound:
            if slot is REST:
                start = bound[0].column
            elif slot.type is not None and slot.type.raw:
                paths = _paths(slot.type, bound, variables)
                expressions |= {
                    word.column + len(word.raw)
                    for word in bound
                    if not paths or word.expand(variables, raw=True) not in paths
                }
        if prepared.inner is None:
            break
        prepared = prepared.inner
    command = prepared.command
    is_let = _is_let(prepared)
    if is_let and command.words and assigned(command).value.lone_variable():
        return lambda word: _without_arguments(word, variables, _number_or_text)
    start = command.column if is_let else start

    def write(word: Word) -> str:
        if not any(map(_is_argument, word.pieces)):
            return word.raw
        with contextlib.suppress(UsageError):
            if word.column >= start:
                return _in_expression(word, variables)
            is_raw = word.column + len(word.raw) in expressions
            return _expression(word, variables) if is_raw else _text(word, variables)
        return word.raw  # a variable is not set: the line fails

    return write


def _paths(kind: AnyType, words: Sequence[Word], variables: Variables) -> set[str]:
    """Return the files that an argument names; none if it is wrong."""
    with contextlib.suppress(UsageError):
        value = kind.parse([word.expand(variables, raw=True) for word in words])
        return {str(path) for path in (*kind.files(value), *kind.outputs(value))}
    return set()


def _in_expression(word: Word, variables: Variables) -> str:
    """Return a word of an expression that is the rest of its line. Raises: UsageError."""
    inserted = _without_arguments(word, variables, str)
    is_same = _cut(inserted, word, variables, is_rest=True) == word.expand(variables, raw=True)
    return inserted if is_same else _without_arguments(word, variables, quoted)


def _expression(word: Word, variables: Variables) -> str:
    """Return a word that is an expression, or a place, as one word. Raises: UsageError."""
    inserted, wanted = _without_arguments(word, variables, str), word.expand(variables, raw=True)
    for text in (inserted, _SPACES.sub("", inserted)):
        cut = _cut(text, word, variables)
        if cut is not None and _SPACES.sub("", cut) == _SPACES.sub("", wanted):
            return text
    with contextlib.suppress(UsageError):
        return f"({inserted})" if expr.parse(wanted) else ""
    return _without_arguments(word, variables, quoted)


def _text(word: Word, variables: Variables) -> str:
    """Return a word that is a text. Raises: UsageError."""
    wanted = word.expand(variables)
    for write in (str, _as_text):
        text = _without_arguments(word, variables, write)
        if _cut(text, word, variables, raw=False) == wanted:
            return text
    return _as_text(wanted)


def _cut(
    text: str, original: Word, variables: Variables, *, raw: bool = True, is_rest: bool = False
) -> str | None:
    """Return what a text says in place of a word; None if it is no word, or another kind of one."""
    kept = sum(piece.raw.count("$") for piece in original.pieces if not _is_argument(piece))
    is_other = OPTION.match(text) and not OPTION.match(original.raw)
    values = _ESCAPED.sub("", text)
    if values.count("$") != kept or text.startswith("@") or is_other:
        return None
    try:
        commands = grammar.parse_line(f"x {text}", rest_is_expression=lambda _: is_rest)
    except UsageError:
        return None
    command, *others = commands
    if others or command.redirect or (len(command.words) != 1 and not is_rest):
        return None
    word = command.rest_word(0)
    return word.expand(variables, raw=raw)


def _number_or_text(value: str) -> str:
    """Return a value that stands alone in ``let``: a number, or else a text."""
    return value if parse_number(value) is not None else _as_text(value)


def _is_argument(piece: Piece) -> bool:
    return not isinstance(piece, PlainText) and piece.name.lstrip("~").isdigit()


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
        elif not _is_argument(piece):
            yield piece.raw
        elif (value := variables.get(piece.name)) is not None:
            yield _escaped(value) if in_quotes else write(value)
        else:
            yield from _pieces(piece.default or (), variables, write, in_quotes=in_quotes)


def quoted(value: str, *, always: bool = False) -> str:
    """Return a value as one word of a line: in parentheses if it is an expression of several."""
    if _PLAIN.fullmatch(value) and not always:
        return value
    try:
        if not always and expr.parse(value):
            return f"({value})"
    except UsageError:
        pass
    return _as_text(value)


def _as_text(value: str) -> str:
    return f'"{_escaped(value)}"'


def _escaped(value: str) -> str:
    return re.sub(r'([$"\\`])', r"\\\1", value)
