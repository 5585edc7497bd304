"""Flasher stubs: where their files are, and what is in them.

A stub is a small program of Espressif's that runs in RAM in the ROM loader's place.  Its files are
JSON: entry, and two segments in base64.  They come with the esptool package, which is located and
never imported, or from a folder (the files of an esp-flasher-stub release).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from espshell import files
from espshell.chips import Chip, Kind
from espshell.errors import UsageError
from espshell.records import dataclass
from espshell.span import Span
from espshell.units import WORD, hex32

VERSIONS = (2, 1)
"""Generations of stubs, the one that is taken first in front."""

_IN_ESPTOOL = Path("targets/stub_flasher")
_HINT = "pip install 'espshell[stub]', or --stub-dir with the files of an esp-flasher-stub release"


@dataclass(frozen=True, slots=True)
class Stub:
    """A stub's program.  ``text`` and ``data`` go to RAM; ``bss_start`` is what it uses besides."""

    path: str
    version: int
    entry: int
    text_start: int
    text: bytes
    data_start: int
    data: bytes
    bss_start: int
    chip: Chip | None = None
    """Whose it is, once handlers of ours are in it."""
    table: int = 0
    """Where its plugin table is then."""
    reserve: int = 0
    """Bytes behind its text for handlers that come later."""

    @property
    def segments(self) -> tuple[tuple[int, bytes], ...]:
        """Addresses and bytes, padded to words."""
        both = ((self.text_start, self.text), (self.data_start, self.data))
        return tuple((start, data + bytes(-len(data) % WORD)) for start, data in both if data)

    @property
    def occupied(self) -> tuple[tuple[str, Span], ...]:
        """The RAM that it uses: code, and variables, which end with its data."""
        variables = self.bss_start or self.data_start
        return (
            ("code", Span.of(self.text_start, len(self.text) + self.reserve)),
            ("data", Span(variables, self.data_start + len(self.data))),
        )


def find(chip: Chip, name: str, *, folder: Path | None = None, version: int | None = None) -> Stub:
    """Read the stub of a chip from a folder, or from the installed esptool package.

    Raises: UsageError if there is none, or if the file is damaged or for another chip.
    """
    versions = VERSIONS if version is None else (version,)
    for path in _places(name, folder, versions):
        if files.is_file(path):
            return read(path, chip)
    where = f"in {folder}" if folder else "installed"
    raise UsageError(f"no flasher stub for the {chip.title} is {where}", hint=_HINT)


def read(path: Path, chip: Chip) -> Stub:
    """Read a stub's file.

    Raises: UsageError, also unless both segments lie in the chip's RAM, and the entry in the text.
    """
    try:
        fields: Any = files.parse_json(files.read_bytes(path, files.JSON))
        text, data = (base64.b64decode(fields.get(k, ""), validate=True) for k in ("text", "data"))
        entry, text_start = (int(fields[k]) for k in ("entry", "text_start"))
        data_start, bss_start = (int(fields.get(k, 0)) for k in ("data_start", "bss_start"))
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise UsageError(
            f"{path} is not a flasher stub, or only part of one", hint=_HINT
        ) from error
    version = 1 if path.parent.name == "1" else 2
    stub = Stub(str(path), version, entry, text_start, text, data_start, data, bss_start)
    for address, data in stub.segments:
        region = chip.region_at(address, len(data))
        if region is None or region.kind is not Kind.RAM:
            raise UsageError(
                f"{path} is for another chip: {hex32(address)} is not RAM of the {chip.title}"
            )
    if not text_start <= entry < text_start + len(text):
        raise UsageError(f"{path} is damaged: its entry {hex32(entry)} is not in it")
    return stub


def _places(name: str, folder: Path | None, versions: tuple[int, ...]) -> Iterator[Path]:
    if folder is not None:
        yield from (folder / str(version) / f"{name}.json" for version in versions)
        yield folder / f"{name}.json"
        return
    from importlib import metadata  # 20 ms that only a stub is worth

    with contextlib.suppress(metadata.PackageNotFoundError):
        # Not find_spec: a script named esptool.py beside ours would be found first.
        package = Path(str(metadata.distribution("esptool").locate_file("esptool")))
        for version in versions:
            yield package / _IN_ESPTOOL / str(version) / f"{name}.json"
