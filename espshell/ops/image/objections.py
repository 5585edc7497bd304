"""Objections to writing a file to a place of a chip's flash: pure, before anything is sent.

The kind of the file (``image.recognise``) is compared with the role of the place.  Where the ROM or
the bootloader looks for something to start, a file of another kind, a damaged image, or one for
another chip or revision cannot boot.  An unknown kind is not judged: it may be encrypted.

In a data partition anything may stand, such as the firmware of another chip; so the partition table
is asked for, but only if there is something to object to.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from enum import Enum

from espshell.chips import Chip, Kind
from espshell.errors import UsageError
from espshell.image import firmware, partitions
from espshell.image.description import AppDescription, BootloaderDescription, describe
from espshell.image.firmware import ExtendedHeader, Firmware, ImageLayout
from espshell.image.partitions import APP, BOOTLOADER, PartitionTable
from espshell.image.recognise import FOREIGN, OFFSETS, FileKind, contents, recognise
from espshell.ops.flash.payload import Payload
from espshell.records import dataclass

FIRST_APP = 0x1_0000
"""Where ESP-IDF puts the first application; taken for its place where no table says otherwise."""

_BOOTLOADER_OFFSETS = (0, 0x1000, 0x2000)
"""Of all chips; behind them the partition table follows, so no application stands there."""

_FIRMWARE = (FileKind.FIRMWARE, FileKind.ESP8266_V1, FileKind.ESP8266_V2, FileKind.FLASH)
_NEVER_IN_FLASH = {
    FileKind.ELF: "`image elf` makes an image of it",
    FileKind.UF2: "a UF2 file is for a bootloader that appears as a disk",
}


_NOT_SET = 0xFFFF


class Role(Enum):
    """The purpose of a place in flash."""

    BOOTLOADER = "the bootloader"
    TABLE = "the partition table"
    APP = "an application"
    DATA = "data"
    ANY = "anything"


@dataclass(frozen=True, slots=True)
class FlashMap:
    """The roles of places in a chip's flash."""

    chip: Chip
    table: Callable[[], PartitionTable | None] = lambda: None
    """Finds the partition table, where there is one; called at most once a question."""
    table_offset: int = partitions.OFFSET

    def role(self, address: int) -> Role:
        """Return the role of an address."""
        if address == self.chip.bootloader_offset:
            return Role.BOOTLOADER
        if self.chip.name == "esp8266":
            return Role.ANY
        if address == self.table_offset:
            return Role.TABLE
        table = self.table()
        if table is None:
            return Role.APP if address == FIRST_APP else Role.ANY
        partition = table.at(address)
        if partition is None or partition.type == BOOTLOADER:
            return Role.ANY
        if partition.type == APP:
            return Role.APP if partition.offset == address else Role.ANY
        return Role.DATA


def objections(
    payload: Payload, flash_map: FlashMap, revision: tuple[int, int] | None = None
) -> tuple[str, ...]:
    """Return why an image cannot be right for its place, the most telling first.

    revision: major and minor of the chip, where it is known.
    """
    kind = recognise(payload.data)
    if kind in _FIRMWARE or _is_almost_firmware(payload.data):
        return tuple(_firmware_objections(payload, flash_map, revision))
    return tuple(_kind_objections(payload, kind, flash_map)) if kind in FOREIGN else ()


def chip_objection(name: str, image: Firmware, chip: Chip) -> str:
    """Return why an image cannot be for a chip, or an empty text; ``name`` is the image's."""
    is_old = chip.name == "esp8266"
    if is_old and image.layout is ImageLayout.EXTENDED:
        return f"{name} is an image for an ESP32 or later, not for an ESP8266"
    if not is_old and image.layout is not ImageLayout.EXTENDED:
        return f"{name} is an image for an ESP8266, not for an {chip.title}"
    if image.extended is not None and image.extended.chip_id != chip.id:
        return (
            f"{name} is for another chip: its header has ID {image.extended.chip_id}, "
            f"an {chip.title} has {chip.id}"
        )
    return ""


def revision_objections(
    name: str, head: ExtendedHeader, chip: Chip, revision: tuple[int, int]
) -> Iterator[str]:
    """Yield the bounds of an image's header that a revision (major and minor) does not keep.

    The byte from before there were minor revisions counts where the newer fields are not set: a
    major revision, on an ESP32-C3 a minor one.

    Source: which fields count is ESP-IDF's ``bootloader_common_check_chip_validity`` as esptool
    5.6 decides it; observed.
    """
    text = "v{}.{}".format(*revision)
    only_legacy = head.min_revision_full == 0 and head.min_revision_legacy != 0
    if head.max_revision_full == 0 or (head.max_revision_full == _NOT_SET and only_legacy):
        part, number = ("minor ", revision[1]) if chip.name == "esp32c3" else ("", revision[0])
        if number < head.min_revision_legacy:
            yield (
                f"{name} needs at least {part}revision {head.min_revision_legacy}; "
                f"this chip is {text}"
            )
        return
    if head.min_revision is not None and revision < head.min_revision:
        least = "v{}.{}".format(*head.min_revision)
        yield f"{name} needs a revision of at least {least}; this chip is {text}"
    if head.max_revision is not None and revision > head.max_revision:
        most = "v{}.{}".format(*head.max_revision)
        yield f"{name} needs a revision of at most {most}; this chip is {text}"


def _kind_objections(payload: Payload, kind: FileKind, flash_map: FlashMap) -> Iterator[str]:
    role = flash_map.role(payload.address)
    if kind is FileKind.PARTITION_TABLE and role is Role.TABLE:
        try:
            table = partitions.parse_binary(payload.data, offset=payload.address)
            if table.md5_ok is False:
                yield f"{payload.name}: the MD5 of the partition table is wrong"
        except UsageError as error:
            yield f"{payload.name}: {error.message}"
        return
    what = f"{payload.name} is not firmware: {kind.value}"
    if role in (Role.BOOTLOADER, Role.TABLE, Role.APP):
        yield f"{what}; {payload.address:#x} is for {role.value}"
    elif kind in _NEVER_IN_FLASH and role is not Role.DATA:
        yield f"{what}; {_NEVER_IN_FLASH[kind]}"


def _firmware_objections(
    payload: Payload, flash_map: FlashMap, revision: tuple[int, int] | None
) -> Iterator[str]:
    """Yield objections to each firmware image in the data, which may be several, merged."""
    whole = {content.offset for content in contents(payload.data, base=payload.address)}
    end = 0
    for offset in (
        0,
        *(content - payload.address for content in OFFSETS if content > payload.address),
    ):
        data = payload.data[offset:]
        if offset < end or not (_is_almost_firmware(data) or offset in whole):
            continue
        if firmware.layout_of(data[: firmware.HEAD_SIZE]) is None:
            continue  # a partition table
        place = payload.address + offset
        name = f"{payload.name} at {place:#x}" if offset else payload.name
        texts = list(_one_firmware(data, name, place, flash_map, revision))
        if texts and flash_map.role(place) is not Role.DATA:
            yield from texts
        with contextlib.suppress(UsageError):
            read = firmware.reader(data)
            end = offset + firmware.parse_from(read, len(data), verify=False).end


def _one_firmware(
    data: bytes, name: str, place: int, flash_map: FlashMap, revision: tuple[int, int] | None
) -> Iterator[str]:
    chip = flash_map.chip
    try:
        parsed = firmware.parse(data)
    except UsageError as error:
        yield f"{name}: {error.message}"
        return
    if text := chip_objection(name, parsed, chip):
        yield text
        return
    if parsed.extended is not None and revision is not None:
        yield from revision_objections(name, parsed.extended, chip, revision)
    for problem in parsed.problems():
        yield f"{name} is damaged: {problem}"
    if chip.name != "esp8266":
        yield from _place_objections(data, parsed, name, place, flash_map)


def _place_objections(
    data: bytes, parsed: Firmware, name: str, place: int, flash_map: FlashMap
) -> Iterator[str]:
    """Yield why an image that is good does not start from where it goes."""
    chip = flash_map.chip
    boot = f"an {chip.title} looks for its bootloader at {chip.bootloader_offset:#x}"
    description = describe(firmware.reader(data), parsed)
    is_app = isinstance(description, AppDescription) or any(
        region and region.kind is Kind.FLASH
        for region in (
            chip.region_at(segment.address) for segment in parsed.segments if segment.placed
        )
    )
    if place == chip.bootloader_offset:
        if is_app:
            yield f"{name} is an application, and {place:#x} is for the bootloader"
    elif place in _BOOTLOADER_OFFSETS:
        yield f"{name} does not start from {place:#x}: {boot}"
    elif place == flash_map.table_offset:
        yield f"{name} is firmware, and {place:#x} is for the partition table"
    elif isinstance(description, BootloaderDescription) and flash_map.role(place) is Role.APP:
        yield f"{name} is a bootloader, and {place:#x} is for an application: {boot}"


def _is_almost_firmware(data: bytes) -> bool:
    """Return whether data begins as an image does that was cut off or damaged.

    Its header must make sense, so that not every file with the right first byte is called so.
    """
    head = data[: firmware.HEAD_SIZE]
    layout = firmware.layout_of(head)
    if layout is None or not 1 <= data[1] <= firmware.MAX_SEGMENTS:
        return False
    if layout is ImageLayout.ESP8266_V2:
        return not any(head[8:12])  # its first part is for no address
    if layout is ImageLayout.ESP8266_V1:
        return True
    padding, flag = head[19:23], head[23:24]
    return len(head) < firmware.HEAD_SIZE or (not any(padding) and flag in (b"\0", b"\1"))
