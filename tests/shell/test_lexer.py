"""The colours of the language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments.lexers import get_lexer_for_filename
from pygments.token import (
    Comment,
    Error,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Token,
)

from espshell.shell.language.lexer import EspshLexer

LINES = [
    (
        "-erase flash:nvs  # why",
        [
            (Operator, "-"),
            (Keyword, "erase"),
            (Keyword.Namespace, "flash"),
            (Punctuation, ":"),
            (Token.Text, "nvs"),
            (Comment.Single, "# why"),
        ],
    ),
    (
        "dump32 0x10..0x3ff4_0020;peek 4k",
        [
            (Keyword, "dump32"),
            (Number, "0x10"),
            (Operator, ".."),
            (Number, "0x3ff4_0020"),
            (Operator, ";"),
            (Keyword, "peek"),
            (Number, "4k"),
        ],
    ),
    (
        "poke UART0.CONF0 'A' --mask 3ff4 -m1",
        [
            (Keyword, "poke"),
            (Name.Class, "UART0.CONF0"),
            (String.Single, "'A'"),
            (Name.Attribute, "--mask"),
            (Token.Text, "3ff4"),
            (Name.Attribute, "-m1"),
        ],
    ),
    (
        'load "a $b" ${2:-0x10} $_',
        [
            (Keyword, "load"),
            (String.Double, '"'),
            (String.Double, "a "),
            (String.Interpol, "$b"),
            (String.Double, '"'),
            (Name.Variable, "${2:-0x10}"),
            (Name.Variable, "$_"),
        ],
    ),
    (
        "fails repeat 3 expect not u8[4] >= 1",
        [
            (Keyword, "fails"),
            (Keyword, "repeat"),
            (Number, "3"),
            (Keyword, "expect"),
            (Operator.Word, "not"),
            (Keyword.Type, "u8"),
            (Punctuation, "["),
            (Number, "4"),
            (Punctuation, "]"),
            (Operator, ">="),
            (Number, "1"),
        ],
    ),
    (
        "load \\\nfile\npeek 0",
        [
            (Keyword, "load"),
            (String.Escape, "\\\n"),
            (Token.Text, "file"),
            (Keyword, "peek"),
            (Number, "0"),
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), LINES)
def test_tokens(text: str, expected: list[tuple[object, str]]) -> None:
    """Each kind of word has its colour, and a command is where a command is expected."""
    got = [
        (kind, part) for kind, part in EspshLexer().get_tokens(text) if part.strip() or "\\" in part
    ]
    assert got == expected


ALPHABET = st.sampled_from(
    [*"pe0x_$?{}:-;#'\"\\()[]|<>=.,+~!@ \t\né", "0x10", "and", "flash:", "u8["]
)


@given(st.one_of(st.text(), st.lists(ALPHABET).map("".join)))
def test_every_character_comes_out(text: str) -> None:
    """Any text is cut into tokens that are the text again, none of them an error."""
    tokens = [(kind, part) for _, kind, part in EspshLexer().get_tokens_unprocessed(text)]
    assert "".join(part for _, part in tokens) == text
    assert Error not in [kind for kind, _ in tokens]


def test_found_by_file_name() -> None:
    """Pygments and with it rich find the lexer of a script by its suffix."""
    assert get_lexer_for_filename("bringup.espsh").name == "espsh"
