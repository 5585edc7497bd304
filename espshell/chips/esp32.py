"""ESP32.

Sources: ESP32 Technical Reference Manual v5.2, tables 1-1 to 1-3 (address mapping) and chapter
"eFuse Controller"; ESP-IDF ``soc/esp32/include/soc``: ``efuse_reg.h``, ``soc.h`` (RAM that is
shared); Espressif's SVD (registers that change when read, SPI1); magic word, package numbers,
header codes, clock calibration of the ROM and pins as esptool 5.6 knows them.
"""

from __future__ import annotations

from espshell.chips.chip import Chip
from espshell.chips.common import bit, memory_map, words
from espshell.chips.facts import (
    Bits,
    Feature,
    Field,
    Isa,
    Kind,
    Package,
    Quirk,
    Region,
    RomClock,
    SecurityFuse,
    SpiController,
)
from espshell.protocol import dialect

_EFUSE = 0x3FF5_A000
_WORD0, _WORD3, _WORD4, _WORD5, _WORD6 = (_EFUSE + 4 * n for n in (0, 3, 4, 5, 6))
_APB_CTRL_DATE = 0x3FF6_607C
_RTCCALICFG1 = 0x3FF5_F06C  # of TIMG0
_PACKAGE = Field((Bits(_WORD3, 9, 3), Bits(_WORD3, 2)))
_MAP = memory_map("esp32")

ESP32 = Chip(
    name="esp32",
    title="ESP32",
    id=0,
    magic=0x00F0_1D83,
    rom=dialect.ESP32_ROM,
    regions=_MAP.regions,
    shared_ram=_MAP.shared_ram,
    read_effects=_MAP.read_effects,
    markers=words(0x4000_1000),
    efuse=Region("EFUSE", _EFUSE, _EFUSE + 0x120, Kind.PERIPHERAL, "eFuse read registers"),
    mac=(_EFUSE + 4, _EFUSE + 8),
    # The third bit is not an eFuse but a bit of APB_CTRL_DATE_REG.
    major=Field(
        (Bits(_WORD3, 15), Bits(_WORD5, 20), Bits(_APB_CTRL_DATE, 31)),
        # What no chip has counts as 0, as in ESP-IDF's efuse_hal_get_major_chip_version().
        decode=((0, 0), (1, 1), (3, 2), (7, 3), (2, 0), (4, 0), (5, 0), (6, 0)),
    ),
    minor=Field((Bits(_WORD5, 24, 2),)),
    package=_PACKAGE,
    packages=(
        Package(0, "ESP32-S0WDQ6", single_core=True),
        Package(0, "ESP32-D0WDQ6-V3", major=3),
        Package(0, "ESP32-D0WDQ6"),
        Package(1, "ESP32-S0WD", single_core=True),
        Package(1, "ESP32-D0WD-V3", major=3),
        Package(1, "ESP32-D0WD"),
        Package(2, "ESP32-D2WD"),
        Package(4, "ESP32-U4WDH"),
        Package(5, "ESP32-PICO-V3", major=3),
        Package(5, "ESP32-PICO-D4"),
        Package(6, "ESP32-PICO-V3-02"),
        Package(7, "ESP32-D0WDR2-V3"),
    ),
    fixed_features=("Wi-Fi",),
    features=(
        Feature(Field((Bits(_WORD3, 1),)), ((0, "Bluetooth"),)),
        Feature(Field((Bits(_WORD3, 0),)), ((0, "two cores"), (1, "one core"))),
        Feature(Field((Bits(_WORD3, 12, 2),)), ((2, "240 MHz"), (3, "160 MHz"))),
        Feature(
            _PACKAGE,
            (
                (2, "embedded flash"),
                (4, "embedded flash"),
                (5, "embedded flash"),
                (6, "embedded flash and PSRAM"),
                (7, "embedded PSRAM"),
            ),
        ),
        Feature(
            Field((Bits(_WORD6, 0, 2),)),
            ((0, "coding scheme none"), (1, "coding scheme 3/4"), (2, "coding scheme repeat")),
        ),
    ),
    crystals_mhz=(40, 26),
    uart_divider=Bits(0x3FF4_0014, 0, 20),
    # SPI1; SPI0 is the cache's.
    spi=SpiController(
        0x3FF4_2000,
        user=0x1C,
        user1=0x20,
        user2=0x24,
        mosi_dlen=0x28,
        miso_dlen=0x2C,
        w0=0x80,
        address_msb_first=True,
    ),
    uf2_family=0x1C5F_21B0,
    isa=Isa.XTENSA,
    bootloader_offset=0x1000,
    single_core=bit(_WORD3, 0),
    # Cycles of the crystal in one of the calibration's 8 MHz clock, times that clock's deviation.
    rom_clock=RomClock(
        scale=15_625, divisor=40, factors=(bit(_RTCCALICFG1, 7, 25), bit(_WORD4, 0, 8))
    ),
    spi_pads=(
        bit(_WORD5, 0, 5),
        bit(_WORD5, 5, 5),
        bit(_WORD5, 10, 5),
        bit(_WORD3, 4, 5),
        bit(_WORD5, 15, 5),
    ),
    custom_spi_pins=(*range(30), 32, 33),
    flash_crypt_count=bit(_WORD0, 20, 7),
    security_fuses=(
        SecurityFuse("UART_DOWNLOAD_DIS", bit(_WORD0, 27), since=(3, 0)),
        SecurityFuse("CONSOLE_DEBUG_DISABLE", bit(_WORD6, 2)),
        SecurityFuse("ABS_DONE_0", bit(_WORD6, 4), secure_boot=True),  # version 1
        SecurityFuse("ABS_DONE_1", bit(_WORD6, 5), since=(3, 0), secure_boot=True),  # version 2
        SecurityFuse("JTAG_DISABLE", bit(_WORD6, 6)),
        SecurityFuse("DISABLE_DL_ENCRYPT", bit(_WORD6, 7)),
        SecurityFuse("DISABLE_DL_DECRYPT", bit(_WORD6, 8)),
        SecurityFuse("DISABLE_DL_CACHE", bit(_WORD6, 9)),
    ),
    quirks=(Quirk.STUB_RAISES_CLOCK, Quirk.PADS_FROM_EFUSE),
    no_download_encryption=Bits(0x3FF5_A018, 7),
)
