"""What is said of one chip and not of the next: rules of addresses, names, clocks and supplies."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from espshell import chips
from espshell.chips import (
    CHIPS,
    Bits,
    Chip,
    Field,
    Isa,
    Kind,
    Quirk,
    Revision,
    RomClock,
    Write,
    common,
)
from espshell.chips.esp32 import ESP32
from espshell.chips.esp32c2 import ESP32C2
from espshell.chips.esp32c5 import ESP32C5
from espshell.chips.esp32c6 import ESP32C6
from espshell.chips.esp32c61 import ESP32C61
from espshell.chips.esp32h2 import ESP32H2
from espshell.chips.esp32p4 import ESP32P4
from espshell.chips.esp32s2 import ESP32S2
from espshell.chips.esp32s3 import ESP32S3
from espshell.chips.esp8266 import ESP8266
from espshell.protocol.packet import Opcode

EACH = pytest.mark.parametrize("chip", CHIPS, ids=lambda chip: chip.name)

E8266 = 0x3FF0_0050
H2_WORD3, H2_WORD4 = 0x600B_0850, 0x600B_0854
C5_WORD2 = 0x600B_484C
P4_WORD2, P4_WORD_OF_XPD, P4_PMU_DATE = 0x5012_D04C, 0x5012_D034, 0x5011_53FC


def blank_but(found: Mapping[int, int]) -> Callable[[int], int]:
    """Return words that are zero where nothing is said."""
    return lambda address: found.get(address, 0)


def fuses(field: Field, value: int) -> dict[int, int]:
    """Return words in which a field has a value."""
    found: dict[int, int] = {}
    for part in field.parts:
        bits = value & (1 << part.width) - 1
        found[part.address] = found.get(part.address, 0) | bits << part.low
        value >>= part.width
    return found


# -- MAC addresses ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "mac"),
    [
        ((0x5600_0000, 0x0000_1234, 0, 0), 0x18FE_3412_3456),
        ((0x5600_0000, 0x0001_1234, 0, 0), 0xACD0_7412_3456),
        ((0x5600_0000, 0x0002_1234, 0, 0), None),
        ((0x5600_0000, 0x0002_1234, 0, 0x005C_CF7F), 0x5CCF_7F12_3456),
        ((0x5600_0000, 0x0001_1234, 0, 0x0100_0000), 0x0000_0012_3456),
    ],
)
def test_mac_of_an_esp8266(words: tuple[int, ...], mac: int | None) -> None:
    """The last three bytes from two words, the first three from a fourth or by a number."""
    found = {E8266 + 4 * n: word for n, word in enumerate(words)}
    assert ESP8266.base_mac(blank_but(found)) == mac


def test_id_of_an_esp8266() -> None:
    """Its SDK's id is the end of the MAC, the words' other way round; its images carry none."""
    found = blank_but({E8266: 0xAB00_0000, E8266 + 4: 0xFF12_3456})
    assert ESP8266.sdk_id is not None
    assert ESP8266.sdk_id.value(found) == 0x1234_56AB
    assert ESP8266.id == common.NO_IMAGE_ID


@pytest.mark.parametrize("chip", [ESP32C5, ESP32C6, ESP32H2], ids=lambda chip: chip.name)
def test_eui64(chip: Chip) -> None:
    """The extension stands between the halves of the MAC."""
    low, high = chip.mac
    found = blank_but({low: 0xF9F7_2CA2, high: 0xFFFE_6055})
    assert chip.base_mac(found) == 0x6055_F9F7_2CA2
    assert chip.eui64(found) == 0x6055_F9FF_FEF7_2CA2


# -- revisions and names ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block_minor", "expected"), [(1, (0, 0)), (0, (3, 8)), (2, (3, 8))], ids=str
)
def test_the_first_esp32s3(block_minor: int, expected: Revision) -> None:
    """Version 1.1 of its block 2 makes the revision 0.0, whatever its bits say."""
    found = blank_but(
        {
            0x6000_7050: block_minor << 24,
            0x6000_7058: 1 << 23 | 3 << 24,
            0x6000_706C: 1,
        }
    )
    assert ESP32S3.revision(found) == expected


@pytest.mark.parametrize(
    ("chip", "number", "revision", "name"),
    [
        (ESP8266, 0b000000, (0, 0), "ESP8266EX"),
        (ESP8266, 0b010000, (0, 0), "ESP8266EX"),
        (ESP8266, 0b000001, (0, 0), "ESP8285N08"),
        (ESP8266, 0b000111, (0, 0), "ESP8285H08"),
        (ESP8266, 0b001100, (0, 0), "ESP8285N16"),
        (ESP8266, 0b011100, (0, 0), "ESP8285"),
        (ESP32S2, 0x12, (1, 0), "ESP32-S2FNR2"),
        (ESP32S2, 0x21, (1, 0), None),
        (ESP32C6, 0b111_000, (0, 0), "ESP32-C6 (QFN40)"),
        (ESP32C6, 0b010_001, (0, 0), "ESP32-C6FH8 (QFN32)"),
        (ESP32C6, 0b000_001, (0, 0), None),
        (ESP32H2, 0b000_11_000, (0, 1), "ESP32-H2"),
        (ESP32H2, 0b000_01_001, (1, 1), "ESP32-H2FH4"),
        (ESP32H2, 0b000_01_001, (1, 2), "ESP32-H2FH4S"),
        (ESP32H2, 0b000_10_011, (0, 1), "ESP32-H2FN1"),
        (ESP32H2, 0b001_10_011, (0, 1), None),
        (ESP32C5, 0b010_001_01, (1, 0), "ESP32-C5HF4R8"),
        (ESP32C61, 0b011_010_010_00, (1, 0), "ESP32-C61NF8R8LA"),
        (ESP32C61, 0b100_000_000_00, (1, 0), None),
    ],
)
def test_names(chip: Chip, number: int, revision: Revision, name: str | None) -> None:
    """Names that follow flash, PSRAM, temperature range and revision, as the chips are sold."""
    found = fuses(chip.package, number)
    for address, word in (
        *fuses(chip.major, revision[0]).items(),
        *fuses(chip.minor, revision[1]).items(),
    ):
        found[address] = found.get(address, 0) | word
    assert chip.revision(blank_but(found)) == revision
    assert chip.description(blank_but(found)) == name


def test_a_revision_that_no_esp32_has() -> None:
    """It counts as 0, and so do the eFuses that have a meaning only later."""
    assert ESP32.major.value(blank_but({0x3FF5_A014: 1 << 20})) == 0


def test_embedded_memory() -> None:
    """Size and maker in one line; nothing without a size, and no maker where he is not known."""
    size, maker = Field((Bits(0x10, 0, 2),)), Field((Bits(0x14, 0, 2),))
    feature = common.embedded("flash", size, ((1, "4 MiB"),), maker, ((1, "XMC"),))

    def text(of_size: int, of_maker: int) -> str:
        return feature.text({0x10: of_size, 0x14: of_maker}.__getitem__)

    assert text(1, 1) == "embedded flash 4 MiB (XMC)"
    assert text(1, 2) == "embedded flash 4 MiB"
    assert text(2, 1) == "embedded flash of unknown size (2) (XMC)"
    assert text(0, 1) == ""


# -- clocks ----------------------------------------------------------------------------------------


def asked(chip: Chip, baud: int, crystal_mhz: int, found: Mapping[int, int]) -> int:
    assert chip.rom_clock is not None
    return chip.rom_clock.asked_baud(baud, crystal_mhz * 1_000_000, blank_but(found))


def test_baud_of_an_esp32c2() -> None:
    """Its ROM takes every crystal for one of 40 MHz."""
    assert asked(ESP32C2, 115200, 26, {}) == 115200 * 40 // 26
    assert asked(ESP32C2, 115200, 40, {}) == 115200


@pytest.mark.parametrize(("believed", "fitted"), [(40, 48), (48, 40), (48, 48)])
def test_baud_of_an_esp32c5(believed: int, fitted: int) -> None:
    """Its ROM believes a register."""
    found = {0x6009_6110: believed << 24 | 0xFF}
    assert asked(ESP32C5, 921600, fitted, found) == 921600 * believed // fitted


def test_baud_of_an_esp32() -> None:
    """Its ROM believes a calibration against a clock that drifts."""
    found = {0x3FF5_F06C: 820 << 7 | 0x7F, 0x3FF5_A010: 0xFFFF_FF80}
    assert isinstance(ESP32.rom_clock, RomClock)
    assert ESP32.rom_clock.hz(blank_but(found)) == 41_000_000
    assert asked(ESP32, 921600, 40, found) == 944640


def test_crystal_of_an_esp8266() -> None:
    """Its UART runs at twice the crystal."""
    assert ESP8266.crystal_mhz(451, 115200) == 26
    assert ESP8266.crystal_mhz(694, 115200) == 40


@EACH
def test_clock_of_the_rom(chip: Chip) -> None:
    """Its factors are words that ``info`` reads, and with one crystal nothing needs correcting."""
    if chip.rom_clock is not None:
        assert len(chip.crystals_mhz) > 1
        for factor in chip.rom_clock.factors:
            assert set(factor.addresses) <= set(chip.info_addresses)
    assert chip.uart_clock_factor in (1, 2)


# -- stubs and RAM ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chip", "revision", "name"),
    [
        (ESP32C2, (0, 0), None),
        (ESP32C2, (1, 0), "esp32c2"),
        (ESP32P4, (1, 3), "esp32p4-rev1"),
        (ESP32P4, (3, 0), "esp32p4"),
        (ESP32S3, (0, 0), "esp32s3"),
    ],
)
def test_stub_by_revision(chip: Chip, revision: Revision, name: str | None) -> None:
    """Most have one stub; a P4 has two, and the first C2 none."""
    assert chip.stub_name(revision) == name


# -- how it is reached and left --------------------------------------------------------------------


@EACH
def test_usb(chip: Chip) -> None:
    """Watchdogs are stopped where there is USB-JTAG/serial; over USB-OTG the product is the id."""
    assert bool(chip.watchdogs) == chip.usb_serial_jtag
    assert chip.usb_otg_pid in (None, chip.id)
    assert chip.usb_otg == (chip in (ESP32S2, ESP32S3, ESP32P4))


@EACH
def test_watchdog_reset(chip: Chip) -> None:
    """It opens with the key and closes without it, and the configuration enables the watchdog."""
    if not chip.watchdog_reset:
        return
    unlock, timeout, enable, lock = chip.watchdog_reset
    assert unlock == Write(lock.address, common.WDT_KEY)
    assert lock.value == 0
    assert enable.value >> 31 == 1
    assert timeout.address == enable.address + 4


@EACH
def test_watchdogs(chip: Chip) -> None:
    """Both are unlocked and locked again; the super watchdog keeps its other bits."""
    for unlock, change, lock in (chip.watchdogs[:3], chip.watchdogs[3:]) if chip.watchdogs else ():
        assert unlock.address == lock.address != change.address
        assert unlock.value in (common.WDT_KEY, common.SWD_KEY)
        assert lock.value == 0
        assert change.mask == (change.value or 0xFFFF_FFFF)


@pytest.mark.parametrize(
    ("revision", "xpd", "date", "writes"),
    [
        ((3, 0), 0, 0, 0),
        ((3, 1), 1, 0, 9),
        ((3, 2), 0, 3, 9),
        ((3, 2), 1, 3, 1),
        ((3, 2), 1, 1, 0),
    ],
)
def test_flash_supply_of_an_esp32p4(revision: Revision, xpd: int, date: int, writes: int) -> None:
    """3.1 always, 3.2 unless its ROM does it; then what the ROM left on is turned off."""
    found = {P4_WORD_OF_XPD: xpd << 16, P4_PMU_DATE: date}
    assert len(ESP32P4.power_up(revision, blank_but(found))) == writes


def test_revision_of_an_esp32p4() -> None:
    """Its major number has a third bit far from the others."""
    assert ESP32P4.revision(blank_but({P4_WORD2: 1 << 23 | 1 << 4 | 2})) == (5, 2)


# -- flash -----------------------------------------------------------------------------------------


def test_lengths_without_registers() -> None:
    """An ESP8266 has them in USER1, all others in registers of their own."""
    assert [chip for chip in CHIPS if chip.spi.lengths_in_user1] == [ESP8266]
    assert [chip for chip in CHIPS if chip.spi.address_msb_first] == [ESP8266, ESP32]


@EACH
def test_pins(chip: Chip) -> None:
    """GPIO numbers fit into the six bits of SPI_ATTACH; pads are five fields or none."""
    assert all(0 <= pin < 64 for pin in chip.custom_spi_pins)
    assert list(chip.custom_spi_pins) == sorted(set(chip.custom_spi_pins))
    assert len(chip.spi_pads) in (0, 5)


@EACH
def test_bootloader(chip: Chip) -> None:
    """It starts at a sector, and its flash can be seen somewhere in the address space."""
    assert chip.bootloader_offset % 0x1000 == 0
    assert any(region.kind is Kind.FLASH for region in chip.regions)


# -- dialects, security, quirks --------------------------------------------------------------------


@EACH
def test_security(chip: Chip) -> None:
    """What the ROM does not tell, eFuses do (an ESP8266 has no such thing); purposes need it."""
    asks = Opcode.GET_SECURITY_INFO in chip.rom.commands
    assert asks == bool(chip.rom.security_info_size)
    assert bool(chip.security_fuses) == (chip.flash_crypt_count is not None) == (chip is ESP32)
    assert asks or not chip.key_purposes
    assert [c for c in CHIPS if c.rom.security_info_size == 12] == [ESP32S2]


def test_rom_of_an_esp8266() -> None:
    """It answers with two bytes of status and knows nothing that came with the ESP32."""
    assert ESP8266.rom.status_size == 2
    assert ESP8266.rom.attach_words == ESP8266.rom.digest_size == 0
    assert not ESP8266.rom.commands & {
        Opcode.SPI_ATTACH,
        Opcode.SPI_FLASH_MD5,
        Opcode.FLASH_DEFL_BEGIN,
        Opcode.CHANGE_BAUDRATE,
    }
    assert ESP8266.isa is Isa.XTENSA_CALL0


@pytest.mark.parametrize("quirk", Quirk, ids=lambda quirk: quirk.name)
def test_quirks(quirk: Quirk) -> None:
    """Every quirk is some chip's, and is cited."""
    assert any(quirk in chip.quirks for chip in CHIPS)
    assert quirk.value.endswith(")")
    assert "(" in quirk.value


@EACH
def test_quirks_that_need_data(chip: Chip) -> None:
    """A quirk and the field that it speaks of come together."""
    has = set(chip.quirks).__contains__
    assert has(Quirk.STUB_START_BY_READ) == (chip.read_pointer is not None)
    assert has(Quirk.OTG_RESET_BY_WATCHDOG) == chip.usb_otg
    assert has(Quirk.FLASH_UNPOWERED) == bool(chip.flash_power)
    assert has(Quirk.PADS_FROM_EFUSE) == bool(chip.spi_pads)
    assert chip.force_download or not has(Quirk.FORCED_DOWNLOAD_STAYS)
    assert chip.watchdog_reset or not has(Quirk.OTG_RESET_BY_WATCHDOG)
    if chip.read_pointer is not None:
        region = chip.region_at(chip.read_pointer, 4)
        assert region is not None
        assert region.kind is Kind.RAM


def test_order() -> None:
    """The families stand as they are listed everywhere."""
    assert [chip.name for chip in chips.CHIPS] == [
        "esp8266",
        "esp32",
        "esp32s2",
        "esp32s3",
        "esp32c2",
        "esp32c3",
        "esp32c5",
        "esp32c6",
        "esp32c61",
        "esp32h2",
        "esp32p4",
    ]
