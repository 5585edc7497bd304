"""Our loadram beside esptool's load-ram: the same MEM_* conversation, by ROM and by stub.

What is named here is all that differs: esptool asks SPI and eFuse about other things first, its
stub is uploaded without our handler for bulk reads, and what a stub has taken we read back, because
that one checks nothing.  On the S3 both send small blocks: nothing tells them that this is not its
own USB.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from espshell.device import Target
from espshell.link.trace import Direction
from espshell.ops.chip.loadram import load_ram, plan_ram
from espshell.protocol import slip
from espshell.protocol.packet import HEADER, Opcode
from tests.image.support import esp8266
from tests.ops.test_loadram import image
from tests.oracle_support import esptool, served

pytest.importorskip("esptool")

pytestmark = pytest.mark.oracle

MEM = (Opcode.MEM_BEGIN, Opcode.MEM_DATA, Opcode.MEM_END)

TEXT = bytes(n * 7 & 0xFF for n in range(0x1800 + 0x123))
"""One whole block and a part of one, not a multiple of four."""

Case = tuple[str, tuple[int, int], int, int]

CASES: tuple[Case, ...] = (
    ("esp32", (0x4008_0000, 0x3FFB_0000), 0, 0),
    ("esp32", (0x4008_0000, 0x3FFB_0000), 0, 1),
    ("esp32", (0x4008_0000, 0x3FFB_0000), 0, 2),
    ("esp32c3", (0x4039_8000, 0x3FC9_C000), 5, 0),
    ("esp32c3", (0x4039_8000, 0x3FC9_C000), 5, 2),
    ("esp32s3", (0x4038_0000, 0x3FC8_8000), 9, 0),
    ("esp8266", (0x4010_0000, 0x3FFE_8000), 0, 0),
)
"""Chip, addresses of code and data, chip id in the header, and which stub takes it: 0 the ROM."""


def requests(sent: bytes) -> list[bytes]:
    """Return the MEM_* requests in what was sent, header and all; behind the last stub's start."""
    frames = slip.Decoder(lambda data: len(data) >= HEADER.size and not data[0]).feed(sent)
    wanted = [f.data for f in frames if isinstance(f, slip.Frame) and f.data[1] in MEM]
    ends = [i for i, each in enumerate(wanted) if each[1] == Opcode.MEM_END]
    return wanted[ends[-2] + 1 :] if len(ends) > 1 else wanted


@contextlib.contextmanager
def overheard(chip: str) -> Iterator[tuple[str, bytearray]]:
    """Serve a chip behind a relay; give its address and what the client sends."""
    heard = bytearray()
    with (
        served(chip, "--tcp", "127.0.0.1:0") as place,
        socket.create_server(("127.0.0.1", 0)) as door,
    ):
        host, _, port = place.rpartition(":")
        relay = threading.Thread(target=relayed, args=(door, (host, int(port)), heard))
        relay.start()
        try:
            yield f"socket://127.0.0.1:{door.getsockname()[1]}", heard
        finally:
            relay.join()


def relayed(door: socket.socket, server: tuple[str, int], heard: bytearray) -> None:
    """Pass on what one client sends and is answered, until it leaves."""
    client, _ = door.accept()
    with client, socket.create_connection(server) as chip:
        back = threading.Thread(target=pumped, args=(chip, client, bytearray()))
        back.start()
        pumped(client, chip, heard)
        chip.shutdown(socket.SHUT_RDWR)
        back.join()


def pumped(source: socket.socket, sink: socket.socket, heard: bytearray) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            heard += data
            sink.sendall(data)


def by_esptool(case: Case, file: Path) -> list[bytes]:
    """Return what esptool sends."""
    name, _, _, version = case
    how = ("--stub-version", str(version)) if version else ("--no-stub",)
    with overheard(f"{name}?says=x&returns=0") as (port, heard):
        esptool(port, "--chip", name, *how, "load-ram", str(file))
        return requests(bytes(heard))


def by_us(case: Case, file: Path) -> list[bytes]:
    """Return what we send."""
    name, _, _, version = case
    sent = bytearray()

    def tap(now: float, direction: Direction, data: bytes) -> None:
        if direction == "tx":
            sent.extend(data)

    target = Target.open(f"sim://{name}?says=x&returns=0", taps=(tap,))
    if version:
        target.start_stub(version=version)
    load_ram(target, plan_ram(target, file), verify=bool(version))
    target.close()
    return requests(bytes(sent))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[3]}")
def test_the_same_is_sent(case: Case, tmp_path: Path) -> None:
    """Announcements, blocks with their sums and numbers, and the start are the same bytes."""
    name, (text, data), chip_id, _ = case
    segments = [(text, TEXT), (data, b"hello, world")]
    file = tmp_path / "program.bin"
    if name == "esp8266":
        file.write_bytes(esp8266(segments, entry=text + 8))
    else:
        file.write_bytes(image(segments, chip=chip_id, entry=text + 8))
    ours = by_us(case, file)
    first = -(-len(TEXT) // (0x800 if name == "esp32s3" else 0x1800))
    begin, block, end = MEM
    assert [each[1] for each in ours] == [begin, *[block] * first, begin, block, end]
    assert [each.hex() for each in ours] == [each.hex() for each in by_esptool(case, file)]
