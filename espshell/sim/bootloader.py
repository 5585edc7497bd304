"""What a flash with a partition table prints when it boots: ROM, second stage and application.

All of it comes from what the flash holds at that moment: which application starts is looked up in
the OTA data, one that is damaged is passed over, and the last lines have its name and version.
Nothing is executed.

Sources: lines as ESP-IDF 5.1 prints them on an ESP32-C3; ``esp_image_format.h``,
``esp_flash_partitions.h`` and ``esp_app_desc.h`` for the layouts, "OTA Process Overview" for the
choice of an application.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import reduce
from operator import xor

from espshell.records import dataclass
from espshell.units import KIB, MIB

Read = Callable[[int, int], bytes]

TABLE_OFFSET = 0x8000

_HEADER = struct.Struct("<BBBBI4xH10x")
_SEGMENT = struct.Struct("<II")
_ROW = struct.Struct("<2sBBII16sI")
_TEXTS = struct.Struct("<16x32s32s16s16s32s")
_MAGIC, _ROW_MAGIC, _APP_MAGIC = 0xE9, b"\xaa\x50", b"\x32\x54\xcd\xab"
_BOOTLOADER_MAGIC = 80
_APP, _DATA, _OTA_DATA, _FACTORY, _OTA_0 = 0, 1, 0x00, 0x00, 0x10
_MOST_SIZE = 16 * MIB
"""Of an image (bytes), whatever a partition table says."""
_LETTER_S = 10 / 115_200
_MODES = {0: "QIO", 1: "QOUT", 2: "DIO", 3: "DOUT"}
_FREQUENCIES = {0x0: (40, 2), 0x1: (26, 3), 0x2: (20, 4), 0xF: (80, 1)}
_USAGES = {(1, 0): "OTA data", (1, 1): "RF data", (1, 2): "WiFi data", (1, 3): "Unknown data"}


@dataclass(frozen=True, slots=True)
class _Row:
    # A partition.
    kind: int
    subtype: int
    offset: int
    size: int
    name: str


@dataclass(frozen=True, slots=True)
class _Image:
    # An image; segments are offset in flash, address and size.
    chip: int
    mode: int
    size_frequency: int
    entry: int
    segments: tuple[tuple[int, int, int], ...]
    is_whole: bool

    @property
    def clock(self) -> tuple[int, int]:
        # In MHz, and what 80 MHz are divided by.
        return _FREQUENCIES.get(self.size_frequency & 0x0F, (0, 0))


class Bootloader:
    """Boots what a flash holds, for a chip of an id and a revision."""

    def __init__(self, read: Read, *, offset: int, chip: int, revision: tuple[int, int]) -> None:
        self._read = read
        self._first = _image(read, offset)
        self._rows = tuple(_rows(read))
        self._chip = chip
        self._revision = revision

    def text(self) -> bytes:
        """Return all that is printed; empty where there is no bootloader or no partition table."""
        if self._first is None or not self._rows:
            return b""
        text = "".join(f"{line}\r\n" for line in _rom_lines(self._first))
        for tag, message in self._second_stage(self._first):
            level = "E" if message.startswith("!") else "I"
            time_ms = 24 + round(len(text) * _LETTER_S * 1000)
            text += f"{level} ({time_ms}) {tag}: {message.removeprefix('!')}\r\n"
        return text.encode("ascii", "replace")

    def _second_stage(self, first: _Image) -> Iterator[tuple[str, str]]:
        """Yield tag and message of each line; that of an error begins with ``!``."""
        described = self._read(first.segments[0][0], 64)
        if described[0] == _BOOTLOADER_MAGIC:
            yield "boot", f"ESP-IDF {_text(described[8:40])} 2nd stage bootloader"
            yield "boot", f"compile time {_text(described[40:64])}"
        yield "boot", "chip revision: v{}.{}".format(*self._revision)
        yield "boot", f"SPI Speed      : {first.clock[0]}MHz"
        yield "boot", f"SPI Mode       : {_MODES.get(first.mode, '?')}"
        yield "boot", f"SPI Flash Size : {(1 << (first.size_frequency >> 4)) % 256}MB"
        yield "boot", "Partition Table:"
        yield "boot", "## Label            Usage          Type ST Offset   Length"
        for number, row in enumerate(self._rows):
            usage = _USAGES.get((row.kind, row.subtype), "Unknown data")
            if row.kind == _APP:
                usage = "OTA app" if row.subtype & 0xF0 == _OTA_0 else "factory app"
            ids = f"{row.kind:02x} {row.subtype:02x} {row.offset:08x} {row.size:08x}"
            yield "boot", f"{number:2} {row.name:16} {usage:16} {ids}"
        yield "boot", "End of partition table"
        for row in self._candidates():
            image = _image(self._read, row.offset, row.size)
            yield from self._loaded(row, image)
            if image is not None and image.is_whole and image.chip == self._chip:
                yield from self._started(image)
                return
        yield "boot", "!No bootable app partitions in the partition table"

    def _loaded(self, row: _Row, image: _Image | None) -> Iterator[tuple[str, str]]:
        if image is None:
            magic = self._read(row.offset, 1)[0]
            why = f"has invalid magic byte (nothing flashed here?) 0x{magic:02x}"
            yield "esp_image", f"!image at 0x{row.offset:x} {why}"
            return
        if image.chip != self._chip:
            yield "boot_comm", f"!mismatch chip ID, expected {self._chip}, found {image.chip}"
            return
        for number, (offset, address, size) in enumerate(image.segments):
            place = f"paddr={offset:08x} vaddr={address:08x} size={size:05x}h ({size:6})"
            how = "map" if 0x3C00_0000 <= address < 0x3D00_0000 or address >> 24 == 0x42 else "load"
            yield "esp_image", f"segment {number}: {place} {how}"
        if not image.is_whole:
            yield "esp_image", "!Image hash failed - image is corrupt"
            return
        yield "boot", f"Loaded app from partition at offset 0x{row.offset:x}"

    def _started(self, image: _Image) -> Iterator[tuple[str, str]]:
        data = self._read(image.segments[0][0], _TEXTS.size)
        texts = map(_text, _TEXTS.unpack(data)) if data.startswith(_APP_MAGIC) else iter(())
        version, name, time, date, idf = (*texts, *["?"] * 5)[:5]
        yield "cpu_start", "Pro cpu up."
        yield "cpu_start", "Application information:"
        yield "cpu_start", f"Project name:     {name}"
        yield "cpu_start", f"App version:      {version}"
        yield "cpu_start", f"Compile time:     {date} {time}"
        yield "cpu_start", f"ESP-IDF:          {idf}"
        yield "main_task", "Calling app_main()"
        yield name, f"hello from {name} {version}"

    def _candidates(self) -> Iterator[_Row]:
        """Yield the applications in the order in which they are tried."""
        apps = [row for row in self._rows if row.kind == _APP]
        slots = [row for row in apps if row.subtype & 0xF0 == _OTA_0]
        others = [row for row in apps if row.subtype == _FACTORY]
        sequence = self._sequence()
        if sequence and slots:
            chosen = (sequence - 1) % len(slots)
            return iter((*slots[chosen:], *slots[:chosen], *others))
        return iter((*others, *slots))

    def _sequence(self) -> int:
        """Return the highest valid number in the OTA data; 0 if there is none."""
        numbers = [0]
        for row in self._rows:
            if (row.kind, row.subtype) == (_DATA, _OTA_DATA):
                for sector in (row.offset, row.offset + 4 * KIB):
                    entry = self._read(sector, 32)
                    if struct.unpack_from("<I", entry, 28)[0] == zlib.crc32(entry[:4], 0xFFFF_FFFF):
                        numbers.append(int.from_bytes(entry[:4], "little"))
        return max(numbers)


def _rom_lines(image: _Image) -> Iterator[str]:
    """Yield what the ROM says of the bootloader that it loads."""
    yield "SPIWP:0xee"
    yield f"mode:{_MODES.get(image.mode, '?')}, clock div:{image.clock[1]}"
    for _, address, size in image.segments:
        yield f"load:0x{address:08x},len:0x{size:x}"
    yield f"entry 0x{image.entry:08x}"


def _rows(read: Read) -> Iterator[_Row]:
    for number in range(95):
        magic, kind, subtype, offset, size, name, _ = _ROW.unpack(
            read(TABLE_OFFSET + number * _ROW.size, _ROW.size)
        )
        if magic != _ROW_MAGIC:
            return
        yield _Row(kind, subtype, offset, size, _text(name))


def _image(read: Read, offset: int, size: int = MIB) -> _Image | None:
    """Return the image at an offset, at most ``size`` bytes; None if none begins there."""
    magic, count, mode, size_frequency, entry, chip = _HEADER.unpack(read(offset, _HEADER.size))
    if magic != _MAGIC or not 1 <= count <= 16:
        return None
    end, segments, check = offset + _HEADER.size, [], 0xEF
    limit = offset + min(size, _MOST_SIZE)
    for _ in range(count):
        address, length = _SEGMENT.unpack(read(end, _SEGMENT.size))
        end += _SEGMENT.size
        if end + length > limit:
            return None
        segments.append((end, address, length))
        check = reduce(xor, read(end, length), check)
        end += length
    end |= 0xF
    data = read(offset, end + 1 - offset)
    has_digest = data[_HEADER.size - 1]
    digest = hashlib.sha256(data).digest()
    is_whole = data[-1] == check and (not has_digest or read(end + 1, len(digest)) == digest)
    return _Image(chip, mode, size_frequency, entry, tuple(segments), is_whole)


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("ascii", "replace")
