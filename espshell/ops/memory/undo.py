"""The verb ``undo``: put back what was there before a write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from espshell.device import Memory
from espshell.errors import UsageError
from espshell.ops.memory.words import poke
from espshell.ops.memory.writing import differing_words, not_as_written, write_bytes
from espshell.ops.result import Change, Result
from espshell.units import hex32


@dataclass(frozen=True, slots=True)
class Restored(Result):
    """``found`` was at an address, and what had been there before a write is there again."""

    address: int
    found: bytes
    restored: bytes
    differing: tuple[int, ...] = ()
    """Addresses of words that read back otherwise."""
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing reads back otherwise."""
        return not self.differing

    @property
    def failure(self) -> str:
        """What is not as it should be."""
        return not_as_written(self.differing)


@dataclass(frozen=True, slots=True)
class Undone(Result):
    """What was put back, the newest write first; it ends where one did not read back."""

    writes: tuple[Restored, ...]

    @property
    def ok(self) -> bool:
        """Whether all of it reads back."""
        return all(write.ok for write in self.writes)

    @property
    def failure(self) -> str:
        """What is not as it should be."""
        return ", ".join(write.failure for write in self.writes if not write.ok)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to keep in mind."""
        return tuple(note for write in self.writes for note in write.notes)


def undo(memory: Memory, changes: Iterable[Change]) -> Undone:
    """Put back what was there before writes, in the order given; stop at one that fails.

    Raises: UsageError for a write before which nothing was read.
    """
    writes = []
    for change in changes:
        writes.append(_put_back(memory, change))
        if not writes[-1].ok:
            break
    return Undone(tuple(writes))


def _put_back(memory: Memory, change: Change) -> Restored:
    if change.old is None:
        raise UsageError(f"what was at {hex32(change.address)} before was not read")
    found = memory.read(change.address, change.size)
    notes: tuple[str, ...] = ()
    if found != change.new:
        notes = (f"{hex32(change.address)} no longer held what was written there",)
    if change.mask is not None:
        return _put_back_bits(memory, change, change.old, found, notes)
    for _ in write_bytes(memory, change.address, change.old):
        pass
    got = memory.read(change.address, change.size)
    differing = differing_words(change.address, change.old, got)
    return Restored(change.address, found, change.old, differing, notes)


def _put_back_bits(
    memory: Memory, change: Change, old: bytes, found: bytes, notes: tuple[str, ...]
) -> Restored:
    """Put back only the bits under a mask."""
    size = change.width // 8
    values = [int.from_bytes(old[i : i + size], "little") for i in range(0, len(old), size)]
    done = poke(memory, change.address, values, width=change.width, mask=change.mask, force=True)
    wanted = b"".join(value.to_bytes(size, "little") for value in done.wanted)
    return Restored(change.address, found, wanted, done.differing, (*notes, *done.notes))
