"""Memory and the models of the simulated chips."""

from __future__ import annotations

import pytest

from espshell.chips import Kind
from espshell.sim import models, url
from espshell.sim.chip import SimChip
from espshell.sim.memory import CACHE_OFF

CHIPS = [model.chip for model in models.MODELS]


@pytest.fixture(params=CHIPS)
def chip(request: pytest.FixtureRequest) -> SimChip:
    return SimChip(url.parse(f"sim://{request.param}"))


def test_rows_of_the_models(chip: SimChip) -> None:
    """What a model knows of ROM and registers lies where its chip has ROM and registers."""
    model, facts = chip.model, chip.facts
    for address, data in model.rom:
        region = facts.region_at(address, len(data))
        assert region is not None
        assert region.kind is Kind.ROM
        assert chip.memory.read(address, len(data)) == data
    for address, value in model.registers:
        region = facts.region_at(address, 4)
        assert region is not None
        assert region.kind is Kind.PERIPHERAL
        assert chip.memory.word(address) & value == value
    assert model.application_log != model.download_log
    assert {bits.address % 4 for bits in (model.secure_boot, model.crypt_count)} == {0}


def test_ram_holds_what_is_written(chip: SimChip) -> None:
    """RAM is zero, takes words and bytes, and keeps them over a reset."""
    for region in chip.facts.regions:
        if region.kind is Kind.RAM:
            assert chip.memory.read(region.start, 64) == bytes(64)
            chip.memory.write_word(region.end - 4, 0x1122_3344)
            chip.memory.write(region.start, b"start")
            chip.reset()
            assert chip.memory.word(region.end - 4) == 0x1122_3344
            assert chip.memory.read(region.start, 5) == b"start"


def test_rom_words_are_distinct_and_fixed(chip: SimChip) -> None:
    """Markers differ from each other, the same in every simulator, and nothing changes them."""
    words = [chip.memory.word(address) for address in chip.facts.markers]
    assert len(set(words)) == len(words)
    chip.memory.write_word(chip.facts.markers[0], 0)
    chip.memory.write(chip.facts.markers[0], b"\0\0\0\0")
    again = SimChip(url.parse(f"sim://{chip.model.chip}"))
    assert [again.memory.word(address) for address in chip.facts.markers] == words


def test_registers_start_anew_after_a_reset(chip: SimChip) -> None:
    """A register holds what is written until then; eFuses cannot be written."""
    uart = chip.facts.uart_divider.address
    before = chip.memory.word(uart)
    chip.memory.write_word(uart, 1)
    assert chip.memory.word(uart) == 1
    fuse = chip.memory.word(chip.facts.efuse.start)
    chip.memory.write_word(chip.facts.efuse.start, ~fuse)
    assert chip.memory.word(chip.facts.efuse.start) == fuse
    chip.reset()
    assert chip.memory.word(uart) == before


def test_where_nothing_is(chip: SimChip) -> None:
    """Holes read zero, the cache reads as one that is off, and writes there do nothing."""
    flash = next(region for region in chip.facts.regions if region.kind is Kind.FLASH)
    for address in (0, 0xFFFF_FFFC, 0x7000_0000):
        chip.memory.write_word(address, 1)
        chip.memory.write(address, b"x")
        assert chip.memory.word(address) == 0
    assert chip.memory.word(flash.start) == CACHE_OFF
