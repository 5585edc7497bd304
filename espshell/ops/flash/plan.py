"""The plan of a write or an erase of flash, before anything is sent: pure.

A plan covers whole sectors, because flash is erased in sectors.  What must not be done raises;
what a person should know and may want all the same is a warning.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

from espshell.chips import Chip
from espshell.errors import DeviceError, UsageError
from espshell.image import firmware, partitions
from espshell.image.partitions import PartitionTable
from espshell.ops.flash.payload import Payload
from espshell.ops.image.objections import FlashMap, objections
from espshell.records import dataclass
from espshell.span import Span, align_down, gaps, merged
from espshell.units import SECTOR, hex32, size_text

_ERASE_S = 0.05  # of a sector, typical
_PROGRAM_S = 0.012  # of a sector, typical
_LOADS_BEFORE = 0x8000  # a bootloader ends before the partition table


@dataclass(frozen=True, slots=True)
class Facts:
    """The facts of a chip and its flash that a plan depends on."""

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

    payloads: tuple[Payload, ...]
    ranges: tuple[Span, ...]
    edges: tuple[Span, ...]
    keep_edges: bool
    warnings: tuple[str, ...]

    @property
    def size(self) -> int:
        """Bytes of all images."""
        return sum(payload.size for payload in self.payloads)

    @property
    def sectors(self) -> int:
        """How many sectors they touch."""
        return sum(span.size for span in self.ranges) // SECTOR


def plan_write(
    payloads: Sequence[Payload],
    facts: Facts,
    *,
    keep_edges: bool = False,
    force: bool = False,
) -> Plan:
    """Return the sectors and warnings of writing images.

    force: what would only fail to boot is a warning.

    Raises: UsageError if it cannot be done, or must not be; DeviceError if flash is protected.
    """
    notes = [note for payload in payloads if not payload.data for note in payload.notes]
    payloads = [payload for payload in payloads if payload.data]
    reasons = list(_reasons(payloads, facts))
    for payload in payloads:
        _require_inside(payload.span, facts.flash_size, payload.name)
        if payload.address % SECTOR and not keep_edges:
            below = Span(align_down(payload.address, SECTOR), payload.address)
            raise UsageError(
                f"{hex32(payload.address)} is not the start of a sector: flash is erased 4 KiB at "
                f"a time, and {below} would be lost",
                hint="--keep-edges reads it and writes it back",
            )
    ranges = merged(payload.span.aligned(SECTOR) for payload in payloads)
    _require_unprotected(ranges, facts)
    if reasons and not force:
        raise UsageError(reasons[0], hint="--force writes it anyway")
    notes += [*reasons, *(text for payload in payloads for text in _warnings(payload, facts))]
    spans = [payload.span for payload in payloads]
    edges = tuple(edge for span in ranges for edge in gaps(span, spans))
    return Plan(tuple(payloads), ranges, edges, keep_edges, tuple(notes))


def plan_erase(
    address: int, size: int, facts: Facts, *, keep_edges: bool = False, force: bool = False
) -> Span:
    """Return the whole sectors of a range, as long as they may be erased.

    With ``keep_edges`` the sectors at its ends may be part of it only.  With ``force`` also what
    secure boot or flash encryption may need; in secure download mode only the bootloader is
    guarded, as an update erases what it replaces.

    Raises: UsageError; DeviceError if it is protected.

    Source: esptool 5.6 refuses to erase where either is on, but not in secure download mode.
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
    reason = ""
    if facts.secure_boot and sectors.start < _LOADS_BEFORE:
        reason = "secure boot is on: without its signed bootloader this chip never boots again"
    elif not facts.secure_download and (facts.secure_boot or facts.encrypted):
        name = "secure boot" if facts.secure_boot else "flash encryption"
        reason = f"{name} is on: the erased data may be needed to boot"
    if reason and not force:
        raise UsageError(reason, hint="--force erases it anyway")
    return sectors


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


def _reasons(payloads: Sequence[Payload], facts: Facts) -> Iterator[str]:
    """Yield what speaks against images, the most telling first; ``force`` passes over it."""
    flash_map = FlashMap(facts.chip, facts.table, facts.table_offset)
    for payload in payloads:
        yield from objections(payload, flash_map, facts.revision)
    for payload in payloads:
        if payload.limit is not None and payload.end > payload.limit:
            yield (
                f"{payload.name} ends at {hex32(payload.end)}, past the end of the partition at "
                f"{hex32(payload.limit)}"
            )
    if facts.secure_boot and any(payload.address < _LOADS_BEFORE for payload in payloads):
        yield "secure boot is on: a bootloader not signed for this chip makes it unusable"
    if facts.encrypted and payloads and (facts.secure_download or facts.plain_only):
        yield (
            "flash encryption is on, and the loader does not encrypt what it writes: "
            f"{payloads[0].name} must be encrypted beforehand"
        )


def _warnings(payload: Payload, facts: Facts) -> Iterator[str]:
    """Yield what a person should know of an image that may be written."""
    yield from payload.notes
    is_boot = payload.address == facts.chip.bootloader_offset
    if is_boot and payload.data.strip(b"\xff") and not facts.encrypted:
        sizes = {row.code: row.size for row in facts.chip.flash_sizes}
        if firmware.layout_of(payload.data[: firmware.HEAD_SIZE]) is None:
            yield f"{payload.name} is not a bootable image, but goes where the ROM expects one"
        elif (size := sizes.get(payload.data[3] & 0xF0, 0)) > facts.flash_size:
            yield (
                f"{payload.name} was made for {size_text(size)} of flash; this one has "
                f"{size_text(facts.flash_size)}"
            )
    if facts.encrypted:
        yield f"flash encryption is on: {payload.name} is written unencrypted"
