"""ESP32-C61.

Sources: ESP-IDF ``soc/esp32c61`` (``soc.h``: memory; ``reg_base.h``: peripherals),
``efuse/esp32c61/esp_efuse_table.csv`` and ``esp_rom/esp32c61/ld/esp32c61.rom.ld`` (ROM functions,
ends of ROM and RAM); sizes of flash and PSRAM, names, purposes, header codes and watchdogs as
esptool 5.6 knows them.  There is no SVD to compare with: registers inside a peripheral are those of
the same core on other chips.
"""

from __future__ import annotations

from espshell.chips import common
from espshell.chips.chip import Chip
from espshell.chips.common import bit, embedded, memory_map, words
from espshell.chips.facts import Bits, Field, Kind, Package, Region, SpiController
from espshell.protocol import dialect

_EFUSE = 0x600B_4800
_BLOCK1 = _EFUSE + 0x44
_SYS2 = _BLOCK1 + 4 * 2
_LP_WDT = 0x600B_1C00
_FLASH = Bits(_SYS2, 13, 3)
_PSRAM = Bits(_SYS2, 19, 3)
_MAP = memory_map("esp32c61")

ESP32C61 = Chip(
    name="esp32c61",
    title="ESP32-C61",
    id=20,
    magic=None,
    rom=dialect.ROM,
    regions=_MAP.regions,
    read_effects=_MAP.read_effects,
    markers=words(common.JUMP_TABLE),
    efuse=Region("EFUSE", _EFUSE, _EFUSE + 0x200, Kind.PERIPHERAL, "eFuse controller"),
    mac=(_BLOCK1, _BLOCK1 + 4),
    major=bit(_SYS2, 4, 2),
    minor=bit(_SYS2, 0, 4),
    # The names follow temperature range, flash, PSRAM and PKG_VERSION.
    package=Field((Bits(_SYS2, 24, 2), _FLASH, _PSRAM, Bits(_SYS2, 26, 3))),
    packages=tuple(
        Package(
            temperature | flash << 2 | psram << 5 | package << 8, f"ESP32-C61{letter}{f}{r}{suffix}"
        )
        for temperature, letter in ((0, "N"), (1, "H"))
        for flash, f in ((0, ""), (1, "F4"), (2, "F8"))
        for psram, r in ((0, ""), (1, "R2"), (2, "R8"))
        for package, suffix in ((0, ""), (1, ""), (2, ""), (3, "LA"))
    ),
    fixed_features=("Wi-Fi 6", "Bluetooth 5 LE", "one core", "160 MHz"),
    # The makers' numbers stand in bits 16 and 22; what they mean is not published.
    features=(
        embedded("flash", Field((_FLASH,)), ((1, "4 MiB"), (2, "8 MiB"))),
        embedded("PSRAM", Field((_PSRAM,)), ((1, "2 MiB"), (2, "8 MiB"))),
    ),
    crystals_mhz=(40,),
    uart_divider=Bits(0x6000_0014, 0, 12),
    spi=SpiController(0x6000_3000),
    uf2_family=0x77D8_50C4,
    usb_serial_jtag=True,
    flash_frequencies=(("80m", 0xF), ("40m", 0x0), ("20m", 0x2)),
    flash_32bit=True,
    watchdogs=common.watchdogs_off(_LP_WDT, common.LP_SWD),
    watchdog_reset=common.reset_by_watchdog(_LP_WDT),
    key_purposes=common.key_purposes((0, 1, 4, 9, 10, 11), ecdsa=True),
    no_download_encryption=Bits(0x600B_4830, 14),
)
