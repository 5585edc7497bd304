"""Make an ESP8266 image from pieces of memory, as ``make_image`` of esptool 4 did.

Source: "Firmware Image Format" of the esptool manual; what that does not say (segments stay in
their order, each is filled up to words with 00, one for flash becomes a file of its own) as
``tests/data/make-image.json`` shows it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import reduce
from operator import xor

from espshell.errors import UsageError
from espshell.image.firmware import CHECKSUM_SEED, MAGIC, MAX_SEGMENTS
from espshell.records import dataclass
from espshell.units import WORD, hex32

_FLASH = range(0x4020_0000, 0x4030_0000)
"""Addresses where an ESP8266 sees its flash."""


@dataclass(frozen=True, slots=True)
class FlashPart:
    """Bytes for a place in flash."""

    offset: int
    data: bytes

    @property
    def suffix(self) -> str:
        """What esptool 4 adds to the name of the file."""
        return f"0x{self.offset:05x}.bin"


def make_v1(segments: Sequence[tuple[int, bytes]], entry: int = 0) -> tuple[FlashPart, ...]:
    """Return an ESP8266 image of version 1 of (address, data) pairs.

    The first part is the image, for offset 0.  If a segment lies where flash is seen there is a
    second part: its bytes, for its own offset; the boot ROM loads nothing there.
    Its flash codes are 0.
    Raises: UsageError for no segments to load, more than 16, an address past 32 bits, two
    segments in flash, or one where the image itself goes.
    """
    for address in (entry, *(address for address, _ in segments)):
        if not 0 <= address <= 0xFFFF_FFFF:
            raise UsageError(f"{address:#x} is not an address: it has more than 32 bits")
    loaded = [segment for segment in segments if segment[0] not in _FLASH]
    if not 1 <= len(loaded) <= MAX_SEGMENTS:
        raise UsageError(f"{len(loaded)} segments to load, expected 1 to {MAX_SEGMENTS}")
    image = struct.pack("<BBBBI", MAGIC, len(loaded), 0, 0, entry)
    for address, data in loaded:
        filled = _filled(data)
        image += struct.pack("<II", address, len(filled)) + filled
    checksum = reduce(xor, b"".join(data for _, data in loaded), CHECKSUM_SEED)
    image += bytes(-(len(image) + 1) % 16) + bytes([checksum])
    in_flash = [
        FlashPart(at - _FLASH.start, _filled(data)) for at, data in segments if at in _FLASH
    ]
    if len(in_flash) > 1:
        raise UsageError(f"{len(in_flash)} segments in flash, expected one at most")
    for part in in_flash:
        if part.offset < len(image):
            raise UsageError(
                f"the segment for {hex32(_FLASH.start + part.offset)} overlaps the image itself",
                hint=f"the image takes 0x{len(image):x} bytes from {hex32(_FLASH.start)} on",
            )
    return (FlashPart(0, image), *in_flash)


def _filled(data: bytes) -> bytes:
    return data + bytes(-len(data) % WORD)
