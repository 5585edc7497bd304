"""Handlers of ours in a stub's plugin table.

Every stub since version 2 carries 27 function pointers for the opcodes D5 to EF in its ``data``
segment; unused, all of them point at one default handler, so the table is found by its shape.  The
stub is uploaded with the *base* handlers behind its ``text``, and some pointers that lead there.  A
stub without a table, or with another one, is left as it is.

What is in the table is not yet believed: a handler proves itself with a known answer first, which
is the business of who uses it (``bulk``, for words).

Source: esp-flasher-stub's plugin interface (Apache-2.0 or MIT), seen working on the real ROMs of an
ESP32 and an ESP32-C3; an ESP8266 has only been run by qemu.  Xtensa IRAM takes 32-bit accesses
only, so everything is padded to words.
"""

from __future__ import annotations

import struct
from dataclasses import replace

from espshell.chips import Chip, Kind
from espshell.loader.plugins import catalogue
from espshell.loader.stub_file import Stub
from espshell.protocol.packet import Opcode
from espshell.units import KIB, WORD

BASE = {Opcode.READ_MEMORY: "words", Opcode.STREAM: "stream"}
"""The handlers that a stub is uploaded with."""

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
        handler = catalogue.handler(name, chip)
        code = handler and handler.placed(address, catalogue.rom(chip.name))
        if handler is None or code is None:
            continue
        struct.pack_into("<I", data, table + slot(opcode), address + handler.entry)
        text += code
    region = chip.region_at(stub.text_start, len(text) + RESERVE)
    if bytes(data) == stub.data or region is None or region.kind is not Kind.RAM:
        return None
    return replace(
        stub, text=text, data=bytes(data), table=stub.data_start + table, reserve=RESERVE
    )


def slot(opcode: Opcode) -> int:
    """Return the offset of an opcode's pointer in the table."""
    return WORD * (opcode - FIRST_SLOT)


def _table(data: bytes) -> int | None:
    """Return the offset of the one run of 27 equal words, or None if there is none or another."""
    words = struct.unpack(f"<{len(data) // WORD}I", data[: len(data) - len(data) % WORD])
    starts = [i for i in range(len(words) - SLOTS + 1) if len(set(words[i : i + SLOTS])) == 1]
    return WORD * starts[0] if len(starts) == 1 and words[starts[0]] else None
