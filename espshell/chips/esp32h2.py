"""ESP32-H2.

Sources: ESP-IDF ``esp_rom/esp32h2/ld/esp32h2.rom.ld`` (ROM functions, ends of ROM and RAM);
Espressif's SVD (peripherals, registers that change when read, SPI1, LP_WDT, LP_AON); eFuse bits,
names and header codes as esptool 5.6 knows them.  The size of the LP SRAM is that of the Technical
Reference Manual, not compared again; esptool 5.6 has the memory of the ESP32-C6.
"""

from __future__ import annotations

from espshell.chips import common
from espshell.chips.chip import Chip
from espshell.chips.common import bit, embedded, memory_map, words
from espshell.chips.facts import Bits, Field, Kind, Package, Region, SpiController
from espshell.protocol import dialect

_EFUSE = 0x600B_0800
_BLOCK1 = _EFUSE + 0x44
_SYS1, _SYS3, _SYS4 = (_BLOCK1 + 4 * n for n in (1, 3, 4))
_LP_WDT = 0x600B_1C00
_FLASH = Bits(_SYS3, 24, 3)

# Temperature range and flash size, by their numbers in the package below.
_WITH_FLASH = tuple(
    (temperature << 3 | flash, f"ESP32-H2F{letter}{size}")
    for temperature, letter in ((1, "H"), (2, "N"))
    for flash, size in ((1, 4), (2, 2), (3, 1))
)
_MAP = memory_map("esp32h2")

ESP32H2 = Chip(
    name="esp32h2",
    title="ESP32-H2",
    id=16,
    magic=None,
    rom=dialect.ROM,
    regions=_MAP.regions,
    read_effects=_MAP.read_effects,
    markers=words(common.JUMP_TABLE),
    efuse=Region("EFUSE", _EFUSE, _EFUSE + 0x200, Kind.PERIPHERAL, "eFuse controller"),
    mac=(_BLOCK1, _SYS1),
    major=bit(_SYS3, 21, 2),
    minor=bit(_SYS3, 18, 3),
    package=Field((_FLASH, Bits(_SYS3, 27, 2), Bits(_SYS4, 0, 3))),
    # Chips with flash have an S at the end since revision 1.2.
    packages=(
        Package(0, "ESP32-H2", mask=0b111_00_111),
        *(Package(number, f"{name}S", since=(1, 2)) for number, name in _WITH_FLASH),
        *(Package(number, name) for number, name in _WITH_FLASH),
    ),
    fixed_features=("Bluetooth 5 LE", "IEEE 802.15.4", "one core", "96 MHz"),
    features=(
        embedded(
            "flash",
            Field((_FLASH,)),
            ((1, "4 MiB"), (2, "2 MiB"), (3, "1 MiB")),
            bit(_SYS3, 29, 3),
            common.FLASH_VENDORS[:4],
        ),
    ),
    crystals_mhz=(32,),
    uart_divider=Bits(0x6000_0014, 0, 12),
    spi=SpiController(0x6000_3000),
    uf2_family=0x3327_26F6,
    mac_ext=bit(_SYS1, 16, 16),
    usb_serial_jtag=True,
    flash_frequencies=(("48m", 0xF), ("24m", 0x0), ("16m", 0x1), ("12m", 0x2)),
    # One word further on than those of the ESP32-C6.
    watchdogs=common.watchdogs_off(_LP_WDT, common.LP_SWD, protect=0x1C),
    # No ``watchdog_reset``: its configuration register has no reset of the whole chip (SVD).
    force_download=Bits(0x600B_1034, 30),
    # XTS-256 by esptool 5.6; ESP-IDF's ``esp_efuse_chip.h`` has only the 128-bit key.
    key_purposes=common.key_purposes(range(12), ecdsa=True),
    no_download_encryption=Bits(0x600B_0830, 20),
)
