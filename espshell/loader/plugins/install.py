"""Handlers of ours in a stub's plugin table.

Every stub since version 2 carries 27 function pointers for the opcodes D5 to EF in its ``data``
segment; unused, all of them point at one default handler, so the table is found by its shape.  The
stub is uploaded with the *base* handlers behind its ``text``, and some pointers that lead there
(``with_handlers``).  The larger ones come through the running stub when they are asked for
(``ensure``), so that its start takes no longer.  A stub without a table, or with another one, is
left as it is.

That a handler is in its place says nothing about what it does: who uses one has it prove itself
with a known answer first, and believes it from then on.  The code for memory calls nothing;
``StreamFlash``, ``SectorCrcs`` and ``Deflate*`` call the ROM at addresses that are proven for few
chips (``data/rom.txt``).  ``Deflate*`` writes over 170 KiB of RAM (``deflate_state``).

Source: esp-flasher-stub's plugin interface (Apache-2.0 or MIT), seen working on the real ROMs of an
ESP32 and an ESP32-C3; that the stub of an ESP8266 calls handlers in the same way is what its code
says.  Machine code and ROM addresses stand in ``data``: ``handlers.txt`` is written by
``scripts/plugins/build.py`` from the C beside it, ``rom.txt`` is kept by hand and has the sources.
Xtensa IRAM takes 32-bit accesses only, so everything is padded to words.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache

from espshell import tables
from espshell.chips import Chip, Kind
from espshell.errors import DeviceError
from espshell.loader import transfer
from espshell.loader.loader import Loader
from espshell.loader.stub import write_blocks
from espshell.loader.stub_file import Stub
from espshell.protocol.commands import RegisterWrite, WriteReg
from espshell.protocol.packet import Opcode
from espshell.records import dataclass, replace
from espshell.span import Span
from espshell.units import KIB, WORD

_MASK = 0xFFFF_FFFF
_BASE = "base"


@dataclass(frozen=True, slots=True)
class Handler:
    """Machine code of one handler for one kind of core, not yet in its place."""

    entry: int
    """Offset of its first instruction."""
    fills: tuple[tuple[int, str], ...]
    """Offsets of words, and what belongs into them: a function of the ROM, or ``base``, where the
    handler's own address is added."""
    code: bytes

    def placed(self, address: int, rom: Mapping[str, int]) -> bytes | None:
        """Return the code for an address; None if the chip's ROM lacks a function."""
        code = bytearray(self.code)
        for offset, name in self.fills:
            if name == _BASE:
                value = address + int.from_bytes(code[offset : offset + WORD], "little")
            elif name in rom:
                value = rom[name]
            else:
                return None
            code[offset : offset + WORD] = (value & _MASK).to_bytes(WORD, "little")
        return bytes(code)


def handler(name: str, chip: Chip) -> Handler | None:
    """Return a handler for a chip's cores, or None if there is none."""
    return _handlers().get((name, chip.isa.value))


def place(name: str, chip: Chip, address: int) -> tuple[bytes, int] | None:
    """Return the code of a handler for an address, and its entry.

    None if there is none for the chip's cores, or if its ROM lacks a function that it calls.
    """
    row = handler(name, chip)
    code = None if row is None else row.placed(address, rom(chip.name))
    return None if row is None or code is None else (code, address + row.entry)


@cache
def rom(name: str) -> Mapping[str, int]:
    """Return what ``rom.txt`` says about a chip: addresses by name."""
    for line in tables.rows(__package__, "rom"):
        chip, *words = line.split()
        if chip == name:
            return {key: int(value, 0) for key, _, value in (w.partition("=") for w in words)}
    return {}


@cache
def _handlers() -> Mapping[tuple[str, str], Handler]:
    handlers: dict[tuple[str, str], Handler] = {}
    key = ("", "")
    for line in tables.rows(__package__, "handlers"):
        head, *words = line.split(" ")
        if not words:
            last = handlers[key]
            handlers[key] = Handler(last.entry, last.fills, last.code + bytes.fromhex(head))
            continue
        key = (head, words[0])
        marks = (mark.split("=") for mark in words[2:])
        fills = tuple((int(at, 0), name) for at, name in marks)
        handlers[key] = Handler(int(words[1], 0), fills, b"")
    return handlers


BASE = {Opcode.READ_MEMORY: "words", Opcode.STREAM: "stream"}
"""The handlers that a stub is uploaded with."""

LATER = {
    Opcode.DEFLATE: "deflate",
    Opcode.FIND: "find",
    Opcode.CRC32: "crc",
    Opcode.CALL: "call",
    Opcode.MEMTEST: "memtest",
}
"""Those that are uploaded when they are asked for."""

FIRST_SLOT = 0xD5
SLOTS = 27

DEFLATE_STATE = 170 * KIB
"""What the ROM's ``tdefl`` needs at its work; it touches 45 KiB of them."""

RESERVE = 2 * KIB
"""Bytes behind the base handlers, for those that come when they are asked for."""


def with_handlers(stub: Stub, chip: Chip) -> Stub | None:
    """Return the stub with the base handlers in it; None where there is no table for them."""
    words = struct.unpack_from(f"<{len(stub.data) // WORD}I", stub.data)
    runs = [i for i in range(len(words) - SLOTS + 1) if len(set(words[i : i + SLOTS])) == 1]
    if len(runs) != 1 or not words[runs[0]]:  # none, or another one
        return None
    table = WORD * runs[0]
    text, data = stub.text + bytes(-len(stub.text) % WORD), bytearray(stub.data)
    for opcode, name in BASE.items():
        address = stub.text_start + len(text)
        if placed := place(name, chip, address):
            code, entry = placed
            struct.pack_into("<I", data, table + slot(opcode), entry)
            text += code
    region = chip.region_at(stub.text_start, len(text) + RESERVE)
    if bytes(data) == stub.data or region is None or region.kind is not Kind.RAM:
        return None
    at = stub.data_start + table
    return replace(stub, text=text, data=bytes(data), chip=chip, table=at, reserve=RESERVE)


def ensure(loader: Loader, opcode: Opcode) -> bool:
    """Upload the handler of an opcode into the stub that runs, if it is not there yet.

    Returns False, and sends nothing, where there is none for this loader; also if what was uploaded
    is not what is there, or the stub refuses it.

    Raises: NoReply.
    """
    stub = loader.stub
    if stub is None or not stub.table or stub.chip is None or not loader.dialect.is_stub:
        return False
    if opcode in BASE or opcode in loader.handlers:
        return True
    address = max(
        (span.end for span in loader.handlers.values()), default=stub.text_start + len(stub.text)
    )
    functions = rom(stub.chip.name)
    placed = None if "cached" in functions else place(LATER[opcode], stub.chip, address)
    if placed is None or (opcode is Opcode.DEFLATE and "ram" not in functions):
        return False
    code, entry = placed
    pointer = stub.table + slot(opcode)
    try:
        for _ in write_blocks(loader, address, code):
            pass
        loader.execute(WriteReg((RegisterWrite(pointer, entry),)))
        held = b"".join(transfer.read_range(loader, address, address + len(code)))
        held += b"".join(transfer.read_range(loader, pointer, pointer + WORD))
    except DeviceError:
        return False
    is_there = held == code + entry.to_bytes(WORD, "little")
    if is_there:
        loader.handlers[opcode] = Span.of(address, len(code))
    return is_there


def deflate_state(loader: Loader) -> int | None:
    """Return where ``DEFLATE_STATE`` bytes of RAM are for ``Deflate*``; None: there is no place.

    What the RAM holds is lost.
    """
    chip = loader.stub.chip if loader.stub else None
    return rom(chip.name).get("ram") if chip else None


def slot(opcode: Opcode) -> int:
    """Return the offset of an opcode's pointer in the table."""
    return WORD * (opcode - FIRST_SLOT)
