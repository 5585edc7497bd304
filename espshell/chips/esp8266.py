"""ESP8266 and ESP8285.

Sources: linker scripts of Espressif's ESP8266 SDKs (``eagle.rom.addr.v6.ld``: ROM functions);
memory bounds, magic word, eFuse bits, manufacturer codes of the MAC, header codes and SPI offsets
as esptool 5.6 knows them.  Espressif has published no whole memory map of this chip: lines marked
"community" follow the one of esp8266-re, not checked on a chip.
"""

from __future__ import annotations

from espshell.chips import common
from espshell.chips.chip import Chip
from espshell.chips.common import bit, memory_map, words
from espshell.chips.facts import (
    Bits,
    Feature,
    Field,
    FlashSize,
    Isa,
    Kind,
    Package,
    Quirk,
    Region,
    SpiController,
    SplitMac,
)
from espshell.protocol import dialect
from espshell.units import KIB, MIB

_EFUSE = 0x3FF0_0050
_WORD0, _WORD1, _WORD2, _WORD3 = (_EFUSE + 4 * n for n in range(4))

# Of the package's number below: what an ESP8285 is told by, and what tells its flash.
_IS_8285 = 0b000101
_FLASH = 0b111011
_SOME_8285 = 0b000000
_MAP = memory_map("esp8266")

ESP8266 = Chip(
    name="esp8266",
    title="ESP8266",
    id=common.NO_IMAGE_ID,
    magic=0xFFF0_C101,
    rom=dialect.ESP8266_ROM,
    regions=_MAP.regions,
    read_effects=_MAP.read_effects,
    markers=words(0x4000_1F00),  # ets_vprintf, more than a kilobyte of code
    efuse=Region("EFUSE", _EFUSE, _EFUSE + 16, Kind.PERIPHERAL, "eFuse words"),
    mac=(_WORD0, _WORD1),
    # There is no revision.
    major=Field(()),
    minor=Field(()),
    package=Field(
        (
            Bits(_WORD0, 4, 2),  # is an ESP8285; its flash stands 105 degrees
            Bits(_WORD2, 16),  # is an ESP8285
            Bits(_WORD3, 25, 3),  # flash size, with the first of these
        )
    ),
    packages=(
        Package(0, "ESP8266EX", mask=_IS_8285),
        Package(0b000001, "ESP8285N08", mask=_FLASH),
        Package(0b000011, "ESP8285H08", mask=_FLASH),
        Package(0b010001, "ESP8285N16", mask=_FLASH),
        Package(0b010011, "ESP8285H16", mask=_FLASH),
        Package(0b001000, "ESP8285N16", mask=_FLASH),
        Package(0b001010, "ESP8285H16", mask=_FLASH),
        Package(0, "ESP8285", mask=_SOME_8285),
    ),
    fixed_features=("Wi-Fi", "one core", "160 MHz"),
    features=(
        # Either bit says it.
        Feature(
            Field((Bits(_WORD0, 4), Bits(_WORD2, 16))),
            tuple((number, "embedded flash") for number in (1, 2, 3)),
        ),
    ),
    crystals_mhz=(26, 40),
    uart_divider=Bits(0x6000_0014, 0, 20),
    # SPI0, which the flash hangs on; lengths stand in USER1.
    spi=SpiController(
        0x6000_0200,
        user=0x1C,
        user1=0x20,
        user2=0x24,
        mosi_dlen=0x20,
        mosi_dlen_low=17,
        miso_dlen=0x20,
        miso_dlen_low=8,
        w0=0x40,
        address_msb_first=True,
    ),
    uf2_family=0x7EAB_61ED,
    isa=Isa.XTENSA_CALL0,
    split_mac=SplitMac(
        low=Field((Bits(_WORD0, 24, 8), Bits(_WORD1, 0, 16))),
        oui=bit(_WORD3, 0, 24),
        oui_word=bit(_WORD3, 0, 32),
        code=bit(_WORD1, 16, 8),
        codes=((0, 0x18_FE34), (1, 0xAC_D074)),
    ),
    # What system_get_chip_id() returns.
    sdk_id=Field((Bits(_WORD0, 24, 8), Bits(_WORD1, 0, 24))),
    uart_clock_factor=2,
    flash_sizes=(
        FlashSize("512KB", 512 * KIB, 0x00),
        FlashSize("256KB", 256 * KIB, 0x10),
        FlashSize("1MB", 1 * MIB, 0x20),
        FlashSize("2MB", 2 * MIB, 0x30),
        FlashSize("4MB", 4 * MIB, 0x40),
        FlashSize("2MB-c1", 2 * MIB, 0x50),
        FlashSize("4MB-c1", 4 * MIB, 0x60),
        FlashSize("8MB", 8 * MIB, 0x80),
        FlashSize("16MB", 16 * MIB, 0x90),
    ),
    quirks=(Quirk.ERASES_TOO_MUCH,),
)
