"""The colours of everything that espshell prints, in one table.

``STYLES`` gives each style its SGR codes (ECMA-48, 8.3.117) in the 16 named colours.  The direct
writers (hexdump, bit diff) and rich take them from here, so the two agree.

``recolored`` then puts a theme in their place, as the last step before a terminal: ``dark`` and
``light`` are of colours 16 to 255 of xterm's palette, which look alike everywhere, so that their
contrast can be computed and is tested: at least 4.5 to 1 (WCAG 2.2, 1.4.3); ``mono`` has attributes
alone.  ``terminal`` keeps the named colours: the person's terminal decides what they look like.
Left out of these on purpose: blue (34), unreadable on many dark terminals; grey (90), which is the
background in Solarized; white and black.  What should recede is dim (2), which a terminal that does
not know it prints as plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import IO, TYPE_CHECKING, Final, Literal

from espshell import regex

if TYPE_CHECKING:
    from rich.console import Console
    from rich.style import Style

    ColorSystem = Literal["auto", "standard", "256", "truecolor", "windows"]

STYLES: Final[Mapping[str, str]] = {
    # Bytes: erased and zeroed ranges recede, text stands out, everything else is plain.
    "byte.zero": "2",
    "byte.erased": "2;35",
    "byte.printable": "32",
    "byte.space": "2;32",
    "byte.other": "",
    # Around them.
    "address": "36",
    "label": "35",
    "name": "36",
    "squeeze": "2",
    # Reverse, because a colour alone does not show on a space or a dim zero.
    "changed": "7;33",
    "old": "31",
    "new": "32",
    # What is said about a result.
    "value": "1",
    "ok": "32",
    "warning": "33",
    "error": "1;31",
    "hint": "36",
    "note": "2",
    "prompt": "1;32",
    # At the prompt. ``place`` and ``variable`` are those that exist.
    "command": "1",
    "unknown": "4",
    "option": "35",
    "number": "36",
    "string": "32",
    "place": "1;36",
    "variable": "1;33",
    "comment": "3",
}

THEME_NAMES: Final = ("auto", "dark", "light", "mono", "terminal")

_TABLE = """
    #      dark            light           mono
    1      1               1               1
    2      38;5;247        38;5;239        -
    3      3;38;5;247      3;38;5;239      3
    4      4               4               4
    31     38;5;210        38;5;124        4
    32     38;5;114        38;5;22         -
    33     38;5;221        38;5;94         1
    35     38;5;176        38;5;90         -
    36     38;5;80         38;5;23         -
    1;31   1;38;5;210      1;38;5;124      1;4
    1;32   1;38;5;114      1;38;5;22       1
    1;33   1;38;5;221      1;38;5;94       1
    1;36   1;38;5;80       1;38;5;24       1
    2;32   38;5;108        38;5;58         -
    2;35   38;5;146        38;5;60         -
    7;33   7;38;5;221      7;38;5;88       7
"""  # numbers behind 38;5 are those of xterm's palette
_ROWS = [line.split() for line in _TABLE.split("\n    ")[2:]]
THEMES: Final[Mapping[str, Mapping[str, str]]] = {
    name: {row[0]: row[column].replace("-", "") for row in _ROWS}
    for column, name in enumerate(("dark", "light", "mono"), start=1)
} | {"terminal": {row[0]: row[0] for row in _ROWS}}
"""What stands for the SGR codes of ``STYLES``, by theme."""

RESET: Final = "\x1b[0m"

_SGR = regex.late(r"\x1b\[([0-9;]*)m")
_NAMES = {codes: name for name, codes in STYLES.items() if codes}


def chosen(theme: str, environment: Mapping[str, str], background: str = "") -> str:
    """Return the theme that ``auto`` stands for; any other is itself.

    That of the background, ``dark`` or ``light``, which the terminal tells in COLORFGBG (0 to 6 and
    8 are dark) or has answered, where it has 256 colours.  Else its own colours, which its owner
    can read.  Source: rxvt(1), ENVIRONMENT; Konsole, iTerm2 and others set it alike.
    """
    if theme != "auto":
        return theme
    if not ("256" in environment.get("TERM", "") or "COLORTERM" in environment):
        return "terminal"
    color = environment.get("COLORFGBG", "").rpartition(";")[2]
    if color.isdecimal():
        return "dark" if int(color) in (0, 1, 2, 3, 4, 5, 6, 8) else "light"
    return background or "terminal"


def recolored(text: str, theme: str) -> str:
    """Return painted text with the colours of a theme in place of the named ones."""
    if theme == "terminal" or "\x1b" not in text:
        return text
    codes = THEMES[theme]
    return _SGR.sub(
        lambda match: f"\x1b[{code}m" if (code := codes.get(match[1], match[1])) else "", text
    )


def sgr(name: str) -> str:
    """Return the escape sequence that begins a style, where none is in force; empty for plain."""
    codes = STYLES[name]
    return f"\x1b[{codes}m" if codes else ""


def paint(text: str, name: str, *, color: bool = True) -> str:
    """Return text in a style, reset at its end, as rich writes it; without colour, text alone."""
    start = sgr(name) if color and name and text else ""
    return f"{start}{text}{RESET}" if start else text


def runs(text: str) -> Iterator[tuple[str, str]]:
    """Yield text that was painted in pieces, each with its style.

    Far cheaper than ``Text.from_ansi`` of rich.
    """
    # The split gives text and codes in turn, with text first and last.
    first, *rest = _SGR.split(text)
    for codes, run in zip(("", *rest[::2]), (first, *rest[1::2]), strict=True):
        if run:
            yield run, _NAMES.get(codes, "")


def themed_console(
    stream: IO[str],
    *,
    width: int | None = None,
    color_system: ColorSystem | None = None,
    theme: str = "terminal",
) -> Console:
    """Return a console of rich that knows these styles; names work in markup, as ``[error]``.

    color_system: where somebody else has decided on colour; else rich finds out by itself.
    theme: for what rich writes itself, as progress bars.
    """
    from rich.console import Console
    from rich.theme import Theme

    chosen = color_system is not None
    return Console(
        file=stream,
        width=width,
        theme=Theme(
            {name: rich_style(name, theme) for name in STYLES}
            | {part: rich_style(name, theme) for part, name in _PROGRESS.items()}
        ),
        color_system=color_system or "auto",
        force_terminal=chosen or None,
        no_color=False if chosen else None,
        highlight=False,
    )


_PROGRESS = {
    "bar.back": "note",
    "bar.complete": "name",
    "bar.finished": "ok",
    "bar.pulse": "name",
    "progress.data.speed": "note",
    "progress.download": "note",
    "progress.elapsed": "note",
    "progress.percentage": "value",
    "progress.remaining": "note",
}
"""What the parts of a progress bar look like, which has colours of its own in rich."""


@cache
def rich_style(name: str, theme: str = "terminal") -> Style:
    """Return a style as rich has it."""
    from rich.ansi import SGR_STYLE_MAP
    from rich.style import Style

    codes = THEMES[theme].get(STYLES[name], "")
    indexed = re.search(r"38;5;(\d+)", codes)
    words = [SGR_STYLE_MAP[int(code)] for code in re.sub(r"38;5;\d+", "", codes).split(";") if code]
    return Style.parse(" ".join([*words, f"color({indexed[1]})"] if indexed else words))
