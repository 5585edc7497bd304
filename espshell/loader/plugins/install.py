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
says.  Xtensa IRAM takes 32-bit accesses only, so everything is padded to words.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from espshell.chips import Chip, Kind
from espshell.errors import DeviceError
from espshell.loader import ram, transfer
from espshell.loader.loader import Loader
from espshell.loader.plugins import catalogue
from espshell.loader.stub_file import Stub
from espshell.protocol.commands import RegisterWrite, WriteReg
from espshell.protocol.packet import Opcode
from espshell.span import Span
from espshell.units import KIB, WORD

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

RESERVE = 2 * KIB
"""Bytes behind the base handlers, for those that come when they are asked for."""


def with_handlers(stub: Stub, chip: Chip) -> Stub | None:
    """Return the stub with the base handlers in it; None where there is no table for them."""
    table = _table(stub.data)
    if table is None:
        return None
    text, data = stub.text + bytes(-len(stub.text) % WORD), bytearray(stub.data)
    for opcode, name in BASE.items():
        address = stub.text_start + len(text)
        if placed := catalogue.place(name, chip, address):
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
    placed = catalogue.place(LATER[opcode], stub.chip, address)
    if placed is None or (opcode is Opcode.DEFLATE and not deflate_state(loader)):
        return False
    code, entry = placed
    pointer = stub.table + slot(opcode)
    try:
        for _ in ram.write_blocks(loader, address, code):
            pass
        loader.execute(WriteReg((RegisterWrite(pointer, entry),)))
        words = transfer.read_words(loader, range(address, address + len(code), WORD))
        words += transfer.read_words(loader, [pointer])
    except DeviceError:
        return False
    is_there = words == [*struct.unpack(f"<{len(code) // WORD}I", code), entry]
    if is_there:
        loader.handlers[opcode] = Span.of(address, len(code))
    return is_there


def deflate_state(loader: Loader) -> int | None:
    """Return the address of 170 KiB of RAM for ``Deflate*``; None where there is no such place.

    What the RAM holds is lost.
    """
    chip = loader.stub.chip if loader.stub else None
    return catalogue.rom(chip.name).get("ram") if chip else None


def slot(opcode: Opcode) -> int:
    """Return the offset of an opcode's pointer in the table."""
    return WORD * (opcode - FIRST_SLOT)


def _table(data: bytes) -> int | None:
    """Return the offset of the one run of 27 equal words, or None if there is none or another."""
    words = struct.unpack(f"<{len(data) // WORD}I", data[: len(data) - len(data) % WORD])
    starts = [i for i in range(len(words) - SLOTS + 1) if len(set(words[i : i + SLOTS])) == 1]
    return WORD * starts[0] if len(starts) == 1 and words[starts[0]] else None
