"""SFDP: what a part says of itself (JESD216), from the header to the basic flash parameters.

The contents are scattered over an address space of 24 bits, so they are read in pieces, and each
piece tells which come next::

    pieces = {}
    while missing := sfdp.missing_ranges(pieces):
        for address, size in missing:
            pieces[address] = read_sfdp(address, size)
    found = sfdp.parse(pieces)

What is surprising: parts contradict their own tables.  Tables of 1.0 have nine words and say
nothing of QE, the number of words is what counts and not the revision, and a clone may carry the
size of another part.  So nothing here raises for what a flash says: ``parse`` returns None where
there is no SFDP, and what is odd stands in ``problems``.

Source: JESD216, A (1.5), B (1.6), C and D, as cited in flashrom b946ca13, Linux ``sfdp.c`` and the
data sheets of W25Q128JV and IS25WP128F.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping

from espshell.nor.bfpt import Basic
from espshell.records import dataclass

Pieces = Mapping[int, bytes]
"""What was read, by its address; a short piece is taken as it is."""

SIGNATURE = b"SFDP"
HEADER_SIZE = 8
"""Bytes of the header, and of each parameter header behind it."""

BASIC = 0xFF00
NAMES: dict[int, str] = {
    BASIC: "basic flash parameters",
    0xFF81: "sector map",
    0xFF03: "replay protected monotonic counters",
    0xFF84: "4-byte address instructions",
    0xFF05: "xSPI profile 1.0",
    0xFF06: "xSPI profile 2.0",
    0xFF87: "status, control and configuration registers",
    0xFF88: "OPI enable registers",
    0xFFC2: "of Macronix",
    0xFFC8: "of GigaDevice",
    0xFFEF: "of Winbond",
}
"""Tables by their ids; an id whose high byte is not FF is of the maker with that number."""

_MOST_TABLES = 16
_MOST_WORDS = 64
_WORD = 4


@dataclass(frozen=True, slots=True)
class Table:
    """A parameter table: where it is, and what was read of it (words of 32 bits)."""

    id: int
    revision: tuple[int, int]
    address: int
    count: int
    """Words that the header promises."""
    words: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes that the header promises."""
        return self.count * _WORD

    @property
    def name(self) -> str:
        """What the table is."""
        return NAMES.get(self.id, "of a maker")


@dataclass(frozen=True, slots=True)
class Sfdp:
    """All of it."""

    revision: tuple[int, int]
    access: int
    """Access protocol; FF (or 00 to F0 in old tables) is one line, 24-bit address, 8 dummies."""
    tables: tuple[Table, ...]
    problems: tuple[str, ...] = ()
    """What is odd, a sentence each."""

    @property
    def minor(self) -> int:
        """The minor revision: 0 (2011), 5 (A), 6 (B), 7 (C), 8 (D)."""
        return self.revision[1]

    @property
    def basic(self) -> Basic | None:
        """The basic flash parameters: of several such tables the newest that can be used."""
        tables = [table for table in self.tables if table.id == BASIC and len(table.words) > 1]
        return Basic(max(tables, key=lambda table: table.revision).words) if tables else None


def missing_ranges(pieces: Pieces) -> tuple[tuple[int, int], ...]:
    """Return address and size of what must be read next; empty if there is nothing more to read.

    An address that was read is never asked for again, whatever came.
    """
    if 0 not in pieces:
        return ((0, HEADER_SIZE),)
    header = pieces[0]
    if not header.startswith(SIGNATURE) or len(header) < HEADER_SIZE:
        return ()
    if HEADER_SIZE not in pieces:
        return ((HEADER_SIZE, HEADER_SIZE * _table_count(header)),)
    missing = {t.address: t.size for t in _tables(pieces) if t.address not in pieces and t.size}
    return tuple(sorted(missing.items()))


def parse(pieces: Pieces) -> Sfdp | None:
    """Take what was read apart; None if it does not begin with the signature."""
    header = pieces.get(0, b"")
    if not header.startswith(SIGNATURE) or len(header) < HEADER_SIZE:
        return None
    tables = _tables(pieces)
    problems = []
    if header[6] >= _MOST_TABLES:
        problems.append(f"SFDP promises {header[6] + 1} tables; {len(tables)} were looked at")
    for table in tables:
        if table.count > _MOST_WORDS:
            problems.append(f"table {table.id:04x} is too long: {table.count} words")
        elif len(table.words) < table.count:
            problems.append(f"table {table.id:04x} has {len(table.words)} of {table.count} words")
    sfdp = Sfdp((header[5], header[4]), header[7], tables, tuple(problems))
    if sfdp.basic is None:
        return Sfdp(sfdp.revision, sfdp.access, tables, (*problems, "no basic flash parameters"))
    return sfdp


def cut(image: bytes) -> Pieces:
    """Return the pieces of an SFDP space that was read as one."""
    pieces: dict[int, bytes] = {}
    while missing := missing_ranges(pieces):
        pieces.update((address, image[address : address + size]) for address, size in missing)
    return pieces


def joined(pieces: Pieces) -> bytes:
    """Return pieces as one image from address 0; what was not read is FF."""
    image = bytearray(b"\xff" * max((at + len(data) for at, data in pieces.items()), default=0))
    for address, data in pieces.items():
        image[address : address + len(data)] = data
    return bytes(image)


def _table_count(header: bytes) -> int:
    return min(header[6] + 1, _MOST_TABLES)


def _tables(pieces: Pieces) -> tuple[Table, ...]:
    headers = pieces.get(HEADER_SIZE, b"")[: HEADER_SIZE * _table_count(pieces[0])]
    whole = len(headers) // HEADER_SIZE
    return tuple(_table(headers[i * HEADER_SIZE :], pieces) for i in range(whole))


def _table(header: bytes, pieces: Pieces) -> Table:
    low, minor, major, count = header[:4]
    address = int.from_bytes(header[4:7], "little")
    high = header[7]
    # The first table of revision 1.0 has no high byte; some parts leave 00 there.
    number = (high << 8 | low) if high else 0xFF00 | low
    data = pieces.get(address, b"") if address >= HEADER_SIZE else b""
    data = data[: min(count, _MOST_WORDS) * _WORD]
    whole = len(data) // _WORD
    words = struct.unpack(f"<{whole}I", data[: whole * _WORD])
    return Table(number, (major, minor), address, count, words)
