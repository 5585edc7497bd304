"""Writers of small ELF files and firmware images, for tests; they know nothing of the readers."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from functools import reduce
from operator import xor

from espshell.image.partitions import PartitionTable

Segments = Sequence[tuple[int, bytes]]

XTENSA = 94
RISCV = 243


def elf(sections: Segments, *, entry: int, machine: int = XTENSA) -> bytes:
    """Return a 32-bit little-endian executable with a section and a loaded segment of each."""
    names = b"\0.shstrtab\0" + b"".join(b".s%d\0" % n for n in range(len(sections)))
    start = 52 + 32 * len(sections)
    offsets, body = [], b""
    for _, data in sections:
        offsets.append(start + len(body))
        body += data + bytes(-len(data) % 4)
    names_at = start + len(body)
    table_at = names_at + len(names) + -(names_at + len(names)) % 4
    header = struct.pack(
        "<16sHHIIIIIHHHHHH",
        b"\x7fELF\x01\x01\x01",
        *(2, machine, 1, entry, 52, table_at, 0),
        *(52, 32, len(sections), 40, len(sections) + 2, 1),
    )
    programs = b"".join(
        struct.pack("<8I", 1, offset, address, address, len(data), len(data), 7, 4)
        for offset, (address, data) in zip(offsets, sections, strict=True)
    )
    table = bytes(40) + struct.pack("<10I", 1, 3, 0, 0, names_at, len(names), 0, 0, 1, 0)
    for n, (offset, (address, data)) in enumerate(zip(offsets, sections, strict=True)):
        name = names.index(b".s%d\0" % n)
        # PROGBITS that is written, allocated and executed.
        table += struct.pack("<10I", name, 1, 7, address, offset, len(data), 0, 0, 4, 0)
    return (header + programs + body + names).ljust(table_at, b"\0") + table


def body(segments: Segments, start: int) -> bytes:
    """Return segments with their headers, padding and checksum, as they follow a header.

    ``start`` is how long that header is.
    """
    found = b"".join(struct.pack("<II", at, len(data)) + data for at, data in segments)
    check = reduce(xor, b"".join(data for _, data in segments), 0xEF)
    return found + bytes(-(start + len(found) + 1) % 16) + bytes([check])


def firmware(
    segments: Segments,
    *,
    chip: int = 0,
    mode: int = 2,
    size_frequency: int = 0x2F,
    entry: int = 0x4008_0400,
    hashed: bool = True,
) -> bytes:
    """Return an image for an ESP32 or a later chip."""
    head = struct.pack("<BBBBI", 0xE9, len(segments), mode, size_frequency, entry)
    head += struct.pack("<B3sHBHH4sB", 0xEE, b"\x10\x32\x54", chip, 3, 301, 399, bytes(4), hashed)
    image = head + body(segments, 24)
    return image + hashlib.sha256(image).digest() if hashed else image


def esp8266(segments: Segments, *, entry: int = 0x4010_0000) -> bytes:
    """Return an image of version 1 for an ESP8266."""
    head = struct.pack("<BBBBI", 0xE9, len(segments), 0, 0x40, entry)
    return head + body(segments, 8)


def esp8266_v2(flash: bytes, segments: Segments, *, entry: int = 0x4010_0000) -> bytes:
    """Return an image of version 2 for an ESP8266; ``flash`` is a multiple of 16 bytes."""
    head = struct.pack("<BBBBI", 0xEA, 4, 2, 0x40, entry)
    head += struct.pack("<II", 0, len(flash)) + flash
    head += struct.pack("<BBBBI", 0xE9, len(segments), 2, 0x40, entry)
    image = head + body(segments, len(head))
    # The SDK's way: a signed CRC, its absolute value, one more or one less.
    (crc,) = struct.unpack("<i", struct.pack("<I", zlib.crc32(image)))
    return image + struct.pack("<I", abs(crc) + (1 if crc >= 0 else -1))


def signature_block(image: bytes, *, version: int = 2, curve: int = 0) -> bytes:
    """Return a block of secure boot version 2; the key is bytes that count up."""
    sha_384 = curve == 3
    digest = (hashlib.sha384 if sha_384 else hashlib.sha256)(image).digest()
    block = bytes([0xE7, version, sha_384, 0]) + digest + (bytes([curve]) if curve else b"")
    block += bytes(n % 251 for n in range(1196 - len(block)))
    return block + struct.pack("<I16x", zlib.crc32(block))


def signed(image: bytes, **block: int) -> bytes:
    """Return an image, filled up to a sector, and a sector with one signature block."""
    filled = image + b"\xff" * (-len(image) % 4096)
    return filled + signature_block(filled, **block).ljust(4096, b"\xff")


def app_description(**texts: str) -> bytes:
    """Return an ``esp_app_desc_t``; texts are version, name, time, date, idf."""
    sizes = {"version": 32, "name": 32, "time": 16, "date": 16, "idf": 32}
    fields = b"".join(texts.get(key, key).encode().ljust(n, b"\0") for key, n in sizes.items())
    head = struct.pack("<II8x", 0xABCD5432, 7)
    return (head + fields + bytes(range(32)) + struct.pack("<HHB", 101, 199, 16)).ljust(256, b"\0")


def bootloader_description(idf: str = "v6.0", date: str = "Aug  8 2025 16:22:11") -> bytes:
    """Return an ``esp_bootloader_desc_t``."""
    return struct.pack("<BxxxI32s24s16x", 80, 3, idf.encode(), date.encode())


def partition_table(table: PartitionTable, *, md5: bool = True) -> bytes:
    """Return a partition table as it stands in flash."""
    rows = b"".join(
        struct.pack("<2sBBII16sI", b"\xaa\x50", p.type, p.subtype, p.offset, p.size, name, p.flags)
        for p in table.partitions
        for name in [p.name.encode()]
    )
    if md5:
        rows += b"\xeb\xeb" + b"\xff" * 14 + hashlib.md5(rows, usedforsecurity=False).digest()
    return rows.ljust(0xC00, b"\xff")


def partition_csv(table: PartitionTable) -> str:
    """Return a partition table as people write it."""
    rows = (
        (p.name, p.type_name, p.subtype_name, hex(p.offset), hex(p.size), ":".join(p.flag_names))
        for p in table.partitions
    )
    return "# Name, Type, SubType, Offset, Size, Flags\n" + "\n".join(map(",".join, rows)) + "\n"
