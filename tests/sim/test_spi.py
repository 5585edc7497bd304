"""User commands through the registers of the SPI controller, on every chip."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from espshell.chips import CHIPS, Chip
from espshell.sim import parts, url
from espshell.sim.chip import SimChip
from espshell.units import MIB

COMMAND, ADDR, DUMMY, MISO = 1 << 31, 1 << 30, 1 << 29, 1 << 28
USR = 1 << 18
SFDP = 0x5A

Ask = Callable[..., bytes]


@pytest.fixture(params=CHIPS, ids=lambda chip: chip.name)
def facts(request: pytest.FixtureRequest) -> Chip:
    chip = request.param
    assert isinstance(chip, Chip)
    return chip


def ask(sim: SimChip, opcode: int, size: int, address: int | None = None) -> bytes:
    """Send a command, perhaps with 24 bits of address, for 5Ah 8 dummy bits; read its answer."""
    spi, memory = sim.facts.spi, sim.memory
    user = COMMAND | MISO
    user1 = 0
    if address is not None:
        user |= ADDR | (DUMMY if opcode == SFDP else 0)
        user1 |= 23 << 26 | 7
        left = 8 if spi.address_msb_first else 0
        memory.write_word(spi.base + spi.addr, address << left)
    bits = 8 * size - 1
    if spi.lengths_in_user1:
        user1 |= bits << spi.miso_dlen_low
    else:
        memory.write_word(spi.base + spi.miso_dlen, bits << spi.miso_dlen_low)
    memory.write_word(spi.base + spi.user1, user1)
    memory.write_word(spi.base + spi.user, user)
    memory.write_word(spi.base + spi.user2, 7 << 28 | opcode)
    memory.write_word(spi.base + spi.cmd, USR)
    assert memory.word(spi.base + spi.cmd) == 0
    return memory.read(spi.base + spi.w0, size)


def made(facts: Chip, options: str = "") -> SimChip:
    """Return a chip whose flash is attached."""
    sim = SimChip(url.parse(f"sim://{facts.name}?{options}"))
    sim.spi.attached = True
    return sim


def test_the_id_of_the_flash(facts: Chip) -> None:
    """It comes in the order of the wire: manufacturer first."""
    assert ask(made(facts), 0x9F, 3) == bytes.fromhex("ef4016")
    assert ask(made(facts, "flash=GD25Q64"), 0x9F, 3) == bytes.fromhex("c84017")


def test_status_and_parameters(facts: Chip) -> None:
    """Status registers are zero; SFDP can be read from any place."""
    sim = made(facts)
    assert [ask(sim, opcode, 1) for opcode in (0x05, 0x35, 0x15)] == [b"\0"] * 3
    assert ask(sim, SFDP, 8, address=0) == b"SFDP\5\1\0\xff"
    assert ask(sim, SFDP, 4, address=0x84) == (8 * 4 * MIB - 1).to_bytes(4, "little")
    sim.flash.load(b"0123456789")
    assert ask(sim, 0x03, 4, address=3) == b"3456"


def test_what_a_flash_does_not_know(facts: Chip) -> None:
    """It leaves the line high, as one does that is not attached."""
    sim = made(facts)
    assert ask(sim, 0x77, 4) == b"\xff" * 4
    sim.spi.attached = False
    assert ask(sim, 0x9F, 4) == b"\xff" * 4


def test_other_bits_of_the_command_register(facts: Chip) -> None:
    """Only USR starts something."""
    sim = made(facts)
    at = facts.spi.base + facts.spi.cmd
    sim.memory.write_word(at, 1 << 17)
    assert sim.memory.word(at) == 1 << 17


def test_a_flash_without_supply() -> None:
    """On some revisions of the ESP32-P4 it must be switched on first."""
    sim = SimChip(url.parse("sim://esp32p4?rev=3.1"))
    sim.spi.attached = True
    assert ask(sim, 0x9F, 3) == b"\xff" * 3
    for write in sim.facts.power_up((3, 1), sim.memory.word):
        sim.memory.write_word(write.address, write.value, write.mask)
    assert ask(sim, 0x9F, 3) == bytes.fromhex("ef4016")


@pytest.mark.parametrize(("size", "jedec"), [(MIB, 0xEF4014), (16 * MIB, 0xEF4018)])
def test_ids_by_size(size: int, jedec: int) -> None:
    """The third byte is the logarithm of the size."""
    assert parts.plain(size).jedec_id == jedec
