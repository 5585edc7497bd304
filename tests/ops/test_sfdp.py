"""SFDP read from simulated parts, and commands that a person types."""

from __future__ import annotations

import pytest

from espshell.device import Target
from espshell.errors import UsageError
from espshell.ops.flash.sfdp import read_sfdp, read_sfdp_bytes, spi_command
from espshell.sim import parts
from tests.loader.support import open_sim, wire_of


@pytest.fixture
def target() -> Target:
    """Return a chip with a W25Q32JV."""
    return open_sim("flash=W25Q32JV")


@pytest.mark.parametrize("part", parts.PARTS, ids=lambda part: part.name)
def test_every_part(part: parts.PartModel) -> None:
    """What is read is what the flash holds, and says its size; without tables that is said."""
    found = read_sfdp(open_sim(f"flash={part.name}").flash)
    assert found.ok is bool(part.sfdp)
    if found.table is None:
        assert found.failure == "the flash has no SFDP: it begins with ff ff ff ff, not 53 46 44 50"
        return
    assert part.sfdp.startswith(found.data[:8])
    assert found.table.basic is not None
    assert found.table.basic.size == part.size


@pytest.mark.parametrize("size", [1, 4, 63, 64, 65, 200])
def test_raw_bytes(target: Target, size: int) -> None:
    """Any number can be read, also more than the controller moves at once."""
    image = wire_of(target).chip.flash.part.sfdp.ljust(256, b"\xff")
    assert read_sfdp_bytes(target.flash, 3, size) == image[3 : 3 + size]


def test_commands_that_read(target: Target) -> None:
    """They are sent as typed, with address, dummy clocks and what comes back."""
    answer = spi_command(target.flash, 0x9F, read=3)
    assert (answer.data.hex(), answer.last_value) == ("ef4016", 0xEF4016)
    assert spi_command(target.flash, 0x5A, address=0, dummy_bits=8, read=4).data == b"SFDP"


@pytest.mark.parametrize(
    ("part", "opcode"),
    [
        ("W25Q32JV", 0x01),
        ("W25Q32JV", 0x06),
        ("W25Q32JV", 0xC7),
        ("MX25L3233F", 0x35),
        ("MX25L3233F", 0x2F),
        ("IS25LP032", 0x35),
        ("IS25LP032", 0x15),
        ("EN25QH32", 0x3A),
    ],
)
def test_commands_that_may_write(part: str, opcode: int) -> None:
    """They are refused before they are sent, by what they mean on this flash."""
    target = open_sim(f"flash={part}")
    flash = wire_of(target).chip.flash
    with pytest.raises(UsageError) as caught:
        spi_command(target.flash, opcode, read=1)
    assert "--force" in caught.value.hint
    assert flash.count.offences == []
    assert not flash.write_enabled


def test_force(target: Target) -> None:
    """Insisted on, a command that writes is sent."""
    spi_command(target.flash, 0x06, force=True)
    spi_command(target.flash, 0x01, b"\x00\x02", force=True)
    assert wire_of(target).chip.flash.status.active == [0x00, 0x02, 0x60]


def test_dry_run(target: Target) -> None:
    """A command that may write is not sent, one that reads is."""
    target.flash.dry_run = True
    assert spi_command(target.flash, 0x06, force=True).dry_run
    assert not wire_of(target).chip.flash.write_enabled
    assert spi_command(target.flash, 0x9F, read=3).data.hex() == "ef4016"


@pytest.mark.parametrize(
    ("opcode", "more"),
    [
        (0x100, {}),
        (0x9F, {"read": 65}),
        (0x9F, {"address": 1 << 24}),
        (0x9F, {"dummy_bits": 33}),
    ],
)
def test_what_cannot_be_meant(target: Target, opcode: int, more: dict[str, int]) -> None:
    """A command that the controller cannot send is refused; nothing was sent."""
    before = wire_of(target).count.requests
    with pytest.raises(UsageError):
        spi_command(target.flash, opcode, **more)  # type: ignore[arg-type]
    assert wire_of(target).count.requests == before
