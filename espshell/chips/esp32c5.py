"""ESP32-C5.

Sources: ESP-IDF ``soc/esp32c5`` (``soc.h``: memory; ``reg_base.h``: peripherals) and
``esp_rom/esp32c5/ld/esp32c5.rom.ld`` (ROM functions, end of the ROM); eFuse bits, names, purposes,
header codes, watchdogs and the baud correction as esptool 5.6 knows them.  There is no SVD to
compare with: registers inside a peripheral are those of the same core on other chips.
"""

from __future__ import annotations

from espshell.chips import common
from espshell.chips.chip import Chip
from espshell.chips.common import bit, embedded, memory_map, words
from espshell.chips.facts import Bits, Field, Kind, Package, Region, RomClock, SpiController
from espshell.protocol import dialect

_EFUSE = 0x600B_4800
_BLOCK1 = _EFUSE + 0x44
_SYS1, _SYS2 = _BLOCK1 + 4 * 1, _BLOCK1 + 4 * 2
_PCR_SYSCLK_CONF = 0x6009_6110
_LP_WDT = 0x600B_1C00
_FLASH = Bits(_SYS2, 13, 3)
_PSRAM = Bits(_SYS2, 19, 3)
_MAP = memory_map("esp32c5")

ESP32C5 = Chip(
    name="esp32c5",
    title="ESP32-C5",
    id=23,
    magic=None,
    rom=dialect.ROM,
    regions=_MAP.regions,
    read_effects=_MAP.read_effects,
    markers=words(common.JUMP_TABLE),
    efuse=Region("EFUSE", _EFUSE, _EFUSE + 0x200, Kind.PERIPHERAL, "eFuse controller"),
    mac=(_BLOCK1, _SYS1),
    major=bit(_SYS2, 4, 2),
    minor=bit(_SYS2, 0, 4),
    # The names follow temperature range, flash and PSRAM, not PKG_VERSION.
    package=Field((Bits(_SYS2, 24, 2), _FLASH, _PSRAM)),
    packages=tuple(
        Package(temperature | flash << 2 | psram << 5, f"ESP32-C5{letter}{f}{r}")
        for temperature, letter in ((0, "N"), (1, "H"))
        for flash, f in ((0, ""), (1, "F4"))
        for psram, r in ((0, ""), (1, "R4"), (2, "R8"))
    ),
    fixed_features=(
        "Wi-Fi 6 (dual-band)",
        "Bluetooth 5 LE",
        "IEEE 802.15.4",
        "one core and LP core",
        "240 MHz",
    ),
    features=(
        embedded("flash", Field((_FLASH,)), ((1, "4 MiB"),), bit(_SYS2, 16, 3), ((1, "XMC"),)),
        embedded(
            "PSRAM",
            Field((_PSRAM,)),
            ((1, "4 MiB"), (2, "8 MiB")),
            bit(_SYS2, 22, 2),
            common.PSRAM_VENDORS[:1],
        ),
    ),
    crystals_mhz=(48, 40),
    uart_divider=Bits(0x6000_0014, 0, 12),
    spi=SpiController(0x6000_3000),
    uf2_family=0xF71C_0343,
    bootloader_offset=0x2000,
    mac_ext=bit(_SYS1, 16, 16),
    usb_serial_jtag=True,
    # The ROM believes CLK_XTAL_FREQ (MHz), which need not be what is fitted.
    rom_clock=RomClock(1_000_000, factors=(bit(_PCR_SYSCLK_CONF, 24, 7),)),
    flash_frequencies=(("80m", 0xF), ("40m", 0x0), ("20m", 0x2)),
    flash_32bit=True,
    watchdogs=common.watchdogs_off(_LP_WDT, common.LP_SWD),
    watchdog_reset=common.reset_by_watchdog(_LP_WDT),
    key_purposes=common.key_purposes((0, 1, *range(4, 13), *range(15, 19)), ecdsa=True),
    no_download_encryption=Bits(0x600B_4830, 20),
)
