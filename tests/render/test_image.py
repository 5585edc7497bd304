"""Images as lines: whole output, and nothing in a file that speaks to the terminal."""

from __future__ import annotations

import json
import re

import pytest

from espshell import chips
from espshell.image import intel_hex, partitions, uf2
from espshell.ops.image.build import FilePart, Made, Merged
from espshell.ops.image.inspect import inspect
from espshell.render import View, to_json
from tests.image import support
from tests.image.support import partition_table
from tests.render.support import drawn

C3 = chips.load("esp32c3")
APP = support.firmware(
    [
        (0x3C00_0020, support.app_description(name="blink", version="1.2", date="Aug 8 2025")),
        (0, bytes(4)),
        (0x3FC8_0000, b"data" * 4),
    ],
    chip=C3.id,
    entry=0x4037_C010,
)
BOOT = support.firmware([(0x3FC8_0400, support.bootloader_description())], chip=C3.id)
TABLE = partition_table(partitions.parse_csv("app, app, factory, 0x10000, 1M\n"))
OLD = support.esp8266_v2(bytes(16), [(0x4010_0000, b"code" * 2)])
DUMP = BOOT.ljust(0x8000, b"\xff") + TABLE

CASES = [
    (
        APP,
        [
            "x  firmware image for ESP32-C3, 368 bytes",
            "flash           DIO, 4MB, 80m",
            "entry           0x4037c010",
            "chip id         5",
            "revision        v3.1 to v3.99 (legacy byte 3)",
            "WP pin          none",
            "drives          CLK=0 Q=1 D=2 CS=3 HD=4 WP=5",
            f"checksum        {APP[-33:-32].hex()} ok",
            f"SHA-256         {APP[-32:-24].hex()}... ok",
            "app             blink 1.2",
            "built           Aug 8 2025 time with ESP-IDF idf",
            f"ELF             {bytes(range(32)).hex()}",
            "secure version  7",
            "0x3c000020..0x3c000120  256 bytes  DROM     at 0x20",
            "0x00000000..0x00000004  4 bytes    padding  at 0x128",
            "0x3fc80000..0x3fc80010  16 bytes   DRAM     at 0x134",
        ],
    ),
    (
        OLD[:17] + b"\1" + OLD[18:],
        [
            "x  ESP8266 firmware image, version 2, 68 bytes",
            "flash     DIO, 4MB, 40m",
            "entry     0x40100000",
            "checksum  ef ok",
            f"CRC-32    {OLD[-4:].hex()} wrong",
            "0x00000000..0x00000010  16 bytes  stays in flash  at 0x10",
            "0x40100000..0x40100008  8 bytes   IRAM            at 0x30",
            "the CRC is wrong",
        ],
    ),
    (
        DUMP,
        [
            "x  flash image, 35 KiB",
            "0x00000000  firmware image for ESP32-C3, 160 bytes",
            "    bootloader  version 3",
            "    built       Aug  8 2025 16:22:11 with ESP-IDF v6.0",
            f"    checksum    {BOOT[-33:-32].hex()} ok",
            f"    SHA-256     {BOOT[-32:-24].hex()}... ok",
            "0x00008000  partition table, 3 KiB",
            "    app  app  factory  0x00010000..0x00110000  1 MiB",
            "    table at 0x00008000, MD5 ok",
        ],
    ),
    (
        support.elf([(0x3FC8_0000, b"data")], entry=0x4037_C000, machine=support.RISCV),
        [
            "x  ELF file, 224 bytes",
            "machine  riscv",
            "entry    0x4037c000",
            "0x3fc80000..0x3fc80004  4 bytes  DRAM  rwx",
        ],
    ),
    (
        uf2.write(0x1000, b"data", family=C3.uf2_family),
        ["x  UF2 file, 512 bytes", "family  ESP32-C3", "0x00001000..0x00001004  4 bytes"],
    ),
    (
        intel_hex.to_bytes([(0x1000, b"data")]),
        ["x  Intel HEX file, 32 bytes", "0x00001000..0x00001004  4 bytes"],
    ),
    (
        intel_hex.to_bytes([(0x1_0000, support.esp8266([(0x4010_0000, b"code")]))]),
        [
            "x  Intel HEX file, 116 bytes",
            "0x00010000..0x00010020  32 bytes",
            "0x00010000  ESP8266 firmware image, version 1, 32 bytes",
            "    flash     QIO, 4MB, 40m",
            "    entry     0x40100000",
            "    checksum  e2 ok",
            "    0x40100000..0x40100004  4 bytes  IRAM  at 0x10",
        ],
    ),
]

KINDS = ["app", "damaged", "flash", "elf", "uf2", "hex", "image in hex"]


@pytest.mark.parametrize(("data", "lines"), CASES, ids=KINDS)
def test_lines(data: bytes, lines: list[str]) -> None:
    """Whole output; with colour the words are the same."""
    found = inspect(data, "x", chip=C3)
    shown = drawn(found)
    assert shown == lines
    colored = drawn(found, View(color=True))
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in colored] == shown


@pytest.mark.parametrize("data", [data for data, _ in CASES], ids=KINDS)
def test_json(data: bytes) -> None:
    """Every kind has a form that is JSON, with the same keys first."""
    found = json.loads(json.dumps(to_json(inspect(data, "x"))))
    assert list(found)[:5] == ["source", "kind", "size", "offset", "problems"]
    assert found["size"] == len(data)


def test_signature() -> None:
    """What is said of a signature does not sound as if it had been verified."""
    lines = drawn(inspect(support.signed(APP), "x"))
    (line,) = [each for each in lines if each.startswith("signature")]
    assert re.fullmatch(
        r"signature 0     secure boot 2, RSA-3072, at 0x1000, key [0-9a-f]{16}\.\.\., whole", line
    )


def test_what_cannot_be_named() -> None:
    """Codes that mean nothing for a chip, or of a chip that is not known, are shown as codes."""
    odd = support.firmware([(0x3FC8_0000, b"d")], chip=C3.id, mode=9, size_frequency=0xFE)
    assert drawn(inspect(odd, "x"))[1] == "flash     mode 0x09, size 0xf0, frequency 0xe"
    unknown = support.firmware([(0x3FC8_0000, b"d")], chip=0x7777)
    lines = drawn(inspect(unknown, "x"))
    assert lines[0].startswith("x  firmware image for an unknown chip, ")
    assert "chip id   30583 (not known)" in lines


def test_texts_are_harmless() -> None:
    """Control characters of a file's texts are shown as what they are, as JSON they are escaped."""
    app = support.app_description(name="a\x1b[31mb\r\n", version="\x07", idf="\u202e")
    found = inspect(support.firmware([(0x3C00_0020, app)], chip=C3.id), "x")
    lines = drawn(found)
    assert all(line.isprintable() for line in lines)
    assert any(line.endswith("a\\x1b[31mb\\x0d\\x0a \\x07") for line in lines)
    assert "\x1b" not in json.dumps(to_json(found))


def test_made() -> None:
    """One file is shown as itself; several are listed first."""
    image = inspect(APP, "x")
    one = Made((FilePart("x", None, len(APP)),), image)
    assert drawn(one) == drawn(image)
    several = Made((FilePart("x0", 0, 384), FilePart("x1", 0x1_0000, 5)), image)
    lines = drawn(several)
    assert lines[:3] == ["x0  384 bytes  flash:0x0", "x1  5 bytes    flash:0x10000", ""]
    assert lines[3:] == drawn(image)
    told = to_json(several)
    assert isinstance(told, dict)
    assert told["files"] == [
        {"name": "x0", "address": 0, "size": 384},
        {"name": "x1", "address": 0x1_0000, "size": 5},
    ]


def test_merged() -> None:
    """The parts with their places, and the file."""
    merged = Merged("out", "raw", 0x2000, (FilePart("a", 0, 4), FilePart("b", 0x1000, 0x1000)))
    assert drawn(merged) == [
        "0x00000000..0x00000004  a",
        "0x00001000..0x00002000  b",
        "out  raw, 8 KiB of 2 files",
    ]
    assert to_json(merged) == {
        "path": "out",
        "format": "raw",
        "size": 0x2000,
        "parts": [
            {"name": "a", "address": 0, "size": 4},
            {"name": "b", "address": 0x1000, "size": 0x1000},
        ],
    }


def test_a_table_in_a_file_has_no_place() -> None:
    """Where a table stands in flash is not in its file, so it is not said."""
    info = inspect(TABLE, "x")
    assert drawn(info)[-1] == "table of x, MD5 ok"
    assert '"offset": null, "md5": "ok"' in json.dumps(to_json(info))
