"""Getting home from every disturbance, on a ROM and on both stubs, and nothing run twice."""

from __future__ import annotations

from itertools import pairwise

import pytest

from espshell.device import Target
from espshell.errors import NoReply, Refused
from espshell.loader import digest, transfer
from espshell.loader.dialogue import OVERDUE_S, Gone
from espshell.loader.loader import Loader
from espshell.protocol.commands import ReadReg, RegisterWrite, Sync, Unknown, WriteReg
from espshell.protocol.dialect import ESP32_ROM
from tests.loader.support import counted, held, open_sim, scripted, wire_of

WRITTEN, NEXT = 0x3FFB_0000, 0x3FFB_0004
READ = ReadReg(0x4000_1000).encode()
SYNC = Sync().encode()
WRITE = WriteReg((RegisterWrite(WRITTEN, 0xD15C),)).encode()

DISTURBANCES = {
    "nothing": b"",
    "one C0": b"\xc0",
    "two C0": b"\xc0\xc0",
    "three C0": b"\xc0\xc0\xc0",
    "half a SYNC": SYNC[:20],
    "half a SYNC, then C0": SYNC[:20] + b"\xc0",
    "half a SYNC, then C0 C0": SYNC[:20] + b"\xc0\xc0",
    "READ without its first C0": READ[1:],
    "READ without its last C0": READ[:-1],
    "noise": b"\xa5\x5a\x00\xff",
    "noise with a C0": b"\xa5\xc0\x5a",
    "wrong escape": b"\xc0\x00\x0a\x04\x00\xdb\x00\x00\x00\x00\xc0",
    "16 zeros": b"\xc0" + bytes(16) + b"\xc0",
    "two READs": READ + READ,
    "three READs": READ + READ + READ,
    "WRITE without its first C0": WRITE[1:],
    "WRITE without its last C0": WRITE[:-1],
    "WRITE whose last C0 has flipped": WRITE[:-1] + b"\xc1",
}
"""What may have gone out to a loader before it is asked again: the recorded ones, and more."""

BEFORE = {
    "two writes": (WRITTEN, WRITTEN),
    "write, read": (WRITTEN, 0),
    "read, write": (0, WRITTEN),
    "write, read, read": (WRITTEN, 0, 0),
}
"""What lies in the buffers of the loader when that happens."""


def opened(kind: str, options: str = "") -> Target:
    """Return a connected ESP32 with that kind of loader."""
    target = open_sim(options)
    if kind != "rom":
        target.start_stub(version=int(kind[1]))
    return target


@pytest.mark.parametrize("pause_s", [0, 0.2], ids=["at once", "after a while"])
@pytest.mark.parametrize("kind", ["rom", "v1", "v2"])
def test_home_from_every_disturbance(kind: str, pause_s: float) -> None:
    """Whatever was sent and whatever lies in the buffers, getting home runs no write again.

    Stub 1 runs one when it gets two C0s; that is the disturbance itself, and not counted.
    """
    target = opened(kind)
    count = counted(target)
    for name, sent in DISTURBANCES.items():
        for phase, steps in BEFORE.items():
            for value, address in enumerate(steps):
                if address:
                    target.memory.send([RegisterWrite(address, value)])
                else:
                    target.loader.execute(ReadReg(0x4000_1004))
            target.link.send(sent)
            count.clear()
            target.link.clock.sleep(pause_s)
            target.loader.distrust()

            target.memory.send([RegisterWrite(NEXT, 0x600D)])

            assert count[NEXT] == 1, (name, phase)
            assert count[WRITTEN] <= ("WRITE without its last" in name or "flipped" in name), name
            assert target.memory.words(NEXT, 1) == [0x600D]
            assert target.loader.execute(ReadReg(0x4000_1000)) == held(target, 0x4000_1000)


@pytest.mark.parametrize("kind", ["rom", "v1", "v2"])
def test_two_disturbances_in_a_row(kind: str) -> None:
    """A second disturbance on the way home does not prevent it, nor run a write twice."""
    target = opened(kind)
    count = counted(target)
    expected = [held(target, address) for address in range(0x4000_1000, 0x4000_1010, 4)]
    for name, sent in DISTURBANCES.items():
        target.memory.send([RegisterWrite(WRITTEN, 1)])
        for disturbance in (b"\xc0" + sent, sent):
            target.link.send(disturbance)
            count.clear()
            target.loader.distrust()
            target.loader.resynchronise()
            assert count[WRITTEN] <= ("WRITE" in name), name

        assert target.memory.words(0x4000_1000, 4) == expected


@pytest.mark.parametrize("kind", ["rom", "v1", "v2"])
def test_home_costs_little(kind: str) -> None:
    """After a lost reply a loader in step is asked twice, without a pause."""
    target = opened(kind)
    before, start = wire_of(target).count.requests, target.link.clock.now()
    target.loader.distrust()
    target.loader.resynchronise()

    assert wire_of(target).count.requests - before == 2
    assert target.link.clock.now() - start < 0.02


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_no_c0_stands_alone(kind: str) -> None:
    """A stub is never sent a C0 that opens what may be open already."""
    target = opened(
        kind,
    )
    sent: list[bytes] = []
    target.link.taps.append(lambda _now, way, data: sent.append(data) if way == "tx" else None)
    target.link.send(b"\xc0")
    sent.clear()
    target.loader.distrust()
    target.loader.resynchronise()

    assert not any(data.startswith(b"\xc0") for data in sent)


def test_another_loader_answers() -> None:
    """A ROM that answers in a stub's place is not taken for the stub."""
    target = opened("v2")
    target.link.port.set_lines(dtr=True, rts=False)
    target.link.port.set_lines(dtr=False, rts=True)
    target.link.port.set_lines(dtr=True, rts=False)
    target.link.drain(0.3, limit_s=1)
    target.loader.distrust()

    with pytest.raises(Gone, match="the chip was reset"):
        target.memory.words(0x4000_1000, 1)


def test_a_refusal_leaves_the_dialogue_in_step() -> None:
    """A refusal is an answer; an exception of another kind, Ctrl-C among them, is an open end."""
    target = opened("v2")
    with pytest.raises(Refused):
        target.loader.execute(Unknown())
    assert target.loader.in_step

    def refused() -> None:
        with target.loader.exchange():
            raise Refused("no", code=0xC100)

    with pytest.raises(Refused):
        refused()
    in_step = target.loader.in_step
    assert in_step

    def interrupted() -> None:
        with target.loader.exchange():
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    states = target.loader.in_step, target.loader.is_doubtful
    assert states == (False, True)


def test_what_was_not_asked_for_is_gone_before_an_exchange() -> None:
    """An exchange begins with nothing left to read."""
    target = opened("rom")
    target.link.send(READ)
    target.link.clock.sleep(0.1)
    with target.loader.exchange():
        assert target.link.receive(0.05) is None


def test_doubt_lasts_as_long_as_a_reply_may_be_overdue() -> None:
    """After a resynchronisation everything is read twice for so long, and once then."""
    target = opened("rom")
    target.loader.distrust()
    target.loader.resynchronise()
    clock, count = target.link.clock, wire_of(target).count

    before = count.requests
    target.memory.words(0x4000_0000, 8)
    assert count.requests - before >= 16
    clock.sleep(OVERDUE_S)
    before = count.requests
    target.memory.words(0x4000_0000, 8)
    assert count.requests - before < 16


def test_doubled_reading_compares(monkeypatch: pytest.MonkeyPatch) -> None:
    """While replies may be overdue, words count only when two readings in a row agree."""
    target = opened("rom")
    target.loader.distrust()
    target.loader.resynchronise()
    readings = iter([[1, 2], [1, 3], [1, 3]])
    monkeypatch.setattr(transfer, "_source", lambda *_a, **_k: iter([next(readings)]))

    assert transfer.read_words(target.loader, range(0x4000_0000, 0x4000_0008, 4)) == [1, 3]
    assert next(readings, None) is None


def test_a_gone_loader_is_given_up_at_once() -> None:
    """What cannot be got into step is not tried again by those who try again."""
    target = open_sim("fault=hang@request:40")
    start = target.link.clock.now()
    with pytest.raises(NoReply):
        target.memory.words(0x4000_0000, 64)
    assert target.link.clock.now() - start < 10


def test_digest_like_the_last_is_asked_for_again() -> None:
    """A digest that is that of the range before is believed only behind a fence."""
    target = opened("v2")
    assert target.flash.size
    wire_of(target).chip.flash.load(bytes(range(256)) * 16)
    count = wire_of(target).count
    first = target.flash.ask_digest(0, 4096)
    before = count.requests
    second = target.flash.ask_digest(0, 4096, lambda _: True)  # it has come twice: that is enough

    assert first == second
    assert count.requests - before == 3
    assert digest.md5(bytes(range(256)) * 16) == first


def test_silence_is_gone_and_says_so() -> None:
    """A loader that answers nothing any more is an error with the way back."""
    link, _ = scripted()
    with pytest.raises(Gone, match="stopped answering"):
        Loader(link, ESP32_ROM).resynchronise()


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_a_stub_never_gets_two_requests_at_once(kind: str) -> None:
    """Of two requests that come back to back either stub answers one, so each waits for a reply."""
    target = opened(kind)
    assert target.flash.size
    wire_of(target).chip.flash.load(bytes(range(256)) * 400)
    ways: list[str] = []
    target.link.taps.append(lambda _now, way, _data: ways.append(way))
    target.memory.read(0x4000_0000, 400)
    target.memory.send([RegisterWrite(WRITTEN + 4 * i, i) for i in range(20)])
    assert list(target.flash.program(0x4000, bytes(range(256)) * 32))
    assert list(target.flash.erase(0x8000, 0x2000))
    target.flash.read(0, 100_000)
    target.flash.digest(0, 4096, confirmed=True)
    target.change_baud(460800)
    target.loader.distrust()
    target.loader.resynchronise()

    assert all(pair != ("tx", "tx") for pair in pairwise(ways))


def test_a_stopped_stream_has_ended_before_the_next_request() -> None:
    """After a lost block the stub is told to stop, and asked nothing before it has."""
    sound = opened("v2")
    assert sound.flash.size
    block = wire_of(sound).count.replies + 6  # behind a digest and the reply to READ_FLASH
    target = opened("v2", f"fault=drop@reply:{block}")
    target.loader.has_streams = False
    assert target.flash.size
    wire_of(target).chip.flash.load(bytes(range(256)) * 256)
    ways: list[str] = []
    target.link.taps.append(lambda _now, way, _data: ways.append(way))

    assert target.flash.read(0, 0x1_0000) == bytes(range(256)) * 256
    assert sum(pair == ("tx", "tx") for pair in pairwise(ways)) == 1


def test_a_sync_forgets_the_repetitions_of_a_refusal() -> None:
    """What is refused after it is refused anew, and must not be passed over."""
    target = opened("rom")
    target.loader.strays = Sync.REPLIES - 1
    assert target.loader.sync() == ESP32_ROM.sync_value
    assert target.loader.strays == 0


def test_the_end_of_a_stream_that_was_given_up_is_waited_for() -> None:
    """Nothing is asked before it has been silent for half a second."""
    target = open_sim(chip="esp32c3")
    target.start_stub()
    loader, clock = target.loader, target.link.clock

    def taken(lasts_s: float) -> float:
        start = clock.now()
        loader.stream_until = start + lasts_s
        loader.distrust()
        loader.resynchronise()
        return clock.now() - start

    usual = taken(0.0)
    assert usual < 0.2
    assert taken(9.0) == pytest.approx(usual + 0.5, abs=0.05)
