"""The verb ``hash``: the digest of a range as it is read."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable

from espshell.device import Flash, Memory, Space
from espshell.errors import UsageError
from espshell.ops.memory import on_chip
from espshell.ops.memory.reading import read_chunks, reading_notes, trust_notes
from espshell.ops.result import Report, Result, silent
from espshell.records import dataclass

ALGORITHMS = ("md5", "sha1", "sha256", "crc32")
"""The first is what ``hash`` takes unless told."""


@dataclass(frozen=True, slots=True)
class Digest(Result):
    """A digest in hexadecimal."""

    address: int
    size: int
    algorithm: str
    digest: str
    notes: tuple[str, ...] = ()
    readings: int = 1
    """How often each byte was read, or its digest asked for."""

    @property
    def last_value(self) -> str:
        """The digest."""
        return self.digest


def hash_range(
    space: Space,
    address: int,
    size: int,
    algorithm: str = ALGORITHMS[0],
    *,
    check: bool = False,
    force: bool = False,
    report: Report = silent,
) -> Digest:
    """Read a range and return its digest; nothing is kept of it.

    The MD5 of flash is computed on the chip where the loader can, and the CRC-32 of memory by a
    handler in the stub, twice; then nothing is read.

    Raises: UsageError for an algorithm that is not one of ``ALGORITHMS``.
    """
    if algorithm not in ALGORITHMS:
        raise UsageError(f"`{algorithm}` is not one of {', '.join(ALGORITHMS)}")
    if not force:
        space.check(address, size)
    if algorithm == "md5" and isinstance(space, Flash) and space.has_digest:
        md5 = space.digest(address, size, confirmed=True)  # else a flipped bit would be believed
        return Digest(address, size, algorithm, md5.hex(), ("computed on the chip",), 2)
    if algorithm == "crc32" and isinstance(space, Memory):
        crc = on_chip.crc32(space, address, size)
        if crc is not None:
            return Digest(address, size, algorithm, f"{crc:08x}", ("computed on the chip",), 2)
    pieces = read_chunks(space, address, size, check=check, report=report)
    digest = _digest(algorithm, pieces)
    notes = (*reading_notes(space, address, size), *trust_notes(space, check=check))
    return Digest(address, size, algorithm, digest, notes, 1 + check)


def is_on_chip(space: Space, address: int, size: int, algorithm: str) -> bool:
    """Return whether the chip computes the digest of a range, so that nothing is read."""
    if isinstance(space, Memory):
        return algorithm == "crc32" and on_chip.can_sum(space, address, size)
    return algorithm == "md5" and isinstance(space, Flash) and space.has_digest


def _digest(algorithm: str, pieces: Iterable[bytes]) -> str:
    if algorithm == "crc32":
        value = 0
        for piece in pieces:
            value = zlib.crc32(piece, value)
        return f"{value:08x}"
    state = hashlib.new(algorithm, usedforsecurity=False)
    for piece in pieces:
        state.update(piece)
    return state.hexdigest()
