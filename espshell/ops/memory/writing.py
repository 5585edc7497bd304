"""Bytes into the address space, read back: the one way of every verb that writes memory.

The bus writes words under masks; whole words of RAM go in blocks that carry a checksum.  A write is
handed to ``Memory.before_write`` before it is sent, so that a lost answer loses no old values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from espshell.chips import Kind
from espshell.device import Memory
from espshell.device.memory import Change
from espshell.errors import EspError, NoReply, UsageError
from espshell.ops.memory.reading import read_agreed, read_chunks
from espshell.ops.result import Report, Result, Step, silent
from espshell.protocol.commands import RegisterWrite
from espshell.records import dataclass
from espshell.span import Span, align_down
from espshell.units import ALL_BITS, KIB, MIB, WORD, count_text, hex32, size_text

if TYPE_CHECKING:
    from espshell.registers.table import Register

DRY_RUN = "dry run: nothing was sent"
"""The note of a write that was not."""

KEEP = 64 * KIB
"""Bytes up to which the old contents of a range are worth reading before it is overwritten."""

LOAD_FROM = 64
"""Bytes from which RAM is written by data blocks and not by register writes."""

MOST = 64 * MIB
"""Bytes that are written at once at most: twice the largest RAM of any chip."""

_LOST = "the answer to the write was lost"


@dataclass(frozen=True, slots=True)
class MemoryWrite:
    """Bytes that were written to memory; nothing was sent in a dry run."""

    address: int
    data: bytes
    """What should be there now, the bits outside a mask as they were before."""
    old: bytes | None = None
    """The bytes from before, None where they were not read."""
    new: bytes | None = None
    """What reads back, None where it was not read; in a dry run what would be there."""
    width: int = 32
    """Bits of each value that was written."""
    mask: int | None = None
    """The bits of each value that were written, all if None."""
    answer_lost: bool = False
    """Whether the loader's answer did not come, so that what reads back decides."""
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def differing(self) -> tuple[int, ...]:
        """Addresses of the values that do not read back as written."""
        if self.new is None or self.new == self.data:
            return ()
        masks = self.masks or b"\xff" * len(self.data)
        triples = zip(self.data, self.new, masks, strict=True)
        places = (self.address + i for i, (w, n, m) in enumerate(triples) if (w ^ n) & m)
        return tuple(dict.fromkeys(align_down(place, self.width // 8) for place in places))

    @property
    def masks(self) -> bytes | None:
        """The bits of each byte that were written, all if None."""
        return None if self.mask is None else repeated(self.mask, self.width, len(self.data))

    @property
    def change(self) -> Change:
        """The change, for a journal."""
        return Change(self.address, self.old, self.data, self.width, self.mask)

    @property
    def verified(self) -> bool:
        """Whether it was read back and is as written."""
        return self.new is not None and not self.dry_run and not self.differing


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteResult(Result):
    """The base of what verbs return that write ranges of memory."""

    writes: tuple[MemoryWrite, ...]
    read_notes: tuple[str, ...] = ()
    """What to keep in mind of what was read for it."""

    @property
    def differing(self) -> tuple[int, ...]:
        """Addresses of values that do not read back as written."""
        return tuple(address for write in self.writes for address in write.differing)

    @property
    def verified(self) -> bool:
        """Whether all of it was read back and is as written."""
        return all(write.verified for write in self.writes)

    @property
    def data(self) -> bytes:
        """All the bytes."""
        return b"".join(write.data for write in self.writes)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to keep in mind, of what was read and of what was written."""
        written = dict.fromkeys(note for write in self.writes for note in write.notes)
        return (*self.read_notes, *written)

    @property
    def dry_run(self) -> bool:
        """Whether nothing was sent."""
        return any(write.dry_run for write in self.writes)

    @property
    def failure(self) -> str:
        """The words that do not read back as written."""
        if not self.differing:
            return ""
        lost = any(write.answer_lost for write in self.writes)
        return (f"{_LOST}, and " if lost else "") + not_as_written(self.differing)

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes, for a journal."""
        return tuple(write.change for write in self.writes if not write.dry_run)


def write_and_verify(
    memory: Memory,
    address: int,
    data: bytes,
    *,
    verify: bool = True,
    remember: bool = True,
    poked: tuple[int, int] | None = None,
    sending: Iterable[int] | None = None,
    report: Report = silent,
) -> MemoryWrite:
    """Write bytes and read them back, unless reading has a side effect or is impossible.

    verify: without it nothing is read, neither before nor after.
    remember: whether what was there is read first, up to ``KEEP`` bytes, and handed to the journal.
    poked: width in bits and mask of values, each of which is one write that the chip masks.
    sending: sends the bytes as it is iterated and yields how many are done; else they go in blocks,
        or value by value where ``poked``.

    Raises: what sending and reading raise, with what may have been written.
    """
    size = len(data)
    require_size(size)
    width, mask = poked or (32, ALL_BITS)
    obstacle = _why_not_read(memory, address, size)
    read = (verify or memory.dry_run) and not obstacle
    old, expected = None, data
    if read and size <= KEEP and (remember or poked):  # a few bytes twice where it is plain memory
        few = size <= LOAD_FROM
        old = read_agreed(memory, address, size)[0] if few else memory.read(address, size)
    if poked:
        triples = zip(repeated(mask, width, size), old or bytes(size), data, strict=True)
        expected = bytes(before & ~bits | new & bits for bits, before, new in triples)
    notes = (obstacle,) if obstacle else ()
    bits = None if mask == (1 << width) - 1 else mask
    write = MemoryWrite(address, expected, old, None, width, bits, notes=notes)
    if memory.dry_run:
        new = expected if old else None
        return replace(write, new=new, notes=(DRY_RUN, *notes), dry_run=True)
    if remember:
        memory.before_write(write.change)
    try:
        for done in sending or write_bytes(memory, address, data, poked):
            report(Step("writing", done, size))
    except EspError as error:
        if not (read and isinstance(error, NoReply)):
            _add_state(error, address, size, "may have been written")
            raise
        notes = (f"{_LOST}; the value read back decides", *notes)
        write = replace(write, answer_lost=True, notes=notes)
    return _read_back(memory, write, report) if read else write


def require_size(size: int) -> None:
    """Check that so many bytes can be written at once. Raises: UsageError."""
    if size > MOST:
        raise UsageError(
            f"{size_text(size)} is too much for one write",
            hint=f"at most {size_text(MOST)}",
        )


def repeated(value: int, width: int, size: int) -> bytes:
    """Return ``size`` bytes of one value of a width in bits, little endian."""
    return (value & (1 << width) - 1).to_bytes(width // 8, "little") * (size * 8 // width)


def write_bytes(
    memory: Memory, address: int, data: bytes, poked: tuple[int, int] | None = None
) -> Iterator[int]:
    """Write bytes, whole words of RAM in blocks; yield how many are written.

    poked: width in bits and mask of values that are written one by one instead.
    """
    span = Span.of(address, len(data))
    region = memory.chip.region_at(address, len(data))
    if poked or region is None or region.kind is not Kind.RAM or len(data) < LOAD_FROM:
        memory.write(_word_writes(span, data, *(poked or (32, ALL_BITS))))
        yield len(data)
        return
    head, tail = -address % WORD, span.end % WORD
    memory.write(_word_writes(Span.of(address, head), data))
    for done in memory.load(address + head, data[head : len(data) - tail]):
        yield head + done
    memory.write(_word_writes(Span(span.end - tail, span.end), data[len(data) - tail :]))
    yield len(data)


def _word_writes(
    span: Span, data: bytes, width: int = 32, mask: int = ALL_BITS
) -> Iterator[RegisterWrite]:
    """Yield the masked word writes of values of a width; narrower ones where the range ends."""
    for piece in span.pieces(width // 8):
        value = int.from_bytes(data[piece.offsets(span.start)], "little")
        bits, shift = mask & (1 << 8 * piece.size) - 1, 8 * (piece.start % WORD)
        if bits == ALL_BITS:
            yield RegisterWrite(piece.start, value)
        else:
            yield RegisterWrite(align_down(piece.start, WORD), value << shift, bits << shift)


def registers_at(memory: Memory, address: int) -> tuple[Register, ...]:
    """Return the registers at an address; none where there are no peripherals or no table."""
    region = memory.chip.region_at(address)
    if region is None or region.kind is not Kind.PERIPHERAL:
        return ()
    tables = memory.registers
    return tables.at(align_down(address, WORD)) if tables else ()


def not_as_written(differing: tuple[int, ...]) -> str:
    """Return the sentence about words that read back otherwise."""
    shown = ", ".join(hex32(address) for address in differing[:4])
    more = ", ..." if len(differing) > 4 else ""
    count = count_text(len(differing), "word")
    return f"{count} did not read back as written: {shown}{more}"


def _why_not_read(memory: Memory, address: int, size: int) -> str:
    """Return a note on why a range is not read back; empty if it is."""
    touched = memory.chip.changes_when_read(address, size)
    if touched is not None:
        return f"not read back: reading {touched.name} changes it"
    for region in memory.chip.regions:
        if region.kind is not Kind.PERIPHERAL:
            continue
        part = region.span.intersection(Span.of(address, size))
        for place in range(align_down(part.start, WORD), part.end, WORD):
            hidden = registers_at(memory, place)
            if hidden and not any(register.access.readable for register in hidden):
                return f"not read back: {hidden[0].full_name} is write-only"
    return ""


def _read_back(memory: Memory, done: MemoryWrite, report: Report) -> MemoryWrite:
    """Return a write with what reads back; that it differs is read twice."""
    address, size = done.address, len(done.data)
    try:
        for _ in range(2):
            new = b"".join(read_chunks(memory, address, size, report=report))
            done = replace(done, new=new)
            if not done.differing:
                break
    except EspError as error:
        was = "may have been" if done.answer_lost else "was"
        _add_state(error, address, size, f"{was} written, and could not be read back")
        raise
    return done


def _add_state(error: EspError, address: int, size: int, state: str) -> None:
    """Add the state of the range to an error that stopped a write."""
    where = hex32(address) if size <= WORD else str(Span.of(address, size))
    error.message += f"; {where} {state}"
    error.args = (error.message,)
