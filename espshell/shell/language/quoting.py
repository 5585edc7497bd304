"""Names of files in a line that is being typed: without their quotes, and with them again."""

from __future__ import annotations

import re

from espshell.errors import UsageError
from espshell.shell.language.grammar import parse_line

_SPECIAL = {
    "": (re.compile(r"""(^#|[\s;()\[\]'"\\$])"""), r"\\\1"),
    '"': (re.compile(r'(["\\$`])'), r"\\\1"),
    "'": (re.compile("(')"), r"'\\''"),
}
"""What cannot stand for itself and what is written for it, by the quote that is open."""


def unquoted(typed: str) -> tuple[str, str]:
    """Return the text of an unfinished word, and the quote that is open in it, or nothing.

    A word that uses a variable, whose value may change until it runs, is its own text.
    """
    for quote in _SPECIAL:
        try:
            (command,) = parse_line(f"x {typed}{quote}", rest_is_expression=lambda name: True)
        except UsageError:
            continue
        if len(command.words) == 1 and command.words[0].is_plain:
            return command.words[0].expand({}), quote
    return typed, ""


def quoted(path: str, typed: str) -> str:
    """Return a path as it goes on from an unfinished word; that of a folder leaves a quote open."""
    begun = typed[:-1] if (len(typed) - len(typed.rstrip("\\"))) % 2 else typed
    text, quote = unquoted(begun)
    special, written = _SPECIAL[quote]
    end = "" if path.endswith("/") else quote
    if path.startswith(text):
        return begun + special.sub(written, path[len(text) :]) + end
    return quote + special.sub(written, path) + end
