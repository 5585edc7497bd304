"""The verbs on the address space: peek, poke, dump, fill.

Addresses are absolute, sizes are bytes, widths are bits.  ``force`` skips the memory map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from espshell import registers
from espshell.chips import Kind
from espshell.device import Memory, Space
from espshell.errors import NoReply, UsageError
from espshell.ops.memory.reading import read_chunks, read_old, reading_notes
from espshell.ops.memory.writing import (
    DRY_RUN,
    differing_words,
    masked,
    not_as_written,
    require_size,
    write_bytes,
)
from espshell.ops.progress import Report, Step, silent
from espshell.ops.result import Change, Result
from espshell.units import WORD, hex32, hex_width

if TYPE_CHECKING:
    from espshell.registers import Register


@dataclass(frozen=True, slots=True)
class Peek(Result):
    """Values read; ``notes`` say what to keep in mind about them."""

    address: int
    width: int
    values: tuple[int, ...]
    notes: tuple[str, ...] = ()
    register: Register | None = None
    """The register that was read, for those who want to see its fields."""
    labels: tuple[str, ...] = ()
    """What a program calls the place of each value, where its symbols are known."""

    @property
    def last_value(self) -> int:
        """The last of the values."""
        return self.values[-1]


@dataclass(frozen=True, slots=True)
class Poke(Result):
    """Values written.  ``old`` and ``new`` are as read before and after, None where not read.

    In a dry run nothing was sent, and ``new`` is what would be there, where ``old`` was read.
    """

    address: int
    width: int
    wanted: tuple[int, ...]
    """What each place should hold now, the bits outside the mask as they were before."""
    mask: int
    old: tuple[int, ...] | None
    new: tuple[int, ...] | None
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def differing(self) -> tuple[int, ...]:
        """Addresses that do not read back what was written under the mask."""
        if self.new is None:
            return ()
        step = self.width // 8
        pairs = zip(self.wanted, self.new, strict=True)
        return tuple(
            self.address + i * step for i, (w, n) in enumerate(pairs) if (w ^ n) & self.mask
        )

    @property
    def ok(self) -> bool:
        """Whether everything that was read back is as written."""
        return not self.differing

    @property
    def changes(self) -> tuple[Change, ...]:
        """What was written, for a journal."""
        if self.dry_run:
            return ()
        size = self.width // 8
        full = self.mask == (1 << self.width) - 1
        old, new = (
            None if values is None else b"".join(v.to_bytes(size, "little") for v in values)
            for values in (self.old, self.wanted)
        )
        return (Change(self.address, old, new or b"", self.width, None if full else self.mask),)

    @property
    def last_value(self) -> int:
        """The last value as it reads back, or as it was written where nothing was read."""
        return (self.new or self.wanted)[-1]

    @property
    def failure(self) -> str:
        """What is not as it should be."""
        if self.new is None or not self.differing:
            return ""
        index = (self.differing[0] - self.address) // (self.width // 8)
        return (
            f"{hex32(self.differing[0])} reads back {hex_width(self.new[index], self.width)}, "
            f"not {hex_width(self.wanted[index], self.width)}; bits may be read-only or clear "
            "themselves (--no-verify does not read back)"
        )


@dataclass(frozen=True, slots=True)
class Dump(Result):
    """The bytes of a range."""

    address: int
    width: int
    data: bytes
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fill(Result):
    """A range was written with one value over and over, and read back where that was asked."""

    address: int
    size: int
    width: int
    value: int
    verified: bool
    differing: tuple[int, ...] = ()
    """Addresses of words that read back otherwise."""
    old: bytes | None = None
    """What was there before, None where it was not read."""
    notes: tuple[str, ...] = ()
    dry_run: bool = False
    """Whether nothing was sent."""

    @property
    def ok(self) -> bool:
        """Whether nothing reads back otherwise."""
        return not self.differing

    @property
    def failure(self) -> str:
        """What is not as it should be."""
        return not_as_written(self.differing)

    @property
    def changes(self) -> tuple[Change, ...]:
        """What was written, for a journal."""
        return () if self.dry_run else (Change(self.address, self.old, self.data),)

    @property
    def data(self) -> bytes:
        """All the bytes."""
        step = self.width // 8
        return self.value.to_bytes(step, "little") * (self.size // step)


def peek(
    space: Space, address: int, count: int = 1, *, width: int = 32, force: bool = False
) -> Peek:
    """Read ``count`` values of ``width`` bits.

    Raises: UsageError if the address is not a multiple of the width, or outside the memory map.
    """
    size = width // 8
    check_aligned("peek", address, width)
    if not force:
        space.check(address, size * count)
    start = address - address % WORD
    words = space.words(start, -(-(address + size * count - start) // WORD))
    data = b"".join(word.to_bytes(WORD, "little") for word in words)[address - start :]
    values = (int.from_bytes(data[i * size : (i + 1) * size], "little") for i in range(count))
    return Peek(address, width, tuple(values), reading_notes(space, address, size * count))


def poke(
    memory: Memory,
    address: int,
    values: Sequence[int],
    *,
    width: int = 32,
    mask: int | None = None,
    verify: bool = True,
    force: bool = False,
) -> Poke:
    """Write values of ``width`` bits one after another, each under ``mask``; read back.

    A narrow or masked write is one WRITE_REG that the chip masks itself.  Nothing is read where
    reading has a side effect.  If the answer to the write is lost, what reads back decides.

    Raises: UsageError before anything is sent; NoReply with what is known of the state.
    """
    size = width // 8
    check_aligned("poke", address, width)
    for value in (*values, mask or 0):
        check_fits(value, width)
    bits = (1 << width) - 1
    mask = bits if mask is None else mask & bits
    if not force:
        memory.check(address, size * len(values), write=True)
    touched = memory.chip.changes_when_read(address, size * len(values))
    hidden = write_only(memory, address, size * len(values))
    readable = (verify or memory.dry_run) and touched is None and hidden is None
    old = _read_values(memory, address, len(values), width) if readable else None
    writes = [masked(address + i * size, v, width, mask) for i, v in enumerate(values)]
    notes: tuple[str, ...] = ()
    try:
        memory.write(writes)
    except NoReply as error:
        if not readable:
            raise _unknown_state(error, address) from error
        notes = ("the answer to the write was lost; what reads back is what counts",)
    before = old if old is not None else (0,) * len(values)
    wanted = tuple(o & ~mask | v & mask for o, v in zip(before, values, strict=True))
    new = _read_values(memory, address, len(values), width) if readable else None
    if memory.dry_run:
        new, notes = old and wanted, (DRY_RUN,)
    if touched is not None:
        notes = (*notes, f"not read back: reading {touched.name} changes it")
    elif hidden is not None:
        notes = (*notes, f"not read back: {hidden.full_name} is write-only")
    return Poke(address, width, wanted, mask, old, new, notes, memory.dry_run)


def dump(
    space: Space,
    address: int,
    size: int,
    *,
    width: int = 8,
    check: bool = False,
    force: bool = False,
    report: Report = silent,
    sink: Callable[[bytes], None] | None = None,
) -> Dump:
    """Read a range of any size and alignment, exactly; ``sink`` gets the pieces as they come."""
    if not force:
        space.check(address, size)
    pieces = []
    for piece in read_chunks(space, address, size, check=check, report=report):
        pieces.append(piece)
        if sink is not None:
            sink(piece)
    return Dump(address, width, b"".join(pieces), reading_notes(space, address, size))


def fill(
    memory: Memory,
    address: int,
    size: int,
    value: int,
    *,
    width: int = 32,
    verify: bool = True,
    force: bool = False,
    keep: int = 0,
    report: Report = silent,
) -> Fill:
    """Write one value over and over; RAM by data blocks that carry a checksum; read it back.

    keep: the bytes up to which what was there is read first and handed back as ``old``.

    Raises: UsageError if address or size is not a multiple of the width, or the value too wide.
    """
    check_aligned("fill", address, width)
    check_fits(value, width)
    if size % (width // 8):
        raise UsageError(
            f"fill{width} needs a length that is a multiple of {width // 8}; {size} is not",
            hint="fill8 fills any range with a byte",
        )
    if not force:
        memory.check(address, size, write=True)
    require_size(size)
    value &= (1 << width) - 1
    data = value.to_bytes(width // 8, "little") * (size * 8 // width)
    old = read_old(memory, address, size, keep=keep)
    for done in write_bytes(memory, address, data):
        report(Step("writing", done, size))
    touched = memory.chip.changes_when_read(address, size)
    verified = verify and touched is None and not memory.dry_run
    differing: tuple[int, ...] = ()
    if verified:
        got = b"".join(read_chunks(memory, address, size, report=report))
        differing = differing_words(address, data, got)
    notes = (DRY_RUN,) if memory.dry_run else ()
    return Fill(address, size, width, value, verified, differing, old, notes, memory.dry_run)


def packed(values: Sequence[int], width: int) -> bytes:
    """Return values of a width in bits, little endian. Raises: UsageError if one does not fit."""
    for value in values:
        check_fits(value, width)
    bits = (1 << width) - 1
    return b"".join((value & bits).to_bytes(width // 8, "little") for value in values)


def registers_at(memory: Memory, address: int) -> tuple[Register, ...]:
    """Return the registers at an address; none where there are no peripherals or no table."""
    region = memory.chip.region_at(address)
    if region is None or region.kind is not Kind.PERIPHERAL:
        return ()
    known = registers.of(memory.chip.name)
    return known.at(address - address % WORD) if known else ()


def write_only(memory: Memory, address: int, size: int) -> Register | None:
    """Return the first register in a range of which reading tells nothing, or None."""
    for place in range(address - address % WORD, address + size, WORD):
        known = registers_at(memory, place)
        if known and not any(register.access.readable for register in known):
            return known[0]
    return None


def check_aligned(verb: str, address: int, width: int) -> None:
    """See that an address is a multiple of a width in bits.

    Raises: UsageError with the nearest that are.
    """
    size = width // 8
    if address % size:
        below = address - address % size
        raise UsageError(
            f"{verb}{width} needs an address that is a multiple of {size}; {hex32(address)} is not",
            hint=f"{hex32(below)} and {hex32(below + size)} are; `dump` reads any alignment",
        )


def check_fits(value: int, width: int) -> None:
    """See that a value fits into a width in bits; -1 means all ones.

    Raises: UsageError with the largest that does.
    """
    if not -(1 << (width - 1)) <= value < 1 << width:
        raise UsageError(
            f"{value:#x} does not fit into {width} bits",
            hint=f"the largest value is {hex_width((1 << width) - 1, width)}",
        )


def _read_values(memory: Memory, address: int, count: int, width: int) -> tuple[int, ...]:
    return peek(memory, address, count, width=width, force=True).values


def _unknown_state(error: NoReply, address: int) -> NoReply:
    return NoReply(
        f"{error.message}; whether {hex32(address)} was written is not known", hint=error.hint
    )
