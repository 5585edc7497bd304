"""ESP32-C3.

Sources: ESP32-C3 Technical Reference Manual v1.1, table 3-1 (address mapping) and chapter "eFuse
Controller"; ESP-IDF ``soc/esp32c3/include/soc``: ``efuse_reg.h``, ``soc.h`` (RAM that is shared);
Espressif's SVD (registers that change when read, SPI1, RTC_CNTL); package, flash and vendor
numbers, pins and watchdogs as esptool 5.6 knows them.
"""

from __future__ import annotations

from espshell.chips import common
from espshell.chips.chip import Chip
from espshell.chips.common import bit, embedded, memory_map, words
from espshell.chips.facts import Bits, Field, Kind, Package, Quirk, Region, SpiController
from espshell.protocol import dialect

_EFUSE = 0x6000_8800
_BLOCK1 = _EFUSE + 0x44
_SYS3, _SYS4, _SYS5 = (_BLOCK1 + 4 * n for n in (3, 4, 5))
_RTC_CNTL = 0x6000_8000
_MAP = memory_map("esp32c3")

ESP32C3 = Chip(
    name="esp32c3",
    title="ESP32-C3",
    id=5,
    magic=None,
    rom=dialect.ROM,
    regions=_MAP.regions,
    shared_ram=_MAP.shared_ram,
    read_effects=_MAP.read_effects,
    markers=words(0x4000_1000),
    efuse=Region("EFUSE", _EFUSE, _EFUSE + 0x200, Kind.PERIPHERAL, "eFuse controller"),
    mac=(_BLOCK1, _BLOCK1 + 4),
    major=Field((Bits(_SYS5, 24, 2),)),
    minor=Field((Bits(_SYS3, 18, 3), Bits(_SYS5, 23))),
    package=Field((Bits(_SYS3, 21, 3),)),
    packages=(
        Package(0, "ESP32-C3 (QFN32)"),
        Package(1, "ESP8685 (QFN28)"),
        Package(2, "ESP32-C3 AZ (QFN32)"),
        Package(3, "ESP8686 (QFN24)"),
    ),
    fixed_features=("Wi-Fi", "Bluetooth 5 LE", "one core", "160 MHz"),
    features=(
        embedded(
            "flash",
            bit(_SYS3, 27, 3),
            ((1, "4 MiB"), (2, "2 MiB"), (3, "1 MiB"), (4, "8 MiB")),
            bit(_SYS4, 0, 3),
            common.FLASH_VENDORS,
        ),
    ),
    crystals_mhz=(40,),
    uart_divider=Bits(0x6000_0014, 0, 12),
    spi=SpiController(0x6000_2000),
    uf2_family=0xD42B_A06C,
    usb_serial_jtag=True,
    custom_spi_pins=tuple(range(22)),
    watchdogs=common.watchdogs_off(_RTC_CNTL + 0x90, common.RTC_SWD),
    watchdog_reset=common.reset_by_watchdog(_RTC_CNTL + 0x90),
    force_download=Bits(_RTC_CNTL + 0xF4, 0),
    key_purposes=common.key_purposes((0, 1, *range(4, 12))),
    quirks=(Quirk.NO_STUB_WITH_SECURE_BOOT,),
    no_download_encryption=Bits(0x6000_8830, 20),
)
