"""The verb ``undo``: put back what was there before a write."""

from __future__ import annotations

from collections.abc import Iterable

from espshell.device import Memory
from espshell.device.memory import Change
from espshell.errors import UsageError
from espshell.ops.memory.words import poke_bytes
from espshell.ops.memory.writing import WriteResult, write_and_verify
from espshell.ops.result import Result
from espshell.records import dataclass
from espshell.units import hex32


@dataclass(frozen=True, slots=True)
class Restored(WriteResult):
    """``found`` was at an address, and what had been there before a write is there again."""

    address: int
    found: bytes
    found_notes: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """What to keep in mind, of what was found and of what was written."""
        return (*self.found_notes, *(note for write in self.writes for note in write.notes))


@dataclass(frozen=True, slots=True)
class Undone(Result):
    """The writes that were put back, the newest first, up to one that did not read back."""

    writes: tuple[Restored, ...]

    @property
    def ok(self) -> bool:
        """Whether all of it reads back."""
        return all(write.ok for write in self.writes)

    @property
    def failure(self) -> str:
        """The writes that do not read back."""
        return ", ".join(write.failure for write in self.writes if not write.ok)

    @property
    def notes(self) -> tuple[str, ...]:
        """What to keep in mind."""
        return tuple(note for write in self.writes for note in write.notes)


def undo(memory: Memory, changes: Iterable[Change]) -> Undone:
    """Put back what was there before writes, in the order given; stop at one that fails.

    Raises: UsageError for a write before which nothing was read, and for one where a stub that was
    started since has its place.
    """
    writes = []
    for change in changes:
        writes.append(_put_back(memory, change))
        if not writes[-1].ok:
            break
    return Undone(tuple(writes))


def _put_back(memory: Memory, change: Change) -> Restored:
    if change.old is None:
        raise UsageError(f"the previous contents of {hex32(change.address)} were not read")
    memory.require_spared(change.address, change.size)
    current = memory.read(change.address, change.size)
    notes: tuple[str, ...] = ()
    if current != change.new:
        notes = (f"{hex32(change.address)} no longer held what was written there",)
    if change.mask is None:
        write = write_and_verify(memory, change.address, change.old, remember=False)
    else:
        width, mask = change.width, change.mask
        write = poke_bytes(
            memory, change.address, change.old, width=width, mask=mask, remember=False
        )
    return Restored(change.address, current, notes, writes=(write,))
