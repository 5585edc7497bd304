"""The types of arguments: how each is parsed without a device, and what it means with one.

A type is asked twice.  ``parse`` looks at the text alone, so that a whole script can be checked
before anything is connected; ``resolve`` then turns the parsed thing into what the command gets,
with names and memory at hand.  The same types know how to complete what is being typed.

A type is a value: a small one is made of others by ``many``, ``checked``, ``mapped`` and by
``replace``, which gives it another completion or label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, cast

from espshell import chips, files, regex
from espshell.chips import Chip
from espshell.errors import UsageError
from espshell.records import dataclass, replace
from espshell.shell.language import expr, quoting
from espshell.shell.settings import AUTO
from espshell.units import number_text, parse_seconds

P = TypeVar("P")
V = TypeVar("V")
W = TypeVar("W")


class Scope(expr.Environment, Protocol):
    """What values are found in: names and memory, and the chip if one is connected."""

    @property
    def chip(self) -> Chip | None:
        """The connected chip."""

    def place(self, name: str) -> chips.Region | None:
        """Return the region or register of a name; None if there is none."""

    def knows(self, name: str) -> bool:
        """Return whether there is something of that name, without reading anything."""

    def is_field(self, name: str) -> bool:
        """Return whether it is a field of a register: a value, and no place."""

    def names(self, text: str = "") -> Iterable[str]:
        """Every name that what has been typed could become."""

    def space(self, name: str) -> Scope:
        """Return the meaning of names in a space: those of partitions in ``flash``."""

    def about(self, name: str) -> str:
        """Describe a name in a few words for those who choose among several."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What could stand in place of ``typed``, the end of an unfinished word."""

    text: str
    about: str = ""
    typed: str | None = None
    """None for all of the word."""


Completed = str | tuple[str, str] | Offer
"""A word, perhaps with what is shown beside it."""

Completion = Callable[[str, Scope], Iterable[Completed]]
"""What the word that is being typed could become."""


class State(Protocol):
    """What a session keeps under names of a person's own."""

    @property
    def snapshots(self) -> Mapping[str, object]:
        """The snapshots by name."""


@dataclass(frozen=True, slots=True)
class Unfinished:
    """An unfinished word, and what stands before it."""

    word: str
    words: tuple[str, ...]
    """The words of the command before it, without options."""
    start: int
    """The index of the argument's first word among these."""
    scope: Scope
    state: State
    may_read: bool
    """Whether the chip may be asked: a person has pressed Tab."""

    @property
    def before(self) -> tuple[str, ...]:
        """The words of the same argument before it."""
        return self.words[self.start :]


def _none(parsed: Any) -> tuple[()]:
    return ()


def no_outputs(parsed: Any) -> tuple[Path, ...]:
    """Write no file."""
    return ()


def no_completion(text: str, scope: Scope) -> Iterable[str]:
    """Complete nothing."""
    return ()


_LAST_NAME = regex.late(r"""(?<![\w'"$])(?:[A-Za-z_]\w*:)?[A-Za-z_]\w*(?:\.\w+)*\.?$""")
_SPACE_NAME = regex.late(r"(?<!\w)[A-Za-z_]\w*:\d*$")
_BEFORE_A_NAME = (*" ([+-*/%&|^~<>=!,", "..")
_NARROW = tuple((f"u{bits}[", f"{bits} bits at an address") for bits in (8, 16))
_OTHER_SPACES = (("efuse:", "a field of the eFuses"), ("gpio:", "the level of a pin"))


def last_name(word: str) -> str | None:
    """Return the name at the end of an unfinished word, behind an operator or bracket.

    It is empty where one could begin, and None where none can.
    """
    match = _LAST_NAME.search(word) or _SPACE_NAME.search(word)
    if match is not None:
        return match[0]
    return "" if not word or word.endswith(_BEFORE_A_NAME) else None


def offer_names(typed: str, scope: Scope) -> Iterable[Offer]:
    """Offer what the beginning of a name, perhaps with its space, could become."""
    space, colon, rest = typed.partition(":")
    if colon and space.lower() in ("mem", "flash", "efuse"):
        scope, typed = scope.space(space.lower()), rest
    for name in scope.names(typed):
        yield Offer(name, scope.about(name), typed)


def complete_names(text: str, scope: Scope) -> Iterable[Completed]:
    """Complete the last name in an expression."""
    typed = last_name(text)
    if typed is not None:
        yield from offer_names(typed, scope)
        if scope.chip is not None:
            yield from (Offer(*word, typed) for word in (*_NARROW, *_OTHER_SPACES))


def complete_files(text: str, scope: Scope) -> Iterable[Completed]:
    """Complete names in the directory that is being typed, quoted as what is typed of them."""
    begun, _ = quoting.unquoted(text)
    for path, about in files.completions(begun):
        yield Offer(quoting.quoted(path, text), about)


def offer(*words: str) -> Completion:
    """Complete to some words."""
    return lambda text, scope: words


@dataclass(frozen=True, slots=True)
class ArgType(Generic[P, V]):
    """A type of argument, from ``least`` to ``most`` words."""

    kind: str
    """What an argument is, in a word or two: ``place``, ``input file``."""
    parse: Callable[[Sequence[str]], P]
    """Check the text of the words. Raises: UsageError with what was expected."""
    resolve: Callable[[P, Scope], V] = lambda parsed, scope: cast(Any, parsed)
    """Return the value of a parsed argument. Raises: UsageError for an unknown name."""
    names: Callable[[P], Sequence[str]] = _none
    """Return the names that must be known."""
    files: Callable[[P], Sequence[Path]] = _none
    """Return the files that must be there, because they are read."""
    outputs: Callable[[P], Sequence[Path]] = no_outputs
    """Return the files that may be written."""
    either: Callable[[P], Sequence[str]] = _none
    """Return the words that must be the name of a place or of a file that is read."""
    needs_chip: Callable[[P | None], bool] = lambda parsed: False
    """Whether a chip must be connected for this, whatever the command needs.

    None is what only shows when the line runs.
    """
    complete: Completion = no_completion
    complete_at: Callable[[Unfinished], Iterable[Completed]] | None = None
    """Instead of ``complete`` where it depends on the words before."""
    least: int = 1
    most: int = 1
    raw: bool = False
    """Whether the words keep their quotes: expressions need those of ``'A'``."""
    label: str = ""
    """How it stands in a usage line, where the name of the parameter would say less."""
    takes_options: bool = False
    """Whether words behind it that look like options belong to it, too."""


AnyType = ArgType[Any, Any]
"""A type whose value only the command knows; ``registry`` passes it on unseen."""


def single_word(parse: Callable[[str], P]) -> Callable[[Sequence[str]], P]:
    """Make a parser of one word of a parser of text."""
    return lambda texts: parse(texts[0])


def many(item: ArgType[P, V], *, least: int = 1) -> ArgType[tuple[P, ...], tuple[V, ...]]:
    """Take a type of one word as often as there are words."""

    def parse(texts: Sequence[str]) -> tuple[P, ...]:
        return tuple(item.parse([text]) for text in texts)

    def resolve(parsed: tuple[P, ...], scope: Scope) -> tuple[V, ...]:
        return tuple(item.resolve(part, scope) for part in parsed)

    def names(parsed: tuple[P, ...]) -> tuple[str, ...]:
        return tuple(name for part in parsed for name in item.names(part))

    return ArgType(
        item.kind,
        parse,
        resolve,
        names=names,
        complete=item.complete,
        complete_at=item.complete_at,
        least=least,
        most=999,
        raw=item.raw,
    )


def checked(base: ArgType[P, V], check: Callable[[P], object]) -> ArgType[P, V]:
    """Let a check raise UsageError for what a type would take."""

    def parse(texts: Sequence[str]) -> P:
        parsed = base.parse(texts)
        check(parsed)
        return parsed

    return replace(base, parse=parse)


def mapped(base: ArgType[P, V], function: Callable[[V], W]) -> ArgType[P, W]:
    """Give the value of a type to a function."""

    def resolve(parsed: P, scope: Scope) -> W:
        return function(base.resolve(parsed, scope))

    return cast("ArgType[P, W]", replace(cast(AnyType, base), resolve=resolve))


def choice(*choices: str) -> ArgType[str, str]:
    """Take one of a few words, in any case."""

    def parse(word: str) -> str:
        text = word.lower()
        if text not in choices:
            raise UsageError(
                f"`{word}` is not one of {', '.join(choices)}", hint=did_you_mean(text, choices)
            )
        return text

    return ArgType("choice", single_word(parse), complete=offer(*choices), label="|".join(choices))


def number(least: int | None = None, most: int | None = None) -> ArgType[expr.Expr, int]:
    """Take an expression, perhaps with the least and the most that it may be."""

    def resolve(parsed: expr.Expr, scope: Scope) -> int:
        value = parsed.evaluate(scope)
        if least is not None and value < least:
            raise UsageError(f"`{parsed.text}` is {value}; at least {least} was expected")
        if most is not None and value > most:
            bound = number_text(most)
            raise UsageError(f"`{parsed.text}` is {value}; at most {bound} was expected")
        return value

    return ArgType(
        "number",
        single_word(expr.parse),
        resolve,
        names=expr.Expr.names,
        needs_chip=lambda parsed: parsed is not None and not parsed.is_constant,
        complete=complete_names,
        raw=True,
    )


MOST_SECONDS = 1_000_000
"""The longest duration: eleven days, which a clock of doubles still counts in microseconds."""


def _seconds(text: str) -> float:
    seconds = parse_seconds(text)
    if seconds is None:
        raise UsageError(f"`{text}` is not a duration", hint="write 2, 0.5 or 200ms")
    if seconds > MOST_SECONDS:
        raise UsageError(f"`{text}` is too long", hint=f"at most {MOST_SECONDS} seconds")
    return seconds


def chip_named(name: str) -> Chip:
    """Return the chip of a name. Raises: UsageError with those that are known."""
    chip = chips.by_name(name)
    if chip is None:
        names = ", ".join(chips.NAMES)
        raise UsageError(f"`{name}` is not a known chip", hint=f"known are {names}")
    return chip


EXPRESSION: ArgType[expr.Expr, expr.Expr] = ArgType(
    "expression", single_word(expr.parse), names=expr.Expr.names, complete=complete_names, raw=True
)
"""An expression that the command evaluates by itself."""

NUMBER = number()
BARE_NUMBER = replace(NUMBER, complete=no_completion)
"""A number for which no place or register would be typed: an opcode, a status."""
NUMBERS = many(NUMBER)
NUMBERS_OR_NONE = many(NUMBER, least=0)

POSITIVE = replace(number(1, 0xFFFF_FFFF), complete=no_completion)
"""An expression that must be at least 1, and fit into 32 bits: a count or a rate."""

MOST_NAMES = 8
"""Names in a message."""


RATES = ("115200", "230400", "460800", "921600", "1500000", "2000000")
"""Rates to choose from; any other may be typed."""

RATE_OR_AUTO: ArgType[expr.Expr | None, int | str] = ArgType(
    "rate",
    single_word(lambda text: None if text.lower() == AUTO else expr.parse(text)),
    lambda parsed, scope: AUTO if parsed is None else POSITIVE.resolve(parsed, scope),
    names=lambda parsed: () if parsed is None else parsed.names(),
    complete=offer(AUTO, *RATES),
    raw=True,
    label="RATE|auto",
)
"""A baud rate, or ``auto``: the highest that is clean."""

TEXT: ArgType[str, str] = ArgType("text", single_word(str))
"""A word as it is."""

TEXTS = many(TEXT)
"""Words as they are, one or more; options among them stay options."""

WORDS = replace(many(TEXT, least=0), kind="words", takes_options=True)
"""All words that remain, options too, perhaps none."""

FILE: ArgType[Path, Path] = ArgType(
    "file", single_word(files.path_of), complete=complete_files, outputs=lambda path: (path,)
)
"""A path; ``~`` is the home directory."""

INPUT_FILE = replace(FILE, kind="input file", files=lambda path: (path,), outputs=no_outputs)
"""A path of a file that is read."""

ANY_PATH = replace(FILE, outputs=no_outputs)
"""A path of a folder, or of a file that the command itself looks for."""

SECONDS: ArgType[float, float] = ArgType("seconds", single_word(_seconds))
"""A duration: ``2``, ``0.5``, ``200ms``."""

GENERATION: ArgType[str, int] = mapped(choice("1", "2"), int)
"""A generation of flasher stubs."""

CHIP: ArgType[Chip, Chip] = ArgType("chip", single_word(chip_named), complete=offer(*chips.NAMES))
CHIPS = many(CHIP)


def completed(text: str, names: Sequence[str]) -> str | None:
    """Return the only name that begins with a text, or equals it; None if there is none.

    Raises: UsageError if several begin with it.
    """
    prefix = text.upper()
    matches = sorted({name for name in names if name.startswith(prefix)})
    if prefix in matches:
        return prefix
    if len(matches) > 1:
        more = ", ..." if len(matches) > MOST_NAMES else ""
        raise UsageError(f"`{text}` could be {', '.join(matches[:MOST_NAMES])}{more}")
    return matches[0] if matches else None


def nearest(word: str, words: Iterable[str]) -> str | None:
    """Return the known word that is most like another, if any is."""
    import difflib

    near = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return near[0] if near else None


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """Return a hint with the nearest known word, or an empty one."""
    near = nearest(word.lower(), words)
    return f"did you mean `{near}`?" if near else ""
