"""Raw bytes from files into memory, read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from espshell.device import Memory
from espshell.ops.flash.payload import Image
from espshell.ops.memory.writing import WriteResult, write_and_verify
from espshell.ops.progress import Report, silent


@dataclass(frozen=True, slots=True)
class Loaded(WriteResult):
    """Files are in memory now."""

    files: tuple[str, ...]
    address: int

    @property
    def size(self) -> int:
        """Bytes of all of them."""
        return sum(len(write.data) for write in self.writes)


def load_memory(
    memory: Memory,
    images: Sequence[Image],
    *,
    verify: bool = True,
    force: bool = False,
    report: Report = silent,
) -> Loaded:
    """Write raw bytes to memory and read them back; nothing is run.

    Raises: UsageError before anything is sent if a place cannot be written.
    """
    if not force:
        for image in images:
            memory.check(image.address, len(image.data), write=True)
    writes = tuple(
        write_and_verify(memory, image.address, image.data, verify=verify, report=report)
        for image in images
    )
    return Loaded(tuple(image.name for image in images), images[0].address, writes=writes)
