"""SFDP: the images of real parts, and what is made of garbage."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.nor import sfdp
from espshell.nor.sfdp import Basic, FastRead

VECTORS = json.loads((Path(__file__).parents[1] / "data/nor-vectors.json").read_text("utf-8"))
HEADER = bytes.fromhex("53464450050100ff00050110800000ff")
TAIL_AT = 0x80


def cut(space: bytes) -> dict[int, bytes]:
    """Return the pieces of an SFDP space that was read as one."""
    pieces: dict[int, bytes] = {}
    while missing := sfdp.missing_ranges(pieces):
        pieces.update((address, space[address : address + size]) for address, size in missing)
    return pieces


def image(vector: dict[str, Any]) -> bytes:
    """Return an SFDP space as it would be read: header, gap, table."""
    table = bytes.fromhex(vector["bfpt"])
    header = bytes.fromhex(vector.get("header", ""))
    if not header:
        header = HEADER[:11] + bytes([len(table) // 4]) + HEADER[12:]
    at = vector.get("at", TAIL_AT)
    return header.ljust(at, b"\xff") + table


def basic(part: str) -> Basic:
    """Return the basic parameters of a part of the vectors."""
    vector = next(each for each in VECTORS["sfdp"] if each["part"] == part)
    found = sfdp.parse(cut(image(vector)))
    assert found is not None
    assert found.basic is not None
    return found.basic


@pytest.mark.parametrize("vector", VECTORS["sfdp"], ids=lambda each: each["part"])
def test_images_of_real_parts(vector: dict[str, Any]) -> None:
    """Size, number of words, QER and 50h are what the source says."""
    found = basic(vector["part"])
    qer = None if vector["qer"] == "absent" else int(vector["qer"], 2)
    assert found.size == int(vector["size"], 16)
    assert len(found.words) == vector["dwords"]
    assert found.qer == qer
    assert found.volatile_50h == {"yes": True, "no": False, "unknown": None}[vector["wevsr_50h"]]


def test_w25q128jv() -> None:
    """Every figure of W25Q128JV is the one of its data sheet."""
    found = basic("W25Q128JV")
    assert (found.page_size, found.address_bytes) == (256, "3")
    assert [(each.size, each.opcode, each.typical_s) for each in found.erase_types] == [
        (0x1000, 0x20, 0.064),
        (0x8000, 0x52, 0.128),
        (0x10000, 0xD8, 0.16),
    ]
    assert found.erase_types[0].maximum_s == pytest.approx(0.896)
    assert found.page_program is not None
    assert found.chip_erase is not None
    assert found.page_program.typical_s == pytest.approx(704e-6)
    assert found.chip_erase.typical_s == 40.0
    assert FastRead("1-4-4", 0xEB, 2, 4) in found.fast_reads
    assert FastRead("1-1-2", 0x3B, 0, 8) in found.fast_reads
    assert found.suspend == (0x75, 0x7A)
    assert found.power_down == (0xB9, 0xAB)
    assert found.software_reset
    assert found.reset_text == "66h, 99h; leave 0-4-4 mode first"
    assert found.enters_four_bytes == found.leaves_four_bytes == ()


def test_entry_to_qpi_by_35h() -> None:
    """Of the real tables only that of IS25WP128F says that 35h enters QPI."""
    said = {each["part"] for each in VECTORS["sfdp"] if basic(each["part"]).enters_qpi_by_35h}
    assert said == {"IS25WP128F"}


def test_a_short_table_says_nothing_of_the_rest() -> None:
    """Nine words of 2011 leave QE, page size, times and resets open."""
    found = basic("MX25L3233F")
    assert (found.qer, found.page_size, found.page_program, found.software_reset) == (None,) * 4
    assert (found.suspend, found.power_down, found.qer_text) == (None, None, "not said")
    assert [each.size for each in found.erase_types] == [0x1000, 0x8000, 0x10000]
    assert found.quad


def test_density_above_two_gigabits() -> None:
    """With bit 31 set the density is an exponent; a senseless one is not a size."""
    assert sfdp.parse_basic((0, 0x8000_0000 | 32)).size == 1 << 29
    assert sfdp.parse_basic((0, 0x8000_0000 | 1000)).size == 0


def test_pieces_are_asked_for_in_turn() -> None:
    """Header, parameter headers, then each table once; the gap between is not read."""
    pieces: dict[int, bytes] = {}
    whole = image(next(each for each in VECTORS["sfdp"] if each["part"] == "XMC 464016"))
    asked = []
    while missing := sfdp.missing_ranges(pieces):
        asked.append(missing)
        pieces.update((at, whole[at : at + size]) for at, size in missing)
    assert asked == [((0, 8),), ((8, 24),), ((0x30, 64), (0xC0, 8), (0xD0, 16))]
    found = sfdp.parse(pieces)
    assert found is not None
    assert [table.id for table in found.tables] == [0xFF00, 0xFF46, 0xFF84]
    assert found.revision == (1, 6)
    assert found.problems == ("table ff46 has 0 of 4 words", "table ff84 has 0 of 2 words")
    assert sfdp.joined(pieces)[:0x70] == whole


@pytest.mark.parametrize("blank", [b"", b"\xff" * 256, b"\x00" * 256, b"SFDP"])
def test_no_sfdp(blank: bytes) -> None:
    """Without a whole header there is no SFDP, and nothing more is asked for."""
    pieces = {0: blank[:8]}
    assert sfdp.missing_ranges(pieces) == ()
    assert sfdp.parse(pieces) is None
    assert sfdp.parse(cut(blank)) is None


def test_no_basic_table() -> None:
    """A header whose table cannot be read is a finding, not an error."""
    found = sfdp.parse(cut(HEADER))
    assert found is not None
    assert found.basic is None
    assert "no basic flash parameters" in found.problems


@pytest.mark.parametrize(
    ("tables", "words", "problem"),
    [
        (15, 64, None),
        (16, 16, "SFDP promises 17 tables; 16 were looked at"),
        (0, 65, "table ff00 is too long: 65 words"),
    ],
)
def test_what_is_too_much_is_said(tables: int, words: int, problem: str | None) -> None:
    """16 tables of 64 words each are taken as they are, and of more what is left out is said."""
    table = bytes((0, 6, 1, words)) + TAIL_AT.to_bytes(3, "little") + b"\xff"
    headers = HEADER[:6] + bytes((tables, 0xFF)) + table * min(tables + 1, 16)
    found = sfdp.parse({0: headers[:8], 8: headers[8:], TAIL_AT: bytes(4 * words)})
    assert found is not None
    assert [len(each.words) for each in found.tables] == [min(words, 64)] * min(tables + 1, 16)
    assert found.problems == ((problem,) if problem else ())


@given(st.binary(max_size=64), st.binary(max_size=300))
def test_garbage_ends(header: bytes, rest: bytes) -> None:
    """Whatever a flash answers, reading ends, nothing is raised, and little is asked for."""
    whole = sfdp.SIGNATURE + header + rest
    pieces = cut(whole)
    assert sum(map(len, pieces.values())) <= 8 + 16 * 8 + 16 * 255 * 4
    sfdp.parse(pieces)


@given(st.lists(st.integers(0, 0xFFFF_FFFF), min_size=2, max_size=24))
def test_any_words_decode(words: list[int]) -> None:
    """No word of the table can raise."""
    assert sfdp.parse_basic(tuple(words)).words == tuple(words)


def test_words_are_little_endian() -> None:
    """The first word of a table is its first four bytes, lowest first."""
    vector = VECTORS["sfdp"][0]
    found = basic(vector["part"])
    assert found.words[0] == struct.unpack("<I", bytes.fromhex(vector["bfpt"])[:4])[0]
