"""The two variants of the flasher stub: their errors and how they differ.

Source: ``tests/data/esp32-stub-v1.json`` and ``esp32-stub-v2.json``; error codes from the esptool
manual.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from espshell.sim.receiver import LegacyReceiver, Receiver, StrictReceiver

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
    """How one variant of the stub behaves."""

    receiver: Callable[[int], Receiver]
    """Makes what cuts bytes into frames, for a size of its buffers."""
    unknown: int
    """The error of an opcode that it does not know."""
    answers_replies: bool
    """Whether the direction byte is not looked at."""
    short_write: int
    """The error of a WRITE_REG that is not made of whole entries."""
    believes_size: bool
    """Whether MEM_DATA trusts its size word rather than the size of the data."""
    checks_range: bool
    """Whether FLASH_BEGIN checks its range against the size of the flash."""
    erases_first: bool
    """Whether FLASH_BEGIN erases the first sector or block, before data comes for it."""
    digest_error: tuple[int, int]
    """Error of a digest past the end, and by how much the reply's size field is too large."""
    unfinished: int
    """The status of a MEM_END before all announced data has come."""
    reboots: bool
    """Whether FLASH_END and RUN_USER_CODE leave."""
    returns: bool
    """Whether MEM_END calls the entry and goes on when that returns."""


V1 = StubVariant(
    receiver=LegacyReceiver,
    unknown=NOT_IMPLEMENTED,
    answers_replies=True,
    short_write=BAD_SIZE,
    believes_size=False,
    checks_range=False,
    erases_first=False,
    digest_error=(1, 16),
    unfinished=1,
    reboots=True,
    returns=False,
)

V2 = StubVariant(
    receiver=StrictReceiver,
    unknown=INVALID,
    answers_replies=False,
    short_write=TOO_LITTLE,
    believes_size=True,
    checks_range=True,
    erases_first=True,
    digest_error=(BAD_ADDRESS, 0),
    unfinished=0,
    reboots=False,
    returns=True,
)
