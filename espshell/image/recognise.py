"""What a file is, by what is in it; its name is not looked at.

A firmware image is recognised by its header alone, so that a damaged one is still called by its
name.  A flash image (what ``merge`` makes, or a reading of a chip's flash) is recognised by what
lies at the few offsets where ROMs and ESP-IDF look; there an image must be whole to count.

Sources: the modules that read these formats; UF2: magic numbers of Microsoft's specification;
offsets: bootloader offsets of ``chips``, ESP-IDF's partition tables with the first app at 0x10000.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from enum import Enum

from espshell.errors import UsageError
from espshell.image.firmware import MAX_SEGMENTS, Layout, layout_of, parse_from
from espshell.units import KIB, parse_number


class Kind(Enum):
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
        Kind.PARTITION_TABLE,
        Kind.PARTITION_CSV,
        Kind.ELF,
        Kind.UF2,
        Kind.COMPRESSED,
        Kind.MARKUP,
        Kind.TEXT,
    }
)
"""What no ROM and no bootloader starts."""


@dataclass(frozen=True, slots=True)
class Content:
    """Something at an offset of a flash image."""

    offset: int
    kind: Kind


OFFSETS = (0, 0x1000, 0x2000, 0x8000, 0x1_0000)
"""Where something is looked for: bootloaders, the partition table, the first application."""

_KINDS = {
    Layout.ESP8266_V1: Kind.ESP8266_V1,
    Layout.ESP8266_V2: Kind.ESP8266_V2,
    Layout.EXTENDED: Kind.FIRMWARE,
}
_UF2 = b"UF2\n\x57\x51\x5d\x9e"
_UF2_END = b"\x30\x6f\xb1\x0a"
_UF2_BLOCK = 512
_ROW = b"\xaa\x50"
_ROW_SIZE = 32
_HEX_LINE = re.compile(rb"\s*:((?:[0-9a-fA-F]{2}){5,260})\s")
_TYPES = ("app", "data", "bootloader", "partition_table")
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


def recognise(data: bytes) -> Kind:
    """Return what a file is, by its content."""
    if not data:
        return Kind.EMPTY
    if data.startswith(b"\x7fELF"):
        return Kind.ELF
    if data.startswith(_UF2) and data[_UF2_BLOCK - 4 : _UF2_BLOCK] == _UF2_END:
        return Kind.UF2
    if _is_intel_hex(data):
        return Kind.INTEL_HEX
    found = contents(data)
    if len(found) > 1 or (found and found[0].offset):
        return Kind.FLASH
    if found:
        return found[0].kind
    if data.count(b"\xff") == len(data):
        return Kind.BLANK
    return Kind.PARTITION_CSV if _is_csv(data) else _foreign(data)


def contents(data: bytes, *, base: int = 0) -> tuple[Content, ...]:
    """Return what is found at ``OFFSETS`` and at the start; nothing is looked for in an image.

    ``base`` is where in flash the data begins; offsets are in the data.
    """
    found, end = [], 0
    for offset in (0, *(each - base for each in OFFSETS if each > base)):
        if offset < end or offset + _ROW_SIZE > len(data):
            continue
        if data.startswith(_ROW, offset):
            found.append(Content(offset, Kind.PARTITION_TABLE))
            continue
        layout = layout_of(data[offset : offset + _ROW_SIZE])
        size = _image_size(data, offset)
        plausible = size or (offset == 0 and 1 <= data[1] <= MAX_SEGMENTS)
        if layout and plausible:
            found.append(Content(offset, _KINDS[layout]))
            end = offset + size
    return tuple(found)


def _image_size(data: bytes, base: int) -> int:
    # 0 if there is no whole image.
    try:
        found = parse_from(
            lambda offset, size: data[base + offset : base + offset + size],
            len(data) - base,
            verify=False,
        )
    except UsageError:
        return 0
    return found.end


def _is_intel_hex(data: bytes) -> bool:
    match = _HEX_LINE.match(data + b"\n" if len(data) < _TEXT_MAX else data)
    if match is None:
        return False
    line = bytes.fromhex(match[1].decode("ascii"))
    return len(line) == line[0] + 5 and sum(line) % 256 == 0


def _foreign(data: bytes) -> Kind:
    """Return what a file is that no part of this program reads."""
    if data.startswith(_COMPRESSED):
        return Kind.COMPRESSED
    try:
        # It may end within a character.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(data[:_TEXT_MAX])
    except UnicodeDecodeError:
        return Kind.UNKNOWN
    if text.lstrip().startswith("<"):
        return Kind.MARKUP
    is_text = len(data) >= _TEXT_MIN and all(c.isprintable() or c in _SPACES for c in text)
    return Kind.TEXT if is_text else Kind.UNKNOWN


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
        and (row[1] in _TYPES or parse_number(row[1]) is not None)
        for row in rows
    )
