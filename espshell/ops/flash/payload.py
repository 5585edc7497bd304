"""Files and where in flash they belong: what ``load``, ``verify`` and ``merge`` are given.

Intel HEX has addresses of its own.  They are added to the place that was named, so that ``flash:0``
takes them as they are, and a note says so; with ``own_addresses`` they alone count and the place
does not, as with esptool.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from espshell.errors import UsageError
from espshell.files import read_bytes
from espshell.image import intel_hex
from espshell.records import dataclass
from espshell.span import Span
from espshell.units import hex32


@dataclass(frozen=True, slots=True)
class Payload:
    """Bytes for an address in flash; ``name`` is what messages call them."""

    address: int
    data: bytes
    name: str
    limit: int | None = None
    """The end of the partition that was named as their place."""
    notes: tuple[str, ...] = ()
    """What a person should know of them before they are sent."""

    @property
    def size(self) -> int:
        """Bytes in it."""
        return len(self.data)

    @property
    def end(self) -> int:
        """The address behind the last byte."""
        return self.address + self.size

    @property
    def span(self) -> Span:
        """The bytes of flash that it covers."""
        return Span.of(self.address, self.size)

    def part(self, span: Span) -> bytes:
        """Return the bytes for a part of its place."""
        return self.data[span.offsets(self.address)]


def read_payloads(
    pairs: Sequence[tuple[Path, int]],
    limits: Sequence[int | None] = (),
    *,
    own_addresses: bool = False,
    empty: bool = False,
) -> tuple[Payload, ...]:
    """Read files, each for an address; in the order given.

    limits: of each file, the end of the partition that was named as its place.
    own_addresses: those in Intel HEX are taken as they are.
    empty: an empty file is an image without bytes, and not an error.

    Intel HEX is recognised by its contents, and each of its pieces is an image.  All other files
    are raw bytes.

    Raises: UsageError for a file that is missing, empty or broken, and for files that overlap.
    """
    payloads = tuple(
        payload
        for (path, address), limit in zip_longest(pairs, limits)
        for payload in _read(path, address, limit, own_addresses=own_addresses, empty=empty)
    )
    _require_apart(payloads)
    return payloads


def _read(
    path: Path, address: int, limit: int | None, *, own_addresses: bool, empty: bool
) -> Iterator[Payload]:
    data = read_bytes(path)
    if not data:
        if not empty:
            raise UsageError(f"{path} is empty", hint="was it built?")
        yield Payload(address, b"", str(path), limit, (f"{path} is empty: nothing to write",))
        return
    if not intel_hex.is_given(data, path):
        yield Payload(address, data, str(path), limit)
        return
    pieces = intel_hex.read(data, name=str(path))
    if own_addresses:
        address, limit = 0, None
    first = pieces[0][0]
    if address and first == address:
        raise UsageError(
            f"{path} begins at {hex32(first)} by its own addresses, and would go to "
            f"{hex32(first + address)}",
            hint="flash:0 (mem:0) takes the addresses in the file as they are",
        )
    notes = (
        (f"{path}: its addresses, from {hex32(first)} on, are added to {hex32(address)}",)
        if address and first
        else ()
    )
    for offset, piece in pieces:
        yield Payload(address + offset, piece, str(path), limit, notes)
        notes = ()


def _require_apart(payloads: Sequence[Payload]) -> None:
    """Check that no two images share a byte. Raises: UsageError."""
    last: Payload | None = None
    for payload in sorted(payloads, key=lambda payload: payload.address):
        if last is not None and payload.address < last.end and payload.data:
            both = payload.span.intersection(last.span)
            raise UsageError(
                f"{payload.name} overlaps {last.name} in {both}", hint="give two different places"
            )
        if last is None or payload.end > last.end:
            last = payload
