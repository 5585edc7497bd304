"""Flasher stubs: where their files are, what is in them, and starting one.

A stub is a small program of Espressif's that runs in RAM in the ROM loader's place.  Its files are
JSON: entry, and two segments in base64.  They come with the esptool package, which is located and
never imported, or from a folder (the files of an esp-flasher-stub release).
"""

from __future__ import annotations

import base64
import binascii
import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from espshell import files
from espshell.chips import Chip, Kind
from espshell.errors import DeviceError, NoReply, UsageError
from espshell.loader import ram, transfer
from espshell.loader.dialogue import SYNC_TIMEOUTS_S
from espshell.loader.loader import Loader
from espshell.protocol import dialect, flash
from espshell.protocol.commands import MemEnd, RegisterWrite, WriteReg
from espshell.span import Span
from espshell.units import WORD, hex32

GREETING = b"OHAI"
"""What a stub says when it runs, as a frame of its own."""

VERSIONS = (2, 1)
"""Generations of stubs, the one that is taken first in front."""

_GREETING_S = 1.0
_TRIES = 3
_JUMP_S = 0.2  # a ROM may jump before it has answered
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
    has_bulk_read: bool = False

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
            ("code", Span.of(self.text_start, len(self.text))),
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
    """Read a stub's file. Raises: UsageError, also if it does not fit the chip."""
    try:
        fields: Any = files.parse_json(files.read_bytes(path, files.JSON))
        text, data = (base64.b64decode(fields.get(k, ""), validate=True) for k in ("text", "data"))
        entry, text_start = (int(fields[k]) for k in ("entry", "text_start"))
        data_start, bss_start = (int(fields.get(k, 0)) for k in ("data_start", "bss_start"))
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise UsageError(f"{path} is no flasher stub, or only a part of one", hint=_HINT) from error
    version = 1 if path.parent.name == "1" else 2
    stub = Stub(str(path), version, entry, text_start, text, data_start, data, bss_start)
    _check_fits(stub, chip)
    return stub


def start(loader: Loader, stub: Stub, *, read_pointer: int | None = None) -> None:
    """Upload a stub and start it; the loader speaks its dialect from then on.

    What is uploaded is looked at before it is started, because the announcement has no checksum and
    a flipped bit in it puts everything elsewhere.  Where no greeting comes, SYNC tells who answers,
    and a ROM is asked to jump once more.

    Where MEM_END does not start code, ``read_pointer`` is a word of ROM data that READ_FLASH_SLOW
    jumps through; see ``Quirk.STUB_START_BY_READ``.

    Raises: DeviceError or NoReply if the upload fails; NoReply if the stub does not run.
    """
    _upload(loader, stub)
    for _ in range(_TRIES):
        loader.link.forget_noise()
        with contextlib.suppress(NoReply):
            _jump(loader, stub.entry, read_pointer)
        running = loader.link.hear(GREETING, _GREETING_S)
        if running:
            loader.begin_anew()
        elif _syncs_as_stub(loader):
            loader.distrust()
        else:
            continue
        loader.dialect = dialect.STUB_V1 if stub.version == 1 else dialect.STUB
        loader.stub = stub
        return
    raise NoReply("the flasher stub was loaded and does not answer", hint="`reset`, `stub never`")


def recognise(loader: Loader, candidates: Iterable[Stub]) -> Stub | None:
    """Return that of some stubs which runs, by words of its code in RAM, and remember it."""
    for stub in candidates:
        if _is_in_ram(loader, ((stub.text_start, stub.text),)):
            loader.stub = stub
            return stub
    return None


def _upload(loader: Loader, stub: Stub) -> None:
    for _ in range(_TRIES):
        for address, data in stub.segments:
            for _ in ram.write_blocks(loader, address, data):
                pass
        if _is_in_ram(loader, stub.segments):
            return
    raise DeviceError(
        "the flasher stub is not in RAM after it was written there",
        hint="check cable and baud rate; `stub never` does without",
    )


def _is_in_ram(loader: Loader, segments: Iterable[tuple[int, bytes]]) -> bool:
    """Return whether the ends of each block, as they are uploaded, are where they belong."""
    block = loader.dialect.block_size
    expected: dict[int, int] = {}
    for start, data in segments:
        size = len(data) - len(data) % WORD
        for at in (*range(0, size, block), *range(block - WORD, size, block), size - WORD):
            expected[start + at] = int.from_bytes(data[at : at + WORD], "little")
    return transfer.read_few(loader, list(expected)) == list(expected.values())


def _jump(loader: Loader, entry: int, read_pointer: int | None) -> None:
    if read_pointer is None:
        loader.execute(MemEnd(entry), timeout_s=_JUMP_S)
        return

    loader.execute(WriteReg((RegisterWrite(read_pointer, entry),)))
    loader.execute(flash.ReadFlashSlow(0, 64), timeout_s=_JUMP_S)


def _syncs_as_stub(loader: Loader) -> bool:
    values = (loader.sync(wait_s, opened=True) for wait_s in SYNC_TIMEOUTS_S)
    return next((value for value in values if value is not None), None) == dialect.STUB.sync_value


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


def _check_fits(stub: Stub, chip: Chip) -> None:
    """Raise UsageError unless both segments lie in the chip's RAM, and the entry in the text."""
    for address, data in stub.segments:
        region = chip.region_at(address, len(data))
        if region is None or region.kind is not Kind.RAM:
            raise UsageError(
                f"{stub.path} is for another chip: {hex32(address)} is no RAM of the {chip.title}"
            )
    if not stub.text_start <= stub.entry < stub.text_start + len(stub.text):
        raise UsageError(f"{stub.path} is damaged: its entry {hex32(stub.entry)} is not in it")
