"""Symbols as the shell looks them up: by name, by beginning, by address and by pattern."""

from __future__ import annotations

from pathlib import Path

import pytest

from espshell.errors import UsageError
from espshell.image.symbol_table import Symbol, SymbolKind, SymbolTable
from espshell.ops.memory.symbols import Symbols, list_symbols, load_symbols
from tests.image.support import elf
from tests.image.test_elf import DRAM, IRAM, PROGRAM


@pytest.fixture
def symbols(tmp_path: Path) -> Symbols:
    file = tmp_path / "app.elf"
    file.write_bytes(PROGRAM)
    return load_symbols(file)


@pytest.mark.parametrize(
    ("address", "label"),
    [
        (IRAM + 4, "app_main"),
        (IRAM + 0x13, "app_main+0xf"),
        (IRAM + 0x14, ""),
        (DRAM, "counter"),
        (DRAM + 4, ""),
        (0, ""),
    ],
)
def test_label(symbols: Symbols, address: int, label: str) -> None:
    """An address is named after the symbol that holds it, and how far behind its start it is."""
    assert symbols.label(address) == label
    assert symbols.label(address, offset=False) == label.partition("+")[0]


def test_starting(symbols: Symbols) -> None:
    """Names that begin with a text are found in any case, in the order of names."""
    assert list(symbols.starting("_TEXT")) == ["_text_end", "_text_start"]
    assert list(symbols.starting("zz")) == []


def test_starting_among_many() -> None:
    """All of many names that begin alike are found, and none of the others."""
    many = [Symbol(f"f{n:05}", n, 1, SymbolKind.FUNCTION) for n in range(30_000)]
    found = Symbols("x", "riscv", SymbolTable(many))
    assert list(found.starting("F1234")) == [f"f1234{n}" for n in range(10)]


def test_listed(symbols: Symbols) -> None:
    """A pattern lists symbols by address; without one only their number is told."""
    assert [each.name for each in list_symbols(symbols, "*ER").symbols] == ["counter", "helper"]
    assert list_symbols(symbols, "app_main").last_value == IRAM + 4
    told = list_symbols(symbols)
    assert (told.total, told.symbols, told.machine) == (6, (), "xtensa")


def test_a_pattern_that_matches_none(symbols: Symbols) -> None:
    """What begins alike is suggested."""
    with pytest.raises(UsageError, match="matches `app_mian`") as caught:
        list_symbols(symbols, "app_mian")
    assert caught.value.hint == "there is app_main"


def test_no_symbols(tmp_path: Path) -> None:
    """A stripped program is refused."""
    file = tmp_path / "app.elf"
    file.write_bytes(elf([(IRAM, bytes(16))], entry=IRAM))
    with pytest.raises(UsageError, match="has no symbols"):
        load_symbols(file)
