"""The colours of espshell's language, for the prompt and for printed scripts.

The lexer goes by the form of a line and has no list of commands, registers or chips; it colours
also a line that the grammar refuses.  Every character is part of some token, and nothing raises.
"""

from __future__ import annotations

from typing import ClassVar

from pygments.lexer import RegexLexer, default
from pygments.token import (
    Comment,
    Keyword,
    Name,
    Number,
    Operator,
    Punctuation,
    String,
    Text,
    Whitespace,
)

_VARIABLE = r"\$(?:\{[^}\n]*\}|[A-Za-z_]\w*|~?[0-9]+|\?)"
_NUMBER = r"(?:0[xX][0-9A-Fa-f_]+|0[bB][01_]+|0[oO][0-7_]+|[0-9][0-9_]*)[kKmM]?(?!\.?\w)"


class EspshLexer(RegexLexer):
    """Lexer of ``.espsh`` lines."""

    name = "espsh"
    aliases: ClassVar[list[str]] = ["espsh"]
    filenames: ClassVar[list[str]] = ["*.espsh"]

    tokens: ClassVar[dict[str, list[object]]] = {
        # Where a command is expected.
        "root": [
            (r"\s+", Whitespace),
            (r"#.*", Comment.Single),
            (r"[-;]", Operator),
            (r"(?:fails|repeat)(?![\w-])", Keyword),  # another command follows
            (r"\d+", Number),
            (r"[A-Za-z?][\w-]*", Keyword, "arguments"),
            default("arguments"),
        ],
        "arguments": [
            (r"\\\r?\n", String.Escape),
            (r"\n", Whitespace, "#pop"),
            (r";", Operator, "#pop"),
            (r"\s", Whitespace),
            (r"(?<!\S)#.*", Comment.Single),
            (r"(?<!\S)--?[A-Za-z][\w-]*", Name.Attribute),
            (r"'\\''|'[^'\n]*'", String.Single),
            (r'"', String.Double, "double"),
            (r"\\.", String.Escape),
            (_VARIABLE, Name.Variable),
            (r"\b(?:mem|flash|efuse)(?=:)", Keyword.Namespace),
            (r"\b(?:and|or|not)\b(?!\.\w)", Operator.Word),
            (r"\b[uU](?:8|16|32)(?=\[)", Keyword.Type),
            (_NUMBER, Number),
            (r"[A-Za-z_]\w*(?:\.\w+)+", Name.Class),
            (r"\w+", Text),
            (r"\.\.\+?|>>|<<|//|[=!<>]=|[-+*/%&|^~<>=]", Operator),
            (r"[()\[\],:]", Punctuation),
            (r".", Text),
        ],
        "double": [
            (r'"', String.Double, "#pop"),
            (r"\n", Whitespace, "#pop:2"),
            (r"\\.", String.Escape),
            (_VARIABLE, String.Interpol),
            (r'[^"\\$\n]+', String.Double),
            (r".", String.Double),
        ],
    }
