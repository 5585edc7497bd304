"""Arguments that are places and ranges, in memory or in flash."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from espshell.device.memory import require_32_bits
from espshell.errors import UsageError
from espshell.records import dataclass
from espshell.shell.arguments.types import ArgType, Scope, checked, mapped, single_word
from espshell.shell.language import expr, place


@dataclass(frozen=True, slots=True)
class Location:
    """An address in a space; ``name`` and ``end`` are of the place that was named, if any."""

    address: int
    space: str = "mem"
    name: str = ""
    end: int | None = None

    def typed(self, address: int) -> str:
        """Return another address in its space as a line has it."""
        return f"flash:{address:#x}" if self.space == "flash" else f"{address:#x}"


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


def _location(parsed: place.Place, scope: Scope) -> Location:
    """Evaluate an address; one in ``efuse:`` counts from the start of the eFuse registers."""
    scope = scope.space(parsed.space)
    name = parsed.expr.lone_name()
    partition = scope.place(name) if name and parsed.space == "flash" else None
    if partition is not None:
        return Location(partition.start, parsed.space, partition.name, partition.end)
    address = _bus_address(parsed, _evaluated(parsed, scope), scope)
    _require_range(parsed, address, 1)
    return Location(address, _bus_space(parsed))


def _complete_places(text: str, scope: Scope) -> Iterable[str]:
    """Return names and spaces that what is typed could become."""
    space, colon, name = text.partition(":")
    if colon and space in place.SPACES:
        return [f"{space}:{suffix}" for suffix in scope.space(space).names(name)]
    return (*scope.names(text), "mem:", "flash:", "efuse:")


PLACE: ArgType[place.Place, Location] = ArgType(
    "place",
    single_word(place.parse_place),
    _location,
    names=lambda parsed: _names(parsed, parsed.expr),
    complete=_complete_places,
    raw=True,
)
"""An address in a space; one in ``efuse:`` becomes an address on the bus."""


def _require_memory(where: place.Place) -> None:
    if where.space == "flash":
        text = f"flash:{where.expr.text}"
        raise UsageError(f"`{text}` is in flash; an address in memory was expected")


def require_writable(where: place.Place) -> None:
    """Require another space than ``efuse:``. Raises: UsageError."""
    if where.space == "efuse":
        raise UsageError(
            "`efuse:` is read-only: a bit that is burnt stays burnt",
            hint="the controller's registers are in `mem:`, where a write takes --force",
        )


ADDRESS: ArgType[place.Place, int] = replace(
    mapped(checked(PLACE, _require_memory), lambda location: location.address),
    kind="address",
    complete=lambda text, scope: (*scope.names(text), "mem:", "efuse:"),
)
"""An address on the bus: anywhere but in ``flash:``."""


def region(default_size: int | None = None) -> ArgType[place.Range, Extent]:
    """Take a range: ``A LEN``, ``A..END``, ``A..+LEN`` or the name of a region.

    ``default_size`` is the length of a lone address, None if a lone address is an error.
    """

    def parse(texts: Sequence[str]) -> place.Range:
        parsed = place.parse_region(texts)
        lone = parsed.size is None and parsed.end is None
        if lone and default_size is None and parsed.place.expr.lone_name() is None:
            raise UsageError(
                f"`{texts[0]}` has no length", hint="give one: `A LEN`, `A..END` or `A..+LEN`"
            )
        return parsed

    def names(parsed: place.Range) -> tuple[str, ...]:
        parts = (parsed.place.expr, parsed.size, parsed.end)
        return tuple(name for part in parts if part for name in _names(parsed.place, part))

    return ArgType(
        "region",
        parse,
        lambda parsed, scope: _extent(parsed, scope, default_size),
        names=names,
        complete=_complete_places,
        most=2,
        raw=True,
    )


def _extent(parsed: place.Range, scope: Scope, default_size: int | None) -> Extent:
    """Evaluate both ends. Raises: UsageError if the end is not behind the start."""
    space = _bus_space(parsed.place)
    scope = scope.space(parsed.place.space)
    name = parsed.place.expr.lone_name()
    if parsed.size is None and parsed.end is None:
        region = scope.place(name) if name else None
        if region is not None:
            return Extent(region.start, region.size, region.name, space)
        if default_size is None:
            raise UsageError(
                f"`{parsed.place.expr.text}` is the name of no region",
                hint=f"`{_LISTS[space]}` lists them; or give a length: `A LEN`",
            )
    start = _evaluated(parsed.place, scope)
    address = _bus_address(parsed.place, start, scope)
    size = _size(parsed, start, scope, default_size)
    _require_range(parsed.place, address, size)
    return Extent(address, size, "", space)


def _size(parsed: place.Range, start: int, scope: Scope, default_size: int | None) -> int:
    if parsed.size is not None:
        size = parsed.size.evaluate(scope)
        wrong = f"`{parsed.size.text}` is {size}; a length is at least 1 byte"
    elif parsed.end is not None:
        end = parsed.end.evaluate(scope)
        size = end - start
        wrong = f"the end {end:#x} is not behind the start {start:#x}"
    else:
        return default_size or 1
    if size < 1:
        raise UsageError(wrong)
    return size


REGION = region()

WRITABLE_PLACE = checked(PLACE, require_writable)
WRITABLE_ADDRESS = checked(ADDRESS, require_writable)
WRITABLE_REGION = checked(REGION, lambda parsed: require_writable(parsed.place))
"""Places to write to: in ``efuse:`` there is none."""

_LISTS = {"mem": "map", "flash": "parts"}


def _names(where: place.Place, part: expr.Expr) -> tuple[str, ...]:
    """Return the names in a part of a place; those in flash with their space."""
    prefix = "flash:" if where.space == "flash" else ""
    return tuple(prefix + name for name in part.names())


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
