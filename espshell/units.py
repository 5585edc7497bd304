"""Numbers as text: sizes, hexadecimal, seconds."""

from __future__ import annotations

import re

from espshell import regex

KIB = 1024
MIB = 1024 * 1024
WORD = 4
"""Bytes in a word, which one READ_REG or WRITE_REG transfers."""
ALL_BITS = 0xFFFF_FFFF
"""Of a word."""

SECTOR = 4 * KIB
"""Bytes that flash erases at least."""

_NUMBER = regex.late(r"(0x[0-9a-f_]+|0b[01_]+|0o[0-7_]+|[0-9][0-9_]*)([km]?)", re.IGNORECASE)
_SECONDS = regex.late(r"([0-9]+(?:\.[0-9]*)?)(us|ms|s)?")


def parse_number(text: str) -> int | None:
    """Return the value of a literal such as ``0x10``, ``1_000`` or ``64k``; None for other text.

    A leading zero (``010``) makes no number: some would read octal and others decimal.
    """
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    digits, suffix = match.groups()
    if len(digits) > 1 and digits[0] == "0" and digits[1] in "0123456789_":
        return None
    try:
        value = int(digits, 0)
    except ValueError:
        return None
    return value * {"": 1, "k": KIB, "m": MIB}[suffix.lower()]


def parse_seconds(text: str) -> float | None:
    """Return the seconds of a duration such as ``2``, ``0.5``, ``16ms``; None for other text."""
    match = _SECONDS.fullmatch(text)
    if match is None:
        return None
    return float(match[1]) * {None: 1.0, "s": 1.0, "ms": 1e-3, "us": 1e-6}[match[2]]


def hex32(value: int) -> str:
    """Return a value as eight hexadecimal digits, more if it needs them."""
    return f"0x{value:08x}"


def hex_width(value: int, bits: int) -> str:
    """Return a value with as many hexadecimal digits as its width in bits has."""
    return f"0x{value:0{bits // 4}x}"


def number_text(value: int) -> str:
    """Return a number in decimal, or in hexadecimal from 0x1_0000 on, where addresses begin.

    ``parse_number`` reads it back, except for a sign.
    """
    return hex(value) if abs(value) >= 0x1_0000 else str(value)


def size_text(size: int) -> str:
    """Return a size in bytes for a person: ``64 KiB``, ``4 MiB``, ``100 bytes``, ``1.5 KiB``."""
    for unit, name in ((MIB, "MiB"), (KIB, "KiB")):
        if size >= unit:
            return f"{size // unit} {name}" if size % unit == 0 else f"{size / unit:.1f} {name}"
    return count_text(size, "byte")


def count_text(count: int, noun: str) -> str:
    """Return ``1 word``, ``2 words``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
