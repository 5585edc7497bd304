"""Stubs on the simulated chip: what they answered when recorded, and what they live by."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from espshell.chips import by_name
from espshell.protocol import slip
from espshell.protocol.commands import ChangeBaudrate, ReadReg, RegisterWrite, Sync, WriteReg
from espshell.protocol.packet import Opcode
from espshell.sim.access import encrypted
from espshell.sim.boot import ChipMode
from espshell.sim.nor import SECTOR
from espshell.sim.protocol_sim import Serial
from espshell.units import KIB, MIB
from tests.sim import support
from tests.sim.support import HELLO, StubFile, request, small

Answers = Callable[..., list[str]]
Exchange = Callable[..., bytes]
Start = Callable[..., Serial]

DATA = Path(__file__).parents[1] / "data"
MAGIC = "0a 00f01d83+0000"
READ = ReadReg(0x4000_1000).encode()
FREE = 0x3FFB_0000
V1, V2 = small("esp32", 1), small("esp32", 2)
UNWRITTEN = "md5 0x0+0x1000"
"""The flash of the chip that was recorded held something there."""
CONTENTS = hashlib.shake_128(b"flash").digest(20 * KIB)


@pytest.fixture
def start(open_sim: Callable[..., Serial], exchange: Exchange) -> Start:
    """Start a stub, by default a small one of version 2 on an ESP32."""

    def started(stub: StubFile = V2, url: str = "sim://esp32") -> Serial:
        return support.running(exchange, open_sim, url, stub)

    return started


def write(address: int, *values: int) -> bytes:
    return WriteReg(
        tuple(RegisterWrite(address + 4 * n, value) for n, value in enumerate(values))
    ).encode()


@pytest.mark.parametrize("version", [1, 2])
def test_a_stub_answers_its_transcript(start: Start, exchange: Exchange, version: int) -> None:
    """Every recorded byte, from the real stub's upload on."""
    entries: list[dict[str, Any]] = json.loads((DATA / f"esp32-stub-v{version}.json").read_text())
    port = start(support.from_file("esp32", version))
    for entry in entries:
        if "after baud" in entry["note"]:
            port.baudrate = 230_400
        found = exchange(port, bytes.fromhex(entry["tx"])).hex()
        if entry["note"] != UNWRITTEN:
            assert (entry["note"], found) == (entry["note"], entry["rx"])


@pytest.mark.parametrize(("name", "version"), support.installed())
def test_every_stub_starts_on_its_chip(start: Start, name: str, version: int) -> None:
    """Stubs are found in RAM by their shape, with their plugin table, also with taken slots."""
    chip, _, revision = name.partition("-rev1")
    if by_name(chip) is None:
        pytest.skip("a chip that is not in the tables")
    stub = support.from_file(name, version)
    pattern = "" if revision or chip != "esp32p4" else "?rev=3.1"
    words = struct.unpack(f"<{len(stub.data) // 4}I", stub.data)
    table = next((n for n in range(len(words) - 26) if len({*words[n : n + 27]}) == 1), None)
    port = start(stub, f"sim://{chip}{pattern}")
    image = port.wire._boot.program.image  # type: ignore[attr-defined]
    if version == 1:
        assert image.table is None
        return
    assert table is not None
    assert (image.table, image.default) == (stub.data_start + 4 * table, words[table])
    for slot in (0, 13, 26):
        patched = bytearray(stub.data)
        struct.pack_into("<I", patched, 4 * (table + slot), stub.text_start)
        again = StubFile(stub.entry, stub.text_start, stub.text, stub.data_start, bytes(patched))
        port = start(again, f"sim://{chip}{pattern}")
        found = port.wire._boot.program.image  # type: ignore[attr-defined]
        assert (found.table, found.default) == (image.table, image.default)


@pytest.mark.parametrize("stub", [V1, V2])
def test_a_stub_lies_in_ram(start: Start, stub: StubFile) -> None:
    """What was loaded can be read back, and the ROM's own replies are over."""
    port = start(stub)
    for address, data in stub.pieces:
        assert port.wire.chip.memory.read(address, len(data)) == data
    assert port.wire.mode is ChipMode.DOWNLOAD


@pytest.mark.parametrize("wrong", ["entry", "text", "other chip"])
def test_what_is_no_stub_does_not_greet(
    open_sim: Callable[..., Serial], exchange: Exchange, wrong: str
) -> None:
    """An entry outside, text that was cut off, addresses that are not RAM: the chip is lost."""
    stub = {
        "entry": StubFile(FREE, V2.text_start, V2.text, V2.data_start, V2.data),
        "text": StubFile(V2.entry, V2.text_start, b"code", FREE, b""),
        "other chip": small("esp32c3", 2),
    }[wrong]
    port = open_sim("sim://esp32")
    assert HELLO not in support.upload(exchange, port, stub)
    assert exchange(port, READ) == b""


def test_secure_boot_keeps_stubs_out(
    open_sim: Callable[..., Serial], exchange: Exchange, answers: Answers
) -> None:
    """MEM_END starts nothing; on an ESP32-S3 a pointer that the ROM reads through still does."""
    port = open_sim("sim://esp32c3?flags=1")
    assert HELLO not in support.upload(exchange, port, small("esp32c3", 2))
    assert answers(port, READ) != []
    port = open_sim("sim://esp32s3?flags=1")
    stub = support.from_file("esp32s3", 2)
    assert HELLO not in support.upload(exchange, port, stub)
    pointer = port.wire.chip.facts.read_pointer
    assert pointer is not None
    assert exchange(port, request(Opcode.READ_FLASH_SLOW, 0, 64)) != HELLO
    exchange(port, write(pointer, stub.entry))
    assert exchange(port, request(Opcode.READ_FLASH_SLOW, 0, 64)) == HELLO
    assert answers(port, Sync().encode()) == ["08 00000000+0000"] * 8


@pytest.mark.parametrize("stub", [V1, V2])
def test_requests_beyond_the_buffers_are_lost(
    start: Start, answers: Answers, stub: StubFile
) -> None:
    """Of requests with pauses between them, two at most are kept while the stub is busy."""
    port = start(stub)
    port.write(write(FREE, 1)[:-5] + b"\x50\xc3\0\0\xc0")  # a delay of 50 ms behind it
    for _ in range(3):
        port.clock.sleep(0.005)
        port.write(READ)
    assert len(answers(port, b"")) == 2
    assert port.wire.count.dropped == 2
    assert answers(port, READ) == [MAGIC]


def test_a_reply_is_over_when_its_last_byte_has_come(start: Start) -> None:
    """A legacy stub takes the request that a host sends in that moment."""
    port = start(V1, "sim://esp32?latency=0")
    port.timeout = 1.0
    for _ in range(200):
        port.write(READ)
        assert len(port.read(12)) == 12
    assert port.wire.count.dropped == 0


@pytest.mark.parametrize("stub", [V1, V2])
def test_reading_flash(start: Start, exchange: Exchange, stub: StubFile) -> None:
    """One block, one acknowledgement, then the digest of all; the chip waits for each."""
    port = start(stub)
    port.wire.chip.flash.load(CONTENTS)
    found, frames = b"", []
    data = exchange(port, request(Opcode.READ_FLASH, 100, 10_000, 4096, 64))
    while True:
        frames += [slip.unescape(piece) or b"" for piece in data.split(slip.END) if piece]
        if len(frames[-1]) == 16:
            break
        found = b"".join(frames[1:])
        assert exchange(port) == b""
        data = exchange(port, slip.encode(struct.pack("<I", len(found))))
    assert found == CONTENTS[100:10_100]
    assert [len(frame) for frame in frames] == [10, 4096, 4096, 10_000 - 8192, 16]
    assert frames[-1] == hashlib.md5(found).digest()
    assert len(exchange(port, READ)) == 12


def test_an_acknowledgement_of_too_little_is_waited_on(start: Start, exchange: Exchange) -> None:
    """The next block comes when the number covers all that was sent."""
    port = start()
    exchange(port, request(Opcode.READ_FLASH, 0, 8192, 4096, 1))
    assert exchange(port, slip.encode(struct.pack("<I", 4095))) == b""
    assert len(exchange(port, slip.encode(struct.pack("<I", 4096)))) >= 4096


@pytest.mark.parametrize(
    ("words", "error"),
    [
        ((0, 100, 4097, 1), "c200"),
        ((0, 100, 0, 1), "c200"),
        ((4 * MIB, 4, 4096, 1), "c400"),
    ],
)
def test_refused_flash_reads(
    start: Start, answers: Answers, words: tuple[int, ...], error: str
) -> None:
    """Blocks of more than 4096 bytes and places past the end are refused."""
    assert answers(start(), request(Opcode.READ_FLASH, *words)) == [f"d2 00000000+{error}"]


@pytest.mark.parametrize("stub", [V1, V2])
def test_erasing(start: Start, answers: Answers, stub: StubFile) -> None:
    """A region or everything, in the time of a real flash."""
    port = start(stub)
    flash = port.wire.chip.flash
    flash.load(bytes(8 * SECTOR))
    before = port.clock.now()
    erase = request(Opcode.ERASE_REGION, SECTOR, 2 * SECTOR)
    assert answers(port, erase) == ["d1 00000000+0000"]
    assert port.clock.now() - before > 2 * flash.part.times.sector_s
    assert flash.data[: 4 * SECTOR] == bytes(SECTOR) + b"\xff" * 2 * SECTOR + bytes(SECTOR)
    before = port.clock.now()
    assert answers(port, request(Opcode.ERASE_FLASH), 20.0) == ["d0 00000000+0000"]
    assert port.clock.now() - before > flash.part.times.chip_s
    assert set(flash.data) == {0xFF}


@pytest.mark.parametrize(
    ("stub", "opcode"),
    [(V1, Opcode.FLASH_DATA), (V2, Opcode.FLASH_DATA), (V1, 0x11), (V2, 0x11)],
)
def test_writing_flash(start: Start, answers: Answers, stub: StubFile, opcode: int) -> None:
    """Blocks are acknowledged, then erased for and programmed; the last may be padded."""
    port = start(stub)
    flash = port.wire.chip.flash
    flash.load(bytes(16 * SECTOR))
    data = CONTENTS[:10_000]
    sent = zlib.compress(data) if opcode == 0x11 else data.ljust(3 * 4096, b"\xff")
    begin = Opcode.FLASH_BEGIN if opcode == Opcode.FLASH_DATA else Opcode.FLASH_DEFL_BEGIN
    replies = answers(port, request(begin, len(data), 3, 4096, SECTOR, 0))
    for number in range(-(-len(sent) // 4096)):
        block = sent[4096 * number : 4096 * number + 4096]
        before = port.clock.now()
        port.write(request(opcode, len(block), number, 0, 0, data=block))
        assert port.wait_readable(1.0)
        at_most = flash.part.times.sector_s + len(block) * 20 / 115_200
        assert number or port.clock.now() - before < at_most
        replies += answers(port, b"")
    assert {reply[-4:] for reply in replies} == {"0000"}
    assert flash.read(SECTOR, len(data)) == data
    assert flash.read(0, SECTOR) == bytes(SECTOR)
    assert flash.read(4 * SECTOR, SECTOR) == bytes(SECTOR)


@pytest.mark.parametrize("stub", [V1, V2])
@pytest.mark.parametrize("deflated", [False, True])
def test_padding_is_not_written(
    start: Start, answers: Answers, stub: StubFile, deflated: bool
) -> None:
    """What is beyond the size of FLASH_BEGIN is neither programmed nor erased for."""
    port = start(stub)
    flash = port.wire.chip.flash
    flash.load(bytes(3 * SECTOR))
    data = CONTENTS[:KIB].ljust(2 * SECTOR, b"\x55")
    begin, block = Opcode.FLASH_BEGIN, Opcode.FLASH_DATA
    if deflated:
        begin, block = Opcode.FLASH_DEFL_BEGIN, Opcode.FLASH_DEFL_DATA
    sent = zlib.compress(data) if deflated else data
    answers(port, request(begin, KIB, 1, len(sent), SECTOR - KIB))
    found = answers(port, request(block, len(sent), 0, 0, 0, data=sent))
    assert found == [f"{block:02x} 00000000+0000"]
    assert flash.read(SECTOR - KIB, KIB) == CONTENTS[:KIB]
    assert flash.read(SECTOR, SECTOR) == bytes(SECTOR)


@pytest.mark.parametrize("stub", [V1, V2])
def test_what_is_written_encrypted(start: Start, answers: Answers, stub: StubFile) -> None:
    """The flash holds the ciphertext of the offset, and a loader reads that."""
    port = start(stub)
    for word, offset in ((0, 0), (1, SECTOR), (1, SECTOR + 100)):
        answers(port, request(Opcode.FLASH_BEGIN, KIB, 1, KIB, offset, word))
        answers(port, request(Opcode.FLASH_DATA, KIB, 0, 0, 0, data=CONTENTS[:KIB]))
        kept = port.wire.chip.flash.read(offset, KIB)
        assert (kept == CONTENTS[:KIB]) == (not word)
        assert not word or encrypted(kept, offset) == CONTENTS[:KIB]
        digest = answers(port, request(Opcode.SPI_FLASH_MD5, offset, KIB, 0, 0))
        assert hashlib.md5(kept).hexdigest() in digest[0]


def test_ends_of_downloads(start: Start, answers: Answers, exchange: Exchange) -> None:
    """The legacy stub resets into the ROM when told so, or leaves; the current one stays."""
    for opcode in (Opcode.FLASH_END, Opcode.FLASH_DEFL_END, Opcode.RUN_USER_CODE):
        words = () if opcode is Opcode.RUN_USER_CODE else (0,)
        port = start(V2)
        assert answers(port, request(opcode, *words)) == [f"{opcode:02x} 00000000+0000"]
        assert answers(port, READ) == [MAGIC]
        said = exchange(support.with_program(start(V1)), request(opcode, *words))
        leaves = opcode is Opcode.RUN_USER_CODE
        assert said.endswith(b"the application\r\n" if leaves else b"for download\r\n")
    assert answers(start(V1), request(Opcode.FLASH_END, 1) + b"") == ["04 00000000+0000"]


def test_security_info_where_the_chip_has_it(start: Start, answers: Answers) -> None:
    """20 bytes, 12 on an ESP32-S2, not at all on an ESP32."""
    info = request(Opcode.GET_SECURITY_INFO)
    for chip, size in (("esp32c3", 20), ("esp32s2", 12)):
        port = start(support.from_file(chip, 2), f"sim://{chip}?flags=0x20&crypt=7")
        found = answers(port, info)[0]
        assert found.startswith("14 00000000+20000000" + "07")
        assert len(found) == len("14 00000000+") + 2 * size + 4
    assert answers(start(), info) == ["14 00000000+ff00"]


def test_a_stub_changes_its_rate(start: Start, answers: Answers) -> None:
    """It gets the old rate too, and answers at it."""
    port = start()
    assert answers(port, ChangeBaudrate(921_600, 115_200).encode()) == ["0f 00000000+0000"]
    assert answers(port, READ) == []
    port.baudrate = 921_600
    assert answers(port, READ) == [MAGIC]
    assert len(answers(port, Sync().encode())) == 8


def test_a_stub_runs_until_reset(start: Start, answers: Answers, exchange: Exchange) -> None:
    """After that the ROM answers again, with four bytes of status."""
    port = start()
    port.rts = True
    port.dtr, port.rts = True, False
    exchange(port)
    assert answers(port, Sync().encode()) == ["08 20120707+00000000"] * 8


def test_a_stub_is_uploaded_again(start: Start, exchange: Exchange, answers: Answers) -> None:
    """The one that runs takes the upload; the same bytes over itself do no harm."""
    port = start()
    assert support.upload(exchange, port, V2).endswith(HELLO)
    other = StubFile(0x400A_0004, 0x400A_0000, V1.text, 0x3FFC_0000, b"\1\0\0\0")
    assert support.upload(exchange, port, other).endswith(HELLO)
    assert answers(port, READ * 2) == [MAGIC]


@pytest.mark.parametrize("place", ["text", "data"])
@pytest.mark.parametrize("way", ["registers", "download"])
def test_an_overwritten_stub_is_dead(
    start: Start, exchange: Exchange, place: str, way: str
) -> None:
    """Other bytes in text or data silence it; the plugin table may be changed."""
    port = start()
    address = V2.text_start + 32 if place == "text" else V2.data_start
    assert exchange(port, write(V2.table + 8, V2.text_start)) != b""
    if way == "registers":
        assert exchange(port, write(address, 0)) == b""
    else:
        support.load(exchange, port, address, bytes(4))
    assert exchange(port, READ) == b""
    assert port.wire.mode is ChipMode.HUNG


def test_iram_takes_words_only(
    open_sim: Callable[..., Serial], exchange: Exchange, start: Start
) -> None:
    """On an Xtensa chip three bytes crash it, in the ROM and in the stub; RISC-V does not mind."""
    port = open_sim("sim://esp32")
    support.load(exchange, port, FREE, b"abc")
    assert exchange(port, READ) != b""
    support.load(exchange, port, 0x4008_0000, b"abc")
    assert exchange(port, READ) == b""
    stub = start()
    support.load(exchange, stub, 0x4008_0000, b"abc")
    assert exchange(stub, READ) == b""
    riscv = open_sim("sim://esp32c3")
    support.load(exchange, riscv, 0x4038_0000, b"abc")
    assert exchange(riscv, READ) != b""


@pytest.mark.parametrize("stub", [V1, V2])
def test_an_empty_block_that_no_download_has_announced(
    start: Start, answers: Answers, stub: StubFile
) -> None:
    """It has nothing to store and is not an error; the stub goes on."""
    port = start(stub)
    assert answers(port, request(Opcode.MEM_DATA, 0, 0, 0, 0)) == ["07 00000000+0000"]
    assert answers(port, READ) == [MAGIC]
