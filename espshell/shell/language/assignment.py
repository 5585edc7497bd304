"""``NAME = VALUE``, the arguments of `let` and `alias`."""

from __future__ import annotations

import re

from espshell import regex
from espshell.errors import UsageError
from espshell.records import dataclass, replace
from espshell.shell.language import grammar
from espshell.shell.language.grammar import Command
from espshell.shell.language.words import PlainText, Word

_ASSIGNMENT = regex.late(r"([A-Za-z_][A-Za-z0-9_]*)\s*=(?!=)\s*(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Assignment:
    """A name and its value, in which variables are not yet replaced."""

    name: str
    value: Word

    @property
    def source(self) -> str:
        """The value as a line to run later: without the quotes around it, with its variables."""
        if not self.value.is_quoted:
            return self.value.raw
        return "".join(
            piece.cooked if isinstance(piece, PlainText) else piece.raw
            for piece in self.value.pieces
        )


def assigned(command: Command) -> Assignment:
    """Parse the arguments of a command. Raises: UsageError with the expected form."""
    match = _ASSIGNMENT.fullmatch(command.rest(0))
    usage = f"usage: {command.name.raw} NAME = VALUE"
    if not command.words:
        raise UsageError("expected NAME = VALUE, got nothing", hint=usage)
    if match is None:
        raise UsageError(f"expected NAME = VALUE, not `{command.rest(0)}`", hint=usage)
    name, text = match.groups()
    if not text:
        raise UsageError(f"expected a value for `{name}`, got nothing", hint=usage)
    value = grammar.parse_line(f"= {text}", rest_is_expression=lambda _: True)[0].rest_word(0)
    return Assignment(name, replace(value, column=command.words[0].column + match.start(2)))
