"""The colours of everything that espshell prints, in one table.

``STYLES`` gives each style its SGR codes (ECMA-48, 8.3.117).  The direct writers (hexdump, bit
diff) and rich take them from here, so the two agree.

Only the 16 named colours and attributes are used: the person's terminal decides what they look
like, on dark and on light.  Left out on purpose: blue (34), unreadable on many dark terminals;
grey (90), which is the background in Solarized; white and black.  What should recede is dim (2),
which a terminal that does not know it prints as plain text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import IO, TYPE_CHECKING, Final, Literal

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
}

RESET: Final = "\x1b[0m"

_SGR = re.compile(r"\x1b\[([0-9;]*)m")
_NAMES = {codes: name for name, codes in STYLES.items() if codes}


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
    stream: IO[str], *, width: int | None = None, color_system: ColorSystem | None = None
) -> Console:
    """Return a console of rich that knows these styles; names work in markup, as ``[error]``.

    color_system: where somebody else has decided on colour; else rich finds out by itself.
    """
    from rich.console import Console
    from rich.theme import Theme

    chosen = color_system is not None
    return Console(
        file=stream,
        width=width,
        theme=Theme({name: rich_style(name) for name in STYLES}),
        color_system=color_system or "auto",
        force_terminal=chosen or None,
        no_color=False if chosen else None,
        highlight=False,
    )


@cache
def rich_style(name: str) -> Style:
    """Return a style as rich has it."""
    from rich.ansi import SGR_STYLE_MAP
    from rich.style import Style

    return Style.parse(
        " ".join(SGR_STYLE_MAP[int(code)] for code in STYLES[name].split(";") if code)
    )
