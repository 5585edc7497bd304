"""ESP32-S2.

Sources: ESP-IDF ``soc/esp32s2/include/soc/soc.h`` (memory), ``esp_rom/esp32s2/ld/esp32s2.rom.ld``
(ROM functions); Espressif's SVD (peripherals, registers that change when read, RTC_CNTL, GPIO);
magic word, eFuse bits, names, header codes, SPI offsets and pins as esptool 5.6 knows them.  Lines
marked "manual" follow the address mapping of the Technical Reference Manual, not compared again.
"""

from __future__ import annotations

from espshell.chips import common
from espshell.chips.chip import Chip
from espshell.chips.common import bit, embedded, memory_map, words
from espshell.chips.facts import (
    Bits,
    Feature,
    Field,
    Isa,
    Kind,
    Package,
    Quirk,
    Region,
    SpiController,
)
from espshell.protocol import dialect

_EFUSE = 0x3F41_A000
_BLOCK1, _BLOCK2 = _EFUSE + 0x44, _EFUSE + 0x5C
_SYS3, _SYS4 = _BLOCK1 + 4 * 3, _BLOCK1 + 4 * 4
_RTC_CNTL = 0x3F40_8000
_FLASH = Bits(_SYS3, 21, 4)
_PSRAM = Bits(_SYS3, 28, 4)
_MAP = memory_map("esp32s2")

ESP32S2 = Chip(
    name="esp32s2",
    title="ESP32-S2",
    id=2,
    magic=0x0000_07C6,
    rom=dialect.ESP32S2_ROM,
    regions=_MAP.regions,
    shared_ram=_MAP.shared_ram,
    read_effects=_MAP.read_effects,
    markers=words(0x4000_FA40),  # ets_vprintf, more than a kilobyte of code
    efuse=Region("EFUSE", _EFUSE, _EFUSE + 0x200, Kind.PERIPHERAL, "eFuse controller"),
    mac=(_BLOCK1, _BLOCK1 + 4),
    major=bit(_SYS3, 18, 2),
    minor=Field((Bits(_SYS4, 4, 3), Bits(_SYS3, 20))),
    # The names follow flash and PSRAM, not PKG_VERSION.
    package=Field((_FLASH, _PSRAM)),
    packages=(
        Package(0x00, "ESP32-S2"),
        Package(0x01, "ESP32-S2FH2"),
        Package(0x02, "ESP32-S2FH4"),
        Package(0x12, "ESP32-S2FNR2"),
        Package(0x10, "ESP32-S2R2"),
    ),
    fixed_features=("Wi-Fi", "one core", "240 MHz"),
    features=(
        embedded("flash", Field((_FLASH,)), ((1, "2 MiB"), (2, "4 MiB"))),
        embedded("PSRAM", Field((_PSRAM,)), ((1, "2 MiB"), (2, "4 MiB"))),
        Feature(
            bit(_BLOCK2 + 4 * 4, 4, 3),
            ((1, "ADC and temperature calibration V1"), (2, "ADC and temperature calibration V2")),
        ),
    ),
    crystals_mhz=(40,),
    uart_divider=Bits(0x3F40_0014, 0, 20),
    # W0 at 0x58 is what esptool 5.6 uses; the SVD gives SPI1 the layout of SPI2 (W0 at 0x98).
    spi=SpiController(0x3F40_2000),
    uf2_family=0xBFDD_4EEE,
    isa=Isa.XTENSA,
    bootloader_offset=0x1000,
    usb_otg_pid=0x0002,
    custom_spi_pins=(*range(22), *range(26, 47)),
    watchdog_reset=common.reset_by_watchdog(_RTC_CNTL + 0x94),
    boot_strap=Bits(0x3F40_4038, 3),
    force_download=Bits(_RTC_CNTL + 0x128, 0),
    key_purposes=common.key_purposes(range(12)),
    quirks=(Quirk.OTG_RESET_BY_WATCHDOG,),
    no_download_encryption=Bits(0x3F41_A030, 19),
)
