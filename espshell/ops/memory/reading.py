"""Reading ranges: the pieces as they arrive, and what to keep in mind about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from espshell.chips import Kind
from espshell.device import Flash, Memory, Space
from espshell.errors import ReadsDiffer
from espshell.ops.progress import Report, Step, silent
from espshell.units import KIB, hex32

CHUNK = 1 * KIB
"""Bytes that ``read_chunks`` gathers before it hands them on."""


def read_chunks(
    space: Space,
    address: int,
    size: int,
    *,
    check: bool = False,
    report: Report = silent,
) -> Iterator[bytes]:
    """Yield a range of any alignment in pieces as they arrive; together exactly ``size`` bytes.

    The caller has called ``check`` of the space.  With ``check`` every piece is read twice.

    Raises: ReadsDiffer at the first word that two readings disagree about.
    """
    done = 0
    pieces = _read_twice(space, address, size) if check else _gathered(space.chunks(address, size))
    for data in pieces:
        done += len(data)
        report(Step("reading", done, size))
        yield data


def reading_notes(space: Space, address: int, size: int) -> tuple[str, ...]:
    """Return what to keep in mind about values read from a range."""
    if not isinstance(space, Memory):
        return ()
    memory, notes = space, []
    region = memory.chip.region_at(address)
    if region is not None and region.kind in (Kind.FLASH, Kind.PSRAM):
        notes.append(
            f"{region.name} is seen through the cache, which is off in download mode: "
            "these values mean nothing"
        )
    touched = memory.chip.changes_when_read(address, size)
    if touched is not None:
        notes.append(f"reading {touched.name} has changed it")
    return tuple(notes)


def trust_notes(space: Space, *, check: bool) -> tuple[str, ...]:
    """Return what to keep in mind about bytes that go into a file or a digest."""
    if check or not isinstance(space, Flash) or space.has_digest:
        return ()
    return ("not confirmed: this loader has no digests; --check reads twice",)


def _gathered(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in larger pieces."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


def _read_twice(space: Space, address: int, size: int) -> Iterator[bytes]:
    for start in range(address, address + size, CHUNK):
        length = min(CHUNK, address + size - start)
        first, second = space.read(start, length), space.read(start, length)
        if first != second:
            at = next(i for i in range(length) if first[i] != second[i])
            raise ReadsDiffer(
                f"two readings of {hex32(start + at)} differ: "
                f"0x{first[at]:02x}, then 0x{second[at]:02x}",
                hint="a flipped bit on the link, or memory that changes by itself",
            )
        yield first
