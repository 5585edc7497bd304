"""What single chips do otherwise; each test fails without its quirk."""

from __future__ import annotations

import struct

import pytest

from espshell.chips import CHIPS, USB_VID, Quirk
from espshell.device import Target, leave
from espshell.errors import UsageError
from espshell.link.ports import PortInfo
from espshell.loader.spi import FlashCommand
from espshell.ops.chip import info as ops
from espshell.protocol import slip
from espshell.protocol.packet import Opcode
from tests.loader.support import open_sim, wire_of

TESTED = {
    Quirk.ERASES_TOO_MUCH: "tests/loader/test_erase.py",
    Quirk.STUB_RAISES_CLOCK: "here",
    Quirk.BAUD_FIXED_IN_SECURE_DOWNLOAD: "here",
    Quirk.NO_STUB_WITH_SECURE_BOOT: "here",
    Quirk.STUB_START_BY_READ: "here",
    Quirk.FORCED_DOWNLOAD_STAYS: "here",
    Quirk.OTG_RESET_BY_WATCHDOG: "here",
    Quirk.WATCHDOG_RESET_LOSES_USB: "here",
    Quirk.FLASH_UNPOWERED: "here",
    Quirk.PADS_FROM_EFUSE: "here",
}


def watched(target: Target) -> list[tuple[int, bytes]]:
    """Return a list that fills with opcode and payload of every request from now on."""
    sent: list[tuple[int, bytes]] = []

    def tap(_now: float, direction: str, data: bytes) -> None:
        if direction == "tx":
            frames = [slip.unescape(piece) for piece in data.split(slip.END) if piece]
            sent.extend((frame[1], frame[8:]) for frame in frames if frame)

    target.link.taps.append(tap)
    return sent


def written(sent: list[tuple[int, bytes]]) -> list[tuple[int, int]]:
    """Return address and value of every register write."""
    entries = [payload for opcode, payload in sent if opcode == Opcode.WRITE_REG]
    return [struct.unpack_from("<II", e, at) for e in entries for at in range(0, len(e), 16)]


def test_every_quirk_has_a_test() -> None:
    """A quirk that is named in the data of a chip is tested somewhere."""
    assert {quirk for chip in CHIPS for quirk in chip.quirks} == set(TESTED)
    assert set(Quirk) == set(TESTED)


def test_stub_raises_clock() -> None:
    """With the stub's clock the UART divider would tell a wrong crystal."""
    target = open_sim("", "esp32")
    target.start_stub()
    wire_of(target).chip.memory.set_register(target.chip.uart_divider.address, 80_000_000 // 115200)

    assert ops.info(target, with_flash=False).crystal_mhz == 40


def test_baud_is_fixed_in_secure_download_mode() -> None:
    """An ESP32-C2 in secure download mode is not asked for another rate."""
    target = open_sim("sdm=1", "esp32c2")
    before = wire_of(target).count.requests

    with pytest.raises(UsageError, match="cannot change its baud rate"):
        target.change_baud(921600)
    assert wire_of(target).count.requests == before


def test_no_stub_with_secure_boot() -> None:
    """A C3 with secure boot is not sent a stub that it would not start."""
    target = open_sim("flags=1", "esp32c3")
    before = wire_of(target).count.requests

    with pytest.raises(UsageError, match="with secure boot does not start a flasher stub"):
        target.start_stub()
    assert wire_of(target).count.requests == before


def test_stub_is_started_by_a_read() -> None:
    """An S3 with secure boot starts the stub through a pointer that READ_FLASH_SLOW takes."""
    target = open_sim("flags=1", "esp32s3")
    sent = watched(target)
    started = target.start_stub()
    opcodes = [opcode for opcode, _ in sent]

    assert Opcode.MEM_END not in opcodes
    assert Opcode.READ_FLASH_SLOW in opcodes
    assert (target.chip.read_pointer, started.entry) in written(sent)
    assert target.loader.dialect.is_stub


def test_force_download_is_cleared() -> None:
    """Before a reset into the application FORCE_DOWNLOAD_BOOT of an S3 is cleared."""
    target = open_sim("", "esp32s3")
    sent = watched(target)
    bit = target.chip.force_download
    leave.by_reset(target)

    assert bit is not None
    assert (bit.address, 0) in written(sent)


@pytest.mark.parametrize("name", ["esp32s2", "esp32s3", "esp32p4"])
def test_over_usb_otg_the_watchdog_resets(name: str) -> None:
    """Over USB-OTG the lines cannot leave download mode, so the watchdog is let bite."""
    target = open_sim("", name)
    pid = target.chip.usb_otg_pid
    target.usb = PortInfo("port", vid=USB_VID, pid=pid)
    strap = target.chip.boot_strap
    if strap is not None:
        wire_of(target).chip.memory.set_register(strap.address, 0)
    sent = watched(target)
    leave.by_reset(target)

    wanted = [(write.address, write.value) for write in target.chip.watchdog_reset]
    assert wanted == [each for each in written(sent) if each in wanted]


def test_watchdog_reset_that_loses_the_port() -> None:
    """A C6 is not reset by its watchdog, and the reason is told."""
    with pytest.raises(UsageError, match="USB-JTAG/serial port may be gone"):
        leave.by_watchdog(open_sim("", "esp32c6"))


def test_flash_is_powered_first() -> None:
    """A P4 of revision 3.1 gives its flash a supply before the first command."""
    target = open_sim("rev=3.1", "esp32p4")
    sent = watched(target)
    target.flash.command(FlashCommand(0x9F, read_size=3))
    powered = {write.address for step in target.chip.flash_power for write in step.writes}

    assert powered & {address for address, _ in written(sent)}


def test_pads_of_an_embedded_flash() -> None:
    """The ROM of an ESP32 is told the pads of an embedded flash; a stub finds them itself."""
    for with_stub in (False, True):
        target = open_sim("", "esp32")
        if with_stub:
            target.start_stub()
        word = 0x3FF5_A014
        wire_of(target).chip.memory.set_register(word, 6 | 17 << 5 | 8 << 10 | 16 << 15)
        sent = watched(target)
        target.flash.command(FlashCommand(0x9F, read_size=3))
        pads = next(payload for opcode, payload in sent if opcode == Opcode.SPI_ATTACH)[:4]

        expected = 0 if with_stub else 6 | 17 << 6 | 8 << 12 | 16 << 18
        assert int.from_bytes(pads, "little") & 0xFF_FFFF == expected
