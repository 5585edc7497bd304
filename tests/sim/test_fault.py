"""Faults by rule: each action in both directions, and what a rule may look like."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st

from espshell.errors import UsageError
from espshell.protocol import slip
from espshell.protocol.commands import ReadReg
from espshell.sim import fault, models
from espshell.sim.fault import Direction, FaultAction, Faults, Splitter
from espshell.sim.protocol_sim import Serial
from espshell.sim.url import with_faults
from tests.sim.support import with_program

Opener = Callable[..., Serial]
Exchange = Callable[..., bytes]
Answers = Callable[..., list[str]]

READ = ReadReg(0x4000_1000).encode()
READ4 = ReadReg(0x4000_1004).encode()
FIRST = "0a 00f01d83+00000000"
SECOND = "0a 65004136+00000000"


def sim(*rules: str) -> str:
    return with_faults("sim://esp32", rules)


@pytest.mark.parametrize("direction", ["request", "reply"])
def test_drop_and_double(open_sim: Opener, answers: Answers, direction: str) -> None:
    """The frame is missing, or there twice; its neighbours are untouched."""
    port = open_sim(sim(f"drop@{direction}:2", f"double@{direction}:4"))
    assert answers(port, READ + READ4 + READ) == [FIRST, FIRST]
    assert answers(port, READ4 + READ) == [SECOND, SECOND, FIRST]


@pytest.mark.parametrize("direction", ["request", "reply"])
def test_late_and_stall(open_sim: Opener, answers: Answers, direction: str) -> None:
    """A late frame is passed by others; behind a stalled one they wait."""
    late = open_sim(sim(f"late@{direction}:1:0.5"))
    assert answers(late, READ + READ4) == [SECOND, FIRST]
    assert late.clock.now() > 0.5
    stalled = open_sim(sim(f"stall@{direction}:1:0.5"))
    stalled.write(READ + READ4)
    assert not stalled.wait_readable(0.5)
    assert answers(stalled, b"") == [FIRST, SECOND]


def test_a_stall_after_replies_that_are_under_way(open_sim: Opener, answers: Answers) -> None:
    """What was sent before the stall is not held back."""
    port = open_sim(sim("stall@reply:2:0.5"))
    port.write(READ + READ4)
    port.timeout = 0.1
    assert len(port.read(100)) == 14
    assert answers(port, b"") == [SECOND]


def test_flip(open_sim: Opener, answers: Answers) -> None:
    """One bit of the unescaped frame is wrong, and a C0 that comes of it is escaped."""
    port = open_sim(sim("flip@request:1:8.2", "flip@reply:2:4.0"))
    assert answers(port, READ) == [SECOND]
    assert answers(port, READ) == ["0a 00f01d82+00000000"]
    port.wire.chip.memory.write(0x3FFB_0000, b"\xc1\xdb\xc0\x00")
    flipped = open_sim(sim("flip@reply:1-9:4.0"))
    flipped.wire.chip.memory.write(0x3FFB_0000, b"\xc1\xdb\xc0\x00")
    assert answers(flipped, ReadReg(0x3FFB_0000).encode()) == ["0a 00c0dbc0+00000000"]


def test_cut(open_sim: Opener, answers: Answers, exchange: Exchange) -> None:
    """A cut request is ended by the next one's C0, and that one is swallowed."""
    port = open_sim(sim("cut@request:1:10", "cut@reply:2:5"))
    assert answers(port, READ) == []
    assert answers(port, READ4) == ["0a 00000000+00000000"]
    assert exchange(port, READ) == slip.encode(bytes.fromhex("010a0400831df00000000000"))[:5]


@pytest.mark.parametrize("direction", ["request", "reply"])
def test_noise(open_sim: Opener, exchange: Exchange, direction: str) -> None:
    """Text comes before the frame, with its escapes undone."""
    port = open_sim(sim(rf"noise@{direction}:1:rst\r\n\x00\\"))
    reply = slip.encode(bytes.fromhex("010a0400831df00000000000"))
    text = b"rst\r\n\x00\\" if direction == "reply" else b""
    assert exchange(port, READ) == text + reply


@pytest.mark.parametrize("direction", ["request", "reply"])
def test_endings(open_sim: Opener, exchange: Exchange, direction: str) -> None:
    """After a hang nothing comes; after a reset the application; a reset by EN ends either."""
    for action, text in (
        ("hang", b""),
        ("reset", models.ESP32.application_log + models.APPLICATION_TEXT),
    ):
        port = with_program(open_sim(sim(f"{action}@{direction}:2")))
        assert len(exchange(port, READ)) == 14
        assert exchange(port, READ + READ + READ) == text
        assert exchange(port, READ) == b""
        port.rts = True
        port.dtr, port.rts = True, False
        exchange(port)
        assert len(exchange(port, READ)) == 14


def test_garbage_never_ends(open_sim: Opener) -> None:
    """Meaningless bytes keep coming at the rate of the wire, the same in every run."""
    found = []
    for _ in range(2):
        port = open_sim(sim("garbage@reply:2"))
        port.write(READ + READ)
        port.timeout = 1.0
        found.append(port.read(50_000))
    assert found[0] == found[1]
    assert len(found[0]) == pytest.approx(11_520, rel=0.01)
    assert len(set(found[0])) == 256


@pytest.mark.parametrize("chip", ["esp32", "esp32c3"])
@pytest.mark.parametrize(
    ("action", "text", "reason"),
    [
        ("panic", b"Guru Meditation Error: Core  0 panic'ed", "software"),
        ("brownout", b"Brownout detector was triggered", "brownout"),
    ],
)
def test_crashes(
    open_sim: Opener, exchange: Exchange, chip: str, action: str, text: bytes, reason: str
) -> None:
    """The application's last words, then the ROM's with the reason, then the application again."""
    port = with_program(open_sim(with_faults(f"sim://{chip}", [f"{action}@request:2"])))
    assert len(exchange(port, READ)) == 14
    said = exchange(port, READ + READ)
    model = port.wire.chip.model
    assert text in said
    log = model.boot_log(getattr(model.log, reason), download=False)
    assert said.endswith(log + models.APPLICATION_TEXT)
    assert exchange(port, READ) == b""


@pytest.mark.parametrize("url", ["sim://esp32?fault=bootloop@request:1", "sim://esp32?boot=loop"])
def test_a_boot_loop(open_sim: Opener, exchange: Exchange, url: str) -> None:
    """Boot logs again and again, never a loader; a reset with IO0 low still gets one."""
    port = open_sim(url)
    port.write(READ)
    port.timeout = 5.0
    said = port.read(100_000)
    model = models.ESP32
    first = model.application_log
    again = model.boot_log(model.log.watchdog, download=False)
    assert said.startswith(first + model.log.blank + again)
    assert 8 <= said.count(b"rst:0x10 (RTCWDT_RTC_RESET)") <= 10
    port.rts = True
    port.dtr, port.rts = True, False
    assert exchange(port).endswith(model.download_log)
    assert len(exchange(port, READ)) == 14


def test_replug(open_sim: Opener, exchange: Exchange) -> None:
    """The port fails until it is opened again, which works after the time; RAM is lost then."""
    url = "sim://esp32?fault=replug@request:2:1.5"
    port = open_sim(url)
    exchange(port, READ)
    wire, gone_at = port.wire, port.clock.now()
    wire.chip.memory.write(0x3FFB_0000, b"lost")
    wire.chip.flash.load(b"kept")
    with pytest.raises(serial.SerialException, match="unplugged"):
        exchange(port, READ)
    port.close()
    refused = 0
    while True:
        try:
            again = open_sim(url)
            break
        except serial.SerialException:
            refused += 1
    assert 0 < refused < 20
    assert again.wire is wire
    assert again.clock.now() - gone_at > 1.5
    assert len(exchange(again, READ)) == 14
    assert wire.chip.memory.read(0x3FFB_0000, 4) == bytes(4)
    assert wire.chip.flash.read(0, 4) == b"kept"
    with pytest.raises(serial.SerialException):
        port.read(1)
    assert open_sim(url).wire is not wire  # it was found; the next one is new


def test_an_open_port_does_not_come_back(open_sim: Opener, exchange: Exchange) -> None:
    """Waiting alone is not enough: it must be closed and opened."""
    port = open_sim("sim://esp32?fault=replug@reply:1:0.5&latency=2ms")
    with pytest.raises(serial.SerialException):
        exchange(port, READ)
    port.clock.sleep(2.0)
    with pytest.raises(serial.SerialException):
        port.write(READ)
    port.close()
    port.open()
    assert len(exchange(port, READ)) == 14


@pytest.mark.parametrize("direction", ["request", "reply"])
def test_unplug(open_sim: Opener, direction: str) -> None:
    """What came before can be read; then everything raises, and so does opening again."""
    port = open_sim(sim(f"unplug@{direction}:2"))
    port.timeout = 1.0
    port.write(READ)
    assert len(port.read(14)) == 14
    port.write(READ)
    with pytest.raises(serial.SerialException):
        port.wait_readable(1.0)
    with pytest.raises(serial.SerialException):
        port.write(READ)
    port.close()
    with pytest.raises(serial.SerialException):
        port.open()


@pytest.mark.parametrize(
    ("where", "hit"),
    [("3", [3]), ("3-5", [3, 4, 5]), ("2+3", [2, 5, 8]), ("1", [1]), ("4-4", [4])],
)
def test_which_frames_a_rule_means(where: str, hit: list[int]) -> None:
    """N, N-M and N+K count from 1."""
    rule = fault.parse(f"drop@reply:{where}")
    assert [index for index in range(1, 10) if rule.holds(index)] == hit


def test_rules_work_together() -> None:
    """Several rules for one frame apply in their order."""
    rules = [fault.parse("double@reply:1"), fault.parse("noise@reply:1:x")]
    passages = Faults(rules, Direction.REPLY).apply(b"\xc0a\xc0")
    assert [passage.data for passage in passages] == [b"x\xc0a\xc0"] * 2
    assert Faults(rules, Direction.REQUEST).apply(b"\xc0a\xc0")[0].data == b"\xc0a\xc0"


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("drop", "ACTION@request:N"),
        ("drop@reply", "ACTION@request:N"),
        ("lose@reply:1", "expected one of drop, double"),
        ("drop@answer:1", "expected one of request, reply"),
        ("drop@reply:0", "from 1 on"),
        ("drop@reply:5-3", "N-M"),
        ("drop@reply:5+0", "N+K"),
        ("drop@reply:1:2", "no argument"),
        ("late@reply:1", "seconds"),
        ("stall@reply:1:soon", "seconds"),
        ("flip@reply:1:8.9", "BYTE.BIT"),
        ("cut@reply:1:x", "a number of bytes"),
        ("noise@reply:1:", "a text"),
        ("replug@reply:1", "seconds"),
        ("panic@reply:1:2", "no argument"),
    ],
)
def test_wrong_rules(rule: str, expected: str) -> None:
    """Each says in one line what was expected."""
    with pytest.raises(UsageError, match=r"fault '.*expected") as caught:
        fault.parse(rule)
    assert expected in caught.value.message
    assert "\n" not in caught.value.message


def test_every_action_is_described() -> None:
    """The module's text lists all actions, which is where the help comes from."""
    for action in FaultAction:
        assert f"\n    {action.value}" in (fault.__doc__ or "")


@given(st.lists(st.binary(max_size=6)), st.integers(1, 7))
def test_the_splitter_loses_and_invents_nothing(parts: list[bytes], size: int) -> None:
    """What comes out is what went in, less what waits for its C0, however it was cut."""
    stream = b"\xc0".join(parts)
    splitter = Splitter()
    found = [
        piece
        for start in range(0, len(stream), size)
        for piece in splitter.feed(stream[start : start + size])
    ]
    out = b"".join(piece for piece, _ in found)
    assert stream.startswith(out)
    assert stream[len(out) :].count(b"\xc0") <= 1


def test_a_lone_c0_is_not_held_back() -> None:
    """It ends a frame that was cut, so it must pass before the next frame comes."""
    splitter = Splitter()
    assert splitter.feed(b"\xc0") == [(b"\xc0", False)]
    assert splitter.feed(b"\xc0ab\xc0")[-1] == (b"ab\xc0", True)
