"""Partition tables: binary as in flash, and CSV as people write them.

A binary table is a row of 32 bytes for each partition, a row with the MD5 of the rows before it,
and FF to the end.  What cannot be read is an error; what can be read but should not be so (a wrong
MD5, partitions that overlap) is a finding: ``md5_ok`` and ``PartitionTable.problems``.

Surprising: a blank offset of a CSV file means "behind the row before", not "behind what is there".
A negative size is the offset where the partition ends.  Rows of the bootloader and of the table
itself get offset and size from where these are, whatever the file says.

Sources: ESP-IDF's guide "Partition Tables"; types are ``esp_partition_type_t`` and
``esp_partition_subtype_t`` of its ``esp_partition.h``; a row is ``esp_partition_info_t`` of its
``esp_flash_partitions.h``; which findings there are, its ``gen_esp32part.py``.
"""

from __future__ import annotations

import hashlib
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

from espshell import tables
from espshell.errors import UsageError
from espshell.image.common import decoded
from espshell.records import dataclass
from espshell.span import Span, align_up
from espshell.units import SECTOR, parse_number, size_text

APP = 0x00
DATA = 0x01
BOOTLOADER = 0x02
TABLE = 0x03

PRIMARY = 0x00
"""Subtype of the bootloader that the ROM starts, and of the table that this bootloader reads."""
OTA_DATA = 0x00
NVS = 0x02
UNDEFINED = 0x06
TEE_OTA_DATA = 0x90

ALIGNMENT = {APP: 0x10000}
"""Offsets of a type are multiples of this, others of a sector: the cache maps apps by 64 KiB."""

_ROWS = [row.split() for row in tables.rows(__package__, "partitions")]

TYPES = {name: int(number, 16) for number, name, *_ in _ROWS}

SUBTYPES = {
    int(number, 16): {name: int(code, 16) for code, name in zip(rest[::2], rest[1::2], strict=True)}
    for number, _, *rest in _ROWS
}
"""Numbers of subtypes by type and name."""

FLAGS = {"encrypted": 1 << 0, "readonly": 1 << 1}

OFFSET = 0x8000
"""Where a table stands in flash, unless the firmware was configured otherwise."""
SIZE = 0xC00
"""Bytes of a table; the rest of its sector is for a signature."""

_ROW = struct.Struct("<2sBBII16sI")
MAGIC = b"\xaa\x50"
"""What each row of a partition begins with."""
_MD5_MAGIC = b"\xeb\xeb"
_MD5_START = _MD5_MAGIC + b"\xff" * 14
_END_MAGIC = b"\xff\xff"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_NAME_SIZE = 16
_READ_WRITE_NVS = 0x3000
_OTA_DATA_SIZE = 0x2000


@dataclass(frozen=True, slots=True)
class Partition:
    """A named piece of flash; ``offset`` from its start, ``flags`` as they stand in the row."""

    name: str
    type: int
    subtype: int
    offset: int
    size: int
    flags: int = 0

    @property
    def end(self) -> int:
        """Offset of the first byte behind it."""
        return self.offset + self.size

    @property
    def span(self) -> Span:
        """The offsets that it covers."""
        return Span.of(self.offset, self.size)

    @property
    def type_name(self) -> str:
        """Name of the type, or its number: ``app``, ``0x40``."""
        return _name(TYPES, self.type)

    @property
    def subtype_name(self) -> str:
        """Name of the subtype, or its number: ``ota_0``, ``nvs``, ``0x41``."""
        return _name(SUBTYPES.get(self.type, {}), self.subtype)

    @property
    def encrypted(self) -> bool:
        """Encrypted if flash encryption is enabled; apps are then, with or without this."""
        return bool(self.flags & FLAGS["encrypted"])

    @property
    def readonly(self) -> bool:
        """Not to be written by the firmware; a loader can all the same."""
        return bool(self.flags & FLAGS["readonly"])

    @property
    def flag_names(self) -> tuple[str, ...]:
        """Names of the flags that are set; bits without a name are left out."""
        return tuple(name for name, bit in FLAGS.items() if self.flags & bit)

    def problems(self) -> Iterator[str]:
        """Yield what is wrong with this partition by itself, each as a sentence."""
        step = ALIGNMENT.get(self.type, SECTOR)
        if self.offset % step:
            yield f"{self.name} starts at 0x{self.offset:x}, which is not a multiple of 0x{step:x}."
        if self.size == 0:
            yield f"{self.name} is empty."
        if self.type == APP and self.size % SECTOR:
            yield f"{self.name} has 0x{self.size:x} bytes, which is not a multiple of 0x1000."
        small = self.size < _READ_WRITE_NVS and not self.readonly
        if (self.type, self.subtype) == (DATA, NVS) and small:
            yield f"{self.name} is too small to be written: NVS needs 0x{_READ_WRITE_NVS:x} bytes."

    def __str__(self) -> str:
        return f"{self.name} (0x{self.offset:x}..0x{self.end:x})"


@dataclass(frozen=True, slots=True)
class PartitionTable:
    """Partitions in the order of their rows, and where in flash the table stands."""

    partitions: tuple[Partition, ...]
    offset: int = OFFSET
    md5_ok: bool | None = None
    """Whether the MD5 row is right; None if there is none, as in CSV and before ESP-IDF 3.1."""

    @property
    def md5(self) -> str:
        """``ok``, ``wrong`` or ``absent``."""
        return {True: "ok", False: "wrong", None: "absent"}[self.md5_ok]

    def find(self, name: str) -> Partition | None:
        """Return the partition of this name; upper and lower case matter only to tell two apart."""
        same = [p for p in self.partitions if p.name.lower() == name.lower()]
        return next((p for p in same if p.name == name), same[0] if same else None)

    def at(self, offset: int) -> Partition | None:
        """Return the first partition that holds an offset in flash."""
        return next((p for p in self.partitions if p.offset <= offset < p.end), None)

    def problems(self, flash_size: int | None = None) -> tuple[str, ...]:
        """Return the problems of the table, each as a sentence; empty if it is good."""
        sentences = ["The table's MD5 is wrong."] if self.md5_ok is False else []
        for partition in self.partitions:
            sentences += partition.problems()
        sentences += [*self._wrong_names(), *self._overlaps()]
        for partition in self.partitions:
            if flash_size is not None and partition.end > flash_size:
                size = size_text(flash_size)
                sentences.append(f"{partition} ends past the end of the flash, which has {size}.")
        return tuple(sentences)

    def _wrong_names(self) -> Iterator[str]:
        for name, count in Counter(partition.name for partition in self.partitions).items():
            if count > 1:
                yield f"{count} partitions have the name {name}."
        for subtype in (OTA_DATA, TEE_OTA_DATA):
            kind = (DATA, subtype)
            same = [p for p in self.partitions if (p.type, p.subtype) == kind]
            if len(same) > 1:
                names = ", ".join(partition.name for partition in same)
                yield f"Only one partition can be data/{same[0].subtype_name}: {names}."
            for name, size in ((p.name, p.size) for p in same if p.size != _OTA_DATA_SIZE):
                yield f"{name} has 0x{size:x} bytes, not 0x{_OTA_DATA_SIZE:x}."

    def _overlaps(self) -> Iterator[str]:
        first = self.offset + SECTOR
        last: Partition | None = None
        for partition in sorted(self.partitions, key=lambda row: row.offset):
            if partition.offset < first and not _is_primary(partition):
                yield f"{partition} starts before 0x{first:x}, where the table's sector ends."
            if last is not None and partition.offset < last.end:
                yield f"{partition} overlaps {last}."
            if last is None or partition.end > last.end:
                last = partition


def parse(data: bytes, *, offset: int = OFFSET) -> PartitionTable:
    """Read the contents of a file: a binary table or CSV.

    Raises: UsageError, see ``parse_binary`` and ``parse_csv``.
    """
    if data[:2] in (MAGIC, _MD5_MAGIC, _END_MAGIC):
        return parse_binary(data, offset=offset)
    try:
        text = data.decode("utf-16" if data[:2] in _UTF_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise _no_table(f"it begins with {data[:2].hex(' ')}, expected aa 50") from error
    return parse_csv(text, offset=offset)


def parse_binary(data: bytes, *, offset: int = OFFSET) -> PartitionTable:
    """Read a table from the bytes at its start; what comes behind its end does not matter.

    ``offset`` is where it stands in flash.  A wrong MD5 is not an error, see ``md5_ok``.

    Raises: UsageError if there is no table, a row is none, or the end is missing.
    """
    partitions: list[Partition] = []
    for start in range(0, min(len(data), SIZE), _ROW.size):
        row = data[start : start + _ROW.size]
        magic = row[:2]
        if magic == _END_MAGIC and not partitions:
            raise _no_table("it is blank there (FF)")
        if magic == _END_MAGIC:
            return PartitionTable(tuple(partitions), offset)
        if len(row) < _ROW.size:
            break
        if magic == _MD5_MAGIC:
            digest = hashlib.md5(data[:start], usedforsecurity=False).digest()
            return PartitionTable(tuple(partitions), offset, row[len(_MD5_START) :] == digest)
        if magic != MAGIC:
            reason = f"row {len(partitions) + 1} begins with {magic.hex(' ')}, not aa 50"
            raise _no_table(reason)
        _, kind, subtype, place, size, label, flags = _ROW.unpack(row)
        partitions.append(Partition(decoded(label), kind, subtype, place, size, flags))
    raise _no_table(f"it does not end within {min(len(data), SIZE)} bytes")


def parse_csv(
    text: str, *, offset: int = OFFSET, bootloader_offset: int | None = None
) -> PartitionTable:
    """Read a table as people write it; ``offset`` is where it will stand in flash.

    ``bootloader_offset`` is the chip's, and needed only for a table that names the bootloader.

    Raises: UsageError with the number of the line.
    """
    partitions: list[Partition] = []
    end = offset + SECTOR
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.strip().startswith("#"):
            continue
        try:
            row = _from_line(line, end)
            if _is_primary(row):
                partitions.append(_placed(row, offset, bootloader_offset))
                continue
        except UsageError as error:
            message = f"line {number} of the partition table: {error.message}"
            raise UsageError(message, hint=error.hint) from error
        partitions.append(row)
        end = row.end
    if not partitions:
        raise UsageError("the partition table has no partitions")
    return PartitionTable(tuple(partitions), offset)


def _no_table(reason: str) -> UsageError:
    return UsageError(f"not a partition table: {reason}")


def _is_primary(partition: Partition) -> bool:
    """Whether it is the bootloader or the table itself, which lie before all others."""
    kinds = (BOOTLOADER, TABLE)
    return partition.type in kinds and partition.subtype == PRIMARY


def _from_line(line: str, end: int) -> Partition:
    """Read a line of CSV; a blank offset is the next aligned one from ``end`` on."""
    name, kind_text, subtype_text, offset_text, size_text_, flag_text, *_ = [
        field.strip() for field in (line + ",,,,,").split(",")
    ]
    kind = _number(kind_text, "type", TYPES)
    subtypes = SUBTYPES.get(kind, {})
    if subtype_text or kind == APP:
        subtype = _number(subtype_text, "subtype", subtypes)
    else:
        subtype = UNDEFINED
    row = Partition(decoded(name.encode()[:_NAME_SIZE]), kind, subtype, 0, 0, _flags(flag_text))
    if kind > 0xFE or subtype > 0xFE:
        raise UsageError("types and subtypes are numbers from 0 to 0xfe")
    if _is_primary(row):
        return row
    step = ALIGNMENT.get(kind, SECTOR)
    offset = align_up(end, step) if not offset_text else _number(offset_text, "offset")
    until = size_text_.startswith("-")
    size = _number(size_text_.removeprefix("-"), "size") - (offset if until else 0)
    if size < 0 or offset + size > 1 << 32:
        raise UsageError(f"it would start at 0x{offset:x} and end at 0x{offset + size:x}")
    return replace(row, offset=offset, size=size)


def _placed(row: Partition, offset: int, bootloader_offset: int | None) -> Partition:
    """Return the row of the table itself or of the bootloader with its place."""
    if row.type == TABLE:
        return replace(row, offset=offset, size=SECTOR)
    if bootloader_offset is None or bootloader_offset >= offset:
        raise UsageError("the chip is unknown, and with it the offset of its bootloader")
    return replace(row, offset=bootloader_offset, size=offset - bootloader_offset)


def _name(names: dict[str, int], number: int) -> str:
    return next((name for name, value in names.items() if value == number), f"0x{number:02x}")


def _number(text: str, what: str, names: dict[str, int] | None = None) -> int:
    value = (names or {}).get(text.lower())
    if value is None:
        value = parse_number(text)
    if value is None and not text:
        raise UsageError(f"no {what}")
    if value is None:
        hint = f"one of {', '.join(names)}, or a number" if names else ""
        raise UsageError(f"{what}: {text!r} is not a {'name' if names else 'number'}", hint=hint)
    return value


def _flags(text: str) -> int:
    flags = 0
    for name in filter(None, text.split(":")):
        if name not in FLAGS:
            raise UsageError(f"flags: {name!r} is not a name", hint=f"one of {', '.join(FLAGS)}")
        flags |= FLAGS[name]
    return flags
