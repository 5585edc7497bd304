r"""Lines: from text to commands, their words and their redirects.

The rule of this file: it knows how a line is cut, and nothing of what a command means.  Two facts
about commands are passed in as functions: whether the rest of the line is an expression (then ``>``
and ``|`` are operators), and whether a command's arguments hold another command (``fails expect``).

The parts of a word are in ``words``.

Differences from a POSIX shell: ``( )`` and ``[ ]`` group, and quoted text in them keeps its
quotes; ``;`` inside them separates nothing; a redirect is a word of its own; and ``'\''`` is
the character literal of an apostrophe.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from espshell import regex
from espshell.errors import UsageError
from espshell.records import dataclass
from espshell.shell.language.words import Piece, PlainText, VariableUse, Word


@dataclass(frozen=True, slots=True)
class Redirect:
    """``kind`` is ``>``, ``>>`` or ``|``; the target of ``|`` is the rest of the line, verbatim."""

    kind: str
    target: Word


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a line.

    ``text`` is its source from the name on, without ``-`` and redirect; ``column`` is the name's.
    """

    name: Word
    words: tuple[Word, ...]
    ignore_failure: bool
    redirect: Redirect | None
    text: str
    column: int

    def __hash__(self) -> int:
        return hash((self.text, self.column))

    def rest(self, index: int) -> str:
        """Return the source from argument ``index`` to the end; empty if there is none."""
        if index >= len(self.words):
            return ""
        return self.text[self.words[index].column - self.column :]

    def rest_word(self, index: int) -> Word:
        """Return :meth:`rest` as one word, so that its variables can be expanded."""
        words = self.words[index:]
        if not words:
            return Word("", self.column + len(self.text), ())
        pieces = list(words[0].pieces)
        for word, following in pairwise(words):
            end = word.column - self.column + len(word.raw)
            gap = self.text[end : following.column - self.column]
            pieces += [PlainText(gap, gap), *following.pieces]
        return Word(self.rest(index), words[0].column, tuple(pieces))

    def inner(self, index: int) -> Command:
        """Return the command from argument ``index`` on, as in ``fails COMMAND``.

        Raises: UsageError: there is no such argument.
        """
        if index >= len(self.words):
            where = self.column + len(self.text)
            message = f"`{self.text}`: expected a command at column {where}"
            raise UsageError(message, column=where)
        return Command(
            name=self.words[index],
            words=self.words[index + 1 :],
            ignore_failure=False,
            redirect=None,
            text=self.rest(index),
            column=self.words[index].column,
        )


def parse_line(
    text: str,
    *,
    rest_is_expression: Callable[[str], bool],
    inner_command: Callable[[str], int | None] = lambda _name: None,
    unfinished: bool = False,
) -> tuple[Command, ...]:
    """Cut a logical line into commands; an empty line or a comment has none.

    ``rest_is_expression(name)``: whether ``>``, ``>>`` and ``|`` are operators in a command.
    ``inner_command(name)``: the index of the argument that begins another command, or None: 0 for
    ``fails COMMAND``, 1 for ``repeat N COMMAND``.
    ``unfinished``: whether it is still being typed, so that a bracket or quote may be open, and a
    redirect without its file.

    Raises:
        UsageError: unclosed quote or bracket, redirect without a side, no command between ``;``.
    """
    if (end := text.rstrip().find("\n")) >= 0:
        raise UsageError(
            f"expected one line, found a line break at column {end + 1}", column=end + 1
        )
    line = _Line(text, rest_is_expression, inner_command, unfinished=unfinished)
    commands = []
    while not line.at_end():
        commands.append(line.command())
        if line.scanner.peek() == ";":
            line.scanner.at += 1
    return tuple(commands)


def is_continued(text: str) -> bool:
    r"""Return whether the line ends in a backslash that joins the next line to it.

    A comment cannot be continued: ``# C:\fw\`` must not swallow the next line.
    """
    body = text.rstrip("\r\n")
    slashes = len(body) - len(body.rstrip("\\"))
    return slashes % 2 == 1 and not _ends_in_comment(body[:-1])


def split_lines(text: str) -> list[tuple[int, str]]:
    """Return the logical lines of a script, each with the number of its first line, from 1.

    Continued lines are joined; empty lines and comments are kept.  A byte order mark and carriage
    returns at line ends are dropped.  ``#!`` needs no care: it is a comment.
    """
    physical = text.removeprefix("\ufeff").split("\n")
    if not physical[-1]:
        physical.pop()
    logical: list[tuple[int, str]] = []
    continues = False
    for number, line in enumerate((line.removesuffix("\r") for line in physical), start=1):
        if continues:
            first, begun = logical.pop()
            logical.append((first, begun[:-1] + line))
        else:
            logical.append((number, line))
        continues = is_continued(logical[-1][1])
    return logical


# Words -------------------------------------------------------------------------------------------

_CLOSERS = {"(": ")", "[": "]"}
_PLAIN = regex.late(r"""[^\s;()\[\]'"\\$]+""")
_PLAIN_IN_DOUBLE = regex.late(r'[^"\\$]+')
_SINGLE = regex.late(r"'\\''|'[^']*'")
_VARIABLE = regex.late(r"\$(?:([A-Za-z_][A-Za-z0-9_]*|~?[0-9]+|\?)|\{([^}]*)(\})?)")
_BRACED = regex.late(r"([A-Za-z_][A-Za-z0-9_]*|[0-9]+|\?)(:-)?")


class _Scanner:
    """Cuts ``text[at:end]`` into pieces and words; ``at`` is the position of the next character."""

    def __init__(self, text: str, at: int, end: int, *, unfinished: bool = False) -> None:
        self.text = text
        self.at = at
        self.end = end
        self.unfinished = unfinished
        self.open: list[int] = []  # the positions of unclosed brackets

    def peek(self) -> str:
        return self.text[self.at] if self.at < self.end else ""

    def skip_space(self) -> None:
        while self.peek().isspace():
            self.at += 1

    def word(self) -> Word:
        start = self.at
        pieces: list[Piece] = []
        while (char := self.peek()) and (self.open or not (char.isspace() or char == ";")):
            pieces.extend(self.pieces())
        self.check_closed()
        return Word(self.text[start : self.at], start + 1, tuple(pieces))

    def check_closed(self) -> None:
        if self.open and not self.unfinished:
            raise _unclosed(self.text[self.open[-1]], self.open[-1])

    def pieces(self) -> Iterator[Piece]:
        """Take the pieces at the next character, outside of double quotes."""
        start = self.at
        try:
            match self.peek():
                case "'":
                    yield self.single()
                case '"':
                    yield from self.double()
                case "\\":
                    yield self.escape()
                case "$":
                    yield self.variable(in_double=False)
                case char:
                    if char in _CLOSERS:
                        self.open.append(start)
                    elif self.open and char == _CLOSERS[self.text[self.open[-1]]]:
                        self.open.pop()
                    plain = _PLAIN.match(self.text, start, self.end)
                    yield self.take(plain.end() if plain else start + 1)
        except UsageError:
            if not self.unfinished:
                raise
            self.at = start
            yield self.take(self.end)

    def take(self, end: int, cooked: str | None = None) -> PlainText:
        """Take the text up to ``end``, with or without its quotes."""
        raw = self.text[self.at : end]
        self.at = end
        return PlainText(raw, raw if cooked is None else cooked)

    def single(self) -> PlainText:
        match = _SINGLE.match(self.text, self.at, self.end)
        if match is None:
            raise _unclosed("'", self.at)
        cooked = "'" if match[0] == r"'\''" else match[0][1:-1]
        return self.take(match.end(), None if self.open else cooked)

    def escape(self) -> PlainText:
        if self.at + 1 >= self.end:
            at = self.at + 1
            raise UsageError(f"expected something after the `\\` at column {at}", column=at)
        return self.take(self.at + 2, self.text[self.at + 1])

    def double(self) -> Iterator[Piece]:
        start, mark = self.at, None if self.open else ""
        yield self.take(start + 1, mark)
        while (char := self.peek()) != '"':
            if not char:
                raise _unclosed('"', start)
            yield self.in_double(char)
        yield self.take(self.at + 1, mark)

    def in_double(self, char: str) -> Piece:
        if char == "$":
            return self.variable(in_double=True)
        following = self.text[self.at + 1 : min(self.at + 2, self.end)]
        if char == "\\" and following and following in '$"\\`':
            return self.take(self.at + 2, None if self.open else following)
        match = _PLAIN_IN_DOUBLE.match(self.text, self.at, self.end)
        return self.take(match.end() if match else self.at + 1)

    def variable(self, *, in_double: bool) -> Piece:
        match = _VARIABLE.match(self.text, self.at, self.end)
        if match is None:
            return self.take(self.at + 1)
        start, (name, inside, closed) = self.at, match.groups()
        self.at = match.end()
        if name is not None:
            return VariableUse(match[0], _checked(name, start))
        if closed is None:
            raise _unclosed("${", start)
        braced = _BRACED.match(inside)
        if braced is None or (braced[2] is None and braced.end() != len(inside)):
            raise UsageError(
                f"expected `${{name}}` or `${{name:-default}}` at column {start + 1},"
                f" not `{match[0]}`",
                column=start + 1,
            )
        default = None
        if braced[2] is not None:
            begin = match.start(2) + braced.end()
            default = _default(self.text, begin, match.end(2), in_double=in_double)
        return VariableUse(match[0], _checked(braced[1], start), default)


def _default(text: str, begin: int, end: int, *, in_double: bool) -> tuple[Piece, ...]:
    """Cut a default into pieces; it cannot contain ``}``, so defaults are not nested."""
    scanner = _Scanner(text, begin, end)
    pieces: list[Piece] = []
    while char := scanner.peek():
        pieces.extend([scanner.in_double(char)] if in_double else scanner.pieces())
    scanner.check_closed()
    return tuple(pieces)


def _checked(name: str, start: int) -> str:
    if name.isdigit() and (len(name) > 1 or name == "0"):
        raise UsageError(
            f"expected `$1` to `$9` at column {start + 1}, not `${name}`",
            hint="in front of a digit write `${1}`",
            column=start + 1,
        )
    return name


def _unclosed(opener: str, index: int) -> UsageError:
    return UsageError(f"unclosed `{opener}` at column {index + 1}", column=index + 1)


# Lines -------------------------------------------------------------------------------------------

_REDIRECTS = (">", ">>", "|")


class _Line:
    """One pass over a line."""

    def __init__(
        self,
        text: str,
        rest_is_expression: Callable[[str], bool],
        inner_command: Callable[[str], int | None],
        *,
        unfinished: bool,
    ) -> None:
        self.scanner = _Scanner(text, 0, len(text), unfinished=unfinished)
        self.text = text
        self.rest_is_expression = rest_is_expression
        self.inner_command = inner_command

    def at_end(self) -> bool:
        """Skip space; return whether the line ends here, except for a comment."""
        self.scanner.skip_space()
        return self.scanner.peek() in ("", "#")

    def at_end_of_command(self) -> bool:
        return self.at_end() or self.scanner.peek() == ";"

    def command(self) -> Command:
        ignores = self.scanner.peek() == "-"
        if ignores:
            self.scanner.at += 1
        words: list[Word] = []
        redirect = None
        while redirect is None and not self.at_end_of_command():
            word = self.scanner.word()
            if word.raw[0] in "|>" and not self.is_expression(words):
                redirect = self.redirect(word, words)
            else:
                words.append(word)
        if not words:
            raise self.expected("a command", hint="`-` goes in front of one" if ignores else "")
        first, last = words[0], words[-1]
        source = self.text[first.column - 1 : last.column - 1 + len(last.raw)]
        return Command(first, tuple(words[1:]), ignores, redirect, source, first.column)

    def is_expression(self, words: list[Word]) -> bool:
        """Return whether the command, or one inside of it, takes an expression."""
        index = 0
        while index < len(words) and words[index].is_plain:
            name = words[index].expand({})
            if self.rest_is_expression(name):
                return True
            inside = self.inner_command(name)
            if inside is None:
                return False
            index += inside + 1
        return False

    def redirect(self, mark: Word, words: list[Word]) -> Redirect:
        if mark.raw not in _REDIRECTS:
            kind = ">>" if mark.raw.startswith(">>") else mark.raw[0]
            raise UsageError(
                f"expected a space after `{kind}` at column {mark.column}",
                hint="put spaces around a redirect, or quote the word",
                column=mark.column,
            )
        if not words:
            message = f"expected a command before `{mark.raw}` at column {mark.column}"
            raise UsageError(message, column=mark.column)
        if self.scanner.unfinished and self.at_end_of_command():
            return Redirect(mark.raw, Word("", len(self.text) + 1, ()))
        if mark.raw == "|":
            return Redirect("|", self.shell_text())
        if self.at_end_of_command():
            raise self.expected(f"a file after `{mark.raw}`")
        target = self.scanner.word()
        if target.raw in _REDIRECTS:
            message = f"expected a file at column {target.column}, not `{target.raw}`"
            raise UsageError(message, column=target.column)
        if not self.at_end_of_command():
            raise self.expected(f"the end of the command after `{mark.raw} {target.raw}`")
        return Redirect(mark.raw, target)

    def shell_text(self) -> Word:
        self.scanner.skip_space()
        start = self.scanner.at
        text = self.text[start:].rstrip()
        if not text:
            raise self.expected("a shell command after `|`")
        self.scanner.at = len(self.text)
        return Word(text, start + 1, (PlainText(text, text),))

    def expected(self, what: str, hint: str = "") -> UsageError:
        char = self.scanner.peek()
        but = f", not `{char}`" if char else ""
        at = self.scanner.at + 1
        return UsageError(f"expected {what} at column {at}{but}", hint=hint, column=at)


def _ends_in_comment(text: str) -> bool:
    scanner = _Scanner(text, 0, len(text))
    try:
        while True:
            scanner.skip_space()
            if scanner.peek() in ("", "#"):
                return scanner.peek() == "#"
            if scanner.peek() == ";":
                scanner.at += 1
            else:
                scanner.word()
    except UsageError:  # an unclosed quote or bracket, which the next line may close
        return False
