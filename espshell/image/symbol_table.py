"""Symbols of a program by name, by address and by pattern.

Which symbol an address belongs to: the one nearest below that is large enough to hold it.  Labels
of assembler and linker have no size.  Such a label has what follows it up to the next symbol or
the end of its section, and only where no symbol with a size holds the address.
"""

from __future__ import annotations

import fnmatch
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from enum import Enum
from itertools import accumulate
from operator import attrgetter

from espshell.records import dataclass


class SymbolKind(Enum):
    """What a symbol stands for."""

    FUNCTION = "function"
    OBJECT = "object"
    LABEL = "label"
    """Of assembler or linker; nothing is known of what is there."""


@dataclass(frozen=True, slots=True)
class Symbol:
    """A name for an address; ``size`` is 0 if it is not known."""

    name: str
    address: int
    size: int
    kind: SymbolKind
    is_global: bool = True
    section_end: int = 0
    """End of the section it lies in; 0 if in none, as constants and functions in ROM."""

    @property
    def end(self) -> int:
        """The first address that is not its own; its own address if that is not known."""
        return self.address + self.size if self.size else max(self.address, self.section_end)

    @property
    def rank(self) -> tuple[int, bool, bool, bool, str]:
        """By address, then the more telling later: with a size, global, more than a label."""
        telling = (self.size > 0, self.is_global, self.kind is not SymbolKind.LABEL)
        return (self.address, *telling, self.name)


class SymbolTable:
    """Symbols, by address ascending; of those at one address the best name comes last."""

    def __init__(self, symbols: Iterable[Symbol]) -> None:
        self._symbols = tuple(sorted(symbols, key=attrgetter("rank")))
        self._exact: dict[str, Symbol] = {}
        self._folded: dict[str, Symbol] = {}
        for symbol in self._symbols:
            _keep(self._exact, symbol.name, symbol)
            _keep(self._folded, symbol.name.lower(), symbol)
        self._addresses = [symbol.address for symbol in self._symbols]
        ends = (s.address + s.size for s in self._symbols)
        # How far the symbols up to here reach: where it is not far enough, none further down is.
        self._reach = list(accumulate(ends, max))

    def __len__(self) -> int:
        return len(self._symbols)

    def __iter__(self) -> Iterator[Symbol]:
        return iter(self._symbols)

    def find(self, name: str) -> Symbol | None:
        """Return the symbol of a name: written so, else in any case; a global before a local."""
        return self._exact.get(name) or self._folded.get(name.lower())

    def at(self, address: int) -> tuple[Symbol, int] | None:
        """Return the symbol that holds an address, and how far behind its start that is."""
        last = bisect_right(self._addresses, address) - 1
        index = last
        while index >= 0 and self._reach[index] > address:
            symbol = self._symbols[index]
            if address < symbol.address + symbol.size:
                return symbol, address - symbol.address
            index -= 1
        if last < 0:
            return None
        symbol = self._symbols[last]
        if address == symbol.address or (not symbol.size and address < symbol.end):
            return symbol, address - symbol.address
        return None

    def matching(self, pattern: str) -> tuple[Symbol, ...]:
        """Return the symbols whose names match ``*``, ``?`` and ``[..]`` in any case, ascending."""
        match = re.compile(fnmatch.translate(pattern), re.IGNORECASE).match
        return tuple(symbol for symbol in self._symbols if match(symbol.name))


def _keep(symbols: dict[str, Symbol], name: str, symbol: Symbol) -> None:
    """Keep the first of a name, but for a global after a local."""
    kept = symbols.get(name)
    if kept is None or (symbol.is_global and not kept.is_global):
        symbols[name] = symbol
