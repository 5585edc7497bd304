"""Stubs for the simulator, installed ones and small ones made here; a flash by itself."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

from espshell.protocol import packet, slip
from espshell.protocol.commands import MemBegin, MemData, MemEnd, Sync
from espshell.sim import parts
from espshell.sim.nor import LONG, REACH, Nor
from espshell.sim.protocol_sim import Serial

HELLO = slip.encode(b"OHAI")
BLOCK = 0x1800

Exchange = Callable[..., bytes]


@dataclass(frozen=True)
class StubFile:
    """What a stub's file holds."""

    entry: int
    text_start: int
    text: bytes
    data_start: int
    data: bytes

    @property
    def pieces(self) -> tuple[tuple[int, bytes], ...]:
        """What is loaded."""
        return (self.text_start, self.text), (self.data_start, self.data)

    @property
    def table(self) -> int:
        """Where the plugin table of a small stub is."""
        return self.data_start + 8

    def with_slot(self, index: int, pointer: int) -> StubFile:
        """Return the same small stub with another pointer in its table."""
        at = self.table - self.data_start + 4 * index
        data = self.data[:at] + struct.pack("<I", pointer) + self.data[at + 4 :]
        return replace(self, data=data)


def small(chip: str, version: int) -> StubFile:
    """Return a program that the simulator takes for a stub."""
    text, data = {"esp32": (0x400A_8000, 0x3FFD_ED00), "esp32c3": (0x4038_0000, 0x3FC9_6D00)}[chip]
    default = struct.pack("<I", text + 16)
    table = default * 27 if version == 2 else b""
    return StubFile(text + 4, text, b"OHAI" + b"code" * 15, data, b"\1\0\0\0\2\0\0\0" + table)


def installed() -> list[tuple[str, int]]:
    """Return name and version of the stubs that have come with esptool."""
    return [(path.stem, int(path.parent.name)) for path in sorted(_folder().glob("[12]/*.json"))]


def from_file(name: str, version: int) -> StubFile:
    """Read one of them."""
    fields = json.loads((_folder() / str(version) / f"{name}.json").read_text())
    text, data = (base64.b64decode(fields[key]) for key in ("text", "data"))
    return StubFile(fields["entry"], fields["text_start"], text, fields["data_start"], data)


def _folder() -> Path:
    # Not by its module: a script named esptool.py may be found first.
    return Path(str(metadata.distribution("esptool").locate_file("esptool/targets/stub_flasher")))


def with_program(port: Serial) -> Serial:
    """Let the flash hold what the ROM takes for a program."""
    chip = port.wire.chip
    chip.flash.load(b"\xff" * chip.facts.bootloader_offset + b"\xe9")
    return port


def upload(exchange: Exchange, port: Serial, stub: StubFile) -> bytes:
    """Load a stub and start it; return what the chip says to the last command."""
    for address, data in stub.pieces:
        load(exchange, port, address, data)
    return exchange(port, MemEnd(stub.entry).encode())


def load(exchange: Exchange, port: Serial, address: int, data: bytes) -> bytes:
    """Put data into RAM; return the replies."""
    parts = [data[start : start + BLOCK] for start in range(0, len(data), BLOCK)]
    found = exchange(port, MemBegin(len(data), len(parts), BLOCK, address).encode())
    for number, part in enumerate(parts):
        found += exchange(port, MemData(number, part).encode())
    return found


def running(
    exchange: Exchange, open_sim: Callable[..., Serial], url: str, stub: StubFile
) -> Serial:
    """Return a port to a chip on which a stub runs."""
    port = open_sim(url)
    exchange(port, Sync().encode())
    assert upload(exchange, port, stub).endswith(HELLO)
    return port


def request(opcode: int, *words: int, data: bytes = b"") -> bytes:
    """Return a request as it goes on the wire."""
    payload = struct.pack(f"<{len(words)}I", *words) + data
    check = packet.checksum(data) if data else 0
    return slip.encode(packet.request(opcode, payload, check))


class Bus:
    """A flash by itself, and somebody who sends it bytes; ``now`` is the time."""

    def __init__(self, name: str, status: tuple[int, ...] = (), *, wp_low: bool = False) -> None:
        part = parts.by_name(name)
        assert part is not None
        self.nor = Nor(part, stored=status, wp_low=wp_low)
        self.now = 0.0

    def __call__(self, *sent: int, data: bytes = b"", read: int = 0) -> bytes:
        """Send bytes now; return what comes."""
        return self.nor.transfer(bytes(sent) + data, read, self.now)

    def do(self, *sent: int, data: bytes = b"", enable: int = 0x06) -> None:
        """Enable a write, send it, and wait until it is done."""
        self(enable)
        self(*sent, data=data)
        self.now = max(self.now, self.nor.busy_until)

    def at(self, opcode: int, address: int, data: bytes = b"") -> None:
        """Do what needs an address."""
        long = self.nor.size > REACH
        sent = LONG[opcode] if long else opcode
        self.do(sent, *address.to_bytes(4 if long else 3, "big"), data=data)

    def look(self, *opcodes: int) -> list[int]:
        """Return status registers."""
        return [self(opcode, read=1)[0] for opcode in opcodes or (0x05,)]
