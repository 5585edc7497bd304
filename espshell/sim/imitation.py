"""Handlers for Xtensa cores, of which no emulator comes as a package: imitated, if they are known.

A handler is known by a digest of its code, without the words that are different in each place
(``data/handlers.txt``, written by ``scripts/plugins/build``).  That the imitation does what the
code does is shown by running the same code in ``qemu-xtensa``.
"""

from __future__ import annotations

import hashlib
import pkgutil
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from espshell.sim.chip import SimChip
from espshell.sim.nor import SECTOR
from espshell.sim.romcode import ADDRESSES, READ_BYTE_S
from espshell.units import KIB, WORD

_FRAME = KIB
_STREAM_INSTRUCTIONS = 17  # a byte
_BAD_SIZE, _BAD_CHECKSUM = 0xC0, 0xC1
_SUMS = 64


@dataclass(frozen=True, slots=True)
class KnownCode:
    """How a handler is recognised; offsets are from its first instruction."""

    name: str
    start: int
    size: int
    digest: str
    rom_words: tuple[tuple[int, str], ...]
    """Where the addresses of ROM functions stand."""


@dataclass(frozen=True, slots=True)
class Imitated:
    """What a handler answers, and what it then sends: the time that each frame takes, and it."""

    status: int
    value: int = 0
    data: bytes = b""
    frames: Iterator[tuple[float, bytes]] | None = None


def recognise(chip: SimChip, pointer: int) -> str:
    """Return the name of the handler that begins at an address; empty if it is not known."""
    for code in _known(chip.facts.isa.value):
        found = chip.memory.read(pointer + code.start, code.size)
        if hashlib.sha256(found).hexdigest()[:16] == code.digest and all(
            ADDRESSES[chip.facts.name].get(chip.memory.word(pointer + at)) == name
            for at, name in code.rom_words
        ):
            return code.name
    return ""


def run(chip: SimChip, name: str, opcode: int, payload: bytes) -> Imitated:
    """Do what a handler does."""
    return _IMITATIONS[name](chip, opcode, payload)


def _words(chip: SimChip, _opcode: int, payload: bytes) -> Imitated:
    address, count = struct.unpack_from("<II", payload.ljust(8, b"\0"))
    if count > 16:
        return Imitated(_BAD_SIZE)
    data = chip.memory.read(address, WORD * count)
    total = address + sum(struct.unpack(f"<{count}I", data))
    return Imitated(0, total & 0xFFFFFFFF, data)


def _stream(chip: SimChip, opcode: int, payload: bytes) -> Imitated:
    words = struct.unpack_from("<4I", payload.ljust(16, b"\0"))
    if opcode + sum(words) & 0xFFFFFFFF:
        return Imitated(_BAD_CHECKSUM)
    return Imitated(0, frames=_frames(chip, *words[:3]))


def _frames(chip: SimChip, at: int, size: int, kind: int) -> Iterator[tuple[float, bytes]]:
    instruction_s, access = 1 / chip.core_hz, chip.access
    crc, sums, spent_s = 0, b"", 0.0
    for start in range(at, at + size, _FRAME):
        block = min(_FRAME, at + size - start)
        if kind != 2 and start + block > access.flash.size:
            crc = 0xFFFFFFFF
            break
        data = (chip.memory if kind == 2 else access).read(start, block)
        spent_s += block * (_STREAM_INSTRUCTIONS * instruction_s + (kind != 2) * READ_BYTE_S)
        crc = zlib.crc32(data, crc)
        if kind != 1:
            yield spent_s, data
            spent_s = 0.0
            continue
        is_last = start + block == at + size
        if (start + block) % SECTOR == 0 or is_last:
            sums, crc = sums + crc.to_bytes(WORD, "little"), 0
            if len(sums) == _SUMS * WORD or is_last:
                yield spent_s, sums
                sums, spent_s = b"", 0.0
    if kind != 1:
        yield spent_s, crc.to_bytes(WORD, "little")


_IMITATIONS: dict[str, Callable[[SimChip, int, bytes], Imitated]] = {
    "words": _words,
    "stream": _stream,
}


@cache
def _known(isa: str) -> tuple[KnownCode, ...]:
    data = pkgutil.get_data(__package__ or "", "data/handlers.txt")
    assert data is not None
    rows = [line.split() for line in data.decode().splitlines() if not line.startswith("#")]
    return tuple(
        KnownCode(
            name,
            int(start),
            int(size),
            digest,
            tuple((int(at), word) for at, _, word in (mark.partition("=") for mark in marks)),
        )
        for name, kind, start, size, digest, *marks in rows
        if kind == isa
    )
