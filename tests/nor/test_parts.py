"""The table of parts row by row, and which part an id and SFDP stand for."""

from __future__ import annotations

import json
import struct
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.errors import UsageError
from espshell.nor import layout, makers, opcodes, parts
from espshell.nor.layout import WRITE_PLANS, BitKind
from espshell.nor.parts import Part, Volatile
from espshell.nor.sfdp import BASIC, Sfdp, Table, parse_basic
from tests.rows import every

VECTORS = json.loads((Path(__file__).parents[1] / "data/nor-vectors.json").read_text("utf-8"))
ROWS = parts.rows()
EACH = every(ROWS, lambda part: part.name)
IDS = sorted({part.jedec_id for part in ROWS})

MX25R = next(each["bfpt"] for each in VECTORS["sfdp"] if each["part"] == "MX25R6435F")
QPI = next(each["bfpt"] for each in VECTORS["sfdp"] if each["part"] == "IS25WP128F")


def table(hexadecimal: str, minor: int = 6) -> Sfdp:
    """Return SFDP with these basic parameters."""
    data = bytes.fromhex(hexadecimal)
    words = struct.unpack(f"<{len(data) // 4}I", data)
    tables = (Table(BASIC, (1, minor), 0x30, len(words), words),)
    return Sfdp((1, minor), 0xFF, tables, parse_basic(words))


def made(size: int, *, minor: int, qpi: bool = True, quad: bool = True) -> Sfdp:
    """Return SFDP of nine words with what tells parts apart."""
    first = 0x0001_20E5 | quad << 21 | quad << 22
    words = (first, size * 8 - 1, 0, 0, 0xFFFF_FFEE | qpi << 4, 0, 0, 0, 0)
    return Sfdp((1, minor), 0xFF, (Table(BASIC, (1, 0), 0x30, 9, words),), parse_basic(words))


@EACH
def test_rows(part: Part) -> None:
    """Each row has a size, a maker, sources, a known confidence, and writes what its layout has."""
    assert part.size >= 512 * 1024
    assert makers.name(part.jedec_id)
    assert part.confidence in ("A", "B", "C")
    assert set(part.sources) <= {"FR", "UF", "IDF", "RK", "BK", "SFU", "OFL", "DS", "RD"}
    assert part.sources
    assert len(part.confidence) == 1
    assert part.variants
    assert all(name.isascii() and "/" not in name for name in part.names)
    assert len(part.writes) == 1


@EACH
def test_confidence_a_has_two_sources(part: Part) -> None:
    """A means that two independent sources agree."""
    assert part.confidence != "A" or len(part.sources) > 1


@EACH
def test_one_way_registers_are_not_written(part: Part) -> None:
    """The registers of Macronix and ISSI that only burn one-way bits are in no write plan."""
    assert not part.written & {"SCUR", "FR"}


@EACH
def test_words_of_tests(part: Part) -> None:
    """Each word that tells parts apart is one that ``candidates`` understands."""
    for word in part.tests:
        assert parts._holds(word, made(part.size, minor=5)) in (True, False)


def test_layouts_and_plans_are_used() -> None:
    """No layout and no way to write stands in the tables for nobody."""
    used = {part.layout.name for part in ROWS}
    assert set(layout.names()) - used <= {"eon_f"}
    plans = {part.writes[0].name for part in ROWS} | set(parts._STAND_IN_PLANS.values())
    assert plans == set(WRITE_PLANS)


def test_names_are_unique_with_an_id() -> None:
    """A name decides between the parts of an id; elsewhere it may come again."""
    pairs = [(part.jedec_id, name.upper()) for part in ROWS for name in part.names]
    assert len(set(pairs)) == len(pairs)


@EACH
def test_only_what_reads_is_read(part: Part) -> None:
    """The opcodes of a part's layout only read on its maker's parts; EON's SR2 is the exception."""
    for register in part.layout.registers:
        exception = (
            makers.manufacturer(part.jedec_id) == makers.EON
            and register.read_opcode == opcodes.RDSR2
        )
        if not exception:
            assert not opcodes.describe(
                register.read_opcode, makers.manufacturer(part.jedec_id)
            ).writes


@given(st.sampled_from(IDS), st.sampled_from([None, MX25R, QPI]), st.sampled_from([0, 5, 6]))
def test_35h_never_goes_where_it_enters_qpi(jedec_id: int, words: str | None, minor: int) -> None:
    """ISSI and Macronix ids are never asked by 35h, and no part whose SFDP says it enters QPI."""
    found = parts.identify(jedec_id, table(words, minor) if words else None)
    read = {register.read_opcode for register in found.part.layout.registers}
    by_maker = makers.manufacturer(jedec_id) in (makers.ISSI, makers.MACRONIX)
    if by_maker or words == QPI:
        assert opcodes.RDSR2 not in read


@pytest.mark.parametrize(
    ("jedec_id", "found", "names"),
    [
        (0xEF4016, made(4 << 20, minor=5), ["W25Q32JV"]),
        (0xEF4016, made(4 << 20, minor=0, qpi=True), ["W25Q32FV"]),
        (0xEF4016, made(4 << 20, minor=0, qpi=False), ["W25Q32BV"]),
        (0xEF4016, None, ["W25Q32BV", "W25Q32FV", "W25Q32JV"]),
        (0xEF4016, made(4 << 20, minor=6), ["W25Q32BV", "W25Q32FV", "W25Q32JV"]),
        (0xEF4017, made(8 << 20, minor=0, qpi=True), ["W25Q64CV"]),
        (0xEF4017, made(8 << 20, minor=0, qpi=False), ["W25Q64BV"]),
        (0xEF4018, made(16 << 20, minor=5), ["W25Q128JV-Q"]),
        (0xEF6016, made(4 << 20, minor=6), ["W25Q32JW-Q"]),
        (0xEF6017, made(8 << 20, minor=0), ["W25Q64DW"]),
        (0xC84016, made(4 << 20, minor=6), ["GD25Q32E"]),
        (0xC84016, made(4 << 20, minor=0), ["GD25Q32B", "GD25Q32C"]),
        (0xC22016, made(4 << 20, minor=0, quad=True), ["MX25L3233F"]),
        (0xC22016, made(4 << 20, minor=0, quad=False), ["MX25L3206E"]),
        (0xC22017, made(8 << 20, minor=0), ["MX25L6436E", "MX25L6433F"]),
        (0x9D6016, None, ["IS25LP032D", "IS25LP032"]),
        (0x123456, None, []),
    ],
)
def test_telling_apart(jedec_id: int, found: Sfdp | None, names: list[str]) -> None:
    """Minor revision, 4-4-4 and quad reads decide; where they do not, the candidates stay."""
    assert [part.names[0] for part in parts.candidates(jedec_id, found)] == names


@pytest.mark.parametrize("vector", VECTORS["sfdp"], ids=lambda each: each["part"])
def test_real_parts_have_no_doubts(vector: dict[str, Any]) -> None:
    """The real tables agree with the rows of their parts."""
    minor = 5 if vector["jedec"].startswith("ef") else 0 if vector["dwords"] == 9 else 6
    found = parts.identify(int(vector["jedec"], 16), table(vector["bfpt"], minor))
    assert found.known
    assert not found.doubts
    assert not found.part.is_open
    assert found.size == int(vector["size"], 16)


def test_qer_decides_between_candidates() -> None:
    """QER 010 says that QE is in SR1: the Macronix parts without QE are out."""
    names = [part.names[0] for part in parts.candidates(0xC22016, table(MX25R))]
    assert names == ["MX25L3233F"]


def test_qer_alone_decides_between_candidates() -> None:
    """Where nothing else tells parts apart, those stay that have QE where QER says; else all."""
    whole, nine_words = table(MX25R), table(MX25R[: 9 * 8])
    names = [[p.names[0] for p in parts.candidates(0xC84019, each)] for each in (whole, nine_words)]
    assert names == [["GD25Q256C"], ["GD25Q256C", "GD25Q256D"]]


def test_a_copy_is_doubted() -> None:
    """SFDP of another size than the id's is a copy of the part (ZD25Q128C), and said."""
    found = parts.identify(0xEF4018, made(8 << 20, minor=5))
    assert "SFDP says 8 MiB and the id 16 MiB" in found.doubts[0]


def test_qe_elsewhere_is_doubted() -> None:
    """QER 010 on a part whose QE is in SR2 is a contradiction."""
    found = parts.identify(0x684017, table(MX25R))
    assert any("QE" in doubt for doubt in found.doubts)


def test_a_register_behind_qpi_is_doubted() -> None:
    """A part of the table whose SFDP says that 35h enters QPI is read without SR2, and doubted."""
    found = parts.identify(0x684017, table(QPI))
    assert [register.name for register in found.part.layout.registers] == ["SR1", "SR3"]
    assert any("35h enters QPI" in doubt for doubt in found.doubts)
    assert not parts.identify(0x9D7018, table(QPI)).doubts


def test_a_name_decides() -> None:
    """What is read on the part picks the candidate; a name that does not have the id is refused."""
    assert parts.identify(0xC84016, None, name="gd25q32c").part.names == ("GD25Q32C",)
    with pytest.raises(UsageError) as caught:
        parts.identify(0xC84016, None, name="W25Q32JV")
    assert "GD25Q32B, GD25Q32C, GD25Q32E" in caught.value.hint
    with pytest.raises(UsageError):
        parts.identify(0x123456, None, name="W25Q32JV")


def test_by_name() -> None:
    """Every name of the table finds its part, however it is written."""
    for part in ROWS:
        for name in part.names:
            found = parts.by_name(name.lower())
            assert found is not None
            assert name in found.names
    assert parts.by_name("W25Q999") is None


@pytest.mark.parametrize(
    ("qer", "register", "position", "plan"),
    [
        (0, None, 0, "none"),
        (1, "SR2", 1, "w16"),
        (2, "SR1", 6, "sr1"),
        (3, "SR2", 7, "3e"),
        (4, "SR2", 1, "w16"),
        (5, "SR2", 1, "w16"),
        (6, "SR2", 1, "31"),
        (7, None, 0, "none"),
    ],
)
def test_an_unknown_part_has_qe_at_most(
    qer: int, register: str | None, position: int, plan: str
) -> None:
    """Of an id that is not known only QE can be written, where and how SFDP says it."""
    data = bytearray(bytes.fromhex(MX25R))
    word = struct.unpack_from("<I", data, 14 * 4)[0] & ~(7 << 20) | qer << 20
    struct.pack_into("<I", data, 14 * 4, word)
    found = parts.identify(0x774017, table(data.hex()))
    settable = [field for field in found.part.layout.fields if field.kind.settable]
    assert not found.known
    assert found.part.writes[0].name == plan
    assert [(f.name, f.register, f.bits[0].position) for f in settable] == (
        [("QE", register, position)] if register else []
    )


@pytest.mark.parametrize("maker", sorted(makers.OTHER_COMMANDS))
def test_an_unknown_part_of_a_maker_with_other_commands(maker: int) -> None:
    """Nothing but SR1 is read of an unknown part where 35h may be something else."""
    data = bytearray(bytes.fromhex(MX25R))
    word = struct.unpack_from("<I", data, 14 * 4)[0] & ~(7 << 20) | 4 << 20
    struct.pack_into("<I", data, 14 * 4, word)
    found = parts.identify(maker << 16 | 0x7777, table(data.hex()))
    assert [register.name for register in found.part.layout.registers] == ["SR1"]


def test_an_unknown_part_without_sfdp() -> None:
    """BUSY and WEL are read, and nothing can be written."""
    found = parts.identify(0x774017, None)
    assert found.part.written == frozenset()
    assert {f.kind for f in found.part.layout.fields} == {BitKind.READ_ONLY}
    assert found.size == 8 << 20


@pytest.mark.parametrize(
    ("name", "found", "possible"),
    [
        ("W25Q32JV", None, True),
        ("W25Q128JV-M", None, False),
        ("W25Q128JV-M", table(VECTORS["sfdp"][0]["bfpt"]), True),
        ("MX25U1635E", None, False),
        ("MX25R6435F", table(MX25R), False),
        ("IS25LP064", None, False),
        ("BY25Q32ES", made(4 << 20, minor=0), False),
        ("EN25QH32", None, False),
        ("GD25Q32B", None, False),
    ],
)
def test_volatile(name: str, found: Sfdp | None, possible: bool) -> None:
    """50h is used where the table or DW16 says so, and nowhere else (zephyr#116604)."""
    part = parts.by_name(name)
    assert part is not None
    answer, why = parts.volatile_possible(parts.identify(part.jedec_id, found, name=name))
    assert answer is possible
    assert why


def test_volatile_of_candidates() -> None:
    """With one candidate that does not support 50h it is not sent."""
    assert parts.identify(0xC84016, None).part.volatile is Volatile.NO


@pytest.mark.parametrize(
    ("name", "count", "said"),
    [
        ("W25Q64BV", 1, "clear SR2"),
        ("P25Q32H", 2, "clear SR2"),
        ("MX25L3233F", 2, "one-way"),
        ("MX25L3233F", 1, None),
        ("W25Q128JV", 3, None),
        ("IS25LP064", 2, "no SR2"),
        ("XM25QH32C", 3, None),
    ],
)
def test_what_the_incumbents_sequence_loses(name: str, count: int, said: str | None) -> None:
    """01h with one byte clears SR2 on the older kind; a second byte is CR on Macronix parts."""
    part = parts.by_name(name)
    assert part is not None
    text = parts.loses_bits(part, count)
    assert text is None if said is None else text is not None and said in text


def test_sizes_of_the_ids_of_1_8_v_parts() -> None:
    """MX25U and others count from 30h on; what lies beside that range is another code."""
    sizes = {code: makers.size(0xC22500 | code) for code in (0x30, 0x36, 0x3C, 0x2F, 0x40)}
    assert sizes == {0x30: 1 << 16, 0x36: 1 << 22, 0x3C: 1 << 28, 0x2F: None, 0x40: None}


def test_a_part_that_does_not_know_50h_overrules_sfdp() -> None:
    """SFDP may be a copy's; the data sheet says no."""
    part = parts.by_name("MX25R6435F")
    assert part is not None
    assert part.volatile is Volatile.NO
    found = parts.identify(part.jedec_id, None, name="MX25R6435F")
    says_yes = replace(found, sfdp=table(QPI))
    assert says_yes.sfdp is not None
    assert says_yes.sfdp.basic is not None
    assert not parts.volatile_possible(says_yes)[0]
