"""Partition tables: what ESP-IDF writes is read, and what must not be so is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.errors import UsageError
from espshell.image import partitions
from espshell.image import partitions as types
from espshell.image.partitions import Partition, PartitionTable
from tests.image.support import partition_csv, partition_table

LONGER = bytes.fromhex(
    "aa500000 00000100 00001000 666163746f727900 0000000000000000 00000000"
    "aa500120 00001100 00020000 6461746100000000 0000000000000000 00000000"
    "aa501000 00001500 00100000 7365636f6e640000 0000000000000000 00000000"
    "ebebffffffffffffffffffffffffffff f9bd061b45686f86571a2cd52a1da65b"
).ljust(0xC00, b"\xff")
"""Rows and MD5 of a table in the tests of ESP-IDF's gen_esp32part.py (Apache-2.0)."""

LONGER_TABLE = PartitionTable(
    (
        Partition("factory", types.APP, 0x00, 0x1_0000, 0x10_0000),
        Partition("data", types.DATA, 0x20, 0x11_0000, 0x200),
        Partition("second", 0x10, 0x00, 0x15_0000, 0x1000),
    ),
    md5_ok=True,
)

TWO_OTA = """\
# Name,   Type, SubType,  Offset,   Size,  Flags
nvs,      data, nvs,      0x9000,  0x4000
otadata,  data, ota,      0xd000,  0x2000

phy_init, data, phy,      0xf000,  0x1000,
factory,  app,  factory,  0x10000,  1M,
  # a comment
ota_0,    app,  OTA_0,    ,         1M, encrypted
log,      0x40, 7,        ,         5k, readonly:encrypted
nvs_key,  data, nvs_keys, ,        0x1000
ota_1,    1,    6,        ,        -4M
"""

NAMES = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=16)
BYTES = st.integers(0, 0xFE)
NUMBERS = st.integers(0, 0xFFFF_FFFF)
FLAGS = st.integers(0, 3)
PARTITIONS = st.builds(Partition, NAMES, BYTES, BYTES, NUMBERS, NUMBERS, FLAGS)


def app(name: str, offset: int, size: int) -> Partition:
    return Partition(name, types.APP, types.SUBTYPES[types.APP].get(name, 0), offset, size)


def data(name: str, offset: int, size: int, *, flags: int = 0) -> Partition:
    return Partition(name, types.DATA, types.SUBTYPES[types.DATA][name], offset, size, flags)


def line(text: str) -> Partition:
    """Return the only partition of a CSV file."""
    (partition,) = partitions.parse_csv(text).partitions
    return partition


def test_a_table_of_espressif_both_ways() -> None:
    """The bytes of ESP-IDF's own test, with its MD5, mean three partitions, and these those."""
    assert partitions.parse_binary(LONGER) == LONGER_TABLE
    assert partition_table(LONGER_TABLE) == LONGER


def test_the_csv_of_the_guide() -> None:
    """Blank offsets follow the row before, apps on 64 KiB; names, numbers and K, M, flags."""
    table = partitions.parse_csv(TWO_OTA)
    assert [(p.name, p.offset, p.end) for p in table.partitions[3:]] == [
        ("factory", 0x1_0000, 0x11_0000),
        ("ota_0", 0x11_0000, 0x21_0000),
        ("log", 0x21_0000, 0x21_1400),
        ("nvs_key", 0x21_2000, 0x21_3000),
        ("ota_1", 0x21_3000, 0x40_0000),
    ]
    assert [(p.type_name, p.subtype_name) for p in table.partitions[4:]] == [
        ("app", "ota_0"),
        ("0x40", "0x07"),
        ("data", "nvs_keys"),
        ("data", "undefined"),
    ]
    assert [p.flag_names for p in table.partitions[4:7]] == [
        ("encrypted",),
        ("encrypted", "readonly"),
        (),
    ]
    assert table.md5 == "absent"
    assert table.problems(0x40_0000) == ()


@given(st.lists(PARTITIONS, min_size=1, max_size=95).map(tuple))
def test_round_trip_binary(rows: tuple[Partition, ...]) -> None:
    """A table survives its binary form with a good MD5, and up to a sector of FF behind it."""
    data = partition_table(PartitionTable(rows))
    expected = PartitionTable(rows, md5_ok=True)
    assert len(data) == 0xC00
    assert partitions.parse_binary(data) == expected
    assert partitions.parse(data + b"\xff" * 0x400) == expected


@given(st.lists(PARTITIONS.filter(lambda p: p.end <= 1 << 32), min_size=1, max_size=95).map(tuple))
def test_round_trip_csv(rows: tuple[Partition, ...]) -> None:
    """A table survives CSV, but for the bootloader and the table, which stand where they stand."""
    rows = tuple(replace(p, type=p.type | 0x40) if p.type in (2, 3) else p for p in rows)
    table = PartitionTable(rows)
    assert partitions.parse(partition_csv(table).encode()) == table


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda tail: LONGER[:64] + tail))
def test_any_bytes_give_a_table_or_one_line(contents: bytes) -> None:
    """Garbage is refused in one line, and never by another exception."""
    for read in (partitions.parse, partitions.parse_binary):
        message = ""
        try:
            assert read(contents).partitions
        except UsageError as error:
            message = error.message
        assert "\n" not in message


@given(st.integers(0, 95), st.integers(1, 255))
def test_every_flipped_byte_of_the_rows_is_noticed(index: int, flip: int) -> None:
    """With one byte of its rows changed a table has a wrong MD5, or is none at all."""
    changed = bytearray(LONGER)
    changed[index] ^= flip
    try:
        table = partitions.parse_binary(bytes(changed))
    except UsageError:
        assert index % 32 < 2
    else:
        assert table.md5_ok is not True


def test_a_wrong_md5_is_a_finding() -> None:
    """The table is still read, as one wants to see it all the more then."""
    table = partitions.parse_binary(LONGER.replace(b"second", b"zecond"))
    assert table.md5 == "wrong"
    assert table.find("zecond") is not None
    assert "The table's MD5 is wrong." in table.problems()


def test_without_an_md5() -> None:
    """Tables from before ESP-IDF 3.1 have none; that is not wrong."""
    table = replace(LONGER_TABLE, md5_ok=None)
    assert partitions.parse_binary(partition_table(table, md5=False)) == table


@pytest.mark.parametrize(
    ("contents", "part"),
    [
        (b"", "does not end within 0 bytes"),
        (b"\xff" * 0x1000, "blank there"),
        (b"\xe9\x04" + bytes(30), "row 1 begins with e9 04"),
        (LONGER[:32] + bytes(32), "row 2 begins with 00 00"),
        (LONGER[:96], "does not end within 96 bytes"),
        (LONGER[:70], "does not end within 70 bytes"),
        (LONGER[:32] * 128, "does not end within 3072 bytes"),
    ],
    ids=["empty", "blank", "image", "zeros", "no end", "cut", "too long"],
)
def test_where_there_is_no_table(contents: bytes, part: str) -> None:
    """What is there instead is said; of a file no place in flash, which it need not have."""
    with pytest.raises(UsageError, match=part) as caught:
        partitions.parse_binary(contents, offset=0x9000)
    assert "0x9000" not in caught.value.message


@pytest.mark.parametrize(
    "contents", [LONGER[:96], LONGER[:32] + bytes(32), b"\xaa\x50", b"\xe9\x80"]
)
def test_a_file_is_at_no_place(contents: bytes) -> None:
    """A file that is not a table is not said to be somewhere in flash."""
    with pytest.raises(UsageError, match="not a partition table: ") as caught:
        partitions.parse(contents)
    assert "0x8000" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "has no partitions"),
        ("# only\n\n", "has no partitions"),
        ("nvs, data, nvs, 0x9000", "line 1 .*: no size$"),
        ("\nnvs, date, nvs, , 4k", "line 2 .*: type: 'date' is not a name"),
        ("a, app, ota_16, , 4k", "subtype: 'ota_16' is not a name"),
        ("a, app, , , 4k", "no subtype"),
        ("a, 0xff, 0, , 4k", "0 to 0xfe"),
        ("a, data, nvs, 010, 4k", "offset: '010' is not a number"),
        ("a, data, nvs, , 4k, secret", "flags: 'secret' is not a name"),
        ("a, data, nvs, 0x9000, -0x8000", "start at 0x9000 and end at 0x8000"),
        ("a, data, nvs, 0xffffffff, 2", "end at 0x100000001"),
        ("a, bootloader, primary, ,", "chip is unknown"),
    ],
)
def test_csv_that_cannot_be_meant(text: str, part: str) -> None:
    """The number of the line is said, and what is wrong in it."""
    with pytest.raises(UsageError, match=part):
        partitions.parse_csv(text)


def test_the_bootloader_and_the_table_stand_where_they_stand() -> None:
    """Their rows take no place in the order, and what they say of offset and size is ignored."""
    text = "b, bootloader, primary, N/A, N/A\nt, partition_table, primary,,\nnvs, data, nvs,, 12k"
    table = partitions.parse_csv(text, offset=0x1_0000, bootloader_offset=0x2000)
    assert [(p.offset, p.end) for p in table.partitions] == [
        (0x2000, 0x1_0000),
        (0x1_0000, 0x1_1000),
        (0x1_1000, 0x1_4000),
    ]
    assert table.problems() == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_files_of_editors(encoding: str) -> None:
    """A byte order mark in front of CSV is not part of the first name."""
    table = partitions.parse("nvs, data, nvs, 0x9000, 24k".encode(encoding))
    assert table.partitions == (data("nvs", 0x9000, 0x6000),)


def test_long_names_are_cut_as_in_flash() -> None:
    """CSV and the binary table made from it call a partition the same."""
    cut = line("a_name_that_is_too_long, data, nvs, 0x9000, 24k")
    assert cut.name == "a_name_that_is_t"
    assert partitions.parse_binary(partition_table(PartitionTable((cut,)))).partitions == (cut,)


def test_names_do_not_speak_to_the_terminal() -> None:
    """What cannot be printed, and what is not UTF-8, is shown escaped."""
    rows = partition_table(LONGER_TABLE, md5=False).replace(b"data\0", b"\x1b[\xffa\0")
    assert partitions.parse_binary(rows).partitions[1].name == r"\x1b[\xffa"


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        (
            [app("factory", 0x1_1000, 0x1000)],
            ["factory starts at 0x11000, which is not a multiple of 0x10000."],
        ),
        (
            [app("factory", 0x1_0000, 0x1001)],
            ["factory has 0x1001 bytes, which is not a multiple of 0x1000."],
        ),
        ([data("phy", 0x9001, 1)], ["phy starts at 0x9001, which is not a multiple of 0x1000."]),
        ([data("fat", 0x9000, 0)], ["fat is empty."]),
        (
            [data("nvs", 0x9000, 0x2000)],
            ["nvs is too small to be written: NVS needs 0x3000 bytes."],
        ),
        ([data("nvs", 0x9000, 0x2000, flags=2)], []),
        ([data("ota", 0x9000, 0x1000)], ["ota has 0x1000 bytes, not 0x2000."]),
        (
            [data("ota", 0x9000, 0x2000), replace(data("ota", 0xB000, 0x2000), name="two")],
            ["Only one partition can be data/ota: ota, two."],
        ),
        (
            [data("fat", 0x9000, 0x1000), data("fat", 0xA000, 0x1000)],
            ["2 partitions have the name fat."],
        ),
        (
            [data("fat", 0x8000, 0x2000)],
            ["fat (0x8000..0xa000) starts before 0x9000, where the table's sector ends."],
        ),
        (
            [
                data("fat", 0x9000, 0x9000),
                data("phy", 0xA000, 0x1000),
                data("efuse", 0xC000, 0x1000),
            ],
            [
                "phy (0xa000..0xb000) overlaps fat (0x9000..0x12000).",
                "efuse (0xc000..0xd000) overlaps fat (0x9000..0x12000).",
            ],
        ),
        (
            [data("fat", 0x1F_F000, 0x1001)],
            ["fat (0x1ff000..0x200001) ends past the end of the flash, which has 2 MiB."],
        ),
        ([data("fat", 0x1F_F000, 0x1000)], []),
    ],
)
def test_problems(rows: list[Partition], found: list[str]) -> None:
    """Each thing that ESP-IDF refuses is one sentence that names the partition."""
    assert list(PartitionTable(tuple(rows)).problems(0x20_0000)) == found


def test_find_and_at() -> None:
    """Names are found in any case, the right case first; an offset by who holds it."""
    table = PartitionTable((app("App", 0x1_0000, 0x1000), app("APP", 0x2_0000, 0x1000)))
    assert table.find("APP") is table.partitions[1]
    assert table.find("app") is table.partitions[0]
    assert table.find("a") is None
    assert table.at(0x1_0FFF) is table.partitions[0]
    assert table.at(0x1_1000) is None


@pytest.mark.parametrize("kind", types.SUBTYPES)
def test_every_name_of_a_subtype(kind: int) -> None:
    """Each name is one number and each number one name, and they fit the row's byte."""
    names = types.SUBTYPES[kind]
    assert kind in types.TYPES.values()
    assert {Partition("", kind, n, 0, 0).subtype_name: n for n in names.values()} == names
    assert all(0 <= number <= 0xFE for number in names.values())
