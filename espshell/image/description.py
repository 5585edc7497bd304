"""What an image tells of its program: ESP-IDF's description at the start of the first segment.

An application's begins with a word that nothing else has.  A bootloader's begins with one byte
only, so its texts must be texts as well.

Texts come from the file: whoever prints them has to make control characters harmless.

Sources: ESP-IDF ``esp_app_desc.h`` (``esp_app_desc_t``, 256 bytes) and ``esp_bootloader_desc.h``
(``esp_bootloader_desc_t``, 80 bytes); "App Image Format" and "Bootloader Image Format".
"""

from __future__ import annotations

import struct

from espshell.image.firmware import Firmware, Read
from espshell.records import dataclass

_APP = struct.Struct("<II8x32s32s16s16s32s32sHHB75x")
_APP_MAGIC = 0xABCD_5432
_BOOTLOADER = struct.Struct("<BxxxI32s24s16x")
_BOOTLOADER_MAGIC = 80
_MAX_PAGE_BITS = 31


@dataclass(frozen=True, slots=True)
class AppDescription:
    """What an application says of itself."""

    name: str
    version: str
    idf: str
    date: str
    time: str
    secure_version: int
    elf_sha256: bytes
    """All 00 if the build did not put it there."""
    min_block_revision: tuple[int, int]
    """Of the eFuse block, major and minor."""
    max_block_revision: tuple[int, int]
    mmu_page_size: int | None
    """Bytes; None before ESP-IDF 5.3."""


@dataclass(frozen=True, slots=True)
class BootloaderDescription:
    """What a bootloader says of itself."""

    version: int
    idf: str
    date_time: str


def describe(read: Read, firmware: Firmware) -> AppDescription | BootloaderDescription | None:
    """Return the description in an image; None if there is none.

    Reads at most 256 bytes.
    """
    if not firmware.extended:
        return None
    first = firmware.segments[0]
    data = read(first.offset, min(first.size, _APP.size))
    if len(data) >= _APP.size and _APP.unpack(data)[0] == _APP_MAGIC:
        _, secure, version, name, time, date, idf, sha, low, high, page = _APP.unpack(data)
        return AppDescription(
            name=_text(name),
            version=_text(version),
            idf=_text(idf),
            date=_text(date),
            time=_text(time),
            secure_version=secure,
            elf_sha256=sha,
            min_block_revision=divmod(low, 100),
            max_block_revision=divmod(high, 100),
            mmu_page_size=1 << page if 0 < page <= _MAX_PAGE_BITS else None,
        )
    if len(data) >= _BOOTLOADER.size and data[0] == _BOOTLOADER_MAGIC:
        _, number, idf, date_time = _BOOTLOADER.unpack_from(data)
        texts = _text(idf), _text(date_time)
        if all(text and text.isascii() and text.isprintable() for text in texts):
            return BootloaderDescription(number, *texts)
    return None


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "replace")
