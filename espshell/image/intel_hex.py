"""Intel HEX files, by way of the intelhex package (extra ``hex``)."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from espshell.errors import UsageError


class Image(Protocol):
    """What of intelhex's ``IntelHex`` is used here."""

    def frombytes(self, data: bytes, offset: int) -> None:
        """Put bytes at an address."""

    def write_hex_file(self, name: str) -> None:
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
