from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.render import View, bits
from espshell.render.bits import bit_ranges
from tests.render.support import drawn_blocks


def bit_diff(
    old: int, new: int, *, width: int = 32, title: str = "", color: bool = False
) -> list[str]:
    return drawn_blocks(
        lambda view: bits.bit_diff(old, new, view, width=width, title=title), View(color=color)
    )


def test_a_word() -> None:
    """Both values, a ruler, carets under what differs, and the changed bits by number."""
    assert bit_diff(0, 0x12345678, title="3fc90000") == [
        "3fc90000  0x00000000 → 0x12345678   13 bits changed",
        "          31   27   23   19   15   11   7    3",
        "     old  0000 0000 0000 0000 0000 0000 0000 0000",
        "     new  0001 0010 0011 0100 0101 0110 0111 1000",
        "             ^   ^    ^^  ^    ^ ^  ^^   ^^^ ^",
        "     0→1  bits 28, 25, 21..20, 18, 14, 12, 10..9, 6..3",
    ]


def test_a_byte_both_ways() -> None:
    """Bits that rose and bits that fell are listed apart."""
    assert bit_diff(0x40, 0x02, width=8, title="SR1") == [
        "SR1       0x40 → 0x02   2 bits changed",
        "          7    3",
        "     old  0100 0000",
        "     new  0000 0010",
        "           ^     ^",
        "     0→1  bit 1",
        "     1→0  bit 6",
    ]


def test_a_halfword() -> None:
    """A range of bits is one entry, and a long title moves only its own line."""
    assert bit_diff(0xFF00, 0x0000, width=16, title="UART0.CONF0") == [
        "UART0.CONF0  0xff00 → 0x0000   8 bits changed",
        "          15   11   7    3",
        "     old  1111 1111 0000 0000",
        "     new  0000 0000 0000 0000",
        "          ^^^^ ^^^^",
        "     1→0  bits 15..8",
    ]


def test_one_bit() -> None:
    """One bit is not "bits"."""
    lines = bit_diff(0, 1, width=8)
    assert lines[0] == "          0x00 → 0x01   1 bit changed"
    assert lines[-1] == "     0→1  bit 0"


def test_nothing_changed() -> None:
    """Equal values take one line."""
    assert bit_diff(0x60, 0x60, width=8, title="SR1") == ["SR1       0x60   unchanged"]


def test_in_colour() -> None:
    """Changed bits are marked in both rows, and the carets stay."""
    assert bit_diff(0x0C, 0x10, width=8, title="SR2", color=True) == [
        "\x1b[36mSR2\x1b[0m       \x1b[1m0x0c\x1b[0m → \x1b[1m0x10\x1b[0m   3 bits changed",
        "          \x1b[2m7    3\x1b[0m",
        "     \x1b[2mold\x1b[0m  000\x1b[7;33m0\x1b[0m \x1b[7;33m11\x1b[0m00",
        "     \x1b[2mnew\x1b[0m  000\x1b[7;33m1\x1b[0m \x1b[7;33m00\x1b[0m00",
        "             ^ ^^",
        "\x1b[2m     0→1  \x1b[0mbit 4",
        "\x1b[2m     1→0  \x1b[0mbits 3..2",
    ]


words = st.integers(0, 0xFFFF_FFFF)


@given(words, words)
def test_carets_are_where_bits_differ(old: int, new: int) -> None:
    """The rows hold the values, and there is a caret under a digit exactly if it changed."""
    _, _, first, second, carets, *_ = [*bit_diff(old, new), *[""] * 5]
    if old == new:
        return
    assert int(first[10:].replace(" ", ""), 2) == old
    assert int(second[10:].replace(" ", ""), 2) == new
    marks = "".join("^" if a != b else " " for a, b in zip(first[10:], second[10:], strict=True))
    assert carets == " " * 10 + marks.rstrip()


@given(words, words)
def test_colour_is_only_colour(old: int, new: int) -> None:
    """Without the sequences the coloured lines are the plain ones."""
    coloured = bit_diff(old, new, title="GPIO.OUT", color=True)
    assert [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in coloured] == bit_diff(
        old, new, title="GPIO.OUT"
    )


@given(words, words)
def test_lines_fit_a_terminal(old: int, new: int) -> None:
    """A word fits in 80 columns whatever changed."""
    assert max(map(len, bit_diff(old, new, title="3fc90000"))) <= 80


def test_a_narrow_terminal_has_two_pictures() -> None:
    """The upper half stands above the lower one, each with the numbers of its own bits."""
    view = View(40, fold=True)
    assert drawn_blocks(lambda view: bits.bit_diff(0x8000_0001, 0x10, view), view)[2:] == [
        "          31   27   23   19",
        "     old  1000 0000 0000 0000",
        "     new  0000 0000 0000 0000",
        "          ^",
        "          15   11   7    3",
        "     old  0000 0000 0000 0001",
        "     new  0000 0000 0001 0000",
        "                       ^    ^",
        "     0→1  bit 4",
        "     1→0  bits 31, 0",
    ]


def test_a_long_list_goes_on_below() -> None:
    """A list of bits that is too long is broken between its entries."""
    assert bit_diff(0, 0xDB6D_B6DB)[5:] == [
        "     0→1  bits 31..30, 28..27, 25..24, 22..21, 19..18, 16..15, 13..12, 10..9,",
        "          7..6, 4..3, 1..0",
    ]


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (0, []),
        (1, ["0"]),
        (0x8000_0000, ["31"]),
        (0xFFFF_FFFF, ["31..0"]),
        (0xFFFF_0008, ["31..16", "3"]),
        (0b1011, ["3", "1..0"]),
    ],
)
def test_ranges(mask: int, expected: list[str]) -> None:
    """Neighbouring bits are one range, from the top down."""
    assert bit_ranges(mask) == expected


@given(words)
def test_ranges_are_the_mask(mask: int) -> None:
    """The ranges name the bits of the mask and no others."""
    bits = 0
    for span in bit_ranges(mask):
        high, _, low = span.partition("..")
        bits |= (2 << int(high)) - (1 << int(low or high))
    assert bits == mask
