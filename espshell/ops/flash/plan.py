"""What a write or an erase of flash would do, before anything is sent: pure.

A plan covers whole sectors, because flash is erased in sectors.  What must not be done raises;
what a person should know and may want all the same is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from espshell.chips import Chip
from espshell.errors import DeviceError, UsageError
from espshell.image import firmware, partitions
from espshell.image.partitions import PartitionTable
from espshell.loader import erase
from espshell.ops.flash.payload import Image
from espshell.ops.image.objections import FlashMap, objections
from espshell.ops.memory.diff import Span
from espshell.units import hex32, size_text

SECTOR = erase.SECTOR
"""What the smallest erase covers (bytes)."""

FLASH_MODES = ("qio", "qout", "dio", "dout")
"""Modes by their code in an image's header (ESP-IDF, ``esp_image_spi_mode_t``)."""

_ERASE_S = 0.05  # of a sector, typical
_PROGRAM_S = 0.012  # of a sector, typical
_LOADS_BEFORE = 0x8000  # a bootloader ends before the partition table


@dataclass(frozen=True, slots=True)
class Facts:
    """What a plan must know of the chip and its flash."""

    chip: Chip
    flash_size: int
    revision: tuple[int, int] | None = None
    """Major and minor of the chip, where they are known."""
    secure_boot: bool = False
    encrypted: bool = False
    """Whether flash encryption is on: plain images do not boot then."""
    protected: tuple[Span, ...] = ()
    """What the flash's own status registers protect."""
    secure_download: bool = False
    plain_only: bool = False
    """Whether the chip refuses to encrypt what it is sent (eFuse DIS_DOWNLOAD_MANUAL_ENCRYPT)."""
    table: Callable[[], PartitionTable | None] = lambda: None
    """Finds the partition table; called only if there is something to object to."""
    table_offset: int = partitions.OFFSET


@dataclass(frozen=True, slots=True)
class Plan:
    """Images, and the sectors that hold them.

    ``ranges`` are whole sectors, merged and in order; ``edges`` are the bytes in them that belong
    to no image: kept, or lost with the erase.
    """

    images: tuple[Image, ...]
    ranges: tuple[Span, ...]
    edges: tuple[Span, ...]
    keep_edges: bool
    warnings: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of all images."""
        return sum(len(image.data) for image in self.images)

    @property
    def sectors(self) -> int:
        """How many sectors they touch."""
        return sum(each.size for each in self.ranges) // SECTOR


def plan_write(
    images: Sequence[Image],
    facts: Facts,
    *,
    keep_edges: bool = False,
    force: bool = False,
) -> Plan:
    """Return what writing images means.

    force: what would only fail to boot is a warning.

    Raises: UsageError if it cannot be done, or must not be; DeviceError if flash is protected.
    """
    notes = [note for image in images if not image.data for note in image.notes]
    images = [image for image in images if image.data]
    flash_map = FlashMap(facts.chip, facts.table, facts.table_offset)
    reasons = [text for each in images for text in objections(each, flash_map, facts.revision)]
    reasons += _too_large(images) + _secured(images, facts) + _encrypted(images, facts)
    for image in images:
        _require_inside(image.address, len(image.data), facts.flash_size, image.name)
        if image.address % SECTOR and not keep_edges:
            below = image.address - image.address % SECTOR
            raise UsageError(
                f"{hex32(image.address)} is not the start of a sector: flash is erased 4 KiB at a "
                f"time, and {hex32(below)}..{hex32(image.address)} would be lost",
                hint="--keep-edges reads it and writes it back",
            )
    ranges = _sectors_of(images)
    _require_unprotected(ranges, facts)
    if reasons and not force:
        raise UsageError(reasons[0], hint="--force writes it all the same")
    notes += [*reasons, *(text for image in images for text in _warnings(image, facts))]
    return Plan(tuple(images), ranges, _edges(images, ranges), keep_edges, tuple(notes))


def plan_erase(
    address: int, size: int, facts: Facts, *, keep_edges: bool = False, force: bool = False
) -> Span:
    """Return the whole sectors of a range, as long as they may be erased.

    With ``keep_edges`` the sectors at its ends may be part of it only.  With ``force`` also what
    secure boot or flash encryption may need.

    Raises: UsageError; DeviceError if it is protected.
    """
    _require_inside(address, size, facts.flash_size, "the range", hint="`flash-id` tells its size")
    first, end = address - address % SECTOR, -(-(address + size) // SECTOR) * SECTOR
    if (first, end) != (address, address + size) and not keep_edges:
        raise UsageError(
            f"{hex32(address)}..{hex32(address + size)} is not whole sectors of 4 KiB",
            hint=f"{first:#x}..{end:#x} is; --keep-edges erases just the range",
        )
    _require_unprotected((Span(first, end - first),), facts)
    reason = _erase_objection(first, facts)
    if reason and not force:
        raise UsageError(reason, hint="--force erases it all the same")
    return Span(first, end - first)


def _erase_objection(first: int, facts: Facts) -> str:
    """Return why sectors from an address on should stay; empty if they need not.

    In secure download mode only the bootloader is guarded, as an update erases what it replaces.

    Source: esptool 5.6 refuses to erase where either is on, but not in secure download mode.
    """
    if facts.secure_boot and first < _LOADS_BEFORE:
        return "secure boot is on: without its signed bootloader this chip never starts again"
    if facts.secure_download or not (facts.secure_boot or facts.encrypted):
        return ""
    name = "secure boot" if facts.secure_boot else "flash encryption"
    return f"{name} is on: what is erased may be what this chip needs to start"


def seconds(sectors: int, size: int, baud: int) -> float:
    """Return about how long writing takes at most: typical erases, and all bytes uncompressed."""
    return sectors * (_ERASE_S + _PROGRAM_S) + size * 10 / baud


def _require_inside(
    address: int, size: int, flash_size: int, name: str, hint: str = "is it for a larger flash?"
) -> None:
    if address < 0:
        raise UsageError(f"{name} would begin before the start of the flash, at {address}")
    if address + size > flash_size:
        raise UsageError(
            f"{name} ends at {hex32(address + size)}, past the end of the flash "
            f"({size_text(flash_size)})",
            hint=hint,
        )


def _require_unprotected(ranges: Sequence[Span], facts: Facts) -> None:
    for span in ranges:
        for held in facts.protected:
            first = max(span.address, held.address)
            end = min(span.address + span.size, held.address + held.size)
            if first < end:
                raise DeviceError(
                    f"{hex32(first)}..{hex32(end)} is write-protected by the flash's status "
                    "registers",
                    hint="`sr` shows them, `sr unprotect` lifts it",
                )


def _too_large(images: Sequence[Image]) -> list[str]:
    return [
        f"{image.name} ends at {hex32(image.end)}, behind the partition, "
        f"which ends at {hex32(image.limit)}"
        for image in images
        if image.limit is not None and image.end > image.limit
    ]


def _secured(images: Sequence[Image], facts: Facts) -> list[str]:
    if facts.secure_boot and any(image.address < _LOADS_BEFORE for image in images):
        return ["secure boot is on: a bootloader that is not signed for this chip bricks it"]
    return []


def _encrypted(images: Sequence[Image], facts: Facts) -> list[str]:
    """Return why plain images are not for a chip whose flash encryption is on."""
    if not (facts.encrypted and images and (facts.secure_download or facts.plain_only)):
        return []
    return [
        f"flash encryption is on, and this chip encrypts nothing that it is sent: {images[0].name} "
        "must have been encrypted before"
    ]


def _warnings(image: Image, facts: Facts) -> list[str]:
    found = list(image.notes)
    is_boot = image.address == facts.chip.bootloader_offset
    if is_boot and image.data.strip(b"\xff") and not facts.encrypted:
        layout = firmware.layout_of(image.data[: firmware.HEAD_SIZE])
        if layout is None:
            found.append(
                f"{image.name} is not a bootable image, and stands where the ROM looks for one"
            )
        else:
            size = {code: size for _, code, size in _sizes(facts.chip)}.get(image.data[3] & 0xF0)
            if size is not None and size > facts.flash_size:
                found.append(
                    f"{image.name} was made for {size_text(size)} of flash; this one has "
                    f"{size_text(facts.flash_size)}"
                )
    if facts.encrypted:
        found.append(f"flash encryption is on: {image.name} is written as it is, unencrypted")
    return found


def _sizes(chip: Chip) -> list[tuple[str, int, int]]:
    return [(size.name, size.code, size.size) for size in chip.flash_sizes]


def _sectors_of(images: Sequence[Image]) -> tuple[Span, ...]:
    """Return the whole sectors that images touch, merged."""
    merged: list[list[int]] = []
    for image in sorted(images, key=lambda image: image.address):
        first = image.address - image.address % SECTOR
        end = -(-(image.address + len(image.data)) // SECTOR) * SECTOR
        if merged and first <= merged[-1][1]:
            merged[-1][1] = max(end, merged[-1][1])
        else:
            merged.append([first, end])
    return tuple(Span(first, end - first) for first, end in merged)


def _edges(images: Sequence[Image], ranges: Sequence[Span]) -> tuple[Span, ...]:
    """Return what of the ranges belongs to no image."""
    found = []
    for span in ranges:
        at = span.address
        inside = [i for i in images if span.address <= i.address < span.address + span.size]
        for image in sorted(inside, key=lambda image: image.address):
            if image.address > at:
                found.append(Span(at, image.address - at))
            at = image.address + len(image.data)
        if at < span.address + span.size:
            found.append(Span(at, span.address + span.size - at))
    return tuple(found)
