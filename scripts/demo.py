#!/usr/bin/env python3
"""Make espshell/sim/data/demo.bin.z and demo.txt: what the board behind sim://demo holds.

The flash of a 4 MiB part as a programmer would fill it, by our own image tools: bootloader,
partition table, NVS, OTA data, two versions of one application, and factory data in the sectors
that its status register protects.  The machine code in the images is made up: nobody runs it.
``demo.txt`` has the registers that are not zero after a reset, from the tables in ``registers``.

Sources: NVS pages and entries: "NVS Encryption and Storage" of the ESP-IDF guide, ``nvs_types``;
OTA data: ESP-IDF ``esp_flash_partitions.h``; descriptions: see ``espshell.image.description``.
"""

from __future__ import annotations

import hashlib
import random
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import xor
from pathlib import Path

from espshell import registers
from espshell.chips import by_name
from espshell.image import merge, partitions
from espshell.image.firmware import CHECKSUM_SEED, MAGIC
from espshell.image.merge import MergePart
from espshell.units import KIB, MIB, SECTOR

DATA = Path(__file__).parent.parent / "espshell" / "sim" / "data"
CHIP = "esp32c3"

TABLE = """
nvs,      data, nvs,      0x9000,  20K
otadata,  data, ota,      0xe000,  8K
app0,     app,  ota_0,    0x10000, 1M
app1,     app,  ota_1,    ,        1M
storage,  data, spiffs,   ,        0x1d0000
coredump, data, coredump, ,        64K
fctry,    data, nvs,      ,        64K
"""

IDF = "v5.1.2"
VERSIONS = ("1.0.3", "1.1.0")
"""Of the applications in app0 and app1; the second one is started."""

Namespaces = Mapping[str, Mapping[str, str | int]]
NVS: Namespaces = {
    "wifi": {"ssid": "espshell-lab", "channel": 11},
    "device": {"name": "demo-board", "boots": 42, "log_level": 3},
}
FACTORY: Namespaces = {"factory": {"serial": "ES-0000-0042", "hw_rev": 2, "adc_cal": 1093}}

PERIPHERALS = (
    *("UART0", "UART1", "GPIO", "GPIO_SD", "IO_MUX", "SYSTEM", "TIMG0", "TIMG1"),
    *("LEDC", "I2C0", "RMT", "APB_SARADC", "SYSTIMER", "USB_DEVICE"),
)
AS_FOUND = {
    "GPIO.STRAP": 0x5,  # "boot:0x5": GPIO8 high, GPIO9 low while it was reset
    "GPIO.ENABLE": 1 << 21,  # U0TXD
    "GPIO.IN": 1 << 21 | 1 << 20 | 1 << 9 | 1 << 8 | 1 << 2,  # UART0 idles, buttons are released
    "GPIO.OUT": 1 << 21,
}
"""Registers as somebody finds them who comes to a board that waits in its loader."""


def image(segments: Sequence[tuple[int, bytes]], entry: int, *, minimum_revision: int) -> bytes:
    """Return a firmware image: headers, segments, checksum and SHA-256.

    DIO, 4 MiB, 40 MHz; ``minimum_revision`` is a hundred times the major, plus the minor one.
    """
    chip = by_name(CHIP)
    if chip is None:
        raise SystemExit(f"{CHIP} is not in the tables")
    data = struct.pack("<BBBBI", MAGIC, len(segments), 2, 0x20, entry)
    data += struct.pack(
        "<B3sHBHH4xB", 0xEE, bytes(3), chip.id, minimum_revision % 100, minimum_revision, 199, 1
    )
    for address, content in segments:
        data += struct.pack("<II", address, len(content)) + content
    data += bytes(-(len(data) + 1) % 16)
    data += bytes([reduce(xor, b"".join(content for _, content in segments), CHECKSUM_SEED)])
    return data + hashlib.sha256(data).digest()


def machine_code(seed: str, size: int) -> bytes:
    """Return RV32I functions that are made up: a frame, arithmetic on registers, a return."""
    chance, code = random.Random(seed), bytearray()
    while len(code) < size:
        words = [0xFF01_0113, 0x0011_2623]  # addi sp, sp, -16; sw ra, 12(sp)
        for _ in range(chance.randrange(4, 24)):
            rd, rs1, rs2 = (chance.choice(range(10, 18)) for _ in range(3))
            operation = chance.choice((0x33, 0x0000_7033, 0x0000_4033, 0x4000_0033))
            words.append(operation | rd << 7 | rs1 << 15 | rs2 << 20)
        words += [0x00C1_2083, 0x0101_0113, 0x0000_8067]  # lw ra, 12(sp); addi sp, sp, 16; ret
        code += struct.pack(f"<{len(words)}I", *words)
    return bytes(code[:size])


def application(version: str) -> bytes:
    """Return an application; most of its code is the same in all versions."""
    elf = hashlib.sha256(f"demo {version}".encode()).digest()
    texts = (version, "demo", "12:00:00", "Mar  1 2024", IDF)
    fields = b"".join(
        text.encode().ljust(size, b"\0")
        for text, size in zip(texts, (32, 32, 16, 16, 32), strict=True)
    )
    description = struct.pack("<II8x", 0xABCD_5432, 0) + fields + elf
    description += struct.pack("<HHB", 0, 199, 16)
    lines = (
        f"hello from demo {version}",
        "sensor %d: %d.%d C",
        "link up, channel %d",
        "no sensor on I2C0 (address 0x%02x)",
    )
    strings = b"".join(line.encode().ljust(48, b"\0") for line in lines)
    table = b"".join(struct.pack("<i", (n * n * 37) % 4096 - 2048) for n in range(512))
    rodata = description.ljust(256, b"\0") + strings + table
    startup = machine_code("start-up", 2 * KIB)
    code = machine_code("library", 15 * KIB) + machine_code(f"main of {version}", 128)
    data = struct.pack("<64I", *(0x3C00_0120 + 48 * (n % 4) for n in range(64)))
    segments = [(0x3C00_0020, rodata), (0x3FC8_A000, data), (0x4038_0000, startup)]
    # Flash is seen where its offset in 64 KiB is that of the address: 24 bytes of headers, 8 each.
    offset = 24 + 8 * 4 + sum(len(content) for _, content in segments)
    segments.append((0x4201_0000 + offset, code))
    return image(segments, 0x4038_0000 + 0x20, minimum_revision=3)


def bootloader() -> bytes:
    """Return a second-stage bootloader with its description."""
    description = struct.pack("<BxxxI32s24s16x", 80, 1, IDF.encode(), b"Mar  1 2024 11:58:07")
    data = description + b"".join(f"boot: message {n}".encode().ljust(32, b"\0") for n in range(16))
    segments = [
        (0x3FCD_5820, data),
        (0x403C_C710, machine_code("bootloader", 2 * KIB)),
        (0x403C_E710, machine_code("loader of applications", 3 * KIB)),
    ]
    return image(segments, 0x403C_C710 + 0x0A, minimum_revision=3)


def ota_data(sequence: int) -> bytes:
    """Return the sectors that say which application is started, numbered from 1."""
    rows = []
    for number in (sequence - 1, sequence):
        counted = struct.pack("<I", number)
        row = counted + b"\xff" * 24 + struct.pack("<I", zlib.crc32(counted, 0xFFFF_FFFF))
        rows.append(row.ljust(SECTOR, b"\xff"))
    return b"".join(rows)


def nvs(namespaces: Namespaces) -> bytes:
    """Return a page of NVS: namespaces with their entries, texts and unsigned numbers."""
    rows = list(_nvs_rows(namespaces))
    header = struct.pack("<IB19s", 0, 0xFE, b"\xff" * 19)
    page = struct.pack("<I", 0xFFFF_FFFE) + header
    page += struct.pack("<I", zlib.crc32(header, 0xFFFF_FFFF))
    # Two bits a row: 11 is empty, 10 written.
    states = (1 << 256) - 1 - sum(1 << 2 * n for n in range(len(rows)))
    page += states.to_bytes(32, "little") + b"".join(rows)
    return page.ljust(SECTOR, b"\xff")


def _nvs_rows(namespaces: Namespaces) -> Iterator[bytes]:
    for number, (name, entries) in enumerate(namespaces.items(), 1):
        yield _nvs_row(0, 0x01, name, bytes([number]))
        for key, value in entries.items():
            if isinstance(value, int):
                size = next(size for size in (1, 2, 4) if value < 256**size)
                yield _nvs_row(number, size, key, value.to_bytes(size, "little"))
                continue
            text = value.encode() + b"\0"
            rows = [text[at : at + 32].ljust(32, b"\xff") for at in range(0, len(text), 32)]
            about = struct.pack("<HHI", len(text), 0xFFFF, zlib.crc32(text, 0xFFFF_FFFF))
            yield _nvs_row(number, 0x21, key, about, span=1 + len(rows))
            yield from rows


def _nvs_row(namespace: int, kind: int, key: str, data: bytes, *, span: int = 1) -> bytes:
    head = bytes([namespace, kind, span, 0xFF])
    rest = key.encode().ljust(16, b"\0") + data.ljust(8, b"\xff")
    return head + struct.pack("<I", zlib.crc32(head + rest, 0xFFFF_FFFF)) + rest


def flash() -> bytes:
    """Return all of the flash."""
    table = partitions.parse_csv(TABLE)
    contents = {
        "nvs": nvs(NVS),
        "otadata": ota_data(2),
        "app0": application(VERSIONS[0]),
        "app1": application(VERSIONS[1]),
        "fctry": nvs(FACTORY),
    }
    parts = [MergePart(0, bootloader(), "bootloader")]
    parts.append(MergePart(table.offset, partitions.to_binary(table), "partition table"))
    for name, data in contents.items():
        row = table.find(name)
        if row is None or len(data) > row.size:
            raise SystemExit(f"{name} has no room in the partition table")
        parts.append(MergePart(row.offset, data, name))
    return merge.merge(parts, pad_to=4 * MIB)


def register_lines() -> Iterator[str]:
    """Yield address and value of each register that is not zero after a reset, in hexadecimal."""
    table = registers.of(CHIP)
    if table is None:
        raise SystemExit(f"{CHIP} has no table of registers")
    values = {
        register.address: register.reset
        for name in PERIPHERALS
        for register in table.registers(name)
        if register.access.readable
    }
    for name, value in AS_FOUND.items():
        register = table.find(name)
        if register is None:
            raise SystemExit(f"there is no register {name}")
        values[register.address] = value
    yield "# Registers of sim://demo after a reset, made by scripts/demo.py; not edited by hand."
    yield from (f"{at:08x} {value:x}" for at, value in sorted(values.items()) if value)


def main() -> None:
    """Write both files."""
    DATA.mkdir(exist_ok=True)
    (DATA / "demo.bin.z").write_bytes(zlib.compress(flash(), 9))
    (DATA / "demo.txt").write_text("\n".join(register_lines()) + "\n", "utf-8")


if __name__ == "__main__":
    main()
