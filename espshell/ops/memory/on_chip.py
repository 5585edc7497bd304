"""CRC-32 and searches by handlers in the stub: nothing but the answer travels.

A handler is believed after it has given a known answer: about the ROM words around the markers,
which READ_REG has read, too.  The value of an answer has no checksum: a sum, and that nothing was
found, count when two answers in a row agree, each behind a fence; a place that was found is read.
Only RAM and ROM, since registers may change when they are read.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import TypeVar

from espshell.chips import Kind
from espshell.device import Memory
from espshell.errors import DeviceError
from espshell.loader import digest
from espshell.loader.loader import agreed
from espshell.loader.plugins import install
from espshell.protocol.commands import LoaderCommand
from espshell.protocol.handlers import Crc32, Find
from espshell.protocol.packet import Opcode
from espshell.span import Span, align_down
from espshell.units import KIB, WORD

T = TypeVar("T")

PIECE = 64 * KIB
"""Bytes of one request: what Ctrl-C waits for."""

Bytes = tuple[int | None, ...]
"""A pattern: bytes, None for any."""

_WORDS = 16
_S_PER_BYTE = 1e-5  # of a core at 20 MHz, with room


def crc32(memory: Memory, address: int, size: int) -> int | None:
    """Return the CRC-32 that the chip computes of a range; None where it cannot."""
    if not can_sum(memory, address, size):
        return None
    try:
        return agreed(lambda: _answer(memory, Crc32(address, size), size), "a CRC-32")
    except DeviceError:  # refused, or memory that changes by itself
        return None


def can_sum(memory: Memory, address: int, size: int) -> bool:
    """Return whether the chip can compute the CRC-32 of a range."""
    if address % WORD or size % WORD or not _is_plain(memory, address, size):
        return False
    try:
        return _is_proven(memory, Opcode.CRC32)
    except DeviceError:
        return False


def can_find(memory: Memory, address: int, size: int, pattern: Bytes) -> bool:
    """Return whether the chip can search a range for a pattern."""
    fits = len(pattern) <= Find.LONGEST and size >= PIECE // 64
    try:
        return fits and _is_plain(memory, address, size) and _is_proven(memory, Opcode.FIND)
    except DeviceError:
        return False


def places(memory: Memory, address: int, size: int, pattern: Bytes) -> Iterator[int]:
    """Yield the addresses of a pattern in a range that ``can_find`` has agreed to, in order.

    Where a word is covered in part only, its bytes are read.

    Raises: DeviceError or NoReply if the chip does not answer as it should.
    """
    length, end = len(pattern), address + size
    at, limit = address, end - length + 1
    while at < limit:
        whole = align_down(end - at, WORD)
        if at % WORD or whole < length:
            stop = min(limit, align_down(at, WORD) + WORD)
            yield from _read_places(memory, at, stop, pattern)
            at = stop
            continue
        piece = min(PIECE, whole)
        place = _place(memory, at, piece, pattern)
        if place is not None:
            yield place
            at = place + 1
        elif piece < whole:
            at = align_down(at + piece - length + 1, WORD)
        else:
            yield from _read_places(memory, at + piece - length + 1, limit, pattern)
            return


def _place(memory: Memory, address: int, size: int, pattern: Bytes) -> int | None:
    """Return the first place in whole words; that there is none is asked for twice."""
    data = bytes(item or 0 for item in pattern)
    mask = bytes(0 if item is None else 0xFF for item in pattern)
    command = Find(address, size, data, mask)
    place = agreed(lambda: _answer(memory, command, size), "a search")
    if place is not None and not list(_read_places(memory, place, place + 1, pattern)):
        raise DeviceError(
            "the chip reported a match that is not there", hint="`stub never`, `reset`"
        )
    return place


def _read_places(memory: Memory, start: int, stop: int, pattern: Bytes) -> Iterator[int]:
    """Yield the places from ``start`` to before ``stop``, by reading them."""
    if start < stop:
        data = memory.read(start, stop - start + len(pattern) - 1)
        for at in range(start, stop):
            pairs = zip(pattern, data[at - start :], strict=False)
            if all(item in (None, byte) for item, byte in pairs):
                yield at


def _answer(memory: Memory, command: LoaderCommand[T], size: int) -> T:
    digest.fence(memory.loader)
    return memory.loader.execute(command, timeout_s=command.timeout_s + _S_PER_BYTE * size)


def _is_plain(memory: Memory, address: int, size: int) -> bool:
    """Return whether a range is RAM or ROM, all of it."""
    region = memory.chip.region_at(address, size)
    return size > 0 and region is not None and region.kind in (Kind.RAM, Kind.ROM)


def _is_proven(memory: Memory, opcode: Opcode) -> bool:
    """Return whether a handler is there and right about words that are known."""
    loader = memory.loader
    if opcode in loader.proven:
        return True
    if not loader.markers or not install.ensure(loader, opcode):
        return False
    start = align_down(min(marker.address for marker in loader.markers), WORD)
    data = struct.pack(f"<{_WORDS}I", *memory.words(start, _WORDS))
    span, last = Span.of(start, len(data)), data[-WORD:]
    loader.on_trial = True
    if opcode is Opcode.CRC32:
        right = _answer(memory, Crc32(start, span.size), 0) == zlib.crc32(data)
    else:
        right = _answer(memory, Find(start, span.size, last), 0) == start + data.index(last)
    loader.on_trial = False
    if right:
        loader.proven.add(opcode)
    return right
