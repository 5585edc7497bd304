"""The picture of a verification: ranges, bytes side by side or one above the other, and JSON."""

from __future__ import annotations

import json
import random
import re

import pytest

from espshell.ops.flash.verify import Verify
from espshell.ops.memory.diff import diff
from espshell.render import View, to_json
from espshell.render.flash.verify import WIDTH
from espshell.span import Span
from tests.render.support import drawn

SECTOR = 4096
OLD = bytes(range(96)) + bytes(SECTOR - 96)
NEW = OLD[:33] + b"\xff" + OLD[34:64] + b"\xaa" + OLD[65:]

BESIDE = """\
          expected                                         | found
00010010  10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f | 10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f
00010020  20 21 22 23 24 25 26 27  28 29 2a 2b 2c 2d 2e 2f | 20 ff 22 23 24 25 26 27  28 29 2a 2b 2c 2d 2e 2f
             ^^                                            |    ^^
00010030  30 31 32 33 34 35 36 37  38 39 3a 3b 3c 3d 3e 3f | 30 31 32 33 34 35 36 37  38 39 3a 3b 3c 3d 3e 3f
00010040  40 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f | aa 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f
          ^^                                               | ^^
00010050  50 51 52 53 54 55 56 57  58 59 5a 5b 5c 5d 5e 5f | 50 51 52 53 54 55 56 57  58 59 5a 5b 5c 5d 5e 5f
2 bytes in 2 ranges; 10 bits 1 to 0 and 1 0 to 1: needs an erase
in partition app0 (0x10000..0x110000)"""  # noqa: E501

ABOVE = """\
- expected
+ found
  00010010  10 11 12 13 14 15 16 17  18 19 1a 1b 1c 1d 1e 1f  |................|
- 00010020  20 21 22 23 24 25 26 27  28 29 2a 2b 2c 2d 2e 2f  | !"#$%&'()*+,-./|
+ 00010020  20 ff 22 23 24 25 26 27  28 29 2a 2b 2c 2d 2e 2f  | ."#$%&'()*+,-./|
               ^^
  00010030  30 31 32 33 34 35 36 37  38 39 3a 3b 3c 3d 3e 3f  |0123456789:;<=>?|
- 00010040  40 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f  |@ABCDEFGHIJKLMNO|
+ 00010040  aa 41 42 43 44 45 46 47  48 49 4a 4b 4c 4d 4e 4f  |.ABCDEFGHIJKLMNO|
            ^^
  00010050  50 51 52 53 54 55 56 57  58 59 5a 5b 5c 5d 5e 5f  |PQRSTUVWXYZ[\\]^_|
2 bytes in 2 ranges; 10 bits 1 to 0 and 1 0 to 1: needs an erase
in partition app0 (0x10000..0x110000)"""


def verify_lines(
    result: Verify, *, width: int = 80, color: bool = False, every_row: bool = False
) -> list[str]:
    return drawn(result, View(width, color=color, every_row=every_row))


def result(*differing: Span, old: bytes = b"", new: bytes = b"", most: int = 64) -> Verify:
    """Return a result about a file of 1 MiB at 0x10000; with bytes, of its first range."""
    compared = (diff(old, new, address=differing[0].start),) if old else ()
    return Verify(
        files=(("app.bin", 0x1_0000, 0x10_0000),),
        method="digest",
        differing=differing,
        sectors=sum(-(-span.size // SECTOR) for span in differing),
        compared=compared,
        compared_sectors=min(most, len(old) // SECTOR),
        explanations=("in partition app0 (0x10000..0x110000)",) if differing else (),
    )


ONE = result(Span.of(0x1_0000, SECTOR), old=OLD, new=NEW)


def test_equal() -> None:
    """What is equal takes one line a file, which says how that is known."""
    assert verify_lines(result()) == ["equal  1 MiB at flash:0x10000 (digest)"]
    two = Verify((("a", 0, 4096), ("b", 0x8000, 100)), "read", (), 0)
    assert verify_lines(two) == [
        "equal  a  4 KiB at flash:0x0 (read)",
        "equal  b  100 bytes at flash:0x8000 (read)",
    ]


def test_ranges() -> None:
    """Without bytes each range is a line with its sectors; many are cut, and the rest counted."""
    spans = (Span.of(0x1_0000, SECTOR), Span.of(0x2_0FF0, SECTOR + 16))
    assert verify_lines(result(*spans)) == [
        "flash:0x00010000..0x00011000  4 KiB    1 sector",
        "flash:0x00020ff0..0x00022000  4.0 KiB  2 sectors",
        "in partition app0 (0x10000..0x110000)",
    ]
    many = result(*(Span.of(0x1_0000 + 2 * SECTOR * i, SECTOR) for i in range(40)))
    lines = verify_lines(many)
    assert len(lines) == 16 + 2
    assert lines[16] == "  ... 24 more ranges not shown (--all shows them)"
    assert len(verify_lines(many, every_row=True)) == 40 + 1


@pytest.mark.parametrize("width", [WIDTH, 200])
def test_side_by_side(width: int) -> None:
    """Where there is room, the rows that differ stand in a row of context, carets on both sides."""
    lines = verify_lines(ONE, width=width)
    assert "\n".join(line.rstrip() for line in lines) == BESIDE
    assert max(map(len, lines)) < WIDTH


@pytest.mark.parametrize("width", [80, WIDTH - 1])
def test_one_above_the_other(width: int) -> None:
    """On a narrow terminal and into a pipe each line says which side it is."""
    assert "\n".join(verify_lines(ONE, width=width)) == ABOVE


@pytest.mark.parametrize("width", [80, 120])
def test_colour_changes_no_word(width: int) -> None:
    """Without its sequences the coloured picture is the plain one, and what changed is marked."""
    text = "\n".join(verify_lines(ONE, width=width, color=True))
    assert "\x1b[7;33mff" in text
    plain = "\n".join(verify_lines(ONE, width=width))
    assert re.sub(r"\x1b\[[0-9;]*m", "", text) == plain


@pytest.mark.parametrize("color", [False, True])
def test_a_part_of_a_row_and_a_bar_in_it(color: bool) -> None:
    """Rows that begin or end inside keep their columns; a `|` among the bytes is not a border."""
    part = Verify(
        (("x", 3, 9),),
        "digest",
        (Span.of(3, 9),),
        1,
        (diff(b"|||||||||", b"||||x||||", address=3),),
        1,
    )
    lines = [
        re.sub(r"\x1b\[[0-9;]*m", "", line).rstrip()
        for line in verify_lines(part, width=120, color=color)
    ]
    assert lines[1] == (
        "00000000           7c 7c 7c 7c 7c  7c 7c 7c 7c             "
        "|          7c 7c 7c 7c 78  7c 7c 7c 7c"
    )
    assert lines[2].count("^^") == 2
    assert [lines[2].rindex("^^"), lines[2].index("^^")] == [
        lines[1].index("78"),
        lines[1].index("78") - 51,
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_long_pictures_are_cut_and_counted(width: int) -> None:
    """32 KiB that differ everywhere is a screenful; all of it is every row of it."""
    old, new = (random.Random(seed).randbytes(8 * SECTOR) for seed in (1, 2))
    everywhere = result(Span.of(0x1_0000, len(old)), old=old, new=new, most=8)
    lines = verify_lines(everywhere, width=width)
    assert len(lines) < 60
    assert "  ... 2032 more rows not shown (--all shows them)" in lines
    rows = verify_lines(everywhere, every_row=True, width=width)
    assert len(rows) >= 2 * len(old) // 16


def test_rows_of_several_areas() -> None:
    """The cap is for all areas together; those that are not shown at all are counted, too."""
    areas = tuple(
        diff(bytes(SECTOR), b"\1" * 16 * 12 + bytes(SECTOR - 16 * 12), address=2 * SECTOR * i)
        for i in range(4)
    )
    spans = tuple(Span.of(2 * SECTOR * i, SECTOR) for i in range(4))
    several = Verify((("x", 0, 8 * SECTOR),), "digest", spans, 4, areas, 4)
    lines = verify_lines(several)
    assert sum(line.startswith("+ 0") for line in lines) == 16
    assert lines[-3] == "  ... 8 more rows not shown (--all shows them)"
    assert lines[-2] == "  ... 24 more rows elsewhere not shown (--all shows them)"
    lines = verify_lines(several, every_row=True)
    assert sum(line.startswith("+ 0") for line in lines) == 48
    assert lines.count("  ...") == 3


def test_json() -> None:
    """Numbers as numbers: what differs, and of bytes that were compared exactly which."""
    value = to_json(ONE)
    assert isinstance(value, dict)
    assert json.loads(json.dumps(value)) == value
    assert value["equal"] is False
    assert value["differing"] == [{"address": 0x1_0000, "size": SECTOR}]
    assert value["needs_erase"] is True
    assert isinstance(value["compared"], list)
    (area,) = value["compared"]
    assert isinstance(area, dict)
    assert area["differing"] == [{"address": 0x1_0021, "size": 1}, {"address": 0x1_0040, "size": 1}]
    equal = to_json(result())
    assert isinstance(equal, dict)
    assert (equal["equal"], equal["differing"], equal["needs_erase"]) == (True, [], None)


def test_blank_sectors_take_a_line() -> None:
    """Blank sectors in the flash do not push what is interesting off the picture."""
    old = bytes(range(256)) * 48  # three sectors
    new = bytearray(old)
    new[: 2 * SECTOR] = b"\xff" * 2 * SECTOR
    new[2 * SECTOR + 5] ^= 1
    found = result(Span.of(0x1_0000, 3 * SECTOR), old=old, new=bytes(new))
    lines = verify_lines(found, width=120)
    assert "  0x00010000..0x00012000 is blank (FF), 8160 bytes of it differ" in lines
    assert any(line.startswith("00012000") for line in lines)
    assert len(lines) < 12
    assert len(verify_lines(found, width=120, every_row=True)) > 512
