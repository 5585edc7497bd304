"""What a file is, by what is in it; its name is not looked at.

A firmware image is recognised by its header alone, so that a damaged one is still called by its
name.  A flash image (what ``merge`` makes, or a reading of a chip's flash) is recognised by what
lies at the few offsets where ROMs and ESP-IDF look; there an image must be whole to count.

Sources: the modules that read these formats; UF2: magic numbers of Microsoft's specification;
offsets: bootloader offsets of ``chips``, ESP-IDF's partition tables with the first app at 0x10000.
"""

from __future__ import annotations

import codecs
import contextlib
from enum import Enum

from espshell.errors import UsageError
from espshell.image import elf, intel_hex, partitions, uf2
from espshell.image.firmware import MAX_SEGMENTS, ImageLayout, layout_of, parse_from, reader
from espshell.records import dataclass
from espshell.units import KIB, parse_number


class FileKind(Enum):
    """What a file may be, in words."""

    ESP8266_V1 = "ESP8266 firmware image, version 1"
    ESP8266_V2 = "ESP8266 firmware image, version 2"
    FIRMWARE = "firmware image for ESP32 or later"
    PARTITION_TABLE = "partition table"
    PARTITION_CSV = "partition table as text"
    ELF = "ELF file"
    INTEL_HEX = "Intel HEX file"
    UF2 = "UF2 file"
    FLASH = "flash image"
    COMPRESSED = "compressed file"
    MARKUP = "HTML or XML page"
    TEXT = "text"
    BLANK = "blank: nothing but FF"
    EMPTY = "empty file"
    UNKNOWN = "nothing known"


FOREIGN = frozenset(
    {
        FileKind.PARTITION_TABLE,
        FileKind.PARTITION_CSV,
        FileKind.ELF,
        FileKind.UF2,
        FileKind.COMPRESSED,
        FileKind.MARKUP,
        FileKind.TEXT,
    }
)
"""What no ROM and no bootloader starts."""


@dataclass(frozen=True, slots=True)
class Content:
    """Something at an offset of a flash image."""

    offset: int
    kind: FileKind


OFFSETS = (0, 0x1000, 0x2000, 0x8000, 0x1_0000)
"""Where something is looked for: bootloaders, the partition table, the first application."""

KINDS = {
    ImageLayout.ESP8266_V1: FileKind.ESP8266_V1,
    ImageLayout.ESP8266_V2: FileKind.ESP8266_V2,
    ImageLayout.EXTENDED: FileKind.FIRMWARE,
}
_ROW_SIZE = 32
_TEXT_MAX = 64 * KIB
_TEXT_MIN = 16
_SPACES = "\t\n\r\f"
_COMPRESSED = (
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"BZh",
    b"\xfd7zXZ\0",
    b"\x28\xb5\x2f\xfd",
    b"7z\xbc\xaf",
)
"""First bytes of gzip, ZIP, bzip2, xz, Zstandard (RFC 8878) and 7z."""
_CSV_FIELDS = range(4, 7)


def recognise(data: bytes) -> FileKind:
    """Return the kind of a file, by its content."""
    if not data:
        return FileKind.EMPTY
    if data.startswith(elf.MAGIC):
        return FileKind.ELF
    if data.startswith(uf2.START) and data[uf2.BLOCK_SIZE - 4 : uf2.BLOCK_SIZE] == uf2.END:
        return FileKind.UF2
    if intel_hex.has_record(data):
        return FileKind.INTEL_HEX
    things = contents(data)
    if len(things) > 1 or (things and things[0].offset):
        return FileKind.FLASH
    if things:
        return things[0].kind
    if data.count(b"\xff") == len(data):
        return FileKind.BLANK
    return FileKind.PARTITION_CSV if _is_csv(data) else _foreign(data)


def contents(data: bytes, *, base: int = 0) -> tuple[Content, ...]:
    """Return the images and tables at ``OFFSETS`` and at the start; none inside an image.

    ``base`` is where in flash the data begins; offsets are in the data.
    """
    things, end = [], 0
    for offset in (0, *(start - base for start in OFFSETS if start > base)):
        if offset < end or offset + _ROW_SIZE > len(data):
            continue
        if data.startswith(partitions.MAGIC, offset):
            things.append(Content(offset, FileKind.PARTITION_TABLE))
            continue
        layout = layout_of(data[offset : offset + _ROW_SIZE])
        size = 0
        with contextlib.suppress(UsageError):  # no whole image
            size = parse_from(reader(data, offset), len(data) - offset, verify=False).end
        plausible = size or (offset == 0 and 1 <= data[1] <= MAX_SEGMENTS)
        if layout and plausible:
            things.append(Content(offset, KINDS[layout]))
            end = offset + size
    return tuple(things)


def _foreign(data: bytes) -> FileKind:
    """Return the kind of a file that no part of this program reads."""
    if data.startswith(_COMPRESSED):
        return FileKind.COMPRESSED
    try:
        # It may end within a character.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(data[:_TEXT_MAX])
    except UnicodeDecodeError:
        return FileKind.UNKNOWN
    if text.lstrip().startswith("<"):
        return FileKind.MARKUP
    is_text = len(data) >= _TEXT_MIN and all(c.isprintable() or c in _SPACES for c in text)
    return FileKind.TEXT if is_text else FileKind.UNKNOWN


def _is_csv(data: bytes) -> bool:
    try:
        text = data[:_TEXT_MAX].decode("utf-8-sig")
    except UnicodeDecodeError:
        return False
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    rows = [[field.strip() for field in line.split(",")] for line in lines if line]
    return bool(rows) and all(
        len(row) in _CSV_FIELDS
        and row[0].isprintable()
        and (row[1] in partitions.TYPES or parse_number(row[1]) is not None)
        for row in rows
    )
