"""The verb ``undo``: put back what was there before a write."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from espshell.device import Memory
from espshell.device.memory import Change
from espshell.errors import UsageError
from espshell.ops.memory.writing import WriteResult, write_and_verify
from espshell.ops.result import Result
from espshell.units import hex32


@dataclass(frozen=True, slots=True)
class Restored(WriteResult):
    """``found`` was at an address, and what had been there before a write is there again."""

    address: int
    found: bytes


@dataclass(frozen=True, slots=True)
class Undone(Result):
    """The writes that were put back, the newest first, up to one that did not read back."""

    writes: tuple[Restored, ...]

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
    writes: list[Restored] = []
    for change in changes:
        if change.old is None:
            raise UsageError(f"the previous contents of {hex32(change.address)} were not read")
        memory.require_spared(change.address, change.size)
        current = memory.read(change.address, change.size)
        other = f"{hex32(change.address)} no longer held what was written there"
        poked = None if change.mask is None else (change.width, change.mask)
        write = write_and_verify(memory, change.address, change.old, remember=False, poked=poked)
        notes = () if current == change.new else (other,)
        writes.append(Restored(change.address, current, writes=(write,), read_notes=notes))
        if not writes[-1].ok:
            break
    return Undone(tuple(writes))
