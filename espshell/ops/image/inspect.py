"""What is in a file, or at a place of a chip's flash: firmware, partitions, and what holds them.

What can be looked at is a result, also with a wrong checksum: then its ``ok`` is False.  What is
nothing known, or is cut off, is an error.  Of a chip only headers and texts are read, unless the
sums are to be checked, which needs every byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from espshell import chips
from espshell.chips import Chip
from espshell.device import Flash
from espshell.errors import DeviceError, UsageError
from espshell.files import read_bytes
from espshell.image import elf, firmware, intel_hex, partitions, signature, uf2
from espshell.image.description import AppDescription, BootloaderDescription, describe
from espshell.image.firmware import Firmware, Layout, Read
from espshell.image.partition_types import APP
from espshell.image.recognise import Content, Kind, contents, recognise
from espshell.image.signature import SECTOR, Signature
from espshell.ops.flash.partitions import Parts
from espshell.ops.flash.plan import FLASH_MODES
from espshell.ops.memory.reading import read_chunks
from espshell.ops.progress import Report, silent
from espshell.ops.result import Result

PADDING = "padding"
"""The memory of a segment that is loaded nowhere."""

_HEAD = 32
_NOTHING = {
    Kind.EMPTY: "is empty",
    Kind.BLANK: "is blank: nothing but FF",
    Kind.COMPRESSED: f"is a {Kind.COMPRESSED.value}",
    Kind.MARKUP: f"is an {Kind.MARKUP.value}",
    Kind.TEXT: f"is {Kind.TEXT.value}",
    Kind.UNKNOWN: "is nothing known",
}
_KINDS = {
    Layout.ESP8266_V1: Kind.ESP8266_V1,
    Layout.ESP8266_V2: Kind.ESP8266_V2,
    Layout.EXTENDED: Kind.FIRMWARE,
}
_LOOKED_FOR = "known are firmware, partition tables, flash images, ELF, Intel HEX and UF2"


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes for a place in memory or flash; ``offset`` is where they begin in the file.

    ``memory`` names the region of the chip's memory map, empty if that is not known.  ``zeroed``
    bytes behind them are 0 when the program starts.
    """

    address: int
    size: int
    offset: int | None = None
    memory: str = ""
    flags: str = ""
    zeroed: int = 0


@dataclass(frozen=True, slots=True)
class FirmwareInfo:
    """A firmware image: what its header means for the chip that it is for."""

    firmware: Firmware
    chip: str
    """Name of the chip; empty if neither the image nor anybody else says it."""
    mode: str
    """Empty if the code means nothing, as all of these."""
    flash_size: str
    frequencies: tuple[str, ...]
    """On an ESP32-C6 two have one code."""
    segments: tuple[Piece, ...]
    description: AppDescription | BootloaderDescription | None
    signatures: tuple[Signature, ...]

    def problems(self) -> Iterator[str]:
        """Yield what does not agree, each as the end of a sentence."""
        yield from self.firmware.problems()
        for number, block in enumerate(self.signatures):
            if block.ok is False:
                damaged = "is damaged" if block.crc_ok is False else "is not of this image"
                yield f"signature {number} {damaged}"


@dataclass(frozen=True, slots=True)
class ImageInfo(Result):
    """What something is, and what is in it; ``offset`` is where it stands in a flash image.

    ``segments`` are those of ELF, Intel HEX and UF2; those of firmware stand there.
    ``contents`` are those of a flash image, also of one in Intel HEX or UF2.
    """

    source: str
    kind: Kind
    size: int
    offset: int = 0
    firmware: FirmwareInfo | None = None
    table: Parts | None = None
    contents: tuple[ImageInfo, ...] = ()
    segments: tuple[Piece, ...] = ()
    machine: str = ""
    entry: int | None = None
    families: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong with it, as far as that was looked at."""
        return not self.problems and all(each.ok for each in self.contents)

    @property
    def failure(self) -> str:
        """What is wrong with it, or with the first thing in it that is not good."""
        if self.problems:
            return f"{self.source}: {self.problems[0]}"
        return next((each.failure for each in self.contents if not each.ok), "")


def inspect_file(path: Path, *, chip: Chip | None = None) -> ImageInfo:
    """Look what is in a file; ``chip`` is the one that it is for, where it does not say.

    Raises: UsageError if it cannot be read, is nothing known, or is cut off or broken.
    """
    return inspect(read_bytes(path), str(path), chip=chip)


def inspect(data: bytes, source: str, *, chip: Chip | None = None) -> ImageInfo:
    """Look what bytes are; ``source`` is what messages call them. Raises: UsageError."""
    kind = recognise(data)
    if kind is Kind.UNKNOWN and data[0] in (firmware.MAGIC, firmware.MAGIC_V2):
        kind = Kind.FIRMWARE  # as good as: its reader says what is wrong
    if kind in _NOTHING:
        begins = f": it begins with {data[:4].hex(' ')}" if kind is Kind.UNKNOWN else ""
        raise UsageError(f"{source} {_NOTHING[kind]}{begins}", hint=_LOOKED_FOR * bool(begins))
    bare = ImageInfo(source, kind, len(data))
    if kind is Kind.ELF:
        return _of_elf(bare, data, chip)
    if kind in (Kind.INTEL_HEX, Kind.UF2):
        return _of_pieces(bare, data, chip)
    try:
        if kind in (Kind.PARTITION_TABLE, Kind.PARTITION_CSV):
            return _of_table(bare, data, chip)
        if kind is Kind.FLASH:
            return replace(bare, contents=tuple(_contents(bare, data, chip)))
        found = firmware.parse(data, esp8266=_is_esp8266(chip))
        return _of_firmware(replace(bare, kind=_KINDS[found.layout]), found, data, chip)
    except UsageError as error:
        raise UsageError(f"{source}: {error.message}", hint=error.hint) from error


def inspect_flash(
    flash: Flash,
    address: int,
    size: int,
    *,
    source: str,
    chip: Chip,
    verify: bool = False,
    report: Report = silent,
) -> ImageInfo:
    """Look what is at a place of a chip's flash; ``size`` is how much can be there at most.

    Headers, texts and signatures are read; with ``verify`` all of the image, to check its sums.

    Raises: DeviceError if nothing known is there, or it is broken.
    """
    flash.check(address, size)

    def read(offset: int, count: int) -> bytes:
        return flash.read(address + offset, min(count, size - offset))

    head = read(0, min(_HEAD, size))
    blank = head.count(b"\xff") == len(head)
    layout = firmware.layout_of(head)
    try:
        if layout is None and head[:2] == b"\xaa\x50":
            bare = ImageInfo(source, Kind.PARTITION_TABLE, partitions.SIZE, address)
            return _of_table(bare, read(0, partitions.SIZE), chip, offset=address)
        if layout is None:
            boot = chip.bootloader_offset
            hint = "" if blank else "`info` tells whether the flash is encrypted"
            if address == 0 and boot:
                hint = f"the bootloader stands at {boot:#x}"
            found = "it is blank (FF)" if blank else f"it begins with {head[:4].hex(' ')}"
            raise UsageError(f"neither firmware nor a partition table: {found}", hint=hint)
        found_at = firmware.parse_from(read, size, verify=False)
        bare = ImageInfo(source, _KINDS[layout], found_at.end, address)
        if not verify:
            note = ("the sums were not checked (--verify reads all of it)",)
            return _of_firmware(replace(bare, notes=note), found_at, read, chip, verify=False)
        # Signatures follow from the next sector on.
        whole = min(size, -(-found_at.end // SECTOR) * SECTOR + SECTOR)
        data = b"".join(read_chunks(flash, address, whole, report=report))
        found_at = firmware.parse_from(firmware.reader(data), whole)
        return _of_firmware(bare, replace(found_at, size=size), data, chip)
    except UsageError as error:
        raise DeviceError(f"{source}: {error.message}", hint=error.hint) from error


def chip_of(found: Firmware) -> Chip | None:
    """Return the chip that an image is for, if it says so and the chip is known."""
    if found.extended is None:
        return chips.load("esp8266")
    number = found.extended.chip_id
    return next((c for c in chips.CHIPS if c.id == number and c.name != "esp8266"), None)


def _is_esp8266(chip: Chip | None) -> bool | None:
    """Say that an image is for an ESP8266 where somebody knows; nobody else has to be believed."""
    return True if chip and chip.name == "esp8266" else None


def _of_firmware(
    bare: ImageInfo,
    found: Firmware,
    data: bytes | Read,
    chip: Chip | None,
    *,
    verify: bool = True,
) -> ImageInfo:
    read = firmware.reader(data) if isinstance(data, bytes) else data
    told = chip_of(found)
    notes = bare.notes
    if chip and told and chip is not told:
        notes = (*notes, f"it says that it is for an {told.title}, not for an {chip.title}")
    info = _firmware_info(found, told or chip, read, verify=verify)
    return replace(bare, firmware=info, problems=tuple(info.problems()), notes=notes)


def _firmware_info(found: Firmware, chip: Chip | None, read: Read, *, verify: bool) -> FirmwareInfo:
    head = found.header
    first_in_flash = found.layout is Layout.ESP8266_V2
    return FirmwareInfo(
        firmware=found,
        chip=chip.name if chip else "",
        mode=FLASH_MODES[head.mode] if head.mode < len(FLASH_MODES) else "",
        flash_size=next((s.name for s in _sizes(chip) if s.code == head.size_code), ""),
        frequencies=tuple(
            name
            for name, code in (chip.flash_frequencies if chip else ())
            if code == head.frequency_code
        ),
        segments=tuple(
            Piece(
                each.address,
                each.size,
                each.offset,
                "stays in flash" if first_in_flash and not number else _memory_of(each, chip),
            )
            for number, each in enumerate(found.segments)
        ),
        description=describe(read, found),
        signatures=signature.find(read, found, verify=verify),
    )


def _sizes(chip: Chip | None) -> Sequence[chips.FlashSize]:
    return chip.flash_sizes if chip else ()


def _memory_of(segment: firmware.Segment, chip: Chip | None) -> str:
    return _memory(chip, segment.address, segment.size) if segment.placed else PADDING


def _memory(chip: Chip | None, address: int, size: int) -> str:
    """Return the names of the regions that a range lies in, which may follow one another."""
    region = chip.region_at(address) if chip else None
    if chip is None or region is None:
        return "not in the memory map" if chip else ""
    names, end = [region.name], address + size
    while region.end < end and (following := chip.region_at(region.end)):
        region = following
        names.append(region.name)
    return " and ".join(names) + (" and past its end" if region.end < end else "")


def _of_table(
    bare: ImageInfo, data: bytes, chip: Chip | None, *, offset: int | None = None
) -> ImageInfo:
    """Return a table; ``offset`` is where it stands in flash, None for a file that is one."""
    offset = partitions.OFFSET if offset is None else offset
    if bare.kind is Kind.PARTITION_CSV:
        boot = chip.bootloader_offset if chip else None
        text = data.decode("utf-8-sig", "replace")
        table = partitions.parse_csv(text, offset=offset, bootloader_offset=boot)
    else:
        table = partitions.parse_binary(data, offset=offset)
    found = Parts(table, bare.source, None, table.problems())
    return replace(bare, table=found, problems=() if found.ok else (found.failure,))


def _contents(
    bare: ImageInfo, data: bytes, chip: Chip | None, *, base: int = 0
) -> Iterator[ImageInfo]:
    """Yield what stands in a flash image, with the applications of its partition table.

    ``base`` is where in flash it begins.
    """
    found = list(contents(data, base=base))
    tables = [_within(bare, data, each, chip, base) for each in found if _is_table(each)]
    offsets = {each.offset for each in found}
    for partition in tables[0].table.table.partitions if tables and tables[0].table else ():
        start = partition.offset - base
        if partition.type != APP or start < 0 or start in offsets:
            continue
        if firmware.layout_of(data[start : start + _HEAD]):
            found.append(Content(start, Kind.FIRMWARE))
    for each in sorted(found, key=lambda each: each.offset):
        yield _within(bare, data, each, chip, base)


def _is_table(content: Content) -> bool:
    return content.kind is Kind.PARTITION_TABLE


def _within(
    bare: ImageInfo, data: bytes, content: Content, chip: Chip | None, base: int
) -> ImageInfo:
    """Return one thing of a flash image; that it is broken is a finding here."""
    start, place = content.offset, base + content.offset
    inner = ImageInfo(f"{bare.source} at {place:#x}", content.kind, 0, place)
    try:
        if _is_table(content):
            piece = data[start : start + partitions.SIZE]
            return _of_table(replace(inner, size=len(piece)), piece, chip, offset=place)

        def read(offset: int, count: int) -> bytes:
            return data[start + offset : start + offset + count]

        found = firmware.parse_from(read, len(data) - start, esp8266=_is_esp8266(chip))
        return _of_firmware(replace(inner, size=found.end), found, read, chip)
    except UsageError as error:
        return replace(inner, problems=(error.message,))


def _of_elf(bare: ImageInfo, data: bytes, chip: Chip | None) -> ImageInfo:
    program = elf.parse_elf(data, name=bare.source)
    pieces = tuple(
        Piece(
            each.address,
            len(each.data),
            None,
            _memory(chip, each.address, each.mem_size),
            each.flags,
            each.mem_size - len(each.data),
        )
        for each in program.segments
    )
    return replace(bare, machine=program.machine, entry=program.entry, segments=pieces)


def _of_pieces(bare: ImageInfo, data: bytes, chip: Chip | None) -> ImageInfo:
    families: tuple[str, ...] = ()
    segments: Sequence[tuple[int, bytes]]
    if bare.kind is Kind.UF2:
        file = uf2.read(data, name=bare.source)
        segments, families = file.segments, tuple(map(_family, file.families))
    else:
        segments = intel_hex.read(data, name=bare.source)
    pieces = tuple(Piece(at, len(piece), None, _named(chip, at)) for at, piece in segments)
    inside = tuple(each for at, data in segments for each in _contents(bare, data, chip, base=at))
    return replace(bare, segments=pieces, families=families, contents=inside)


def _named(chip: Chip | None, address: int) -> str:
    """Return the region of an address, which may be one in flash as well."""
    region = chip.region_at(address) if chip else None
    return region.name if region else ""


def _family(number: int) -> str:
    return next((c.title for c in chips.CHIPS if c.uf2_family == number), f"0x{number:08x}")
