"""The bits of a part's status registers: which register, which bit, what class.

Layouts stand in ``data/layouts.txt``, a line a register, and are taken apart when asked for.  Bits
that belong together (BP0 to BP3) are one field (BP) whose value is a number.  ``common`` is what
several layouts agree on, for parts that cannot be told apart: a bit on which they do not agree is
shown, but is ``OPEN`` and never written.  What the fields are for stands in ``data/fields.txt``.
How registers are written, by which opcodes, is a ``WritePlan``.

What is surprising: a register's name says what it holds and not how it is read.  15h reads SR3, but
on Macronix parts it reads CR, and on ISSI parts it is a write.

There are two kinds of parts that look the same when read.  The older kind takes SR1 and SR2
together by 01h, ignores 31h, and sets SR2 to 0 when 01h brings one byte: QE and CMP are gone.  The
newer kind takes 01h, 31h and 11h with one byte each, and ignores 01h with two.  Some take both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from functools import cache

from espshell import regex, tables
from espshell.records import dataclass

Values = Mapping[str, int]
"""What registers hold: a byte by the register's name."""

WIDTH = 8
"""Bits of a register."""

_NUMBERED = regex.late(r"(BP|DRV|DC|LC|ODS|BL)\d")

ValueNames = tuple[tuple[int, str], ...]
"""Numbers that have a name: ``(2, "50%")``."""

_WINBOND = 0xEF
_VALUES: dict[int, dict[str, ValueNames]] = {
    _WINBOND: {"DRV": ((0, "100%"), (1, "75%"), (2, "50%"), (3, "25%"))},
}
"""By manufacturer and field.  The codes of others are not verified."""


class BitKind(Enum):
    """What may happen to a bit."""

    PLAIN = ""
    READ_ONLY = "ro"
    """The flash sets it."""
    ONE_WAY = "otp"
    """Once 1 it stays 1 for ever."""
    LOCK = "lock"
    """It locks the registers themselves."""
    DANGER = "danger"
    """It can be undone, but may stop a board from booting."""
    RESERVED = "-"
    """Reserved or unknown; written as it was read."""
    OPEN = "open"
    """The parts that it may be do not agree about it; written as it was read."""

    @property
    def settable(self) -> bool:
        """Whether a person may ask for another value."""
        return self not in (BitKind.READ_ONLY, BitKind.RESERVED, BitKind.OPEN)


@dataclass(frozen=True, slots=True)
class Bit:
    """A bit of a register; ``position`` 0 is the lowest."""

    name: str
    register: str
    position: int
    kind: BitKind

    @property
    def mask(self) -> int:
        """The bit in a byte."""
        return 1 << self.position


@dataclass(frozen=True, slots=True)
class RegisterLayout:
    """A register of eight bits and the opcode that reads it."""

    name: str
    read_opcode: int
    bits: tuple[Bit, ...]
    """Bit 0 first."""

    def mask(self, *kinds: BitKind) -> int:
        """Return the bits of these kinds, set."""
        return sum(bit.mask for bit in self.bits if bit.kind in kinds)


@dataclass(frozen=True, slots=True)
class BitGroup:
    """What is set and shown as one: a bit, or several that make a number."""

    name: str
    bits: tuple[Bit, ...]
    """Least significant first."""
    kind: BitKind
    values: ValueNames = ()

    @property
    def most(self) -> int:
        """The largest value."""
        return (1 << len(self.bits)) - 1

    @property
    def register(self) -> str:
        """The register that it stands in."""
        return self.bits[0].register

    @property
    def meaning(self) -> str:
        """What it does, in one line."""
        return _meanings().get(self.name, _NOT_DESCRIBED)[0]

    @property
    def hazard(self) -> str:
        """What can go wrong, in one line; may be empty."""
        _, own = _meanings().get(self.name, _NOT_DESCRIBED)
        if self.kind is not BitKind.ONE_WAY:
            return own
        return "one-way: once 1 it stays 1" + (f"; {own}" if own else "")

    def value(self, registers: Values) -> int | None:
        """Return its number, None if its register was not read."""
        values = [registers.get(bit.register) for bit in self.bits]
        read = [byte for byte in values if byte is not None]
        if len(read) < len(values):
            return None
        pairs = enumerate(zip(self.bits, read, strict=True))
        return sum((byte >> bit.position & 1) << i for i, (bit, byte) in pairs)

    def put(self, registers: Values, value: int) -> dict[str, int]:
        """Return the registers with another value of the field; its registers are known."""
        changed = dict(registers)
        for i, bit in enumerate(self.bits):
            byte = changed[bit.register] & ~bit.mask
            changed[bit.register] = byte | (value >> i & 1) << bit.position
        return changed

    def text(self, value: int) -> str:
        """Return a value as it is typed: its name, else the number."""
        return dict(self.values).get(value, str(value))

    def number(self, text: str) -> int | None:
        """Return the value that has a name."""
        return next((value for value, name in self.values if name == text), None)


@dataclass(frozen=True, slots=True)
class Layout:
    """The registers of a part and their fields."""

    name: str
    registers: tuple[RegisterLayout, ...]
    fields: tuple[BitGroup, ...]
    note: str = ""

    def register(self, name: str) -> RegisterLayout | None:
        """Return the register of a name in any case."""
        return next((entry for entry in self.registers if entry.name == name.upper()), None)

    def field(self, name: str) -> BitGroup | None:
        """Return the field of a name in any case, or a single bit of one (``BP2``)."""
        upper = name.upper()
        single = (
            BitGroup(bit.name, (bit,), bit.kind)
            for field in self.fields
            if len(field.bits) > 1
            for bit in field.bits
            if bit.name == upper
        )
        return next((field for field in self.fields if field.name == upper), next(single, None))

    def without(self, opcode: int) -> Layout:
        """Return the layout without the registers that an opcode reads."""
        kept = tuple(register for register in self.registers if register.read_opcode != opcode)
        return _layout(self.name, kept, {f.name: f.values for f in self.fields}, self.note)


_NOT_DESCRIBED = ("not described", "")


@cache
def _meanings() -> dict[str, tuple[str, str]]:
    """Return what a field does and what to fear, by its name; a hazard may be empty."""
    rows = (
        [part.strip() for part in f"{line}|".split("|")]
        for line in tables.rows(__package__, "fields")
    )
    return {name: (text, hazard) for names, text, hazard, *_ in rows for name in names.split()}


@cache
def of(name: str, manufacturer: int = 0) -> Layout:
    """Return the layout of a name; a manufacturer's byte adds what values are called there.

    Raises: KeyError if there is no such layout.
    """
    note, lines = _blocks()[name]
    registers = []
    for line in lines:
        register, opcode, *texts = line.split()
        if len(texts) != WIDTH:
            raise ValueError(f"{line!r} has not {WIDTH} bits")
        bits = []
        for position, text in enumerate(texts):
            bit, _, kind = text.partition(":")
            bits.append(Bit(bit, register, position, BitKind(kind if bit != "-" else "-")))
        registers.append(RegisterLayout(register, int(opcode, 16), tuple(bits)))
    return _layout(name, tuple(registers), _VALUES.get(manufacturer, {}), note)


def names() -> tuple[str, ...]:
    """Return the names of all layouts."""
    return tuple(_blocks())


def common(layouts: Sequence[Layout]) -> Layout:
    """Return the layout that some have in common; what they do not agree on is ``OPEN``.

    A register that only some have is there, but nothing in it is more than ``OPEN``.
    """
    if len({layout.name for layout in layouts}) == 1:
        return layouts[0]
    opcodes = {r.name: r.read_opcode for layout in layouts for r in layout.registers}
    registers = tuple(_agreed(name, opcodes[name], layouts) for name in opcodes)
    values = {field.name: field.values for layout in layouts for field in layout.fields}
    return _layout("common", registers, values, "what all candidates share")


def _agreed(name: str, opcode: int, layouts: Sequence[Layout]) -> RegisterLayout:
    """Return one register of several layouts."""
    held = [layout.register(name) for layout in layouts]
    bits = []
    for position in range(WIDTH):
        candidates = [register.bits[position] if register else None for register in held]
        present = [bit for bit in candidates if bit is not None]
        if len(present) == len(candidates) and len({(bit.name, bit.kind) for bit in present}) == 1:
            bits.append(present[0])
            continue
        called = dict.fromkeys(bit.name for bit in present if bit.kind is not BitKind.RESERVED)
        kind = BitKind.OPEN if called else BitKind.RESERVED
        bits.append(Bit("/".join(called) or "-", name, position, kind))
    return RegisterLayout(name, opcode, tuple(bits))


@cache
def _blocks() -> dict[str, tuple[str, list[str]]]:
    """Return a layout's remark and its lines by its name."""
    blocks: dict[str, tuple[str, list[str]]] = {}
    name = ""
    for line in tables.rows(__package__, "layouts"):
        if line.startswith(" "):
            blocks[name][1].append(line)
        else:
            name, _, note = (part.strip() for part in line.partition("|"))
            blocks[name] = note, []
    return blocks


def _layout(
    name: str,
    registers: tuple[RegisterLayout, ...],
    values: Mapping[str, ValueNames],
    note: str,
) -> Layout:
    """Put bits together to fields; ``values`` are what their values are called."""
    groups: dict[str, list[Bit]] = {}
    for bit in (bit for register in registers for bit in register.bits):
        if bit.kind not in (BitKind.RESERVED, BitKind.OPEN):
            numbered = _NUMBERED.fullmatch(bit.name)
            groups.setdefault(numbered[1] if numbered else bit.name, []).append(bit)
    fields = (BitGroup(n, tuple(b), b[0].kind, values.get(n, ())) for n, b in groups.items())
    return Layout(name, registers, tuple(fields), note)


@dataclass(frozen=True, slots=True)
class Form:
    """A write that a part takes: an opcode and the registers whose bytes follow, in order."""

    opcode: int
    registers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WritePlan:
    """How the registers of a part are written; the first form that fits is taken."""

    name: str
    forms: tuple[Form, ...]
    clears_sr2: bool = False
    """01h with one byte sets SR2 to 0."""


def _write_plan(line: str) -> WritePlan:
    name, *words = line.split()
    forms = (word.split(":") for word in words if ":" in word)
    plan = tuple(Form(int(opcode, 16), tuple(names.split(","))) for opcode, names in forms)
    return WritePlan(name, plan, clears_sr2="clears" in words)


WRITE_PLANS: dict[str, WritePlan] = {
    plan.name: plan for plan in map(_write_plan, tables.rows(__package__, "writes"))
}
"""By name; ``data/writes.txt`` has their sources."""
