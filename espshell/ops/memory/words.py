"""The verbs on the address space: peek, poke, dump, fill, copy, load.

Addresses are absolute, sizes are bytes, widths are bits.  ``force`` skips the memory map.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from espshell.device import Memory, Space
from espshell.device.memory import require_32_bits
from espshell.errors import UsageError
from espshell.ops.flash.payload import Payload
from espshell.ops.memory.reading import read_agreed, read_chunks, reading_notes
from espshell.ops.memory.writing import (
    WriteResult,
    repeated,
    require_size,
    write_and_verify,
)
from espshell.ops.result import Report, Result, silent
from espshell.records import dataclass
from espshell.span import align_down
from espshell.units import hex32, hex_width

if TYPE_CHECKING:
    from espshell.registers.table import Register


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
    readings: int = 1
    """How often it was read."""

    @property
    def last_value(self) -> int:
        """The last of the values."""
        return self.values[-1]


@dataclass(frozen=True, slots=True)
class Poke(WriteResult):
    """Values written one by one, each under ``mask``."""

    address: int
    width: int
    mask: int

    @property
    def wanted(self) -> tuple[int, ...]:
        """What each place should hold now, the bits outside the mask as they were before."""
        return values_of(self.data, self.width)

    @property
    def old(self) -> tuple[int, ...] | None:
        """The values from before, None where they were not read."""
        old = self.writes[0].old
        return None if old is None else values_of(old, self.width)

    @property
    def new(self) -> tuple[int, ...] | None:
        """What reads back, None where it was not read; in a dry run what would be there."""
        new = self.writes[0].new
        return None if new is None else values_of(new, self.width)

    @property
    def last_value(self) -> int:
        """The last value as it reads back, or as it was written where nothing was read."""
        return (self.new or self.wanted)[-1]

    @property
    def failure(self) -> str:
        """The first value that does not read back as written."""
        if self.new is None or not self.differing:
            return ""
        index = (self.differing[0] - self.address) // (self.width // 8)
        reason = "bits may be read-only or clear themselves (--no-verify does not read back)"
        if self.writes[0].answer_lost:
            reason = "the answer to the write was lost, so it may not have been done"
        return (
            f"{hex32(self.differing[0])} reads back {hex_width(self.new[index], self.width)}, "
            f"not {hex_width(self.wanted[index], self.width)}; {reason}"
        )


@dataclass(frozen=True, slots=True)
class Dump(Result):
    """The bytes of a range."""

    address: int
    width: int
    data: bytes
    notes: tuple[str, ...] = ()
    readings: int = 1
    """How often each byte was read."""


@dataclass(frozen=True, slots=True)
class Fill(WriteResult):
    """A range was written with one value over and over, and read back where that was asked."""

    address: int
    size: int
    width: int
    value: int


@dataclass(frozen=True, slots=True)
class Copied(WriteResult):
    """``data`` of ``address`` is at ``to``, too, and was read back there where that was asked."""

    address: int
    to: int


@dataclass(frozen=True, slots=True)
class Loaded(WriteResult):
    """Files are in memory now."""

    files: tuple[str, ...]
    address: int

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return len(self.data)


def peek(
    space: Space,
    address: int,
    count: int = 1,
    *,
    width: int = 32,
    check: bool = False,
    force: bool = False,
) -> Peek:
    """Read ``count`` values of ``width`` bits; RAM and ROM twice, with ``check`` everything.

    Raises: UsageError if the address is not a multiple of the width, or outside the memory map;
    ReadsDiffer with ``check``.
    """
    size = width // 8
    check_aligned("peek", address, width)
    if not force:
        space.check(address, size * count)
    data, readings, notes = read_agreed(space, address, size * count, check=check)
    return Peek(address, width, values_of(data, width), notes, readings=readings)


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
    check_aligned("poke", address, width)
    data = packed(values, width)
    check_fits(mask or 0, width)
    bits = (1 << width) - 1
    mask = bits if mask is None else mask & bits
    if not force:
        memory.check(address, len(data), write=True)
    poked = (width, mask)
    write = write_and_verify(memory, address, data, verify=verify, poked=poked)
    return Poke(address, width, mask, writes=(write,))


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
    notes = reading_notes(space, address, size)
    return Dump(address, width, b"".join(pieces), notes, 1 + check)


def fill(
    memory: Memory,
    address: int,
    size: int,
    value: int,
    *,
    width: int = 32,
    verify: bool = True,
    force: bool = False,
    report: Report = silent,
) -> Fill:
    """Write one value over and over; RAM by data blocks that carry a checksum; read it back.

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
    data = repeated(value, width, size)
    write = write_and_verify(memory, address, data, verify=verify, report=report)
    return Fill(address, size, width, value, writes=(write,))


def copy(
    memory: Memory,
    address: int,
    size: int,
    to: int,
    *,
    source: Space | None = None,
    check: bool = False,
    verify: bool = True,
    force: bool = False,
    report: Report = silent,
) -> Copied:
    """Copy a range to memory; all of it is read before anything is written.

    source: the space that it comes from, if not memory, too.
    check: whether it is read twice.
    """
    if not force:
        (source or memory).check(address, size)
        memory.check(to, size, write=True)
    data = b"".join(read_chunks(source or memory, address, size, check=check, report=report))
    write = write_and_verify(memory, to, data, verify=verify, report=report)
    notes = reading_notes(source or memory, address, size)
    return Copied(address, to, writes=(write,), read_notes=notes)


def load_memory(
    memory: Memory,
    payloads: Sequence[Payload],
    *,
    verify: bool = True,
    force: bool = False,
    report: Report = silent,
) -> Loaded:
    """Write raw bytes to memory and read them back; nothing is run.

    Raises: UsageError before anything is sent if a place cannot be written.
    """
    if not force:
        for payload in payloads:
            memory.check(payload.address, payload.size, write=True)
    writes = tuple(
        write_and_verify(memory, payload.address, payload.data, verify=verify, report=report)
        for payload in payloads
    )
    return Loaded(tuple(payload.name for payload in payloads), payloads[0].address, writes=writes)


def packed(values: Sequence[int], width: int) -> bytes:
    """Return values of a width in bits, little endian. Raises: UsageError if one does not fit."""
    for value in values:
        check_fits(value, width)
    bits = (1 << width) - 1
    return b"".join((value & bits).to_bytes(width // 8, "little") for value in values)


def check_aligned(verb: str, address: int, width: int) -> None:
    """Require an address that is a multiple of a width in bits.

    Raises: UsageError with the nearest that are, or if it has more than 32 bits.
    """
    require_32_bits(address, 1)
    size = width // 8
    if address % size:
        below = align_down(address, size)
        raise UsageError(
            f"{verb}{width} needs an address that is a multiple of {size}; {hex32(address)} is not",
            hint=f"{hex32(below)} and {hex32(below + size)} are; `dump` reads any alignment",
        )


def check_fits(value: int, width: int) -> None:
    """Check that a value fits into a width in bits; -1 means all ones.

    Raises: UsageError with the largest that does.
    """
    if not -(1 << (width - 1)) <= value < 1 << width:
        raise UsageError(
            f"{value:#x} does not fit {width} bits",
            hint=f"the largest value is {hex_width((1 << width) - 1, width)}",
        )


def values_of(data: bytes, width: int) -> tuple[int, ...]:
    """Return bytes as little-endian values of a width in bits."""
    size = width // 8
    return tuple(int.from_bytes(data[i : i + size], "little") for i in range(0, len(data), size))
