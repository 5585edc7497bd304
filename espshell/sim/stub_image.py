"""Finding a flasher stub in RAM: which one it is, where it lies, and its plugin table.

A stub is told from other programs by what every one of them holds: a table of 27 equal pointers
(version 2), or at least its greeting (version 1).  What was loaded does not matter otherwise: a
stub runs here by what it does, not by its code.
"""

from __future__ import annotations

import struct
from collections import Counter

from espshell.records import dataclass
from espshell.sim.memory import AddressSpace, Download
from espshell.span import Span
from espshell.units import WORD

GREETING = b"OHAI"

FIRST_SLOT = 0xD5
"""The opcode of the first pointer of the table."""

SLOTS = 27

_LEAST_DEFAULTS = 16
"""Equal pointers that make a table: the plugin for NAND takes ten slots, and no version 1 stub has
more than 14 in any 27 pointers (that of the ESP8266)."""

_GREETING_LUI = 0x49415
"""What a RISC-V stub loads into the upper bits of a register to make its greeting."""


@dataclass(frozen=True, slots=True)
class StubImage:
    """A stub as it lies in RAM."""

    pieces: tuple[tuple[int, bytes], ...]
    """Addresses and contents when it was started."""
    table: int | None
    """Where its plugin table is; None: it is of version 1."""
    default: int = 0
    """The pointer in every slot that nobody has changed."""

    @property
    def slots(self) -> Span:
        """The addresses of the plugin table."""
        return Span.of(self.table or 0, SLOTS * WORD if self.table else 0)

    def is_whole(self, memory: AddressSpace) -> bool:
        """Whether RAM still holds it, the plugin table aside."""
        for address, first in self.pieces:
            now = memory.read(address, len(first))
            start = max(0, self.slots.start - address)
            end = max(start, self.slots.end - address)
            if first[:start] != now[:start] or first[end:] != now[end:]:
                return False
        return True


def find(download: Download, memory: AddressSpace, entry: int) -> StubImage | None:
    """Return the stub among what was downloaded, or None if something else is started."""
    pieces = [piece for piece in download.pieces if piece and download.is_ram(piece.start)]
    if not any(entry in piece for piece in pieces):
        return None
    contents = tuple((piece.start, memory.read(piece.start, piece.size)) for piece in pieces)
    for start, data in reversed(contents):
        table = _find_table(download, data)
        if table is not None:
            offset, default = table
            return StubImage(contents, start + offset, default)
    greets = any(
        GREETING in data
        or any(
            int.from_bytes(data[at : at + WORD], "little") >> 12 == _GREETING_LUI
            for at in range(0, len(data) - 3, 2)
        )
        for _, data in contents
    )
    return StubImage(contents, None) if greets else None


def _find_table(download: Download, data: bytes) -> tuple[int, int] | None:
    """Return the offset of the plugin table and its default pointer; some slots may be taken."""
    words = struct.unpack_from(f"<{len(data) // WORD}I", data)
    most, table = _LEAST_DEFAULTS, None
    for index in range(len(words) - SLOTS + 1):
        value, count = Counter(words[index : index + SLOTS]).most_common(1)[0]
        # Behind the table of an ESP8266 stub are other words, before all of them pointers.
        if count >= most and all(download.is_ram(word) for word in words[index : index + SLOTS]):
            most, table = count, (WORD * index, value)
    return table
