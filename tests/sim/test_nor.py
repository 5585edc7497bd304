"""The flash by itself: its array, its commands, its times."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.sim import parts
from espshell.sim.access import FlashAccess
from espshell.sim.nor import PAGE, SECTOR, Nor, PowerLost
from espshell.units import KIB, MIB
from tests.sim.support import Bus

BLOCK = 64 * KIB


@pytest.fixture
def bus() -> Bus:
    return Bus("W25Q32JV")


def filled(size: int = MIB) -> Bus:
    """Return a flash whose start is zero."""
    bus = Bus("W25Q32JV")
    bus.nor.load(bytes(size))
    return bus


@given(st.binary(min_size=1, max_size=PAGE), st.binary(min_size=1, max_size=PAGE))
def test_programming_only_clears_bits(first: bytes, second: bytes) -> None:
    """What is programmed twice is the AND of both."""
    bus = Bus("W25Q32JV")
    bus.at(0x02, 0, first)
    bus.at(0x02, 0, second)
    both = zip(first.ljust(PAGE, b"\xff"), second.ljust(PAGE, b"\xff"), strict=True)
    assert bus.nor.read(0, PAGE) == bytes(a & b for a, b in both)


@given(st.integers(0, PAGE - 1), st.integers(1, 3 * PAGE))
def test_a_page_wraps(start: int, size: int) -> None:
    """Of bytes that share a place in the page the last one counts; no other page is touched."""
    bus = Bus("W25Q32JV")
    data = bytes(n * 7 & 0xFF for n in range(size))
    bus.at(0x02, PAGE + start, data)
    page = bytearray(b"\xff") * PAGE
    for index, byte in enumerate(data):
        page[(start + index) % PAGE] = byte
    assert bus.nor.read(0, 3 * PAGE) == b"\xff" * PAGE + page + b"\xff" * PAGE


@pytest.mark.parametrize(
    ("opcode", "size"), [(0x20, SECTOR), (0x52, 32 * KIB), (0xD8, BLOCK), (0x60, 0), (0xC7, 0)]
)
def test_erasing(opcode: int, size: int) -> None:
    """An erase covers the unit that its address lies in and nothing else."""
    bus = filled()
    if size:
        bus.at(opcode, 3 * BLOCK + 1)
        start = 3 * BLOCK
        assert bus.nor.data[start : start + size] == b"\xff" * size
        assert bytes(bus.nor.data).count(0) == MIB - size
    else:
        bus.do(opcode)
        assert bytes(bus.nor.data).count(0xFF) == bus.nor.size


@pytest.mark.parametrize("sent", [(0x20, 0, 0), (0x20, 0, 0, 0, 0), (0xD8,), (0x02, 0, 0, 0)])
def test_a_write_with_bytes_missing_or_left_over(sent: tuple[int, ...]) -> None:
    """It is not executed, and goes on to be allowed."""
    bus = filled()
    bus.do(*sent)
    assert bytes(bus.nor.data).count(0) == MIB
    assert bus.look() == [0x02]


def test_addresses_wrap_at_the_size() -> None:
    """A part has no address lines beyond its size."""
    nor = Nor(parts.plain(MIB))
    access = FlashAccess(nor)
    access.program(MIB, b"\x01\x02")
    assert nor.read(0, 2) == nor.read(MIB, 2) == b"\x01\x02"
    assert nor.read(MIB - 1, 3) == b"\xff\x01\x02"
    assert nor.transfer(bytes([0x03, 0x1F, 0xFF, 0xFF]), 3, 1.0) == b"\xff\x01\x02"


def test_more_than_three_bytes_can_address() -> None:
    """A part of 32 MiB has commands with four, which a smaller one does not know."""
    nor = Nor(parts.plain(32 * MIB))
    nor.data[:] = bytes(32 * MIB)
    access = FlashAccess(nor)
    access.erase(17 * MIB, BLOCK + SECTOR)
    access.program(17 * MIB, b"x")
    assert bytes(nor.data).count(0xFF) == BLOCK + SECTOR - 1
    assert nor.transfer(bytes.fromhex("1301100000"), 1, access.now) == b"x"
    assert Bus("W25Q32JV")(0x13, 0, 0, 0, 0, read=1) == b"\xff"
    assert nor.count.offences == []


def test_every_write_must_be_allowed(bus: Bus) -> None:
    """Without 06h nothing happens, 04h takes it back, and each write uses it up."""
    bus.nor.load(bytes(SECTOR))
    bus(0x20, 0, 0, 0)
    bus(0x06)
    bus(0x04)
    bus(0x02, 0, 0, 0, data=b"\0")
    bus(0x01, 0x04)
    assert bus.nor.read(0, 4) == bytes(4)
    assert bus.look() == [0]
    assert bus.nor.count.offences == ["20h without WEL", "02h without WEL", "01h without WEL"]
    bus.at(0x20, 0)
    bus(0x20, 0x10, 0, 0)
    assert bus.nor.count.sectors == 1
    assert bus.nor.read(0, 4) == b"\xff" * 4


def test_what_is_busy_answers_status_only(bus: Bus) -> None:
    """BUSY and WEL show until the time of the operation is over; all else is ignored till then."""
    bus(0x06)
    bus(0x20, 0, 0, 0)
    bus.now = 0.044
    assert bus.look() == [0x03]
    assert bus(0x9F, read=3) == b"\xff" * 3
    bus(0x06)
    assert bus.nor.count.offences == ["9Fh while busy", "06h while busy"]
    bus.now = 0.046
    assert bus.look() == [0]
    assert bus(0x9F, read=3) == bytes.fromhex("ef4016")


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        ((0x02, 0, 0, 0, 0), "page_s"),
        ((0x20, 0, 0, 0), "sector_s"),
        ((0x52, 0, 0, 0), "half_block_s"),
        ((0xD8, 0, 0, 0), "block_s"),
        ((0xC7,), "chip_s"),
        ((0x01, 0), "status_s"),
    ],
)
def test_operations_take_the_times_of_the_part(sent: tuple[int, ...], seconds: str) -> None:
    """Each part has its own."""
    for part in parts.PARTS:
        bus = Bus(part.name)
        bus.do(*sent)
        assert (part.name, bus.now) == (part.name, getattr(part.times, seconds))


def test_what_it_says_of_itself(bus: Bus) -> None:
    """Ids by three commands, a unique id after four bytes, parameters after four."""
    assert bus(0x9F, read=5) == bytes.fromhex("ef4016ffff")
    assert bus(0x90, 0, 0, 0, read=3) == bytes.fromhex("ef15ef")
    assert bus(0x90, 0, 0, 1, read=2) == bytes.fromhex("15ef")
    assert bus(0xAB, 0, 0, 0, read=2) == bytes.fromhex("1515")
    assert len(set(bus(0x4B, 0, 0, 0, 0, read=8))) > 1
    assert bus(0x5A, 0, 0, 0, 0, read=4) == b"SFDP"
    assert bus(0x5A, 0, 0, 0x80, 0, read=4) == bytes.fromhex("e520f9ff")
    assert bus(0x5A, 0, 0, 0, read=4) == b"\xff" * 4
    assert bus(0x77, read=2) == b"\xff\xff"
    assert bus(read=2) == b"\xff\xff"


def test_reading(bus: Bus) -> None:
    """03h begins at once, 0Bh a byte later; a status repeats as long as it is clocked out."""
    bus.nor.load(b"0123456789")
    assert bus(0x03, 0, 0, 3, read=4) == b"3456"
    assert bus(0x0B, 0, 0, 3, 0, read=4) == b"3456"
    assert bus(0x0B, 0, 0, 3, read=4) == b"\xff" * 4
    bus(0x06)
    assert bus(0x05, read=3) == b"\x02\x02\x02"


def test_power_down(bus: Bus) -> None:
    """It hears nothing but ABh."""
    bus(0xB9)
    assert (bus.nor.is_mute, bus(0x9F, read=3), bus.look()) == (True, b"\xff" * 3, [0xFF])
    bus(0xAB)
    assert bus(0x9F, read=3) == bytes.fromhex("ef4016")


def test_a_reset_needs_both_commands_at_once(bus: Bus) -> None:
    """99h alone, or after something else, does nothing; WEL goes with the volatile values."""
    bus.do(0x31, 0x02, enable=0x50)
    bus(0x06)
    bus(0x99)
    bus(0x66)
    bus(0x05)
    bus(0x99)
    assert bus.look(0x05, 0x35) == [0x02, 0x02]
    bus(0x66)
    bus(0x99)
    assert bus.look(0x05, 0x35) == [0, 0]


def test_counts() -> None:
    """A host's flash operations can be counted."""
    bus = Bus("W25Q32JV")
    for opcode in (0x20, 0x20, 0x52, 0xD8):
        bus.at(opcode, 0)
    bus.do(0xC7)
    bus.at(0x02, 0, b"x")
    bus.do(0x01, 0)
    bus.do(0x01, 0, enable=0x50)
    count = bus.nor.count
    assert (count.sectors, count.blocks, count.chips) == (2, 2, 1)
    assert (count.pages, count.status_writes, count.offences) == (1, 1, [])


@pytest.mark.parametrize(
    ("number", "page", "sector"),
    [(1, b"\0" * 2 + b"\xff" * 2, 0), (2, bytes(4), SECTOR // 2), (3, bytes(4), SECTOR)],
)
def test_power_lost_half_way(number: int, page: bytes, sector: int) -> None:
    """The operation of that number is half done: half a page, half a sector."""
    part = parts.plain(64 * KIB)
    nor = Nor(part, dies_at=number)
    nor.data[SECTOR : 2 * SECTOR] = bytes(SECTOR)
    access = FlashAccess(nor)
    try:
        access.program(0, bytes(4))
        access.erase(SECTOR, SECTOR)
        died = False
    except PowerLost:
        died = True
    assert died is (number < 3)
    assert nor.read(0, 4) == page
    assert nor.data[SECTOR : 2 * SECTOR].count(0xFF) == sector


def test_a_loader_erases_by_blocks() -> None:
    """Whole blocks within the range at once, sectors at its edges, and nothing outside."""
    nor = Nor(parts.plain(4 * MIB))
    nor.load(bytes(4 * MIB))
    FlashAccess(nor).erase(BLOCK - SECTOR, BLOCK + SECTOR + 1)
    assert (nor.count.sectors, nor.count.blocks) == (2, 1)
    assert bytes(nor.data).count(0xFF) == BLOCK + 2 * SECTOR
    assert set(nor.data[BLOCK - SECTOR : 2 * BLOCK + SECTOR]) == {0xFF}
    FlashAccess(nor).erase(0, 0)
    assert nor.count.sectors == 2


def test_a_mute_flash_reads_blank_for_a_loader(bus: Bus) -> None:
    """Whoever powers it down has nothing to read."""
    bus.nor.load(bytes(16))
    access = FlashAccess(bus.nor)
    assert access.read(0, 4) == bytes(4)
    bus(0xB9)
    assert access.read(0, 4) == b"\xff" * 4
