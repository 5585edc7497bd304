"""The tokens of expressions, and hints for those of other languages."""

from __future__ import annotations

import re
from typing import NamedTuple

from espshell import regex


class Token(NamedTuple):
    """A piece of an expression, and where it begins."""

    kind: str
    text: str
    start: int


TOKEN = regex.late(
    r"""
      (?P<space>\s+)
    | (?P<char>'(?:\\x[0-9A-Fa-f]{2}|\\.|[^'\\])*'?)
    | (?P<number>[0-9]\w*(?:\.\w+)*)
    | (?P<operator>(?:and|or|not)\b(?!\.\w)|\*\*|//|<<|>>|<=|>=|==|!=|&&|\|\||\.\.)
    | (?P<name>(?:[Ee][Ff][Uu][Ss][Ee]:(?=[A-Za-z_])|[Gg][Pp][Ii][Oo]:(?=\d))?\w+(?:\.\w+)*)
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
HEX = regex.late(r"[0-9A-Fa-f][0-9A-Fa-f_]*")
CHARACTER = regex.late(r"'(?:\\x([0-9A-Fa-f]{2})|\\([nrt0\\'])|([ -&(-\[\]-~]))'")
ESCAPES = {"n": 10, "r": 13, "t": 9, "0": 0, "\\": 92, "'": 39}

HINTS = {
    "/": "division of whole numbers is `//`",
    "**": "there is no power operator; use `<<` or `*`",
    "=": "equality is `==`",
    "&&": "write `and`",
    "||": "write `or`",
    "!": "write `not`",
    "(": "there are no functions to call",
    "[": "contents are `[A]`, `u8[A]`, `u16[A]` and `u32[A]`",
    "not": "put `not` and what follows it in parentheses",
    "..": "a range is one word, `A..B` or `A..+LEN`, where a region is expected",
    ":": "a space such as `flash:` goes once, in front of the whole place",
    '"': "a character is written `'A'`",
}


def printable(text: str) -> str:
    """Replace characters that would break the line of a message; columns stay."""
    return "".join(char if char.isprintable() else "?" for char in text)
