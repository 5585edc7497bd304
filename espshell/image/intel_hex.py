"""Intel HEX files, by way of the intelhex package (extra ``hex``)."""

from __future__ import annotations

from pathlib import Path

from espshell.errors import UsageError


def write(path: Path, address: int, data: bytes) -> None:
    """Write bytes that stand at an address.

    Raises: UsageError if the intelhex package is not installed.
    """
    try:
        from intelhex import IntelHex
    except ImportError as error:
        raise UsageError(
            "Intel HEX needs the package intelhex", hint="pip install 'espshell[hex]'"
        ) from error
    image = IntelHex()
    image.frombytes(data, offset=address)
    image.write_hex_file(str(path))
