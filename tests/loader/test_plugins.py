"""Our handlers: into every stub, by the transcripts of real ones, and built from their source."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import zlib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from espshell import chips
from espshell.chips import Kind
from espshell.chips.esp32 import ESP32
from espshell.chips.esp32c3 import ESP32C3
from espshell.device import Target
from espshell.loader import stub_file
from espshell.loader.plugins import install
from espshell.protocol import slip
from espshell.protocol.commands import LoaderCommand, ReadReg
from espshell.protocol.dialect import STUB
from espshell.protocol.handlers import SectorCrcs, StreamFlash, StreamMemory
from espshell.protocol.packet import Opcode
from espshell.sim import romcode
from espshell.span import Span
from tests.loader.support import open_sim, wire_of

DATA = Path(__file__).parents[1] / "data"
BUILD = Path(__file__).parents[2] / "scripts" / "plugins" / "build.py"
KINDS = {command.kind: command for command in (StreamFlash, SectorCrcs, StreamMemory)}


def installed(version: int) -> list[Path]:
    """Return the stub files of the installed esptool that are for chips of ours."""
    folder = Path(str(metadata.distribution("esptool").locate_file("esptool")))
    paths = sorted((folder / "targets" / "stub_flasher" / str(version)).glob("*.json"))
    return [path for path in paths if chips.by_name(path.stem.split("-")[0])]


@pytest.mark.parametrize("path", installed(2), ids=lambda path: path.stem)
def test_every_stub_has_a_table(path: Path) -> None:
    """In every stub of version 2 the table is found; only our pointers change, and lead to code."""
    chip = chips.by_name(path.stem.split("-")[0])
    assert chip is not None
    plain = stub_file.read(path, chip)
    better = install.with_handlers(plain, chip)

    assert better is not None
    assert better.text[: len(plain.text)] == plain.text
    assert len(better.text) % 4 == 0
    table = better.table - better.data_start
    default = plain.data[table : table + 4]
    for opcode in range(install.FIRST_SLOT, install.FIRST_SLOT + install.SLOTS):
        at = table + 4 * (opcode - install.FIRST_SLOT)
        pointer = better.data[at : at + 4]
        start = len(plain.text) + plain.text_start
        is_ours = start <= int.from_bytes(pointer, "little") < better.text_start + len(better.text)
        assert is_ours is (opcode in install.BASE)
        assert is_ours or pointer == default
    assert better.data[:table] + better.data[table + 108 :] == (
        plain.data[:table] + plain.data[table + 108 :]
    )


@pytest.mark.parametrize("path", installed(1), ids=lambda path: path.stem)
def test_legacy_stub_has_none(path: Path) -> None:
    """A legacy stub has no table and is left as it is."""
    chip = chips.by_name(path.stem.split("-")[0])
    assert chip is not None
    assert install.with_handlers(stub_file.read(path, chip), chip) is None


@pytest.mark.parametrize("name", [chip.name for chip in chips.CHIPS])
def test_the_table_of_the_roms(name: str) -> None:
    """Each function lies where the simulator has it, too, and in no RAM; RAM is free RAM."""
    chip = chips.by_name(name)
    assert chip is not None
    facts = dict(install.rom(name))
    ram = facts.pop("ram", None)
    facts.pop("cached", None)
    assert "spiflash_read" in facts
    simulated = {word: at for at, word in romcode.ADDRESSES[name].items()}
    for function, address in facts.items():
        region = chip.region_at(address, 4)  # the map of an ESP32 ends before its ROM does
        assert region is None or region.kind is Kind.ROM
        assert simulated[function] == address
    if ram is None:
        return
    span = Span.of(ram, install.DEFLATE_STATE)
    region = chip.region_at(ram, span.size)
    assert region is not None
    assert region.kind is Kind.RAM
    for path in installed(2):
        if path.stem.split("-")[0] == name:
            stub = install.with_handlers(stub_file.read(path, chip), chip)
            assert stub is not None
            for place in chip.same_ram(span):
                assert not any(place.overlaps(used) for _, used in stub.occupied)


def test_base_handlers_are_small() -> None:
    """The start of a stub at 115200 baud takes at most 0.1 s longer for them."""
    for chip in (ESP32, ESP32C3):
        plain = stub_file.find(chip, chip.name)
        better = install.with_handlers(plain, chip)
        assert better is not None
        assert len(better.text) - len(plain.text) < 1100


# -- by the transcripts


def started(chip: str, options: str = "") -> Target:
    """Connect, start the stub, and put the flash of the transcripts into the chip."""
    target = open_sim(options, chip)
    target.start_stub()
    wire_of(target).chip.flash.load(random.Random(5).randbytes(4 << 20))
    return target


def raw(target: Target, *requests: LoaderCommand[Any]) -> bytes:
    """Send requests in one piece; return everything that comes."""
    target.link.discard()
    found: list[bytes] = []
    target.link.taps.append(lambda _now, way, data: found.append(data) if way == "rx" else None)
    target.link.send(b"".join(request.encode() for request in requests))
    target.link.drain(1.0, 60.0)
    target.link.taps.pop()
    return b"".join(found)


def frames_of(data: bytes) -> list[bytes]:
    """Return all frames of what has come."""
    pieces = slip.Decoder(bool).feed(data)
    return [piece.data for piece in pieces if isinstance(piece, slip.Frame)]


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
def test_streams_are_those_of_real_stubs(chip: str) -> None:
    """The same requests get the same bytes: the reply first, then frames, then the CRC-32.

    The words of ROM are the recorded chip's and others here, so of memory only the form counts.
    """
    recording = json.loads((DATA / f"plugin-{chip}-stub-v2.json").read_text())
    target = started(chip)
    memory = wire_of(target).chip.memory
    for step in recording["steps"]:
        request = slip.unescape(
            bytes.fromhex(step.get("tx", "")).split(b"\xc0\xc0")[0].strip(b"\xc0")
        )
        if not request or request[1] != 0xE1:
            continue
        words = [int.from_bytes(request[at : at + 4], "little") for at in range(8, len(request), 4)]
        command = KINDS[words[-1]](words[0], words[1])
        if isinstance(command, StreamMemory):
            data = memory.read(words[0], words[1])
            crc = zlib.crc32(data).to_bytes(4, "little")
            blocks = [data[at : at + 1024] for at in range(0, len(data), 1024)]
            assert frames_of(raw(target, command))[1:] == [*blocks, crc]
        else:
            # Of two requests without a pause between them a stub loses the second.
            together = [ReadReg(0x4000_0000)] if "together" in step["note"] else []
            found = raw(target, command, *together)
            assert found.hex() == step.get("rx", found.hex())
            assert found.hex().startswith(step.get("rx_begin", ""))
            assert found.hex().endswith(step.get("rx_end", ""))
            assert len(found) == step.get("rx_bytes", len(found))


@pytest.mark.parametrize("chip", [chip.name for chip in chips.CHIPS])
def test_every_chip_streams(chip: str) -> None:
    """Memory and flash come from every chip, the ESP8266 too."""
    target = started(chip)
    memory = wire_of(target).chip.memory.read(0x4000_0000, 2048)
    flash = random.Random(5).randbytes(2048)
    for command, data in ((StreamMemory(0x4000_0000, 2048), memory), (StreamFlash(0, 2048), flash)):
        crc = zlib.crc32(data).to_bytes(4, "little")
        assert frames_of(raw(target, command))[1:] == [data[:1024], data[1024:], crc]


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
def test_a_request_into_a_stream_is_answered_after_it(chip: str) -> None:
    """One is kept, as the transcripts have it; the stub then goes on as ever."""
    target = started(chip)
    target.link.send(StreamFlash(0, 0x4000).encode())
    with target.link.streaming():
        for _ in range(5):
            assert target.link.receive_frame(1.0)
        target.link.send(ReadReg(0x4000_0000).encode())
        found = [target.link.receive_frame(1.0) for _ in range(14)]
    word = wire_of(target).chip.memory.read(0x4000_0000, 4)
    assert found[-1] == b"\x01\x0a\x02\x00" + word + b"\0\0"
    assert found[-2] == zlib.crc32(random.Random(5).randbytes(0x4000)).to_bytes(4, "little")
    assert target.loader.execute(ReadReg(0x4000_0000)) == int.from_bytes(word, "little")


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
def test_requests_that_are_damaged_are_refused(chip: str) -> None:
    """Each bit of a request to a stream that flips, opcode and payload, ends in a refusal."""
    target = started(chip)
    request = slip.unescape(StreamMemory(0x4000_1000, 64).encode().strip(b"\xc0"))
    assert request is not None
    for at in (1, *range(8, 24)):
        for bit in range(8):
            damaged = bytearray(request)
            damaged[at] ^= 1 << bit
            if damaged[1] < install.FIRST_SLOT:
                continue  # another command of the loader's own
            target.link.send(slip.encode(bytes(damaged)))
            reply = target.link.receive(1.0)
            assert reply is not None
            assert reply.body[0] in (0xC1, 0xC3, 0xFF, 0xC0)


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
def test_flash_that_cannot_be_read_ends_the_stream(chip: str) -> None:
    """Past the end of the flash no more frames come, and the CRC-32 is wrong."""
    target = started(chip)
    _, last, crc = frames_of(raw(target, StreamFlash((4 << 20) - 1024, 4096)))
    assert len(last) == 1024
    assert crc != zlib.crc32(last).to_bytes(4, "little")


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
def test_streams_leave_at_the_rate_of_the_wire(chip: str) -> None:
    """A core of 160 MHz fills the wire at 921600 baud; one of 2 MHz is the bound itself."""
    seconds = {}
    for core in (160, 2):
        target = Target.open(f"sim://{chip}?latency=16ms&core={core}", baud=921600)
        target.start_stub()
        start = target.link.clock.now()
        data = raw(target, StreamMemory(0x4000_0000, 0x1_0000))
        seconds[core] = target.link.clock.now() - start - 1.0
    wire_s = len(data) * 10 / 921600
    fifo_s = 64 * 128 * 10 / 921600  # what is sent while the next frame is made
    assert wire_s / seconds[160] > 0.95
    assert seconds[2] == pytest.approx(0x1_0000 * 17 / 2e6 + wire_s - fifo_s, rel=0.1)


@pytest.mark.parametrize("rule", ["cut", "drop", "double", "flip"])
def test_faults_reach_the_frames_of_a_stream(rule: str) -> None:
    """A frame of a stream is a reply like any other to the rules."""
    sound = started("esp32c3")
    argument = {"cut": ":100", "flip": ":7.3"}.get(rule, "")
    count = wire_of(sound).count.replies + 3
    expected = frames_of(raw(sound, StreamFlash(0, 4096)))
    found = frames_of(
        raw(started("esp32c3", f"fault={rule}@reply:{count}{argument}"), StreamFlash(0, 4096))
    )
    same = [frame in expected for frame in found]
    assert (len(found), same.count(False)) == {
        "cut": (6, 1),
        "drop": (5, 0),
        "double": (7, 0),
        "flip": (6, 1),
    }[rule]


@pytest.mark.parametrize(
    ("chip", "rule"), [("esp32", "hang"), ("esp32c3", "kill"), ("esp32c3", "reset")]
)
def test_what_ends_a_chip_ends_its_stream(chip: str, rule: str) -> None:
    """At the reply, in the middle and at the end: what came before has come, and nothing behind."""
    sound = started(chip)
    first = wire_of(sound).count.replies + 1
    expected = frames_of(raw(sound, StreamFlash(0, 4096)))
    for number in (0, 2, len(expected) - 1):
        target = started(chip, f"fault={rule}@reply:{first + number}")
        found = frames_of(raw(target, StreamFlash(0, 4096)))
        assert found[:number] == expected[:number]
        assert not set(found[number:]) & set(expected)


# -- from their source


@pytest.mark.long
def test_the_bytes_come_from_the_source() -> None:
    """Built anew, by the same compilers, the handlers are what is in the data files."""
    status = subprocess.run([sys.executable, BUILD, "--check"], check=False).returncode
    if status == 3:
        pytest.skip("needs gcc-riscv64-unknown-elf and gcc-xtensa-lx106, as the data file says")
    assert status == 0


@pytest.mark.parametrize("opcode", [*install.BASE, *install.LATER], ids=lambda opcode: opcode.name)
def test_no_flipped_bit_makes_another_command(opcode: Opcode) -> None:
    """Opcodes of ours are two bits or more from all that erases, writes or runs something."""
    others = set(STUB.commands) - {*install.BASE, *install.LATER}
    assert not {opcode ^ 1 << bit for bit in range(8)} & {int(other) for other in others}
    assert opcode not in (0xD5, 0xD8, 0xD9)
