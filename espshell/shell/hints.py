"""Adapt advice to the command that was typed.

Operations name the options of our own verbs: "--force sends it anyway".  A command under
another tool's name, or one without that option, does not take it.
"""

from __future__ import annotations

import re
from functools import partial

from espshell.errors import EspError
from espshell.shell.declaration import Verb
from espshell.shell.output import Output
from espshell.shell.registry import COMMANDS

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

    def __init__(self, output: Output, verb: Verb) -> None:
        self._output = output
        self._verb = verb

    def __enter__(self) -> None:
        self._outer, self._output.worded = self._output.worded, partial(fitting, verb=self._verb)

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._output.worded = self._outer
        if isinstance(error, EspError):
            reword(error, self._verb)


def reword(error: EspError, verb: Verb) -> None:
    """Adapt an error to a command."""
    error.message = _named(error.message, verb)[0]
    error.hint = fitting(error.hint, verb)


def fitting(text: str, verb: Verb) -> str:
    """Return advice whose options belong to the command, the program or a verb that it names.

    A clause (up to ``;``) with an option that neither the command nor its verb has is left out.
    """
    clauses = (_named(clause, verb) for clause in text.split("; "))
    return "; ".join(clause for clause, is_possible in clauses if is_possible)


def _named(text: str, verb: Verb) -> tuple[str, bool]:
    """Return a text with our verb before its options, and whether each option exists."""
    ours = COMMANDS.get(verb.alias_of) if verb.alias_of else None
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
