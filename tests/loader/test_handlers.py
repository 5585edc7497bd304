"""What our handlers do: on the simulated chip of both architectures, and in qemu-xtensa."""

from __future__ import annotations

import random
import zlib
from pathlib import Path
from typing import Any

import pytest

from espshell.chips import Chip
from espshell.chips.esp32 import ESP32
from espshell.chips.esp8266 import ESP8266
from espshell.device import Target
from espshell.errors import NoReply, Refused
from espshell.loader.plugins import install
from espshell.protocol import slip
from espshell.protocol.commands import LoaderCommand
from espshell.protocol.handlers import (
    Call,
    Crc32,
    DeflateFlash,
    DeflateMemory,
    Find,
    Memtest,
    RamTest,
    SectorCrcs,
    StreamFlash,
    StreamMemory,
)
from espshell.protocol.packet import Opcode
from espshell.sim import imitation, xtensa
from scripts.plugins import build
from tests.loader import qemu
from tests.loader.support import open_sim, wire_of

CHIPS = ("esp32", "esp32c3")
RAM = {"esp32": 0x3FFB_0000, "esp32c3": 0x3FC9_8000}
CODE = {"esp32": 0x400A_B000, "esp32c3": 0x4038_8000}
ADDS = {
    # entry a1, 32; addx4 a2, a3, a2; addi.n a2, a2, 1; retw.n
    "esp32": "364100" + "2023a0" + "1b22" + "1df0",
    # slli a1, a1, 2; add a0, a0, a1; addi a0, a0, 1; ret
    "esp32c3": "8a05" + "2e95" + "0505" + "8280",
}


def ready(chip: str, *opcodes: Opcode, options: str = "") -> Target:
    """Connect, start the stub and have some handlers in it."""
    target = open_sim(options, chip)
    target.start_stub()
    assert all(install.ensure(target.loader, opcode) for opcode in opcodes)
    return target


def filled(target: Target, chip: str, size: int) -> bytes:
    """Put something into the chip's RAM; return it."""
    data = random.Random(2).randbytes(size)
    wire_of(target).chip.memory.write(RAM[chip], data)
    return data


@pytest.mark.parametrize("chip", CHIPS)
def test_find(chip: str) -> None:
    """The first place at any address, with bits that do not count, or none; the end counts."""
    target = ready(chip, Opcode.FIND)
    data, start = filled(target, chip, 512), RAM[chip]
    for at, size in ((0, 1), (1, 7), (253, 16), (496, 16), (511, 1)):
        pattern = data[at : at + size]
        assert target.loader.execute(Find(start, 512, pattern)) == start + data.find(pattern)
    other = bytes([data[99] ^ 8]) + data[100:104]
    assert target.loader.execute(Find(start, 512, other)) is None
    assert target.loader.execute(Find(start, 512, other, b"\xf7" + b"\xff" * 4)) == start + 99
    assert target.loader.execute(Find(start, 512, data[510:512] + b"\0")) is None


@pytest.mark.parametrize("chip", CHIPS)
def test_crc(chip: str) -> None:
    """It is that of zlib."""
    target = ready(chip, Opcode.CRC32)
    data = filled(target, chip, 4096)
    assert target.loader.execute(Crc32(RAM[chip], 4096)) == zlib.crc32(data)
    assert target.loader.execute(Crc32(RAM[chip], 0)) == 0


@pytest.mark.parametrize("chip", CHIPS)
def test_call(chip: str) -> None:
    """A function in RAM gets its arguments, and its result comes back; another ends the stub."""
    target = ready(chip, Opcode.CALL)
    code = bytes.fromhex(ADDS[chip])
    wire_of(target).chip.memory.write(CODE[chip], code)
    assert target.loader.execute(Call(CODE[chip], (1000, 20))) == 1081
    assert target.loader.execute(Call(CODE[chip], (0xFFFF_FFFF, 0))) == 0


@pytest.mark.parametrize("chip", CHIPS)
@pytest.mark.parametrize(
    ("fault", "test", "places"),
    [
        ("stuck:{0:#x}.5=1", RamTest.MARCH, {0x10}),
        ("stuck:{0:#x}.31=0", RamTest.WALK, {0x10}),
        ("couple:{0:#x}.5>{1:#x}.7", RamTest.MARCH, {0x20}),
        ("bridge:{2:#x}+0x400:4,7", RamTest.LINES, {0, 0x10}),
        ("bridge:{2:#x}+0x400:4,7", RamTest.MARCH, None),
        ("", RamTest.MARCH, set()),
        ("", RamTest.WALK, set()),
        ("", RamTest.LINES, set()),
    ],
)
def test_memtest(chip: str, fault: str, test: RamTest, places: set[int] | None) -> None:
    """A stuck bit, a coupled cell and a bridged address line are found where they are."""
    start = RAM[chip]
    option = fault.format(start + 0x10, start + 0x20, start)
    target = ready(chip, Opcode.MEMTEST, options=option and f"ram={option}")
    found = target.loader.execute(Memtest(start, 0x400, test))
    if places is None:
        assert found.count
        return
    assert {address - start for address, _ in found.places} <= places
    assert bool(found.count) is bool(places)
    if "stuck" in fault or "couple" in fault:
        assert found.bits == 1 << int(fault.rpartition(".")[2].split("=")[0])
        assert {bits for _, bits in found.places} == {found.bits}


@pytest.mark.parametrize("chip", CHIPS)
def test_damaged_requests_do_nothing(chip: str) -> None:
    """A bit that flips in a request of any handler is seen before anything is done."""
    target = ready(chip, *(opcode for opcode in install.LATER if opcode is not Opcode.DEFLATE))
    data = filled(target, chip, 64)
    commands: list[LoaderCommand[Any]] = [
        Find(RAM[chip], 64, b"abc"),
        Crc32(RAM[chip], 64),
        Call(CODE[chip], (1,)),
        Memtest(RAM[chip], 64, RamTest.MARCH),
    ]
    for command in commands:
        request = slip.unescape(command.encode().strip(b"\xc0"))
        assert request is not None
        for at in range(8, len(request)):
            damaged = request[:at] + bytes([request[at] ^ 1 << at % 8]) + request[at + 1 :]
            target.link.send(slip.encode(damaged))
            reply = target.link.receive(1.0)
            assert reply is not None
            assert reply.body == b"\xc1\x00"
    assert wire_of(target).chip.memory.read(RAM[chip], 64) == data


# -- compressed


def inflated(target: Target, command: LoaderCommand[Any]) -> tuple[bytes, int, int]:
    """Return what comes of a compressed read, the bytes of its frames, and its CRC-32."""
    engine, data, size = zlib.decompressobj(), b"", 0
    with target.link.streaming():
        target.link.send(command.encode())
        assert target.link.receive_frame(1.0) == bytes.fromhex("01e20200000000000000")
        while not engine.eof:
            frame = target.link.receive_frame(3.0)
            assert frame
            assert len(frame) <= 1024
            size += len(frame)
            data += engine.decompress(frame)
        crc = target.link.receive_frame(3.0)
    return data, size, int.from_bytes(crc or b"", "little")


@pytest.mark.parametrize("size", [0, 4, 1024, 40_000])
def test_deflate(size: int) -> None:
    """Flash and memory come compressed, to the byte, with the CRC-32 of what was read."""
    target = ready("esp32c3", Opcode.DEFLATE)
    state = install.deflate_state(target.loader)
    assert state is not None
    text = b"".join(b"line %d of many\n" % n for n in range(3000))[:size]
    wire_of(target).chip.flash.load(text)
    found = inflated(target, DeflateFlash(0, size, state))
    assert found[::2] == (text, zlib.crc32(text))
    assert size < 40_000 or found[1] < size / 3
    noise = filled(target, "esp32c3", 4096)
    found = inflated(target, DeflateMemory(RAM["esp32c3"], 4096, state, 1))
    assert found[::2] == (noise, zlib.crc32(noise))


def test_deflate_of_flash_that_cannot_be_read() -> None:
    """The zlib stream ends, and the CRC-32 is wrong."""
    target = ready("esp32c3", Opcode.DEFLATE)
    state = install.deflate_state(target.loader)
    assert state is not None
    data, _, crc = inflated(target, DeflateFlash((4 << 20) - 1024, 2048, state))
    assert zlib.crc32(data) != crc


# -- putting them there


def test_what_there_is_no_handler_for() -> None:
    """Without a table, and for what a chip has not, nothing is sent and False is the answer."""
    target = open_sim(chip="esp32c3")
    target.start_stub(version=1)
    assert not install.ensure(target.loader, Opcode.FIND)
    target = open_sim(chip="esp32")
    assert not install.ensure(target.loader, Opcode.FIND)
    target.start_stub()
    before = wire_of(target).count.requests
    assert not install.ensure(target.loader, Opcode.DEFLATE)
    assert install.ensure(target.loader, Opcode.STREAM)
    assert wire_of(target).count.requests == before


@pytest.mark.parametrize("chip", CHIPS)
def test_all_find_room(chip: str) -> None:
    """All handlers together fit behind the stub, and nothing of it is written over."""
    mine = [op for op in install.LATER if chip == "esp32c3" or op is not Opcode.DEFLATE]
    target = ready(chip, *mine)
    stub = target.loader.stub
    assert stub is not None
    used = max(span.end for span in target.loader.handlers.values())
    assert used <= stub.text_start + len(stub.text) + install.RESERVE
    before = wire_of(target).count.requests
    assert all(install.ensure(target.loader, opcode) for opcode in mine)
    assert wire_of(target).count.requests == before


@pytest.mark.parametrize(
    "rule", ["drop@request:{}", "drop@reply:{}", "double@reply:{}", "flip@request:{}:20.3"]
)
def test_an_upload_survives_faults(rule: str) -> None:
    """Whatever one frame meets: the handler is there and works, or it is said that it is not."""
    sound = ready("esp32c3")
    before = wire_of(sound).count.requests
    assert install.ensure(sound.loader, Opcode.CRC32)
    for number in range(1, wire_of(sound).count.requests - before + 1):
        count = wire_of(ready("esp32c3")).count
        first = count.requests if "request" in rule else count.replies
        target = ready("esp32c3", options=f"fault={rule.format(first + number)}")
        try:
            is_there = install.ensure(target.loader, Opcode.CRC32)
        except NoReply:
            is_there = False
        if is_there or install.ensure(target.loader, Opcode.CRC32):
            expected = zlib.crc32(wire_of(target).chip.memory.read(0x4000_0000, 64))
            assert target.loader.execute(Crc32(0x4000_0000, 64)) == expected


def test_a_handler_that_is_not_there_is_refused() -> None:
    """Its slot is empty: FF 00."""
    target = ready("esp32c3")
    with pytest.raises(Refused) as caught:
        target.loader.execute(Crc32(0x4000_0000, 4))
    assert caught.value.code == 0xFF00


# -- in qemu


@pytest.mark.skipif(not qemu.IS_HERE, reason="needs qemu-user and gcc-xtensa-lx106")
@pytest.mark.parametrize("chip", [ESP32, ESP8266], ids=lambda chip: chip.name)
def test_the_imitation_does_what_the_code_does(chip: Chip) -> None:
    """The same inputs give the same replies, frames and memory in qemu and in the simulator."""
    target = open_sim(chip=chip.name)
    simulated = wire_of(target).chip
    simulated.flash.load(qemu.FLASH.ljust(simulated.flash.size, b"\xff"))
    here = {"esp32": 0x3FFB_0000, "esp8266": 0x3FFE_9000}[chip.name]
    memory = random.Random(4).randbytes(qemu.MEMORY)
    pattern = memory[1001:1010]

    def commands(start: int) -> list[tuple[str, LoaderCommand[Any]]]:
        return [
            ("stream", StreamMemory(start, 2052)),
            ("stream", StreamMemory(start, 0)),
            ("stream", StreamFlash(0x400, 3076)),
            ("stream", SectorCrcs(0x1000, 0x2400)),
            ("find", Find(start, 4096, pattern)),
            ("find", Find(start, 4096, b"not there")),
            ("find", Find(start, 4096, b"\0" + pattern[1:], b"\0" + b"\xff" * 8)),
            ("crc", Crc32(start, 4096)),
            ("memtest", Memtest(start, 256, RamTest.MARCH)),
            ("memtest", Memtest(start, 256, RamTest.WALK)),
            ("memtest", Memtest(start, 512, RamTest.LINES)),
        ]

    for (name, there), (_, command) in zip(commands(qemu.MEMORY_AT), commands(here), strict=True):
        simulated.memory.write(here, memory)
        ran = qemu.run(name, chip, there.opcode, there.payload(), memory)
        done = imitation.run(simulated, name, command.opcode, command.payload())
        assert done is not None
        frames = tuple(frame for _, frame in done.stream or ())
        moved = (here - qemu.MEMORY_AT) if isinstance(command, Find) and ran.value != 1 else 0
        assert (ran.status, ran.value + moved, ran.data) == (done.status, done.value, done.data)
        assert ran.frames == frames
        assert ran.memory == simulated.memory.read(here, qemu.MEMORY)
        damaged = there.payload()[:-1] + bytes([there.payload()[-1] ^ 1])
        assert qemu.run(name, chip, there.opcode, damaged, memory).status == 0xC1


@pytest.mark.skipif(not qemu.IS_HERE, reason="needs qemu-user and gcc-xtensa-lx106")
@pytest.mark.parametrize("chip", [ESP32, ESP8266], ids=lambda chip: chip.name)
def test_code_for_xtensa_calls(chip: Chip) -> None:
    """Eight arguments arrive, six of them in registers; and words are what memory holds."""
    weigh = qemu.symbol_of(chip.isa.value, "weigh")
    command = Call(weigh, (1, 2, 3, 4, 5, 6, 7, 8))
    expected = sum((n + 1) << n for n in range(8))
    assert qemu.run("call", chip, command.opcode, command.payload(), b"").value == expected
    memory = random.Random(4).randbytes(64)
    request = qemu.MEMORY_AT.to_bytes(4, "little") + (16).to_bytes(4, "little")
    assert qemu.run("words", chip, 0xEF, request, memory).data == memory


@pytest.mark.skipif(not qemu.IS_HERE, reason="needs qemu-user and gcc-xtensa-lx106")
@pytest.mark.parametrize("chip", [ESP32, ESP8266], ids=lambda chip: chip.name)
def test_what_is_called_does_what_qemu_does(chip: Chip, tmp_path: Path) -> None:
    """A small function of a compiler has the same result and leaves the same memory."""
    source = tmp_path / "small.c"
    source.write_text(
        "unsigned small(unsigned a, unsigned b, unsigned c, unsigned *p) {\n"
        "  unsigned x = (a << 7) + (b & c) * 5 - 300; p[1] = x; p[40] = a | (2048 - b);\n"
        "  return p[0] + (x ^ 77) + p[40] * 9 + (c - 100); }\n"
    )
    code = build.text_of(source, chip.isa.value, tmp_path)
    here = {"esp32": 0x3FFB_0000, "esp8266": 0x3FFE_9000}[chip.name]
    memory = code.ljust(1024, b"\0") + random.Random(6).randbytes(qemu.MEMORY - 1024)
    space = wire_of(open_sim(chip=chip.name)).chip.memory
    space.write(here, memory)
    arguments = (12345, 0xFFFF_0F0F, 0x1234_5678)
    command = Call(qemu.MEMORY_AT, (*arguments, qemu.MEMORY_AT + 2048))
    ran = qemu.run("call", chip, command.opcode, command.payload(), memory)
    assert xtensa.call(space, here, (*arguments, here + 2048)) == ran.value
    assert space.read(here, qemu.MEMORY) == ran.memory
