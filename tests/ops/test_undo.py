"""The journal and undoing, dry runs, waiting and watching, on a simulated chip."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.clock import VirtualClock
from espshell.device.memory import Change
from espshell.errors import UsageError
from espshell.ops.memory import words as memory
from espshell.ops.memory.journal import Journal
from espshell.ops.memory.snapshot import snapshot
from espshell.ops.memory.undo import undo
from espshell.ops.memory.watch import Expectation, changes, wait
from espshell.ops.memory.words import copy
from tests.loader.support import open_sim, wire_of

C3 = open_sim(chip="esp32c3")
MEM = C3.memory
RAM = 0x3FC9_0000
BEFORE = bytes(i * 7 % 251 for i in range(256))


def ram(size: int = 256, address: int = RAM) -> bytes:
    """Return what the simulated chip holds."""
    return wire_of(C3).chip.memory.read(address, size)


@pytest.fixture(autouse=True)
def filled() -> Iterator[None]:
    """Put a pattern into the simulated chip, past the loader."""
    wire_of(C3).chip.memory.write(RAM, BEFORE)
    yield
    MEM.dry_run = False


# Undoing -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [8, 16, 32])
@pytest.mark.parametrize("mask", [None, 0x5A])
def test_undo_of_a_poke(width: int, mask: int | None) -> None:
    """What was there is there again, whatever the width and the mask."""
    done = memory.poke(MEM, RAM + 4, [0xFF, 0], width=width, mask=mask)
    assert ram() != BEFORE
    assert undo(MEM, done.changes).ok
    assert ram() == BEFORE


def test_undo_ends_where_one_does_not_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is older stays as it is, so that the journal says what is still to be undone."""
    first = memory.poke(MEM, RAM, [1]).changes
    second = memory.poke(MEM, RAM + 4, [2]).changes
    held = ram(8)
    monkeypatch.setattr(MEM, "write", lambda _: None)
    result = undo(MEM, [*second, *first])
    assert (result.ok, [write.address for write in result.writes]) == (False, [RAM + 4])
    assert ram(8) == held


def test_a_failed_command_is_doubted_alone() -> None:
    """Only what was recorded by it may or may not have been written."""
    journal, change = Journal(), Change(RAM, bytes(4), bytes(4))
    with journal.recording("poke"):
        journal.record(change)

    def fail() -> None:
        with journal.recording("fill"):
            journal.record(change)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert [entry.is_sure for entry in journal.last(2).entries] == [True, False]


def test_undo_under_a_mask_leaves_the_other_bits() -> None:
    """Bits that the write did not touch stay as they are now."""
    wire_of(C3).chip.memory.write(RAM, bytes(4))
    done = memory.poke(MEM, RAM, [0xF], mask=0xF)
    wire_of(C3).chip.memory.write(RAM, b"\xff\xff\xff\xff")
    result = undo(MEM, done.changes)
    assert ram(4) == b"\xf0\xff\xff\xff"
    assert "no longer held what was written" in result.notes[0]


def test_undo_of_ranges_newest_first() -> None:
    """Writes that overlap are undone in the opposite order."""
    first = memory.fill(MEM, RAM + 1, 99, 0xEE, width=8)
    second = copy(MEM, RAM, 50, RAM + 33)
    assert undo(MEM, [*second.changes, *first.changes]).ok
    assert ram() == BEFORE


def test_what_was_not_read_cannot_be_undone() -> None:
    """Without the old contents there is nothing to put back, and it says so."""
    done = memory.fill(MEM, RAM, 64, 0, verify=False)
    assert done.writes[0].old is None
    with pytest.raises(UsageError, match="were not read"):
        undo(MEM, done.changes)


# The journal -------------------------------------------------------------------------------------


def test_journal_is_bounded() -> None:
    """The oldest writes are forgotten, by number and by size."""
    journal = Journal()
    for _ in range(Journal.MOST + 5):
        journal.add("poke", Change(RAM, b"\0", b"\1"))
    assert len(journal) == Journal.MOST
    assert journal.last(1).entries[0].number == Journal.MOST + 5
    journal.add("fill", Change(RAM, None, bytes(Journal.MOST_BYTES)))
    assert [entry.command for entry in journal.last(10).entries] == ["fill"]


def test_journal_refuses_as_a_whole() -> None:
    """If one of the writes cannot be undone, none is handed out."""
    journal = Journal()
    with pytest.raises(UsageError, match="holds 0 writes"):
        journal.to_undo(1)
    journal.add("poke A 1", Change(RAM, None, b"\1"))
    journal.add("poke B 1", Change(RAM, b"\0", b"\1"))
    assert [entry.command for entry in journal.to_undo(1)] == ["poke B 1"]
    with pytest.raises(UsageError, match=r"write 1 \(poke A 1\) cannot be undone"):
        journal.to_undo(2)
    journal.turn_stale()
    with pytest.raises(UsageError, match="reset or reconnected"):
        journal.to_undo(1)


def test_snapshot_keeps_the_bytes() -> None:
    """A snapshot holds what was there, at any alignment."""
    kept = snapshot(MEM, "a", RAM + 3, 21)
    assert (kept.address, kept.data, kept.note) == (RAM + 3, BEFORE[3:24], "")


# Dry runs ----------------------------------------------------------------------------------------


def test_dry_run_writes_nothing() -> None:
    """No verb changes the chip, and each says what it would have done."""
    MEM.dry_run = True
    poked = memory.poke(MEM, RAM, [1], verify=False)
    filled = memory.fill(MEM, RAM, 128, 7, width=8)
    copied = copy(MEM, RAM, 100, RAM + 3)

    assert ram() == BEFORE
    old = int.from_bytes(BEFORE[:4], "little")
    assert (poked.old, poked.new, poked.ok) == ((old,), (1,), True)
    assert (filled.writes[0].old, filled.data) == (BEFORE[:128], b"\7" * 128)
    assert not filled.verified
    assert (copied.writes[0].old, copied.data) == (BEFORE[3:103], BEFORE[:100])
    for result in (poked, filled, copied):
        assert result.dry_run
        assert result.ok
        assert not result.changes
        assert result.notes == ("dry run: nothing was sent",)


# Waiting -----------------------------------------------------------------------------------------


@given(st.integers(0, 30), st.sampled_from([0.05, 0.1, 3.0]))
def test_wait_ends_when_it_is_true_or_over(when: int, interval_s: float) -> None:
    """It looks at once, then in its rhythm, the last time when the time is over."""
    clock = VirtualClock()
    looks: list[float] = []

    def look() -> Expectation:
        looks.append(clock.now())
        return Expectation("x", int(len(looks) > when))

    result = wait(look, clock, timeout_s=1.0, interval_s=interval_s)
    assert looks[0] == 0
    assert result.looks == len(looks)
    assert result.ok == (len(looks) == when + 1)
    assert result.ok or looks[-1] == pytest.approx(1.0)
    assert "after 1 s `x` is 0x0" in result.failure or result.ok


def test_changes_are_told_once() -> None:
    """The first look counts, then only what is not as at the look before."""
    clock = VirtualClock()
    seen = iter([5, 5, 6, 6, 5])
    told: list[int] = []
    found = list(
        changes(
            lambda: next(seen), clock, interval_s=2, count=5, looked=lambda s: told.append(s.look)
        )
    )
    assert [(s.look, s.seconds, s.seen) for s in found] == [(1, 0, 5), (3, 4, 6), (5, 8, 5)]
    assert told == [1, 2, 3, 4, 5]
    assert clock.now() == 8
