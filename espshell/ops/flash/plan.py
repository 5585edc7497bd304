"""What a write or an erase of flash would do, before anything is sent: pure.

A plan covers whole sectors, because flash is erased in sectors.  What must not be done raises;
what a person should know and may want all the same is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from espshell.chips import Chip
from espshell.errors import DeviceError, UsageError
from espshell.image import firmware, partitions
from espshell.image.partitions import PartitionTable
from espshell.ops.flash.payload import Image
from espshell.ops.image.objections import FlashMap, objections
from espshell.span import Span, align_down, gaps, merged
from espshell.units import SECTOR, hex32, size_text

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
        return sum(span.size for span in self.ranges) // SECTOR


def plan_write(
    images: Sequence[Image],
    facts: Facts,
    *,
    keep_edges: bool = False,
    force: bool = False,
) -> Plan:
    """Return the sectors and warnings of writing images.

    force: what would only fail to boot is a warning.

    Raises: UsageError if it cannot be done, or must not be; DeviceError if flash is protected.
    """
    notes = [note for image in images if not image.data for note in image.notes]
    images = [image for image in images if image.data]
    flash_map = FlashMap(facts.chip, facts.table, facts.table_offset)
    reasons = [text for item in images for text in objections(item, flash_map, facts.revision)]
    reasons += _too_large(images)
    if facts.secure_boot and any(image.address < _LOADS_BEFORE for image in images):
        reasons.append("secure boot is on: a bootloader that is not signed for this chip bricks it")
    reasons += _encrypted(images, facts)
    for image in images:
        _require_inside(image.span, facts.flash_size, image.name)
        if image.address % SECTOR and not keep_edges:
            below = Span(align_down(image.address, SECTOR), image.address)
            raise UsageError(
                f"{hex32(image.address)} is not the start of a sector: flash is erased 4 KiB at a "
                f"time, and {below} would be lost",
                hint="--keep-edges reads it and writes it back",
            )
    ranges = merged(image.span.aligned(SECTOR) for image in images)
    _require_unprotected(ranges, facts)
    if reasons and not force:
        raise UsageError(reasons[0], hint="--force writes it all the same")
    notes += [*reasons, *(text for image in images for text in _warnings(image, facts))]
    spans = [image.span for image in images]
    edges = tuple(edge for span in ranges for edge in gaps(span, spans))
    return Plan(tuple(images), ranges, edges, keep_edges, tuple(notes))


def plan_erase(
    address: int, size: int, facts: Facts, *, keep_edges: bool = False, force: bool = False
) -> Span:
    """Return the whole sectors of a range, as long as they may be erased.

    With ``keep_edges`` the sectors at its ends may be part of it only.  With ``force`` also what
    secure boot or flash encryption may need.

    Raises: UsageError; DeviceError if it is protected.
    """
    span = Span.of(address, size)
    _require_inside(span, facts.flash_size, "the range", hint="`flash-id` tells its size")
    sectors = span.aligned(SECTOR)
    if sectors != span and not keep_edges:
        raise UsageError(
            f"{span} is not whole sectors of 4 KiB",
            hint=f"{sectors.start:#x}..{sectors.end:#x} is; --keep-edges erases just the range",
        )
    _require_unprotected((sectors,), facts)
    reason = _erase_objection(sectors.start, facts)
    if reason and not force:
        raise UsageError(reason, hint="--force erases it all the same")
    return sectors


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
    span: Span, flash_size: int, name: str, hint: str = "is it for a larger flash?"
) -> None:
    if span.start < 0:
        raise UsageError(f"{name} would begin before the start of the flash, at {span.start}")
    if span.end > flash_size:
        raise UsageError(
            f"{name} ends at {hex32(span.end)}, past the end of the flash "
            f"({size_text(flash_size)})",
            hint=hint,
        )


def _require_unprotected(ranges: Sequence[Span], facts: Facts) -> None:
    for span, protected in product(ranges, facts.protected):
        if span.overlaps(protected):
            raise DeviceError(
                f"{span.intersection(protected)} is write-protected by the flash's status "
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


def _encrypted(images: Sequence[Image], facts: Facts) -> list[str]:
    """Return why plain images are not for a chip whose flash encryption is on."""
    if not (facts.encrypted and images and (facts.secure_download or facts.plain_only)):
        return []
    return [
        f"flash encryption is on, and this chip encrypts nothing that it is sent: {images[0].name} "
        "must have been encrypted before"
    ]


def _warnings(image: Image, facts: Facts) -> list[str]:
    warnings = list(image.notes)
    is_boot = image.address == facts.chip.bootloader_offset
    if is_boot and image.data.strip(b"\xff") and not facts.encrypted:
        layout = firmware.layout_of(image.data[: firmware.HEAD_SIZE])
        if layout is None:
            warnings.append(
                f"{image.name} is not a bootable image, and stands where the ROM looks for one"
            )
        else:
            sizes = {row.code: row.size for row in facts.chip.flash_sizes}
            size = sizes.get(image.data[3] & 0xF0)
            if size is not None and size > facts.flash_size:
                warnings.append(
                    f"{image.name} was made for {size_text(size)} of flash; this one has "
                    f"{size_text(facts.flash_size)}"
                )
    if facts.encrypted:
        warnings.append(f"flash encryption is on: {image.name} is written as it is, unencrypted")
    return warnings
