"""The space ``mem:``: the chip's address space, word by word through the loader.

Everything that the bus can do is 32 bits wide, so a range of any size and alignment is the words
that cover it, cropped; a narrower write is a write under a mask, which the chip does by itself.

An address is looked up in the memory map before anything is sent: a read of an address where
nothing is can hang a ROM loader until the next power cycle.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice, product
from typing import TYPE_CHECKING, Protocol

from espshell import registers
from espshell.chips import Chip, Kind, Region, Write
from espshell.errors import UsageError
from espshell.loader import stub as stub_loader
from espshell.loader import transfer
from espshell.loader.loader import Loader
from espshell.loader.stream import cropped
from espshell.protocol.commands import RegisterWrite, WriteReg
from espshell.records import dataclass
from espshell.span import Span
from espshell.units import WORD, hex32, number_text

if TYPE_CHECKING:
    from espshell.registers.table import Registers


class Space(Protocol):
    """``mem:`` or ``flash:``, as the verbs that read see it."""

    @property
    def name(self) -> str:
        """The word before the colon."""

    def check(self, address: int, size: int, *, write: bool = False) -> None:
        """Require a range that is there. Raises: UsageError; nothing is sent that could do harm."""

    def chunks(self, address: int, size: int) -> Iterator[bytes]:
        """Yield a range of any alignment in pieces, as they arrive, together exactly ``size``."""

    def read(self, address: int, size: int) -> bytes:
        """Return a range of any alignment."""

    def words(self, address: int, count: int) -> list[int]:
        """Return consecutive words; ``address`` is a multiple of 4."""


ADDRESS_SPACE = 1 << 32

_TWICE_AT_ONCE = 8
_ENTRIES_PER_FRAME = 6  # of WRITE_REG: one frame stays below the 112 bytes of the pipeline


@dataclass(frozen=True, slots=True)
class Change:
    """A range that is written; ``old`` is None where it was not read before.

    ``width`` is that of its values in bits; ``mask`` is None unless a poke left bits alone.
    """

    address: int
    old: bytes | None
    new: bytes
    width: int = 32
    mask: int | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.new)


class Memory:
    """Reads and writes of one chip's address space."""

    name = "mem"

    def __init__(self, chip: Chip, loader: Loader) -> None:
        self.chip = chip
        self.loader = loader
        self.dry_run = False
        """Whether nothing is written: the one place that keeps it, so that no verb can forget."""
        self.svd: Registers | None = None
        """Registers to go by instead of the chip's own tables."""
        self.before_write: Callable[[Change], None] = lambda change: None
        """Gets each change before anything of it is sent, so that a journal can forget none."""

    @cached_property
    def places(self) -> Mapping[str, Region]:
        """What has a name without a table: regions, registers that change when read, by name."""
        chip = self.chip
        rows = (*chip.regions, *chip.synonyms, *chip.read_effects, chip.efuse)
        return {row.name: row for row in rows}

    @cached_property
    def cached(self) -> tuple[Region, ...]:
        """The regions that are seen through the cache."""
        return tuple(r for r in self.chip.regions if r.kind in (Kind.FLASH, Kind.PSRAM))

    @property
    def registers(self) -> Registers | None:
        """The registers by name; None where there is no table of the chip."""
        return self.svd or registers.of(self.chip.name)

    def check(self, address: int, size: int, *, write: bool = False) -> None:
        """Require a range of the memory map, and for a write one that can be written.

        Raises: UsageError with the regions next to it; nothing was sent.
        """
        size = max(size, 1)
        require_32_bits(address, size)
        if not write and self.chip.region_at(address, size):
            return
        last = address + size - 1
        covered = self.chip.walk(Span(address, last + 1))
        hole = next((at for at, region in covered if region is None), None)
        if hole is not None:
            before, after = self.chip.neighbours(hole)
            near = [f"{before.name} ends at {hex32(before.end - 1)}"] if before else []
            near += [f"{after.name} starts at {hex32(after.start)}"] if after else []
            raise UsageError(
                f"{hex32(hole)} is outside the memory map of the {self.chip.title}: "
                f"{', '.join(near)}",
                hint="`map` lists it; --force sends it anyway",
            )
        region = self.chip.region_at(address)
        if write and region is not None and region.kind not in (Kind.RAM, Kind.PERIPHERAL):
            raise UsageError(
                f"{hex32(address)} is in {region.name} ({region.note}), which cannot be written",
                hint="--force sends it anyway",
            )
        efuse = self.chip.efuse
        if write and address < efuse.end and efuse.start <= last:
            raise UsageError(
                f"{hex32(max(address, efuse.start))} is in the eFuse controller: a write there "
                "can burn fuses irreversibly",
                hint="--force sends it anyway",
            )
        if write:
            self.require_spared(address, size)

    def require_spared(self, address: int, size: int) -> None:
        """Check that a write spares the stub that is running, on either bus. Raises: UsageError."""
        if not self.loader.dialect.is_stub:
            return
        hint = "`stub never` and `reset` stop it; --force overwrites it"
        stub = self.loader.stub
        region = self.chip.region_at(address)
        if stub is None and region is not None and region.kind is Kind.RAM:
            raise UsageError(
                f"an unknown flasher stub is running, and {region.name} may hold it",
                hint=hint,
            )
        spans = self.chip.same_ram(Span.of(address, max(size, 1)))
        for (name, occupied), span in product(stub.occupied if stub else (), spans):
            if span.overlaps(occupied):
                same = "" if span.start == address else f", and {hex32(address)} is the same RAM"
                raise UsageError(
                    f"the running flasher stub has its {name} at {occupied}{same}", hint=hint
                )

    def words(self, address: int, count: int) -> list[int]:
        """Return consecutive words; ``address`` is a multiple of 4."""
        require_32_bits(address, WORD * count)
        data = b"".join(self._pieces(address, address + WORD * count))
        return list(struct.unpack(f"<{count}I", data))

    def words_twice(self, address: int, count: int) -> tuple[list[int], list[int]]:
        """Return two readings of consecutive words; of a few in one exchange."""
        if count > _TWICE_AT_ONCE or not self.loader.dialect.pipeline_bytes:
            return self.words(address, count), self.words(address, count)
        require_32_bits(address, WORD * count)
        addresses = range(address, address + WORD * count, WORD)
        if count == 1:
            words = transfer.read_pair(self.loader, address)
        else:
            words = transfer.read_words(self.loader, (*addresses, *addresses))
        return words[:count], words[count:]

    def gather(self, addresses: Sequence[int]) -> dict[int, int]:
        """Return the words at scattered addresses (multiples of 4)."""
        ordered = sorted(set(addresses))
        for address in ordered:
            require_32_bits(address, WORD)
        return dict(zip(ordered, transfer.read_words(self.loader, ordered), strict=True))

    def chunks(self, address: int, size: int) -> Iterator[bytes]:
        """Yield a range of any alignment in pieces, as they arrive, together exactly ``size``."""
        require_32_bits(address, size)
        span = Span.of(address, size)
        around = span.aligned(WORD) if span else span
        yield from cropped(self._pieces(around.start, around.end), around.start, span)

    def read(self, address: int, size: int) -> bytes:
        """Return a range of any alignment."""
        return b"".join(self.chunks(address, size))

    def write(self, writes: Iterable[RegisterWrite]) -> None:
        """Write words under masks, in order, several in a frame; nothing is read back here.

        In a dry run nothing is sent.

        Raises: NoReply if the answer to a frame did not come; it may or may not have been done.
        """
        if not self.dry_run:
            self.send(writes)

    def send(self, writes: Iterable[RegisterWrite | Write]) -> None:
        """Write also in a dry run: what belongs to keeping and leaving the connection."""
        pending = iter(writes)
        while entries := tuple(islice(pending, _ENTRIES_PER_FRAME)):
            for entry in entries:
                require_32_bits(entry.address, WORD)
            frame = (RegisterWrite(e.address, e.value, e.mask, e.delay_us) for e in entries)
            self.loader.execute(WriteReg(tuple(frame)))

    def load(self, address: int, data: bytes) -> Iterator[int]:
        """Put data into RAM in blocks; see ``stub.write_blocks``. In a dry run nothing is sent."""
        require_32_bits(address, len(data))
        if self.dry_run:
            return iter((len(data),))
        return stub_loader.write_blocks(self.loader, address, data)

    def _pieces(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the words of a range; registers that change when they are read alone and once."""
        while start < end:
            touched = self.chip.changes_when_read(start, end - start)
            once = touched is not None and touched.start <= start
            stop = end if touched is None else min(end, touched.end if once else touched.start)
            yield from transfer.read_range(self.loader, start, stop, once=once)
            start = stop


def require_32_bits(address: int, size: int, what: str = "the 32-bit address space") -> None:
    """Check that a range can be said to a loader at all, which nothing can force.

    Raises: UsageError; nothing was sent.
    """
    if not 0 <= address < ADDRESS_SPACE:
        raise UsageError(f"{number_text(address)} is outside {what}")
    if not 0 <= size <= ADDRESS_SPACE - address:
        raise UsageError(f"{hex32(address)}..{address + size:#x} is outside {what}")
