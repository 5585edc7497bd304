"""Words of a line: text and variables, and their values.

A word is a tuple of pieces, and a piece is either text or a variable.  Text has two forms: ``raw``,
as typed, from which an expression is parsed, and ``cooked``, without quotes, as in the name of a
file.  A variable's value is inserted unchanged: it is never cut into words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from espshell.errors import UsageError
from espshell.records import dataclass


class Variables(Protocol):
    """The values of variables."""

    def get(self, name: str, /) -> str | None:
        """Return the value of ``image``, ``1``, ``_`` or ``?``; None if it is not set."""


@dataclass(frozen=True, slots=True)
class PlainText:
    """Text in a word, as typed and without quotes."""

    raw: str
    cooked: str


@dataclass(frozen=True, slots=True)
class VariableUse:
    """``$name`` or ``${name:-default}``; ``default`` is None without one."""

    raw: str
    name: str
    default: tuple[Piece, ...] | None = None


Piece = PlainText | VariableUse


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a line; ``column`` counts from 1."""

    raw: str
    column: int
    pieces: tuple[Piece, ...]

    @property
    def is_plain(self) -> bool:
        """Whether no variable is used."""
        return VariableUse not in map(type, self.pieces)

    @property
    def is_quoted(self) -> bool:
        """Whether the word begins with a quote."""
        return self.raw.startswith(("'", '"'))

    def expand(self, variables: Variables, *, raw: bool = False) -> str:
        """Return the word without its quotes and with the values of its variables.

        raw: with its quotes, for an expression.

        Raises: UsageError: a variable without default is not set.
        """
        return _expanded(self.pieces, variables, raw=raw)

    def behind(self, size: int) -> Word:
        """Return the word without its first ``size`` characters, which are unquoted text."""
        first, *rest = self.pieces
        text = PlainText(first.raw[size:], getattr(first, "cooked", first.raw)[size:])
        return Word(self.raw[size:], self.column + size, (text, *rest))

    def variables(self) -> tuple[str, ...]:
        """Return the names of all variables used, also those inside defaults."""
        return tuple(dict.fromkeys(variable.name for variable in _used(self.pieces)))

    def required_variables(self) -> tuple[str, ...]:
        """Return the names of the variables without a default, which must be set."""
        if self.is_plain:
            return ()
        required = (p for p in self.pieces if isinstance(p, VariableUse) and p.default is None)
        return tuple(dict.fromkeys(variable.name for variable in required))

    def lone_variable(self) -> str | None:
        """Return the name if the word is one variable, maybe in quotes, else None."""
        match [p for p in self.pieces if isinstance(p, VariableUse) or p.cooked]:
            case [VariableUse(name=name)]:
                return name
        return None


def _expanded(pieces: Iterable[Piece], variables: Variables, *, raw: bool) -> str:
    text = ""
    for piece in pieces:
        if isinstance(piece, PlainText):
            text += piece.raw if raw else piece.cooked
        elif (value := variables.get(piece.name)) is not None:
            text += value
        elif piece.default is not None:
            text += _expanded(piece.default, variables, raw=raw)
        else:
            raise _not_set(piece.name)
    return text


def _used(pieces: Iterable[Piece]) -> Iterator[VariableUse]:
    for piece in pieces:
        if isinstance(piece, VariableUse):
            yield piece
            yield from _used(piece.default or ())


def _not_set(name: str) -> UsageError:
    if name in ("_", "?"):
        hint = "no command has set it yet"
    elif name.startswith("~"):
        hint = "`print` numbers its values at the prompt, and scripts have none"
    elif name.isdigit():
        hint = f"the script needs at least {name} argument{'' if name == '1' else 's'}"
    else:
        hint = f"set it with `let {name} = ...`"
    return UsageError(f"`${name}` is not set", hint=hint)
