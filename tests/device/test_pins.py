"""Flashes on other pins than the usual ones."""

from __future__ import annotations

import pytest

from espshell import chips
from espshell.device.board import HSPI, SPI, Pads, parse_pads, require_pads
from espshell.errors import UsageError
from espshell.image import partitions
from espshell.protocol import slip
from espshell.protocol.packet import HEADER, Opcode
from tests.image.support import partition_table
from tests.loader.support import wire_of
from tests.shell.support import Shell


@pytest.mark.parametrize(
    ("text", "pads"),
    [
        ("auto", None),
        ("SPI", SPI),
        ("hspi", HSPI),
        ("6,17,8,11,16", (6, 17, 8, 11, 16)),
        ("0x6,0x11, 8,11,16", (6, 17, 8, 11, 16)),
    ],
)
def test_words(text: str, pads: Pads | None) -> None:
    """The words of esptool's option, in any case, and `auto`."""
    assert parse_pads(text) == pads


@pytest.mark.parametrize("text", ["", "VSPI", "6", "6,17,8,11", "6,17,8,11,16,1", "a,1,2,3,4"])
def test_no_pins(text: str) -> None:
    """Anything else is refused with what can be said."""
    with pytest.raises(UsageError, match="does not name flash pins"):
        parse_pads(text)
    with pytest.raises(UsageError):
        parse_pads("6,17,8,11,64")


@pytest.mark.parametrize("name", chips.NAMES)
def test_what_a_chip_takes(name: str) -> None:
    """SPI always; HSPI on an ESP32; pins where esptool takes them: ESP32, S2, S3, C3."""
    chip = chips.load(name)
    custom = name in ("esp32", "esp32s2", "esp32s3", "esp32c3")

    def taken(pads: Pads) -> bool:
        try:
            require_pads(chip, pads)
        except UsageError:
            return False
        return True

    assert taken(SPI)
    assert taken(HSPI) is (name == "esp32")
    assert taken((6, 17, 8, 11, 16)) is custom
    assert taken((6, 17, 8, 11, 23)) is (name == "esp32")
    assert taken((45, 46, 44, 46, 38)) is (name in ("esp32s2", "esp32s3"))
    assert taken((45, 48, 44, 46, 38)) is (name == "esp32s3")
    assert not taken((45, 46, 44, 47, 38))


@pytest.mark.parametrize("stub", [False, True])
def test_the_flash_is_attached_on_the_pins(stub: bool) -> None:
    """SPI_ATTACH carries them as esptool packs them, and nothing again when they are given up."""
    shell = Shell()
    shell.type("connect sim://esp32")
    if stub:
        shell.type("stub always")
    sent: list[int] = []
    decoder = slip.Decoder(lambda data: len(data) >= HEADER.size)

    def tap(now: float, direction: str, data: bytes) -> None:
        for frame in decoder.feed(data) if direction == "tx" else ():
            if isinstance(frame, slip.Frame) and frame.data[1] == Opcode.SPI_ATTACH:
                sent.append(int.from_bytes(frame.data[8:12], "little"))

    shell.session.chip.link.taps.append(tap)
    assert shell.type("flash-id").status == 0
    shell.type("set spi-connection 6,17,8,11,16")
    assert shell.type("flash-id").status == 0
    shell.type("set spi-connection HSPI")
    assert shell.type("flash-id").status == 0
    shell.type("set spi-connection auto")
    assert shell.type("flash-id").status == 0
    assert sent == [0, 11 << 24 | 16 << 18 | 8 << 12 | 17 << 6 | 6, 1, 0]
    shell.type("set spi-connection 6,17,8,11,31")
    ran = shell.type("flash-id")
    assert (ran.status, ran.err) == (2, "flash-id: GPIO 31 of an ESP32 cannot be a flash pin\n")
    assert shell.type("set spi-connection 6,17").status == 2


def test_other_pins_are_another_flash() -> None:
    """Its partitions and its part are read again; other settings keep what has been read."""
    shell = Shell()
    shell.type("connect sim://esp32c3")
    connection, flash = shell.session.connected, wire_of(shell.session.chip).chip.flash
    table = partition_table(partitions.parse(b"one,data,nvs,0x9000,0x6000\n"))
    flash.data[0x8000 : 0x8000 + len(table)] = table
    shell.type("parts; sr")
    before = connection.partitions, connection.part
    assert None not in before
    shell.type("set check on; set slower off; set spi-connection auto")
    assert (connection.partitions, connection.part) == before
    shell.type("set spi-connection SPI")
    assert (connection.partitions, connection.part) == (None, None)
    flash.data[0x8000:0x9000] = b"\xff" * 0x1000
    assert shell.type("parts").status == 1


def test_pins_for_one_command() -> None:
    """By esptool's option they are chosen for its command, and given up behind it."""
    shell = Shell()
    shell.type("connect sim://esp32")
    for line in ("flash-id -sc HSPI", "read-flash --spi-connection 6,17,8,11,16 0 4 -"):
        shell.type(line)
        assert shell.session.settings.spi_connection == "auto"
        assert shell.session.chip.flash.pads is None
    ran = shell.type("flash-id -sc 6,17")
    assert (ran.status, "does not name flash pins" in ran.err) == (2, True)
    assert "cannot be a flash pin" in shell.type("flash-id -sc 6,17,8,11,31").err
    assert shell.session.chip.flash.pads is None
