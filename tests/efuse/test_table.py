"""The tables of eFuses, row by row, and against Espressif's register tables."""

from __future__ import annotations

from itertools import pairwise

import pytest

from espshell import efuse, registers
from espshell.chips import NAMES, Field, by_name
from espshell.efuse import THEMES, Place, Table

TABLES = [(chip, None) for chip in NAMES] + [("esp32p4", (3, 0))]

KINDS = {
    "flag", "number", "hex", "count", "bits", "purpose", "key", "bytes", "mac", "mac_first", "crc",
    "crc_first", "words", "signed", "twos", "pad",
}  # fmt: skip

OVERLAPS = {"BLOCK_USR_DATA", "BLOCK3", "BLOCK_SYS_DATA2", "BLOCK_KEY0"}
"""Whole blocks in which other fields lie."""


@pytest.fixture(params=TABLES, ids=lambda each: f"{each[0]}{'-v3' if each[1] else ''}")
def table(request: pytest.FixtureRequest) -> Table:
    """Return each table."""
    return efuse.of(*request.param)


def test_rows(table: Table) -> None:
    """Names are unique, fields lie in their blocks, kinds and themes exist."""
    words = {block.number: block.words for block in table.blocks}
    assert list(words) == list(range(len(words)))
    assert len({fuse.name for fuse in table.fuses}) == len(table.fuses)
    for fuse in table.fuses:
        for place in fuse.places:
            assert 0 <= place.first < place.first + place.width <= 32 * words[place.block], fuse
        kind, _, argument = fuse.meaning.kind.partition(":")
        assert kind in KINDS, fuse
        assert fuse.meaning.theme in THEMES, fuse
        assert fuse.meaning.text, fuse
        assert kind != "words" or len(table.values[argument]) >= 1 << fuse.width or argument in (
            "level", "curves",
        ), fuse  # fmt: skip
        assert kind not in ("crc", "crc_first") or table.find(argument), fuse


def test_blocks_are_registers_that_read(table: Table) -> None:
    """Blocks do not overlap, end in the controller, and begin behind what burns."""
    chip = by_name(table.chip)
    assert chip is not None
    spans = sorted((b.offset, b.offset + 4 * b.words) for b in table.blocks)
    assert all(end <= start for (_, end), (start, _) in pairwise(spans))
    assert spans[-1][1] <= chip.efuse.size
    assert spans[0][0] == (0 if table.chip in ("esp32", "esp8266") else 0x2C)


def test_fields_do_not_share_bits(table: Table) -> None:
    """A bit belongs to one field, but for sums of parts, halves and whole blocks."""
    owner: dict[tuple[int, int], str] = {}
    parts = [f for f in table.fuses if len(f.places) == 1 and f.name not in OVERLAPS]
    for fuse in parts:
        if fuse.meaning.theme == "identity" and fuse.name in ("MAC_LOW", "SDK_CHIP_ID"):
            continue
        place = fuse.places[0]
        for bit in range(place.first, place.first + place.width):
            assert owner.setdefault((place.block, bit), fuse.name) == fuse.name
    for fuse in table.fuses:
        if len(fuse.places) > 1 and fuse.name.startswith(("WAFER", "RECOVERY", "BOOTLOADER")):
            owners = {owner.get((p.block, p.first)) for p in fuse.places}
            assert None not in owners, fuse


def test_the_tables_of_chips_agree(table: Table) -> None:
    """What the tables of chips read of eFuses is the field of that name."""
    chip = by_name(table.chip)
    assert chip is not None
    fields = {"PKG_VERSION": chip.package} if chip.name in ("esp32", "esp32c3") else {}
    fields |= {"WAFER_VERSION_MINOR": chip.minor} if chip.minor.parts else {}
    if chip.name != "esp32":  # whose major revision has a bit elsewhere
        fields |= {"WAFER_VERSION_MAJOR": chip.major} if chip.major.parts else {}
    fields |= {"MAC_EXT": chip.mac_ext} if chip.mac_ext else {}
    fields |= {"FLASH_CRYPT_CNT": chip.flash_crypt_count} if chip.flash_crypt_count else {}
    fields |= {fuse.name: fuse.field for fuse in chip.security_fuses}
    for name, field in fields.items():
        fuse = table.find(name)
        assert fuse is not None, name
        assert _bits(table, fuse.places) == _chip_bits(field, chip.efuse.start), name


def _bits(table: Table, places: tuple[Place, ...]) -> list[tuple[int, int]]:
    return [
        (table.blocks[p.block].offset + bit // 32 * 4, bit % 32)
        for p in places
        for bit in range(p.first, p.first + p.width)
    ]


def _chip_bits(field: Field, start: int) -> list[tuple[int, int]]:
    return [
        (part.address - start, bit)
        for part in field.parts
        for bit in range(part.low, part.low + part.width)
    ]


DISPUTED = {("esp32c6", "CRYPT_DPA_ENABLE")}
"""Where the description has another bit than ESP-IDF and espefuse have."""


@pytest.mark.parametrize("chip", ["esp32c3", "esp32c6", "esp32h2", "esp32s2", "esp32s3", "esp32c2"])
def test_registers_have_the_same_bits(chip: str) -> None:
    """A field of block 0 that Espressif's register description names is where that says."""
    table, tables = efuse.of(chip), registers.of(chip)
    facts = by_name(chip)
    assert tables is not None
    assert facts is not None
    compared = 0
    for name in tables.names("EFUSE"):
        register = tables.find(f"EFUSE.{name}")
        if register is None or not name.startswith(("RD_REPEAT_DATA", "RD_WR_DIS")):
            continue
        for field in register.fields:
            fuse = table.find(field.name)
            if fuse is None or (chip, field.name) in DISPUTED:
                continue
            at = register.address - facts.efuse.start
            assert _bits(table, fuse.places)[0] == (at, field.low), field.name
            assert fuse.width == field.width, field.name
            compared += 1
    assert compared > 10
