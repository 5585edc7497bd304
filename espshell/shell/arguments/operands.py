"""The operands of `find`, `diff` and `hash`: patterns, things to compare, a range and a method."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from espshell import files, regex
from espshell.errors import UsageError
from espshell.ops.memory import find
from espshell.ops.memory import hash as hashing
from espshell.records import dataclass
from espshell.shell.arguments.places import (
    PLACE,
    REGION,
    Extent,
    Location,
    Range,
    parse_place,
    parse_region,
    unquoted,
)
from espshell.shell.arguments.types import (
    ArgType,
    Scope,
    choice,
    complete_files,
    complete_names,
    single_word,
)
from espshell.shell.language import expr

_HEX = "hex:"
_OF_PATHS = ("./", "../", "/", "~")


def _parse_pattern(text: str) -> find.Pattern | expr.Expr:
    if text.lower().startswith(_HEX):
        return find.Pattern.of_hex(text[len(_HEX) :])
    if text.startswith('"') or (text.startswith("'") and not is_number(text)):
        return find.Pattern.of_bytes(unquoted(text).encode("utf-8", "surrogateescape"))
    return expr.parse(text)


PATTERN: ArgType[find.Pattern | expr.Expr, find.Pattern | int] = ArgType(
    "pattern",
    single_word(_parse_pattern),
    lambda parsed, scope: parsed if isinstance(parsed, find.Pattern) else parsed.evaluate(scope),
    names=lambda parsed: () if isinstance(parsed, find.Pattern) else parsed.names(),
    complete=lambda text, scope: (*complete_names(text, scope), (_HEX, "bytes, ?? for any")),
    raw=True,
)
"""What to look for: ``"text"``, ``hex:de??be``, or a number, whose width the command knows."""


@dataclass(frozen=True, slots=True)
class Operand:
    """One side of a comparison: words that are a region, an address, a file or a snapshot."""

    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """How it was typed, without quotes."""
        return " ".join(unquoted(word) for word in self.words)

    def span(self, scope: Scope) -> Extent | Location | None:
        """Return the range, or the address alone; None if it is not a place."""
        word = self.words[0]
        if len(self.words) == 1 and _range(word) is None:
            return _lone(word, scope)
        return REGION.resolve(REGION.parse(self.words), scope)

    @property
    def path(self) -> Path | None:
        """The file of that name; None if there is none."""
        if len(self.words) != 1:
            return None
        try:
            path = files.path_of(unquoted(self.words[0]))
        except UsageError:
            return None
        return path if files.is_file(path) else None


_DOTTED = regex.late(r"[^\W\d][\w-]*(\.[\w-]+)+")  # no name of a snapshot


def _parse_operands(texts: Sequence[str]) -> tuple[str, ...]:
    """Take the words; what they mean shows only with a chip."""
    if len(texts) == 4:
        for pair in (texts[:2], texts[2:]):
            REGION.parse(pair)
    return tuple(texts)


def _resolve_operands(parsed: tuple[str, ...], scope: Scope) -> tuple[Operand, Operand]:
    cut = len(parsed) // 2
    if len(parsed) == 3 and _range(parsed[0]) is None:
        with contextlib.suppress(UsageError):  # the beginning of several names may be a snapshot
            cut += _lone(parsed[0], scope) is not None
    return Operand(parsed[:cut]), Operand(parsed[cut:])


OPERANDS: ArgType[tuple[str, ...], tuple[Operand, Operand]] = ArgType(
    "operands",
    _parse_operands,
    _resolve_operands,
    files=lambda parsed: tuple(  # others may be snapshots or places
        files.path_of(word) for word in map(unquoted, parsed) if word.startswith(_OF_PATHS)
    ),
    either=lambda parsed: tuple(word for word in parsed if _DOTTED.fullmatch(word)),
    complete_at=lambda at: (
        *((name, "snapshot") for name in at.state.snapshots),
        *REGION.complete(at.word, at.scope),
        *complete_files(at.word, at.scope),
    ),
    least=2,
    most=4,
    raw=True,
    label="A B",
)
"""Two sides, each of one word or, for ``ADDRESS LENGTH``, of two.

With three words the first two belong together if the first is a number or the name of a place.
"""


def _parse_hashed(texts: Sequence[str]) -> tuple[Range, str]:
    """Take the last word for an algorithm if it is one. Raises: UsageError."""
    *words, last = texts
    if words and last.lower() in hashing.ALGORITHMS:
        return REGION.parse(words), last.lower()
    if len(texts) == 3:
        choice(*hashing.ALGORITHMS).parse([last])  # raises, with those that there are
    return REGION.parse(texts), hashing.ALGORITHMS[0]


HASHED: ArgType[tuple[Range, str], tuple[Extent, str]] = ArgType(
    "region and algorithm",
    _parse_hashed,
    lambda parsed, scope: (REGION.resolve(parsed[0], scope), parsed[1]),
    names=lambda parsed: REGION.names(parsed[0]),
    complete_at=lambda at: hashing.ALGORITHMS if at.before else REGION.complete(at.word, at.scope),
    most=3,
    raw=True,
    label=f"REGION [{'|'.join(hashing.ALGORITHMS)}]",
)
"""A region and perhaps the name of an algorithm behind it."""


def _range(word: str) -> Range | None:
    """Return the range ``A..B`` that a word is, or None."""
    try:
        region = parse_region([word])
    except UsageError:
        return None
    return region if region.size or region.end else None


def _lone(word: str, scope: Scope) -> Extent | Location | None:
    """Return the range of a name or the address of an expression; None for any other word."""
    try:
        where = parse_place(word)
    except UsageError:
        return None
    inside = scope.space(where.space)
    if any(inside.name(name) is None for name in where.expr.names()):
        return None
    name = where.expr.lone_name()
    region = inside.place(name) if name else None
    if region is not None:
        return Extent(region.start, region.size, region.name, where.space)
    return PLACE.resolve(PLACE.parse([word]), scope)


def is_number(text: str) -> bool:
    """Return whether a word has a value without names and memory: ``64``, ``'A'``."""
    try:
        return expr.parse(text).constant() is not None
    except UsageError:
        return False
