"""Requests to our handlers, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from espshell.protocol import slip
from espshell.protocol.commands import LoaderCommand
from espshell.protocol.handlers import (
    Call,
    Crc32,
    DeflateFlash,
    DeflateMemory,
    Find,
    Memtest,
    RamFaults,
    RamTest,
    SectorCrcs,
    StreamFlash,
    StreamMemory,
)

DATA = Path(__file__).parents[1] / "data"
STREAMS = {command.kind: command for command in (StreamFlash, SectorCrcs, StreamMemory)}


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (StreamFlash(0x10000, 64), "000001004000000000000000dffefeff"),
        (SectorCrcs(0, 0x3000), "0000000000300000010000001ecfffff"),
        (StreamMemory(0x40000000, 64), "000000404000000002000000ddfeffbf"),
        (DeflateFlash(0, 4096, 0x3FCA0000), ""),
        (DeflateMemory(0, 4096, 0x3FCA0000, 1), ""),
        (Find(0x3FC80000, 64, b"abc"), ""),
        (Crc32(0x3FC80000, 64), ""),
        (Call(0x40380000, (1, 2)), ""),
        (Memtest(0x3FC80000, 64, RamTest.WALK), ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_sum_of_opcode_and_words_is_zero(command: LoaderCommand[object], words: str) -> None:
    """With the last word the opcode and all words add up to 0."""
    payload = command.payload()
    total = sum(int.from_bytes(payload[at : at + 4], "little") for at in range(0, len(payload), 4))
    assert (command.opcode + total) % (1 << 32) == 0
    assert payload.hex().startswith(words)


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
def test_words_stand_where_the_transcripts_have_them(chip: str) -> None:
    """Place and size are the first two words, as in the requests that were recorded."""
    for step in json.loads((DATA / f"plugin-{chip}-stub-v2.json").read_text())["steps"]:
        frames = bytes.fromhex(step.get("tx", "")).strip(b"\xc0").split(b"\xc0\xc0")
        recorded = slip.unescape(frames[0]) or b""
        if recorded[1:2] == b"\xe1":
            kind = recorded[-4]
            place, size = (int.from_bytes(recorded[at : at + 4], "little") for at in (8, 12))
            ours = STREAMS[kind](place, size).payload()
            assert ours[:8] == recorded[8:16]
            assert ours[8] == kind


def test_answers() -> None:
    """A place outside of what was searched, and a result of another size, make no sense."""
    find = Find(0x1000, 64, b"ab")
    assert find.parse(1, b"") is None
    assert find.parse(0x103E, b"") == 0x103E
    for value in (0x103F, 0xFFF, 0):
        with pytest.raises(ValueError, match="outside"):
            find.parse(value, b"")
    test = Memtest(0, 64, RamTest.MARCH)
    words = b"".join(n.to_bytes(4, "little") for n in (1, 4, 0x20, 4, *[0] * 12))
    assert test.parse(0, words) == RamFaults(1, 4, ((0x20, 4),))
    with pytest.raises(ValueError, match="not 64"):
        test.parse(0, b"")
