"""The ROM loader under odd traffic, as measured on the ROM code of an ESP32."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Callable

import pytest

from espshell.protocol import packet, slip
from espshell.protocol.commands import (
    GetSecurityInfo,
    LoaderCommand,
    MemBegin,
    MemData,
    MemEnd,
    ReadReg,
    RegisterWrite,
    Sync,
    WriteReg,
)
from espshell.protocol.packet import Opcode
from espshell.sim.boot import ChipMode
from espshell.sim.nor import SECTOR
from espshell.sim.protocol_sim import Serial
from espshell.units import KIB, MIB
from tests.sim.support import with_program

Answers = Callable[..., list[str]]
Opener = Callable[..., Serial]

ROM = 0x4000_1000
RAM = 0x3FFB_0000
BLOCK_A = hashlib.shake_128(b"A").digest(KIB)
BLOCK_B = hashlib.shake_128(b"B").digest(KIB)
UNKNOWN = slip.encode(packet.request(0x55, b""))


def read(address: int) -> bytes:
    return ReadReg(address).encode()


def write(address: int, value: int) -> bytes:
    return WriteReg((RegisterWrite(address, value),)).encode()


def request(opcode: Opcode, *words: int, data: bytes = b"", check: int | None = None) -> bytes:
    payload = struct.pack(f"<{len(words)}I", *words) + data
    return slip.encode(
        packet.request(opcode, payload, packet.checksum(data) if check is None else check)
    )


def begin(blocks: int, offset: int, block_size: int = KIB) -> bytes:
    return request(Opcode.FLASH_BEGIN, blocks * block_size, blocks, block_size, offset, check=0)


def block(number: int, data: bytes, check: int | None = None) -> bytes:
    return request(Opcode.FLASH_DATA, len(data), number, 0, 0, data=data, check=check)


def by_kib(port: Serial, offset: int, count: int) -> str:
    """Name the blocks in flash."""
    names = {BLOCK_A: "A", BLOCK_B: "B", b"\xff" * KIB: "-"}
    flash = port.wire.chip.flash
    return "".join(names.get(flash.read(offset + n * KIB, KIB), "?") for n in range(count))


@pytest.fixture
def port(open_sim: Opener) -> Serial:
    return open_sim("sim://esp32")


def test_reads_and_syncs_back_to_back(port: Serial, answers: Answers) -> None:
    """Every request is answered, in order; a SYNC eight times."""
    assert answers(port, read(ROM)) == ["0a 00f01d83+00000000"]
    assert answers(port, read(ROM) + read(ROM + 4)) == [
        "0a 00f01d83+00000000",
        "0a 65004136+00000000",
    ]
    for count in (8, 16, 32, 64, 128):
        assert len(answers(port, read(ROM) * count)) == count
    assert answers(port, Sync().encode() * 2) == ["08 20120707+00000000"] * 16


def test_unknown_opcodes_repeat_the_reply_before(port: Serial, answers: Answers) -> None:
    """A refusal comes under the previous opcode, as often as that was answered."""
    answers(port, Sync().encode())
    assert answers(port, UNKNOWN) == ["08 20120707+01050000"] * 8
    assert answers(port, read(ROM)) == ["0a 00f01d83+00000000"]
    assert answers(port, UNKNOWN) == ["0a 00f01d83+01050000"]
    assert answers(port, read(ROM)) == ["0a 00f01d83+00000000"]


def test_cut_frames_are_executed(port: Serial, answers: Answers) -> None:
    """The next frame's C0 ends a cut frame; the rest of that next frame is ignored."""
    answers(port, read(ROM))
    assert answers(port, read(ROM + 4)[:-4]) == []
    assert answers(port, read(ROM + 8)) == ["0a 65004136+00000000"]
    assert answers(port, read(ROM + 8)) == ["0a 2a820ae8+00000000"]
    answers(port, read(ROM))
    assert answers(port, read(ROM + 4)[:-4] + read(ROM + 8)) == ["0a 65004136+00000000"]


def test_a_cut_write_takes_what_the_buffer_holds(port: Serial, answers: Answers) -> None:
    """What a cut write does not bring is what an earlier one has left."""
    answers(port, read(ROM + 8))
    answers(port, write(RAM, 0x1111_1111))
    assert answers(port, write(RAM, 0x2222_2222)[:13]) == []
    assert answers(port, read(RAM)) == ["09 2a820ae8+00000000"]
    assert answers(port, read(RAM)) == ["0a 11111111+00000000"]


def test_a_size_beyond_the_buffer_writes_what_is_there(port: Serial, answers: Answers) -> None:
    """A damaged size has entries applied up to the end of the buffer, and nothing breaks."""
    payload = struct.pack("<4I", RAM, 0x1111_1111, 0xFFFF_FFFF, 0)
    raw = bytearray(packet.request(Opcode.WRITE_REG, payload))
    raw[2:4] = b"\xff\xff"
    assert [answer[:2] for answer in answers(port, slip.encode(bytes(raw)))] == ["09"]
    assert answers(port, read(RAM)) == ["0a 11111111+00000000"]


@pytest.mark.parametrize("between", [b"\xc0", b"\xc0\xc0\xc0", b"text " * 100])
def test_what_stands_between_frames_is_ignored(
    port: Serial, answers: Answers, between: bytes
) -> None:
    """Lone C0s, empty frames and text are not answered and spoil nothing."""
    assert answers(port, between) == []
    assert answers(port, read(ROM + 8)) == ["0a 2a820ae8+00000000"]
    assert answers(port, read(ROM + 8)) == ["0a 2a820ae8+00000000"]


def test_a_refused_block_uses_up_its_number(port: Serial, answers: Answers) -> None:
    """Numbers must follow each other; a good block sent twice is refused and harmless."""
    answers(port, write(RAM, 0x2322_2322) + read(RAM))
    good, refused = "03 23222322+00050000", "03 23222322+01050000"
    assert answers(port, begin(4, 0x20_0000)) == ["02 23222322+00000000"]
    assert answers(port, block(0, BLOCK_A)) == ["03 23222322+00000000"]
    assert answers(port, block(0, BLOCK_A)) == [refused]
    assert answers(port, block(1, BLOCK_B)) == [good]
    assert answers(port, block(3, BLOCK_A)) == [refused]
    assert answers(port, block(2, BLOCK_A)) == [good]
    assert answers(port, block(3, BLOCK_B)) == [good]
    assert answers(port, block(4, BLOCK_A)) == [good]
    assert by_kib(port, 0x20_0000, 6) == "ABABA-"


def test_a_bad_checksum_shifts_what_follows(port: Serial, answers: Answers) -> None:
    """It uses up the number and not the address."""
    wrong = packet.checksum(BLOCK_A) ^ 1
    answers(port, begin(4, 0x20_4000))
    assert answers(port, block(0, BLOCK_A, check=wrong)) == ["03 00000000+01070000"]
    assert answers(port, block(0, BLOCK_A)) == ["03 00000000+01050000"]
    assert answers(port, block(1, BLOCK_B)) == ["03 00000000+00050000"]
    assert by_kib(port, 0x20_4000, 6) == "B-----"


def test_a_cut_block_is_refused_and_the_next_swallowed(port: Serial, answers: Answers) -> None:
    """A cut block is completed with the end of the block before, and its sum is wrong."""
    answers(port, begin(4, 0x20_4000))
    answers(port, block(0, BLOCK_A))
    cut = block(1, BLOCK_B)
    assert answers(port, cut[: len(cut) // 2]) == []
    assert answers(port, block(1, BLOCK_B)) == ["03 00000000+01070000"]
    assert answers(port, block(1, BLOCK_B)) == ["03 00000000+01050000"]


def test_flash_begin_off_a_sector_fails_and_takes_blocks(port: Serial, answers: Answers) -> None:
    """It answers 06 and erases nothing; what is sent then is written there."""
    answers(port, begin(1, 0x20_4000))
    answers(port, block(0, BLOCK_A))
    assert answers(port, begin(3, 0x20_4400)) == ["02 00000000+01060000"]
    assert answers(port, block(0, BLOCK_B)) == ["03 00000000+00060000"]
    assert by_kib(port, 0x20_4000, 6) == "AB----"


@pytest.mark.parametrize(
    ("size", "taken"),
    [(0x1000, True), (0x1400, True), (0x1800, True), (0x1804, False), (0x2000, False)],
)
def test_block_sizes(port: Serial, answers: Answers, size: int, taken: bool) -> None:
    """Blocks of up to 0x1800 bytes are taken; a longer one does no harm."""
    data = bytes(n * 7 & 0xFF for n in range(size))
    answers(port, begin(1, 0) + block(0, bytes(16)))
    status = "0000" if taken else "0105"
    assert answers(port, begin(1, 0x20_8000, size)) == [f"02 00000000+{status}0000"]
    assert answers(port, block(0, data)) == [f"03 00000000+{status}0000"]
    assert (port.wire.chip.flash.read(0x20_8000, size) == data) is taken
    assert answers(port, read(ROM))[0].startswith("0a 00f01d83+00")


def test_digests(port: Serial, answers: Answers) -> None:
    """A digest is text; a request that is sent while it is made is answered afterwards."""
    flash = port.wire.chip.flash
    flash.load(BLOCK_A + BLOCK_B)
    answers(port, read(ROM))
    text = hashlib.md5(flash.data[:MIB]).hexdigest().encode()
    digest = request(Opcode.SPI_FLASH_MD5, 0, MIB, 0, 0)
    assert answers(port, digest) == [f"13 00f01d83+{text.hex()}00000000"]
    assert answers(port, digest + read(ROM)) == [
        f"13 00f01d83+{text.hex()}00000000",
        f"0a 00f01d83+0000{text[2:4].hex()}",
    ]


def test_writing_deflated_data(port: Serial, answers: Answers) -> None:
    """Data that is inflated on the chip arrives in several blocks; nonsense is refused."""
    data = BLOCK_A * 8
    packed = zlib.compress(data)
    half = len(packed) // 2
    start = request(Opcode.FLASH_DEFL_BEGIN, len(data), 2, KIB, SECTOR)

    def part(number: int, piece: bytes) -> bytes:
        return request(Opcode.FLASH_DEFL_DATA, len(piece), number, 0, 0, data=piece)

    assert answers(port, start) == ["10 00000000+00000000"]
    assert answers(port, part(0, packed[:half])) == ["11 00000000+00000000"]
    assert answers(port, part(1, packed[half:])) == ["11 00000000+00000000"]
    assert port.wire.chip.flash.read(SECTOR, len(data)) == data
    assert answers(port, start + part(0, b"nonsense"))[1] == "11 00000000+010b0000"


def test_memory_is_written_and_run(port: Serial, answers: Answers) -> None:
    """MEM_DATA goes to RAM; MEM_END with an entry leaves the loader."""
    answers(port, MemBegin(4, 1, 4, RAM).encode() + MemData(0, b"\x01\x02\x03\x04").encode())
    assert answers(port, read(RAM)) == ["0a 04030201+00000000"]
    assert answers(port, MemEnd(RAM).encode()) == ["06 04030201+00000000"]
    assert answers(port, read(RAM)) == []
    assert port.wire.mode is ChipMode.APPLICATION


def test_flash_end_leaves_the_loader(
    port: Serial, answers: Answers, exchange: Callable[..., bytes]
) -> None:
    """FLASH_END with 1 boots at once, the end of a deflated download with 1 does not."""
    with_program(port)
    assert answers(port, request(Opcode.FLASH_DEFL_END, 1)) == ["12 00000000+00000000"]
    assert answers(port, read(ROM)) == ["0a 00f01d83+00000000"]
    assert b"hello from the application" in exchange(port, request(Opcode.FLASH_END, 1))
    assert answers(port, read(ROM)) == []


def test_writes_under_masks_and_to_what_cannot_be_written(port: Serial, answers: Answers) -> None:
    """ROM and eFuses stay as they are, and so do bits outside of a mask."""
    fuse = port.wire.chip.facts.mac[0]
    answers(port, write(ROM, 0) + write(fuse, 0))
    answers(port, WriteReg((RegisterWrite(RAM, 0xFFFF_FFFF, 0xFF00),)).encode())
    assert answers(port, read(ROM) + read(fuse) + read(RAM)) == [
        "0a 00f01d83+00000000",
        "0a 28a1b2c3+00000000",
        "0a 0000ff00+00000000",
    ]


def test_esp32c3_tells_its_id_and_wants_five_words(open_sim: Opener, answers: Answers) -> None:
    """Its ROM knows GET_SECURITY_INFO, and refuses FLASH_BEGIN without the fifth word."""
    port = open_sim("sim://esp32c3")
    command: LoaderCommand[object] = GetSecurityInfo()
    info = "00" * 12 + "05000000" + "00" * 4
    assert answers(port, command.encode()) == [f"14 00000000+{info}00000000"]
    # The last two bytes are left over, from the chip id.
    assert answers(port, begin(1, 0)) == ["02 00000000+01050000"]
    assert answers(port, request(Opcode.FLASH_BEGIN, KIB, 1, KIB, 0, 0)) == ["02 00000000+00050000"]


def test_a_request_longer_than_the_buffer_does_no_harm(port: Serial, answers: Answers) -> None:
    """What does not fit is dropped, also when the frame never ends."""
    answers(port, b"\xc0" + b"x" * 50_000, quiet_s=10.0)
    assert answers(port, read(ROM)) == []  # it ends the long frame, and nothing came before
    assert answers(port, read(ROM)) == ["0a 00f01d83+00000000"]
