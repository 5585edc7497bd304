"""Damaged framing: the simulated loaders against what the real ones did, and by their rules."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from espshell.protocol.commands import ReadReg, RegisterWrite, Sync, WriteReg
from espshell.sim.protocol_sim import Serial
from espshell.sim.receiver import LegacyReceiver, Receiver, RomReceiver, StrictReceiver
from tests.sim import support

Answers = Callable[..., list[str]]
Exchange = Callable[..., bytes]
Opener = Callable[..., Serial]

DATA = Path(__file__).parents[1] / "data"
EARLIER = 0x4000_1008
"""What was read before each recording began: a legacy stub does it again."""
FREE = 0x3FFB_0000
LOADERS = {"rom": 0, "stub-v1": 1, "stub-v2": 2}
VERSIONS = {1: support.small("esp32", 1), 2: support.small("esp32", 2)}


def cases() -> list[tuple[str, str]]:
    """Return loader and name of each recording."""
    return [(loader, case["case"]) for loader in LOADERS for case in recording(loader)]


def recording(loader: str) -> list[dict[str, Any]]:
    """Return what was recorded of a loader."""
    found: list[dict[str, Any]] = json.loads((DATA / f"framing-esp32-{loader}.json").read_text())[
        "cases"
    ]
    return found


def started(open_sim: Opener, exchange: Exchange, version: int) -> Serial:
    """Return a port to an ESP32 with a stub, or with its ROM (0)."""
    if version:
        return support.running(exchange, open_sim, "sim://esp32", VERSIONS[version])
    port = open_sim("sim://esp32")
    exchange(port, Sync().encode())
    return port


@pytest.mark.parametrize(("loader", "name"), cases())
def test_damage_is_answered_as_recorded(
    open_sim: Opener, exchange: Exchange, loader: str, name: str
) -> None:
    """Every byte that the real loader sent after a disturbance, and in the ten requests behind."""
    port = started(open_sim, exchange, LOADERS[loader])
    exchange(port, ReadReg(EARLIER).encode())
    case = next(case for case in recording(loader) if case["case"] == name)
    for step in case["steps"]:
        found = exchange(port, bytes.fromhex(step["tx"])).hex()
        assert (step["note"], found) == (step["note"], step["rx"])


def test_a_legacy_stub_writes_again(open_sim: Opener, exchange: Exchange) -> None:
    """After a lone C0 a write that was made once is made again by the next request."""
    port = started(open_sim, exchange, 1)
    exchange(port, WriteReg((RegisterWrite(FREE, 0x1111),)).encode())
    exchange(port, ReadReg(FREE).encode())
    port.wire.chip.memory.write_word(FREE, 0)
    exchange(port, b"\xc0")
    exchange(port, ReadReg(FREE).encode())
    assert port.wire.chip.memory.word(FREE) == 0x1111


@pytest.mark.parametrize("version", [1, 2])
def test_one_reply_however_two_requests_are_sent(
    open_sim: Opener, answers: Answers, exchange: Exchange, version: int
) -> None:
    """In one piece or in two: without a pause the stub answers one of both, then the next."""
    port = started(open_sim, exchange, version)
    read = ReadReg(0x4000_1000).encode()
    port.write(read)
    assert len(answers(port, read)) == 1
    assert len(answers(port, read + read)) == 1
    assert answers(port, read) == ["0a 00f01d83+0000"]


@pytest.mark.parametrize("version", [1, 2])
def test_a_request_during_another_is_kept(
    open_sim: Opener, answers: Answers, exchange: Exchange, version: int
) -> None:
    """One that comes after a pause, while the stub is busy, is answered after it."""
    port = started(open_sim, exchange, version)
    busy = WriteReg((RegisterWrite(FREE, 1, delay_us=50_000),)).encode()
    exchange(port, busy[:-1])
    port.write(busy[-1:])
    port.clock.sleep(0.01)
    assert len(answers(port, ReadReg(0x4000_1000).encode())) == 2


@pytest.mark.parametrize("receiver", [RomReceiver, LegacyReceiver, StrictReceiver])
def test_pieces_do_not_matter(receiver: Callable[[int], Receiver]) -> None:
    """A frame with every byte, cut anywhere, is the same frame; and one that is too long is cut."""
    body = b"\x00\x0a\x00\x01" + bytes(4) + bytes(range(256))
    sent = b"\xc0" + body.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + b"\xc0"
    whole = receiver(1024).feed(sent)
    assert whole == [(len(sent), body)]
    for cut in range(1, len(sent)):
        end = receiver(1024)
        assert end.feed(sent[:cut]) == []
        assert end.feed(sent[cut:], joined=True) == [(len(sent) - cut, body)]
