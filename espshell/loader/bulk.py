"""Sixteen words a round trip: a handler of ours in the plugin table of the flasher stub.

Every stub since version 2 carries 27 function pointers for the opcodes D5 to EF in its ``data``
segment; unused, all of them point at one default handler, so the table is found by its shape.  The
stub is uploaded with some bytes more of ``text`` and one pointer at them, and has a new command.

The value of a reply is the address plus all words in it.  So a bit that flips, in the request or in
the reply, is seen, and so is a reply that answers another request.

Without that sum the handlers were tried on the real ROMs of an ESP32-C3 and an ESP32, with the real
stub: 16 KiB in 256 round trips, byte-identical.  With it they were run by unicorn (RISC-V) and by
qemu-xtensa (dc233c).  Xtensa IRAM takes 32-bit stores only, so they are padded to words.

Source: ``scripts/bulk_read/*.s``, assembled by ``scripts/assemble``; the calling convention is that
of esp-flasher-stub's plugin interface (Apache-2.0 or MIT).
"""

from __future__ import annotations

import struct
from dataclasses import replace

from espshell.chips import Isa
from espshell.errors import EspError
from espshell.loader.loader import Loader
from espshell.loader.stub_file import Stub
from espshell.protocol.commands import ReadMemory
from espshell.protocol.packet import Opcode
from espshell.units import WORD

HANDLERS = {
    Isa.RISCV: bytes.fromhex(
        "83a2050003a34500968793834600131e23002392c605630b030083ae020023a0d301f69791029103"
        "7d13f5b79cc2014582800100"
    ),
    Isa.XTENSA: bytes.fromhex(
        "36410062230072230160b62082c504e09711925522164701a22600a26800a0bb8062c60482c80472"
        "c7ff56a7feb2650022a0001df0000000"
    ),
}
"""Machine code of the handlers. An ESP8266 has none: nothing has shown it to run there."""

FIRST_SLOT = 0xD5
SLOTS = 27


def with_bulk_read(stub: Stub, isa: Isa) -> Stub | None:
    """Return the stub with the handler in it; None where there is no table or no handler."""
    handler = HANDLERS.get(isa)
    table = _table(stub.data)
    if handler is None or table is None:
        return None
    text = stub.text + bytes(-len(stub.text) % WORD)
    slot = table + WORD * (Opcode.READ_MEMORY - FIRST_SLOT)
    pointer = (stub.text_start + len(text)).to_bytes(WORD, "little")
    data = stub.data[:slot] + pointer + stub.data[slot + WORD :]
    return replace(stub, text=text + handler, data=data, has_bulk_read=True)


def enable(loader: Loader) -> bool:
    """Have long reads go through the handler, if it reads what READ_REG reads.

    The words that are compared are the connection's markers, so it costs one round trip.  Whatever
    goes wrong, the loader is as good as without it.
    """
    start = min(marker.address for marker in loader.markers)
    try:
        data = loader.execute(ReadMemory(start, ReadMemory.MOST))
    except EspError:
        return False
    expected = {marker.address - start: marker.value for marker in loader.markers}
    loader.has_bulk_read = all(
        int.from_bytes(data[at : at + WORD], "little") == value
        for at, value in expected.items()
        if at < len(data)
    )
    return loader.has_bulk_read


def _table(data: bytes) -> int | None:
    """Return the offset of the one run of 27 equal words, or None if there is none or another."""
    words = struct.unpack(f"<{len(data) // WORD}I", data[: len(data) - len(data) % WORD])
    starts = [i for i in range(len(words) - SLOTS + 1) if len(set(words[i : i + SLOTS])) == 1]
    return WORD * starts[0] if len(starts) == 1 and words[starts[0]] else None
