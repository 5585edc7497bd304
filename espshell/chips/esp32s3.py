"""ESP32-S3.

Sources: ESP-IDF ``soc/esp32s3/include/soc/soc.h`` (memory), ``esp_rom/esp32s3/ld/esp32s3.rom.ld``
(ROM functions, end of the ROM); Espressif's SVD (peripherals, registers that change when read,
SPI1, RTC_CNTL, GPIO); eFuse bits, names, header codes, pins and the pointer of the ROM's read
function as esptool 5.6 knows them.  Lines marked "manual" follow the address mapping of the
Technical Reference Manual, not compared again.
"""

from __future__ import annotations

from espshell.chips import common
from espshell.chips.chip import Chip
from espshell.chips.common import bit, embedded, memory_map, words
from espshell.chips.facts import (
    Bits,
    Condition,
    Field,
    Isa,
    Kind,
    Package,
    Quirk,
    Region,
    SpiController,
)
from espshell.protocol import dialect

_EFUSE = 0x6000_7000
_BLOCK1, _BLOCK2 = _EFUSE + 0x44, _EFUSE + 0x5C
_SYS3, _SYS4, _SYS5 = (_BLOCK1 + 4 * n for n in (3, 4, 5))
_RTC_CNTL = 0x6000_8000
_MAP = memory_map("esp32s3")

ESP32S3 = Chip(
    name="esp32s3",
    title="ESP32-S3",
    id=9,
    magic=None,
    rom=dialect.ROM,
    regions=_MAP.regions,
    shared_ram=_MAP.shared_ram,
    read_effects=_MAP.read_effects,
    markers=words(0x4004_D9D4),  # esp_rom_opiflash_read_raw, among other code
    efuse=Region("EFUSE", _EFUSE, _EFUSE + 0x200, Kind.PERIPHERAL, "eFuse controller"),
    mac=(_BLOCK1, _BLOCK1 + 4),
    major=bit(_SYS5, 24, 2),
    minor=Field((Bits(_SYS3, 18, 3), Bits(_SYS5, 23))),
    # The first chips used the bits of the major revision for something else. They are told by
    # the version of their block 2, 1.1, and three zero bits of the minor revision.
    revision_zero=(
        Condition(bit(_SYS3, 18, 3), 0),
        Condition(bit(_BLOCK2 + 4 * 4, 0, 2), 1),
        Condition(bit(_SYS3, 24, 3), 1),
    ),
    package=bit(_SYS3, 21, 3),
    packages=(Package(0, "ESP32-S3 (QFN56)"), Package(1, "ESP32-S3-PICO-1 (LGA56)")),
    fixed_features=("Wi-Fi", "Bluetooth 5 LE", "two cores and LP core", "240 MHz"),
    features=(
        embedded(
            "flash",
            bit(_SYS3, 27, 3),
            ((1, "8 MiB"), (2, "4 MiB")),
            bit(_SYS4, 0, 3),
            (*common.FLASH_VENDORS[:4], (5, "BY")),
        ),
        embedded(
            "PSRAM",
            Field((Bits(_SYS4, 3, 2), Bits(_SYS5, 19))),
            ((1, "8 MiB"), (2, "2 MiB"), (3, "16 MiB"), (4, "4 MiB")),
            bit(_SYS4, 7, 2),
            common.PSRAM_VENDORS,
        ),
    ),
    crystals_mhz=(40,),
    uart_divider=Bits(0x6000_0014, 0, 12),
    spi=SpiController(0x6000_2000),
    uf2_family=0xC47E_5767,
    isa=Isa.XTENSA,
    usb_serial_jtag=True,
    usb_otg_pid=0x0009,
    flash_32bit=True,
    custom_spi_pins=(*range(22), *range(26, 49)),  # but HD not past 46
    read_pointer=0x3FCE_F688,
    watchdogs=common.watchdogs_off(_RTC_CNTL + 0x98, common.RTC_SWD),
    watchdog_reset=common.reset_by_watchdog(_RTC_CNTL + 0x98),
    boot_strap=Bits(0x6000_4038, 3),
    force_download=Bits(_RTC_CNTL + 0x12C, 0),
    key_purposes=common.key_purposes(range(12)),
    quirks=(Quirk.STUB_START_BY_READ, Quirk.FORCED_DOWNLOAD_STAYS, Quirk.OTG_RESET_BY_WATCHDOG),
    no_download_encryption=Bits(0x6000_7030, 20),
)
