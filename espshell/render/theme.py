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
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from rich.segment import Segment
    from rich.style import Style
    from rich.theme import Theme

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


def sgr(name: str) -> str:
    """Return the escape sequence of a style.

    It starts by a reset: attributes accumulate, and a green after a dim would be a dim green.
    """
    codes = STYLES[name]
    return f"\x1b[0;{codes}m" if codes else RESET


def paint(text: str, name: str, *, color: bool = True) -> str:
    """Return text in a style, reset at its end; without colour, the text alone."""
    return f"{sgr(name)}{text}{RESET}" if color else text


def rich_theme() -> Theme:
    """Return the same table for a rich console; names work in markup, as ``[error]``."""
    from rich.theme import Theme

    return Theme({name: _rich_style(codes) for name, codes in STYLES.items()})


def segments(text: str) -> Iterable[Segment]:
    """Return text that was written with these escape sequences as rich segments.

    Far cheaper than ``Text.from_ansi``; knows SGR only, and only sequences that reset first.
    """
    from rich.segment import Segment

    # The split gives text and codes in turn, with text first and last.
    first, *rest = _SGR.split(text)
    yield Segment(first)
    for codes, run in zip(rest[::2], rest[1::2], strict=True):
        yield Segment(run, _rich_style(codes))


@cache
def _rich_style(codes: str) -> Style:
    from rich.ansi import SGR_STYLE_MAP
    from rich.style import Style

    words = (SGR_STYLE_MAP[int(code)] for code in codes.split(";") if code.strip("0"))
    return Style.parse(" ".join(words))
