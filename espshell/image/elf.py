"""ELF files of programs: what is loaded where, and symbols, by way of pyelftools (extra ``elf``).

The package reads the headers.  Symbols are taken from their section by ourselves, as it needs
seconds for the tens of thousands of them in a program with a network stack.

A file from anywhere may say anything, so all ranges are checked against it, and what the package
raises when it stumbles (it documents nothing) becomes one line.

Sources: "Tool Interface Standard (TIS) Executable and Linking Format, Version 1.2".
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from espshell.errors import UsageError
from espshell.files import read_bytes
from espshell.image.common import decoded
from espshell.image.symbol_table import Symbol, SymbolKind, SymbolTable

if TYPE_CHECKING:
    from elftools.elf.elffile import ELFFile

MAGIC = b"\x7fELF"

_SYMBOL = struct.Struct("<IIIBBH")
_SECTION_SIZE = 40
_SEGMENT_SIZE = 32
_MAX_NAME = 4096
"""Longer names are cut; C++ has some of a few thousand characters."""
_KINDS = {0: SymbolKind.LABEL, 1: SymbolKind.OBJECT, 2: SymbolKind.FUNCTION}
_LOCAL = 0
_ABSOLUTE = 0xFFF1
_ALLOCATED = 1 << 1
_STUMBLES = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What a parser that trusts its input raises on what cannot be trusted."""


@dataclass(frozen=True, slots=True)
class ElfSegment:
    """A piece of the program; memory behind ``data`` up to ``mem_size`` is zero when it starts."""

    address: int
    """Where it is loaded (the physical address)."""
    data: bytes
    mem_size: int
    flags: str
    """Of ``rwx`` those that it has."""
    virtual_address: int
    """Where it runs; another one only if the program moves it itself."""


@dataclass(frozen=True, slots=True)
class Elf:
    """A program: its machine (``xtensa``, ``riscv``), entry, loaded segments and symbols."""

    machine: str
    entry: int
    segments: tuple[ElfSegment, ...]
    symbols: SymbolTable


def read_elf(path: Path) -> Elf:
    """Read a program for a 32-bit little-endian machine, as all of these chips are.

    Segments are in the order of the file; those without memory are left out.

    Raises: UsageError if it is none, cut off or broken, or pyelftools is not installed.
    """
    return parse_elf(read_bytes(path), name=str(path))


def parse_elf(data: bytes, *, name: str = "the ELF file") -> Elf:
    """Read the contents of a file; see ``read_elf``."""
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
    except ImportError as error:
        raise UsageError(
            "ELF files need the package pyelftools", hint="pip install 'espshell[elf]'"
        ) from error
    if not data.startswith(MAGIC):
        raise UsageError(f"{name} is not an ELF file")
    if data[4:6] != b"\x01\x01":
        raise UsageError(f"{name} is not for a 32-bit little-endian CPU")
    try:
        file = ELFFile(io.BytesIO(data))
        _check_tables(file, data, name)
        if file["e_type"] != "ET_EXEC":
            raise UsageError(
                f"{name} is not a program", hint="it is an object file, not linked yet"
            )
        return Elf(
            machine=str(file["e_machine"]).removeprefix("EM_").lower(),
            entry=file["e_entry"],
            segments=tuple(_segments(file, data, name)),
            symbols=SymbolTable(_symbols(file, data, name)),
        )
    except (ELFError, *_STUMBLES) as error:
        raise UsageError(f"{name} is truncated or damaged") from error


def _check_tables(file: ELFFile, data: bytes, name: str) -> None:
    """Refuse tables of headers that the file has no room for, before each header is looked at."""
    sections = file["e_shoff"], file.num_sections(), file["e_shentsize"], _SECTION_SIZE
    segments = file["e_phoff"], file.num_segments(), file["e_phentsize"], _SEGMENT_SIZE
    for offset, count, size, right_size in (sections, segments):
        if count and size != right_size:
            raise UsageError(f"{name} is damaged: its headers have {size} bytes")
        if count:
            _cut(data, offset, count * size, name)


def _segments(file: ELFFile, data: bytes, name: str) -> Iterator[ElfSegment]:
    room = len(data)
    for segment in file.iter_segments("PT_LOAD"):
        header = segment.header
        if header.p_memsz == 0:
            continue
        room -= header.p_filesz
        # Together they cannot have more than the file has, or they name the same bytes again.
        if room < 0 or header.p_filesz > header.p_memsz:
            raise UsageError(f"{name} is damaged: the segment at 0x{header.p_paddr:x} is too large")
        yield ElfSegment(
            address=header.p_paddr,
            data=_cut(data, header.p_offset, header.p_filesz, name),
            mem_size=header.p_memsz,
            flags="".join(
                c for c, bit in zip("rwx", (4, 2, 1), strict=True) if header.p_flags & bit
            ),
            virtual_address=header.p_vaddr,
        )


def _symbols(file: ELFFile, data: bytes, name: str) -> Iterator[Symbol]:
    sections = [section.header for section in file.iter_sections()]
    ends = {
        index: header.sh_addr + header.sh_size
        for index, header in enumerate(sections)
        if header.sh_flags & _ALLOCATED
    }
    ends[_ABSOLUTE] = 0
    table = next((header for header in sections if header.sh_type == "SHT_SYMTAB"), None)
    if table is not None:
        strings = sections[table.sh_link]
        names = _cut(data, strings.sh_offset, strings.sh_size, name)
        rows = _cut(data, table.sh_offset, table.sh_size, name)
        yield from _rows(rows, names, ends)


def _rows(rows: bytes, names: bytes, ends: dict[int, int]) -> Iterator[Symbol]:
    """Yield what has a name and an address: no sections, files, nor labels of one source file."""
    whole = len(rows) // _SYMBOL.size * _SYMBOL.size
    for start, value, size, info, _, section in _SYMBOL.iter_unpack(rows[:whole]):
        kind = _KINDS.get(info & 0xF)
        is_global = info >> 4 != _LOCAL
        if kind is None or section not in ends or (kind is SymbolKind.LABEL and not is_global):
            continue
        end = names.find(b"\0", start, start + _MAX_NAME)
        text = decoded(names[start : end if end >= 0 else start + _MAX_NAME])
        if text:
            yield Symbol(text, value, size, kind, is_global, ends[section])


def _cut(data: bytes, offset: int, size: int, name: str) -> bytes:
    if offset + size > len(data):
        raise UsageError(f"{name} is truncated: it has {len(data)} bytes of {offset + size}")
    return data[offset : offset + size]
