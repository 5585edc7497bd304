"""Places and regions: an address in a space, and a range that begins there.

Ugly: ``_split_range`` finds ``..`` before the expressions on its sides are parsed, so it skips
character literals by itself; inside brackets there is none that means something else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from espshell.errors import UsageError
from espshell.records import dataclass
from espshell.shell.language.expr import KEPT, Expr, parse
from espshell.shell.language.tokens import printable

SPACES = ("mem", "flash", "efuse")

_SPACE = re.compile(r"\s*([A-Za-z_]\w*):")
_RANGE_PART = re.compile(r"'(?:\\.|[^'\\])*'|\.\.|.", re.DOTALL)
_REGION_HINT = "a region is `PLACE LEN`, `PLACE..END`, `PLACE..+LEN` or a name"


@dataclass(frozen=True, slots=True)
class Place:
    """An address in a space."""

    space: str
    expr: Expr


@dataclass(frozen=True, slots=True)
class Range:
    """A range: its start, and its size (bytes) or its exclusive end; neither for a name alone."""

    place: Place
    size: Expr | None = None
    end: Expr | None = None


@lru_cache(maxsize=KEPT)
def parse_place(text: str) -> Place:
    """Parse ``[space:]expr``; the default space is ``mem``.

    Raises: UsageError: unknown space, or as :func:`parse`.
    """
    match = _SPACE.match(text)
    if match is None:
        return Place("mem", parse(text))
    space, address = match[1].lower(), text[match.end() :]
    if space not in SPACES:
        raise UsageError(f"`{match[1]}` is not a space", hint="spaces are mem, flash and efuse")
    if not address.strip():
        raise UsageError(f"`{text.strip()}`: expected an address or a name after `{match[1]}:`")
    return Place(space, parse(address))


def parse_region(words: Sequence[str]) -> Range:
    """Parse ``A LEN``, ``A..END``, ``A..+LEN`` or a lone ``NAME`` from one or two words.

    Whether a lone place is the name of something that has a size is not checked.

    Raises:
        UsageError: another number of words, a side of ``..`` missing, or as :func:`parse_place`.
    """
    if len(words) not in (1, 2):
        raise UsageError(f"expected a region, not {len(words)} words", hint=_REGION_HINT)
    start, dots, stop = _split_range(words[0])
    if not dots:
        return Range(parse_place(start), parse(words[1]) if len(words) == 2 else None)
    shown = printable(words[0].strip())
    if len(words) == 2:
        raise UsageError(f"`{shown}` is already a region, but `{printable(words[1])}` follows it")
    if not start.strip() or not stop.strip(" +"):
        side = "an end after" if start.strip() else "a start before"
        raise UsageError(f"`{shown}`: expected {side} `..`", hint=_REGION_HINT)
    if stop.startswith("+"):
        return Range(parse_place(start), size=parse(stop[1:]))
    return Range(parse_place(start), end=parse(stop))


def _split_range(text: str) -> tuple[str, str, str]:
    """Split at the first ``..`` outside quotes, as ``str.partition`` does."""
    for match in _RANGE_PART.finditer(text):
        if match[0] == "..":
            return text[: match.start()], "..", text[match.end() :]
    return text, "", ""
