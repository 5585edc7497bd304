"""The symbols of a program: names for addresses, from its ELF file.

They belong to the file and not to a chip, so they outlive connections.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path

from espshell.chips import Chip
from espshell.errors import UsageError
from espshell.image.elf import read_elf
from espshell.image.symbol_table import Symbol, SymbolTable
from espshell.ops.result import Result
from espshell.records import dataclass


class Symbols:
    """What a program calls places in memory; ``machine`` is ``xtensa`` or ``riscv``."""

    def __init__(self, path: str, machine: str, table: SymbolTable) -> None:
        self.path = path
        self.machine = machine
        self.table = table

    def mismatch(self, chip: Chip) -> str:
        """Return a note if the program is for another kind of core than a chip has."""
        if chip.isa.value.startswith(self.machine):
            return ""
        return f"{self.path} is for {self.machine}, an {chip.title} is {chip.isa.value}"

    def find(self, name: str) -> Symbol | None:
        """Return the symbol of a name: written so, else in any case."""
        return self.table.find(name)

    def label(self, address: int, *, offset: bool = True) -> str:
        """Return ``name`` or ``name+0x10`` for an address; empty where no symbol holds it."""
        match = self.table.at(address)
        if match is None:
            return ""
        symbol, behind = match
        return f"{symbol.name}+{behind:#x}" if behind and offset else symbol.name

    def starting(self, text: str) -> Iterator[str]:
        """Yield the names that begin with a text in any case, by name."""
        folded, start = self._folded, text.lower()
        for index in range(bisect_left(folded, (start, "")), len(folded)):
            key, name = folded[index]
            if not key.startswith(start):
                return
            yield name

    @cached_property
    def _folded(self) -> list[tuple[str, str]]:
        return sorted({(symbol.name.lower(), symbol.name) for symbol in self.table})


@dataclass(frozen=True, slots=True)
class SymbolList(Result):
    """Symbols of a file, by address ascending; those of a pattern where one was given."""

    file: str
    machine: str
    total: int
    """How many the file has."""
    pattern: str = ""
    symbols: tuple[Symbol, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def last_value(self) -> int | None:
        """The address, if it is one symbol."""
        return self.symbols[0].address if len(self.symbols) == 1 else None


def load_symbols(path: Path) -> Symbols:
    """Read the symbols of a program.

    Raises: UsageError if it is not an ELF file, or has none.
    """
    program = read_elf(path)
    if not program.symbols:
        raise UsageError(f"{path} has no symbols", hint="they were stripped")
    return Symbols(str(path), program.machine, program.symbols)


def list_symbols(symbols: Symbols, pattern: str = "") -> SymbolList:
    """Return the symbols that a pattern with ``*`` and ``?`` matches; without one, none.

    Raises: UsageError if it matches none.
    """
    matches = symbols.table.matching(pattern) if pattern else ()
    if pattern and not matches:
        near = list(islice(symbols.starting(pattern.strip("*?")[:4]), 3))
        hint = f"there is {', '.join(near)}" if near else "`*` stands for any characters"
        raise UsageError(f"no symbol of {symbols.path} matches `{pattern}`", hint=hint)
    return SymbolList(symbols.path, symbols.machine, len(symbols.table), pattern, matches)
