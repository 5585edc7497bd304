"""Functions of the ROM that code of a host may call: where they are, what they do, what it takes.

The ROM of a simulated chip has no code, so such a function is done here when a core comes to its
address.  ``tdefl`` is zlib's deflate: the same format, other bytes.

Sources: Espressif's linker files (``CHIP.rom.ld`` and its kin); times measured on the ROM code of
an ESP32-C3: 138 instructions a byte of code with one probe, 212 with 128, 25 of blank flash.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from espshell import tables
from espshell.sim.access import FlashAccess
from espshell.units import KIB, WORD

ADDRESSES = {
    chip: {int(at, 16): name for name, _, at in (word.partition("=") for word in words)}
    for chip, *words in map(str.split, tables.rows(__package__, "romcode"))
}
"""By chip, the addresses of what is modelled."""

READ_BYTE_S = 0.25e-6
"""One byte of flash read: one line at 40 MHz, 64 bytes at a time."""

_FINISH = 4
_DONE = 1
_BAD_STATE = 0xFFFF_FFFE
_PROBES = 0xFFF
_TOUCHED = 45 * KIB
_BLANK_INSTRUCTIONS = 25


class Space(Protocol):
    """A core's memory."""

    def read(self, address: int, size: int) -> bytes:
        """Return bytes."""

    def write(self, address: int, data: bytes) -> None:
        """Put bytes there."""


@dataclass(slots=True)
class Deflate:
    """One state of ``tdefl``."""

    probes: int
    engine: zlib._Compress
    pending: bytearray = field(default_factory=bytearray)
    finished: bool = False


class RomCode:
    """The ROM functions of one chip; each returns what it returns and the instructions it takes."""

    def __init__(self, chip: str, access: FlashAccess, space: Space) -> None:
        self._access = access
        self._space = space
        self._states: dict[int, Deflate] = {}
        run: dict[str, Callable[..., tuple[int, int]]] = {
            "spiflash_read": self._read,
            "tdefl_init": self._init,
            "tdefl_compress": self._compress,
        }
        self.entries = {at: run[name] for at, name in ADDRESSES.get(chip, {}).items()}
        """What to call at an address, with six arguments."""

    def _read(self, offset: int, buffer: int, size: int, *_: int) -> tuple[int, int]:
        """Read flash at the flash's pace; past its end that fails."""
        if offset + size > self._access.flash.size:
            return 1, 0
        self._space.write(buffer, self._access.read(offset, size))
        self._access.now += size * READ_BYTE_S
        return 0, 0

    def _init(self, state: int, _put: int, _user: int, flags: int, *_: int) -> tuple[int, int]:
        probes = flags & _PROBES
        level = 1 if probes < 8 else 6 if probes < 64 else 9
        self._states[state] = Deflate(probes, zlib.compressobj(level))
        self._space.write(state, bytes(_TOUCHED))
        return 0, _TOUCHED // WORD

    def _compress(
        self, state: int, source: int, size_at: int, target: int, room_at: int, flush: int
    ) -> tuple[int, int]:
        """Take input or, where output is pending, give output; as much of each as there is."""
        deflate = self._states.get(state)
        if deflate is None:
            return _BAD_STATE, 0
        size, room = self._word(size_at), self._word(room_at)
        if deflate.pending or deflate.finished:
            size, data = 0, b""
        else:
            deflate.pending += deflate.engine.compress(data := self._space.read(source, size))
            if flush == _FINISH:
                deflate.pending += deflate.engine.flush()
                deflate.finished = True
        out = bytes(deflate.pending[:room])
        del deflate.pending[:room]
        self._space.write(target, out)
        self._space.write(size_at, size.to_bytes(WORD, "little"))
        self._space.write(room_at, len(out).to_bytes(WORD, "little"))
        done = _DONE if deflate.finished and not deflate.pending else 0
        a_byte = _BLANK_INSTRUCTIONS
        if len(set(data)) > 1:
            a_byte = 138 + 74 * max(0, deflate.probes.bit_length() - 1) // 7
        return done, a_byte * size

    def _word(self, address: int) -> int:
        return int.from_bytes(self._space.read(address, WORD), "little")
