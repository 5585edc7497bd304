"""Reset sequences as they are played: the exact order of line states, and the waits."""

from __future__ import annotations

import pytest

from espshell.errors import UsageError
from espshell.link import reset
from espshell.link.reset import Lines, Sequence, Wait
from tests.link.support import FakePort

SEQUENCES = {
    "classic": reset.CLASSIC,
    "tight": reset.TIGHT,
    "usb-jtag": reset.USB_JTAG,
    "hard": reset.HARD_RESET,
}


def played(sequence: Sequence) -> tuple[list[object], float]:
    """Return when which line was set, and how long it all took."""
    port = FakePort()
    assert reset.play(port, sequence)
    return port.log, round(port.clock.now(), 6)


@pytest.mark.parametrize(
    ("sequence", "expected", "seconds"),
    [
        (
            reset.CLASSIC,
            [
                (0.0, False, None),
                (0.0, None, True),
                (0.1, True, None),
                (0.1, None, False),
                (0.15, False, None),
            ],
            0.15,
        ),
        (
            reset.TIGHT,
            [
                (0.0, False, False),
                (0.0, True, True),
                (0.0, False, True),
                (0.1, True, False),
                (0.15, False, False),
                (0.15, False, None),
            ],
            0.15,
        ),
        (
            reset.USB_JTAG,
            [
                (0.0, None, False),
                (0.0, False, None),
                (0.1, True, None),
                (0.1, None, False),
                (0.2, None, True),
                (0.2, False, None),
                (0.2, None, True),
                (0.3, False, None),
                (0.3, None, False),
            ],
            0.3,
        ),
        (reset.HARD_RESET, [(0.0, None, True), (0.1, None, False)], 0.1),
        ((), [], 0.0),
    ],
    ids=[*SEQUENCES, "none"],
)
def test_what_is_played(sequence: Sequence, expected: list[object], seconds: float) -> None:
    """Every state of the lines, in order, and when."""
    assert played(sequence) == (expected, seconds)


@pytest.mark.parametrize("sequence", SEQUENCES.values(), ids=SEQUENCES)
def test_every_sequence_releases_both_lines(sequence: Sequence) -> None:
    """Whatever was asserted is released in the end: the chip runs."""
    dtr = rts = False
    for step in sequence:
        if isinstance(step, Lines):
            dtr = dtr if step.dtr is None else step.dtr
            rts = rts if step.rts is None else step.rts
    assert (dtr, rts) == (False, False)


@pytest.mark.parametrize("sequence", SEQUENCES.values(), ids=SEQUENCES)
def test_slower_only_lengthens_the_last_wait(sequence: Sequence) -> None:
    """The chip gets more time to come out of reset; nothing else changes."""
    changed = [(a, b) for a, b in zip(sequence, reset.slower(sequence, 0.5), strict=True) if a != b]
    last = [step for step in sequence if isinstance(step, Wait)][-1]
    assert changed == [(last, Wait(last.seconds + 0.5))]


def test_the_port_without_lines_stops_at_once() -> None:
    """No time is spent on waiting for lines that are not there."""
    port = FakePort(lines=False)
    assert not reset.play(port, reset.CLASSIC)
    assert port.log == [(0.0, False, None)]
    assert port.clock.now() == 0.0


def test_modes() -> None:
    """What can be asked for: sequences of the list above, or none; short before long."""
    known = {*SEQUENCES.values(), *(reset.slower(s, 0.5) for s in SEQUENCES.values())}
    assert all(sequence in known for row in reset.BEFORE.values() for sequence in row)
    assert reset.BEFORE["no-reset"] == reset.BEFORE["no-reset-no-sync"] == ()
    assert "no-reset" in reset.AFTER


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("D0|R1|W0.1|D1|R0|W0.05|D0", reset.CLASSIC),
        (" r1 | w.1 | r0 ", (Lines(rts=True), Wait(0.1), Lines(rts=False))),
        ("U0,0|U1,0", (Lines(dtr=False, rts=False), Lines(dtr=True, rts=False))),
        ("|W2|", (Wait(2.0),)),
    ],
)
def test_a_sequence_of_ones_own(text: str, expected: Sequence) -> None:
    """It is written as in esptool's configuration."""
    assert reset.parse(text) == expected


@pytest.mark.parametrize(
    "step", ["D2", "D", "X1", "U1", "U1,2", "W", "W.", "W1.2.3", "W-1", "D0R1"]
)
def test_a_step_that_does_not_exist(step: str) -> None:
    """It is named."""
    with pytest.raises(UsageError, match="step") as caught:
        reset.parse(f"D0|{step}|D1")
    assert f"`{step}`" in caught.value.message


def test_what_is_tried() -> None:
    """A mode stands for sequences that fit the port; a sequence of one's own for itself."""
    assert reset.plan("default-reset") == reset.BEFORE["default-reset"]
    assert reset.plan("default-reset", usb_serial_jtag=True) == (reset.USB_JTAG,)
    one_line = reset.plan("default-reset", one_line_at_a_time=True)
    assert one_line == (reset.CLASSIC, reset.slower(reset.CLASSIC, 0.5))
    assert reset.plan("no-reset", usb_serial_jtag=True) == ()
    assert reset.plan("R1|W0.1|R0") == (reset.HARD_RESET,)
    with pytest.raises(UsageError, match="expected default-reset, usb-reset"):
        reset.plan("gently")


@pytest.mark.parametrize("at", range(4))
def test_a_stopped_sequence_holds_no_line(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal in the middle of a reset leaves EN and IO0 high."""
    port, waits = FakePort(), iter(range(at, -1, -1))

    def sleep(_seconds: float) -> None:
        if not next(waits):
            raise KeyboardInterrupt

    monkeypatch.setattr(port.clock, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        reset.play(port, 3 * reset.TIGHT)
    assert port.log[-1] == (port.clock.now(), False, False)
