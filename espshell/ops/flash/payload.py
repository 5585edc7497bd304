"""Files and where in flash they belong: what ``load``, ``verify`` and ``merge`` are given.

Intel HEX has addresses of its own.  They are added to the place that was named, so that ``flash:0``
takes them as they are, and a note says so; with ``own_addresses`` they alone count and the place
does not, as with esptool.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from espshell.errors import UsageError
from espshell.files import read_bytes
from espshell.image import intel_hex
from espshell.ops.memory.diff import Span
from espshell.units import hex32


@dataclass(frozen=True, slots=True)
class Image:
    """Bytes for an address in flash; ``name`` is what messages call them."""

    address: int
    data: bytes
    name: str
    limit: int | None = None
    """The end of the partition that was named as their place."""
    notes: tuple[str, ...] = ()
    """What a person should know of them before they are sent."""

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.address + len(self.data)

    @property
    def span(self) -> Span:
        """The bytes of flash that it covers."""
        return Span(self.address, len(self.data))


def read_images(
    pairs: Sequence[tuple[Path, int]],
    limits: Sequence[int | None] = (),
    *,
    own_addresses: bool = False,
    empty: bool = False,
) -> tuple[Image, ...]:
    """Read files, each for an address; in the order given.

    limits: of each file, the end of the partition that was named as its place.
    own_addresses: those in Intel HEX are taken as they are.
    empty: an empty file is an image without bytes, and not an error.

    Intel HEX is recognised by its contents, and each of its pieces is an image.  All other files
    are raw bytes.

    Raises: UsageError for a file that is missing, empty or broken, and for files that overlap.
    """
    images = tuple(
        image
        for (path, address), limit in zip_longest(pairs, limits)
        for image in _read(path, address, limit, own_addresses=own_addresses, empty=empty)
    )
    _require_apart(images)
    return images


def _read(
    path: Path, address: int, limit: int | None, *, own_addresses: bool, empty: bool
) -> Iterator[Image]:
    data = read_bytes(path)
    if not data:
        if not empty:
            raise UsageError(f"{path} is empty", hint="was it built?")
        yield Image(address, b"", str(path), limit, (f"{path} is empty: nothing of it is written",))
        return
    if not intel_hex.is_given(data, path):
        yield Image(address, data, str(path), limit)
        return
    pieces = intel_hex.read(data, name=str(path))
    if own_addresses:
        address, limit = 0, None
    first = pieces[0][0]
    if address and first == address:
        raise UsageError(
            f"{path} begins at {hex32(first)} by itself, and would go to {hex32(first + address)}",
            hint="flash:0 (mem:0) takes the addresses in the file as they are",
        )
    notes = (
        (f"{path}: its addresses, from {hex32(first)} on, are added to {hex32(address)}",)
        if address and first
        else ()
    )
    for offset, piece in pieces:
        yield Image(address + offset, piece, str(path), limit, notes)
        notes = ()


def _require_apart(images: Sequence[Image]) -> None:
    """Check that no two images share a byte. Raises: UsageError."""
    last: Image | None = None
    for image in sorted(images, key=lambda image: image.address):
        if last is not None and image.address < last.end and image.data:
            both = f"{hex32(image.address)}..{hex32(min(image.end, last.end))}"
            raise UsageError(
                f"{image.name} overlaps {last.name} in {both}", hint="which shall be there?"
            )
        if last is None or image.end > last.end:
            last = image
