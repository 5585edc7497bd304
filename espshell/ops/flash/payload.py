"""Files and where in flash they belong: what ``load`` and ``verify`` are given."""

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

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.address + len(self.data)

    @property
    def span(self) -> Span:
        """The bytes of flash that it covers."""
        return Span(self.address, len(self.data))


def read_images(
    pairs: Sequence[tuple[Path, int]], limits: Sequence[int | None] = ()
) -> tuple[Image, ...]:
    """Read files, each for an address; in the order given.

    limits: of each file, the end of the partition that was named as its place.

    Intel HEX is recognised by its contents; its own addresses are added, and each of its pieces
    is an image.  All other files are raw bytes.

    Raises: UsageError for a file that is missing, empty or broken, and for files that overlap.
    """
    images = tuple(
        image
        for (path, address), limit in zip_longest(pairs, limits)
        for image in _read(path, address, limit)
    )
    _require_apart(images)
    return images


def _read(path: Path, address: int, limit: int | None) -> Iterator[Image]:
    data = read_bytes(path)
    if not data:
        raise UsageError(f"{path} is empty", hint="was it built?")
    if not intel_hex.is_hex(data):
        yield Image(address, data, str(path), limit)
        return
    for offset, piece in intel_hex.read(data, name=str(path)):
        yield Image(address + offset, piece, str(path), limit)


def _require_apart(images: Sequence[Image]) -> None:
    last: Image | None = None
    for image in sorted(images, key=lambda image: image.address):
        if last is not None and image.address < last.end:
            both = f"{hex32(image.address)}..{hex32(min(image.end, last.end))}"
            raise UsageError(
                f"{image.name} overlaps {last.name} in {both}", hint="which shall be there?"
            )
        if last is None or image.end > last.end:
            last = image
