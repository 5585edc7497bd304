"""The verb ``copy``: a range of the address space to another place in it."""

from __future__ import annotations

from dataclasses import dataclass

from espshell.device import Memory, Space
from espshell.ops.memory.reading import read_chunks, reading_notes
from espshell.ops.memory.writing import WriteResult, write_and_verify
from espshell.ops.progress import Report, silent


@dataclass(frozen=True, slots=True)
class Copied(WriteResult):
    """``data`` of ``address`` is at ``to``, too, and was read back there where that was asked."""

    address: int
    to: int
    source_notes: tuple[str, ...] = ()

    @property
    def data(self) -> bytes:
        """All the bytes."""
        return self.writes[0].data

    @property
    def notes(self) -> tuple[str, ...]:
        """What to keep in mind, of what was read and of what was written."""
        return (*self.source_notes, *(note for write in self.writes for note in write.notes))


def copy(
    memory: Memory,
    address: int,
    size: int,
    to: int,
    *,
    source: Space | None = None,
    check: bool = False,
    verify: bool = True,
    force: bool = False,
    report: Report = silent,
) -> Copied:
    """Copy a range to memory; all of it is read before anything is written.

    source: the space that it comes from, if not memory, too.
    check: whether it is read twice.
    """
    if not force:
        (source or memory).check(address, size)
        memory.check(to, size, write=True)
    data = b"".join(read_chunks(source or memory, address, size, check=check, report=report))
    write = write_and_verify(memory, to, data, verify=verify, report=report)
    return Copied(address, to, reading_notes(source or memory, address, size), writes=(write,))
