"""The two variants of the flasher stub: their errors and how they differ.

Source: ``tests/data/esp32-stub-v1.json`` and ``esp32-stub-v2.json``; error codes from the esptool
manual.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from espshell.records import dataclass
from espshell.sim.receiver import LegacyReceiver, Receiver, StrictReceiver


class StubError(IntEnum):
    """Error bytes of a stub's replies."""

    BAD_SIZE = 0xC0
    BAD_CHECKSUM = 0xC1
    BAD_BLOCK_SIZE = 0xC2
    INVALID = 0xC3
    BAD_ADDRESS = 0xC4
    NOT_BEGUN = 0xC6
    INFLATE_FAILED = 0xC7
    TOO_LITTLE = 0xC8
    TOO_MUCH = 0xC9
    NOT_IMPLEMENTED = 0xFF


FRAME = 0x4000 + 64
"""Bytes that fit into a buffer."""


@dataclass(frozen=True, slots=True)
class StubVariant:
    """How one variant of the stub behaves; the defaults are those of version 1."""

    receiver: Callable[[int], Receiver] = LegacyReceiver
    """Makes what cuts bytes into frames, for a size of its buffers."""
    unknown: int = StubError.NOT_IMPLEMENTED
    """The error of an opcode that it does not know."""
    answers_replies: bool = True
    """Whether the direction byte is not looked at."""
    short_write: int = StubError.BAD_SIZE
    """The error of a WRITE_REG that is not made of whole entries."""
    believes_size: bool = False
    """Whether MEM_DATA trusts its size word rather than the size of the data."""
    checks_range: bool = False
    """Whether FLASH_BEGIN checks its range against the size of the flash."""
    erases_first: bool = False
    """Whether FLASH_BEGIN erases the first sector or block, before data comes for it."""
    digest_error: tuple[int, int] = (1, 16)
    """Error of a digest past the end, and by how much the reply's size field is too large."""
    unfinished: int = 1
    """The status of a MEM_END before all announced data has come."""
    reboots: bool = True
    """Whether FLASH_END and RUN_USER_CODE leave."""
    returns: bool = False
    """Whether MEM_END calls the entry and goes on when that returns."""


V1 = StubVariant()

V2 = StubVariant(
    receiver=StrictReceiver,
    unknown=StubError.INVALID,
    answers_replies=False,
    short_write=StubError.TOO_LITTLE,
    believes_size=True,
    checks_range=True,
    erases_first=True,
    digest_error=(StubError.BAD_ADDRESS, 0),
    unfinished=0,
    reboots=False,
    returns=True,
)
