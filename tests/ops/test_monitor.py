"""What a chip says, made safe: nothing reaches a terminal that it would obey."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.link.trace import Direction
from espshell.ops.chip.monitor import KEPT, Monitor, SafeText, monitor
from tests.loader.support import ScriptedPort


def safe(data: bytes, *, color: bool = False) -> str:
    text = SafeText(color=color)
    return text.feed(data) + text.feed(b"", final=True)


class Talking(ScriptedPort):
    """A port on which pieces arrive, one a read."""

    def __init__(self, *pieces: bytes) -> None:
        super().__init__()
        self._pieces = list(pieces)

    def read(self, wait_s: float) -> bytes:
        """Return the next piece; when there is none, let the time pass."""
        if self._pieces:
            self.clock.sleep(0.01)
            return self._pieces.pop(0)
        return super().read(wait_s)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"plain\tand tab", "plain\tand tab"),
        (b"a\r\nb\nc\r\r\nd", "a\nb\nc\nd"),
        (b"10 %\r20 %\r", "10 %\n20 %\n"),
        (b"\x1b[2J\x1b[H", "\\x1b[2J\\x1b[H"),
        (b"\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        (b"\x00\x08\x7f", "\\x00\\x08\\x7f"),
        ("caf\u00e9 \u20ac \U0001f600".encode(), "caf\u00e9 \u20ac \U0001f600"),
        (b"\xff\xc3(", "\\xff\\xc3("),
        (b"\xe2\x82", "\\xe2\\x82"),
        ("\u0085\u009b2J".encode(), "\\x85\\x9b2J"),
        ("\u202eoops\u2066".encode(), "\\u202eoops\\u2066"),
        ("\U000e0041".encode(), "\\U000e0041"),
        (b"\x1b[0;32mI (29) boot\x1b[0m\r\n", "I (29) boot\n"),
        (b"\x1b[8mhidden\x1b[5m", "\\x1b[8mhidden\\x1b[5m"),
        (b"\x1b", "\\x1b"),
    ],
)
def test_safe(data: bytes, text: str) -> None:
    """Control characters and invisible ones are shown, ends of lines are one, colours go."""
    assert safe(data) == text


def test_colours_of_a_log_are_let_through() -> None:
    """Where colours are wanted the sequences of ESP-IDF's log stay, and no others do."""
    log = b"\x1b[0;32mI (29) boot\x1b[0m\x1b[31;5m\x1b[?25l\x1b[38;5;1m"
    seen = safe(log, color=True)
    assert seen == "\x1b[0;32mI (29) boot\x1b[0m\\x1b[31;5m\\x1b[?25l\\x1b[38;5;1m"


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=4), st.booleans())
def test_where_it_is_cut_does_not_matter(data: bytes, cuts: list[int], color: bool) -> None:
    """The same text comes of the same bytes, however the reads cut them."""
    pieces = SafeText(color=color)
    bounds = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    text = "".join(pieces.feed(data[start:end]) for start, end in pairwise(bounds))
    assert text + pieces.feed(b"", final=True) == safe(data, color=color)


@given(st.binary(max_size=200))
def test_nothing_that_a_terminal_obeys(data: bytes) -> None:
    """Without colours all that is left are printable characters, tabs and ends of lines."""
    assert all(char.isprintable() or char in "\t\n" for char in safe(data))


def test_until_a_text_that_was_cut() -> None:
    """A text is found across reads and colours, and nothing is read behind it."""
    port = Talking(b"not rea", b"\x1b[3", b"2mdy\x1b[0m\r", b"\nmore")
    shown: list[bytes] = []
    heard = monitor(port, until="ready", timeout_s=5, show=shown.append)
    assert (heard.ok, heard.found, heard.text) == (True, True, "not ready\n")
    assert shown == [b"not rea", b"\x1b[3", b"2mdy\x1b[0m\r"]
    assert monitor(port, timeout_s=5).text == "\nmore"


def test_the_time_is_over() -> None:
    """What was not said in time is a failure, with the time and what happened instead."""
    port = Talking(b"Guru Meditation Error: Core  0 panic'ed (LoadProhibited). ")
    heard = monitor(port, until="ready", timeout_s=2)
    assert not heard.ok
    assert heard.seconds == pytest.approx(2)
    assert heard.failure == (
        "`ready` did not appear within 2 s; the application panicked (LoadProhibited)"
    )


@pytest.mark.parametrize(
    ("said", "note"),
    [
        (b"hello\r\n", ()),
        (b"rst:0x1 (POWERON),boot:0x8 (SPI)", ("the chip was reset (POWERON) and runs its appl",)),
        (b"rst:0x7 (WDT),boot:0x8 (SPI)\n" * 3, ("the chip is in a boot loop (WDT)",)),
        (b"Brownout detector was triggered", ("the chip had a brown-out",)),
        (b"abort() was called at PC", ("the application panicked (abort)",)),
    ],
)
def test_what_happened_is_one_note(said: bytes, note: tuple[str, ...]) -> None:
    """Panics, resets and boot loops are recognised, however the reads cut them."""
    heard = monitor(Talking(said[:9], said[9:]), timeout_s=1)
    assert len(heard.notes) == len(note)
    assert all(a.startswith(b) for a, b in zip(heard.notes, note, strict=True))


def test_a_flood_is_not_kept() -> None:
    """Of much only the last is kept, and what is waited for is still found."""
    port = Talking(*[b"x" * 50_000] * 8, b"ready", b"y")
    heard = monitor(port, until="ready", timeout_s=60)
    assert heard.found
    assert (heard.size, len(heard.text)) == (400_005, KEPT)


def test_taps_and_what_came_before() -> None:
    """Who watches the wire sees what is heard; what was said before the listening counts."""
    told: list[tuple[Direction, bytes]] = []
    listener = Monitor(
        Talking(b"dy"), until="ready", taps=[lambda now, way, data: told.append((way, data))]
    )
    listener.take(b"rea")
    assert list(listener.listen(1)) == [b"dy"]
    assert listener.result().found
    assert told == [("rx", b"dy")]
    listener.take(b"ready")
    assert list(listener.listen(1)) == []
