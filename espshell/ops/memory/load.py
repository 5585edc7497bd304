"""Raw bytes from files into memory, read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from espshell.device import Memory
from espshell.ops.flash.payload import Image
from espshell.ops.memory.reading import read_chunks
from espshell.ops.memory.writing import DRY_RUN, differing_words, not_as_written, write_bytes
from espshell.ops.progress import Report, Step, silent
from espshell.ops.result import Result


@dataclass(frozen=True, slots=True)
class Loaded(Result):
    """Files are in memory now."""

    files: tuple[str, ...]
    address: int
    size: int
    """Bytes of all of them."""
    verified: bool
    differing: tuple[int, ...] = ()
    """Addresses of words that read back otherwise."""
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing reads back otherwise."""
        return not self.differing

    @property
    def failure(self) -> str:
        """What is not as it should be."""
        return not_as_written(self.differing)


def load_memory(
    memory: Memory, images: Sequence[Image], *, force: bool = False, report: Report = silent
) -> Loaded:
    """Write raw bytes to memory and read them back; nothing is run.

    Raises: UsageError before anything is sent if a place cannot be written.
    """
    total = sum(len(image.data) for image in images)
    if not force:
        for image in images:
            memory.check(image.address, len(image.data), write=True)
    done = 0
    for image in images:
        for sent in write_bytes(memory, image.address, image.data):
            report(Step("writing", done + sent, total))
        done += len(image.data)
    differing: tuple[int, ...] = ()
    for image in () if memory.dry_run else images:
        got = b"".join(read_chunks(memory, image.address, len(image.data), report=report))
        differing += differing_words(image.address, image.data, got)
    return Loaded(
        files=tuple(image.name for image in images),
        address=images[0].address,
        size=total,
        verified=not memory.dry_run,
        differing=differing,
        notes=(DRY_RUN,) if memory.dry_run else (),
        dry_run=memory.dry_run,
    )
