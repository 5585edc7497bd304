"""What a part protects against program and erase, and which settings protect a range.

The bits are a code, not a range: BP counts blocks in powers of two from the end (TB=0) or from the
beginning (TB=1), SEC makes the blocks small, CMP exchanges protected and free.  ``decode`` reads
the code by the part's rule (``Part.variants``); ``ranges`` tries all settings that can be written
and keeps those whose result is certain, so that whatever it offers decodes to what it promised.

What is surprising:

* CMP=1 with BP=0 protects everything, and clearing BP is then a lock (fpdoom#48).
* On EN25Q parts BP counts what is left free.
* Where a bit could not be read, or it is not known which of several parts it is, every possibility
  is worked out; if they agree the range is known all the same.
* WPS (WPSEL) switches BP off.  The locks of single blocks are not read, so nothing is claimed then.
* Most ranges are computed by a rule; ``published`` says where a source has them in print.

Sources: rules as flashrom b946ca13 (``writeprotect_ranges.c``), Linux ``spi-nor/swp.c`` and
hackpascal/ufprog 57fc859f have them; data sheet of IS25WP128F for option B.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from itertools import product

from espshell.nor.layout import BitGroup, BitKind, Values
from espshell.nor.parts import Part
from espshell.nor.settings import Setting
from espshell.records import dataclass
from espshell.span import Span
from espshell.units import KIB, MIB

FIELDS = ("BP", "TB", "TBS", "SEC", "CMP")
"""Fields that say what is protected."""

_INDIVIDUAL = ("WPS", "WPSEL")
_BY_PIN = ("SRP0", "SRP", "SRWD")
_BLOCK = 64 * KIB


NOTHING = Span(0, 0)


@dataclass(frozen=True, slots=True)
class Code:
    """The protection bits: ``bp`` of at most ``full``, and bits that are 0 where there are none."""

    bp: int
    full: int
    tb: int = 0
    sec: int = 0
    cmp: int = 0


@dataclass(frozen=True, slots=True)
class Protected:
    """What is protected; if it is not ``known``, ``ranges`` are all that may be, and ``why``."""

    ranges: tuple[Span, ...]
    known: bool
    published: bool
    """A source has the ranges of the part in print; else they are computed."""
    why: str = ""

    def hits(self, start: int, end: int) -> bool:
        """Whether a range may meet protection: always, if nothing is known at all."""
        if not self.known and not self.ranges:
            return True
        return any(protected_range.overlaps(Span(start, end)) for protected_range in self.ranges)


@dataclass(frozen=True, slots=True)
class Choice:
    """A range that can be protected, and settings that do it."""

    span: Span
    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class Fit:
    """What comes near a wanted range: exactly it, the largest inside, the smallest around."""

    exact: Choice | None
    smaller: Choice | None
    larger: Choice | None


def decode(part: Part, registers: Values) -> Protected:
    """Decode what is protected; a register that is missing from ``registers`` was not read."""
    possible = [option for one in part.alternatives for option in _possible(one, registers)]
    distinct = sorted({option for option in possible if option is not None})
    filled = tuple(option for option in distinct if option.size)
    if None not in possible and len(distinct) == 1:
        return Protected(filled, known=True, published=part.published)
    return Protected(filled, known=False, published=False, why=_why(part, registers))


def ranges(part: Part, registers: Values) -> tuple[Choice, ...]:
    """Return every range that can be set, by its start; other bits stay as in ``registers``.

    Of several settings for a range the one without CMP counts, then the one that changes least.
    """
    cheapest: dict[Span, tuple[tuple[int, ...], Choice]] = {}
    for settings, after in _settings(part, registers):
        protected = decode(part, after)
        if not protected.known:
            continue
        whole = protected.ranges[0] if protected.ranges else NOTHING
        values = {setting.name: setting.value for setting in settings}
        changed = sum((registers[name] ^ after[name]).bit_count() for name in registers)
        cost = (values.get("CMP", 0), changed, values.get("SEC", 0), values.get("BP", 0))
        if whole not in cheapest or cost < cheapest[whole][0]:
            cheapest[whole] = cost, Choice(whole, settings)
    return tuple(cheapest[protected_range][1] for protected_range in sorted(cheapest))


def encode(part: Part, registers: Values, start: int, end: int) -> Fit:
    """Find settings that protect exactly from ``start`` up to ``end``, and the nearest ones."""
    target = Span(start, end) if end > start else NOTHING
    choices = ranges(part, registers)
    exact = next((choice for choice in choices if choice.span == target), None)
    inside = [c for c in choices if c.span.size and target.holds(c.span) and c.span != target]
    around = [c for c in choices if c.span.holds(target) and c.span != target]
    smaller = max(inside, key=lambda choice: choice.span.size, default=None)
    return Fit(exact, smaller, min(around, key=lambda choice: choice.span.size, default=None))


class LockMode(Enum):
    """What stands against writing the registers; the later, the worse."""

    UNKNOWN = "unknown"
    SOFTWARE = "software"
    HARDWARE = "hardware"
    POWER_CYCLE = "power cycle"
    PERMANENT = "permanent"

    @property
    def text(self) -> str:
        """What it means, as a sentence."""
        return _LOCK_TEXT[self]


_LOCK_TEXT = {
    LockMode.UNKNOWN: "what locks the registers is unknown",
    LockMode.SOFTWARE: "the registers can be written",
    LockMode.HARDWARE: "the registers cannot be written while WP# is low",
    LockMode.POWER_CYCLE: "the registers cannot be written until the flash is power-cycled",
    LockMode.PERMANENT: "the registers can never be written again",
}


def lock_mode(part: Part, registers: Values) -> LockMode:
    """Return the lock mode: of several parts that it may be, the worst one."""
    modes = list(LockMode)
    return max((_lock_mode(one, registers) for one in part.alternatives), key=modes.index)


# --- rules


def protected_span(variant: str, code: Code, size: int) -> Span | None:
    """Return what a code protects of a flash of ``size`` bytes by a rule; None if nobody knows."""
    if variant in _LENGTHS:
        return _std(variant, code, size)
    if variant == "nocmp":
        return None if code.cmp else _std("std", code, size)
    if variant == "b64k_tb5":
        return _std("b64k", Code(code.bp, code.full, tb=code.cmp), size)
    if variant in ("eon_inv", "mx_type2"):
        return _other_end(variant, code, size)
    return _issi_b(code, size) if variant == "issi_b" else None


_LENGTHS: dict[str, tuple[int, int]] = {
    "std": (1, 0),
    "b64k": (1, _BLOCK),
    "bitcmp": (1, 0),
    "2x": (0, 0),
    "fm16": (3, 0),
}
"""Rules that count alike: the value of BP that stands for one block; its size, 0: by the part."""


def _std(variant: str, code: Code, size: int) -> Span:
    first, block = _LENGTHS[variant]
    inverted = variant == "bitcmp" and code.cmp
    bp = code.bp ^ code.full if inverted else code.bp
    block = block or max(_BLOCK, size >> 1 >> max(code.full - first - 1, 0))
    length = block << bp - first if bp >= max(first, 1) else 0
    if code.sec and length and variant != "fm16":
        length = min(4 * KIB << bp - first, 32 * KIB)
    if bp == code.full:
        length = size
    length = min(length, size)
    at_end = not code.tb
    if code.cmp:
        length, at_end = size - length, not at_end
    return _placed(length, size, at_end)


def _other_end(variant: str, code: Code, size: int) -> Span:
    """Return what EON (``eon_inv``) and Macronix of type 2 protect.

    EON: BP counts the part that stays free, at the end unless TB is set.  Macronix: the upper half
    of the codes protects from 0 on, and leaves less free with each step.
    """
    if code.bp in (0, code.full):
        return _placed(size if code.bp else 0, size, at_end=False)
    if variant == "eon_inv":
        free = min(_BLOCK << code.bp - 1, size)
        return _placed(size - free, size, at_end=bool(code.tb))
    if code.bp <= code.full // 2:
        return _placed(min(_BLOCK << code.bp - 1, size), size, at_end=True)
    return _placed(max(size - (_BLOCK << code.full - 1 - code.bp), 0), size, at_end=False)


def _issi_b(code: Code, size: int) -> Span | None:
    """Ordering option B of ISSI: half of the flash and less as usual, then all but a part."""
    if code.bp == code.full:
        return Span(0, size)
    standard = _std("std", code, size)
    if standard.size <= size // 2:
        return standard
    if size != 16 * MIB:
        return None  # only the table of 128 Mbit is known
    return _placed(size - (4 * MIB >> code.bp - 9), size, at_end=not code.tb)


def _placed(length: int, size: int, at_end: bool) -> Span:
    if not length:
        return NOTHING
    return Span(size - length, size) if at_end else Span(0, length)


# --- from registers


def _possible(part: Part, registers: Values) -> Iterator[Span | None]:
    """Yield what may be protected on one part; None stands for "cannot be said"."""
    bp = part.layout.field("BP")
    value = bp.value(registers) if bp else None
    if bp is None or value is None or not part.size:
        yield None
        return
    individual = [_bit(part, registers, name) for name in _INDIVIDUAL]
    if any(1 in values for values in individual):
        yield None
    if (1,) in individual:
        return
    top = "TBS" if part.layout.field("TBS") else "TB"
    bits = (_bit(part, registers, name) for name in (top, "SEC", "CMP"))
    for variant, (tb, sec, cmp) in product(part.variants, product(*bits)):
        yield protected_span(variant, Code(value, bp.most, tb, sec, cmp), part.size)


def _bit(part: Part, registers: Values, name: str) -> tuple[int, ...]:
    """Return the values that a bit may have: 0 if the part has none, both if it was not read."""
    field = part.layout.field(name)
    value = field.value(registers) if field else 0
    return (0, 1) if value is None else (value,)


def _why(part: Part, registers: Values) -> str:
    """Return why the range is not known, in a sentence."""
    for name in _INDIVIDUAL:
        if any(1 in _bit(one, registers, name) for one in part.alternatives):
            return f"{name} is set, or may be: each block has its own lock, and BP is ignored"
    if any("unknown" in one.variants for one in part.alternatives):
        return "how this part counts BP is unknown"
    if "SR1" not in registers:
        return "SR1 was not read"
    if part.is_open:
        return "the parts that it may be protect different ranges"
    return "sources or ordering options differ about this setting"


def _settings(
    part: Part, registers: Values
) -> Iterator[tuple[tuple[Setting, ...], dict[str, int]]]:
    """Yield all settings of the fields that can be written, and the registers they make."""
    fields = [field for name in FIELDS if (field := _writable(part, registers, name))]
    first: tuple[Setting, ...] = ()
    base = dict(registers)
    individual = _writable(part, registers, "WPS")
    if individual and individual.value(registers):
        first, base = (Setting("WPS", 0),), individual.put(base, 0)
    if not fields:
        return
    for values in product(*(range(field.most + 1) for field in fields)):
        after = base
        for field, value in zip(fields, values, strict=True):
            after = field.put(after, value)
        named = tuple(Setting(f.name, v) for f, v in zip(fields, values, strict=True))
        yield first + named, after


def _writable(part: Part, registers: Values, name: str) -> BitGroup | None:
    field = part.layout.field(name)
    if field is None or field.kind not in (BitKind.PLAIN, BitKind.DANGER):
        return None
    return field if {field.register} <= part.written & registers.keys() else None


def _lock_mode(part: Part, registers: Values) -> LockMode:
    pin, power = (
        [_bit(part, registers, name) for name in names if part.layout.field(name)]
        for names in (_BY_PIN, ("SRP1",))
    )
    if not pin or (0, 1) in pin + power:
        return LockMode.UNKNOWN
    if (1,) in power:
        return LockMode.PERMANENT if (1,) in pin else LockMode.POWER_CYCLE
    return LockMode.HARDWARE if (1,) in pin else LockMode.SOFTWARE
