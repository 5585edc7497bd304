"""UF2 files: blocks of 512 bytes, each with its own address, for bootloaders that pose as a disk.

Written as esptool's ``merge-bin --format uf2`` does: every file has block numbers of its own, and
the MD5 follows the payload at once, also where that does not fill the block.  The specification
wants it in the last 24 bytes of the data field; the reader takes both.

Source: the specification in Microsoft's repository ``uf2``; the two habits: esptool 5.6.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from espshell.errors import UsageError
from espshell.image.common import joined
from espshell.span import ceil_div

BLOCK_SIZE = 512
DATA_SIZE = 476

_HEADER = struct.Struct("<8I")
_DIGEST = struct.Struct("<II16s")
_MAGIC = (0x0A32_4655, 0x9E5D_5157)
START = struct.pack("<2I", *_MAGIC)
END = struct.pack("<I", 0x0AB1_6F30)
"""The last bytes of a block."""

_NOT_MAIN_FLASH = 0x0000_0001
_FILE_CONTAINER = 0x0000_1000
_HAS_FAMILY = 0x0000_2000
_HAS_DIGEST = 0x0000_4000


@dataclass(frozen=True, slots=True)
class Uf2:
    """What a file puts where; segments ascend and are not adjacent."""

    segments: tuple[tuple[int, bytes], ...]
    families: tuple[int, ...]
    """Family ids that its blocks name, ascending; empty if they name none."""


def max_chunk(*, md5: bool = True) -> int:
    """Return how many bytes of payload a block has room for."""
    return DATA_SIZE - _DIGEST.size * md5


def write(
    address: int, data: bytes, *, family: int, chunk_size: int | None = None, md5: bool = True
) -> bytes:
    """Return the blocks of one file; blocks of several files may follow one another.

    ``chunk_size`` is the payload of a block, as much as there is room for unless given.

    Raises: UsageError if blocks do not take that much, or an address is beyond 32 bits.
    """
    room = max_chunk(md5=md5)
    size = room if chunk_size is None else chunk_size
    if not 4 <= size <= room or size % 4:
        raise UsageError(f"a UF2 block takes 4 to {room} bytes, a multiple of 4; not {size}")
    if address + len(data) > 1 << 32:
        raise UsageError(f"UF2 has no addresses beyond 4 GiB, as 0x{address + len(data):x} is")
    flags = _HAS_FAMILY | _HAS_DIGEST * md5
    count = ceil_div(len(data), size)
    blocks = []
    for index in range(count):
        chunk = data[index * size : (index + 1) * size]
        start = address + index * size
        block = _HEADER.pack(*_MAGIC, flags, start, len(chunk), index, count, family) + chunk
        if md5:
            block += _DIGEST.pack(start, len(chunk), _md5(chunk))
        blocks.append(block.ljust(BLOCK_SIZE - len(END), b"\0") + END)
    return b"".join(blocks)


def read(data: bytes, *, name: str = "the UF2 file") -> Uf2:
    """Read a file; blocks that are not for the main flash are left out.

    Raises: UsageError if it is not UF2, was cut off, or blocks are broken, overlap or are missing.
    """
    if not data.startswith(START):
        raise UsageError(f"{name} is not UF2")
    if len(data) % BLOCK_SIZE:
        raise UsageError(f"{name} has {len(data)} bytes, which is not a multiple of 512")
    families = set()
    pieces = []
    wide: set[tuple[int, int, bytes]] = set()
    expected = 0, 0
    for start in range(0, len(data), BLOCK_SIZE):
        block = data[start : start + BLOCK_SIZE]
        where = f"block {start // BLOCK_SIZE} of {name}"
        flags, address, size, index, count, family = _fields(block, where)
        if index and (index, count) != expected:
            raise UsageError(f"{where} is number {index} of {count}, out of sequence")
        if not index and expected[0] != expected[1]:
            raise UsageError(f"{where} starts over, but {expected[1] - expected[0]} are missing")
        expected = index + 1, count
        if flags & (_NOT_MAIN_FLASH | _FILE_CONTAINER):
            continue
        if flags & _HAS_FAMILY:
            families.add(family)
        pieces.append((address, block[_HEADER.size : _HEADER.size + size]))
        if flags & _HAS_DIGEST:
            wide |= _wide_digest(block, address, size, where)
    if expected[0] != expected[1]:
        raise UsageError(f"{name} lacks its last blocks ({expected[1] - expected[0]})")
    segments = tuple(joined(pieces, lambda at: f"two blocks of {name} have data for 0x{at:x}"))
    _require_digests(segments, wide, name)
    return Uf2(segments, tuple(sorted(families)))


def _require_digests(
    segments: tuple[tuple[int, bytes], ...], wide: set[tuple[int, int, bytes]], name: str
) -> None:
    """Check the digests over several blocks. Raises: UsageError."""
    for first, length, digest in wide:
        parts = (part[first - at : first - at + length] for at, part in segments if at <= first)
        if digest not in map(_md5, parts):
            raise UsageError(f"{name} has a wrong MD5 for 0x{first:x}..0x{first + length:x}")


def _fields(block: bytes, where: str) -> tuple[int, int, int, int, int, int]:
    """Return flags, address, payload size, number, count and family of a block that is good."""
    first, second, flags, address, size, index, count, family = _HEADER.unpack_from(block)
    if (first, second) != _MAGIC or not block.endswith(END):
        raise UsageError(f"{where} has no magic numbers")
    if size > max_chunk(md5=bool(flags & _HAS_DIGEST)) or index >= count:
        raise UsageError(f"{where} is broken: {size} bytes, number {index} of {count}")
    return flags, address, size, index, count, family


def _wide_digest(block: bytes, address: int, size: int, where: str) -> set[tuple[int, int, bytes]]:
    """Return address, size and MD5 where it is of more than this block; none if it is and good.

    Raises: UsageError.
    """
    payload = block[_HEADER.size : _HEADER.size + size]
    places = (_HEADER.size + size, BLOCK_SIZE - len(END) - _DIGEST.size)
    candidates = [_DIGEST.unpack_from(block, place) for place in places]
    if any(candidate == (address, size, _md5(payload)) for candidate in candidates):
        return set()
    for start, length, digest in candidates:
        if length > size and start <= address < start + length:
            return {(start, length, digest)}
    raise UsageError(f"{where} has a wrong MD5")


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()
