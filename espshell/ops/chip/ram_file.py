"""Programs for RAM as files hold them: images, Intel HEX and ELF files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from espshell.chips import Chip
from espshell.errors import UsageError
from espshell.files import read_bytes
from espshell.image import elf, firmware, intel_hex
from espshell.image.firmware import Firmware, ImageLayout
from espshell.image.recognise import FOREIGN, recognise
from espshell.ops.flash.payload import Payload
from espshell.records import dataclass
from espshell.span import Span
from espshell.units import WORD, hex32

_PROGRAMS = "a program is an image (.bin), the same as Intel HEX, or an ELF file"


@dataclass(frozen=True, slots=True)
class Program:
    """The contents of a file, before it is compared with a chip."""

    entry: int
    segments: tuple[Payload, ...]
    firmware: Firmware | None = None
    machine: str = ""
    zeroed: tuple[Span, ...] = ()
    """Memory that is not loaded: zero when the program starts, or its own to set up."""


def read(file: Path, chip: Chip) -> Program:
    """Read a program of any kind. Raises: UsageError."""
    data = read_bytes(file)
    if not data:
        raise UsageError(f"{file} is empty", hint="was it built?")
    if data.startswith(elf.MAGIC):
        program = _from_elf(data, str(file))
    else:
        if intel_hex.is_given(data, file):
            data = _from_hex(data, str(file))
        program = _from_image(data, str(file), esp8266=chip.name == "esp8266")
    if not program.segments:
        raise UsageError(f"{file} has no segments to load")
    return program


def _from_elf(data: bytes, name: str) -> Program:
    file = elf.parse_elf(data, name=name)
    segments = _whole_words(name, [(segment.address, segment.data) for segment in file.segments])
    zeroed = tuple(
        Span(segment.address + len(segment.data), segment.address + segment.mem_size)
        for segment in file.segments
        if segment.mem_size > len(segment.data)
    )
    return Program(file.entry, segments, machine=file.machine, zeroed=zeroed)


def _from_hex(data: bytes, name: str) -> bytes:
    """Return the image in an Intel HEX file; where it is said to stand does not matter."""
    pieces = intel_hex.read(data, name=name)
    if len(pieces) > 1:
        raise UsageError(
            f"{name} has a gap behind {hex32(pieces[0][0] + len(pieces[0][1]))}; an image must "
            "be contiguous",
            hint="`load FILE mem:0` puts each piece where it belongs",
        )
    return pieces[0][1]


def _from_image(data: bytes, name: str, *, esp8266: bool) -> Program:
    kind = recognise(data)
    if kind in FOREIGN:
        raise UsageError(f"{name} is not a program: {kind.value}", hint=_PROGRAMS)
    try:
        image = firmware.parse(data, esp8266=esp8266 if firmware.layout_of(data) is None else None)
    except UsageError as error:
        raise UsageError(f"{name}: {error.message}", hint=error.hint) from error
    if image.layout is ImageLayout.ESP8266_V2:
        raise UsageError(
            f"{name} is an image of version 2, whose first part stays in flash",
            hint="`load FILE flash:ADDRESS` writes it there",
        )
    pieces = [
        (segment.address, data[segment.offset : segment.offset + segment.size])
        for segment in image.segments
        if segment.placed
    ]
    return Program(image.header.entry, _whole_words(name, pieces), image)


def _whole_words(name: str, pieces: Sequence[tuple[int, bytes]]) -> tuple[Payload, ...]:
    for address, _ in pieces:
        if address % WORD:
            raise UsageError(
                f"{name}: the segment at {hex32(address)} does not start at a word boundary"
            )
    return tuple(
        Payload(address, data + bytes(-len(data) % WORD), name) for address, data in pieces if data
    )
