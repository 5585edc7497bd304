"""The wire in virtual time: rates, latency, FIFO, boot and the lines."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import serial

from espshell.chips import CHIPS, Chip, Quirk, Write
from espshell.protocol import slip
from espshell.protocol.commands import ChangeBaudrate, ReadReg, RegisterWrite, Sync, WriteReg
from espshell.protocol.packet import Opcode, request
from espshell.sim import models
from espshell.sim.access import READ_BYTE_S
from espshell.sim.boot import BOOT_S, LOG_S
from espshell.sim.line import PACKET, SerialLine
from espshell.sim.program import COMMAND_S
from espshell.sim.protocol_sim import Serial
from espshell.sim.wire import EN_RISE_S
from espshell.units import MIB
from tests.sim.support import with_program

Opener = Callable[..., Serial]
Exchange = Callable[..., bytes]
Answers = Callable[..., list[str]]

READ = ReadReg(0x4000_1000).encode()
MAGIC = "0a 00f01d83+00000000"
BYTE_S = 10 / 115_200


@pytest.mark.parametrize("latency_s", [0.0, 1e-3])
def test_a_byte_takes_ten_bits_each_way(open_sim: Opener, latency_s: float) -> None:
    """Request, command, first byte of the reply, latency: nothing else takes time."""
    port = open_sim(f"sim://esp32?latency={latency_s}")
    port.write(READ)
    assert port.wait_readable(1.0)
    first = len(READ) * BYTE_S + COMMAND_S + BYTE_S
    assert port.clock.now() == pytest.approx(first + latency_s)
    while port.in_waiting < 14:
        assert port.wait_readable(1.0)
        port.clock.sleep(BYTE_S)
    assert port.clock.now() == pytest.approx(first + 13 * BYTE_S + latency_s, abs=2 * BYTE_S + 1e-3)


def test_requests_and_replies_overlap(open_sim: Opener, answers: Answers) -> None:
    """Eight reads in one write take the time of their bytes once, not twice."""
    port = open_sim("sim://esp32?latency=0")
    port.write(READ * 8)
    assert len(port.read(0)) == 0
    port.timeout = 1.0
    port.read(8 * 14)
    assert port.clock.now() == pytest.approx(9 * 14 * BYTE_S + COMMAND_S, rel=0.01)
    assert port.wire.count.max_in_flight == 8 * len(READ) == 112


def test_the_rate_of_both_sides_counts(open_sim: Opener, answers: Answers) -> None:
    """After CHANGE_BAUDRATE the chip hears the new rate only, and its divider follows."""
    port = open_sim("sim://esp32c3")
    assert answers(port, ChangeBaudrate(921_600).encode()) == ["0f 00000000+00000000"]
    assert answers(port, READ) == []
    port.baudrate = 921_600
    before = port.clock.now()
    assert answers(port, READ, 0.0) == []
    port.timeout = 1.0
    assert len(port.read(14)) == 14
    assert port.clock.now() - before < 28 * BYTE_S
    divider = port.wire.chip.facts.uart_divider
    word = port.wire.chip.memory.word(divider.address)
    assert round(divider.of(word) * 921_600 / 1e6) in range(38, 41)


def test_the_first_sync_sets_the_rate(open_sim: Opener, answers: Answers) -> None:
    """A ROM finds the rate by the first SYNC after a reset, and not again."""
    port = open_sim("sim://esp32", baud=460_800)
    assert answers(port, READ) == []
    assert len(answers(port, Sync().encode())) == 8
    assert answers(port, READ) == [MAGIC]
    port.baudrate = 115_200
    assert answers(port, Sync().encode()) == []


def test_bytes_beyond_the_fifo_are_lost(open_sim: Opener, answers: Answers) -> None:
    """While the ROM computes a digest, 128 bytes wait and the rest is gone."""
    port = open_sim("sim://esp32")
    digest = slip.encode(request(Opcode.SPI_FLASH_MD5, bytes(4) + MIB.to_bytes(4, "little") * 3))
    sent = port.clock.now()
    found = answers(port, digest + READ * 20)
    assert port.clock.now() - sent > MIB * READ_BYTE_S
    assert len(found) == 1 + 9  # nine whole frames of 14 bytes fit into 128
    assert port.wire.count.overruns == 20 * len(READ) - 128


def test_nothing_is_lost_within_the_fifo(open_sim: Opener, answers: Answers) -> None:
    """112 bytes in flight are safe however long the ROM is busy."""
    port = open_sim("sim://esp32")
    digest = slip.encode(request(Opcode.SPI_FLASH_MD5, bytes(4) + MIB.to_bytes(4, "little") * 3))
    port.write(digest)
    port.clock.sleep(0.1)
    assert len(answers(port, READ * 8)) == 1 + 8
    assert port.wire.count.overruns == 0


def test_a_fifo_has_room_again_after_each_frame(open_sim: Opener, answers: Answers) -> None:
    """A long stream at wire speed loses nothing, for the ROM is faster than the wire."""
    port = open_sim("sim://esp32")
    assert len(answers(port, READ * 500)) == 500
    assert port.wire.count.overruns == 0
    assert (port.wire.count.requests, port.wire.count.replies) == (500, 500)
    assert port.wire.count.bytes_to_host == port.wire.count.bytes_to_chip == 7000


def test_packets_of_a_bridge() -> None:
    """A packet leaves when it is full or when the latency since its first byte is over."""
    line = SerialLine(latency_s=16e-3)
    line.send(bytes(100), 0.0, BYTE_S)
    assert line.ready_at() == pytest.approx(PACKET * BYTE_S)
    assert len(line.take(PACKET * BYTE_S + 1e-9)) == PACKET
    assert line.ready_at() == pytest.approx((PACKET + 1) * BYTE_S + 16e-3)
    assert len(line.take(1.0)) == 100 - PACKET
    assert line.ready_at() == math.inf


def test_reading_obeys_the_timeout(open_sim: Opener) -> None:
    """Timeout 0 gives what is there, a timeout takes virtual time, none waits for the bytes."""
    port = open_sim("sim://esp32")
    assert port.read(1) == b""
    assert port.clock.now() == 0
    port.timeout = 0.25
    assert port.read(1) == b""
    assert port.clock.now() == 0.25
    port.write(READ)
    assert len(port.read(100)) == 14
    assert port.clock.now() == 0.5
    port.timeout = None
    port.write(READ)
    assert len(port.read(14)) == 14
    assert port.read(1) == b""  # for ever is not waited for
    assert not port.wait_readable(0.1)


def test_the_lines_lead_into_download_mode(open_sim: Opener, exchange: Exchange) -> None:
    """EN low, then IO0 low while EN rises: the boot log says so, and the loader listens later."""
    port = open_sim("sim://esp32?boot=app")
    exchange(port)
    port.rts = True
    port.clock.sleep(0.1)
    port.dtr = True  # with both asserted neither pin is low, for a moment
    port.rts = False
    start = port.clock.now()
    assert port.wait_readable(1.0)
    first = port.clock.now() - start
    assert first == pytest.approx(EN_RISE_S + LOG_S + BYTE_S + 1e-3, abs=1e-4)
    port.dtr = False
    assert exchange(port) == models.ESP32.download_log
    assert exchange(port, READ) != b""


@pytest.mark.parametrize("model", models.MODELS)
def test_a_reset_alone_starts_the_application(
    open_sim: Opener, exchange: Exchange, model: models.Model
) -> None:
    """Without IO0 the chip boots its flash, prints, and answers nothing."""
    port = with_program(open_sim(f"sim://{model.chip}"))
    port.baudrate = port.wire.chip.baud  # what its boot log comes with
    port.rts = True
    assert exchange(port, READ) == b""
    port.rts = False
    assert port.wait_readable(1.0)
    port.clock.sleep(len(model.application_log) * 10 / port.baudrate)
    assert port.read(1000) == model.application_log
    port.baudrate = 115_200
    assert exchange(port) == models.APPLICATION_TEXT
    assert exchange(port, READ) == b""


@pytest.mark.parametrize("word", [0xFFFF_FFFF, 0x1234_5678])
def test_a_flash_without_a_program(open_sim: Opener, word: int) -> None:
    """The ROM says what it found, and its watchdog has it say so for ever."""
    port = open_sim("sim://esp32")
    port.wire.chip.flash.load(bytes(0x1000) + word.to_bytes(4, "little"))
    port.timeout = 5.0
    port.rts = True
    port.rts = False
    said = port.read(10_000)
    model = models.ESP32
    assert said.startswith(model.application_log + b"invalid header: 0x%08x\r\n" % word)
    assert said.count(model.boot_log(model.log.watchdog, download=False)) in (8, 9)
    port.dtr, port.rts = False, True
    port.dtr, port.rts = True, False
    port.read(1000)
    port.write(READ)
    assert len(port.read(14)) == 14


WATCHED = [chip for chip in CHIPS if chip.watchdog_reset]


def poke(*writes: Write) -> bytes:
    return WriteReg(tuple(RegisterWrite(w.address, w.value, w.mask) for w in writes)).encode()


@pytest.mark.parametrize("chip", WATCHED, ids=lambda chip: chip.name)
def test_the_watchdog_resets_the_chip(open_sim: Opener, exchange: Exchange, chip: Chip) -> None:
    """It runs its application, unless a register forces it into its loader."""
    port = with_program(open_sim(f"sim://{chip.name}"))
    exchange(port, Sync().encode())
    assert exchange(port, poke(*chip.watchdog_reset)).endswith(models.APPLICATION_TEXT)
    assert exchange(port, READ) == b""
    if chip.force_download is None:
        return
    forced = open_sim(f"sim://{chip.name}")
    exchange(forced, Sync().encode())
    bit = chip.force_download
    exchange(forced, poke(Write(bit.address, bit.mask, bit.mask), *chip.watchdog_reset))
    assert len(exchange(forced, Sync().encode())) == 8 * 14


@pytest.mark.parametrize(
    "chip", [chip for chip in CHIPS if chip.force_download], ids=lambda chip: chip.name
)
def test_a_reset_by_the_lines_and_forced_download(
    open_sim: Opener, exchange: Exchange, chip: Chip
) -> None:
    """On a chip with that quirk the register survives EN, and the application does not start."""
    port = with_program(open_sim(f"sim://{chip.name}"))
    exchange(port, Sync().encode())
    bit = chip.force_download
    assert bit is not None
    exchange(port, poke(Write(bit.address, bit.mask, bit.mask)))
    port.rts = True
    port.rts = False
    exchange(port)
    answered = len(exchange(port, Sync().encode())) == 8 * 14
    assert answered == (Quirk.FORCED_DOWNLOAD_STAYS in chip.quirks)


def test_requests_while_booting_are_lost(open_sim: Opener, exchange: Exchange) -> None:
    """The loader listens a while after the reset, and what came before is gone."""
    port = open_sim("sim://esp32")
    port.rts = True
    port.dtr, port.rts = True, False
    port.clock.sleep(EN_RISE_S + BOOT_S / 2)
    assert exchange(port, READ) == models.ESP32.download_log
    assert exchange(port, READ) != b""


def test_usb_jtag_has_its_own_way(open_sim: Opener, exchange: Exchange) -> None:
    """DTR alone asks for download mode, RTS alone resets, and rates do not matter."""
    port = open_sim("sim://esp32c3?usb=jtag&boot=app", baud=9600)
    exchange(port)
    for dtr, rts in ((False, False), (True, False), (True, True), (False, True), (False, False)):
        port.clock.sleep(0.1)
        port.dtr, port.rts = dtr, rts
    assert exchange(port) == models.ESP32C3.download_log
    assert exchange(port, READ) != b""
    port.rts = True
    assert exchange(port).endswith(models.APPLICATION_TEXT)


def test_a_reset_keeps_ram_and_cuts_what_was_being_sent(
    open_sim: Opener, exchange: Exchange
) -> None:
    """Replies that had not left the chip never come; RAM holds what it held."""
    port = open_sim("sim://esp32")
    port.wire.chip.memory.write(0x3FFB_0000, b"kept")
    port.write(READ * 8)
    port.clock.sleep(30 * BYTE_S)
    port.rts = True
    assert 0 < len(exchange(port)) < 8 * 14
    assert port.wire.chip.memory.read(0x3FFB_0000, 4) == b"kept"


def test_a_port_by_url_and_again(open_sim: Opener) -> None:
    """The simulator is found by its scheme; a chip lives on while its port is closed."""
    if "espshell.sim" not in serial.protocol_handler_packages:
        serial.protocol_handler_packages.append("espshell.sim")
    found: object = serial.serial_for_url("sim://esp32", timeout=0)
    assert isinstance(found, Serial)
    port = found
    chip = port.wire.chip
    port.close()
    with pytest.raises(serial.SerialException):
        port.read(1)
    port.open()
    assert port.wire.chip is chip
    with pytest.raises(serial.SerialException):
        port.open()
    port.close()
