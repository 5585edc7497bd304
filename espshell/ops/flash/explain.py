"""Why flash may differ from a file: sentences, only where there is an explanation.  Pure.

What is in a sector need not be read to be known: a digest gives away that it is blank, and which
of the few flash settings a tool may have put into an image's header.

Source: ESP-IDF "App Image Format": bytes 2 and 3 of an image are flash mode, size and frequency;
esptool's manual, ``write-flash``: they are patched at write, and the SHA-256 made anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from espshell.chips.common import FLASH_SIZES
from espshell.errors import UsageError
from espshell.image import firmware
from espshell.image.firmware import Firmware
from espshell.loader.digest import md5
from espshell.ops.flash.payload import FLASH_MODES, Payload
from espshell.ops.memory.diff import diff
from espshell.records import dataclass
from espshell.span import Span
from espshell.units import SECTOR, count_text, hex32

if TYPE_CHECKING:
    from espshell.chips import Chip
    from espshell.image.partitions import PartitionTable

_SETTINGS = Span(2, 4)
_SHA_SIZE = 32
_MODES = range(6)  # the four of FLASH_MODES, fast read and slow read
_PROBE = 64
_TELLING = 16  # different bytes in a probe that can hardly be somewhere by chance
_NAMED = 4  # partitions by name in one sentence


def explain(
    payload: Payload,
    differing: Sequence[Span],
    contents: Mapping[int, bytes],
    *,
    table: PartitionTable | None = None,
    chip: Chip | None = None,
) -> tuple[str, ...]:
    """Return sentences on why and where an image differs from flash.

    differing: sectors, cut at the ends of the image.
    contents: what flash holds, by the address of the first byte of parts of the image.
    table: partitions, where known.
    chip: whose names flash frequencies have.
    """
    if not differing:
        return ()
    case = _Case(payload, tuple(differing), contents, _firmware(payload), chip)
    sentences = case.settings() or [*case.emptiness(), *case.places(), *case.moved()]
    return (*sentences, *_partitions(differing, table))


def known_contents(payload: Payload, digests: Mapping[int, bytes]) -> dict[int, bytes]:
    """Return the contents of sectors that their digests give away, by the first byte's address.

    digests: MD5 of what each sector holds, as far as the image covers it, by its start.
    """
    contents: dict[int, bytes] = {}
    patched: bytes | None = None
    for sector, digest in digests.items():
        span = payload.span.intersection(Span.of(sector, SECTOR))
        data, blank = payload.part(span), b"\xff" * span.size
        if md5(blank) == digest:
            contents[span.start] = blank
        elif span.start == payload.address and (settings := _settings(data, digest)):
            contents[span.start] = data[:2] + settings + data[4:]
            patched = _patched(payload.data, settings)
        elif patched and md5(part := patched[span.offsets(payload.address)]) == digest:
            contents[span.start] = part
    return contents


@dataclass(frozen=True, slots=True)
class _Case:
    payload: Payload
    differing: tuple[Span, ...]
    contents: Mapping[int, bytes]
    firmware: Firmware | None
    chip: Chip | None

    @property
    def complete(self) -> bool:
        """Whether all that differs is known."""
        return sum(map(len, self.contents.values())) == sum(span.size for span in self.differing)

    def offsets(self) -> list[Span]:
        """Return the offsets in the image that differ; whole sectors if not all is known."""
        spans: Sequence[Span] = self.differing
        if self.complete:
            pairs = [(at, self.expected(at), self.contents[at]) for at in sorted(self.contents)]
            spans = [s for at, old, new in pairs for s in diff(old, new, address=at).differing]
        return [span.shifted(-self.payload.address) for span in spans]

    def expected(self, address: int) -> bytes:
        """Return the bytes of the image for the place of some contents."""
        return self.payload.part(Span.of(address, len(self.contents[address])))

    def settings(self) -> list[str]:
        """Return a sentence if only flash settings in the header differ, or the digest, or both."""
        if not self.complete or self.firmware is None:
            return []
        sha = Span(self.firmware.end - _SHA_SIZE, self.firmware.end)
        offsets = self.offsets()
        in_header = [span for span in offsets if _SETTINGS.holds(span)]
        in_sha = [span for span in offsets if self.firmware.digest and sha.holds(span)]
        if len(in_header) + len(in_sha) < len(offsets):
            return []
        if not in_header:
            return ["only the SHA-256 at the end of the image differs"]
        new = self.contents[self.payload.address][2:4]
        text = f"only the flash settings in the image's header differ: {self._changed(new)}"
        if not in_sha:
            return [f"{text}; flash tools patch them when writing"]
        if self._has_sha_of(new, sha):
            return [f"{text}, and the SHA-256 recomputed; flash tools do that when writing"]
        return [f"{text}, and the SHA-256, which fits neither"]

    def _has_sha_of(self, settings: bytes, sha: Span) -> bool:
        patched = _patched(self.payload.data, settings)
        if patched is None:
            return False
        base = self.payload.address
        return all(
            data == patched[at - base : at - base + len(data)]
            for at, data in self.contents.items()
            if at - base < sha.end
        )

    def _changed(self, new: bytes) -> str:
        old = self.payload.data[2:4]
        values = (
            ("mode", _mode(old[0]), _mode(new[0])),
            ("size", _size(old[1], self.chip), _size(new[1], self.chip)),
            ("frequency", _frequency(old[1], self.chip), _frequency(new[1], self.chip)),
        )
        return ", ".join(f"{name} {a} -> {b}" for name, a, b in values if a != b)

    def emptiness(self) -> Iterator[str]:
        """Yield how much of what differs is blank in flash."""
        blank = sum(not data.strip(b"\xff") for data in self.contents.values())
        if not blank:
            return
        sectors = sum(span.units(SECTOR) for span in self.differing)
        if blank < sectors:
            yield f"{blank} of {count_text(sectors, 'sector')} that differ are blank in flash"
        elif sum(span.size for span in self.differing) == len(self.payload.data):
            yield "flash is blank (FF) there: nothing was written, or it was erased"
        else:
            yield "flash is blank (FF) in every sector that differs"

    def places(self) -> Iterator[str]:
        """Yield the part of a firmware image that all differences are in."""
        program, offsets = self.firmware, self.offsets()
        if program is None:
            return
        if offsets[0].start >= program.end:
            what = "padding" if program.blank_after else "what follows"
            yield f"only {what} past the end of the image differs"
            return
        last = program.segments[-1]
        tail = Span(last.offset + last.size, program.end)  # from the padding before the checksum on
        body = [span for span in offsets if not tail.holds(span)]
        for number, segment in enumerate(program.segments):
            whole = Span.of(segment.offset, segment.size)
            if body and all(map(whole.holds, body)):
                more = " and the checksum and digest after it" if len(body) < len(offsets) else ""
                place = f" ({hex32(segment.address)})" if segment.placed else ""
                yield f"all that differs is in segment {number}{place}{more}"

    def moved(self) -> Iterator[str]:
        """Yield in which other byte order, or how far from its place, flash holds the data."""
        distinct = {at: data for at, data in self.contents.items() if _telling(data)}
        if not distinct:
            return
        if self.complete and len(distinct) == len(self.contents):
            for size, name in ((2, "16-bit"), (4, "32-bit")):
                swapped = {
                    at: b"".join(data[i : i + size][::-1] for i in range(0, len(data), size))
                    for at, data in distinct.items()
                    if len(data) % size == 0
                }
                if all(swapped.get(at) == self.expected(at) for at in distinct):
                    yield f"the bytes of each {name} value are in reverse order"
                    return
        shifts = {self._shift(at, data) for at, data in distinct.items()}
        shift = shifts.pop()
        if shift and not shifts:
            way = "behind" if shift > 0 else "before"
            yield f"flash holds the same bytes {count_text(abs(shift), 'byte')} {way} their place"

    def _shift(self, address: int, data: bytes) -> int | None:
        """Return how far behind its place something is; None if it is not in the image."""
        middle = len(data) // 2  # its ends may hold what is beside the image
        probes = sorted(range(0, len(data), _PROBE), key=lambda i: abs(i - middle))
        at = next(i for i in probes if _telling(data[i : i + _PROBE]))
        offset = self.payload.data.find(data[at : at + _PROBE])
        if offset < 0 or self.payload.data.find(data[at : at + _PROBE], offset + 1) >= 0:
            return None
        start = offset - at  # where the first byte of the data would be in the image
        theirs = self.payload.data[max(start, 0) : start + len(data)]
        ours = data[max(-start, 0) :][: len(theirs)]
        return address - self.payload.address - start if ours == theirs else None


def _partitions(differing: Sequence[Span], table: PartitionTable | None) -> Iterator[str]:
    if table is None:
        return
    touched = [
        partition
        for partition in table.partitions
        if any(partition.span.overlaps(span) for span in differing)
    ]
    if touched:
        names = [str(partition) for partition in touched[:_NAMED]]
        more = len(touched) - len(names)
        many = "partition" if len(touched) == 1 else "partitions"
        yield f"in {many} {', '.join(names)}{f' and {more} more' if more else ''}"


def _firmware(payload: Payload) -> Firmware | None:
    if not firmware.layout_of(payload.data[:24]):
        return None
    try:
        return firmware.parse(payload.data)
    except UsageError:
        return None


def _settings(first: bytes, digest: bytes) -> bytes | None:
    """Return the flash settings with which the first sector of an image has a digest."""
    if first[:1] != bytes([firmware.MAGIC]) or len(first) <= _SETTINGS.end:
        return None
    head = hashlib.md5(first[:2], usedforsecurity=False)
    for mode in {*_MODES, first[2]}:
        for other in range(256):
            state = head.copy()
            state.update(bytes([mode, other]) + first[4:])
            if state.digest() == digest:
                return bytes([mode, other])
    return None


def _patched(data: bytes, settings: bytes) -> bytes | None:
    try:
        return firmware.patch_header(
            data, mode=settings[0], size=settings[1] & 0xF0, frequency=settings[1] & 0x0F
        )
    except UsageError:
        return None


def _telling(data: bytes) -> bool:
    """Return whether bytes are so varied that two copies of them are no accident."""
    pieces = (data[i : i + _PROBE] for i in range(0, len(data), _PROBE))
    return any(len(set(piece)) >= _TELLING for piece in pieces)


def _mode(code: int) -> str:
    return FLASH_MODES[code] if code < len(FLASH_MODES) else f"0x{code:02x}"


def _size(code: int, chip: Chip | None) -> str:
    names = {row.code: row.name for row in (chip.flash_sizes if chip else FLASH_SIZES)}
    return names.get(code & 0xF0, f"0x{code & 0xF0:02x}")


def _frequency(code: int, chip: Chip | None) -> str:
    rows = chip.flash_frequencies if chip else ()
    names = [name for name, value in rows if value == code & 0x0F]
    return " or ".join(names) or f"0x{code & 0x0F:x}"
