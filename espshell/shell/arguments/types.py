"""The types of arguments: how each is parsed without a device, and what it means with one.

A type is asked twice.  ``parse`` looks at the text alone, so that a whole script can be checked
before anything is connected; ``value`` then turns the parsed thing into what the command wants,
with names and memory at hand.  The same types know how to complete what is being typed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from espshell import chips, files
from espshell.chips import Chip
from espshell.errors import UsageError
from espshell.shell.language import expr
from espshell.units import number_text, parse_seconds

P = TypeVar("P")
V = TypeVar("V")


class Scope(expr.Environment, Protocol):
    """What values are found in: names and memory, and the chip if one is connected."""

    @property
    def chip(self) -> Chip | None:
        """The connected chip."""

    def place(self, name: str) -> chips.Region | None:
        """Return the region or register of a name; None if there is none."""

    def knows(self, name: str) -> bool:
        """Say whether there is something of that name, without reading anything."""

    def is_field(self, name: str) -> bool:
        """Say whether it is a field of a register: a value, and no place."""

    def names(self, text: str = "") -> Iterable[str]:
        """Every name that what has been typed could become."""

    def space(self, name: str) -> Scope:
        """Return what names mean in a space: partitions in ``flash``."""


class ArgType(ABC, Generic[P, V]):
    """A type of argument, from ``least`` to ``most`` words."""

    least = 1
    most = 1
    raw = False
    """Whether the words keep their quotes: expressions need those of ``'A'``."""
    label = ""
    """How it stands in a usage line, where the name of the parameter would say less."""

    @abstractmethod
    def parse(self, texts: Sequence[str]) -> P:
        """Check the text of the words. Raises: UsageError with what was expected."""

    @abstractmethod
    def value(self, parsed: P, scope: Scope) -> V:
        """Return what is meant. Raises: UsageError for an unknown name."""

    def names(self, parsed: P) -> tuple[str, ...]:
        """Return the names that must be known."""
        return ()

    def files(self, parsed: P) -> tuple[Path, ...]:
        """Return the files that must be there, because they are read."""
        return ()

    def needs_chip(self, parsed: P | None) -> bool:
        """Say whether a chip must be connected for this, whatever the command needs.

        None is what is not known yet.
        """
        return False

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Return what the word that is being typed could become."""
        return ()


class Number(ArgType[expr.Expr, int]):
    """An expression, perhaps with the least and the most that it may be."""

    raw = True

    def __init__(self, least: int | None = None, most: int | None = None) -> None:
        self._least = least
        self._most = most

    def parse(self, texts: Sequence[str]) -> expr.Expr:
        """Parse the expression."""
        return expr.parse(texts[0])

    def value(self, parsed: expr.Expr, scope: Scope) -> int:
        """Evaluate it. Raises: UsageError if it is out of bounds."""
        number = parsed.evaluate(scope)
        if self._least is not None and number < self._least:
            raise UsageError(f"`{parsed.text}` is {number}; at least {self._least} was expected")
        if self._most is not None and number > self._most:
            most = number_text(self._most)
            raise UsageError(f"`{parsed.text}` is {number}; at most {most} was expected")
        return number

    def names(self, parsed: expr.Expr) -> tuple[str, ...]:
        """Return the names it uses."""
        return parsed.names()

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names."""
        return scope.names(text)


class Expression(ArgType[expr.Expr, expr.Expr]):
    """An expression that the command evaluates by itself."""

    raw = True

    def parse(self, texts: Sequence[str]) -> expr.Expr:
        """Parse the expression."""
        return expr.parse(texts[0])

    def value(self, parsed: expr.Expr, scope: Scope) -> expr.Expr:
        """Return it as it is."""
        return parsed

    def names(self, parsed: expr.Expr) -> tuple[str, ...]:
        """Return the names it uses."""
        return parsed.names()

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names."""
        return scope.names(text)


class Positive(Number):
    """An expression that must be at least 1, and fit into 32 bits: a count or a rate."""

    def __init__(self, most: int = 0xFFFF_FFFF) -> None:
        super().__init__(1, most)

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete nothing: a count is no address."""
        return ()


class Text(ArgType[str, str]):
    """A word as it is."""

    def parse(self, texts: Sequence[str]) -> str:
        """Take it."""
        return texts[0]

    def value(self, parsed: str, scope: Scope) -> str:
        """Return it."""
        return parsed


class Texts(ArgType[tuple[str, ...], tuple[str, ...]]):
    """Words as they are, one or more; options among them stay options."""

    most = 999

    def parse(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Take them."""
        return tuple(texts)

    def value(self, parsed: tuple[str, ...], scope: Scope) -> tuple[str, ...]:
        """Return them."""
        return parsed


class Words(ArgType[tuple[str, ...], tuple[str, ...]]):
    """All words that are left, options too, perhaps none."""

    least = 0
    most = 999

    def parse(self, texts: Sequence[str]) -> tuple[str, ...]:
        """Take them."""
        return tuple(texts)

    def value(self, parsed: tuple[str, ...], scope: Scope) -> tuple[str, ...]:
        """Return them."""
        return parsed


class Numbers(ArgType[tuple[expr.Expr, ...], tuple[int, ...]]):
    """One expression or more."""

    raw = True
    most = 999

    def parse(self, texts: Sequence[str]) -> tuple[expr.Expr, ...]:
        """Parse each."""
        return tuple(expr.parse(text) for text in texts)

    def value(self, parsed: tuple[expr.Expr, ...], scope: Scope) -> tuple[int, ...]:
        """Evaluate each."""
        return tuple(one.evaluate(scope) for one in parsed)

    def names(self, parsed: tuple[expr.Expr, ...]) -> tuple[str, ...]:
        """Return the names they use."""
        return tuple(name for one in parsed for name in one.names())

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names."""
        return scope.names(text)


class File(ArgType[Path, Path]):
    """A path; ``~`` is the home directory."""

    def parse(self, texts: Sequence[str]) -> Path:
        """Take it. Raises: UsageError for what no file can be called."""
        return files.path_of(texts[0])

    def value(self, parsed: Path, scope: Scope) -> Path:
        """Return it."""
        return parsed

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names in the directory that is being typed."""
        return files.completions(text)


class InputFile(File):
    """A path of a file that is read."""

    def files(self, parsed: Path) -> tuple[Path, ...]:
        """Return it."""
        return (parsed,)


class Choice(ArgType[str, str]):
    """One of a few words."""

    def __init__(self, *choices: str) -> None:
        self._choices = choices
        self.label = "|".join(choices)

    def parse(self, texts: Sequence[str]) -> str:
        """Take it in any case. Raises: UsageError with the words that there are."""
        text = texts[0].lower()
        if text not in self._choices:
            raise UsageError(
                f"`{texts[0]}` is not one of {', '.join(self._choices)}",
                hint=did_you_mean(text, self._choices),
            )
        return text

    def value(self, parsed: str, scope: Scope) -> str:
        """Return it."""
        return parsed

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete the words."""
        return self._choices


class ChipNames(ArgType[tuple[Chip, ...], tuple[Chip, ...]]):
    """One name of a chip or more."""

    most = 999

    def parse(self, texts: Sequence[str]) -> tuple[Chip, ...]:
        """Find the chips. Raises: UsageError with those that are known."""
        return tuple(chip_named(text) for text in texts)

    def value(self, parsed: tuple[Chip, ...], scope: Scope) -> tuple[Chip, ...]:
        """Return them."""
        return parsed

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names."""
        return chips.NAMES


MOST_SECONDS = 1_000_000
"""The longest duration: eleven days, which a clock of doubles still counts in microseconds."""


class Seconds(ArgType[float, float]):
    """A duration: ``2``, ``0.5``, ``200ms``."""

    def parse(self, texts: Sequence[str]) -> float:
        """Parse it. Raises: UsageError."""
        seconds = parse_seconds(texts[0])
        if seconds is None:
            raise UsageError(f"`{texts[0]}` is not a duration", hint="write 2, 0.5 or 200ms")
        if seconds > MOST_SECONDS:
            raise UsageError(f"`{texts[0]}` is too long", hint=f"at most {MOST_SECONDS} seconds")
        return seconds

    def value(self, parsed: float, scope: Scope) -> float:
        """Return it."""
        return parsed


AnyType = ArgType[Any, Any]
"""A type whose value only the command knows; ``registry`` passes it on unseen."""


def chip_named(name: str) -> Chip:
    """Return the chip of a name. Raises: UsageError with those that are known."""
    chip = chips.by_name(name)
    if chip is None:
        known = ", ".join(chips.NAMES)
        raise UsageError(f"`{name}` is no chip that is known", hint=f"known are {known}")
    return chip


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like another, if any is."""
    import difflib

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint with the nearest known word, or an empty one."""
    near = nearest(word.lower(), known)
    return f"did you mean `{near}`?" if near else ""
