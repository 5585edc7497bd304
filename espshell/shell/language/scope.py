"""What the names in an expression stand for, and where ``[...]`` reads from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from espshell import registers
from espshell.chips import Chip, Kind, Region
from espshell.device import Target
from espshell.errors import BenchError, DeviceError, EspError, UsageError
from espshell.ops.memory import words as memory
from espshell.shell.arguments.types import Scope, nearest
from espshell.units import parse_number

if TYPE_CHECKING:
    from espshell.image.partitions import PartitionTable
    from espshell.image.symbol_table import Symbol
    from espshell.ops.memory.symbols import Symbols
    from espshell.registers import BitField, Peripheral, Register, Registers


class TargetScope:
    """Names and memory of the connected chip; without one, numbers only.

    Regions of the memory map come first, then peripherals and registers (addresses) and fields
    (values), then symbols of a program.  With ``prefixes`` the beginning of each part of a name is
    enough, if no other begins so and it is no symbol's name; but a register that changes when it is
    read is never guessed.
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
        """What to keep in mind about what was read, each once, in order."""
        self._prefixes = prefixes
        self._partitions = partitions
        self._parttable = parttable
        self._symbols = symbols

    @property
    def chip(self) -> Chip | None:
        """The connected chip."""
        return self._target.chip if self._target else None

    @property
    def tables(self) -> Registers | None:
        """The registers of the connected chip, where there is a table of them."""
        return registers.of(self.chip.name) if self.chip else None

    def place(self, name: str) -> Region | None:
        """Return the region, peripheral, register or sized symbol of a name; None if there is none.

        Raises: UsageError if the beginning of a name is that of several.
        """
        symbol = self.symbol(name)
        if symbol is not None:
            end = symbol.address + symbol.size
            kind = self._kind_at(symbol.address)
            return Region(symbol.name, symbol.address, end, kind) if symbol.size else None
        wanted, places = name.upper(), self._places()
        exact = next((known for known in places if known.name == wanted), None)
        if exact is not None:
            return exact
        if self._prefixes and "." not in name:
            found = _begun(name, [known.name for known in places if "." not in known.name])
            if found is not None:
                return next(known for known in places if known.name == found)
        register = self.register(name)
        if register is not None:
            end = register.address + registers.WORD
            return Region(register.full_name, register.address, end, Kind.PERIPHERAL)
        peripheral = self.peripheral(name)
        if peripheral is not None:
            end = peripheral.address + peripheral.size
            return Region(peripheral.name, peripheral.address, end, Kind.PERIPHERAL)
        return None

    def symbol(self, name: str) -> Symbol | None:
        """Return the symbol of a name, unless the chip itself has something of that name."""
        found = self._symbols.find(name) if self._symbols else None
        if found is None or self.chip is None:
            return found
        whole = TargetScope(self._target)  # without symbols, and whole names only
        return None if whole.knows(name) else found

    def peripheral(self, name: str) -> Peripheral | None:
        """Return the peripheral of a name, or None."""
        tables = self.tables
        if tables is None:
            return None
        if self._prefixes and tables.peripheral(name) is None:
            name = _begun(name, [each.name for each in tables.peripherals]) or name
        return tables.peripheral(name)

    def register(self, name: str) -> Register | None:
        """Return the register of a name, or None."""
        if name.count(".") != 1 or (tables := self.tables) is None:
            return None
        exact = tables.find(name)
        if exact or not self._prefixes:
            return exact
        first, _, last = name.partition(".")
        peripheral = self.peripheral(first)
        if peripheral is None:
            return None
        found = _begun(last, tables.names(peripheral.name)) or last
        guessed = tables.find(f"{peripheral.name}.{found}")
        if guessed is None or found == last.upper():
            return guessed
        touched = self.chip and self.chip.changes_when_read(guessed.address)
        return None if touched else guessed

    def field(self, name: str) -> tuple[Register, BitField] | None:
        """Return the field of a name and its register, or None."""
        whole, _, last = name.rpartition(".")
        register = self.register(whole)
        if register is None:
            return None
        if self._prefixes and register.field(last) is None:
            last = _begun(last, [each.name for each in register.fields]) or last
        field = register.field(last)
        return (register, field) if field else None

    def knows(self, name: str) -> bool:
        """Say whether there is something of that name, without reading any register."""
        space, colon, rest = name.partition(":")
        if colon:
            return self.space(space).knows(rest)
        if self.symbol(name) is not None:
            return True
        return self.place(name) is not None or self.field(name) is not None

    def is_field(self, name: str) -> bool:
        """Say whether it is a field of a register, and no symbol that is spelled like one."""
        return self.field(name) is not None and self.symbol(name) is None

    def name(self, name: str) -> int | None:
        """Return the address of a region, register or symbol, or the value of a field.

        None if there is none of that name.  Raises: UsageError for a field that is write-only.
        """
        symbol = self.symbol(name)
        if symbol is not None:
            return symbol.address
        place = self.place(name)
        if place is not None:
            return place.start
        found = self.field(name)
        if found is None:
            self._no_tables(name)
            return None
        register, field = found
        if not field.access.readable:
            raise UsageError(f"{register.full_name}.{field.name} is write-only")
        return field.value(self.read(register.address, 32))

    def read(self, address: int, bits: int) -> int:
        """Return the contents of memory. Raises: UsageError outside the memory map."""
        if self._target is None:
            raise not_connected()
        read = memory.peek(self._target.memory, address, width=bits, check=self._check)
        self.notes.update(dict.fromkeys(read.notes))
        return read.values[0]

    def space(self, name: str) -> Scope:
        """Return what names mean in a space: partitions in ``flash``."""
        if name != "flash" or self._target is None or self._partitions is None:
            return self
        return FlashScope(
            self,
            self._target,
            self._partitions,
            parttable=self._parttable,
            prefixes=self._prefixes,
        )

    def suggest(self, name: str) -> str | None:
        """Return the nearest name that there is."""
        space, colon, rest = name.partition(":")
        if colon:
            return self.space(space).suggest(rest)
        if self._symbols:
            near = nearest(name, islice(self._symbols.starting(name[:_NEAR]), _MOST_SYMBOLS))
            if near:
                return near
        self._no_tables(name)
        return nearest(name.upper(), self._own_names(name))

    def names(self, text: str = "") -> Iterable[str]:
        """Return every name that what has been typed could become, for completion.

        Registers only behind their peripheral, fields only behind their register, and symbols only
        behind a first letter: there are thousands.
        """
        found = self._symbols.starting(text) if self._symbols and text else ()
        return dict.fromkeys((*self._own_names(text), *islice(found, _MOST_SYMBOLS)))

    def _own_names(self, text: str) -> Iterable[str]:
        """Return what the chip itself has."""
        if self.chip is None:
            return ()
        tables = self.tables
        if tables is None:
            return [place.name for place in self._places()]
        *before, _ = text.upper().split(".")
        match before:
            case []:
                places = [each.name for each in self._places() if "." not in each.name]
                return dict.fromkeys((*places, *(each.name for each in tables.peripherals)))
            case [peripheral]:
                known = [each.name for each in self.chip.read_effects]
                ours = [f"{peripheral}.{name}" for name in tables.names(peripheral)]
                others = [name for name in known if name.startswith(f"{peripheral}.")]
                return dict.fromkeys((*ours, *others))
            case [peripheral, name] if register := tables.find(f"{peripheral}.{name}"):
                return [f"{register.full_name}.{field.name}" for field in register.fields]
        return ()

    def _kind_at(self, address: int) -> Kind:
        region = self.chip.region_at(address) if self.chip else None
        return region.kind if region else Kind.RAM

    def _no_tables(self, name: str) -> None:
        if "." in name and self.chip is not None and self.tables is None:
            raise UsageError(f"no register tables for the {self.chip.title}")

    def _places(self) -> tuple[Region, ...]:
        if self.chip is None:
            raise not_connected()
        return (*self.chip.regions, *self.chip.read_effects, self.chip.efuse)


class FlashScope:
    """Names in ``flash:``: partitions, and the parts of flash that are none.

    ``bootloader`` is what the ROM boots, ``parttable`` the table itself, ``all`` the whole flash,
    and ``end`` the address behind it; they are known without a table, too.
    The table is read when a name is asked for, not before.  One whose MD5 is wrong names nothing:
    what is written by its names would go anywhere.
    """

    def __init__(
        self,
        outer: TargetScope,
        target: Target,
        partitions: Callable[[], PartitionTable],
        *,
        parttable: str,
        prefixes: bool,
    ) -> None:
        self._outer = outer
        self._target = target
        self._partitions = partitions
        self._parttable = parttable
        self._prefixes = prefixes

    @property
    def chip(self) -> Chip | None:
        """The connected chip."""
        return self._outer.chip

    def place(self, name: str) -> Region | None:
        """Return the partition of a name; None if there is none.

        Raises: UsageError if there is no table, its MD5 is wrong, or several begin with the name.
        """
        if name.lower() == _ALL:
            return Region(_ALL, 0, self._target.flash.size, Kind.FLASH)
        known = {place.name: place for place in self._fixed()}
        try:
            table = self._table()
        except (UsageError, DeviceError):
            if name.lower() in known:
                return known[name.lower()]
            raise
        found = table.find(name)
        if found is None:
            if name.lower() in known:
                return known[name.lower()]
            begun = self._begun(name, table) if self._prefixes else None
            found = table.find(begun) if begun else None
        return Region(found.name, found.offset, found.end, Kind.FLASH) if found else None

    def name(self, name: str) -> int | None:
        """Return the offset of a partition, or the end of the flash; None for any other name."""
        if name.lower() == _END:
            return self._target.flash.size
        place = self.place(name)
        return place.start if place else None

    def knows(self, name: str) -> bool:
        """Say whether there is a partition of that name."""
        return name.lower() == _END or self.place(name) is not None

    def is_field(self, name: str) -> bool:
        """Say no: in flash there are partitions."""
        return False

    def read(self, address: int, bits: int) -> int:
        """Return the contents of memory, as everywhere."""
        return self._outer.read(address, bits)

    def suggest(self, name: str) -> str | None:
        """Return the nearest name that there is."""
        return nearest(name, self.names(name))

    def names(self, text: str = "") -> Iterable[str]:
        """Return the names of all partitions, and of what is none."""
        try:
            found = [each.name for each in self._table().partitions]
        except EspError:
            found = []
        return dict.fromkeys((*found, *(place.name for place in self._fixed()), _ALL))

    def space(self, name: str) -> Scope:
        """Return what names mean in a space."""
        return self._outer.space(name)

    def _table(self) -> PartitionTable:
        table = self._partitions()
        if table.md5_ok is False:
            raise UsageError(
                "the MD5 of the partition table is wrong, so its names are not used",
                hint="`parts` shows it; give an address, or `set parttable FILE`",
            )
        return table

    def _fixed(self) -> tuple[Region, ...]:
        from espshell.image.partitions import OFFSET, SIZE

        boot = self._target.chip.bootloader_offset
        at = parse_number(self._parttable)
        start = OFFSET if at is None else at
        return (
            Region("bootloader", boot, start, Kind.FLASH),
            Region("parttable", start, start + SIZE, Kind.FLASH),
        )

    def _begun(self, text: str, table: PartitionTable) -> str | None:
        names = {each.name.upper(): each.name for each in table.partitions}
        found = _begun(text, list(names))
        return names[found] if found else None


_ALL, _END = "all", "end"


def not_connected() -> BenchError:
    """Return the error of a command that needs a chip when there is none."""
    return BenchError("no chip is connected", hint="`connect PORT`, or start with --port")


def _begun(text: str, names: Sequence[str]) -> str | None:
    """Return the name that begins with a text, or is it; None if none does.

    Raises: UsageError if several do.
    """
    wanted = text.upper()
    found = sorted({name for name in names if name.startswith(wanted)})
    if wanted in found:
        return wanted
    if len(found) > 1:
        more = ", ..." if len(found) > _MOST else ""
        raise UsageError(f"`{text}` could be {', '.join(found[:_MOST])}{more}")
    return found[0] if found else None


_MOST = 8  # names in a message
_MOST_SYMBOLS = 500  # that are shown or compared; a longer beginning finds the others
_NEAR = 3  # letters of a wrong name that are taken to be right
