"""Commands of our own: requests to the handlers that we put into a stub's plugin table.

Each payload ends with a word that makes the sum of the opcode and all words 0: a handler refuses
any other (C1), because a request has no checksum and a flipped bit must not read another place.
Words are 32 bits, little endian.  Where a command is answered by a *stream*, the reply comes first,
with nothing in it, and then frames without a header; what is in them its docstring says.  A request
that is sent while a stream runs is kept, one, and answered after it.

Source: ``scripts/plugins/*.c``; the order of reply and frames as recorded in
``tests/data/plugin-*.json``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import ClassVar

from espshell.protocol.commands import ALL_BITS, Action
from espshell.protocol.packet import Opcode

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
