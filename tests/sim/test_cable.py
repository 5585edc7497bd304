"""What a simulated cable does to bytes at rates that are too fast for it."""

from __future__ import annotations

import pytest

from espshell.errors import UsageError
from espshell.sim import url
from espshell.sim.line import Cable

DATA = bytes(range(256)) * 400


def test_what_is_slow_enough_gets_through() -> None:
    """At the limit and below a noisy rate no bit changes; above the limit no byte is right."""
    cable = Cable(921_600, [(460_800, 0.01)])
    assert cable.carry(DATA, 230_400) == DATA
    garbled = Cable(921_600, []).carry(DATA, 1_500_000)
    assert all(a != b for a, b in zip(garbled, DATA, strict=True))
    assert Cable(921_600, []).carry(DATA, 921_600) == DATA


def test_noise_is_as_likely_as_it_says_and_the_same_again() -> None:
    """Single bits flip, about as often as asked for, in any pieces, and alike in each run."""
    whole = Cable(0, [(460_800, 0.001), (921_600, 0.01)])
    spoiled = whole.carry(DATA, 460_800)
    wrong = [a ^ b for a, b in zip(spoiled, DATA, strict=True) if a != b]
    assert 60 < len(wrong) < 150
    assert all(bits.bit_count() == 1 for bits in wrong)
    pieces = Cable(0, [(460_800, 0.001), (921_600, 0.01)])
    sevens = (DATA[i : i + 7] for i in range(0, len(DATA), 7))
    assert b"".join(pieces.carry(seven, 460_800) for seven in sevens) == spoiled
    faster = pieces.carry(DATA, 3_000_000)
    assert 700 < sum(a != b for a, b in zip(faster, DATA, strict=True)) < 1300
    assert all(a != b for a, b in zip(Cable(0, [(1, 1.0)]).carry(DATA, 9600), DATA, strict=True))


@pytest.mark.parametrize("option", ["maxbaud=0", "maxbaud=x", "noise=1", "noise=1:2", "noise=0:.1"])
def test_a_wrong_option_is_refused(option: str) -> None:
    """A rate or a probability that is none is a usage error that shows a right one."""
    with pytest.raises(UsageError, match="such as 921600"):
        url.parse(f"sim://esp32?{option}")


def test_the_options() -> None:
    """Both stand in a URL, noise for several rates."""
    setup = url.parse("sim://esp32?maxbaud=921600&noise=230400:0.5&noise=460800:1")
    assert (setup.max_baud, setup.noise) == (921_600, ((230_400, 0.5), (460_800, 1.0)))
