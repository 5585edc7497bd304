"""Arguments that are places and ranges, in memory or in flash."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from espshell.device.memory import require_32_bits
from espshell.errors import UsageError
from espshell.shell.arguments.types import ArgType, Scope
from espshell.shell.language import expr, place


@dataclass(frozen=True, slots=True)
class Spot:
    """An address in a space; ``name`` and ``end`` are of the place that was named, if any."""

    address: int
    space: str = "mem"
    name: str = ""
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """A range of a space; ``size`` in bytes."""

    address: int
    size: int
    name: str = ""
    space: str = "mem"


def require_writable(where: place.Place) -> None:
    """Require another space than ``efuse:``. Raises: UsageError."""
    if where.space == "efuse":
        raise UsageError(
            "`efuse:` is read-only: a bit that is burnt stays burnt",
            hint="the controller's registers are in `mem:`, where a write takes --force",
        )


class Place(ArgType[place.Place, Spot]):
    """An address in a space; one in ``efuse:`` becomes an address on the bus.

    ``to_write``: and is refused, because it is read-only.
    """

    raw = True

    def __init__(self, *, to_write: bool = False) -> None:
        self._to_write = to_write

    def parse(self, texts: Sequence[str]) -> place.Place:
        """Parse space and address. Raises: UsageError."""
        where = place.parse_place(texts[0])
        if self._to_write:
            require_writable(where)
        return where

    def value(self, parsed: place.Place, scope: Scope) -> Spot:
        """Evaluate the address; one in ``efuse:`` counts from the start of the eFuse registers."""
        scope = scope.space(parsed.space)
        name = parsed.expr.lone_name()
        known = scope.place(name) if name and parsed.space == "flash" else None
        if known is not None:
            return Spot(known.start, parsed.space, known.name, known.end)
        address = _bus_address(parsed, _evaluated(parsed, scope), scope)
        _require_range(parsed, address, 1)
        return Spot(address, _bus_space(parsed))

    def names(self, parsed: place.Place) -> tuple[str, ...]:
        """Return the names it uses."""
        return _names(parsed, parsed.expr)

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names and spaces."""
        return _places(text, scope)


class Address(ArgType[place.Place, int]):
    """An address on the bus: anywhere but in ``flash:``; ``to_write``: nor in ``efuse:``."""

    raw = True

    def __init__(self, *, to_write: bool = False) -> None:
        self._to_write = to_write

    def parse(self, texts: Sequence[str]) -> place.Place:
        """Parse space and address. Raises: UsageError for a place in flash."""
        where = Place(to_write=self._to_write).parse(texts)
        if where.space == "flash":
            raise UsageError(f"`{texts[0]}` is in flash; an address in memory was expected")
        return where

    def value(self, parsed: place.Place, scope: Scope) -> int:
        """Evaluate the address."""
        return Place().value(parsed, scope).address

    def names(self, parsed: place.Place) -> tuple[str, ...]:
        """Return the names it uses."""
        return parsed.expr.names()

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names and spaces."""
        return (*scope.names(text), "mem:", "efuse:")


class Region(ArgType[place.Region, Span]):
    """A range: ``A LEN``, ``A..END``, ``A..+LEN`` or the name of a region.

    ``default_size`` is the length of a lone address, None if a lone address is an error.
    ``to_write``: one in ``efuse:`` is refused.
    """

    raw = True
    most = 2

    def __init__(self, default_size: int | None = None, *, to_write: bool = False) -> None:
        self._default_size = default_size
        self._to_write = to_write

    def parse(self, texts: Sequence[str]) -> place.Region:
        """Parse one or two words."""
        region = place.parse_region(texts)
        if self._to_write:
            require_writable(region.place)
        lone = region.size is None and region.end is None
        if lone and self._default_size is None and region.place.expr.lone_name() is None:
            raise UsageError(
                f"`{texts[0]}` has no length", hint="give one: `A LEN`, `A..END` or `A..+LEN`"
            )
        return region

    def value(self, parsed: place.Region, scope: Scope) -> Span:
        """Evaluate both ends. Raises: UsageError if the end is not behind the start."""
        space = _bus_space(parsed.place)
        scope = scope.space(parsed.place.space)
        name = parsed.place.expr.lone_name()
        if parsed.size is None and parsed.end is None:
            known = scope.place(name) if name else None
            if known is not None:
                return Span(known.start, known.size, known.name, space)
            if self._default_size is None:
                raise UsageError(
                    f"`{parsed.place.expr.text}` is the name of no region",
                    hint=f"`{_LISTS[space]}` lists them; or give a length: `A LEN`",
                )
        start = _evaluated(parsed.place, scope)
        address = _bus_address(parsed.place, start, scope)
        size = self._size(parsed, start, scope)
        _require_range(parsed.place, address, size)
        return Span(address, size, "", space)

    def names(self, parsed: place.Region) -> tuple[str, ...]:
        """Return the names it uses."""
        parts = (parsed.place.expr, parsed.size, parsed.end)
        return tuple(name for part in parts if part for name in _names(parsed.place, part))

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names and spaces."""
        return _places(text, scope)

    def _size(self, parsed: place.Region, start: int, scope: Scope) -> int:
        if parsed.size is not None:
            size = parsed.size.evaluate(scope)
            wrong = f"`{parsed.size.text}` is {size}; a length is at least 1 byte"
        elif parsed.end is not None:
            end = parsed.end.evaluate(scope)
            size = end - start
            wrong = f"the end {end:#x} is not behind the start {start:#x}"
        else:
            return self._default_size or 1
        if size < 1:
            raise UsageError(wrong)
        return size


_LISTS = {"mem": "map", "flash": "parts"}


def _names(where: place.Place, part: expr.Expr) -> tuple[str, ...]:
    """Return the names in a part of a place; those in flash with their space."""
    prefix = "flash:" if where.space == "flash" else ""
    return tuple(prefix + name for name in part.names())


def _places(text: str, scope: Scope) -> Iterable[str]:
    """Return names and spaces that what is typed could become."""
    space, colon, name = text.partition(":")
    if colon and space in place.SPACES:
        return [f"{space}:{each}" for each in scope.space(space).names(name)]
    return (*scope.names(text), "mem:", "flash:", "efuse:")


def _require_range(where: place.Place, address: int, size: int) -> None:
    """Check that a range in memory has addresses of 32 bits, whatever is forced.

    Where flash ends, only the chip can say. Raises: UsageError.
    """
    if where.space != "flash":
        require_32_bits(address, size)


def _bus_space(where: place.Place) -> str:
    return "flash" if where.space == "flash" else "mem"


def _evaluated(where: place.Place, scope: Scope) -> int:
    """Return the number of a place. Raises: UsageError for a field, which is a value."""
    name = where.expr.lone_name()
    if name and scope.is_field(name):
        raise UsageError(f"`{name}` is a field, not an address", hint=f"`reg {name}` shows it")
    return where.expr.evaluate(scope)


def _bus_address(where: place.Place, number: int, scope: Scope) -> int:
    if where.space != "efuse" or scope.chip is None:
        return number
    registers = scope.chip.efuse
    if not 0 <= number < registers.size:
        raise UsageError(f"efuse:{number:#x} is past the end; there are {registers.size:#x} bytes")
    return registers.start + number
