"""A device that is wrong is status 1, whatever command meets it."""

from __future__ import annotations

from pathlib import Path

import pytest

from espshell.units import KIB
from tests.loader.support import wire_of
from tests.ops.support import noise
from tests.shell.support import Shell

POWER_DOWN = 0xB9
"""The opcode after which a flash answers nothing (any SPI NOR datasheet)."""

NO_FLASH = ["flash-id", "load x.bin flash:0", "erase flash:0 4k", "dump flash:0 16", "sr", "parts"]
NO_TABLE = ["parts", "dump flash:nvs 16", "load x.bin flash:nvs", "erase flash:nvs"]
PROTECTED = ["load x.bin flash:0", "erase flash:0 4k", "poke flash:0 1", "write-flash 0 x.bin"]


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Return a session in a folder with a file."""
    monkeypatch.chdir(tmp_path)
    Path("x.bin").write_bytes(noise(4 * KIB, 2))
    shell = Shell()
    shell.session.assume_yes = True
    return shell


@pytest.mark.parametrize("line", NO_FLASH)
def test_no_flash(shell: Shell, line: str) -> None:
    """No flash chip answers."""
    shell.connect()
    wire_of(shell.session.chip).chip.flash.transfer(bytes([POWER_DOWN]), 0, 0.0)
    assert shell.type(line).status == 1


@pytest.mark.parametrize("contents", [b"", noise(4 * KIB, 3)], ids=["blank", "rubbish"])
@pytest.mark.parametrize("line", NO_TABLE)
def test_no_partition_table(shell: Shell, line: str, contents: bytes) -> None:
    """What stands where the table should is none; where else it may be is in the hint."""
    shell.connect()
    wire_of(shell.session.chip).chip.flash.data[0x8000 : 0x8000 + len(contents)] = contents
    ran = shell.type(line)
    assert ran.status == 1
    assert "flash:0x8000: not a partition table" in ran.err
    assert "set parttable" in ran.err


@pytest.mark.parametrize("line", PROTECTED)
def test_write_protected(shell: Shell, line: str) -> None:
    """The flash's own status registers protect the place."""
    shell.connect("?flash=W25Q32JV&sr=24")
    ran = shell.type(line)
    assert ran.status == 1
    assert "write-protected" in ran.err
