"""ESP32-P4.

The chips before revision 3.0 and those since are two: their ROMs keep data and stack at different
places in RAM (``soc.h``), so each has a stub of its own, loaded elsewhere; and on 3.1 and 3.2 the
flash has no supply in download mode until the chip is told.

Sources: ESP-IDF ``soc/esp32p4`` (``soc.h``: memory; ``reg_base.h``: peripherals) and
``esp_rom/esp32p4/ld/esp32p4.rom.ld`` (ROM functions); eFuse bits, purposes, header codes, watchdogs
and the sequence that powers the flash as esptool 5.6 knows them.  There is no SVD to compare with:
registers inside a peripheral are those of the same core on other chips.
"""

from __future__ import annotations

from espshell.chips import common
from espshell.chips.chip import Chip
from espshell.chips.common import bit, memory_map, words
from espshell.chips.facts import (
    Bits,
    Condition,
    Field,
    Kind,
    Package,
    PowerUp,
    Quirk,
    Region,
    SpiController,
    StubName,
    Write,
)
from espshell.protocol import dialect

_EFUSE = 0x5012_D000
_BLOCK1 = _EFUSE + 0x44
_SYS2 = _BLOCK1 + 4 * 2
_LP_SYS = 0x5011_0000
_LP_WDT = 0x5011_6000

_XPD_PAD_GROUP = _LP_SYS + 0x10C
_PMU = 0x5011_5000
_LDO, _LDO_ANA, _PMU_DATE = _PMU + 0x1B8, _PMU + 0x1BC, _PMU + 0x3FC
_CURRENT_LIMIT = 1 << 27  # of _LDO_ANA
_TARGET, _TIE_HIGH = 0xFF << 23, 1 << 7  # of _LDO
_FLASH_ON = 0b11  # of _PMU_DATE

_POWER_FLASH = (
    Write(_XPD_PAD_GROUP, 1),
    Write(_LDO_ANA, _CURRENT_LIMIT, mask=_CURRENT_LIMIT, delay_us=10_000),
    Write(_LDO, _TIE_HIGH, mask=_TIE_HIGH),
    Write(_PMU_DATE, _FLASH_ON, mask=_FLASH_ON),
    Write(_LDO_ANA, 0, mask=_CURRENT_LIMIT, delay_us=50),
    Write(_LDO, 0, mask=_TARGET),
    Write(_LDO, _TIE_HIGH, mask=_TIE_HIGH),
    Write(_LDO, 0, mask=_TIE_HIGH),
    Write(_PMU_DATE, 0, mask=0, delay_us=1_800),  # nothing but the wait
)
# DOWNLOAD_MODE_XPD_ON: the ROM of 3.2 powers the flash, and must not find it powered again.
_ROM_POWERS_FLASH = bit(_EFUSE + 0x34, 16)
_MAP = memory_map("esp32p4")

ESP32P4 = Chip(
    name="esp32p4",
    title="ESP32-P4",
    id=18,
    magic=None,
    rom=dialect.ROM,
    regions=_MAP.regions,
    read_effects=_MAP.read_effects,
    markers=words(0x4FC0_0018),  # the table of jumps, as common.JUMP_TABLE
    efuse=Region("EFUSE", _EFUSE, _EFUSE + 0x200, Kind.PERIPHERAL, "eFuse controller"),
    mac=(_BLOCK1, _BLOCK1 + 4),
    # Bits by esptool 5.6; an older ``esp_efuse_table.csv`` of ESP-IDF has other fields at the third
    # bit of the major revision, and the package at bit 27.
    major=Field((Bits(_SYS2, 4, 2), Bits(_SYS2, 23))),
    minor=bit(_SYS2, 0, 4),
    package=bit(_SYS2, 20, 3),
    packages=(Package(0, "ESP32-P4"),),
    fixed_features=("two cores and LP core", "400 MHz"),
    # Embedded PSRAM is not told: where its eFuse bits are, the sources do not agree (see above).
    features=(),
    crystals_mhz=(40,),
    uart_divider=Bits(0x500C_A014, 0, 12),
    spi=SpiController(0x5008_D000),
    uf2_family=0x3D30_8E94,
    bootloader_offset=0x2000,
    usb_serial_jtag=True,
    usb_otg_pid=0x0012,
    flash_32bit=True,
    flash_power=(
        PowerUp((3, 1), (), _POWER_FLASH),
        PowerUp((3, 2), (Condition(_ROM_POWERS_FLASH, 0),), _POWER_FLASH),
        PowerUp(
            (3, 2),
            (Condition(_ROM_POWERS_FLASH, 1), Condition(bit(_PMU_DATE, 0, 2), _FLASH_ON)),
            (Write(_PMU_DATE, 0, mask=_FLASH_ON),),
        ),
    ),
    stub_names=(StubName("esp32p4-rev1", before=(3, 0)), StubName("esp32p4", since=(3, 0))),
    watchdogs=common.watchdogs_off(_LP_WDT, common.LP_SWD),
    watchdog_reset=common.reset_by_watchdog(_LP_WDT),
    # No ``boot_strap``: over USB-OTG it is always reset by the watchdog.
    force_download=Bits(_LP_SYS + 0x08, 2),
    # 16 to 18 from revision 3.0 on.
    key_purposes=common.key_purposes((*range(13), 16, 17, 18), ecdsa=True),
    quirks=(Quirk.OTG_RESET_BY_WATCHDOG, Quirk.FLASH_UNPOWERED),
    no_download_encryption=Bits(0x5012_D030, 20),
)
