"""The flash as loaders and hosts use it: protection, times, faults, and contents that stay."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import serial

from espshell.clock import VirtualClock
from espshell.errors import PortError
from espshell.protocol import slip
from espshell.protocol.commands import ReadReg, RegisterWrite, Sync, WriteReg
from espshell.protocol.packet import Opcode
from espshell.sim import url
from espshell.sim.boot import ChipMode
from espshell.sim.nor import SECTOR
from espshell.sim.protocol_sim import Serial
from espshell.sim.wire import Wire
from espshell.units import KIB, MIB
from tests.sim import support
from tests.sim.support import StubFile, request, small

Opener = Callable[..., Serial]
Exchange = Callable[..., bytes]
Answers = Callable[..., list[str]]
Start = Callable[..., Serial]

READ = ReadReg(0x4000_1000).encode()
V1, V2 = small("esp32", 1), small("esp32", 2)
DATA = hashlib.shake_128(b"flash").digest(8 * KIB)
GOOD = "03 00000000+0000"


@pytest.fixture
def start(open_sim: Opener, exchange: Exchange) -> Start:
    """Start a stub on an ESP32; None: its ROM."""

    def started(stub: StubFile | None, options: str = "") -> Serial:
        where = f"sim://esp32?{options}"
        if stub is None:
            return open_sim(where)
        return support.running(exchange, open_sim, where, stub)

    return started


def begin(size: int, offset: int) -> bytes:
    return request(Opcode.FLASH_BEGIN, size, -(-size // KIB), KIB, offset)


def block(number: int, data: bytes) -> bytes:
    return request(Opcode.FLASH_DATA, len(data), number, 0, 0, data=data)


def load(port: Serial, answers: Answers, offset: int, data: bytes) -> set[str]:
    """Write data through a loader; return the answers, as far as they differ."""
    found = answers(port, begin(len(data), offset))
    for number in range(len(data) // KIB):
        found += answers(port, block(number, data[KIB * number :][:KIB]))
    return {text[-8:] if len(text) > len(GOOD) else text[-4:] for text in found}


def command(port: Serial, exchange: Exchange, opcode: int, data: bytes = b"", read: int = 0) -> int:
    """Send a command to the flash through the registers, in one frame; return what is read."""
    spi = port.wire.chip.facts.spi
    user = 1 << 31 | (1 << 28 if read else 0) | (1 << 27 if data else 0)
    values = {
        spi.user: user,
        spi.user2: 7 << 28 | opcode,
        spi.mosi_dlen: max(0, 8 * len(data) - 1),
        spi.miso_dlen: max(0, 8 * read - 1),
        spi.w0: int.from_bytes(data, "little"),
        spi.cmd: 1 << 18,
    }
    port.wire.chip.spi.attached = True
    writes = tuple(RegisterWrite(spi.base + at, value) for at, value in values.items())
    exchange(port, WriteReg(writes).encode(), 2e-3)
    return port.wire.chip.memory.word(spi.base + spi.w0)


@pytest.mark.parametrize("stub", [None, V1, V2], ids=["rom", "v1", "v2"])
def test_loaders_say_that_all_is_well(
    start: Start, answers: Answers, stub: StubFile | None
) -> None:
    """What is protected keeps its contents, and no answer tells; what is not is written."""
    port = start(stub, "flash=W25Q32JV&sr=24")  # the first 64 KiB
    flash = port.wire.chip.flash
    flash.load(bytes(128 * KIB))
    zeros = {"0000" if stub else "00000000"}
    assert load(port, answers, 0, DATA) == zeros
    assert flash.read(0, len(DATA)) == bytes(len(DATA))
    assert load(port, answers, 64 * KIB, DATA) == zeros
    assert flash.read(64 * KIB, len(DATA)) == DATA
    assert (flash.count.sectors, flash.count.pages, flash.count.offences) == (2, 32, [])
    assert port.wire.count.flash is flash.count


@pytest.mark.parametrize("stub", [V1, V2], ids=["v1", "v2"])
def test_stubs_erase_by_blocks(start: Start, answers: Answers, stub: StubFile) -> None:
    """As far as was announced, whole blocks at once; ERASE_REGION does so too."""
    port = start(stub)
    flash = port.wire.chip.flash
    answers(port, begin(65 * KIB, 0))
    answers(port, block(0, DATA[:KIB]))
    assert (flash.count.blocks, flash.count.sectors) == (1, 0)
    answers(port, request(Opcode.ERASE_REGION, 0, 68 * KIB))
    assert (flash.count.blocks, flash.count.sectors) == (2, 1)


def test_flash_begin_of_a_current_stub_erases_at_once(start: Start, answers: Answers) -> None:
    """Its first sector is blank before any data comes; a legacy stub waits for the data."""
    for stub, blank in ((V1, False), (V2, True)):
        port = start(stub)
        port.wire.chip.flash.load(bytes(SECTOR))
        answers(port, begin(KIB, 16))
        assert (set(port.wire.chip.flash.read(0, SECTOR)) == {0xFF}) is blank


def test_erasing_too_much_stays_within_the_flash(open_sim: Opener, answers: Answers) -> None:
    """An ESP8266 that erases its last sector does not begin again at the first."""
    port = open_sim("sim://esp8266?flash=1M")
    port.wire.chip.flash.load(bytes(MIB))
    answers(port, Sync().encode())
    answers(port, request(Opcode.FLASH_BEGIN, SECTOR, 4, KIB, MIB - 2 * SECTOR))
    data = port.wire.chip.flash.data
    assert data[: MIB - 2 * SECTOR] == bytes(MIB - 2 * SECTOR)
    assert data[MIB - 2 * SECTOR :] == b"\xff" * 2 * SECTOR


def test_busy_ends_in_virtual_time(start: Start, exchange: Exchange) -> None:
    """A status write through the registers shows BUSY and WEL until its time is over."""
    port = start(None, "latency=0&flash=W25Q32JV")
    port.baudrate = 921_600
    port.wire.chip.set_baud(921_600)
    command(port, exchange, 0x06)
    assert command(port, exchange, 0x05, read=1) == 0x02
    command(port, exchange, 0x01, b"\x00\x02")
    at = port.clock.now()
    assert command(port, exchange, 0x05, read=1) == 0x03
    assert port.clock.now() - at < port.wire.chip.flash.part.times.status_s
    port.clock.sleep(10e-3)
    assert command(port, exchange, 0x05, read=1) == 0
    assert command(port, exchange, 0x35, read=1) == 0x02


def test_what_is_read_behind_data(start: Start, exchange: Exchange) -> None:
    """One command cannot send data and read: zeros come."""
    port = start(None)
    assert command(port, exchange, 0x9F, read=3) == 0x1640EF
    assert command(port, exchange, 0x9F, b"\0", read=3) == 0


def test_in_real_time_a_flash_is_never_busy() -> None:
    """Nothing waits for bytes there, and nothing for the flash."""
    wire = Wire(url.parse("sim://esp32"), VirtualClock(), paced=False)
    wire.send(begin(MIB, 0))
    assert wire.chip.flash.count.blocks == 16
    assert wire.chip.flash.busy_until <= wire._clock.now() + 1e-3


def test_a_stub_with_several_blocks_in_flight(start: Start, exchange: Exchange) -> None:
    """It sends as many as were asked for and it can, and one more for each acknowledgement."""
    for can, asked, first in ((1, 64, 1), (4, 64, 4), (64, 3, 3), (4, 0, 1)):
        port = start(V2, f"inflight={can}")
        port.wire.chip.flash.load(DATA * 4)
        data = exchange(port, request(Opcode.READ_FLASH, 0, 8 * SECTOR, SECTOR, asked))
        frames = [slip.unescape(piece) or b"" for piece in data.split(slip.END) if piece]
        assert [len(frame) for frame in frames[1:]] == [SECTOR] * first
        found = frames[1:]
        acknowledged = 0
        while len(found) < 8:
            acknowledged += SECTOR
            data = exchange(port, slip.encode(struct.pack("<I", acknowledged)))
            found += [slip.unescape(piece) or b"" for piece in data.split(slip.END) if piece]
            assert len(found) == min(8, first + acknowledged // SECTOR)
        assert b"".join(found) == DATA * 4
        data = exchange(port, slip.encode(struct.pack("<I", 8 * SECTOR)))
        assert slip.unescape(data.strip(slip.END)) == hashlib.md5(DATA * 4).digest()
        assert len(exchange(port, READ)) == 12


def test_acknowledgements_in_a_row_are_not_lost(start: Start, exchange: Exchange) -> None:
    """With blocks in flight it looks for them between blocks; the line is never idle."""
    port = start(V2, "inflight=8&latency=0")
    port.write(request(Opcode.READ_FLASH, 0, 64 * KIB, SECTOR, 8))
    port.timeout = 1.0
    size = SECTOR + 2
    port.read(12)
    began = port.clock.now()
    for number in range(16):
        assert len(port.read(size)) == size
        port.write(slip.encode(struct.pack("<I", SECTOR * (number + 1))))
    assert port.clock.now() - began < 1.01 * 16 * size * 10 / 115_200
    assert port.wire.count.dropped == 0
    assert len(exchange(port)) >= 18


# -- power


@pytest.mark.parametrize("direction", ["request", "reply"])
def test_kill(open_sim: Opener, exchange: Exchange, direction: str) -> None:
    """What came before arrives; then nothing does, also after a reset, and the port stays."""
    port = open_sim(f"sim://esp32?fault=kill@{direction}:2")
    assert len(exchange(port, READ + READ)) == 14
    port.rts = True
    port.dtr, port.rts = True, False
    assert exchange(port, READ) == b""
    assert port.wire.mode is ChipMode.DARK
    port.close()
    port.open()
    assert exchange(port, READ) == b""


def test_kill_takes_a_usb_port_of_the_chip_itself(open_sim: Opener, exchange: Exchange) -> None:
    """There is no bridge that would stay."""
    for where in ("request:2", "reply:2"):
        port = open_sim(f"sim://esp32c3?usb=jtag&fault=kill@{where}")
        assert len(exchange(port, READ)) == 14
        with pytest.raises(serial.SerialException):
            exchange(port, READ)
    port = open_sim("sim://esp32c3?usb=jtag&fault=kill@flash:1")
    with pytest.raises(serial.SerialException):
        exchange(port, request(Opcode.FLASH_BEGIN, KIB, 1, KIB, 0, 0))


@pytest.mark.parametrize(
    ("stub", "operation", "replies"), [(None, 1, 0), (None, 4, 1), (V2, 1, 1), (V2, 4, 2)]
)
def test_kill_in_the_middle_of_the_flash(
    start: Start, exchange: Exchange, stub: StubFile | None, operation: int, replies: int
) -> None:
    """The operation is half done; the ROM has not answered then, a stub has, before it began."""
    port = start(stub, f"fault=kill@flash:{operation}")
    flash = port.wire.chip.flash
    flash.load(bytes(2 * SECTOR))
    data = exchange(port, begin(KIB, SECTOR))
    data += exchange(port, block(0, b"\x55" * KIB))
    assert data.count(slip.END) == 2 * replies
    assert exchange(port, READ) == b""
    assert port.wire.mode is ChipMode.DARK
    assert flash.read(0, SECTOR) == bytes(SECTOR)
    sector = flash.read(SECTOR, SECTOR)
    if operation == 1:
        assert sector == b"\xff" * (SECTOR // 2) + bytes(SECTOR // 2)
    else:
        assert sector == (b"\x55" * (2 * 256 + 128)).ljust(SECTOR, b"\xff")


def test_contents_stay_in_a_file(open_sim: Opener, answers: Answers, tmp_path: Path) -> None:
    """A chip that died half-way leaves them as they were, for the next one of the same file."""
    path = tmp_path / "flash.bin"
    path.write_bytes(b"\0" * 3 * SECTOR)
    where = f"sim://esp32?flash=W25Q32JV&flash-file={path}"
    port = open_sim(f"{where}&fault=kill@flash:3")
    load(port, answers, SECTOR, DATA[:SECTOR])
    assert path.stat().st_size == 4 * MIB
    again = open_sim(where)
    found = again.wire.chip.flash.read(0, 3 * SECTOR)
    assert found[:SECTOR] == found[2 * SECTOR :] == bytes(SECTOR)
    assert found[SECTOR : 2 * SECTOR] == DATA[: 256 + 128].ljust(SECTOR, b"\xff")
    load(again, answers, SECTOR, DATA[:SECTOR])
    assert path.read_bytes()[SECTOR : 2 * SECTOR] == DATA[:SECTOR]


def test_a_file_that_is_longer_or_cannot_be_used(tmp_path: Path) -> None:
    """What does not fit stays in the file; a folder is an error in one line."""
    path = tmp_path / "flash.bin"
    path.write_bytes(b"\x01" * (64 * KIB + 5))
    flash = Wire(url.parse(f"sim://esp32?flash=64k&flash-file={path}"), VirtualClock()).chip.flash
    assert flash.size == 64 * KIB
    assert path.stat().st_size == 64 * KIB + 5
    with pytest.raises(PortError, match="cannot use"):
        Wire(url.parse(f"sim://esp32?flash-file={tmp_path}"), VirtualClock())


@pytest.mark.parametrize("rule", ["brownout@request:1", "replug@request:1:0.5"])
def test_what_takes_the_supply_away_takes_volatile_values(
    open_sim: Opener, exchange: Exchange, rule: str
) -> None:
    """A reset by EN does not: the flash is not told of it."""
    port = support.with_program(open_sim(f"sim://esp32?sr=04&fault={rule}"))
    flash = port.wire.chip.flash
    flash.transfer(b"\x50", 0, 0.0)
    flash.transfer(b"\x01\x08", 0, 0.0)
    port.rts = True
    port.dtr, port.rts = True, False
    exchange(port)
    assert flash.status.active[0] == 0x08
    try:
        exchange(port, READ)
    except serial.SerialException:
        port.clock.sleep(1.0)
        port.wire.settle()
    assert flash.status.active[0] == 0x04
