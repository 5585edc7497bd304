"""What the types of partitions are called, and how each must lie.

Sources: ESP-IDF's guide "Partition Tables" and the enumerations ``esp_partition_type_t`` and
``esp_partition_subtype_t`` of its ``esp_partition.h``.
"""

from __future__ import annotations

from espshell.units import SECTOR

APP = 0x00
DATA = 0x01
BOOTLOADER = 0x02
TABLE = 0x03

PRIMARY = 0x00
"""Subtype of the bootloader that the ROM starts, and of the table that this bootloader reads."""
OTA_DATA = 0x00
NVS = 0x02
UNDEFINED = 0x06
TEE_OTA_DATA = 0x90

ALIGNMENT = {APP: 0x10000}
"""Offsets of a type are multiples of this, others of a sector: the cache maps apps by 64 KiB."""

TYPES = {"app": APP, "data": DATA, "bootloader": BOOTLOADER, "partition_table": TABLE}

SUBTYPES: dict[int, dict[str, int]] = {
    APP: {
        "factory": 0x00,
        **{f"ota_{slot}": 0x10 + slot for slot in range(16)},
        "test": 0x20,
        "tee_0": 0x30,
        "tee_1": 0x31,
    },
    DATA: {
        "ota": OTA_DATA,
        "phy": 0x01,
        "nvs": NVS,
        "coredump": 0x03,
        "nvs_keys": 0x04,
        "efuse": 0x05,
        "undefined": UNDEFINED,
        "esphttpd": 0x80,
        "fat": 0x81,
        "spiffs": 0x82,
        "littlefs": 0x83,
        "tee_ota": TEE_OTA_DATA,
    },
    BOOTLOADER: {"primary": PRIMARY, "ota": 0x01, "recovery": 0x02},
    TABLE: {"primary": PRIMARY, "ota": 0x01},
}

FLAGS = {"encrypted": 1 << 0, "readonly": 1 << 1}


def type_name(number: int) -> str:
    """Return the name of a type; a type of the application's own is its number, as ``0x40``."""
    return _name(TYPES, number)


def subtype_name(kind: int, number: int) -> str:
    """Return the name of a subtype of a type, or its number, as ``0x41``."""
    return _name(SUBTYPES.get(kind, {}), number)


def alignment(kind: int) -> int:
    """Return the alignment of the offsets of a type of partition (bytes)."""
    return ALIGNMENT.get(kind, SECTOR)


def _name(names: dict[str, int], number: int) -> str:
    return next((name for name, value in names.items() if value == number), f"0x{number:02x}")
