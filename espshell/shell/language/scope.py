"""The meaning of names in an expression, and the memory that ``[...]`` reads."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from espshell import pins
from espshell.chips import Chip, Kind, Region
from espshell.device import Target
from espshell.errors import BenchError, DeviceError, EspError, UsageError
from espshell.image import partitions as partitions_module
from espshell.ops.chip import efuse as efuses
from espshell.ops.chip import gpio
from espshell.ops.memory import words as memory
from espshell.shell.arguments.types import Scope, completed, nearest
from espshell.units import WORD, hex32, parse_number, size_text

if TYPE_CHECKING:
    from espshell.image.partitions import PartitionTable
    from espshell.image.symbol_table import Symbol
    from espshell.ops.memory.symbols import Symbols
    from espshell.registers.table import BitField, Peripheral, Register, Registers


class TargetScope:
    """Names and memory of the connected chip; without a chip, numbers only.

    Regions of the memory map come first, then peripherals and registers (addresses) and fields
    (values), then symbols of a program.  With ``prefixes`` the beginning of each part of a name is
    enough, if it is unique and no symbol's name; but it never finds a register that changes when it
    is read.
    """

    def __init__(
        self,
        target: Target | None,
        *,
        prefixes: bool = False,
        partitions: Callable[[], PartitionTable] | None = None,
        parttable: str = "",
        symbols: Symbols | None = None,
        check: bool = False,
    ) -> None:
        self._target = target
        self._check = check
        self.notes: dict[str, None] = {}
        """Notes about the memory that was read: unique, in order."""
        self.prefixes = prefixes
        self._partitions = partitions
        self.parttable = parttable
        self._symbols = symbols

    @property
    def chip(self) -> Chip | None:
        """The connected chip."""
        return self._target.chip if self._target else None

    @property
    def tables(self) -> Registers | None:
        """The register tables of the connected chip, or None."""
        return self._target.memory.registers if self._target else None

    def place(self, name: str) -> Region | None:
        """Return the region, peripheral, register or sized symbol of a name; None if there is none.

        Raises: UsageError for the beginning of several names.
        """
        symbol = self.symbol(name)
        if symbol is not None:
            end = symbol.address + symbol.size
            region = self.chip.region_at(symbol.address) if self.chip else None
            kind = region.kind if region else Kind.RAM
            return Region(symbol.name, symbol.address, end, kind) if symbol.size else None
        places = self._places()
        if name.upper() in places:
            return places[name.upper()]
        if self.prefixes and "." not in name:
            whole = completed(name, [place for place in places if "." not in place])
            if whole is not None:
                return places[whole]
        register = self.register(name)
        if register is not None:
            end = register.address + WORD
            return Region(register.full_name, register.address, end, Kind.PERIPHERAL)
        peripheral = self.peripheral(name)
        if peripheral is not None:
            end = peripheral.address + peripheral.size
            return Region(peripheral.name, peripheral.address, end, Kind.PERIPHERAL)
        return None

    def symbol(self, name: str) -> Symbol | None:
        """Return the symbol of a name, unless the chip itself has this name."""
        match = self._symbols.find(name) if self._symbols else None
        if match is None or self.chip is None:
            return match
        of_chip = TargetScope(self._target)  # without symbols and prefixes
        return None if of_chip.knows(name) else match

    def peripheral(self, name: str) -> Peripheral | None:
        """Return the peripheral of a name, or None."""
        tables = self.tables
        if tables is None:
            return None
        if self.prefixes and tables.peripheral(name) is None:
            name = completed(name, [p.name for p in tables.peripherals]) or name
        return tables.peripheral(name)

    def register(self, name: str) -> Register | None:
        """Return the register of a name, or None."""
        if name.count(".") != 1 or (tables := self.tables) is None:
            return None
        exact = tables.find(name)
        if exact or not self.prefixes:
            return exact
        first, _, last = name.partition(".")
        peripheral = self.peripheral(first)
        if peripheral is None:
            return None
        whole = completed(last, tables.names(peripheral.name)) or last
        register = tables.find(f"{peripheral.name}.{whole}")
        if register is None or whole == last.upper():
            return register
        changes = self.chip and self.chip.changes_when_read(register.address)
        return None if changes else register

    def field(self, name: str) -> tuple[Register, BitField] | None:
        """Return the field of a name and its register, or None."""
        whole, _, last = name.rpartition(".")
        register = self.register(whole)
        if register is None:
            return None
        if self.prefixes and register.field(last) is None:
            last = completed(last, [field.name for field in register.fields]) or last
        field = register.field(last)
        return (register, field) if field else None

    def knows(self, name: str) -> bool:
        """Return whether a name has a meaning, without reading any register."""
        space, colon, rest = name.partition(":")
        if space.lower() == _GPIO and colon:
            if self.chip is not None and rest.isdecimal():
                gpio.pin_named(self.chip, int(rest))  # raises, with those that there are
            return rest.isdecimal()
        if colon:
            return self.space(space).knows(rest)
        if self.symbol(name) is not None:
            return True
        return self.place(name) is not None or self.field(name) is not None

    def is_field(self, name: str) -> bool:
        """Return whether a name is that of a register's field, and not of a symbol."""
        return self.field(name) is not None and self.symbol(name) is None

    def name(self, name: str) -> int | None:
        """Return the address of a region, register or symbol, or the value of a field.

        ``gpio:9`` is the level of a pin.  None for an unknown name.

        Raises: UsageError for a field that is write-only, or a pin that there is not.
        """
        space, colon, rest = name.partition(":")
        if colon and space.lower() == _GPIO and rest.isdecimal():
            return gpio.level(self._connected().memory, int(rest))
        if colon:
            return efuses.field(self._connected(), rest) if space.lower() == _EFUSE else None
        symbol = self.symbol(name)
        if symbol is not None:
            return symbol.address
        place = self.place(name)
        if place is not None:
            return place.start
        match = self.field(name)
        if match is None:
            self._require_tables(name)
            return None
        register, field = match
        if not field.access.readable:
            raise UsageError(f"{register.full_name}.{field.name} is write-only")
        return field.value(self.read(register.address, 32))

    def read(self, address: int, bits: int) -> int:
        """Return the contents of memory. Raises: UsageError outside the memory map."""
        read = memory.peek(self._connected().memory, address, width=bits, check=self._check)
        self.notes.update(dict.fromkeys(read.notes))
        return read.values[0]

    def _connected(self) -> Target:
        if self._target is None:
            raise not_connected()
        return self._target

    def space(self, name: str) -> Scope:
        """Return the meaning of names in a space: partitions in ``flash``, fields in ``efuse``."""
        if name.lower() == _EFUSE and self._target is not None:
            return EfuseScope(self, self._target)
        if name != "flash" or self._target is None or self._partitions is None:
            return self
        return FlashScope(self, self._target, self._partitions)

    def suggest(self, name: str) -> str | None:
        """Return the name nearest to an unknown one; None if none is near."""
        space, colon, rest = name.partition(":")
        if colon:
            return self.space(space).suggest(rest)
        if self._symbols:
            near = nearest(name, islice(self._symbols.starting(name[:_NEAR]), _MOST_SYMBOLS))
            if near:
                return near
        self._require_tables(name)
        return nearest(name.upper(), self._own_names(name))

    def names(self, text: str = "") -> Iterable[str]:
        """Return the names that a typed text could become, for completion.

        There are thousands: so registers only after their peripheral, fields only after their
        register, and symbols only after a first letter.
        """
        if text.lower().startswith(f"{_GPIO}:") and self.chip is not None:
            return [f"{_GPIO}:{pin.number}" for pin in pins.of(self.chip.name).pins]
        symbols = self._symbols.starting(text) if self._symbols and text else ()
        return dict.fromkeys((*self._own_names(text), *islice(symbols, _MOST_SYMBOLS)))

    def about(self, name: str) -> str:
        """Describe a name: where it is, what may be done to it; empty for an unknown one."""
        tables = self.tables
        if tables is not None and (match := tables.find_field(name)) is not None:
            field = match[1]
            bits = f"bits {field.bits}" if field.width > 1 else f"bit {field.bits}"
            return "  ".join(filter(None, (bits, field.access.text, field.meaning)))
        if tables is not None and (register := tables.find(name)) is not None:
            parts = (hex32(register.address), register.access.text, register.meaning)
            return "  ".join(filter(None, parts))
        if self.chip and (place := self._places().get(name)):
            return _about(place.start, place.size)
        peripheral = tables.peripheral(name) if tables else None
        named = peripheral or (self._symbols.find(name) if self._symbols else None)
        return _about(named.address, named.size) if named else ""

    def _own_names(self, text: str) -> Iterable[str]:
        """Return the names of the chip itself."""
        if self.chip is None:
            return ()
        tables = self.tables
        if tables is None:
            return self._places()
        *before, _ = text.upper().split(".")
        with contextlib.suppress(UsageError):  # the beginning of several peripherals
            before[:1] = [p.name for p in map(self.peripheral, before[:1]) if p] or before[:1]
        match before:
            case []:
                places = [place for place in self._places() if "." not in place]
                return dict.fromkeys((*places, *(p.name for p in tables.peripherals)))
            case [peripheral]:
                ours = [f"{peripheral}.{name}" for name in tables.names(peripheral)]
                effects = [effect.name for effect in self.chip.read_effects]
                others = [name for name in effects if name.startswith(f"{peripheral}.")]
                return dict.fromkeys((*ours, *others))
            case [peripheral, name] if register := tables.find(f"{peripheral}.{name}"):
                return [f"{register.full_name}.{field.name}" for field in register.fields]
        return ()

    def _require_tables(self, name: str) -> None:
        """Check that there are register tables for a name with a dot. Raises: UsageError."""
        if "." in name and self.chip is not None and self.tables is None:
            raise UsageError(
                f"no register tables for the {self.chip.title}", hint="`svd FILE` reads an SVD file"
            )

    def _places(self) -> Mapping[str, Region]:
        return self._connected().memory.places


class _SpaceScope(Scope):
    """Names in another space than memory, which alone ``[...]`` reads: all of them are places."""

    def __init__(self, outer: TargetScope, target: Target) -> None:
        self._outer, self._target = outer, target

    @property
    def chip(self) -> Chip | None:
        return self._outer.chip

    def name(self, name: str) -> int | None:
        place = self.place(name)
        return place.start if place else None

    def knows(self, name: str) -> bool:
        return self.name(name) is not None

    def is_field(self, name: str) -> bool:
        return False

    def read(self, address: int, bits: int) -> int:
        return self._outer.read(address, bits)

    def suggest(self, name: str) -> str | None:
        return nearest(name, self.names(name))

    def space(self, name: str) -> Scope:
        return self._outer.space(name)


class FlashScope(_SpaceScope):
    """Names in ``flash:``: partitions, and four names that need no table.

    ``bootloader`` is where the ROM boots from, ``parttable`` the table itself, ``all`` the whole
    flash, and ``end`` the address after it.  The table is read when the first name is looked up.
    A table with a wrong MD5 names nothing: a write by its names could go anywhere.
    """

    def __init__(
        self, outer: TargetScope, target: Target, partitions: Callable[[], PartitionTable]
    ) -> None:
        super().__init__(outer, target)
        self._partitions = partitions

    def place(self, name: str) -> Region | None:
        """Return the partition of a name; None if there is none.

        Raises: UsageError if there is no table, its MD5 is wrong, or several names begin so.
        """
        if name.lower() == _ALL:
            return Region(_ALL, 0, self._target.flash.size, Kind.FLASH)
        fixed = {place.name: place for place in self._fixed()}.get(name.lower())
        try:
            table = self._table()
        except (UsageError, DeviceError):
            if fixed is not None:
                return fixed
            raise
        row = table.find(name)
        if row is None and fixed is not None:
            return fixed
        if row is None and self._outer.prefixes:
            names = {row.name.upper(): row.name for row in table.partitions}
            whole = completed(name, list(names))
            row = table.find(names[whole]) if whole else None
        return Region(row.name, row.offset, row.end, Kind.FLASH) if row else None

    def name(self, name: str) -> int | None:
        """Return the offset of a partition, or the end of the flash; None for any other name."""
        if name.lower() == _END:
            return self._target.flash.size
        return super().name(name)

    def names(self, text: str = "") -> Iterable[str]:
        """Return the names of all partitions, and those that need no table."""
        try:
            names = [row.name for row in self._table().partitions]
        except EspError:
            names = []
        return dict.fromkeys((*names, *(place.name for place in self._fixed()), _ALL))

    def about(self, name: str) -> str:
        """Describe a partition: its place and size; nothing that would have to be asked for."""
        if name == _ALL:
            return "the whole flash"
        with contextlib.suppress(EspError):
            place = self.place(name)
            return _about(place.start, place.size) if place else ""
        return ""

    def _table(self) -> PartitionTable:
        table = self._partitions()
        if table.md5_ok is False:
            raise UsageError(
                "the MD5 of the partition table is wrong, so its names are not used",
                hint="`parts` shows it; give an address, or `set parttable FILE`",
            )
        return table

    def _fixed(self) -> tuple[Region, ...]:
        at = parse_number(self._outer.parttable)
        start = partitions_module.OFFSET if at is None else at
        return (
            Region("bootloader", self._target.chip.bootloader_offset, start, Kind.FLASH),
            Region("parttable", start, start + partitions_module.SIZE, Kind.FLASH),
        )


class EfuseScope(_SpaceScope):
    """Names in ``efuse:``: fields, which as places are the words that hold them."""

    def place(self, name: str) -> Region | None:
        """Return the words of a field; None for an unknown name."""
        space = self._target.efuse
        whole = completed(name, list(self.names())) if self._outer.prefixes else None
        fuse = space.table.find(whole or name)
        if fuse is None:
            return None
        span = space.span(fuse)
        return Region(fuse.name, span.start, span.end, Kind.PERIPHERAL)

    def suggest(self, name: str) -> str | None:
        """Return the name nearest to an unknown one; None if none is near."""
        return nearest(name.upper(), self.names())

    def names(self, text: str = "") -> Iterable[str]:
        """Return the names of all fields."""
        return [fuse.name for fuse in self._target.efuse.table.fuses]

    def about(self, name: str) -> str:
        """Describe a field by its meaning."""
        fuse = self._target.efuse.table.find(name)
        return fuse.meaning.text if fuse else ""


_ALL, _END, _EFUSE, _GPIO = "all", "end", "efuse", "gpio"


def not_connected() -> BenchError:
    """Return the error of a command that needs a chip, without one."""
    return BenchError("no chip is connected", hint="`connect PORT`, or start with --port")


def _about(address: int, size: int) -> str:
    return f"{hex32(address)}  {size_text(size)}" if size else hex32(address)


_MOST_SYMBOLS = 500  # shown or compared; a longer beginning finds the others
_NEAR = 3  # letters of a wrong name that are supposed to be right
