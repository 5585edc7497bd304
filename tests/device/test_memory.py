"""The address space: what may be touched, any alignment, blocks into RAM."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espshell.device.memory import require_32_bits
from espshell.errors import NoReply, UsageError
from espshell.protocol.commands import RegisterWrite
from tests.loader.support import held, open_sim, wire_of

C3 = open_sim(chip="esp32c3")
RAM = 0x3FC9_0000


@settings(max_examples=60)
@given(st.integers(0, 70), st.integers(1, 200))
def test_any_range_is_exactly_what_was_asked(offset: int, size: int) -> None:
    """A read of any alignment and size gives exactly those bytes, in one piece or in many."""
    expected = wire_of(C3).chip.memory.read(0x4000_0000 + offset, size)

    assert C3.memory.read(0x4000_0000 + offset, size) == expected
    assert b"".join(C3.memory.chunks(0x4000_0000 + offset, size)) == expected


@pytest.mark.parametrize(
    ("address", "size", "message"),
    [
        (0x0, 4, "0x00000000 is outside the memory map of the ESP32-C3: DROM starts at 0x3c000000"),
        (
            0x3FCE_0000,
            1,
            "0x3fce0000 is outside the memory map of the ESP32-C3: "
            "DRAM ends at 0x3fcdffff, ROM1 starts at 0x3ff00000",
        ),
        (0x3FCD_FFFC, 8, "0x3fce0000 is outside the memory map"),
        (0xFFFF_FFFF, 4, "outside the 32-bit address space"),
        (-4, 4, "outside the 32-bit address space"),
        (0xF000_0000, 4, "PERIPH ends at 0x600d0fff"),
    ],
)
def test_outside_the_map(address: int, size: int, message: str) -> None:
    """A range that is not all in the map is refused with its neighbours, and nothing is sent."""
    before = wire_of(C3).count.requests

    with pytest.raises(UsageError) as caught:
        C3.memory.check(address, size)
    assert message in caught.value.message
    assert wire_of(C3).count.requests == before


def test_adjoining_regions_are_one_range() -> None:
    """A range may run from one region into the next where they touch."""
    open_sim().memory.check(0x3FFD_FFF0, 0x20)


@pytest.mark.parametrize("address", [0x4000_0000, 0x3C00_0000])
def test_what_cannot_be_written(address: int) -> None:
    """Writing to ROM or to flash behind the cache is refused."""
    with pytest.raises(UsageError, match="cannot be written"):
        C3.memory.check(address, 4, write=True)


def test_one_byte_of_the_efuse_controller_is_too_much() -> None:
    """The first and the last one; those beside them are no part of it."""
    efuse, check = C3.chip.efuse, C3.memory.check
    for address, size in ((efuse.start - 3, 4), (efuse.end - 1, 1)):
        with pytest.raises(UsageError, match="is in the eFuse controller"):
            check(address, size, write=True)
    check(efuse.start - 4, 4, write=True)
    check(efuse.end, 1, write=True)


def test_a_frame_of_writes_is_no_longer_than_the_pipeline() -> None:
    """Of a ROM that is busy no more is in its FIFO than that holds."""
    target, sent = open_sim(), list[bytes]()
    target.link.taps.append(lambda now, way, data: sent.append(data) if way == "tx" else None)
    target.memory.write(RegisterWrite(0x3FFC_0000 + 4 * n, n) for n in range(20))
    assert len(sent) == 4
    assert max(map(len, sent)) <= target.loader.dialect.pipeline_bytes


@pytest.mark.parametrize(("before", "behind"), [(4, 0), (0, 4), (4, 4), (-4, -4)])
def test_a_write_that_reaches_into_the_efuse_controller(before: int, behind: int) -> None:
    """Wherever it begins and ends; right in front of it and behind it is allowed."""
    efuse, check = C3.chip.efuse, C3.memory.check
    with pytest.raises(UsageError, match="is in the eFuse controller"):
        check(efuse.start - before, efuse.end - efuse.start + before + behind, write=True)
    check(efuse.start - 4, 4, write=True)
    check(efuse.end, 4, write=True)
    check(efuse.start, 4)


def test_writes_in_order_several_in_a_frame() -> None:
    """Eight writes are two frames, applied in order."""
    before = wire_of(C3).count.requests
    C3.memory.write(RegisterWrite(RAM, n, 0xFF) for n in range(8))

    assert wire_of(C3).count.requests - before == 2
    assert held(C3, RAM) & 0xFF == 7


def test_load_is_blocks_with_progress() -> None:
    """16 KiB are one announcement and three blocks."""
    data = bytes(range(256)) * 64
    before = wire_of(C3).count.requests

    assert list(C3.memory.load(RAM, data)) == [0x1800, 0x3000, 0x4000]
    assert wire_of(C3).count.requests - before == 4
    assert wire_of(C3).chip.memory.read(RAM, len(data)) == data


@pytest.mark.parametrize("index", range(36, 44))
@pytest.mark.parametrize("fault", ["drop@request", "drop@reply", "flip@request", "cut@request"])
def test_load_survives_a_fault(fault: str, index: int) -> None:
    """A block that is lost, damaged or unanswered is sent again, and the bytes are right."""
    argument = {"flip@request": ":40.2", "cut@request": ":700"}.get(fault, "")
    target = open_sim(f"fault={fault}:{index}{argument}")
    data = bytes(range(256)) * 64
    list(target.memory.load(0x3FFB_0000, data))

    assert wire_of(target).chip.memory.read(0x3FFB_0000, len(data)) == data


def test_load_gives_up() -> None:
    """A block that fails again and again is a fault of the link, and an error that says where."""
    target = open_sim("fault=flip@request:12+1:40.2")

    with pytest.raises(NoReply, match=r"writing at 0x3ffb0000 failed: .* bad checksum"):
        list(target.memory.load(0x3FFB_0000, bytes(0x1800)))


def test_load_of_a_chip_that_is_gone() -> None:
    """A chip that is lost in the middle is the bench's matter, with the way back."""
    target = open_sim("fault=hang@request:16")

    with pytest.raises(NoReply, match=r"writing at 0x3ffb.* failed: .* stopped") as caught:
        list(target.memory.load(0x3FFB_0000, bytes(0x8000)))
    assert "`reconnect`" in caught.value.hint


def test_an_unknown_stub_may_be_anywhere_in_ram() -> None:
    """Until it is recognised no RAM is written; registers are."""
    target = open_sim(chip="esp32c3")
    target.start_stub()
    target.loader.stub = None
    with pytest.raises(UsageError, match="an unknown flasher stub is running, and DRAM may hold"):
        target.memory.check(0x3FCC_0000, 4, write=True)
    target.memory.check(target.chip.regions[-1].start, 4)
    target.memory.check(target.chip.efuse.end, 4, write=True)


def test_the_last_word_of_the_address_space() -> None:
    """It can be asked for; what reaches one byte further cannot."""
    require_32_bits(0xFFFF_FFFC, 4)
    require_32_bits(0, 1 << 32)
    for address, size in ((0xFFFF_FFFC, 5), (0xFFFF_FFFF, 2), (1 << 32, 0), (-1, 1)):
        with pytest.raises(UsageError, match="is outside the 32-bit address space"):
            require_32_bits(address, size)


@pytest.mark.parametrize(
    ("address", "told"),
    [(0x3FC8_5000, ""), (0x4038_5000, ", and 0x40385000 is the same RAM"), (0x4039_8000, None)],
)
def test_the_running_stub_is_spared(address: int, told: str | None) -> None:
    """A write over the stub is refused, under which of its addresses ever, and one beside not."""
    target = open_sim(chip="esp32c3")
    target.start_stub()
    if told is None:
        target.memory.check(address, 4, write=True)
        return
    with pytest.raises(UsageError) as caught:
        target.memory.check(address, 4, write=True)
    assert caught.value.message == (
        f"the running flasher stub has its data at 0x3fc84000..0x3fc96e38{told}"
    )


def test_registers_that_change_are_read_alone() -> None:
    """A dump across a FIFO reads that word with nothing else in flight, and once."""
    target = open_sim(chip="esp32c3")
    wire_of(target).count.max_in_flight = 0
    target.memory.read(0x6000_0000, 4)

    assert wire_of(target).count.max_in_flight < 32
    assert len(target.memory.read(0x6000_0000, 64)) == 64
