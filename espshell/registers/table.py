"""One chip's registers: by name, by address, by pattern.

They are read from the text that ``scripts/registers.py`` writes, or from an SVD file (``svd``).
Only what is asked for is taken apart: lines are given to their peripherals when the table is
loaded, a peripheral's lines are split when one of its registers is looked up, and a register's
fields when it is returned.  The format is explained at the top of every file in ``data``.

Source: Espressif's SVD files, https://github.com/espressif/svd.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache, cached_property
from typing import NamedTuple, Protocol

from espshell import regex
from espshell.records import dataclass

_FIELD = regex.late(
    r"(?P<name>[^=]+)=(?P<high>\d+)(:(?P<low>\d+))?(\((?P<values>[^)]*)\))?(/(?P<access>\w+))?"
)
_ROW = regex.late(r"\{(\d+)\.\.(\d+)\}")


class Access(Enum):
    """What can be done to a register or field."""

    READ = "r"
    WRITE = "w"
    BOTH = "rw"

    @property
    def readable(self) -> bool:
        """Whether its contents mean something."""
        return self is not Access.WRITE

    @property
    def writable(self) -> bool:
        """Whether it can be written."""
        return self is not Access.READ

    @property
    def text(self) -> str:
        """In words: ``read-only``."""
        return {"r": "read-only", "w": "write-only", "rw": "read-write"}[self.value]


@dataclass(frozen=True, slots=True)
class BitField:
    """Neighbouring bits of a register; ``values`` are numbers that have names."""

    name: str
    low: int
    width: int
    access: Access
    values: tuple[tuple[int, str], ...] = ()
    meaning: str = ""
    """One line, where an SVD file has one."""
    value_meanings: tuple[tuple[int, str], ...] = ()
    """Likewise of its values."""

    @property
    def high(self) -> int:
        """The highest bit."""
        return self.low + self.width - 1

    @property
    def mask(self) -> int:
        """Its bits of the register, set."""
        return (1 << self.width) - 1 << self.low

    @property
    def bits(self) -> str:
        """As in data sheets: ``23:16``, or ``5``."""
        return f"{self.high}:{self.low}" if self.width > 1 else f"{self.low}"

    def value(self, word: int) -> int:
        """Return its value in a value of the register."""
        return (word & self.mask) >> self.low

    def named(self, value: int) -> str:
        """Return what a value is called, or nothing."""
        return dict(self.values).get(value, "")

    def number(self, name: str) -> int | None:
        """Return the value of a name in any case, None if there is none."""
        return next((value for value, word in self.values if word == name.upper()), None)


@dataclass(frozen=True, slots=True)
class Register:
    """A register of 32 bits."""

    peripheral: str
    name: str
    address: int
    access: Access
    reset: int
    """Its value after a reset; 0 also where none is documented."""
    fields: tuple[BitField, ...]
    """By their lowest bit."""
    meaning: str = ""
    """One line, where an SVD file has one."""
    changes_when_read: bool = False
    """Whether an SVD file says so; the chips' own are ``read_effects`` of ``chips``."""

    @property
    def full_name(self) -> str:
        """As typed: ``UART0.CONF0``."""
        return f"{self.peripheral}.{self.name}"

    @property
    def readable_bits(self) -> int:
        """The bits of which reading tells something: all but those of write-only fields."""
        mask = (1 << 32) - 1 if self.access.readable else 0
        for field in self.fields:
            mask &= ~0 if field.access.readable else ~field.mask
        return mask

    def field(self, name: str) -> BitField | None:
        """Return the field of a name in any case, or None."""
        upper = name.upper()
        return next((field for field in self.fields if field.name == upper), None)


@dataclass(frozen=True, slots=True)
class Peripheral:
    """Where the registers of a peripheral are; ``size`` in bytes reaches to the end of the last."""

    name: str
    address: int
    size: int

    def holds(self, address: int) -> bool:
        """Whether an address is among its registers."""
        return self.address <= address < self.address + self.size


class Sheet(Protocol):
    """The registers of a peripheral, or of several that have the same."""

    @property
    def names(self) -> Mapping[str, int]:
        """Their names and offsets, in the order of these."""

    def register(self, peripheral: Peripheral, name: str) -> Register:
        """Return the register of a name that it has."""


class Registers:
    """The peripherals of a chip and their registers.  Names are taken in any case."""

    def __init__(self, peripherals: Iterable[Peripheral], sheets: Mapping[str, Sheet]) -> None:
        self.peripherals: tuple[Peripheral, ...] = tuple(peripherals)
        """All of them, by name."""
        self._sheets = sheets
        self._by_name = {item.name: item for item in self.peripherals}
        self._register = cache(lambda item, name: sheets[item].register(self._by_name[item], name))
        self._by_offset = cache(self._names_by_offset)

    @classmethod
    def from_text(cls, text: str) -> Registers:
        """Return the registers of a table; its lines are taken apart when they are looked up."""
        sheets: dict[str, _TextSheet] = {}
        listed: list[Peripheral] = []
        lines: list[str] = []
        for line in text.splitlines():
            if line.startswith(" "):
                lines.append(line)
            elif not line.startswith("#"):
                name, address, size, *model = line.split()
                listed.append(Peripheral(name, int(address, 16), int(size, 16)))
                lines = []
                sheets[name] = sheets[model[1]] if model else _TextSheet(lines)
        return cls(listed, sheets)

    def peripheral(self, name: str) -> Peripheral | None:
        """Return the peripheral of a name."""
        return self._by_name.get(name.upper())

    def names(self, peripheral: str) -> tuple[str, ...]:
        """Return the names of a peripheral's registers, by their address."""
        sheet = self._sheets.get(peripheral.upper())
        return tuple(sheet.names) if sheet else ()

    def registers(self, peripheral: str) -> tuple[Register, ...]:
        """Return the registers of a peripheral, by their address."""
        name = peripheral.upper()
        return tuple(self._register(name, own) for own in self.names(name))

    def find(self, name: str) -> Register | None:
        """Return the register of a name: ``UART0.CONF0``."""
        peripheral, _, register = name.upper().partition(".")
        exists = peripheral in self._sheets and register in self._sheets[peripheral].names
        return self._register(peripheral, register) if exists else None

    def find_field(self, name: str) -> tuple[Register, BitField] | None:
        """Return the field of a name, ``UART0.CONF0.PARITY``, and its register."""
        whole, _, last = name.rpartition(".")
        register = self.find(whole)
        field = register.field(last) if register else None
        return (register, field) if register and field else None

    def at(self, address: int) -> tuple[Register, ...]:
        """Return the registers at an address; there may be several, with different fields."""
        return tuple(
            self._register(peripheral.name, name)
            for peripheral in self.around(address)
            for name in self._names_at(peripheral, address)
        )

    def around(self, address: int) -> tuple[Peripheral, ...]:
        """Return the peripherals that an address belongs to."""
        return tuple(peripheral for peripheral in self.peripherals if peripheral.holds(address))

    def label(self, address: int) -> str:
        """Return the name of the register at an address, else of the peripheral, else nothing."""
        around = self.around(address)
        named = [
            f"{owner.name}.{name}" for owner in around for name in self._names_at(owner, address)
        ]
        return next(iter((*named, *(owner.name for owner in around))), "")

    def search(self, pattern: str) -> tuple[Register, ...]:
        """Return the registers whose full name has a text in it, or fits ``*``, ``?`` and ``[]``.

        The name of a peripheral alone stands for all of its registers.
        """
        upper = pattern.upper()
        if upper in self._by_name:
            return self.registers(upper)
        if not is_pattern(upper):
            upper = f"*{upper}*"
        fits = re.compile(fnmatch.translate(upper)).match
        return tuple(
            self._register(peripheral.name, name)
            for peripheral in self.peripherals
            for name in self.names(peripheral.name)
            if fits(f"{peripheral.name}.{name}")
        )

    def _names_at(self, peripheral: Peripheral, address: int) -> Sequence[str]:
        names = self._by_offset(peripheral.name)
        return names.get(address - peripheral.address, ())

    def _names_by_offset(self, peripheral: str) -> dict[int, list[str]]:
        names: dict[int, list[str]] = {}
        for name, offset in self._sheets[peripheral].names.items():
            names.setdefault(offset, []).append(name)
        return names


def is_pattern(text: str) -> bool:
    """Whether a text has characters that stand for others."""
    return any(char in text for char in "*?[")


class _Row(NamedTuple):
    """A register as it stands in the table."""

    offset: int
    access: str
    reset: int
    fields: Sequence[str]


class _TextSheet:
    """The registers of a peripheral as lines of a table."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    @cached_property
    def rows(self) -> dict[str, _Row]:
        """The registers by name, in the order of their offsets."""
        pairs = [pair for line in self._lines for pair in _rows(line)]
        return dict(sorted(pairs, key=lambda pair: pair[1].offset))

    @cached_property
    def names(self) -> dict[str, int]:
        """Their names and offsets."""
        return {name: row.offset for name, row in self.rows.items()}

    def register(self, peripheral: Peripheral, name: str) -> Register:
        """Return the register of a name; its fields may be those of the one it refers to."""
        row = self.rows[name]
        texts = row.fields
        if texts and texts[0].startswith("@"):
            texts = self.rows[texts[0][1:]].fields
        access = Access(row.access)
        fields = tuple(_fields(texts, name, access))
        address = peripheral.address + row.offset
        return Register(peripheral.name, name, address, access, row.reset, fields)


def _rows(line: str) -> Iterator[tuple[str, _Row]]:
    name, where, access, reset, *fields = line.split()
    offset, _, step = where.partition("+")
    for i, single in enumerate(_numbered(name)):
        place = int(offset, 16) + i * int(step or "0", 16)
        yield single, _Row(place, access, int(reset, 16), fields)


def _fields(texts: Sequence[str], register: str, default: Access) -> Iterator[BitField]:
    for text in texts:
        match = _FIELD.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is not a field in the table of {register}")
        low = int(match["low"] or match["high"])
        width = int(match["high"]) - low + 1
        access = Access(match["access"]) if match["access"] else default
        values = tuple(_values(match["values"] or ""))
        for i, name in enumerate(_numbered(match["name"].replace("~", register))):
            yield BitField(name, low + i * width, width, access, values)


def _values(text: str) -> Iterator[tuple[int, str]]:
    for pair in filter(None, text.split(",")):
        number, _, name = pair.partition(":")
        yield int(number), name


def _numbered(name: str) -> Sequence[str]:
    """Return the names that one with ``{2..5}`` in it stands for."""
    match = _ROW.search(name)
    if match is None:
        return (name,)
    before, behind = name[: match.start()], name[match.end() :]
    return [f"{before}{n}{behind}" for n in range(int(match[1]), int(match[2]) + 1)]
