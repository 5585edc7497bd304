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

Words of the basic table are counted from 1, as in JESD216.  One of revision 1.0 has nine; what a
later word tells is then None, which means "not said" and never "no".

Source: JESD216, A (1.5), B (1.6), C and D, as cited in flashrom b946ca13, Linux ``sfdp.c`` and the
data sheets of W25Q128JV (erase and program times, QER 100, 50h) and IS25WP128F (QER 010, entry to
QPI by 35h).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache

from espshell import tables as texts
from espshell.records import dataclass
from espshell.units import WORD

Pieces = Mapping[int, bytes]
"""What was read, by its address; a short piece is taken as it is."""

SIGNATURE = b"SFDP"
HEADER_SIZE = 8
"""Bytes of the header, and of each parameter header behind it."""

BASIC = 0xFF00
_MOST_TABLES = 16
_MOST_WORDS = 64
_MS, _US = 1e-3, 1e-6
_ADDRESSES = {0: "3", 1: "3 or 4", 2: "4"}
_FAST_READS = (
    ("1-1-2", 1, 16, 4, 0),
    ("1-2-2", 1, 20, 4, 16),
    ("1-1-4", 1, 22, 3, 16),
    ("1-4-4", 1, 21, 3, 0),
    ("2-2-2", 5, 0, 6, 16),
    ("4-4-4", 5, 4, 7, 16),
)
"""Mode, word and bit that say it exists, word and lowest bit of its settings."""

_ERASES = ((8, 0, 4), (8, 16, 11), (9, 0, 18), (9, 16, 25))
"""Word and lowest bit of size and opcode, lowest bit of the typical time in DW10."""


@dataclass(frozen=True, slots=True)
class EraseType:
    """An erase command: bytes it erases, and seconds it takes where the table tells."""

    size: int
    opcode: int
    typical_s: float | None
    maximum_s: float | None


@dataclass(frozen=True, slots=True)
class FastRead:
    """A fast read: lines for opcode, address and data (``1-4-4``), and the clocks between."""

    mode: str
    opcode: int
    mode_clocks: int
    dummy_clocks: int


@dataclass(frozen=True, slots=True)
class Duration:
    """Typical and longest time of a command, in seconds."""

    typical_s: float
    maximum_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Basic:
    """Basic flash parameters, and the words that say them."""

    words: tuple[int, ...]
    size: int
    """Bytes of the flash; 0 where the table makes no sense."""
    page_size: int | None
    """Bytes that one program command writes."""
    address_bytes: str
    """``3``, ``3 or 4`` or ``4``."""
    erase_types: tuple[EraseType, ...]
    """What can be erased, smallest first."""
    chip_erase: Duration | None
    """Erasing the whole chip; its longest time goes by the factor of the other erases."""
    page_program: Duration | None
    """Programming a page."""
    byte_program: Duration | None
    """Programming the first byte of a page."""
    fast_reads: tuple[FastRead, ...]
    """The fast reads that the part has."""
    quad: bool
    """Whether it reads by four lines (1-1-4 or 1-4-4)."""
    qpi: bool
    """Whether it can listen on four lines (4-4-4)."""
    double_rate: bool
    """Whether it has reads at double rate."""
    enters_qpi_by_35h: bool
    """Whether 35h enters QPI; then it must never be sent to read SR2."""
    qer: int | None
    """The code that tells where QE is and how it is written; see ``data/bfpt.txt``."""
    qer_text: str
    """The same in words."""
    volatile_50h: bool | None
    """Whether 50h makes the next status write volatile, without touching the stored value."""
    status_write: str
    """How SR1 is written, in words."""
    suspend: tuple[int, int] | None
    """Opcodes that suspend and resume."""
    power_down: tuple[int, int] | None
    """Opcodes that enter and leave deep power-down."""
    software_reset: bool | None
    """Whether 66h and 99h reset it."""
    reset_text: str
    """How it is reset, in words."""
    hold_can_be_disabled: bool | None
    """Whether HOLD# or RESET# can be switched off."""
    enters_four_bytes: tuple[str, ...]
    """How 4-byte addressing is entered; empty for parts that have three bytes only."""
    leaves_four_bytes: tuple[str, ...]
    """How 4-byte addressing is left; empty as above."""


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
        return self.count * WORD

    @property
    def name(self) -> str:
        """What the table is."""
        return _names().get(self.id, "of a maker")


@dataclass(frozen=True, slots=True)
class Sfdp:
    """All of it."""

    revision: tuple[int, int]
    """Major and minor: 1.0 (2011), 1.5 (A), 1.6 (B), 1.7 (C), 1.8 (D)."""
    access: int
    """Access protocol; FF (or 00 to F0 in old tables) is one line, 24-bit address, 8 dummies."""
    tables: tuple[Table, ...]
    basic: Basic | None = None
    """The basic flash parameters: of several such tables the newest that can be used."""
    problems: tuple[str, ...] = ()
    """What is odd, a sentence each."""


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
        return ((HEADER_SIZE, HEADER_SIZE * min(header[6] + 1, _MOST_TABLES)),)
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
    usable = [table for table in tables if table.id == BASIC and len(table.words) > 1]
    newest = max(usable, key=lambda table: table.revision, default=None)
    basic = parse_basic(newest.words) if newest else None
    if basic is None:
        problems.append("no basic flash parameters")
    return Sfdp((header[5], header[4]), header[7], tables, basic, tuple(problems))


def joined(pieces: Pieces) -> bytes:
    """Return pieces as one image from address 0; what was not read is FF."""
    image = bytearray(b"\xff" * max((at + len(data) for at, data in pieces.items()), default=0))
    for address, data in pieces.items():
        image[address : address + len(data)] = data
    return bytes(image)


def _tables(pieces: Pieces) -> tuple[Table, ...]:
    """Return the tables that the parameter headers name, with what was read of each."""
    tables = []
    headers = pieces.get(HEADER_SIZE, b"")[: HEADER_SIZE * min(pieces[0][6] + 1, _MOST_TABLES)]
    for at in range(0, len(headers) - HEADER_SIZE + 1, HEADER_SIZE):
        low, minor, major, count = headers[at : at + 4]
        address, high = int.from_bytes(headers[at + 4 : at + 7], "little"), headers[at + 7]
        # The first table of revision 1.0 has no high byte; some parts leave 00 there.
        number = (high << 8 | low) if high else 0xFF00 | low
        data = pieces.get(address, b"") if address >= HEADER_SIZE else b""
        whole = min(len(data) // WORD, count, _MOST_WORDS)
        words = struct.unpack_from(f"<{whole}I", data)
        tables.append(Table(number, (major, minor), address, count, words))
    return tuple(tables)


# --- the basic table


def parse_basic(words: tuple[int, ...]) -> Basic:
    """Return what at least two words of 32 bits say; no word can raise."""
    table = _Words(words)
    address_bytes = _ADDRESSES.get(table.bits(1, 18, 17) or 0, "reserved")
    exponent, qer = table.bits(11, 7, 4), table.bits(15, 22, 20)
    wide = address_bytes != "3"
    erases = filter(None, (table.erase(*place) for place in _ERASES))
    return Basic(
        words=words,
        size=_size(words[1]),
        page_size=None if exponent is None else 1 << exponent,
        address_bytes=address_bytes,
        erase_types=tuple(sorted(erases, key=lambda erase: erase.size)),
        chip_erase=table.duration(11, 24, 5, (16 * _MS, 256 * _MS, 4.0, 64.0), limit=10),
        page_program=table.duration(11, 8, 5, (8 * _US, 64 * _US)),
        byte_program=table.duration(11, 14, 4, (1 * _US, 8 * _US)),
        fast_reads=tuple(
            FastRead(mode, half >> 8, half >> 5 & 7, half & 0x1F)
            for mode, flag_word, flag, word, low in _FAST_READS
            if table.flag(flag_word, flag, flag)
            for half in [table.bits(word, low + 15, low) or 0]
        ),
        quad=bool(table.flag(1, 22, 21)),
        qpi=bool(table.flag(5, 4, 4)),
        double_rate=bool(table.flag(1, 19, 19)),
        enters_qpi_by_35h=bool(table.flag(15, 6, 6)),
        qer=qer,
        qer_text=_NOT_SAID if qer is None else _meanings()["qer"][qer],
        volatile_50h=table.flag(16, 3, 2),
        status_write="; ".join(table.meanings(16, 0, "status")) or _NOT_SAID,
        suspend=table.opcodes(13, 16, unless=12),
        power_down=table.opcodes(14, 15, unless=14),
        software_reset=table.flag(16, 12, 12),
        reset_text="; ".join(table.meanings(16, 8, "reset")) or _NOT_SAID,
        hold_can_be_disabled=table.flag(15, 23, 23),
        enters_four_bytes=table.meanings(16, 24, "enter4") if wide else (),
        leaves_four_bytes=table.meanings(16, 14, "leave4") if wide else (),
    )


_NOT_SAID = "not said"


@cache
def _names() -> dict[int, str]:
    """Return what tables are by their ids, whose high byte is that of the maker, or FF."""
    rows = (row.split(maxsplit=1) for row in texts.rows(__package__, "sfdp"))
    return {int(number, 16): name for number, name in rows}


@cache
def _meanings() -> dict[str, list[str]]:
    """Return the lists of texts in ``data/bfpt.txt`` by their names."""
    rows = ([text.strip() for text in row.split("|")] for row in texts.rows(__package__, "bfpt"))
    return {name: meanings for name, *meanings in rows}


def _size(density: int) -> int:
    """Return the bytes of the flash from the second word."""
    if density >> 31 == 0:
        return density + 1 >> 3
    exponent = density & 0x7FFF_FFFF
    return 1 << exponent - 3 if 3 <= exponent <= 64 else 0


@dataclass(frozen=True, slots=True)
class _Words:
    """The table as its words, and what stands in them; None behind its end."""

    words: tuple[int, ...]

    def bits(self, word: int, high: int, low: int) -> int | None:
        if word > len(self.words):
            return None
        return self.words[word - 1] >> low & (1 << high - low + 1) - 1

    def flag(self, word: int, high: int, low: int) -> bool | None:
        bits = self.bits(word, high, low)
        return None if bits is None else bits != 0

    def opcodes(self, word: int, low: int, *, unless: int) -> tuple[int, int] | None:
        """Return two opcodes of a word, None if bit 31 of another says that there are none."""
        pair = self.bits(word, low + 15, low)
        return None if pair is None or self.bits(unless, 31, 31) else divmod(pair, 0x100)

    def meanings(self, word: int, low: int, name: str) -> tuple[str, ...]:
        """Return the texts of a list whose bits are set, from ``low`` on."""
        bits = self.bits(word, 31, low) or 0
        return tuple(text for i, text in enumerate(_meanings()[name]) if bits >> i & 1)

    def duration(
        self, word: int, low: int, width: int, units: tuple[float, ...], limit: int = 0
    ) -> Duration | None:
        """Return a count times the unit behind it; the word ``limit`` has the factor."""
        count = self.bits(word, low + width - 1, low)
        unit = self.bits(word, low + width + (1 if len(units) > 2 else 0), low + width)
        factor = self.bits(limit or word, 3, 0)
        if count is None or unit is None or factor is None:
            return None
        typical = (count + 1) * units[unit]
        return Duration(typical, 2 * (factor + 1) * typical)

    def erase(self, word: int, low: int, time_low: int) -> EraseType | None:
        exponent, opcode = self.bits(word, low + 7, low), self.bits(word, low + 15, low + 8)
        if not exponent or opcode is None or exponent > 40:
            return None
        time = self.duration(10, time_low, 5, (1 * _MS, 16 * _MS, 128 * _MS, 1.0))
        typical, longest = (time.typical_s, time.maximum_s) if time else (None, None)
        return EraseType(1 << exponent, opcode, typical, longest)
