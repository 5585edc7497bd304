"""The operands of `find`, `diff` and `hash`: patterns, things to compare, a range and a method."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from espshell import files
from espshell.errors import UsageError
from espshell.ops.memory import find
from espshell.ops.memory.hash import ALGORITHMS
from espshell.shell.arguments.places import Place, Region, Span, Spot
from espshell.shell.arguments.types import ArgType, Choice, File, Scope
from espshell.shell.language import expr, place

_HEX = "hex:"


class Pattern(ArgType["find.Pattern | expr.Expr", "find.Pattern | int"]):
    """What to look for: ``"text"``, ``hex:de??be``, or a number, whose width the command knows."""

    raw = True

    def parse(self, texts: Sequence[str]) -> find.Pattern | expr.Expr:
        """Parse it. Raises: UsageError."""
        text = texts[0]
        if text.lower().startswith(_HEX):
            return find.Pattern.of_hex(text[len(_HEX) :])
        if text.startswith('"') or (text.startswith("'") and not _is_character(text)):
            return find.Pattern.of_bytes(unquoted(text).encode("utf-8", "surrogateescape"))
        return expr.parse(text)

    def value(self, parsed: find.Pattern | expr.Expr, scope: Scope) -> find.Pattern | int:
        """Return the bytes, or the number."""
        return parsed if isinstance(parsed, find.Pattern) else parsed.evaluate(scope)

    def names(self, parsed: find.Pattern | expr.Expr) -> tuple[str, ...]:
        """Return the names that a number uses."""
        return () if isinstance(parsed, find.Pattern) else parsed.names()

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete the forms."""
        return (*scope.names(), _HEX)


@dataclass(frozen=True, slots=True)
class Operand:
    """One side of a comparison: words that are a region, an address, a file or a snapshot."""

    words: tuple[str, ...]

    @property
    def text(self) -> str:
        """How it was typed, without quotes."""
        return " ".join(unquoted(word) for word in self.words)

    def span(self, scope: Scope) -> Span | Spot | None:
        """Return the range, or the address alone; None if it is no place."""
        word = self.words[0]
        if len(self.words) == 1 and _range(word) is None:
            return _lone(word, scope)
        region = Region()
        return region.value(region.parse(self.words), scope)

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


class Operands(ArgType[tuple[str, ...], tuple[Operand, Operand]]):
    """Two sides, each of one word or, for ``ADDRESS LENGTH``, of two.

    With three words the first two belong together if the first is a number or the name of a place.
    """

    raw = True
    least = 2
    most = 4
    label = "A B"

    def parse(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Take the words; what they mean shows only with a chip."""
        if len(texts) == 4:
            for pair in (texts[:2], texts[2:]):
                Region().parse(pair)
        return tuple(texts)

    def value(self, parsed: tuple[str, ...], scope: Scope) -> tuple[Operand, Operand]:
        """Part the two sides."""
        cut = len(parsed) // 2
        if len(parsed) == 3 and _range(parsed[0]) is None and _lone(parsed[0], scope) is not None:
            cut = 2
        return Operand(parsed[:cut]), Operand(parsed[cut:])

    def files(self, parsed: tuple[str, ...]) -> tuple[Path, ...]:
        """Return the sides that can only be files; other words may be snapshots or places."""
        words = [unquoted(word) for word in parsed]
        return tuple(File().parse([w]) for w in words if w.startswith(("./", "../", "/", "~")))

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names and files."""
        return (*scope.names(), *File().complete(text, scope))


class Hashed(ArgType[tuple[place.Region, str], tuple[Span, str]]):
    """A region and perhaps the name of an algorithm behind it."""

    raw = True
    most = 3
    label = f"REGION [{'|'.join(ALGORITHMS)}]"

    def parse(self, texts: Sequence[str]) -> tuple[place.Region, str]:
        """Take the last word for an algorithm if it is one. Raises: UsageError."""
        *words, last = texts
        if words and last.lower() in ALGORITHMS:
            return Region().parse(words), last.lower()
        if len(texts) == 3:
            Choice(*ALGORITHMS).parse([last])  # raises, with those that there are
        return Region().parse(texts), ALGORITHMS[0]

    def value(self, parsed: tuple[place.Region, str], scope: Scope) -> tuple[Span, str]:
        """Evaluate the region."""
        region, algorithm = parsed
        return Region().value(region, scope), algorithm

    def names(self, parsed: tuple[place.Region, str]) -> tuple[str, ...]:
        """Return the names that the region uses."""
        return Region().names(parsed[0])

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names and algorithms."""
        return (*scope.names(), *ALGORITHMS)


def unquoted(text: str) -> str:
    """Return a word without its quotes."""
    try:
        return text if text[:1] not in "'\"" else " ".join(shlex.split(text))
    except ValueError as error:  # as a completion of a line that is being typed
        raise UsageError(f"`{text}` has an opening quote and no closing one") from error


def _range(word: str) -> place.Region | None:
    """Return the range ``A..B`` that a word is, or None."""
    try:
        region = place.parse_region([word])
    except UsageError:
        return None
    return region if region.size or region.end else None


def _lone(word: str, scope: Scope) -> Span | Spot | None:
    """Return the range of a name or the address of an expression; None for any other word."""
    try:
        where = place.parse_place(word)
    except UsageError:
        return None
    inside = scope.space(where.space)
    if any(inside.name(name) is None for name in where.expr.names()):
        return None
    name = where.expr.lone_name()
    known = inside.place(name) if name and where.space != "efuse" else None
    if known is not None:
        return Span(known.start, known.size, known.name, where.space)
    kind = Place()
    return kind.value(kind.parse([word]), scope)


def _is_character(text: str) -> bool:
    """Say whether a quoted word is a number such as ``'A'``."""
    try:
        return expr.parse(text).constant() is not None
    except UsageError:
        return False
