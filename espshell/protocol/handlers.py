"""Commands of our own: requests to the handlers that we put into a stub's plugin table.

STREAM and READ_MEMORY come with the stub, the others when they are asked for; see
``loader.plugins.install``.

Each payload ends with a word that makes the sum of the opcode and all words 0: a handler refuses
any other (C1), because a request has no checksum and a flipped bit must not read another place.
Words are 32 bits, little endian.  Where a command is answered by a *stream*, the reply comes first,
with nothing in it, and then frames without a header; what is in them its docstring says.  A request
that is sent while a stream runs is kept, one, and answered after it.  The value of a reply has no
checksum: where it counts it is asked for twice, or what it says is looked at.

Source: ``scripts/plugins/*.c``; the order of reply and frames as recorded in
``tests/data/plugin-*.json``.
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import ClassVar

from espshell.protocol.commands import Action, LoaderCommand
from espshell.protocol.packet import Opcode
from espshell.records import dataclass
from espshell.units import ALL_BITS

FRAME = 1024
"""Bytes in a frame of a stream; the last one before its end may have fewer."""


def checked(opcode: int, words: tuple[int, ...]) -> bytes:
    """Return words and the one behind them that makes the sum with the opcode 0."""
    check = -(opcode + sum(words)) & ALL_BITS
    return struct.pack(f"<{len(words) + 1}I", *words, check)


@dataclass(frozen=True, slots=True)
class StreamFlash(Action):
    """Read flash by the ROM: frames of 1 KiB, then one with the CRC-32 of everything.

    ``offset`` and ``size`` are multiples of 4.  Where the ROM cannot read the stream ends early,
    with a CRC-32 that is wrong.
    """

    opcode = Opcode.STREAM
    kind: ClassVar[int] = 0
    offset: int
    size: int

    def payload(self) -> bytes:
        """Return place, size, kind and check."""
        return checked(self.opcode, (self.offset, self.size, self.kind))


@dataclass(frozen=True, slots=True)
class SectorCrcs(StreamFlash):
    """Compute the CRC-32 of each sector of a range: frames of up to 64 of them, and no end.

    ``offset`` is that of a sector; of a last one that is not whole the sum is of its part.
    """

    kind: ClassVar[int] = 1
    PER_FRAME: ClassVar[int] = 64


@dataclass(frozen=True, slots=True)
class StreamMemory(StreamFlash):
    """Read memory word by word: frames of 1 KiB, then one with the CRC-32 of everything.

    ``offset`` is an address; it and ``size`` are multiples of 4.
    """

    kind: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class DeflateFlash(StreamFlash):
    """Read flash compressed: frames of up to 1 KiB of a zlib stream, then the CRC-32 of the data.

    ``state`` is the address of 170 KiB of RAM that the ROM's ``tdefl`` may use; ``probes`` (1 to
    4095) is how long it looks for matches.  The end is where the zlib stream ends; where the ROM
    cannot read that is early, and the CRC-32 is wrong.
    """

    opcode = Opcode.DEFLATE
    state: int
    probes: int = 16

    def payload(self) -> bytes:
        """Return place, size, kind, state, probes and check."""
        words = (self.offset, self.size, self.kind, self.state, self.probes)
        return checked(self.opcode, words)


@dataclass(frozen=True, slots=True)
class DeflateMemory(DeflateFlash):
    """Read memory compressed, as ``DeflateFlash``; ``offset`` is an address."""

    kind: ClassVar[int] = 2


@dataclass(frozen=True, slots=True)
class Find(LoaderCommand["int | None"]):
    """Find bytes in memory; parsed to the address of the first place, or None.

    ``address`` and ``size`` are multiples of 4; ``mask`` has a 1 for each bit that counts, as long
    as ``pattern``, which has at most 16 bytes; empty: all bits.
    """

    opcode = Opcode.FIND
    repeatable = True
    timeout_s = 3.0
    LONGEST: ClassVar[int] = 16
    NONE: ClassVar[int] = 1
    address: int
    size: int
    pattern: bytes
    mask: bytes = b""

    def payload(self) -> bytes:
        """Return place, size, size of the pattern, pattern, mask and check."""
        mask = self.mask or b"\xff" * len(self.pattern)
        both = b"".join(part.ljust(self.LONGEST, b"\0") for part in (self.pattern, mask))
        words = struct.unpack("<8I", both)
        return checked(self.opcode, (self.address, self.size, len(self.pattern), *words))

    def parse(self, value: int, payload: bytes) -> int | None:
        """Return the address, which may be odd. Raises: ValueError for one outside of the range."""
        if value == self.NONE:
            return None
        if not self.address <= value <= self.address + self.size - len(self.pattern):
            raise ValueError(f"a place at 0x{value:08x}, outside of what was searched")
        return value


@dataclass(frozen=True, slots=True)
class Crc32(LoaderCommand[int]):
    """Compute the CRC-32 of memory on the chip; ``address`` and ``size`` are multiples of 4."""

    opcode = Opcode.CRC32
    repeatable = True
    timeout_s = 3.0
    address: int
    size: int

    def payload(self) -> bytes:
        """Return place, size and check."""
        return checked(self.opcode, (self.address, self.size))

    def parse(self, value: int, payload: bytes) -> int:
        """Return the sum."""
        return value


@dataclass(frozen=True, slots=True)
class Call(LoaderCommand[int]):
    """Call a function on the chip with up to eight words; parsed to what it returns.

    Xtensa with register windows: one that begins with ``entry`` and ends with ``retw``.
    """

    opcode = Opcode.CALL
    MOST: ClassVar[int] = 8
    address: int
    arguments: tuple[int, ...] = ()

    def payload(self) -> bytes:
        """Return the address, eight arguments and check."""
        zeros = (0,) * (self.MOST - len(self.arguments))
        return checked(self.opcode, (self.address, *self.arguments, *zeros))

    def parse(self, value: int, payload: bytes) -> int:
        """Return the word."""
        return value


class RamTest(IntEnum):
    """What MEMTEST does."""

    MARCH = 0
    """March C-, 32 bits at a time: finds bits that are stuck, and cells that change others."""
    WALK = 1
    """A one that walks through each word: finds data lines that are bridged."""
    LINES = 2
    """A word at each power of two from the start: finds address lines that are bridged or stuck."""


@dataclass(frozen=True, slots=True)
class RamFaults:
    """What MEMTEST has found."""

    count: int
    """Reads that were wrong."""
    bits: int
    """All bits that were ever wrong."""
    places: tuple[tuple[int, int], ...]
    """Addresses and wrong bits of the first seven of them."""


@dataclass(frozen=True, slots=True)
class Memtest(LoaderCommand[RamFaults]):
    """Test RAM, whose content is lost; ``address`` and ``size`` are multiples of 4."""

    opcode = Opcode.MEMTEST
    timeout_s = 10.0
    address: int
    size: int
    test: RamTest

    def payload(self) -> bytes:
        """Return place, size, test and check."""
        return checked(self.opcode, (self.address, self.size, self.test))

    def parse(self, value: int, payload: bytes) -> RamFaults:
        """Return the faults. Raises: ValueError for an answer of another size."""
        if len(payload) != 64:
            raise ValueError(f"{len(payload)} bytes of result, not 64")
        count, bits, *words = struct.unpack("<16I", payload)
        pairs = zip(words[::2], words[1::2], strict=True)
        return RamFaults(count, bits, tuple(pairs)[: min(count, 7)])
