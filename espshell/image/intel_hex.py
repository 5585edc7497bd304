"""Intel HEX files, by way of the intelhex package (extra ``hex``).

The package does not mind a file without its end record; we do, as a file that was cut off at the
end of a line is otherwise not told from a whole one.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TextIO

from espshell.errors import UsageError, file_error

Segments = list[tuple[int, bytes]]
"""Addresses with what stands there: ascending, not adjacent."""

_RECORD = re.compile(rb"\s*:[0-9A-Fa-f]{10}")
_END_RECORD = re.compile(r"^:00[0-9A-Fa-f]{4}01", re.MULTILINE)


class Image(Protocol):
    """What of intelhex's ``IntelHex`` is used here."""

    def frombytes(self, data: bytes, offset: int) -> None:
        """Put bytes at an address."""

    def loadhex(self, fobj: TextIO) -> None:
        """Read a file."""

    def segments(self) -> list[tuple[int, int]]:
        """Return start and end of each piece without a gap."""

    def tobinstr(self, *, start: int, size: int) -> bytes:
        """Return the bytes from an address on."""

    def write_hex_file(self, name: str | TextIO) -> None:
        """Write the file."""


def new() -> Image:
    """Return an empty image; call it before the work that is to end in it.

    Raises: UsageError if the intelhex package is not installed.
    """
    try:
        from intelhex import IntelHex
    except ImportError as error:
        raise UsageError(
            "Intel HEX needs the package intelhex", hint="pip install 'espshell[hex]'"
        ) from error
    image: Image = IntelHex()
    return image


def write(image: Image, path: Path, address: int, data: bytes) -> None:
    """Write bytes that stand at an address to a file."""
    image.frombytes(data, offset=address)
    image.write_hex_file(str(path))


def to_bytes(segments: Iterable[tuple[int, bytes]]) -> bytes:
    """Return the contents of a file with bytes at addresses; the later win where two overlap.

    Raises: UsageError if the intelhex package is not installed.
    """
    image = new()
    for address, data in segments:
        image.frombytes(data, offset=address)
    text = io.StringIO(newline="")
    image.write_hex_file(text)
    return text.getvalue().encode("ascii")


def is_hex(data: bytes) -> bool:
    """Return whether data looks like Intel HEX: it begins with a colon and a record's digits."""
    return _RECORD.match(data[:64]) is not None


def read(source: Path | bytes, *, name: str = "the Intel HEX file") -> Segments:
    """Read a file or its contents; ``name`` is what messages call contents.

    Raises: UsageError if it is not Intel HEX, broken (with the line's number), cut off or empty,
    or the intelhex package is not installed.
    """
    image = new()
    from intelhex import IntelHexError

    if isinstance(source, Path):
        name = str(source)
        try:
            source = source.read_bytes()
        except OSError as error:
            raise file_error("read", name, error) from error
    if not is_hex(source):
        raise UsageError(f"{name} is not Intel HEX", hint="such a file begins with a colon")
    text = b"\n".join(source.splitlines()).decode("latin-1")
    try:
        image.loadhex(io.StringIO(text))
    except IntelHexError as error:
        reason = str(error)
        raise UsageError(f"{name}: {reason[:1].lower()}{reason[1:]}") from error
    if not _END_RECORD.search(text):
        raise UsageError(f"{name} has no end record", hint="it was cut off")
    segments = [
        (start, image.tobinstr(start=start, size=end - start)) for start, end in image.segments()
    ]
    if not segments:
        raise UsageError(f"{name} holds no data")
    return segments
