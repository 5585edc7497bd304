"""Digests that the chip computes of its flash, and which of them may be believed.

A reply to SPI_FLASH_MD5 does not say of which range it is: one that comes twice or late is taken
for that of the next request.  So:

- A digest like the one before may be that one again; ``ask`` then asks behind a *fence*, another
  command, whose reply comes behind all that are under way.
- ``confirmed_digest`` is one that came twice in a row, each behind a fence.
- While replies may be overdue, only confirmed digests count.
- The request has no checksum: one of another place is right for that place.  What would do harm if
  it were believed (a difference that is written about, a blank range that is never read) is asked
  for twice by who asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache

from espshell.errors import DeviceError, NoReply, Refused
from espshell.loader.loader import Loader, agreed
from espshell.protocol.commands import ReadReg
from espshell.protocol.flash import SpiFlashMd5
from espshell.span import Span, ceil_div
from espshell.units import KIB, MIB, SECTOR

BLOCK = 0x1_0000
"""What a larger erase covers, much faster than its sectors (bytes)."""

LARGEST = 16 * BLOCK
"""What a stub is asked to erase in one go at most (bytes)."""

_SECTOR_S = 0.4  # the slowest sector erase of common parts
_ANSWER_S = 3.0
_DIGEST_S_PER_MIB = 8.0


def work_s(size: int) -> float:
    """Return how long erasing and programming so much may take, at the slowest."""
    return _ANSWER_S + _SECTOR_S * ceil_div(size, SECTOR)


def digest(loader: Loader, offset: int, size: int) -> bytes:
    """Return the MD5 that the chip computes of a range, 16 bytes.

    While an overdue reply may still come, two answers in a row must agree.

    Raises: UsageError if this loader has no digests; ReadsDiffer if no two agree.
    """
    if loader.is_doubtful:
        return confirmed_digest(loader, offset, size)
    loader.last_digest = _asked(loader, offset, size)
    return loader.last_digest


def ask(loader: Loader, offset: int, size: int, is_doubtful: Callable[[bytes], bool]) -> bytes:
    """Return the digest of a range, when it came twice in a row if it is doubtful.

    One like the last may be the last: it is asked for again. Raises: as ``digest``.
    """
    last = loader.last_digest
    answer = digest(loader, offset, size)
    if answer == last:
        last, answer = answer, digest_behind_fence(loader, offset, size)
        if answer == last:
            return answer
    if is_doubtful(answer) and digest(loader, offset, size) != answer:
        return confirmed_digest(loader, offset, size)
    return answer


def digest_behind_fence(loader: Loader, offset: int, size: int) -> bytes:
    """Return a digest that no reply to an earlier request can be taken for."""
    fence(loader)
    return digest(loader, offset, size)


def confirmed_digest(loader: Loader, offset: int, size: int) -> bytes:
    """Return a digest that came twice in a row, each behind a fence. Raises: as ``digest``."""

    def read() -> bytes:
        fence(loader)
        return _asked(loader, offset, size)

    what = f"digests of {Span.of(offset, size)}"
    loader.last_digest = agreed(read, what)
    return loader.last_digest


def fence(loader: Loader) -> None:
    """Ask something else: while its answer is awaited, late and doubled digests pass."""
    if loader.markers:
        try:
            loader.execute(ReadReg(loader.markers[0].address))
        except NoReply:
            pass  # what comes next gets into step first: a fence, too
        except Refused:  # that was the refusal of what came before, doubled
            loader.distrust()


@lru_cache(maxsize=64)
def blank_digest(size: int) -> bytes:
    """Return the MD5 of so many erased bytes."""
    state = hashlib.md5(usedforsecurity=False)
    piece = b"\xff" * min(size, 64 * KIB)
    for _ in range(size // len(piece) if piece else 0):
        state.update(piece)
    state.update(piece[: size % len(piece)] if piece else b"")
    return state.digest()


def md5(data: bytes) -> bytes:
    """Return the MD5 that a loader computes of these bytes."""
    return hashlib.md5(data, usedforsecurity=False).digest()


def _asked(loader: Loader, offset: int, size: int) -> bytes:
    timeout_s = work_s(BLOCK) + _DIGEST_S_PER_MIB * size / MIB
    try:
        return loader.execute(SpiFlashMd5(offset, size), timeout_s=timeout_s)
    except DeviceError:  # a bit has flipped, or that was the refusal of a block that came twice
        loader.distrust()
        return loader.execute(SpiFlashMd5(offset, size), timeout_s=timeout_s)
