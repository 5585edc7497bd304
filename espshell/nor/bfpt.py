"""The basic flash parameter table of SFDP, word by word.

Words are counted from 1, as in JESD216.  A table of revision 1.0 has nine; what a later word tells
is then None, which means "not said" and never "no".

Source: JESD216B and D, table "Basic Flash Parameter Table"; checked against the data sheets of
W25Q128JV (erase and program times, QER 100, 50h) and IS25WP128F (QER 010, entry to QPI by 35h).
"""

from __future__ import annotations

from espshell.records import dataclass

_MS, _US = 1e-3, 1e-6


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


QER_TEXT: dict[int, str] = {
    0: "no QE bit",
    1: "SR2 bit 1, written with SR1 by 01h; 01h with one byte clears SR2",
    2: "SR1 bit 6, written by 01h",
    3: "SR2 bit 7, written by 3Eh",
    4: "SR2 bit 1, written with SR1 by 01h; 01h with one byte is harmless",
    5: "SR2 bit 1, read by 35h, written with SR1 by 01h",
    6: "SR2 bit 1, read by 35h, written by 31h",
    7: "reserved",
}
"""Quad enable requirements (DW15), in words."""

_STATUS_WRITE = (
    "non-volatile, 06h",
    "volatile (all ones at power-up), 06h",
    "volatile, 50h",
    "non-volatile by 06h, volatile by 50h",
    "partly volatile, 06h only",
)

_RESET = (
    "Fh on four lines for 8 clocks",
    "Fh on four lines for 10 clocks",
    "Fh on four lines for 16 clocks",
    "F0h",
    "66h, 99h",
    "leave 0-4-4 mode first",
)

_ENTER_FOUR = (
    "B7h",
    "06h, B7h",
    "extended address register, C8h and C5h",
    "bank register, 16h and 17h",
    "configuration register, B5h and B1h",
    "opcodes with four address bytes",
    "always four bytes",
)
_LEAVE_FOUR = ("E9h", "06h, E9h", "C5h", "17h", "B1h", "reset", "66h, 99h", "power")

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
class Basic:
    """Basic flash parameters; at least two ``words`` of 32 bits."""

    words: tuple[int, ...]

    def _bits(self, word: int, high: int, low: int) -> int | None:
        if word > len(self.words):
            return None
        return self.words[word - 1] >> low & (1 << high - low + 1) - 1

    def _flag(self, word: int, high: int, low: int) -> bool | None:
        bits = self._bits(word, high, low)
        return None if bits is None else bits != 0

    def _opcodes(self, word: int, low: int, *, unless: int) -> tuple[int, int] | None:
        """Return two opcodes of a word, None if bit 31 of another says that there are none."""
        pair = self._bits(word, low + 15, low)
        return None if pair is None or self._bits(unless, 31, 31) else divmod(pair, 0x100)

    def _set(self, word: int, low: int, texts: tuple[str, ...]) -> tuple[str, ...]:
        bits = self._bits(word, low + len(texts) - 1, low) or 0
        return tuple(text for i, text in enumerate(texts) if bits >> i & 1 and text)

    @property
    def size(self) -> int:
        """Bytes of the flash; 0 where the table makes no sense."""
        density = self.words[1]
        if density >> 31 == 0:
            return density + 1 >> 3
        exponent = density & 0x7FFF_FFFF
        return 1 << exponent - 3 if 3 <= exponent <= 64 else 0

    @property
    def page_size(self) -> int | None:
        """Bytes that one program command writes."""
        exponent = self._bits(11, 7, 4)
        return None if exponent is None else 1 << exponent

    @property
    def address_bytes(self) -> str:
        """``3``, ``3 or 4`` or ``4``."""
        return _ADDRESSES.get(self._bits(1, 18, 17) or 0, "reserved")

    @property
    def erase_types(self) -> tuple[EraseType, ...]:
        """What can be erased, smallest first."""
        types = (self._erase(*place) for place in _ERASES)
        return tuple(sorted((e for e in types if e is not None), key=lambda place: place.size))

    def _erase(self, word: int, low: int, time_low: int) -> EraseType | None:
        exponent, opcode = self._bits(word, low + 7, low), self._bits(word, low + 15, low + 8)
        if not exponent or opcode is None or exponent > 40:
            return None
        time = self._duration(10, time_low, 5, (1 * _MS, 16 * _MS, 128 * _MS, 1.0))
        typical, longest = (time.typical_s, time.maximum_s) if time else (None, None)
        return EraseType(1 << exponent, opcode, typical, longest)

    def _duration(
        self, word: int, low: int, width: int, units: tuple[float, ...], limit: int = 0
    ) -> Duration | None:
        """Return a count times the unit behind it; the word ``limit`` has the factor."""
        count = self._bits(word, low + width - 1, low)
        unit = self._bits(word, low + width + (1 if len(units) > 2 else 0), low + width)
        factor = self._bits(limit or word, 3, 0)
        if count is None or unit is None or factor is None:
            return None
        typical = (count + 1) * units[unit]
        return Duration(typical, 2 * (factor + 1) * typical)

    @property
    def page_program(self) -> Duration | None:
        """Programming a page."""
        return self._duration(11, 8, 5, (8 * _US, 64 * _US))

    @property
    def byte_program(self) -> Duration | None:
        """Programming the first byte of a page."""
        return self._duration(11, 14, 4, (1 * _US, 8 * _US))

    @property
    def chip_erase(self) -> Duration | None:
        """Erasing the whole chip; its longest time goes by the factor of the other erases."""
        return self._duration(11, 24, 5, (16 * _MS, 256 * _MS, 4.0, 64.0), limit=10)

    @property
    def fast_reads(self) -> tuple[FastRead, ...]:
        """The fast reads that the part has."""
        return tuple(
            FastRead(mode, half >> 8, half >> 5 & 7, half & 0x1F)
            for mode, flag_word, flag, word, low in _FAST_READS
            if self._bits(flag_word, flag, flag)
            for half in [self._bits(word, low + 15, low) or 0]
        )

    @property
    def quad(self) -> bool:
        """Whether it reads by four lines (1-1-4 or 1-4-4)."""
        return bool(self._bits(1, 22, 21))

    @property
    def double_rate(self) -> bool:
        """Whether it has reads at double rate."""
        return bool(self._bits(1, 19, 19))

    @property
    def qpi(self) -> bool:
        """Whether it can listen on four lines (4-4-4)."""
        return bool(self._bits(5, 4, 4))

    @property
    def enters_qpi_by_35h(self) -> bool:
        """Whether 35h enters QPI; then it must never be sent to read SR2."""
        return bool(self._bits(15, 6, 6))

    @property
    def hold_can_be_disabled(self) -> bool | None:
        """Whether HOLD# or RESET# can be switched off."""
        return self._flag(15, 23, 23)

    @property
    def qer(self) -> int | None:
        """The code that tells where QE is and how it is written; see ``QER_TEXT``."""
        return self._bits(15, 22, 20)

    @property
    def qer_text(self) -> str:
        """The same in words."""
        return "not said" if self.qer is None else QER_TEXT[self.qer]

    @property
    def volatile_50h(self) -> bool | None:
        """Whether 50h makes the next status write volatile, without touching the stored value."""
        return self._flag(16, 3, 2)

    @property
    def status_write(self) -> str:
        """How SR1 is written, in words."""
        if self._bits(16, 6, 0) is None:
            return "not said"
        return "; ".join(self._set(16, 0, _STATUS_WRITE)) or "not said"

    @property
    def software_reset(self) -> bool | None:
        """Whether 66h and 99h reset it."""
        return self._flag(16, 12, 12)

    @property
    def reset_text(self) -> str:
        """How it is reset, in words."""
        return "; ".join(self._set(16, 8, _RESET)) or "not said"

    @property
    def enters_four_bytes(self) -> tuple[str, ...]:
        """How 4-byte addressing is entered; empty for parts that have three bytes only."""
        return () if self.address_bytes == "3" else self._set(16, 24, _ENTER_FOUR)

    @property
    def leaves_four_bytes(self) -> tuple[str, ...]:
        """How 4-byte addressing is left; empty as above."""
        return () if self.address_bytes == "3" else self._set(16, 14, _LEAVE_FOUR)

    @property
    def suspend(self) -> tuple[int, int] | None:
        """Opcodes that suspend and resume."""
        return self._opcodes(13, 16, unless=12)

    @property
    def power_down(self) -> tuple[int, int] | None:
        """Opcodes that enter and leave deep power-down."""
        return self._opcodes(14, 15, unless=14)
