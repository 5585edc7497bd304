"""Firmware images: header, segments, checksum and digest; what an ESP's ROM and bootloader read.

    ESP32 and later   E9 header, extended header, segments, checksum, SHA-256 if its flag says so
    ESP8266, v1       E9 header, segments, checksum
    ESP8266, v2       EA header, one segment that stays in flash, then as v1, then a CRC-32

Surprising:

- Nothing tells ESP8266 v1 from the rest but an address where the extended header would be; see
  ``layout_of``.
- The checksum leaves out the headers and the first part of v2; it stands at the next offset that
  ends in F.
- esptool's ``elf2image --version 3`` (ESP8266) is v1 with a SHA-256 that no flag tells of.
- A wrong checksum is a finding, not an error: the image can still be looked at.

Everything goes through ``Read``, so that an image in a chip's flash can be looked at by reading a
few bytes; what is read is bounded by the size that the caller gives, never by what a header says.

Sources: "Firmware Image Format" of the esptool manual; ESP-IDF ``esp_app_format.h`` and "App Image
Format"; CRC-32 of v2: ``tools/gen_appbin.py`` of Espressif's ESP8266 SDK.  Drive bits, what the
checksum and the digests cover, and version 3 as esptool 5.6 writes and reads them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import Enum
from functools import reduce
from operator import xor

from espshell.errors import UsageError
from espshell.records import dataclass
from espshell.span import ceil_div
from espshell.units import KIB, hex32

Read = Callable[[int, int], bytes]
"""``read(offset, size)`` gives that many bytes, fewer only where there are no more."""

MAGIC = 0xE9
MAGIC_V2 = 0xEA
"""Of the first header of an ESP8266 image of version 2."""

MAX_SEGMENTS = 16
HEAD_SIZE = 24
"""Of both headers of an ESP32 or later (bytes)."""

CHECKSUM_SEED = 0xEF

_HEADER = struct.Struct("<BBBBI")
_EXTENDED = struct.Struct("<B3sHBHH4xB")
_SEGMENT = struct.Struct("<II")
_WORD = struct.Struct("<I")
_DIGEST_SIZE = 32
_CHUNK = 64 * KIB
_SHOWN = 8


class ImageLayout(Enum):
    """How an image is laid out; the module's docstring has the three."""

    ESP8266_V1 = "ESP8266, version 1"
    ESP8266_V2 = "ESP8266, version 2"
    EXTENDED = "ESP32 or later"


@dataclass(frozen=True, slots=True)
class Header:
    """The eight bytes that every image has; flash codes as they stand there."""

    magic: int
    segment_count: int
    mode: int
    size_frequency: int
    entry: int

    @property
    def size_code(self) -> int:
        """The flash size as ``chips`` codes it: the upper half of the byte, in its place."""
        return self.size_frequency & 0xF0

    @property
    def frequency_code(self) -> int:
        """The flash frequency as ``chips`` codes it: the lower half of the byte."""
        return self.size_frequency & 0x0F


@dataclass(frozen=True, slots=True)
class ExtendedHeader:
    """The sixteen bytes that ESP32 and later have behind the header."""

    wp_pin: int
    """0xEE: none."""
    drives: tuple[int, int, int, int, int, int]
    """Drive strengths of the flash pins: CLK, Q, D, CS, HD, WP."""
    chip_id: int
    min_revision_legacy: int
    """Before there were minor revisions: a major revision, on ESP32-C3 a minor one."""
    min_revision_full: int
    max_revision_full: int
    hash_appended: bool

    @property
    def min_revision(self) -> tuple[int, int] | None:
        """Major and minor; None if not set, and then the legacy byte may say more."""
        return _revision(self.min_revision_full)

    @property
    def max_revision(self) -> tuple[int, int] | None:
        """Major and minor; None if not set."""
        return _revision(self.max_revision_full)


@dataclass(frozen=True, slots=True)
class Segment:
    """Bytes for a place in memory; ``offset`` is where they begin in the file."""

    address: int
    size: int
    offset: int

    @property
    def placed(self) -> bool:
        """Whether the address means anything.

        It does not for padding, and for the first part of an ESP8266 image of version 2, which
        stays in flash.
        """
        return self.address != 0


@dataclass(frozen=True, slots=True)
class Sum:
    """A checksum, digest or CRC; ``computed`` is None if the data was not read."""

    stored: bytes
    computed: bytes | None

    @property
    def ok(self) -> bool | None:
        """Whether both agree; None if that is not known."""
        return None if self.computed is None else self.stored == self.computed

    def shown(self) -> tuple[str, str]:
        """Return both in hex, cut behind the first byte in which they differ, but not before 8."""
        computed = self.computed or b""
        pairs = enumerate(zip(self.stored, computed, strict=False), 1)
        size = max(_SHOWN, next((at for at, (one, other) in pairs if one != other), 0))
        return self.stored[:size].hex(), computed[:size].hex()


@dataclass(frozen=True, slots=True)
class Firmware:
    """What an image says of itself, and whether its sums agree."""

    layout: ImageLayout
    size: int
    """Bytes that were looked at: the file, or what the reader was said to have."""
    end: int
    """Offset behind the last byte that belongs to the image; signatures may follow."""
    header: Header
    """Of version 2 the second header, which is for the segments that are loaded."""
    first_header: Header | None
    """Of version 2."""
    extended: ExtendedHeader | None
    segments: tuple[Segment, ...]
    checksum: Sum
    digest: Sum | None
    """SHA-256 of all before it."""
    crc: Sum | None
    """Of version 2: CRC-32 in a form of its own, as it stands there (little endian)."""
    blank_after: bool | None
    """Whether all behind ``end`` is FF or all is 00; None if nothing is there, or was not read."""

    @property
    def trailing(self) -> int:
        """Bytes behind the image."""
        return self.size - self.end

    @property
    def ok(self) -> bool | None:
        """Whether every sum agrees; None if that is not known."""
        sums = [sum_.ok for sum_ in (self.checksum, self.digest, self.crc) if sum_]
        return None if None in sums else all(sums)

    def problems(self) -> Iterator[str]:
        """Yield which sums do not agree, each as the end of a sentence."""
        for name, sum_ in (("checksum", self.checksum), ("SHA-256", self.digest)):
            if sum_ and sum_.computed is not None and not sum_.ok:
                stored, computed = sum_.shown()
                yield f"the {name} is wrong: {stored}, computed is {computed}"
        if self.crc and self.crc.ok is False:
            yield "the CRC is wrong"


def layout_of(head: bytes) -> ImageLayout | None:
    """Return how an image is laid out that begins so; None if no image does.

    ``head`` has twelve bytes at least.  What would be a segment's address in an ESP8266 image are
    the WP pin and the drives in others; a drive has two bits, so that their last byte is neither 3F
    nor 40, with which all of an ESP8266's memory begins.
    """
    if head[:1] == bytes([MAGIC_V2]):
        return ImageLayout.ESP8266_V2
    if head[:1] != bytes([MAGIC]) or len(head) < _HEADER.size + _WORD.size:
        return None
    return ImageLayout.ESP8266_V1 if head[11] in (0x3F, 0x40) else ImageLayout.EXTENDED


def reader(data: bytes, start: int = 0) -> Read:
    """Return a ``Read`` of bytes in memory, from ``start`` on."""
    return lambda offset, size: data[start + offset : start + offset + size]


def parse(data: bytes, *, esp8266: bool | None = None) -> Firmware:
    """Take an image apart that is in memory.

    ``esp8266`` says which kind it is where that is known; None looks.
    Raises: UsageError if it is not an image, or a broken one.
    """
    firmware = parse_from(reader(data), len(data), esp8266=esp8266)
    if not firmware.trailing:
        return firmware
    first = data[firmware.end : firmware.end + 1]
    blank = first in (b"\xff", b"\0") and data.count(first, firmware.end) == firmware.trailing
    return replace(firmware, blank_after=blank)


def parse_from(
    read: Read, size: int, *, esp8266: bool | None = None, verify: bool = True
) -> Firmware:
    """Take an image apart that is read piece by piece; ``size`` is how much can be there at most.

    Without ``verify`` only headers and sums are read, and nothing is known of whether the sums
    agree; with it every byte of the image is read, in order, and headers twice.
    Raises: UsageError if it is not an image, or a broken one; whatever ``read`` raises.
    """
    pieces = _Pieces(read, size)
    header, first, extended, segments = pieces.header(0), None, None, []
    layout = layout_of(pieces.take(0, _HEADER.size + _WORD.size, "its header"))
    if layout is not ImageLayout.ESP8266_V2 and (esp8266 is not None or layout is None):
        layout = ImageLayout.ESP8266_V1 if esp8266 else ImageLayout.EXTENDED
    pieces.offset = _HEADER.size
    if layout is ImageLayout.ESP8266_V2:
        first = header
        segments.append(pieces.segment())
        header = pieces.header(pieces.offset, inner=True)
    elif layout is ImageLayout.EXTENDED:
        extended = pieces.extended()
    if not 1 <= header.segment_count <= MAX_SEGMENTS:
        raise _broken(f"it has {header.segment_count} segments, expected 1 to {MAX_SEGMENTS}")
    segments += [pieces.segment() for _ in range(header.segment_count)]
    checksum_at = pieces.offset | 0xF
    stored = pieces.take(checksum_at, 1, "its checksum")
    in_sum = segments[1:] if first else segments
    sums = _sums(pieces, checksum_at + 1, in_sum) if verify else _Sums()
    digest = _digest(pieces, checksum_at + 1, layout, extended, sums)
    crc = None
    if layout is ImageLayout.ESP8266_V2 and checksum_at + 1 + _WORD.size <= size:
        crc = Sum(pieces.take(checksum_at + 1, _WORD.size, "its CRC"), sums.crc)
    end = checksum_at + 1 + (_DIGEST_SIZE if digest else 0) + (_WORD.size if crc else 0)
    return Firmware(
        layout=layout,
        size=size,
        end=end,
        header=header,
        first_header=first,
        extended=extended,
        segments=tuple(segments),
        checksum=Sum(stored, sums.checksum),
        digest=digest,
        crc=crc,
        blank_after=None,
    )


def patch_header(
    data: bytes,
    *,
    mode: int | None = None,
    size: int | None = None,
    frequency: int | None = None,
) -> bytes:
    """Return an image with other flash settings, its digest made anew where it has one.

    ``mode`` is a byte; ``size`` (0x20) and ``frequency`` (0x0F) are the halves of one, as
    ``Header`` gives them.  What follows the image stays; a signature there fits no longer.
    Raises: UsageError for a broken image, one whose sums do not agree (a new digest would hide
    it), and one of version 2, whose settings no ROM reads.
    """
    firmware = parse(data)
    if firmware.layout is ImageLayout.ESP8266_V2:
        raise UsageError("only images that begin with 0xe9 have flash settings, not 0xea")
    if not firmware.ok:
        raise UsageError(
            "the image is damaged: its checksum or digest is wrong",
            hint="without new flash settings it is written unchanged",
        )
    head = firmware.header
    halves = (head.size_code if size is None else size) | (
        head.frequency_code if frequency is None else frequency
    )
    patched = bytearray(data)
    patched[2:4] = bytes([head.mode if mode is None else mode, halves])
    if firmware.digest:
        start = firmware.end - _DIGEST_SIZE
        patched[start : firmware.end] = hashlib.sha256(patched[:start]).digest()
    return bytes(patched)


@dataclasses.dataclass(slots=True)
class _Pieces:
    # Parts of an image, none of them behind the end; ``offset`` follows the last one.
    read: Read
    size: int
    offset: int = 0

    def take(self, offset: int, size: int, what: str) -> bytes:
        if offset + size > self.size:
            raise _broken(f"{what} at 0x{offset:x} reaches past its end at 0x{self.size:x}")
        data = self.read(offset, size)
        if len(data) != size:
            raise _broken(f"{what} at 0x{offset:x} cannot be read to its end")
        self.offset = offset + size
        return data

    def header(self, offset: int, *, inner: bool = False) -> Header:
        fields = Header(*_HEADER.unpack(self.take(offset, _HEADER.size, "its header")))
        if inner and fields.magic != MAGIC:
            raise _broken(f"its second header at 0x{offset:x} begins with 0x{fields.magic:02x}")
        if fields.magic not in (MAGIC, MAGIC_V2):
            raise UsageError(
                f"not a firmware image: it begins with 0x{fields.magic:02x}, expected 0xe9 or 0xea"
            )
        return fields

    def extended(self) -> ExtendedHeader:
        data = self.take(_HEADER.size, _EXTENDED.size, "its extended header")
        wp_pin, drives, chip, legacy, low, high, flag = _EXTENDED.unpack(data)
        if flag > 1:
            raise _broken(f"its hash flag is 0x{flag:02x}, expected 0 or 1")
        clk, q, d, cs, hd, wp = (half for byte in drives for half in (byte & 0xF, byte >> 4))
        return ExtendedHeader(wp_pin, (clk, q, d, cs, hd, wp), chip, legacy, low, high, flag == 1)

    def segment(self) -> Segment:
        data = self.take(self.offset, _SEGMENT.size, "the header of a segment")
        address, size = _SEGMENT.unpack(data)
        start = self.offset
        self.offset += size
        if self.offset > self.size:
            raise _broken(
                f"the segment for {hex32(address)} has 0x{size:x} bytes,"
                f" only 0x{self.size - start:x} are left"
            )
        return Segment(address, size, start)

    def chunks(self, start: int, end: int) -> Iterator[bytes]:
        for offset in range(start, end, _CHUNK):
            yield self.take(offset, min(_CHUNK, end - offset), "its data")


@dataclass(frozen=True, slots=True)
class _Sums:
    # What was computed; empty where nothing was.
    checksum: bytes | None = None
    digest: bytes | None = None
    crc: bytes | None = None


def _broken(what: str) -> UsageError:
    return UsageError(f"the image is damaged: {what}", hint="it may be truncated or damaged")


def _revision(full: int) -> tuple[int, int] | None:
    # Both say "not set" to ESP-IDF's bootloader.
    return None if full in (0, 0xFFFF) else divmod(full, 100)


def _sums(pieces: _Pieces, end: int, segments: list[Segment]) -> _Sums:
    # All that is before the digest, once and in order.
    digest, crc, folded, position = hashlib.sha256(), 0, 0, 0
    for segment in [*segments, None]:
        bounds = (segment.offset, segment.offset + segment.size) if segment else (end, end)
        for start, stop, counts in ((position, bounds[0], False), (*bounds, True)):
            for chunk in pieces.chunks(start, stop):
                digest.update(chunk)
                crc = zlib.crc32(chunk, crc)
                # Whole chunks as one number each: a hundred times as fast as byte by byte.
                folded ^= int.from_bytes(chunk, "little") if counts else 0
        position = bounds[1]
    checksum = reduce(
        xor, folded.to_bytes(ceil_div(folded.bit_length(), 8), "little"), CHECKSUM_SEED
    )
    # The SDK's script takes the CRC as a signed number and writes |crc| - 1 or |crc| + 1.
    crc = crc ^ 0xFFFF_FFFF if crc >> 31 else crc + 1
    return _Sums(bytes([checksum]), digest.digest(), _WORD.pack(crc))


def _digest(
    pieces: _Pieces, at: int, layout: ImageLayout, extended: ExtendedHeader | None, sums: _Sums
) -> Sum | None:
    if extended:
        if not extended.hash_appended:
            return None
        return Sum(pieces.take(at, _DIGEST_SIZE, "its SHA-256"), sums.digest)
    if layout is ImageLayout.ESP8266_V1 and sums.digest and at + _DIGEST_SIZE <= pieces.size:
        # No flag tells of it: it is one if it agrees.
        stored = pieces.take(at, _DIGEST_SIZE, "its SHA-256")
        return Sum(stored, sums.digest) if stored == sums.digest else None
    return None
