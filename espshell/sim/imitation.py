"""Handlers for Xtensa cores, of which no emulator comes as a package: imitated, if they are known.

A handler is known by a digest of its code, without the words that are different in each place
(``data/handlers.txt``, written by ``scripts/plugins/build.py``).  That the imitation does what the
code does is shown by running the same code in ``qemu-xtensa``.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

from espshell import tables
from espshell.sim import xtensa
from espshell.sim.chip import SimChip
from espshell.sim.nor import SECTOR
from espshell.sim.romcode import ADDRESSES, READ_BYTE_S
from espshell.units import KIB, WORD

Words = tuple[int, ...]
Stream = tuple[tuple[float, bytes], ...]
"""Frames, each with the time from the end of the one before to its start, without the line's."""

_FRAME = KIB
_STREAM_INSTRUCTIONS = 17  # a byte
_FIND_INSTRUCTIONS = 11  # a byte
_ACCESS_INSTRUCTIONS = 8
_BAD_SIZE, _BAD_CHECKSUM = 0xC0, 0xC1
_SUMS = 64


@dataclass(frozen=True, slots=True)
class CodeDigest:
    """How a handler is recognised; offsets are from its first instruction."""

    name: str
    start: int
    size: int
    digest: str
    rom_words: tuple[tuple[int, str], ...]
    """Where the addresses of ROM functions stand."""


@dataclass(frozen=True, slots=True)
class HandlerResult:
    """What a handler returns for a request, and what it sends after the reply."""

    status: int
    value: int = 0
    data: bytes = b""
    stream: Stream | None = None
    """None: nothing runs after the reply."""
    crashes: bool = False
    """Whether what runs after the reply never comes back."""
    cost: int = 0
    """Instructions before the reply that have not been counted."""


def recognise(chip: SimChip, pointer: int) -> str:
    """Return the name of the handler that begins at an address; empty if it is not known."""
    for code in _digests(chip.facts.isa.value):
        data = chip.memory.read(pointer + code.start, code.size)
        if hashlib.sha256(data).hexdigest()[:16] == code.digest and all(
            ADDRESSES[chip.facts.name].get(chip.memory.word(pointer + at)) == name
            for at, name in code.rom_words
        ):
            return code.name
    return ""


def run(chip: SimChip, name: str, opcode: int, payload: bytes) -> HandlerResult | None:
    """Do what a handler does; None if it crashes. A request of more than two words has a sum."""
    count, imitate = _IMITATIONS[name]
    words = struct.unpack_from(f"<{count}I", payload.ljust(WORD * count, b"\0"))
    if count > 2 and opcode + sum(words) & 0xFFFFFFFF:
        return HandlerResult(_BAD_CHECKSUM)
    return imitate(chip, words)


def _words(chip: SimChip, words: Words) -> HandlerResult:
    address, count = words
    if count > 16:
        return HandlerResult(_BAD_SIZE)
    data = chip.memory.read(address, WORD * count)
    total = address + sum(struct.unpack(f"<{count}I", data))
    return HandlerResult(0, total & 0xFFFFFFFF, data)


def _stream(chip: SimChip, words: Words) -> HandlerResult:
    return HandlerResult(0, stream=tuple(_frames(chip, *words[:3])))


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


def _find(chip: SimChip, words: Words) -> HandlerResult:
    address, size, length = words[:3]
    text, mask = (struct.pack("<4I", *words[at : at + 4])[:length] for at in (3, 7))
    pattern = _masked(text, mask)
    data = chip.memory.read(address, size)
    places = range(size - length + 1)
    place = next((at for at in places if _masked(data[at : at + length], mask) == pattern), None)
    if place is None:
        return HandlerResult(0, 1, cost=_FIND_INSTRUCTIONS * size)
    return HandlerResult(0, address + place, cost=_FIND_INSTRUCTIONS * place)


def _masked(data: bytes, mask: bytes) -> int:
    return int.from_bytes(data, "little") & int.from_bytes(mask, "little")


def _crc(chip: SimChip, words: Words) -> HandlerResult:
    data = chip.memory.read(words[0], words[1] - words[1] % WORD)
    return HandlerResult(0, zlib.crc32(data), cost=_STREAM_INSTRUCTIONS * len(data))


def _call(chip: SimChip, words: Words) -> HandlerResult | None:
    value = xtensa.call(chip.memory, words[0], words[1:9])
    return None if value is None else HandlerResult(0, value)


def _memtest(chip: SimChip, words: Words) -> HandlerResult:
    start, size, test = words[:3]
    accesses = _ACCESSES.get(test, _lines)(range(start, start + size - size % WORD, WORD))
    count, bits, places, steps = 0, 0, list[int](), 0
    for address, is_write, value in accesses:
        steps += 1
        if is_write:
            chip.memory.write_word(address, value)
        elif wrong := chip.memory.word(address) ^ value:
            count, bits, places = count + 1, bits | wrong, [*places, address, wrong][:14]
    data = struct.pack("<16I", count, bits, *places, *[0] * (14 - len(places)))
    return HandlerResult(0, 0, data, cost=_ACCESS_INSTRUCTIONS * steps)


def _march(places: range) -> Iterator[tuple[int, bool, int]]:
    for step in range(6):
        old = 0 if step % 2 else 0xFFFFFFFF
        for address in places if step < 3 else reversed(places):
            if step:
                yield address, False, old
            if step < 5:
                yield address, True, ~old & 0xFFFFFFFF


def _walk(places: range) -> Iterator[tuple[int, bool, int]]:
    for address in places:
        for bit in range(32):
            yield address, True, 1 << bit
            yield address, False, 1 << bit


def _lines(places: range) -> Iterator[tuple[int, bool, int]]:
    lines = [1 << bit for bit in range(32) if 1 << bit < len(places)]
    for is_write in (True, False):
        yield places[0], is_write, 0xFFFFFFFF
        yield from ((places[line], is_write, line) for line in lines)


_ACCESSES = {0: _march, 1: _walk}

_IMITATIONS: dict[str, tuple[int, Callable[[SimChip, Words], HandlerResult | None]]] = {
    "words": (2, _words),
    "stream": (4, _stream),
    "find": (12, _find),
    "crc": (3, _crc),
    "call": (10, _call),
    "memtest": (4, _memtest),
}
"""Of each handler the words of its request, and what it does."""


@cache
def _digests(isa: str) -> tuple[CodeDigest, ...]:
    rows = [line.split() for line in tables.rows(__package__, "handlers")]
    return tuple(
        CodeDigest(
            name,
            int(start),
            int(size),
            digest,
            tuple((int(at), word) for at, _, word in (mark.partition("=") for mark in marks)),
        )
        for name, kind, start, size, digest, *marks in rows
        if kind == isa
    )
