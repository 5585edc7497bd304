"""The contents of a file or a place of flash: firmware, partitions, and containers of these.

Whatever can be parsed is a result, also with a wrong checksum: then its ``ok`` is False.  An
unknown format, or a file that is cut off, is an error.  Of a chip only headers and texts are read,
unless the sums are to be checked, which needs every byte.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from pathlib import Path

from espshell import chips
from espshell.chips import Chip
from espshell.device import Flash
from espshell.errors import DeviceError, UsageError
from espshell.files import read_bytes
from espshell.image import elf, firmware, intel_hex, partitions, signature, uf2
from espshell.image.description import AppDescription, BootloaderDescription, describe
from espshell.image.firmware import Firmware, ImageLayout, Read
from espshell.image.partitions import APP
from espshell.image.recognise import KINDS, Content, FileKind, contents, recognise
from espshell.image.signature import Signature
from espshell.ops.flash.partitions import Parts
from espshell.ops.flash.payload import FLASH_MODES
from espshell.ops.memory.reading import read_chunks
from espshell.ops.result import Report, Result, silent
from espshell.span import Span, align_up
from espshell.units import SECTOR

PADDING = "padding"
"""The memory of a segment that is loaded nowhere."""

_HEAD = 32
_NOTHING = {
    FileKind.EMPTY: "is empty",
    FileKind.BLANK: "is blank: nothing but FF",
    FileKind.COMPRESSED: f"is a {FileKind.COMPRESSED.value}",
    FileKind.MARKUP: f"is an {FileKind.MARKUP.value}",
    FileKind.TEXT: f"is {FileKind.TEXT.value}",
    FileKind.UNKNOWN: "is nothing known",
}
_LOOKED_FOR = "supported: firmware, partition tables, flash images, ELF, Intel HEX and UF2"


@dataclass(frozen=True, slots=True)
class SegmentInfo:
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
    """Name of the chip; empty if neither the image nor the caller says it."""
    mode: str
    """Empty if the code means nothing, as all of these."""
    flash_size: str
    frequencies: tuple[str, ...]
    """On an ESP32-C6 two have one code."""
    segments: tuple[SegmentInfo, ...]
    description: AppDescription | BootloaderDescription | None
    signatures: tuple[Signature, ...]

    def problems(self) -> Iterator[str]:
        """Yield what does not agree, each as the end of a sentence."""
        yield from self.firmware.problems()
        for number, block in enumerate(self.signatures):
            if block.ok is False:
                damaged = "is damaged" if block.crc_ok is False else "is not part of this image"
                yield f"signature {number} {damaged}"


@dataclass(frozen=True, slots=True)
class ImageInfo(Result):
    """The kind and contents of a file or place; ``offset`` is its place in a flash image.

    ``segments`` are those of ELF, Intel HEX and UF2; those of firmware stand there.
    ``contents`` are those of a flash image, also of one in Intel HEX or UF2.
    """

    source: str
    kind: FileKind
    size: int
    offset: int = 0
    firmware: FirmwareInfo | None = None
    table: Parts | None = None
    contents: tuple[ImageInfo, ...] = ()
    segments: tuple[SegmentInfo, ...] = ()
    machine: str = ""
    entry: int | None = None
    families: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def failure(self) -> str:
        """What is wrong with it, or with the first thing in it that is not good."""
        if self.problems:
            return f"{self.source}: {self.problems[0]}"
        return next((content.failure for content in self.contents if not content.ok), "")


def inspect_file(path: Path, *, chip: Chip | None = None) -> ImageInfo:
    """Inspect a file; ``chip`` is the one that it is for, where it does not say.

    Raises: UsageError if it cannot be read, is nothing known, or is truncated or damaged.
    """
    return inspect(read_bytes(path), str(path), chip=chip)


def inspect(data: bytes, source: str, *, chip: Chip | None = None) -> ImageInfo:
    """Inspect bytes; ``source`` is their name in messages. Raises: UsageError."""
    kind = recognise(data)
    if kind is FileKind.UNKNOWN and data[0] in (firmware.MAGIC, firmware.MAGIC_V2):
        kind = FileKind.FIRMWARE  # its reader says what is wrong
    if kind in _NOTHING:
        begins = f": it begins with {data[:4].hex(' ')}" if kind is FileKind.UNKNOWN else ""
        raise UsageError(f"{source} {_NOTHING[kind]}{begins}", hint=_LOOKED_FOR if begins else "")
    bare = ImageInfo(source, kind, len(data))
    if kind is FileKind.ELF:
        return _of_elf(bare, data, chip)
    if kind in (FileKind.INTEL_HEX, FileKind.UF2):
        return _of_pieces(bare, data, chip)
    try:
        if kind in (FileKind.PARTITION_TABLE, FileKind.PARTITION_CSV):
            return _of_table(bare, data, chip)
        if kind is FileKind.FLASH:
            return replace(bare, contents=tuple(_contents(bare, data, chip)))
        image = firmware.parse(data, esp8266=_is_esp8266(chip))
        return _of_firmware(
            replace(bare, kind=KINDS[image.layout]), image, firmware.reader(data), chip
        )
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
    """Inspect a place of a chip's flash; ``size`` is how much can be there at most.

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
        if layout is None and head.startswith(partitions.MAGIC):
            bare = ImageInfo(source, FileKind.PARTITION_TABLE, partitions.SIZE, address)
            return _of_table(bare, read(0, partitions.SIZE), chip, offset=address)
        if layout is None:
            boot = chip.bootloader_offset
            hint = "" if blank else "`info` tells whether the flash is encrypted"
            if address == 0 and boot:
                hint = f"the bootloader is at {boot:#x}"
            begins = "it is blank (FF)" if blank else f"it begins with {head[:4].hex(' ')}"
            raise UsageError(f"neither firmware nor a partition table: {begins}", hint=hint)
        image = firmware.parse_from(read, size, verify=False)
        bare = ImageInfo(source, KINDS[layout], image.end, address)
        if not verify:
            note = ("checksum and digest not checked (--verify reads everything)",)
            return _of_firmware(replace(bare, notes=note), image, read, chip, verify=False)
        # Signatures follow from the next sector on.
        whole = min(size, align_up(image.end, SECTOR) + SECTOR)
        data = b"".join(read_chunks(flash, address, whole, report=report))
        image = firmware.parse_from(firmware.reader(data), whole)
        return _of_firmware(bare, replace(image, size=size), firmware.reader(data), chip)
    except UsageError as error:
        raise DeviceError(f"{source}: {error.message}", hint=error.hint) from error


def chip_of(image: Firmware) -> Chip | None:
    """Return the chip that an image is for, if it says so and the chip is known."""
    if image.extended is None:
        return chips.load("esp8266")
    number = image.extended.chip_id
    return next((c for c in chips.CHIPS if c.id == number and c.name != "esp8266"), None)


def _is_esp8266(chip: Chip | None) -> bool | None:
    """Return True for an image of an ESP8266; None where the image itself has to tell."""
    return True if chip and chip.name == "esp8266" else None


def _of_firmware(
    bare: ImageInfo,
    image: Firmware,
    read: Read,
    chip: Chip | None,
    *,
    verify: bool = True,
) -> ImageInfo:
    own_chip = chip_of(image)
    notes = bare.notes
    if chip and own_chip and chip is not own_chip:
        notes = (*notes, f"its header names an {own_chip.title}, not for an {chip.title}")
    info = _firmware_info(image, own_chip or chip, read, verify=verify)
    return replace(bare, firmware=info, problems=tuple(info.problems()), notes=notes)


def _firmware_info(image: Firmware, chip: Chip | None, read: Read, *, verify: bool) -> FirmwareInfo:
    head, sizes = image.header, chip.flash_sizes if chip else ()
    memories = [
        _memory(chip, segment.address, segment.size) if segment.placed else PADDING
        for segment in image.segments
    ]
    if image.layout is ImageLayout.ESP8266_V2:
        memories[0] = "stays in flash"
    return FirmwareInfo(
        firmware=image,
        chip=chip.name if chip else "",
        mode=FLASH_MODES[head.mode] if head.mode < len(FLASH_MODES) else "",
        flash_size=next((size.name for size in sizes if size.code == head.size_code), ""),
        frequencies=tuple(
            name
            for name, code in (chip.flash_frequencies if chip else ())
            if code == head.frequency_code
        ),
        segments=tuple(
            SegmentInfo(segment.address, segment.size, segment.offset, memory)
            for segment, memory in zip(image.segments, memories, strict=True)
        ),
        description=describe(read, image),
        signatures=signature.find(read, image, verify=verify),
    )


def _memory(chip: Chip | None, address: int, size: int) -> str:
    """Return the names of the regions that a range lies in, which may follow one another."""
    if chip is None:
        return ""
    regions = [region for _, region in chip.walk(Span.of(address, max(size, 1)))]
    names = [region.name if region else "past its end" for region in regions]
    return " and ".join(names) if regions[0] else "not in the memory map"


def _of_table(
    bare: ImageInfo, data: bytes, chip: Chip | None, *, offset: int | None = None
) -> ImageInfo:
    """Return a table; ``offset`` is where it stands in flash, None for a file that is one."""
    is_placed, offset = offset is not None, partitions.OFFSET if offset is None else offset
    if bare.kind is FileKind.PARTITION_CSV:
        boot = chip.bootloader_offset if chip else None
        text = data.decode("utf-8-sig", "replace")
        table = partitions.parse_csv(text, offset=offset, bootloader_offset=boot)
    else:
        table = partitions.parse_binary(data, offset=offset)
    parts = Parts(table, bare.source, None, table.problems(), is_placed)
    return replace(bare, table=parts, problems=() if parts.ok else (parts.failure,))


def _contents(
    bare: ImageInfo, data: bytes, chip: Chip | None, *, base: int = 0
) -> Iterator[ImageInfo]:
    """Yield the contents of a flash image, with the applications of its partition table.

    ``base`` is where in flash it begins.
    """
    things = list(contents(data, base=base))
    rows = [content for content in things if content.kind is FileKind.PARTITION_TABLE]
    parts = _within(bare, data, rows[0], chip, base).table if rows else None
    offsets = {content.offset for content in things}
    for partition in parts.table.partitions if parts else ():
        start = partition.offset - base
        if partition.type != APP or start < 0 or start in offsets:
            continue
        if firmware.layout_of(data[start : start + _HEAD]):
            things.append(Content(start, FileKind.FIRMWARE))
    for content in sorted(things, key=attrgetter("offset")):
        yield _within(bare, data, content, chip, base)


def _within(
    bare: ImageInfo, data: bytes, content: Content, chip: Chip | None, base: int
) -> ImageInfo:
    """Inspect one item of a flash image; a broken one is a finding here, not an error."""
    start, place = content.offset, base + content.offset
    inner = ImageInfo(f"{bare.source} at {place:#x}", content.kind, 0, place)
    try:
        if content.kind is FileKind.PARTITION_TABLE:
            piece = data[start : start + partitions.SIZE]
            return _of_table(replace(inner, size=len(piece)), piece, chip, offset=place)
        read = firmware.reader(data, start)
        image = firmware.parse_from(read, len(data) - start, esp8266=_is_esp8266(chip))
        return _of_firmware(replace(inner, size=image.end), image, read, chip)
    except UsageError as error:
        return replace(inner, problems=(error.message,))


def _of_elf(bare: ImageInfo, data: bytes, chip: Chip | None) -> ImageInfo:
    program = elf.parse_elf(data, name=bare.source)
    pieces = tuple(
        SegmentInfo(
            segment.address,
            len(segment.data),
            None,
            _memory(chip, segment.address, segment.mem_size),
            segment.flags,
            segment.mem_size - len(segment.data),
        )
        for segment in program.segments
    )
    return replace(bare, machine=program.machine, entry=program.entry, segments=pieces)


def _of_pieces(bare: ImageInfo, data: bytes, chip: Chip | None) -> ImageInfo:
    families: tuple[str, ...] = ()
    segments: Sequence[tuple[int, bytes]]
    if bare.kind is FileKind.UF2:
        file = uf2.read(data, name=bare.source)
        names = {chip.uf2_family: chip.title for chip in chips.CHIPS}
        segments = file.segments
        families = tuple(names.get(number, f"0x{number:08x}") for number in file.families)
    else:
        segments = intel_hex.read(data, name=bare.source)
    pieces = tuple(
        SegmentInfo(at, len(piece), None, region.name if region else "")
        for at, piece in segments
        for region in [chip.region_at(at) if chip else None]
    )
    inside = tuple(
        content for at, data in segments for content in _contents(bare, data, chip, base=at)
    )
    return replace(bare, segments=pieces, families=families, contents=inside)
