"""ESP32-C6.

Sources: ESP-IDF ``soc/esp32c6/include/soc/soc.h`` (memory), ``esp_rom/esp32c6/ld/esp32c6.rom.ld``
(ROM functions); Espressif's SVD (peripherals, registers that change when read, SPI1, LP_WDT,
LP_AON); eFuse bits, names and header codes as esptool 5.6 knows them.
"""

from __future__ import annotations

from espshell.chips import common
from espshell.chips.chip import Chip
from espshell.chips.common import bit, embedded, memory_map, words
from espshell.chips.facts import Bits, Field, Kind, Package, Quirk, Region, SpiController
from espshell.protocol import dialect

_EFUSE = 0x600B_0800
_BLOCK1 = _EFUSE + 0x44
_SYS1, _SYS3, _SYS4 = (_BLOCK1 + 4 * n for n in (1, 3, 4))
_LP_WDT = 0x600B_1C00
_FLASH = Bits(_SYS4, 0, 3)
_MAP = memory_map("esp32c6")

ESP32C6 = Chip(
    name="esp32c6",
    title="ESP32-C6",
    id=13,
    magic=None,
    rom=dialect.ROM,
    regions=_MAP.regions,
    read_effects=_MAP.read_effects,
    markers=words(common.JUMP_TABLE),
    efuse=Region("EFUSE", _EFUSE, _EFUSE + 0x200, Kind.PERIPHERAL, "eFuse controller"),
    mac=(_BLOCK1, _SYS1),
    major=bit(_SYS3, 22, 2),
    minor=bit(_SYS3, 18, 4),
    package=Field((Bits(_SYS3, 24, 3), _FLASH)),
    packages=(
        Package(0, "ESP32-C6 (QFN40)", mask=0b000_111),
        Package(0b001_001, "ESP32-C6FH4 (QFN32)"),
        Package(0b010_001, "ESP32-C6FH8 (QFN32)"),
    ),
    fixed_features=(
        "Wi-Fi 6",
        "Bluetooth 5 LE",
        "IEEE 802.15.4",
        "one core and LP core",
        "160 MHz",
    ),
    features=(embedded("flash", Field((_FLASH,)), ((1, "4 MiB"), (2, "8 MiB"))),),
    crystals_mhz=(40,),
    uart_divider=Bits(0x6000_0014, 0, 12),
    spi=SpiController(0x6000_3000),
    uf2_family=0x540D_DF62,
    mac_ext=bit(_SYS1, 16, 16),
    usb_serial_jtag=True,
    # The code of 80 MHz is that of 40: the ROM sets the wrong divider for it.
    flash_frequencies=(("80m", 0x0), ("40m", 0x0), ("20m", 0x2)),
    watchdogs=common.watchdogs_off(_LP_WDT, common.LP_SWD),
    force_download=Bits(0x600B_1034, 30),
    key_purposes=common.key_purposes((0, 1, *range(4, 12))),
    quirks=(Quirk.WATCHDOG_RESET_LOSES_USB,),
    no_download_encryption=Bits(0x600B_0830, 20),
)
