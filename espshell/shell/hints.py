"""Adapt advice to the command that was typed.

Operations name the options of our own verbs: "--force sends it anyway".  A command under
another tool's name, or one without that option, does not take it.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from espshell.errors import EspError
from espshell.shell.declaration import Verb
from espshell.shell.output import Output

PROGRAM = (
    "--after", "--all-likely", "--baud", "--before", "--chip", "--color", "--command", "--config",
    "--dry-run", "--elf", "--help", "--interactive", "--json", "--junit", "--keep-going", "--log",
    "--port", "--ports", "--print-completion", "--profile", "--report", "--stub", "--stub-dir",
    "--stub-version", "--svd", "--trace", "--transcript", "--version", "--yes",
)  # fmt: skip
"""Options of the program, valid in any advice; a test compares them with the parser."""

_OPTION = r"`[^`]*`|(?<![\w-])(--[a-z][a-z-]*)"
"""Text in backquotes is a whole line, with the command that the option belongs to."""


class Worded:
    """A context in which notes and errors are adapted to a command: it runs and shows its result.

    A class, and not a generator, because each line of a script enters one.
    """

    def __init__(self, output: Output, verb: Verb, get: Callable[[str], Verb | None]) -> None:
        self._output = output
        self._verb = verb
        self._get = get

    def __enter__(self) -> None:
        self._outer, self._output.worded = self._output.worded, self._fitting

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._output.worded = self._outer
        if isinstance(error, EspError):
            reword(error, self._verb, self._get)

    def _fitting(self, text: str) -> str:
        return fitting(text, self._verb, self._get)


def reword(error: EspError, verb: Verb, get: Callable[[str], Verb | None]) -> None:
    """Adapt an error to a command."""
    error.message = _named(error.message, verb, get)[0]
    error.hint = fitting(error.hint, verb, get)


def fitting(text: str, verb: Verb, get: Callable[[str], Verb | None]) -> str:
    """Return advice whose options belong to the command, the program or a verb that it names.

    A clause (up to ``;``) with an option that neither the command nor its verb has is left out.
    """
    clauses = (_named(clause, verb, get) for clause in text.split("; "))
    return "; ".join(clause for clause, is_possible in clauses if is_possible)


def _named(text: str, verb: Verb, get: Callable[[str], Verb | None]) -> tuple[str, bool]:
    """Return a text with our verb before its options, and whether each option exists."""
    ours = get(verb.alias_of) if verb.alias_of else None
    is_possible = True

    def named(match: re.Match[str]) -> str:
        nonlocal is_possible
        flag = match[1]
        if flag is None or flag in PROGRAM or _has(verb, flag):
            return match[0]
        if ours is not None and _has(ours, flag):
            return f"`{ours.name} ... {flag}`"
        is_possible = False
        return flag

    return re.sub(_OPTION, named, text), is_possible


def _has(verb: Verb, flag: str) -> bool:
    return any(option.flag == flag and not option.refusal for option in verb.options)
