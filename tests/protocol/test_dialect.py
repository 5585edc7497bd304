"""Every row of the dialects: sizes that can be, and commands that fit the kind of loader."""

from __future__ import annotations

import pytest

from espshell.protocol import commands, dialect
from espshell.protocol.dialect import Dialect
from espshell.protocol.packet import Opcode

DIALECTS = [
    pytest.param(each, id=name)
    for name, each in vars(dialect).items()
    if isinstance(each, Dialect) and not name.startswith("_")
]
STUB_ONLY = {opcode for opcode in Opcode if opcode >= 0xD0}


@pytest.mark.parametrize("row", DIALECTS)
def test_sizes(row: Dialect) -> None:
    """Status, words, blocks, digests and security information have one of the sizes there are."""
    assert row.status_size in (2, 4)
    assert row.flash_begin_words in (4, 5)
    assert row.attach_words in (0, 1, 2)
    assert row.digest_size in (0, 16, 32)
    assert row.security_info_size in (0, 12, 20)
    assert 0 < row.block_size <= 0x4000
    assert row.block_size % 4 == 0


@pytest.mark.parametrize(
    ("size", "opcode"),
    [
        ("attach_words", Opcode.SPI_ATTACH),
        ("digest_size", Opcode.SPI_FLASH_MD5),
        ("security_info_size", Opcode.GET_SECURITY_INFO),
    ],
)
@pytest.mark.parametrize("row", DIALECTS)
def test_a_size_belongs_to_a_command(row: Dialect, size: str, opcode: Opcode) -> None:
    """It is 0 where the command is not known, and only there."""
    assert (getattr(row, size) == 0) == (opcode not in row.commands)


@pytest.mark.parametrize("row", DIALECTS)
def test_the_pipeline_fits_into_the_receive_buffer(row: Dialect) -> None:
    """What is under way never overflows the UART, with room for one more frame of a read."""
    longest = len(commands.ReadReg(0xC0DB_C0DB).encode())
    assert 0 <= row.pipeline_bytes <= dialect.UART_FIFO - longest + 2


@pytest.mark.parametrize("row", DIALECTS)
def test_commands_fit_the_kind(row: Dialect) -> None:
    """A stub knows commands of its own, has one request in flight, and SYNC tells it apart."""
    assert {Opcode.SYNC, Opcode.READ_REG, Opcode.WRITE_REG} <= row.commands
    assert bool(STUB_ONLY & row.commands) == row.is_stub
    assert row.pipeline_bytes == 0 or not row.is_stub
    assert (row.sync_value == 0) == row.is_stub


def test_the_first_roms_do_not_know_security_info() -> None:
    """Since then every ROM does, and wants a fifth word in FLASH_BEGIN."""
    assert dialect.ROM.commands - dialect.ESP32_ROM.commands == {Opcode.GET_SECURITY_INFO}
    assert (dialect.ESP32_ROM.flash_begin_words, dialect.ROM.flash_begin_words) == (4, 5)
