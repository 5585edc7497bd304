"""Numbers as they are typed and shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell import units


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("10", 10),
        ("1_000", 1000),
        ("0x10", 16),
        ("0XFF", 255),
        ("0x6000_8844", 0x6000_8844),
        ("0b101", 5),
        ("0o17", 15),
        ("4k", 4096),
        ("4M", 4 << 20),
        ("0x10k", 16384),
        ("0k", 0),
    ],
)
def test_numbers(text: str, value: int) -> None:
    """Decimal, hexadecimal, binary, octal; k and M are powers of 1024."""
    assert units.parse_number(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", "k", "0x", "0xg", "0b2", "010", "0_1", "1__0", "_1", "1_", "-1", "+1", "10 "),
        *("1.5", "1e3", "4G", "٣", "9" * 5000),
    ],
)
def test_what_is_no_number(text: str) -> None:
    """It is None, also where Python would read it in more than one way."""
    assert units.parse_number(text) is None


@given(st.text(alphabet="0123456789abcdefxo_kKmM.+- us", max_size=12))
def test_any_text_is_a_number_or_none(text: str) -> None:
    """Nothing raises, and nothing is negative."""
    assert (units.parse_number(text) or 0) >= 0
    assert (units.parse_seconds(text) or 0) >= 0


@given(st.integers(0, 1 << 40))
def test_numbers_round_trip(value: int) -> None:
    """What is shown can be typed."""
    assert units.parse_number(units.hex32(value)) == value
    assert units.parse_number(units.hex_width(value, 8)) == value
    assert units.parse_number(str(value)) == value


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("2", 2), ("0.5", 0.5), ("2.", 2), ("16ms", 0.016), ("100us", 0.0001), ("3s", 3)],
)
def test_seconds(text: str, seconds: float) -> None:
    """Seconds unless a unit says otherwise."""
    assert units.parse_seconds(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", ".5", "-1", "1 s", "1m", "1e3"])
def test_what_are_no_seconds(text: str) -> None:
    """It is None."""
    assert units.parse_seconds(text) is None


@pytest.mark.parametrize(
    ("value", "bits", "expected"),
    [(0, 8, "0x00"), (0xAB, 16, "0x00ab"), (1, 32, "0x00000001"), (0x1FF, 8, "0x1ff")],
)
def test_hexadecimal(value: int, bits: int, expected: str) -> None:
    """As many digits as the width has, more if the value needs them."""
    assert units.hex_width(value, bits) == expected


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1023 bytes"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (64 << 10, "64 KiB"),
        (4 << 20, "4 MiB"),
        (5 << 19, "2.5 MiB"),
    ],
)
def test_sizes(size: int, expected: str) -> None:
    """The largest unit that is not too large."""
    assert units.size_text(size) == expected


def test_number_text_can_be_read_back() -> None:
    """Addresses are written in hexadecimal, counts in decimal, and both are read back the same."""
    assert [units.number_text(n) for n in (0, 12, 0xFFFF, 0x3FC9_0000)] == [
        "0",
        "12",
        "65535",
        "0x3fc90000",
    ]
    for number in (0, 9, 0xFFFF, 0x1_0000, 0xFFFF_FFFF):
        assert units.parse_number(units.number_text(number)) == number
