"""The space ``efuse:``: the blocks as they are read, one behind the other; read-only.

Byte 0 is the first of block 0 (WR_DIS).  The registers that burn are not part of it.  A key that
can
be read is not shown unless the caller skips ``check``, as with ``--force``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from espshell.device.memory import Memory
from espshell.efuse import contents
from espshell.errors import UsageError
from espshell.span import Span
from espshell.units import WORD

if TYPE_CHECKING:
    from espshell.efuse.contents import Contents
    from espshell.efuse.table import Fuse, Table


class Efuse:
    """Reads of one chip's eFuses; ``revision`` selects the table where there are several."""

    name = "efuse"

    def __init__(self, memory: Memory, table: Table) -> None:
        self.memory = memory
        self.table = table
        self._offsets = [
            block.offset + WORD * index for block in table.blocks for index in range(block.words)
        ]

    @property
    def size(self) -> int:
        """Bytes of all blocks."""
        return WORD * len(self._offsets)

    def contents(self) -> Contents:
        """Read all blocks, and what the controller says about errors."""
        start = self.memory.chip.efuse.start
        return self.decoded(self.memory.gather([start + at for at in self.table.offsets]))

    def decoded(self, words: Mapping[int, int]) -> Contents:
        """Return the contents that words are, by address; what is missing cannot be decoded."""
        start, purposes = self.memory.chip.efuse.start, self.memory.chip.key_purposes
        offsets = {address - start: word for address, word in words.items()}
        return contents.Contents(self.table, offsets, dict(purposes))

    def addresses(self, number: int) -> list[int]:
        """Return the addresses of a block's words."""
        block = self.table.blocks[number]
        first = self.memory.chip.efuse.start + block.offset
        return [first + WORD * index for index in range(block.words)]

    def span(self, fuse: Fuse) -> Span:
        """Return the words that hold the lowest part of a field."""
        place = fuse.places[0]
        before = sum(WORD * b.words for b in self.table.blocks if b.number < place.block)
        first, last = place.first // 32, (place.first + place.width - 1) // 32
        return Span(before + WORD * first, before + WORD * (last + 1))

    def block_name(self, address: int) -> str:
        """Return the block that a byte is in."""
        at = self._offsets[address // WORD] if 0 <= address < self.size else -1
        blocks = self.table.blocks
        return next(
            (f"BLOCK{b.number}" for b in blocks if b.offset <= at < b.offset + WORD * b.words), ""
        )

    def check(self, address: int, size: int, *, write: bool = False) -> None:
        """Require a range that is there and shows no key. Raises: UsageError; reads key blocks."""
        if address < 0 or address + size > self.size:
            at = max(address, self.size) if address >= 0 else address
            raise UsageError(f"efuse:{at:#x} is past the end; there are {self.size:#x} bytes")
        span = Span.of(address, size)
        keys = [f for f in self.table.fuses if f.meaning.kind == "key" and f.width >= 128]
        keys = [fuse for fuse in keys if self.span(fuse).overlaps(span)]
        burnt = self.contents() if keys else None
        for fuse in keys:
            if burnt and burnt.is_key(fuse):
                raise UsageError(
                    f"efuse:{self.span(fuse).start:#x} is {fuse.name}, a key that can be read",
                    hint="--force shows it, as `efuse --keys`",
                )

    def words(self, address: int, count: int) -> list[int]:
        """Return consecutive words; ``address`` is a multiple of 4."""
        start = self.memory.chip.efuse.start
        index = address // WORD
        at = [start + offset for offset in self._offsets[index : index + count]]
        words = self.memory.gather(at)
        return [words[address] for address in at]

    def chunks(self, address: int, size: int) -> Iterator[bytes]:
        """Yield a range of any alignment, in one piece."""
        span = Span.of(address, size)
        around = span.aligned(WORD)
        words = self.words(around.start, around.size // WORD)
        yield struct.pack(f"<{len(words)}I", *words)[span.offsets(around.start)]

    def read(self, address: int, size: int) -> bytes:
        """Return a range of any alignment."""
        return b"".join(self.chunks(address, size))
