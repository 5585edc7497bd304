"""Bytes of any alignment into the address space, and which of them did not arrive.

The bus writes words under masks; whole words of RAM go in blocks that carry a checksum.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, pairwise

from espshell.chips import Kind
from espshell.device import Memory
from espshell.errors import UsageError
from espshell.protocol.commands import ALL_BITS, RegisterWrite
from espshell.units import MIB, WORD, count_text, hex32, size_text

DRY_RUN = "dry run: nothing was sent"
"""The note of a write that was not."""

LOAD_FROM = 64
"""Bytes from which RAM is written by data blocks and not by register writes."""


MOST = 64 * MIB
"""Bytes that are written at once at most: twice the largest RAM of any chip."""


def require_size(size: int) -> None:
    """Check that so many bytes can be written at once. Raises: UsageError."""
    if size > MOST:
        raise UsageError(
            f"{size_text(size)} are too many to be written at once",
            hint=f"at most {size_text(MOST)}",
        )


def masked(address: int, value: int, width: int, mask: int) -> RegisterWrite:
    """Return the masked word write that writes a narrow value."""
    shift = address % WORD * 8
    bits = (1 << width) - 1
    if width == 32 and mask == ALL_BITS:
        return RegisterWrite(address, value & bits)
    return RegisterWrite(address - address % WORD, (value & bits) << shift, (mask & bits) << shift)


def write_bytes(memory: Memory, address: int, data: bytes) -> Iterator[int]:
    """Write bytes, whole words of RAM in blocks; yield how many are written."""
    require_size(len(data))
    region = memory.chip.region_at(address, len(data))
    head = -address % WORD
    tail = (address + len(data)) % WORD
    if region is None or region.kind is not Kind.RAM or len(data) < LOAD_FROM:
        memory.write(_word_writes(address, data))
        yield len(data)
        return
    memory.write(_word_writes(address, data[:head]))
    middle = data[head : len(data) - tail]
    for done in memory.load(address + head, middle):
        yield head + done
    memory.write(_word_writes(address + len(data) - tail, data[len(data) - tail :]))
    yield len(data)


def _word_writes(address: int, data: bytes) -> Iterator[RegisterWrite]:
    """Return the masked word writes that write bytes of any alignment."""
    end = address + len(data)
    inner = range(address - address % WORD + WORD, end, WORD)
    for start, stop in pairwise(chain((address,), inner, (end,)) if data else ()):
        piece = data[start - address : stop - address]
        value, width = int.from_bytes(piece, "little"), 8 * len(piece)
        yield masked(start, value, width, (1 << width) - 1)


def differing_words(address: int, wanted: bytes, got: bytes) -> tuple[int, ...]:
    """Return the addresses of the words that differ."""
    if wanted == got:
        return ()
    places = (address + i for i in range(len(wanted)) if wanted[i] != got[i])
    return tuple(sorted({place - place % WORD for place in places}))


def not_as_written(differing: tuple[int, ...]) -> str:
    """Return the sentence about words that read back otherwise."""
    shown = ", ".join(hex32(address) for address in differing[:4])
    more = ", ..." if len(differing) > 4 else ""
    count = count_text(len(differing), "word")
    return f"{count} did not read back as written: {shown}{more}"
