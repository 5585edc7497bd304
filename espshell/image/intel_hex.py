"""Intel HEX files; written by way of the intelhex package (extra ``hex``).

They are read by ourselves, as the package needs a hundred bytes of memory for each of the file's.
Nor does it mind a file without its end record; we do, as a file that was cut off at the end of a
line is otherwise not told from a whole one.

Source: "Hexadecimal Object File Format Specification", Intel, 1988.
"""

from __future__ import annotations

import binascii
import io
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TextIO

from espshell import regex
from espshell.errors import UsageError
from espshell.files import read_bytes
from espshell.image.common import decoded, joined
from espshell.units import KIB, hex32

SUFFIXES = (".hex", ".ihex")
"""Endings of the names of such files."""

Segments = list[tuple[int, bytes]]
"""Addresses with what stands there: ascending, not adjacent."""

_RECORD = regex.late(rb"\s*:[0-9A-Fa-f]{10}")
_GOOD = regex.late(rb"\s*:((?:[0-9a-fA-F]{2}){5,260})\s")
_LONGEST = 64 * KIB
_MARKS = ((b"\xef\xbb\xbf", "UTF-8"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))
_SHOWN = 24
_HEAD_SIZE = 4
_SHORTEST = _HEAD_SIZE + 1
_DATA, _END, _SEGMENT_BASE, _, _LINEAR_BASE, _LAST_KIND = range(6)
_BASE_SIZE = 2
_BASES = {_SEGMENT_BASE: 4, _LINEAR_BASE: 16}
"""By how many bits the number in such a record is to be shifted."""


class HexFile(Protocol):
    """What of intelhex's ``IntelHex`` is used here."""

    def frombytes(self, data: bytes, offset: int) -> None:
        """Put bytes at an address."""

    def write_hex_file(self, name: TextIO) -> None:
        """Write the file."""


def new() -> HexFile:
    """Return an empty image; call it before the work that is to end in it.

    Raises: UsageError if the intelhex package is not installed.
    """
    try:
        from intelhex import IntelHex
    except ImportError as error:
        raise UsageError(
            "Intel HEX needs the package intelhex", hint="pip install 'espshell[hex]'"
        ) from error
    image: HexFile = IntelHex()
    return image


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


def has_record(data: bytes) -> bool:
    """Return whether data begins with a whole record that is good."""
    match = _GOOD.match(data if len(data) > _LONGEST else data + b"\n")
    line = bytes.fromhex(match[1].decode("ascii")) if match else b""
    return bool(line) and len(line) == line[0] + _SHORTEST and sum(line) % 256 == 0


def is_given(data: bytes, path: Path) -> bool:
    """Return whether a file is Intel HEX, by its contents.

    Raises: UsageError if only its name says so: as raw bytes its text would be written.
    """
    if is_hex(data) or path.suffix.lower() not in SUFFIXES:
        return is_hex(data)
    mark = next((name for mark, name in _MARKS if data.startswith(mark)), "")
    line = decoded(data.lstrip()[:_SHOWN].partition(b"\n")[0].rstrip())
    beginning = f"a {mark} byte order mark" if mark else f"`{line}`"
    raise UsageError(
        f"{path} is not Intel HEX: it begins with {beginning}, expected a colon and hex digits",
        hint="save it as plain ASCII" if mark else "under another suffix it is read as raw binary",
    )


def read(source: Path | bytes, *, name: str = "the Intel HEX file") -> Segments:
    """Read a file or its contents; ``name`` is what messages call contents.

    What stands behind the end record does not matter.

    Raises: UsageError if it is not Intel HEX, broken (with the line's number), cut off or empty.
    """
    if isinstance(source, Path):
        name = str(source)
        source = read_bytes(source)
    if not is_hex(source):
        raise UsageError(f"{name} is not Intel HEX", hint="such a file begins with a colon")
    runs = _runs(source, name)
    if not runs:
        raise UsageError(f"{name} contains no data")
    return joined(runs, lambda address: f"{name} has bytes for {hex32(address)} twice")


def _runs(text: bytes, name: str) -> list[tuple[int, bytearray]]:
    """Return runs of adjacent records in the order of the file."""
    runs: list[tuple[int, bytearray]] = []
    base, end = 0, -1
    text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    for number, line in enumerate(io.BytesIO(text), 1):
        if line.isspace():
            continue
        kind, offset, data = _record(line.strip(), f"line {number} of {name}")
        if kind == _END:
            return runs
        if kind in _BASES:
            base = int.from_bytes(data, "big") << _BASES[kind]
        if kind != _DATA or not data:
            continue
        address = base + offset
        if address + len(data) > 1 << 32:
            raise UsageError(f"line {number} of {name} is for addresses beyond 4 GiB")
        if address != end:
            runs.append((address, bytearray()))
        runs[-1][1].extend(data)
        end = address + len(data)
    raise UsageError(f"{name} has no end-of-file record", hint="it was truncated")


def _record(line: bytes, where: str) -> tuple[int, int, bytes]:
    """Return type, offset and data of a record. Raises: UsageError if it is none, or broken."""
    try:
        record = binascii.unhexlify(line[1:])
    except ValueError:
        record = b""
    if line[:1] != b":" or len(record) < _SHORTEST:
        raise UsageError(f"{where} is not a record")
    kind, data = record[3], record[_HEAD_SIZE:-1]
    if len(data) != record[0] or (kind in _BASES and len(data) != _BASE_SIZE):
        raise UsageError(f"{where} has {len(data)} data bytes, which does not match its length")
    if sum(record) & 0xFF:
        raise UsageError(f"{where} has a wrong checksum")
    if kind > _LAST_KIND:
        raise UsageError(f"{where} is of the type {kind}, which is unknown")
    return kind, int.from_bytes(record[1:3], "big"), data
