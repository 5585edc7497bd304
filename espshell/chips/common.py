"""What several chips share, and what is shorter to say in a function than to write out.

Sources: image header encodings, embedded flash and PSRAM vendors and the reset stage of the RTC
watchdog as esptool 5.6 knows them; watchdog, TWAI and USB registers in Espressif's SVDs, and where
a chip has none as on the others.  That reading clears the TWAI's and takes data from the USB-OTG's
is how these cores (SJA1000, DWC2) are known; not checked on a chip.
"""

from __future__ import annotations

from collections.abc import Iterable

from espshell import tables
from espshell.chips.facts import Bits, Feature, Field, FlashSize, Kind, Region, SharedRam, Write
from espshell.records import dataclass
from espshell.units import ALL_BITS, MIB, WORD

MAGIC_ADDRESS = 0x4000_1000
"""A word of ROM code by which the oldest chips are told apart (esptool manual)."""

JUMP_TABLE = 0x4000_0018
"""Where the RISC-V ROMs start their table of jumps: one instruction a function, none like another.

Source: ESP-IDF, ``esp_rom/*/ld/*.rom.ld``; the first entry is ``rtc_get_reset_reason``.
"""

NO_IMAGE_ID = 0xFFFF
"""``ESP_CHIP_ID_INVALID`` of ESP-IDF: images for the chip carry no id."""

USB_VID = 0x303A
"""Espressif's."""

USB_JTAG_SERIAL_PID = 0x1001
"""Of the built-in USB-JTAG/serial, the same on every chip that has it."""

USB_OTG_RAM_BLOCK = 0x800
"""Largest block of MEM_DATA that a ROM takes over USB-OTG (bytes)."""

FLASH_SIZES = tuple(FlashSize(f"{1 << n}MB", MIB << n, code=n << 4) for n in range(8))

FLASH_FREQUENCIES = (("80m", 0xF), ("40m", 0x0), ("26m", 0x1), ("20m", 0x2))

FLASH_VENDORS = ((1, "XMC"), (2, "GD"), (3, "FM"), (4, "TT"), (5, "ZBIT"))
PSRAM_VENDORS = ((1, "AP 3.3 V"), (2, "AP 1.8 V"))

_KEY_PURPOSES = {
    0: "USER/EMPTY",
    1: "RESERVED",
    2: "XTS_AES_256_KEY_1",
    3: "XTS_AES_256_KEY_2",
    4: "XTS_AES_128_KEY",
    5: "HMAC_DOWN_ALL",
    6: "HMAC_DOWN_JTAG",
    7: "HMAC_DOWN_DIGITAL_SIGNATURE",
    8: "HMAC_UP",
    9: "SECURE_BOOT_DIGEST0",
    10: "SECURE_BOOT_DIGEST1",
    11: "SECURE_BOOT_DIGEST2",
    12: "KM_INIT_KEY",
    15: "XTS_AES_128_PSRAM_KEY",
    16: "ECDSA_KEY_P192",
    17: "ECDSA_KEY_P384_L",
    18: "ECDSA_KEY_P384_H",
}
"""Purposes of key blocks, as GET_SECURITY_INFO numbers them."""

WDT_KEY = 0x50D8_3AA1
SWD_KEY = 0x8F1D_312A

RTC_SWD = (1 << 31, SWD_KEY)
LP_SWD = (1 << 18, WDT_KEY)
"""Of the super watchdog: the bit by which it feeds itself, and the key of its registers."""

_WDT_TIMEOUT = 2000  # of the slow clock: about 15 ms
# Enable, reset stage 5, chip reset enable, width 2. Stages past 4 are not in the manuals; this
# value is what esptool 5.6 writes on every chip.
_WDT_CONFIG = 1 << 31 | 5 << 28 | 1 << 8 | 2


def words(start: int, count: int = 16) -> tuple[int, ...]:
    """Return the addresses of consecutive words."""
    return tuple(start + 4 * n for n in range(count))


@dataclass(frozen=True, slots=True)
class MemoryMap:
    """What a chip has at which addresses; see the fields of ``Chip`` with these names."""

    regions: tuple[Region, ...]
    shared_ram: tuple[SharedRam, ...]
    read_effects: tuple[Region, ...]


def memory_map(chip: str) -> MemoryMap:
    """Read the table of a chip, a line a thing, numbers in hexadecimal.

    ``region NAME START END KIND NOTE``; no code runs at a kind with ``,data``.
    ``shared DATA INSTRUCTION SIZE [reversed]`` is RAM with two addresses.
    ``reads NAME START [SIZE]`` is a register that changes when it is read; one word if not said.
    """
    regions, shared_ram, read_effects = [], [], []
    for row in tables.rows("espshell.chips", chip):
        match row.split(maxsplit=5):
            case ["region", name, start, end, kind, note]:
                kind, _, data = kind.partition(",")
                place = int(start, 16), int(end, 16)
                regions.append(Region(name, *place, Kind(kind), note, executable=not data))
            case ["shared", data, instruction, size, *order]:
                place = int(data, 16), int(instruction, 16)
                shared_ram.append(SharedRam(*place, int(size, 16), reversed=bool(order)))
            case ["reads", name, start, *size]:
                at, length = int(start, 16), int(size[0], 16) if size else WORD
                read_effects.append(Region(name, at, at + length, Kind.PERIPHERAL))
            case _:
                raise ValueError(f"{chip}: {row}")
    return MemoryMap(tuple(regions), tuple(shared_ram), tuple(read_effects))


def embedded(
    what: str,
    size: Field,
    sizes: tuple[tuple[int, str], ...],
    vendor: Field | None = None,
    vendors: tuple[tuple[int, str], ...] = (),
) -> Feature:
    """Return the feature line of an embedded memory; size 0 is none, an unknown one is said."""
    texts = []
    for made_by in range(1 << vendor.width if vendor else 1):
        maker = dict(vendors).get(made_by)
        for code in range(1, 1 << size.width):
            text = f"embedded {what} {dict(sizes).get(code, f'of unknown size ({code})')}"
            number = made_by << size.width | code
            texts.append((number, f"{text} ({maker})" if maker else text))
    parts = size.parts + (vendor.parts if vendor else ())
    return Feature(Field(parts), tuple(texts))


def watchdogs_off(config0: int, swd: tuple[int, int], *, protect: int = 0x18) -> tuple[Write, ...]:
    """Return the writes that stop the RTC watchdog and let the super watchdog feed itself.

    config0: address of the watchdog's first register.
    protect: distance from there of the register that unlocks it; behind it are the configuration of
        the super watchdog, and what unlocks that.
    """
    self_feeding, key = swd
    lock = config0 + protect
    swd_config, swd_lock = lock + WORD, lock + 2 * WORD
    return (
        Write(lock, WDT_KEY),
        Write(config0, 0),
        Write(lock, 0),
        Write(swd_lock, key),
        Write(swd_config, self_feeding, mask=self_feeding),
        Write(swd_lock, 0),
    )


def reset_by_watchdog(config0: int) -> tuple[Write, ...]:
    """Return the writes after which the RTC watchdog resets the chip; allow it half a second."""
    lock = config0 + 0x18
    return (
        Write(lock, WDT_KEY),
        Write(config0 + WORD, _WDT_TIMEOUT),
        Write(config0, _WDT_CONFIG, mask=ALL_BITS),
        Write(lock, 0),
    )


def key_purposes(numbers: Iterable[int], *, ecdsa: bool = False) -> tuple[tuple[int, str], ...]:
    """Return the names of purposes; ``ecdsa``: number 1, which others reserve, is an ECDSA key."""
    names = _KEY_PURPOSES | ({1: "ECDSA_KEY"} if ecdsa else {})
    return tuple((number, names[number]) for number in numbers)


def bit(address: int, low: int, width: int = 1) -> Field:
    """Return a field that stands in one place."""
    return Field((Bits(address, low, width),))
