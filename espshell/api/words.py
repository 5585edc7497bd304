"""Values of Python as words of a line of the shell."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from espshell.errors import UsageError
from espshell.shell.replay import quoted

Place = int | str
"""An address, or what the shell takes for a place: a name, an expression, ``flash:OFFSET``."""

FilePlace = tuple["str | os.PathLike[str]", Place]
"""A file and the place that it belongs to."""


class Raw(str):
    """Text that stands in a line as it is: an expression, the setting of a status register."""

    __slots__ = ()


def line(name: str, arguments: Sequence[object], options: Mapping[str, object]) -> str:
    """Return the line of a command; None and False leave an argument or an option out.

    Raises: UsageError for None as the first of several, whose place the next would take.
    """
    given = [argument for argument in arguments if argument is not None]
    if given and arguments[0] is None:
        raise UsageError(f"the first argument of {name} is None")
    words = [name]
    for option, value in options.items():
        if value is not None and value is not False:
            flag = f"--{option.replace('_', '-')}"
            words.append(flag if value is True else f"{flag}={_word(value)}")
    return " ".join([*words, *map(_word, given)])


def flat(pairs: Sequence[FilePlace]) -> list[object]:
    """Return files and places as the arguments of a command."""
    return [word for path, place in pairs for word in (Path(path), place)]


def _word(value: object) -> str:
    if isinstance(value, Raw):
        return value
    if isinstance(value, os.PathLike):
        return quoted(os.path.abspath(value), always=True)  # no name is an option or an expression
    if isinstance(value, bool) or not isinstance(value, int):
        return quoted(str(value))
    return hex(value) if value > 9 else str(value)
