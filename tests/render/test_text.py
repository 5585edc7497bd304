"""Results as lines: whole output, the same words with and without colour."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from espshell.ops.chip.info import ChipId, FlashId, Info, Mac, Security
from espshell.ops.memory.save import Saved
from espshell.ops.memory.words import Dump, Fill, Peek
from espshell.ops.memory.writing import MemoryWrite
from espshell.render import View, render
from espshell.render.document import Table
from tests.render.support import drawn, drawn_blocks, poked

FIVES = b"\5\0\0\0" * 16

INFO = Info(
    chip="esp32c3",
    description="ESP32-C3 (QFN32)",
    revision=(0, 4),
    features=("Wi-Fi", "one core"),
    crystal_mhz=40,
    mac="7c:df:a1:b4:c5:d6",
    eui64=None,
    sdk_id=None,
    flash=FlashId(0xEF4016, 4 << 20),
    security=Security((), 0, flash_encryption=False),
    loader="rom",
    port="sim://esp32c3",
    baud=115200,
)

RESULTS = [
    (
        Peek(0x3FC9_0000, 32, (0x12345678, 0)),
        ["0x3fc90000  0x12345678  305419896", "0x3fc90004  0x00000000  0"],
    ),
    (
        Peek(0x3FC9_0001, 8, (0xFF, 0)),
        ["0x3fc90001  0xff  255", "0x3fc90002  0x00  0"],
    ),
    (Peek(0x3FC9_0002, 16, (0xBEEF,)), ["0x3fc90002  0xbeef  48879"]),
    (
        poked(0x3FC9_0000, 8, (0x0F,), 0xFF, (0x00,), (0x0F,)),
        [
            "3fc90000  0x00 → 0x0f   4 bits changed",
            "          7    3",
            "     old  0000 0000",
            "     new  0000 1111",
            "               ^^^^",
            "     0→1  bits 3..0",
        ],
    ),
    (poked(0x3FC9_0000, 32, (7,), 0xFFFFFFFF, (7,), (7,)), ["3fc90000  0x00000007   unchanged"]),
    (
        poked(0x6000_0000, 32, (0xF5,), 0xF0, None, None),
        ["60000000  0x000000f0   written, not read back"],
    ),
    (
        Dump(0x3FC9_0000, 8, b"Hi"),
        ["3fc90000  48 69" + " " * 44 + " |Hi              |"],
    ),
    (
        Fill(0x3FC9_0000, 64, 32, 5, writes=(MemoryWrite(0x3FC9_0000, FIVES, FIVES, FIVES),)),
        ["0x3fc90000..0x3fc90040  16 32-bit values 0x00000005  (64 bytes, read back)"],
    ),
    (
        Fill(0x3FC9_0000, 64, 32, 5, writes=(MemoryWrite(0x3FC9_0000, FIVES, None, bytes(64)),)),
        ["0x3fc90000..0x3fc90040  16 32-bit values 0x00000005  (64 bytes, not as written)"],
    ),
    (
        Fill(0x3FC9_0000, 1, 8, 0xEE, writes=(MemoryWrite(0x3FC9_0000, b"\xee"),)),
        ["0x3fc90000..0x3fc90001  1 8-bit value 0xee  (1 byte, not read back)"],
    ),
    (Saved(0x3FC9_0000, 1024, "x.bin"), ["x.bin  1 KiB of 0x3fc90000..0x3fc90400"]),
    (Mac("7c:df:a1:b4:c5:d6"), ["7c:df:a1:b4:c5:d6"]),
    (
        ChipId("esp32c3", None, "7c:df:a1:b4:c5:d6"),
        ["chip id  none: the esp32c3 has only a MAC", "MAC      7c:df:a1:b4:c5:d6"],
    ),
    (
        ChipId("esp8266", 0xD4E5F6, "5c:cf:7f:d4:e5:f6"),
        ["chip id  0x00d4e5f6", "MAC      5c:cf:7f:d4:e5:f6"],
    ),
]


@pytest.mark.parametrize(("result", "lines"), RESULTS, ids=lambda value: type(value).__name__)
def test_render(result: object, lines: list[str]) -> None:
    """Each result has one form, and colour adds nothing to its words."""
    assert drawn(result) == lines
    coloured = "\n".join(drawn(result, View(color=True)))
    assert "\x1b[" in coloured or isinstance(result, Fill | Saved)
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured).splitlines() == lines


def test_info() -> None:
    """One fact a line."""
    assert drawn(INFO) == [
        "chip      ESP32-C3 (QFN32), revision v0.4",
        "features  Wi-Fi, one core",
        "crystal   40 MHz",
        "MAC       7c:df:a1:b4:c5:d6",
        "flash     4 MiB (id ef4016)",
        "security  secure boot off, flash encryption off",
        "loader    rom on sim://esp32c3 at 115200 baud",
    ]


def test_info_leaves_out_what_cannot_be_known() -> None:
    """A fact that a chip does not tell has no line."""
    unknown = replace(
        INFO, revision=None, features=(), crystal_mhz=None, mac=None, flash=None, security=None
    )
    assert drawn(unknown) == [
        "chip    ESP32-C3 (QFN32)",
        "loader  rom on sim://esp32c3 at 115200 baud",
    ]


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"flash": FlashId(0x123456, None)}, "flash     size not known (id 123456)"),
        ({"sdk_id": 0x00ABCDEF}, "chip id   0x00abcdef"),
        ({"eui64": "7c:df:a1:ff:fe:b4:c5:d6"}, "EUI-64    7c:df:a1:ff:fe:b4:c5:d6"),
        (
            {"security": Security(("SECURE_BOOT_EN", "DIS_USB"), 1, flash_encryption=True)},
            "security  secure boot off, flash encryption on, flags SECURE_BOOT_EN DIS_USB",
        ),
    ],
)
def test_info_of_other_chips(changed: dict[str, Any], line: str) -> None:
    """Flags that are set are named; numbers are as the chip's documents write them."""
    assert line in drawn(replace(INFO, **changed))


def test_unknown_result_is_refused() -> None:
    """A result without a form is a mistake of ours, and not shown as Python."""
    with pytest.raises(TypeError, match="no text form for object"):
        render(object())


def test_table() -> None:
    """Columns line up, also where rows are of different length, and no line ends in spaces."""
    rows = [("a", "bb", "c"), ("aaa", "b"), ("a",)]
    assert drawn_blocks(lambda _: [Table(rows)]) == ["a    bb  c", "aaa  b", "a"]
    assert drawn_blocks(lambda _: [Table([])]) == []
