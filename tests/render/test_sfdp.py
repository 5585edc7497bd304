"""The picture of SFDP: what is said, what is not, bytes, JSON, and answers of raw commands."""

from __future__ import annotations

import json
from typing import Any

import pytest

from espshell.nor import sfdp
from espshell.ops.flash.sfdp import SfdpRead, SpiAnswer
from espshell.render import View, to_json
from tests.nor.test_sfdp import VECTORS, cut, image
from tests.render.support import drawn

W25Q128JV = """\
SFDP          1.5 (JESD216A), 1 table
              ff00 basic flash parameters 1.5, 16 words at 0x80
size          16 MiB
page          256 bytes
address       3 bytes
erase         4 KiB   20h  64 ms (at most 896 ms)
              32 KiB  52h  128 ms (at most 1.792 s)
              64 KiB  D8h  160 ms (at most 2.24 s)
chip erase    40 s (at most 560 s)
program       page 704 µs (at most 4.224 ms), first byte 32 µs (at most 192 µs)
fast reads    1-1-2   3Bh  0 mode clocks, 8 dummy clocks
              1-2-2   BBh  2 mode clocks, 2 dummy clocks
              1-1-4   6Bh  0 mode clocks, 8 dummy clocks
              1-4-4   EBh  2 mode clocks, 4 dummy clocks
              4-4-4   EBh  2 mode clocks, 0 dummy clocks
others        QPI (4-4-4) yes, double rate yes
quad enable   SR2 bit 1, written with SR1 by 01h; 01h with one byte is harmless
              QER 100
status write  non-volatile, 06h; non-volatile by 06h, volatile by 50h
suspend       75h, resumed by 7Ah
power-down    B9h, left by ABh
reset         66h, 99h; leave 0-4-4 mode first
HOLD#         can be switched off: no"""


def read(part: str) -> SfdpRead:
    """Return what reading a part of the vectors gives."""
    vector = next(each for each in VECTORS["sfdp"] if each["part"] == part)
    pieces = cut(image(vector))
    return SfdpRead(sfdp.parse(pieces), sfdp.joined(pieces))


def test_all_that_a_table_says() -> None:
    """Every fact of the basic table is there, a line each."""
    assert "\n".join(drawn(read("W25Q128JV"))) == W25Q128JV


def test_a_short_table() -> None:
    """What nine words do not reach was not said; it is not called absent."""
    told = "\n".join(drawn(read("MX25L3233F")))
    for label in ("page", "quad enable", "status write", "suspend", "power-down", "reset"):
        assert f"{label:<14}not said\n" in told
    assert "erase         4 KiB   20h\n" in told


def test_entry_to_qpi() -> None:
    """That 35h does not read SR2 is said where it is so."""
    told = drawn(read("IS25WP128F"))
    assert "              35h enters QPI, so it does not read SR2" in told
    assert any(line.startswith("4 bytes       entered by B7h or") for line in told)


def test_problems() -> None:
    """What is odd comes last."""
    assert drawn(read("XMC 464016"))[-1] == "problem   table ff84 has 0 of 2 words"


@pytest.mark.parametrize("vector", VECTORS["sfdp"], ids=lambda each: each["part"])
def test_fits(vector: dict[str, Any]) -> None:
    """No line has more than 80 columns, and all of it is JSON."""
    result = read(vector["part"])
    assert max(map(len, drawn(result))) <= 80
    value = to_json(result)
    assert json.loads(json.dumps(value)) == value
    assert isinstance(value, dict)
    assert isinstance(value["basic"], dict)
    assert value["basic"]["size"] == int(vector["size"], 16)


def test_no_sfdp() -> None:
    """There is nothing to show; the bytes are in JSON."""
    result = SfdpRead(None, b"\xff" * 8)
    assert drawn(result) == []
    assert to_json(result) == {"found": False, "data": "ff" * 8}
    assert drawn(result, View(every_row=True))[0].startswith("00000000  ff ff ff ff")


def test_answer() -> None:
    """Bytes as they came, and as one number; in JSON the number alone."""
    answer = SpiAnswer(0x9F, "read JEDEC id", b"", bytes.fromhex("ef4016"))
    assert drawn(answer) == ["9Fh read JEDEC id", "ef 40 16  0xef4016  15679510"]
    value = to_json(answer)
    assert isinstance(value, dict)
    assert (value["value"], value["data"], value["opcode"]) == (0xEF4016, "ef4016", 0x9F)


def test_command_without_answer() -> None:
    """A command that brings nothing says that it was sent, or that it was not."""
    assert drawn(SpiAnswer(6, "write enable", b"", b"")) == ["06h write enable, sent"]
    dry = SpiAnswer(1, "write SR1", b"\x02", b"", dry_run=True)
    assert drawn(dry) == ["dry run: 01h write SR1, 02 was not sent"]
    value = to_json(dry)
    assert isinstance(value, dict)
    assert (value["value"], value["dry_run"], value["sent"]) == (None, True, "02")
