"""The verb ``copy``: a range of the address space to another place in it."""

from __future__ import annotations

from dataclasses import dataclass

from espshell.device import Memory, Space
from espshell.ops.memory.reading import read_chunks, read_old, reading_notes
from espshell.ops.memory.writing import DRY_RUN, differing_words, not_as_written, write_bytes
from espshell.ops.progress import Report, Step, silent
from espshell.ops.result import Change, Result


@dataclass(frozen=True, slots=True)
class Copied(Result):
    """``data`` of ``address`` is at ``to``, too, and was read back there where that was asked."""

    address: int
    to: int
    data: bytes
    verified: bool
    old: bytes | None = None
    """What was at ``to``, None where it was not read."""
    differing: tuple[int, ...] = ()
    """Addresses of words that read back otherwise."""
    notes: tuple[str, ...] = ()
    dry_run: bool = False
    """Whether nothing was sent."""

    @property
    def ok(self) -> bool:
        """Whether nothing reads back otherwise."""
        return not self.differing

    @property
    def failure(self) -> str:
        """What is not as it should be."""
        return not_as_written(self.differing)

    @property
    def changes(self) -> tuple[Change, ...]:
        """What was written, for a journal."""
        return () if self.dry_run else (Change(self.to, self.old, self.data),)


def copy(
    memory: Memory,
    address: int,
    size: int,
    to: int,
    *,
    source: Space | None = None,
    verify: bool = True,
    force: bool = False,
    keep: int = 0,
    report: Report = silent,
) -> Copied:
    """Copy a range to memory; all of it is read before anything is written.

    source: the space that it comes from, if not memory, too.
    keep: the bytes up to which what was there is read first and handed back as ``old``.
    """
    if not force:
        (source or memory).check(address, size)
        memory.check(to, size, write=True)
    data = b"".join(read_chunks(source or memory, address, size, report=report))
    old = read_old(memory, to, size, keep=keep)
    for done in write_bytes(memory, to, data):
        report(Step("writing", done, size))
    verified = verify and memory.chip.changes_when_read(to, size) is None and not memory.dry_run
    differing: tuple[int, ...] = ()
    if verified:
        differing = differing_words(to, data, memory.read(to, size))
    notes = reading_notes(source or memory, address, size)
    if memory.dry_run:
        notes = (*notes, DRY_RUN)
    return Copied(address, to, data, verified, old, differing, notes, memory.dry_run)
