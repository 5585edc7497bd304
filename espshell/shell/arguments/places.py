"""Arguments that are places: addresses and ranges in memory or in flash, and ports.

A place is parsed without a chip, into a space and an expression, and resolved with one.

Ugly: ``_split_range`` finds ``..`` before the expressions on its sides are parsed, so it skips
character literals by itself; inside brackets there is none that means something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from espshell import chips, regex
from espshell.device.memory import require_32_bits
from espshell.errors import UsageError
from espshell.link import ports
from espshell.records import dataclass, replace
from espshell.shell.arguments.types import (
    TEXT,
    ArgType,
    Completed,
    Offer,
    Scope,
    checked,
    last_name,
    mapped,
    offer_names,
    single_word,
)
from espshell.shell.language import expr, quoting
from espshell.shell.language.expr import KEPT, Expr
from espshell.shell.language.tokens import printable

SPACES = ("mem", "flash", "efuse")

_ESCAPED = regex.late(r"""\\([\s;()\[\]'"$#])""")
_SPACE = regex.late(r"\s*([A-Za-z_]\w*):")
_RANGE_PART = regex.late(r"'(?:\\.|[^'\\])*'|\.\.|.", re.DOTALL)
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


def unquoted(text: str) -> str:
    """Return a word beside places, as of a file, without its quotes and their backslashes.

    Any other backslash may be one of a variable's value: a path of Windows.
    """
    if text[:1] not in ("'", '"'):
        return _ESCAPED.sub(r"\1", text)
    word, is_open = quoting.unquoted(text)
    if is_open:  # as a completion of a line that is being typed
        raise UsageError(f"`{text}` has an unclosed quote")
    return word


@lru_cache(maxsize=KEPT)
def parse_place(text: str) -> Place:
    """Parse ``[space:]expr``; the default space is ``mem``.

    Raises: UsageError: unknown space, or as ``expr.parse``.
    """
    match = _SPACE.match(text)
    if match is None:
        return Place("mem", expr.parse(text))
    space, address = match[1].lower(), text[match.end() :]
    if space not in SPACES:
        raise UsageError(f"`{match[1]}` is not a space", hint="spaces are mem, flash and efuse")
    if not address.strip():
        raise UsageError(f"`{text.strip()}`: expected an address or a name after `{match[1]}:`")
    return Place(space, expr.parse(address))


def parse_region(words: Sequence[str]) -> Range:
    """Parse ``A LEN``, ``A..END``, ``A..+LEN`` or a lone ``NAME`` from one or two words.

    Whether a lone place is the name of something that has a size is not checked.

    Raises:
        UsageError: another number of words, a side of ``..`` missing, or as ``parse_place``.
    """
    if len(words) not in (1, 2):
        raise UsageError(f"expected a region, not {len(words)} words", hint=_REGION_HINT)
    start, dots, stop = _split_range(words[0])
    if not dots:
        return Range(parse_place(start), expr.parse(words[1]) if len(words) == 2 else None)
    shown = printable(words[0].strip())
    if len(words) == 2:
        raise UsageError(f"`{shown}` is already a region, but `{printable(words[1])}` follows it")
    if not start.strip() or not stop.strip(" +"):
        side = "an end after" if start.strip() else "a start before"
        raise UsageError(f"`{shown}`: expected {side} `..`", hint=_REGION_HINT)
    if stop.startswith("+"):
        return Range(parse_place(start), size=expr.parse(stop[1:]))
    return Range(parse_place(start), end=expr.parse(stop))


def _split_range(text: str) -> tuple[str, str, str]:
    """Split at the first ``..`` outside quotes, as ``str.partition`` does."""
    for match in _RANGE_PART.finditer(text):
        if match[0] == "..":
            return text[: match.start()], "..", text[match.end() :]
    return text, "", ""


@dataclass(frozen=True, slots=True)
class Location:
    """An address in a space; ``name`` and ``end`` are of the place that was named, if any."""

    address: int
    space: str = "mem"
    name: str = ""
    end: int | None = None

    def typed(self, address: int) -> str:
        """Return another address in its space as a line has it."""
        return f"{address:#x}" if self.space == "mem" else f"{self.space}:{address:#x}"


@dataclass(frozen=True, slots=True)
class Extent:
    """A range of a space; ``size`` in bytes."""

    address: int
    size: int
    name: str = ""
    space: str = "mem"

    def typed(self, address: int) -> str:
        """Return another address in its space as a line has it."""
        return Location(address, self.space).typed(address)

    @property
    def end(self) -> int:
        """The address behind it."""
        return self.address + self.size


def _location(parsed: Place, scope: Scope) -> Location:
    """Evaluate an address; one in ``efuse:`` counts from the start of block 0 as it is read."""
    scope = scope.space(parsed.space)
    name = parsed.expr.lone_name()
    named = scope.place(name) if name and parsed.space != "mem" else None
    if named is not None:
        return Location(named.start, parsed.space, named.name, named.end)
    address = _evaluated(parsed, scope)
    if parsed.space == "mem":  # where flash and the eFuses end, only the chip can say
        require_32_bits(address, 1)
    return Location(address, parsed.space)


_ABOUT_SPACES = {
    "mem": "addresses on the bus",
    "flash": "the flash, partitions by name",
    "efuse": "the eFuses",
}


def _complete_places(
    text: str, scope: Scope, spaces: Sequence[str] = SPACES
) -> Iterable[Completed]:
    """Offer names of places in the space that a word begins with, and the spaces."""
    typed = last_name(text)
    if typed is None:
        return
    space, colon, _ = text.partition(":")
    if colon and ":" not in typed and space.lower() in SPACES:
        scope = scope.space(space.lower())  # behind an operator
    yield from offer_names(typed, scope)
    if not colon and typed == text:
        yield from (Offer(f"{space}:", _ABOUT_SPACES[space]) for space in spaces)


PLACE: ArgType[Place, Location] = ArgType(
    "place",
    single_word(parse_place),
    _location,
    names=lambda parsed: _names(parsed, parsed.expr),
    complete=_complete_places,
    raw=True,
)
"""An address in a space."""


def require_writable(where: Place) -> None:
    """Require another space than ``efuse:``. Raises: UsageError."""
    if where.space == "efuse":
        raise UsageError(
            "`efuse:` is read-only: a burnt bit cannot be cleared",
            hint="the controller's registers are in `mem:`, where a write takes --force",
        )


def _addresses(places: ArgType[Place, Location]) -> ArgType[Place, int]:
    def require_memory(where: Place) -> None:
        if where.space != "mem":
            text = f"{where.space}:{where.expr.text}"
            raise UsageError(
                f"`{text}` is in {_IN[where.space]}; an address in memory was expected"
            )

    return replace(
        mapped(checked(places, require_memory), lambda location: location.address),
        kind="address",
        complete=lambda text, scope: _complete_places(text, scope, ("mem",)),
    )


ADDRESS = _addresses(PLACE)
"""An address on the bus: not in ``flash:`` or ``efuse:``."""


def region(default_size: int | None = None) -> ArgType[Range, Extent]:
    """Take a range: ``A LEN``, ``A..END``, ``A..+LEN`` or the name of a region.

    ``default_size`` is the length of a lone address, None if a lone address is an error.
    """

    def parse(texts: Sequence[str]) -> Range:
        parsed = parse_region(texts)
        lone = parsed.size is None and parsed.end is None
        if lone and default_size is None and parsed.place.expr.lone_name() is None:
            raise UsageError(
                f"`{texts[0]}` has no length", hint="give one: `A LEN`, `A..END` or `A..+LEN`"
            )
        return parsed

    def names(parsed: Range) -> tuple[str, ...]:
        parts = (parsed.place.expr, parsed.size, parsed.end)
        return tuple(name for part in parts if part for name in _names(parsed.place, part))

    return ArgType(
        "region",
        parse,
        lambda parsed, scope: _extent(parsed, scope, default_size),
        names=names,
        complete=_complete_places,
        complete_at=lambda at: () if at.before else _complete_places(at.word, at.scope),
        most=2,
        raw=True,
    )


def _extent(parsed: Range, scope: Scope, default_size: int | None) -> Extent:
    """Evaluate both ends. Raises: UsageError if the end is not after the start."""
    space = parsed.place.space
    scope = scope.space(space)
    name = parsed.place.expr.lone_name()
    is_lone = parsed.size is None and parsed.end is None
    region = scope.place(name) if name and is_lone else None
    if region is not None:
        return Extent(region.start, region.size, region.name, space)
    if is_lone and default_size is None:
        raise UsageError(
            f"`{parsed.place.expr.text}` is not the name of a region",
            hint=f"`{_LISTS[space]}` lists them; or give a length: `A LEN`",
        )
    start, size, wrong = _evaluated(parsed.place, scope), default_size or 1, ""
    if parsed.size is not None:
        size = parsed.size.evaluate(scope)
        wrong = f"`{parsed.size.text}` is {size}; a length is at least 1 byte"
    elif parsed.end is not None:
        end = parsed.end.evaluate(scope)
        size, wrong = end - start, f"the end {end:#x} is not after the start {start:#x}"
    if size < 1:
        raise UsageError(wrong)
    if space == "mem":
        require_32_bits(start, size)
    return Extent(start, size, "", space)


REGION = region()

WRITABLE_PLACE = checked(PLACE, require_writable)
WRITABLE_ADDRESS = _addresses(WRITABLE_PLACE)
WRITABLE_REGION = checked(REGION, lambda parsed: require_writable(parsed.place))
"""Places to write to: in ``efuse:`` there is none."""

_LISTS = {"mem": "map", "flash": "parts", "efuse": "efuse"}
_IN = {"flash": "flash", "efuse": "the eFuses"}


def _names(where: Place, part: Expr) -> tuple[str, ...]:
    """Return the names in a part of a place, with the space where it is not memory."""
    prefix = "" if where.space == "mem" else f"{where.space}:"
    return tuple(prefix + name for name in part.names())


def _evaluated(where: Place, scope: Scope) -> int:
    """Return the number of a place. Raises: UsageError for a field, which is a value."""
    name = where.expr.lone_name()
    if name and scope.is_field(name):
        raise UsageError(f"`{name}` is a field, not an address", hint=f"`reg {name}` shows it")
    return where.expr.evaluate(scope)


def _complete_ports(text: str, scope: Scope) -> Iterable[Completed]:
    for port in ports.list_ports():
        yield port.device, " ".join(filter(None, (port.product, port.serial)))
    yield "sim://demo", "simulated, with firmware in its flash"
    yield from ((f"sim://{name}", "simulated") for name in chips.NAMES)


PORT = replace(TEXT, complete=_complete_ports)
"""A port by its name or URL."""
