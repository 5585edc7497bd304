"""Frames with a deadline: what is an answer, what is noise, and how long anybody waits."""

from __future__ import annotations

import pytest

from espshell.link.link import NOISE_KEPT, Link
from espshell.protocol import slip
from espshell.protocol.packet import Response
from tests.link.support import MAGIC, REPLY, BabblingPort, FakePort

ANSWER = Response(0x0A, 0x00F0_1D83, bytes(4))
BOOT_LOG = b"rst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT(UART0))\r\nwaiting for download\r\n"


def test_whole_answer() -> None:
    """An answer in time is returned when it is complete."""
    link = Link(FakePort([(0.2, REPLY)]))
    assert link.receive(1.0) == ANSWER
    assert link.clock.now() == pytest.approx(0.2)
    assert link.noise == b""


def test_byte_by_byte() -> None:
    """An answer may arrive in any pieces."""
    link = Link(FakePort([(n / 100, REPLY[n : n + 1]) for n in range(len(REPLY))]))
    assert link.receive(1.0) == ANSWER
    assert link.bytes_received == len(REPLY)


def test_trailing_bytes_wait_for_the_next_receive() -> None:
    """What follows an answer in the same chunk is not lost."""
    link = Link(FakePort([(0.1, REPLY + REPLY[:5]), (0.2, REPLY[5:])]))
    assert link.receive(1.0) == ANSWER
    assert link.receive(1.0) == ANSWER
    assert link.receive(1.0) is None


def test_silence_ends_at_the_deadline() -> None:
    """Nothing in time is None, after exactly that time."""
    link = Link(FakePort([(2.0, REPLY)]))
    assert link.receive(0.5) is None
    assert link.clock.now() == pytest.approx(0.5)


@pytest.mark.parametrize("babble", [b"U", b"\xc0", b"\xdb\x00", BOOT_LOG, REPLY[:-3]])
def test_a_chip_that_talks_for_ever_ends_at_the_deadline(babble: bytes) -> None:
    """The deadline is against the clock: reads that always bring something do not extend it."""
    link = Link(BabblingPort(babble))
    assert link.receive(0.25) is None
    assert link.clock.now() == pytest.approx(0.25, abs=0.01)


def test_noise_is_kept_and_bounded() -> None:
    """The last that came is remembered, never more than so much of it."""
    link = Link(BabblingPort(b"0123456789" * 100))
    link.receive(0.1)
    assert link.noise == (b"0123456789" * 1000)[-NOISE_KEPT:]


def test_an_answer_behind_noise() -> None:
    """A boot log before an answer costs nothing and is kept apart."""
    link = Link(FakePort([(0.1, BOOT_LOG + REPLY)]))
    assert link.receive(1.0) == ANSWER
    assert link.noise == BOOT_LOG


def test_noise_without_an_end_is_seen() -> None:
    """A boot log that no frame follows is noise as soon as it is there."""
    link = Link(FakePort([(0.1, BOOT_LOG)]))
    assert link.receive(0.2) is None
    assert link.noise == BOOT_LOG
    link.forget_noise()
    assert link.noise == b""


def test_a_greeting_is_heard() -> None:
    """Bytes that are not response are found however they are cut, and waited for no longer."""
    link = Link(FakePort([(0.1, b"\xc0OH"), (0.2, b"AI\xc0" + REPLY)]))
    assert link.hear(b"OHAI", 1.0)
    assert link.clock.now() == pytest.approx(0.2)
    assert link.receive(0.0) == ANSWER
    assert not link.hear(b"BYE", 0.5)
    assert link.clock.now() == pytest.approx(0.7)


def test_a_greeting_in_a_flood_is_waited_for_no_longer() -> None:
    """The deadline holds for it, too."""
    link = Link(BabblingPort(b"x\xc0"))
    assert not link.hear(b"OHAI", 0.1)
    assert link.clock.now() == pytest.approx(0.1, abs=0.01)


def test_receive_all_returns_what_has_come() -> None:
    """All that is complete, and no waiting for more."""
    link = Link(FakePort([(0.1, 3 * REPLY), (0.2, REPLY)]))
    assert link.receive_all(1.0) == 3 * [ANSWER]
    assert link.clock.now() == pytest.approx(0.1)
    assert link.receive_all(1.0) == [ANSWER]
    assert link.receive_all(0.1) == []


def test_discard_forgets_what_has_come() -> None:
    """Answers that nobody asked for are gone, without waiting; later ones are not."""
    link = Link(FakePort([(0.0, REPLY), (0.0, REPLY), (0.1, REPLY)]))
    link.discard()
    assert link.clock.now() == 0.0
    assert link.receive_all(1.0) == [ANSWER]


def test_discard_lets_half_an_answer_become_a_whole_one() -> None:
    """Cutting it here would turn its rest into noise in front of the next answer."""
    link = Link(FakePort([(0.0, REPLY[:6]), (0.1, REPLY[6:])]))
    link.discard()
    assert link.receive(1.0) == ANSWER
    assert link.noise == b""


def test_discard_leaves_a_flood() -> None:
    """A port that always has something does not hold us for ever."""
    port = BabblingPort(b"x" * 100)
    Link(port).discard()
    assert port.reads == -(-NOISE_KEPT // 100)


def test_drain_waits_until_it_is_quiet() -> None:
    """It ends when nothing has come for the quiet time, and no sooner."""
    link = Link(FakePort([(0.02, REPLY), (0.06, b"log"), (0.09, REPLY[:4]), (0.2, REPLY)]))
    link.drain(0.05, limit_s=1.0)
    assert link.clock.now() == pytest.approx(0.14)
    assert link.noise == b"log" + REPLY[1:4]
    assert link.receive_all(1.0) == [ANSWER]


def test_drain_ends_at_its_limit() -> None:
    """A chip that never is quiet is left at the limit."""
    link = Link(BabblingPort(b"x"))
    link.drain(0.05, limit_s=0.3)
    assert link.clock.now() == pytest.approx(0.3, abs=0.01)


def test_taps_see_every_chunk() -> None:
    """Both directions, as they pass, with the moment."""
    seen: list[tuple[float, str, bytes]] = []
    link = Link(FakePort([(0.5, REPLY[:3]), (0.7, REPLY[3:])]))
    link.taps.append(lambda *event: seen.append(event))
    link.send(b"ask")
    link.receive(1.0)
    assert seen == [(0.0, "tx", b"ask"), (0.5, "rx", REPLY[:3]), (0.7, "rx", REPLY[3:])]


def test_time_on_the_wire() -> None:
    """Ten bits a byte at the port's rate."""
    link = Link(FakePort())
    assert link.wire_s(11520) == pytest.approx(1.0)


def test_a_frame_in_the_other_direction_is_noise() -> None:
    """An echo of what was sent is no answer."""
    echo = slip.encode(b"\x00" + MAGIC[1:])
    link = Link(FakePort([(0.1, echo + REPLY)]))
    assert link.receive(1.0) == ANSWER
    assert link.noise == b"\x00" + MAGIC[1:]
