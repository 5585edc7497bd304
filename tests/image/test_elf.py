"""ELF files: what is loaded, whose an address is, and that a broken file is one line."""

from __future__ import annotations

import struct
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.errors import UsageError
from espshell.image import elf
from espshell.image.elf import ElfSegment
from espshell.image.symbol_table import Symbol, SymbolKind, SymbolTable

IRAM = 0x4008_0000
DRAM = 0x3FFB_0000
NOTYPE, OBJECT, FUNC, SECTION, FILE = range(5)
LOCAL, GLOBAL, WEAK = range(3)
UNDEFINED, TEXT, DATA, DEBUG, ABSOLUTE = 0, 1, 2, 3, 0xFFF1


@dataclass(frozen=True)
class Row:
    """A symbol as it stands in a file."""

    name: str
    value: int
    size: int = 0
    kind: int = FUNC
    bind: int = GLOBAL
    section: int = TEXT


ROWS = [
    Row("main.c", 0, 0, FILE, LOCAL, ABSOLUTE),
    Row("", IRAM, 0, SECTION, LOCAL),
    Row(".L1", IRAM + 8, 0, NOTYPE, LOCAL),
    Row("app_main", IRAM + 4, 0x10),
    Row("helper", IRAM + 0x20, 8, FUNC, LOCAL),
    Row("_text_start", IRAM, 0, NOTYPE),
    Row("_text_end", IRAM + 0x40, 0, NOTYPE),
    Row("counter", DRAM, 4, OBJECT, WEAK, DATA),
    Row("ets_printf", 0x4000_7D54, 0, NOTYPE, GLOBAL, ABSOLUTE),
    Row("memcpy", 0, 0, NOTYPE, GLOBAL, UNDEFINED),
    Row("debug_only", 0, 4, OBJECT, GLOBAL, DEBUG),
]


def written(rows: list[Row], *, entry: int = IRAM + 4, machine: int = 94) -> bytes:
    """Return a program: 0x40 bytes of text, 4 of data with 12 of zeros, a debug section."""
    text, data, zeros = bytes(range(0x40)), b"data", 12
    names, table = b"\0", bytes(16)
    for row in rows:
        start = len(names) if row.name else 0
        names += row.name.encode() + b"\0" if row.name else b""
        info = row.bind << 4 | row.kind
        table += struct.pack("<IIIBBH", start, row.value, row.size, info, 0, row.section)
    at = 52 + 2 * 32
    places = [at, at + len(text), at + len(text) + len(data)]
    names_at = places[2] + len(table)
    sections = [
        (0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
        (0, 1, 6, IRAM, places[0], len(text), 0, 0, 4, 0),
        (0, 1, 3, DRAM, places[1], len(data) + zeros, 0, 0, 4, 0),
        (0, 1, 0, 0, places[1], 4, 0, 0, 1, 0),
        (0, 2, 0, 0, places[2], len(table), 5, 1, 4, 16),
        (0, 3, 0, 0, names_at, len(names), 0, 0, 1, 0),
    ]
    sections_at = names_at + len(names)
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    numbers = (2, machine, 1, entry, 52, sections_at, 0, 52, 32, 2, 40, len(sections), 5)
    programs = struct.pack("<8I", 1, places[0], IRAM, IRAM, len(text), len(text), 5, 4)
    programs += struct.pack(
        "<8I", 1, places[1], DRAM, DRAM + 0x100, len(data), len(data) + zeros, 6, 4
    )
    headers = b"".join(struct.pack("<10I", *section) for section in sections)
    header = ident + struct.pack("<HHIIIIIHHHHHH", *numbers) + programs
    return header + text + data + table + names + headers


PROGRAM = written(ROWS)


def parsed() -> SymbolTable:
    return elf.parse_elf(PROGRAM).symbols


def test_what_is_loaded(tmp_path: Path) -> None:
    """Segments with their addresses, flags and zeros behind them; the entry; the machine."""
    path = tmp_path / "app.elf"
    path.write_bytes(PROGRAM)
    program = elf.read_elf(path)
    assert (program.machine, program.entry) == ("xtensa", IRAM + 4)
    assert program.segments == (
        ElfSegment(IRAM, bytes(range(0x40)), 0x40, "rx", IRAM),
        ElfSegment(DRAM + 0x100, b"data", 16, "rw", DRAM),
    )
    assert elf.parse_elf(written([], machine=243)).machine == "riscv"


def test_which_symbols_there_are() -> None:
    """Functions, objects and global labels; no files, sections, local labels or debug data."""
    assert [(s.name, s.kind, s.is_global) for s in parsed()] == [
        ("counter", SymbolKind.OBJECT, True),
        ("ets_printf", SymbolKind.LABEL, True),
        ("_text_start", SymbolKind.LABEL, True),
        ("app_main", SymbolKind.FUNCTION, True),
        ("helper", SymbolKind.FUNCTION, False),
        ("_text_end", SymbolKind.LABEL, True),
    ]


@pytest.mark.parametrize(
    ("address", "name", "offset"),
    [
        (IRAM - 1, None, 0),
        (IRAM, "_text_start", 0),
        (IRAM + 3, "_text_start", 3),
        (IRAM + 4, "app_main", 0),
        (IRAM + 0x13, "app_main", 15),
        (IRAM + 0x14, None, 0),
        (IRAM + 0x27, "helper", 7),
        (IRAM + 0x28, None, 0),
        (IRAM + 0x40, "_text_end", 0),
        (IRAM + 0x41, None, 0),
        (DRAM + 3, "counter", 3),
        (DRAM + 4, None, 0),
        (0x4000_7D54, "ets_printf", 0),
        (0x4000_7D55, None, 0),
        (0, None, 0),
        (0xFFFF_FFFF, None, 0),
    ],
)
def test_whose_an_address_is(address: int, name: str | None, offset: int) -> None:
    """Up to its size, or a label's section and the next symbol; what is between has no name."""
    found = parsed().at(address)
    assert (found and (found[0].name, found[1])) == (name and (name, offset))


def test_the_innermost_symbol_and_the_best_name() -> None:
    """Of nested symbols the inner one; of names for one address a sized global one."""
    table = SymbolTable(
        [
            Symbol("outer", 0x100, 0x100, SymbolKind.FUNCTION),
            Symbol("inner", 0x110, 0x10, SymbolKind.OBJECT),
            Symbol("label", 0x118, 0, SymbolKind.LABEL, section_end=0x200),
            Symbol("local", 0x110, 0x10, SymbolKind.OBJECT, is_global=False),
            Symbol("label_too", 0x110, 0, SymbolKind.LABEL),
        ]
    )
    names = {0x100: "outer", 0x110: "inner", 0x119: "inner", 0x120: "outer", 0x1FF: "outer"}
    for address, name in names.items():
        found = table.at(address)
        assert found is not None
        assert found[0].name == name


SYMBOLS = st.builds(
    Symbol,
    st.sampled_from("abcdef"),
    st.integers(0, 40),
    st.integers(0, 12),
    st.sampled_from(SymbolKind),
    st.booleans(),
    st.sampled_from([0, 20, 60]),
)


@given(st.lists(SYMBOLS, max_size=12), st.integers(0, 60))
def test_the_search_finds_what_looking_at_all_finds(symbols: list[Symbol], address: int) -> None:
    """The nearest symbol whose size holds the address; only without one, a label just below."""
    holding = [s for s in symbols if s.address <= address < s.address + s.size]
    below = [s.address for s in symbols if s.address <= address]
    found = SymbolTable(symbols).at(address)
    if holding:
        assert found is not None
        assert found[0] in holding
        assert found[1] == address - max(s.address for s in holding)
    elif found is not None:
        assert found[0].address == max(below)
        assert address == found[0].address or address < found[0].section_end
    elif below:
        nearest = [s for s in symbols if s.address == max(below)]
        assert any(s.size or s.section_end <= address for s in nearest)


def test_names_in_any_case() -> None:
    """The right case first, then any; a global before a local of the same name."""
    rows = [
        Row("Init", IRAM, 4),
        Row("init", IRAM + 8, 4, FUNC, LOCAL),
        Row("init", IRAM + 16, 4),
        Row("INIT", IRAM + 24, 4),
    ]
    table = elf.parse_elf(written(rows)).symbols
    found = {name: table.find(name) for name in ("Init", "init", "INIT", "iNIT")}
    addresses = {name: symbol and symbol.address - IRAM for name, symbol in found.items()}
    assert addresses == {"Init": 0, "init": 16, "INIT": 24, "iNIT": 0}
    assert table.find("ini") is None


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("app_main", ["app_main"]),
        ("*_MAIN", ["app_main"]),
        ("_text_*", ["_text_start", "_text_end"]),
        ("[ch]*", ["counter", "helper"]),
        ("main", []),
    ],
)
def test_patterns(pattern: str, names: list[str]) -> None:
    """The whole name must match, in any case; the answer is in order of addresses."""
    assert [symbol.name for symbol in parsed().matching(pattern)] == names


def test_names_do_not_speak_to_the_terminal() -> None:
    """What cannot be printed is shown escaped."""
    (symbol,) = elf.parse_elf(written([Row("a\x1b[2J", IRAM, 4)])).symbols
    assert symbol.name == r"a\x1b[2J"


def test_without_symbols(tmp_path: Path) -> None:
    """A stripped program can be loaded."""
    path = tmp_path / "stripped.elf"
    path.write_bytes(written([]))
    assert len(elf.read_elf(path).symbols) == 0


def patched(offset: int, layout: str, value: int) -> bytes:
    """Return the program with one field of its headers changed."""
    contents = bytearray(PROGRAM)
    struct.pack_into(layout, contents, offset, value)
    return bytes(contents)


@pytest.mark.parametrize(
    ("contents", "part"),
    [
        (b"", "is not an ELF file"),
        (b"\xe9\x02", "is not an ELF file"),
        (patched(4, "B", 2), "32-bit little-endian"),
        (patched(5, "B", 2), "32-bit little-endian"),
        (patched(16, "<H", 1), "is not a program"),
        (PROGRAM[:40], "truncated"),
        (PROGRAM[:-1], "truncated"),
        (patched(42, "<H", 0), "headers have 0 bytes"),
        (patched(44, "<H", 0xFFF0), "is truncated"),
        (patched(46, "<H", 0), "headers have 0 bytes"),
        (patched(52 + 4, "<I", 0xFFFF_FFF0), "is truncated"),
        (patched(52 + 16, "<I", 0x41), "segment at 0x40080000 is too large"),
        (patched(52 + 20, "<I", 0x3F), "segment at 0x40080000 is too large"),
    ],
)
def test_broken_files(contents: bytes, part: str) -> None:
    """One line says so, with the file's name in front."""
    with pytest.raises(UsageError, match=part) as caught:
        elf.parse_elf(contents, name="app.elf")
    assert caught.value.message.startswith("app.elf ")


def one_line(contents: bytes) -> None:
    """Read a file that may be broken."""
    message = "app.elf "
    try:
        program = elf.parse_elf(contents, name="app.elf")
    except UsageError as error:
        message = error.message
    else:
        assert sum(len(segment.data) for segment in program.segments) <= len(contents)
    assert message.startswith("app.elf ")
    assert "\n" not in message


@given(st.integers(0, len(PROGRAM) - 1))
def test_every_cut_is_refused(size: int) -> None:
    """The section headers come last, so that no file is whole without its last byte."""
    with pytest.raises(UsageError):
        elf.parse_elf(PROGRAM[:size])


@given(st.binary(max_size=300).map(lambda tail: b"\x7fELF\x01\x01\x01" + tail))
def test_any_bytes_are_refused_in_one_line(contents: bytes) -> None:
    """Whatever follows the magic number, it is a usage error or a program."""
    one_line(contents)


HEADERS = [*range(7, 52 + 64), *range(len(PROGRAM) - 6 * 40, len(PROGRAM))]


@given(st.dictionaries(st.sampled_from(HEADERS), st.integers(0, 255), min_size=1, max_size=6))
def test_any_headers_are_read_or_refused_in_one_line(changes: dict[int, int]) -> None:
    """Headers that point anywhere cost no more memory than the file has."""
    contents = bytearray(PROGRAM)
    for offset, value in changes.items():
        contents[offset] = value
    one_line(bytes(contents))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The system's reason is passed on with the name."""
    with pytest.raises(UsageError, match=r"cannot read .*none\.elf: no such file"):
        elf.read_elf(tmp_path / "none.elf")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said how to get it."""
    monkeypatch.setitem(sys.modules, "elftools.elf.elffile", None)
    with pytest.raises(UsageError, match="pyelftools") as caught:
        elf.parse_elf(PROGRAM)
    assert caught.value.hint == "pip install 'espshell[elf]'"
