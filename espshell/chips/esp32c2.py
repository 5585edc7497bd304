"""ESP32-C2 (ESP8684).

Sources: ESP-IDF ``soc/esp32c2/include/soc/soc.h`` (memory), ``esp_rom/esp32c2/ld/esp32c2.rom.ld``
(ROM functions); Espressif's SVD (peripherals, registers that change when read, SPI1, RTC_CNTL);
eFuse bits, names, header codes, the baud correction and the revision that stubs want as esptool 5.6
knows them.
"""

from __future__ import annotations

from espshell.chips import common
from espshell.chips.chip import Chip
from espshell.chips.common import bit, embedded, memory_map, words
from espshell.chips.facts import (
    Bits,
    Kind,
    Package,
    Quirk,
    Region,
    RomClock,
    SpiController,
    StubName,
)
from espshell.protocol import dialect

_EFUSE = 0x6000_8800
_BLOCK2 = _EFUSE + 0x40
_WORD1, _WORD7 = _BLOCK2 + 4 * 1, _BLOCK2 + 4 * 7
_RTC_CNTL = 0x6000_8000
_MAP = memory_map("esp32c2")

ESP32C2 = Chip(
    name="esp32c2",
    title="ESP32-C2",
    id=12,
    magic=None,
    rom=dialect.ROM,
    regions=_MAP.regions,
    shared_ram=_MAP.shared_ram,
    read_effects=_MAP.read_effects,
    markers=words(common.JUMP_TABLE),
    efuse=Region("EFUSE", _EFUSE, _EFUSE + 0x200, Kind.PERIPHERAL, "eFuse controller"),
    mac=(_BLOCK2, _WORD1),
    major=bit(_WORD1, 20, 2),
    minor=bit(_WORD1, 16, 4),
    package=bit(_WORD1, 22, 3),
    packages=(Package(0, "ESP32-C2"), Package(1, "ESP8684H")),
    fixed_features=("Wi-Fi", "Bluetooth 5 LE", "one core", "120 MHz"),
    features=(
        embedded(
            "flash",
            bit(_WORD7, 29, 3),
            ((1, "4 MiB"), (2, "2 MiB"), (3, "1 MiB")),
            bit(_WORD7, 24, 3),
            common.FLASH_VENDORS,
        ),
    ),
    crystals_mhz=(26, 40),
    uart_divider=Bits(0x6000_0014, 0, 12),
    spi=SpiController(0x6000_2000),
    uf2_family=0x2B88_D29C,
    rom_clock=RomClock(40_000_000),  # with either crystal
    flash_frequencies=(("60m", 0xF), ("30m", 0x0), ("20m", 0x1), ("15m", 0x2)),
    stub_names=(StubName("esp32c2", since=(0, 1)),),
    # No ``watchdogs``: it has no USB, and a reset by EN stops them.
    watchdog_reset=common.reset_by_watchdog(_RTC_CNTL + 0x84),
    force_download=Bits(_RTC_CNTL + 0xE0, 0),
    quirks=(Quirk.BAUD_FIXED_IN_SECURE_DOWNLOAD,),
    no_download_encryption=Bits(0x6000_8830, 6),
)
