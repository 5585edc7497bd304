"""Registers by name: read and taken apart into fields; several fields set by one write.

``force`` skips what the tables and the memory map say.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from espshell import files, registers
from espshell.device import Memory
from espshell.errors import ReadsDiffer, UsageError, printable
from espshell.ops.memory import words
from espshell.ops.memory.words import Poke
from espshell.ops.result import Result
from espshell.registers import svd
from espshell.registers.table import Access, BitField, Peripheral, Register, Registers
from espshell.units import ALL_BITS, count_text, hex32

MOST_READ = 1024
"""Registers that are read at once."""

_MOST_NAMED = 8  # names in a message


@dataclass(frozen=True, slots=True)
class RegisterValue(Result):
    """What a register holds."""

    register: Register
    value: int
    field: BitField | None = None
    """The field that was asked for, if it was only one."""
    notes: tuple[str, ...] = ()
    readings: int = 1
    """How often it was read."""

    @property
    def fields(self) -> tuple[BitField, ...]:
        """The fields that were asked for."""
        return (self.field,) if self.field else self.register.fields

    @property
    def last_value(self) -> int:
        """The value: of the field if one was asked for, else of the register."""
        return self.field.value(self.value) if self.field else self.value


@dataclass(frozen=True, slots=True)
class RegisterValues(Result):
    """What several registers hold."""

    registers: tuple[RegisterValue, ...]
    skipped: tuple[Register, ...] = ()
    """Registers that were not read."""
    notes: tuple[str, ...] = ()
    readings: int = 1
    """How often each was read."""


@dataclass(frozen=True, slots=True)
class FieldWrite(Result):
    """Fields of a register were set by one write; ``written`` is that of the whole word."""

    register: Register
    fields: tuple[BitField, ...]
    """Those that were set; none if it was the register as a whole."""
    written: Poke

    @property
    def old(self) -> int | None:
        """The value from before, None where it was not read."""
        return self.written.old[0] if self.written.old else None

    @property
    def new(self) -> int | None:
        """What reads back, None where it was not read."""
        return self.written.new[0] if self.written.new else None

    @property
    def wanted(self) -> int:
        """What the register should hold now."""
        return self.written.wanted[0]

    @property
    def changed(self) -> tuple[BitField, ...]:
        """The fields whose value is another than before, if that was read."""
        if self.old is None or self.new is None:
            return ()
        return tuple(f for f in self.register.fields if f.mask & (self.old ^ self.new))

    @property
    def differing(self) -> int:
        """The bits that do not read back as written; those of write-only fields do not count."""
        if self.new is None:
            return 0
        return (self.new ^ self.wanted) & self.written.mask & self.register.readable_bits

    @property
    def failure(self) -> str:
        """The fields that do not read back as written."""
        if self.new is None or not self.differing:
            return ""
        fields = [f for f in self.register.fields if f.mask & self.differing]
        texts = [
            f"{f.name} reads back {f.value(self.new)}, not {f.value(self.wanted)}" for f in fields
        ]
        whole = f"{self.register.full_name} reads back {hex32(self.new)}, not {hex32(self.wanted)}"
        return f"{', '.join(texts) or whole}; it may clear itself (--no-verify does not read back)"

    @property
    def last_value(self) -> int:
        """The register as it reads back, or as it was written where nothing was read."""
        return self.wanted if self.new is None else self.new

    @property
    def notes(self) -> tuple[str, ...]:
        """What to keep in mind."""
        return self.written.notes


@dataclass(frozen=True, slots=True)
class RegisterList(Result):
    """What there is, without reading any of it: peripherals, or registers of some name."""

    chip: str
    peripherals: tuple[Peripheral, ...] = ()
    registers: tuple[Register, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldList(Result):
    """Fields of a register and what they can be set to."""

    register: Register
    fields: tuple[BitField, ...]


@dataclass(frozen=True, slots=True)
class SvdTables(Result):
    """The registers that an SVD file describes, to go by instead of the chip's own tables."""

    file: str
    device: str
    tables: Registers
    count: int
    left_out: int = 0
    """Registers that are not aligned words, which no loader reads."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BuiltInTables(Result):
    """The tables that come with the program are what names go by."""


def load_svd(path: Path) -> SvdTables:
    """Read an SVD file. Raises: UsageError in one line for one that is damaged or too large."""
    data = files.read_bytes(path, files.SVD)
    try:
        content = svd.read(data)
    except UsageError as error:
        raise UsageError(f"{printable(str(path))}: {error.message}", hint=error.hint) from error
    notes: tuple[str, ...] = ()
    if content.left_out:
        notes = (f"{count_text(content.left_out, 'register')} that are not aligned words left out",)
    return SvdTables(
        str(path), content.device, content.registers, content.count, content.left_out, notes
    )


def tables(memory: Memory) -> Registers:
    """Return the registers of a chip. Raises: UsageError if there is no table of them."""
    table = memory.registers
    if table is None:
        raise UsageError(
            f"no register tables for the {memory.chip.title}", hint="`svd FILE` reads an SVD file"
        )
    return table


def field_named(register: Register, name: str) -> BitField:
    """Return a field of a register. Raises: UsageError with those that it has."""
    field = register.field(name)
    if field is None:
        names = ", ".join(item.name for item in register.fields)
        hint = f"it has {names}" if names else "it has none"
        raise UsageError(f"{register.full_name} has no field `{name}`", hint=hint)
    return field


def list_registers(memory: Memory, pattern: str = "") -> RegisterList:
    """Return the registers whose name has a text in it or fits a pattern, or all peripherals.

    Raises: UsageError if there is no table, or nothing fits.
    """
    table, chip = tables(memory), memory.chip
    if not pattern:
        return RegisterList(chip.name, peripherals=table.peripherals)
    matches = table.search(pattern)
    if not matches:
        raise UsageError(
            f"no register of the {chip.title} matches `{pattern}`",
            hint="`regs` lists the peripherals; a pattern has `*` and `?`",
        )
    return RegisterList(chip.name, registers=matches)


def read_register(
    memory: Memory,
    register: Register,
    field: BitField | None = None,
    *,
    check: bool = False,
    force: bool = False,
) -> RegisterValue:
    """Read a register for all of its fields or for one.

    Raises: UsageError if it, or the field that was asked for, is write-only.
    """
    if not force:
        for name, access in _accesses(register, (field,) if field else ()):
            if not access.readable:
                raise UsageError(f"{name} is write-only", hint="--force reads the others anyway")
    result = words.peek(memory, register.address, check=check, force=force)
    return RegisterValue(register, result.values[0], field, result.notes, result.readings)


def read_registers(
    memory: Memory, selection: Sequence[Register], *, check: bool = False, force: bool = False
) -> RegisterValues:
    """Read registers, but none that is write-only, changes when read or is not in the memory map.

    With ``force`` all of them, with ``check`` twice but what changes when it is read.

    Raises: UsageError if they are more than ``MOST_READ``; ReadsDiffer.
    """
    if len(selection) > MOST_READ:
        count = count_text(len(selection), "register")
        raise UsageError(f"{count} registers match; at most {MOST_READ} are read at once")
    whys = ((register.full_name, _unread(memory, register)) for register in selection)
    reasons = {} if force else {name: why for name, why in whys if why}
    chosen = [register for register in selection if register.full_name not in reasons]
    values = memory.gather([register.address for register in chosen])
    if check:
        _require_same(memory, chosen, values)
    notes = []
    for reason in dict.fromkeys(reasons.values()):
        names = [name for name, why in reasons.items() if why == reason]
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        notes.append(f"not read ({reason}): {', '.join(names[:_MOST_NAMED])}{more}")
    return RegisterValues(
        tuple(RegisterValue(item, values[item.address]) for item in chosen),
        tuple(register for register in selection if register.full_name in reasons),
        tuple(notes),
        1 + check,
    )


def _require_same(memory: Memory, chosen: Sequence[Register], values: dict[int, int]) -> None:
    """Read registers once more. Raises: ReadsDiffer for the first that reads otherwise."""
    steady = [item for item in chosen if memory.chip.changes_when_read(item.address) is None]
    again = memory.gather([register.address for register in steady])
    for register in steady:
        first, second = values[register.address], again[register.address]
        if first != second:
            raise ReadsDiffer(
                f"two readings of {register.full_name} differ: "
                f"{hex32(first)}, then {hex32(second)}",
                hint="a flipped bit on the link, or a register that changes by itself",
            )


def write_register(
    memory: Memory,
    register: Register,
    value: int,
    *,
    verify: bool = True,
    force: bool = False,
) -> FieldWrite:
    """Write a whole register and read it back.

    Raises: UsageError if it is read-only or the value too wide; nothing was sent.
    """
    _check_writable(register, (), force=force)
    written = words.poke(memory, register.address, [value], verify=verify, force=force)
    return FieldWrite(register, (), written)


def write_fields(
    memory: Memory,
    register: Register,
    settings: Iterable[tuple[BitField, int]],
    *,
    verify: bool = True,
    force: bool = False,
) -> FieldWrite:
    """Set fields of a register by one write that the chip masks itself, and read it back.

    In a write-only register all other bits are written 0: there is nothing to keep.

    Raises: UsageError if a field is read-only or its value too wide; nothing was sent.
    """
    values = dict(settings)
    _check_writable(register, tuple(values), force=force)
    word = mask = 0
    for field, value in values.items():
        check_fits(register, field, value)
        word |= value << field.low & field.mask
        mask |= field.mask
    if not register.access.readable:
        mask = ALL_BITS
    written = words.poke(memory, register.address, [word], mask=mask, verify=verify, force=force)
    return FieldWrite(register, tuple(values), written)


def check_fits(register: Register, field: BitField, value: int) -> None:
    """Check that a value fits into a field; -1 means all ones.

    Raises: UsageError with the largest that does.
    """
    if not -(1 << field.width - 1) <= value < 1 << field.width:
        raise UsageError(
            f"{value:#x} does not fit {register.full_name}.{field.name}, "
            f"which has {count_text(field.width, 'bit')}",
            hint=f"the largest value is {(1 << field.width) - 1:#x}",
        )


def _accesses(register: Register, fields: Iterable[BitField]) -> Iterable[tuple[str, Access]]:
    """Yield the names and accesses that decide: of the fields if there are any."""
    named = [(f"{register.full_name}.{field.name}", field.access) for field in fields]
    return named or [(register.full_name, register.access)]


def _check_writable(register: Register, fields: Iterable[BitField], *, force: bool) -> None:
    for name, access in _accesses(register, fields):
        if not access.writable and not force:
            raise UsageError(f"{name} is read-only", hint="--force writes it anyway")


def _unread(memory: Memory, register: Register) -> str:
    """Return why a register is not read unless it is asked for alone; empty if it is."""
    if not register.access.readable:
        return "write-only"
    changes = memory.chip.changes_when_read(register.address) is not None
    if changes or register.changes_when_read:
        return "changes when it is read"
    outside = memory.chip.region_at(register.address, registers.WORD) is None
    return "outside the memory map" if outside else ""
