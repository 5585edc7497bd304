"""Blocks of a script: lines between ``if``, ``for`` or ``repeat`` and ``end``.

    for offset in 0..0x4000..0x1000      each of 0, 0x1000, 0x2000, 0x3000
        if u32[DRAM + $offset] == 0
            echo $offset is blank
        else
            dump (DRAM + $offset) 64
        end
    end

A script is parsed whole before anything runs; what a head means (a condition, how often, which
words) shows when it is reached.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from espshell import regex
from espshell.errors import EspError, UsageError
from espshell.records import dataclass
from espshell.shell import lines, script
from espshell.shell.language import expr, grammar
from espshell.shell.language.expr import Expr
from espshell.shell.language.grammar import Command
from espshell.shell.script import Script
from espshell.units import number_text, parse_number

IF, FOR, REPEAT, ELSE, END = "if", "for", "repeat", "else", "end"

MAX_DEPTH = 20
"""The deepest nesting of blocks."""

_MOST_ROUNDS = 1 << 20
_RANGE = regex.late(r"([^.]+)\.\.([^.]+)(?:\.\.([^.]+))?")
_EDGE = regex.late(r"\b(if|for|else|end|repeat)\b", re.IGNORECASE)
_HEAD = regex.late(r"\s*-?\s*(if|for|else|end|repeat)\b", re.IGNORECASE)
_NAME = regex.late(r"[A-Za-z_]\w*")


@dataclass(frozen=True, slots=True)
class Line:
    """One logical line, and the number of its first physical one."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Block:
    """A block; ``otherwise`` is what stands behind ``else``."""

    kind: str
    head: Line
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...] = ()


Node = Line | Block


def parse(text: Script) -> tuple[Node, ...]:
    """Return the lines and blocks of a script.

    Raises: ScriptError for a block without an end, or an end without a block.
    """
    remaining = [Line(number, line) for number, line in grammar.split_lines(text.text)]
    remaining.reverse()  # the next one is the last: taken by pop
    nodes, closing = _nodes(text, remaining, depth=0)
    if closing is not None:
        raise _wrong(text, closing, f"`{_kind(closing)}` is outside of any block")
    return nodes


def _nodes(
    text: Script, remaining: list[Line], *, depth: int
) -> tuple[tuple[Node, ...], Line | None]:
    """Return the nodes up to a line with ``else`` or ``end``, and that line."""
    nodes: list[Node] = []
    while remaining:
        line = remaining.pop()
        try:
            kind = _kind(line)
        except EspError as error:
            raise script.located(text, line.number, error, line=line.text) from None
        if kind in (ELSE, END):
            return tuple(nodes), line
        nodes.append(_block(text, kind, line, remaining, depth) if kind else line)
    return tuple(nodes), None


def _block(text: Script, kind: str, head: Line, remaining: list[Line], depth: int) -> Block:
    if depth == MAX_DEPTH:
        raise _wrong(text, head, f"blocks are nested more than {MAX_DEPTH} deep")
    body, closing = _nodes(text, remaining, depth=depth + 1)
    otherwise: tuple[Node, ...] = ()
    if closing is not None and _kind(closing) == ELSE:
        if kind != IF:
            raise _wrong(text, closing, f"`{ELSE}` belongs to `{IF}`, not to `{kind}`")
        otherwise, closing = _nodes(text, remaining, depth=depth + 1)
    if closing is None:
        raise _wrong(text, head, f"`{kind}` has no `{END}`")
    if _kind(closing) != END:
        raise _wrong(text, closing, f"a second `{ELSE}`")
    return Block(kind, head, body, otherwise)


def _kind(line: Line) -> str:
    """Return the word that makes a line the edge of a block; empty for any other line.

    Raises: UsageError if there is more on the line.
    """
    if not _EDGE.search(line.text):
        return ""  # most lines need not be cut for that
    try:
        commands = lines.cut(line.text)
    except UsageError:
        if _HEAD.match(line.text):
            raise
        return ""  # what is wrong with it is said when it is checked
    for command in commands:
        name = command.name.raw.lower()
        is_edge = name in (IF, FOR, ELSE, END) or (name == REPEAT and len(command.words) == 1)
        if not is_edge:
            continue
        if len(commands) > 1 or command.ignore_failure or command.redirect is not None:
            raise UsageError(f"`{name}` must be alone on its line")
        if name in (ELSE, END) and command.words:
            raise UsageError(f"nothing may follow `{name}`")
        return name
    return ""


def _wrong(text: Script, line: Line, message: str) -> EspError:
    return script.located(text, line.number, UsageError(message), line=line.text)


def condition(command: Command, variables: dict[str, str]) -> Expr:
    """Return the condition of an ``if``, or the count of a ``repeat``. Raises: UsageError."""
    if not command.words:
        raise UsageError("`if` needs a condition", hint="such as `if u32[DRAM] == 0`")
    return expr.parse(command.rest_word(0).expand(variables, raw=True))


def rounds(block: Block, number: int) -> int:
    """Return how often the lines of a block run, by the value of its head. Raises: UsageError."""
    if block.kind == IF:
        return number != 0
    if not 1 <= number <= _MOST_ROUNDS:
        raise UsageError(f"expected a count of 1 to {_MOST_ROUNDS}, not {number}")
    return number


def loop_name(command: Command) -> str:
    """Return the variable of ``for NAME in WORD...``. Raises: UsageError."""
    words = [word.raw for word in command.words]
    if len(words) < 3 or words[1].lower() != "in" or not _NAME.fullmatch(words[0]):
        raise UsageError("a loop is `for NAME in WORD...`", hint="such as `for i in 0..8`")
    return words[0]


def loop_values(command: Command, variables: dict[str, str]) -> Iterator[str]:
    """Yield the words of a ``for``, and the numbers of ``FIRST..END`` and ``FIRST..END..STEP``.

    The end does not belong to it, as in every range. Raises: UsageError.
    """
    for word in command.words[2:]:
        text = word.expand(variables)
        match = None if word.is_quoted else _RANGE.fullmatch(text)
        numbers = [parse_number(part) for part in match.groups("1")] if match else [None]
        if None in numbers:
            yield text
            continue
        first, end, step = (number or 0 for number in numbers)
        if not step or (end - first) // step > _MOST_ROUNDS:
            raise UsageError(f"{text} has no end" if not step else f"{text} has too many steps")
        yield from (number_text(number) for number in range(first, end, step))
