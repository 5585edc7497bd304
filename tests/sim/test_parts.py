"""The flash parts: registers, locks and protection of each, against published values."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from espshell.sim import parts
from espshell.sim.guard import ProtectionBits, Shape, StatusBit, guarded
from espshell.sim.nor import SECTOR
from espshell.sim.parts import PartModel
from espshell.units import KIB, MIB
from tests.sim.support import Bus

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[1] / "data" / "nor-vectors.json").read_text()
)
SHAPES = {
    "std": Shape.HALVES,
    "bitcmp": Shape.HALVES,
    "b64k": Shape.BLOCKS,
    "2x": Shape.DOUBLE,
    "fm16": Shape.SIXTEENTH,
    "mx_type2": Shape.LOWER,
    "eon_inv": Shape.INVERTED,
    "issi_b": Shape.ALL_BUT,
}
NAMED = [part.name for part in parts.PARTS]
WINBOND_LIKE = [part.name for part in parts.PARTS if part.srp1 is not None]
BLOCK = 64 * KIB


@pytest.fixture(params=parts.PARTS, ids=lambda part: part.name)
def part(request: pytest.FixtureRequest) -> PartModel:
    found = request.param
    assert isinstance(found, PartModel)
    return found


def reset(bus: Bus) -> None:
    """Let it forget its volatile values."""
    bus(0x66)
    bus(0x99)


def number(text: str | int) -> int:
    return int(str(text), 0)


# -- the table


def test_rows(part: PartModel) -> None:
    """Ids tell sizes, masks do not overlap, and what is named exists."""
    assert 1 << (0x10 | part.jedec_id & 0x0F) == part.size
    opcodes = [write.opcode for write in part.writes]
    assert len(set(opcodes)) == len(opcodes)
    assert all(index < len(part.registers) for write in part.writes for index in write.registers)
    for register in part.registers:
        assert not register.writable & register.one_way
        assert not register.factory & ~(register.writable | register.one_way)
    bits = [*part.guard.bp, part.srp0]
    assert all(part.registers[bit.register].writable >> bit.bit & 1 for bit in bits)
    times = part.times
    rising = (times.sector_s, times.half_block_s, times.block_s, times.chip_s)
    assert times.page_s < times.sector_s
    assert all(a <= b for a, b in pairwise(rising))


def test_names_are_found() -> None:
    """Whole, in any case, or by a beginning that only one has; families go on by size."""
    for name in NAMED:
        assert parts.by_name(name) is parts.by_name(name.lower())
    found = {text: parts.by_name(text) for text in ("W25Q32", "w25q64", "GD25Q80", "EN25QH3")}
    names = {text: part and part.name for text, part in found.items()}
    assert names == {
        "W25Q32": "W25Q32JV",
        "w25q64": "W25Q64",
        "GD25Q80": "GD25Q80",
        "EN25QH3": "EN25QH32",
    }
    assert found["GD25Q80"] is not None
    assert (found["GD25Q80"].size, found["GD25Q80"].jedec_id) == (MIB, 0xC84014)
    assert [parts.by_name(text) for text in ("", "4M", "25Q", "IS25", "XX25Q32")] == [None] * 5


@pytest.mark.parametrize("row", VECTORS["sfdp"], ids=lambda row: row["part"])
def test_images_of_real_parts(row: dict[str, Any]) -> None:
    """Where a part has a published table, the simulated one has it."""
    found = parts.by_name(row["part"].split()[0])
    if found is None:
        pytest.skip("not simulated")
    assert bytes.fromhex(row["bfpt"]) in found.sfdp


def test_images_tell_the_size(part: PartModel) -> None:
    """Header and density of each image agree with the part; two have none."""
    if not part.sfdp:
        assert part.name in ("W25Q64BV", "EN25Q32B")
        return
    assert part.sfdp[:4] == b"SFDP"
    at = int.from_bytes(part.sfdp[12:15], "little")
    words = part.sfdp[11]
    assert len(part.sfdp) >= at + 4 * words
    assert int.from_bytes(part.sfdp[at + 4 : at + 8], "little") == 8 * part.size - 1


# -- protection


@pytest.mark.parametrize("row", VECTORS["wp"], ids=lambda row: row["id"])
def test_protected_ranges(row: dict[str, Any]) -> None:
    """Every vector: what a status covers."""
    status = number(row["status"])

    def bit(name: str) -> StatusBit | None:
        return StatusBit(row[name] >> 3, row[name] & 7) if name in row else None

    inverts = row["variant"] == "bitcmp"
    guard = ProtectionBits(
        tuple(StatusBit(0, 2 + index) for index in range(row["bp_bits"])),
        tb=bit("tb_pos"),
        sec=bit("sec_pos"),
        cmp=None if inverts else bit("cmp_pos"),
        flip=bit("cmp_pos") if inverts else None,
        shape=SHAPES[row["variant"]],
    )
    covered = guarded(guard, number(row["size"]), (status & 0xFF, status >> 8))
    start = covered.start if covered else number(row["start"])
    assert (start, len(covered)) == (number(row["start"]), number(row["length"]))
    named = parts.by_name(row["part"])
    if named is not None and named.size == number(row["size"]) and row["variant"] != "issi_b":
        values = (status & 0xFF, status >> 8, *bytes(len(named.registers)))
        if named.guard.cmp is None:
            values = (status & 0xFF, *bytes(3))  # what stands there is no SR2
        assert guarded(named.guard, named.size, values) == covered


def test_all_codes_cover_sectors(part: PartModel) -> None:
    """Whatever the first registers hold, the range is made of sectors and lies in the flash."""
    for status in range(0, 0x100, 4):
        for second in (0, 0x40):
            covered = guarded(part.guard, part.size, (status, second, 0, 0))
            assert 0 <= covered.start <= covered.stop <= part.size
            assert covered.start % SECTOR == covered.stop % SECTOR == 0


def test_protection_blocks_erase_and_program(part: PartModel) -> None:
    """In every part: what is covered stays, what is not changes, and a chip erase does nothing."""
    code = (0x10, 0, 0, 0)
    bus = Bus(part.name, code[: len(part.registers)])
    covered = bus.nor.guarded
    assert covered
    assert len(covered) < part.size
    bus.nor.data[:] = bytes(part.size)
    inside, outside = covered.start, covered.stop % part.size
    if outside in covered:
        outside = covered.start - BLOCK
    for opcode in (0x20, 0x52, 0xD8):
        bus.at(opcode, inside)
        assert bus.nor.data[inside] == 0
        bus.at(opcode, outside)
        assert bus.nor.data[outside] == 0xFF
    bus.do(0xC7)
    assert bus.nor.data[inside] == 0
    bus.nor.data[:] = b"\xff" * part.size
    bus.at(0x02, inside, b"\0")
    bus.at(0x02, outside, b"\0")
    assert (bus.nor.data[inside], bus.nor.data[outside]) == (0xFF, 0)
    count = bus.nor.count
    assert (count.sectors, count.blocks, count.chips, count.pages) == (1, 2, 0, 1)


def test_an_erase_that_only_touches_what_is_protected() -> None:
    """It does nothing at all."""
    bus = Bus("W25Q32JV", (0x44,))
    assert bus.nor.guarded == range(4 * MIB - SECTOR, 4 * MIB)
    bus.nor.data[:] = bytes(4 * MIB)
    bus.at(0xD8, 4 * MIB - BLOCK)
    assert 0xFF not in bus.nor.data
    bus.at(0x20, 4 * MIB - 2 * SECTOR)
    assert bytes(bus.nor.data).count(0xFF) == SECTOR


@pytest.mark.parametrize("name", NAMED)
def test_what_tells_of_a_refusal(name: str) -> None:
    """WEL stays set where nothing else tells; parts with error bits set them and drop WEL."""
    bus = Bus(name, (0x1C,))
    part = bus.nor.part
    inside = bus.nor.guarded.start
    bus.at(0x20, inside)
    if part.erase_error is None:
        assert bus.look()[0] & 0x02
        return
    assert not bus.look()[0] & 0x02
    read = part.registers[part.erase_error.register].read
    assert read is not None
    assert part.program_error is not None
    assert bus.look(read)[0] >> part.erase_error.bit & 1
    bus.at(0x02, inside, b"\0")
    told = bus.look(read)[0]
    assert (told >> part.program_error.bit & 1, told >> part.erase_error.bit & 1) == (1, 0)
    if part.protection_error is not None:
        assert told >> part.protection_error.bit & 1


def test_blocks_locked_one_by_one() -> None:
    """With WPS the code means nothing: all is locked at power-on, and unlocked by address."""
    bus = Bus("W25Q128JV", (0, 0, 0x04))
    assert not bus.nor.guarded
    bus.nor.data[:] = bytes(bus.nor.size)
    bus.at(0x20, 2 * BLOCK)
    bus(0x04)
    bus(0x39, 2, 0, 0)
    assert bus(0x3D, 2, 0, 0, read=1) == b"\1"
    bus.at(0x39, 2 * BLOCK)
    bus.at(0x39, 0)
    assert bus(0x3D, 2, 0x12, 0, read=1) == b"\0"
    bus.at(0xD8, 2 * BLOCK)
    bus.at(0xD8, 0)
    bus.at(0x20, 0)
    assert bytes(bus.nor.data).count(0xFF) == BLOCK + SECTOR
    bus.at(0x36, 2 * BLOCK)
    bus.at(0x02, 2 * BLOCK, b"\0")
    assert bus.nor.data[2 * BLOCK] == 0xFF
    bus.do(0x98)
    bus.do(0xC7)
    assert bytes(bus.nor.data).count(0xFF) == bus.nor.size
    bus.do(0x7E)
    bus.at(0x02, 0, b"\0")
    assert bus.nor.data[0] == 0xFF


# -- registers


def test_volatile_and_stored_copies() -> None:
    """After 50h a write counts at once and until 66h, 99h or no power; after 06h for good."""
    for name in WINBOND_LIKE:
        bus = Bus(name)
        if not bus.nor.part.volatile_writes:
            continue
        bus.do(0x01, 0x1C, 0x02, enable=0x50)
        if bus.look()[0] & 0x1C == 0:  # one byte each
            bus(0x04)
            bus.do(0x01, 0x1C, enable=0x50)
        assert (name, bus.look()[0], bus.now) == (name, 0x1C, 0.0)
        reset(bus)
        assert bus.look() == [0]
        bus.do(0x01, *((0x1C, 0) if bus.nor.part.writes[0].clears_rest else (0x1C,)))
        reset(bus)
        bus.nor.power_cycle()
        assert (name, bus.look()) == (name, [0x1C])
        bus.do(0x01, 0, enable=0x50)
        assert bus.look() == [0]
        bus.nor.power_cycle()
        assert bus.look() == [0x1C]


@pytest.mark.parametrize("name", ["W25Q64BV", "MX25L3233F", "EN25QH32"])
def test_parts_without_50h(name: str) -> None:
    """They do not hear it, and refuse the write that follows."""
    bus = Bus(name)
    bus.do(0x01, 0x04, enable=0x50)
    assert bus.look() == [0]
    assert bus.nor.count.offences == ["01h without WEL"]


def test_a_stale_wel_makes_a_volatile_write_last() -> None:
    """06h and then 50h: the write is stored."""
    bus = Bus("W25Q32JV")
    bus(0x06)
    bus.do(0x01, 0x04, enable=0x50)
    bus.nor.power_cycle()
    assert (bus.look(), bus.nor.count.status_writes) == ([0x04], 1)


@pytest.mark.parametrize(
    ("name", "after_one", "after_two", "after_31"),
    [
        ("W25Q32JV", [0x04, 0x02], [0x08, 0x40], [0x08, 0x02]),
        ("W25Q128JV", [0x04, 0x02], [0x08, 0x40], [0x08, 0x02]),
        ("W25Q64BV", [0x04, 0x00], [0x08, 0x01], None),
        ("GD25LQ32", [0x04, 0x00], [0x08, 0x40], [0x08, 0x40]),
        ("P25Q32H", [0x04, 0x00], [0x08, 0x40], [0x08, 0x40]),
        ("GD25Q32C", [0x04, 0x02], [0x04, 0x02], [0x04, 0x02]),
        ("XM25QH64C", [0x04, 0x02], [0x04, 0x02], [0x04, 0x02]),
        ("BY25Q32ES", [0x04, 0x02], [0x04, 0x02], [0x04, 0x02]),
        ("ZB25VQ32", [0x04, 0x02], [0x04, 0x02], [0x04, 0x02]),
    ],
)
def test_write_styles(
    name: str, after_one: list[int], after_two: list[int], after_31: list[int] | None
) -> None:
    """One byte after 01h clears SR2 on the older kind; two are refused by the newest; 31h."""
    bus = Bus(name, (0, 0x02))
    bus.do(0x01, 0x04)
    assert bus.look(0x05, 0x35) == after_one
    second = 0x01 if name == "W25Q64BV" else 0x40
    bus.do(0x01, 0x08, second)
    refused = 0x02 if after_two == after_one else 0
    assert bus.look(0x05, 0x35) == [after_two[0] | refused, after_two[1]]
    bus(0x04)
    if after_31 is not None:
        bus.do(0x31, 0x02)
        bus(0x04)
        assert bus.look(0x05, 0x35) == after_31


def test_all_ones_write_what_can_be_written(part: PartModel) -> None:
    """Reserved and read-only bits stay; one-way bits stay set when zeros follow."""
    bus = Bus(part.name)
    for write in part.writes:
        if not write.volatile:
            bus.do(write.opcode, *(0xFF for _ in write.registers))
            bus.nor.status.stored[0] &= 0x7F  # or nothing can be written after this
            bus.nor.power_cycle()
    for burn in part.burns:
        bus.do(burn.opcode)
    for register, value in zip(part.registers, bus.nor.status.stored, strict=True):
        allowed = register.writable | register.one_way
        assert value & ~allowed == 0
        assert value & register.one_way in (register.one_way, 0)
    burnt = [v & r.one_way for r, v in zip(part.registers, bus.nor.status.stored, strict=True)]
    for write in part.writes:
        bus.do(write.opcode, *bytes(len(write.registers)))
        reset(bus)
    after = [v & r.one_way for r, v in zip(part.registers, bus.nor.status.active, strict=True)]
    assert after == burnt
    reachable = [register.one_way for register in part.registers if register.read is not None]
    assert any(burnt) == any(reachable)


def test_one_way_bits_are_not_set_for_a_time() -> None:
    """A volatile write leaves LB alone, and does not take SRP1 back."""
    bus = Bus("GD25Q32C")
    bus.do(0x31, 0x38, enable=0x50)
    assert bus.look(0x35) == [0]
    bus.do(0x31, 0x38)
    bus.do(0x31, 0x00, enable=0x50)
    assert bus.look(0x35) == [0x38]


@pytest.mark.parametrize("name", NAMED)
def test_hardware_lock(name: str) -> None:
    """SRP0 freezes the registers while WP# is low, and not while that pin is a data line."""
    for wp_low in (False, True):
        bus = Bus(name, (0x80,), wp_low=wp_low)
        if bus.nor.status.is_locked is False and wp_low:
            assert bus.nor.part.qe is not None  # QE is set in the factory
            assert bus.nor.part.name == "W25Q128JV"
            continue
        zeros = 2 if bus.nor.part.writes[0].clears_rest else 1
        bus.do(0x01, *bytes(zeros))
        assert bus.look() == ([0x82] if wp_low else [0])
    bus = Bus("W25Q32JV", (0x80, 0x02), wp_low=True)
    bus.do(0x01, 0)
    assert bus.look() == [0]


@pytest.mark.parametrize("name", WINBOND_LIKE)
def test_locks_of_srp1(name: str) -> None:
    """1,0 holds until the power goes, and 1,1 for good; volatile writes are refused as well."""
    zeros = bytes(2 if parts.by_name(name).writes[0].clears_rest else 1)  # type: ignore[union-attr]
    bus = Bus(name, (0x04, 0x01))
    for enable in (0x06, 0x50):
        bus.do(0x01, data=zeros, enable=enable)
        bus(0x04)
    reset(bus)
    bus.do(0x01, data=zeros)
    assert bus.look(0x05, 0x35) == [0x06, 0x01]
    bus.nor.power_cycle()
    bus.do(0x01, data=zeros)
    assert bus.look(0x05, 0x35) == [0, 0]
    bus = Bus(name, (0x84, 0x01))
    bus.nor.power_cycle()
    bus.do(0x01, data=zeros)
    assert bus.look(0x05, 0x35) == [0x86, 0x01]


# -- other makers' commands


def test_a_command_that_enters_qpi() -> None:
    """35h is no status read on ISSI and Macronix parts: they are silent until F5h or a reset."""
    for name in ("IS25LP032", "MX25L3233F"):
        for leave in ((0xF5,), (0x66, 0x99)):
            bus = Bus(name)
            assert bus(0x35, read=1) == b"\xff"
            assert (bus(0x9F, read=3), bus.look()) == (b"\xff" * 3, [0xFF])
            assert bus.nor.count.offences == ["35h enters QPI"]
            for opcode in leave:
                bus(opcode)
            assert bus(0x9F, read=3) == bus.nor.part.jedec_id.to_bytes(3, "big")


def test_macronix() -> None:
    """TB is one-way in a register that two bytes after 01h write; 2Fh and 68h burn bits."""
    bus = Bus("MX25L3233F")
    assert bus.look(0x05, 0x15, 0x2B) == [0, 0x07, 0]
    bus.do(0x01, 0x44, 0x0F)
    assert bus.look(0x05, 0x15) == [0x44, 0x0F]
    assert bus.nor.guarded == range(BLOCK)
    bus.do(0x01, 0x40, 0x07)
    assert bus.look(0x05, 0x15) == [0x40, 0x0F]
    bus.do(0x01, 0x00)
    assert bus.look(0x05, 0x15) == [0, 0x0F]
    bus.do(0x2F)
    assert bus.look(0x2B) == [0x02]
    bus.do(0x68)
    bus.at(0x02, 0, b"\0")
    assert bus.look(0x2B) == [0xA2]
    assert bus(0x4B, 0, 0, 0, 0, read=2) == b"\xff\xff"


def test_issi() -> None:
    """15h and 2Fh are writes, not reads; 42h burns TBS, 63h sets what the power takes away."""
    bus = Bus("IS25LP032", (0x04,))
    assert bus.nor.guarded == range(4 * MIB - BLOCK, 4 * MIB)
    assert bus(0x15, read=1) == b"\xff"
    assert bus.nor.count.offences == ["15h is no status read here"]
    bus.do(0x42, 0x02)
    bus.do(0x42, 0x00)
    assert bus.look(0x48) == [0x02]
    assert bus.nor.guarded == range(BLOCK)
    bus.do(0x63, 0xE0)
    assert bus.look(0x61) == [0xE0]
    bus.nor.power_cycle()
    assert bus.look(0x61) == [0]
    bus.do(0x65, 0xE0)
    bus.nor.power_cycle()
    assert bus.look(0x61) == [0xE0]


def test_eon() -> None:
    """After 3Ah the status commands mean one-way bits, until 04h."""
    bus = Bus("EN25QH32", (0x04,))
    bus(0x3A)
    assert bus.look() == [0]
    bus.do(0x01, 0x40)
    bus.do(0x01, 0x00)
    assert bus.look() == [0x40]
    bus(0x04)
    assert bus.look() == [0x04]
    assert bus.look(0x35) == [0xFF]
    assert bus.nor.count.offences == ["3Ah is no status read here"]
