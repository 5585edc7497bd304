"""Raw bytes from files into memory, read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from espshell.device import Memory
from espshell.ops.flash.payload import Payload
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
    payloads: Sequence[Payload],
    *,
    verify: bool = True,
    force: bool = False,
    report: Report = silent,
) -> Loaded:
    """Write raw bytes to memory and read them back; nothing is run.

    Raises: UsageError before anything is sent if a place cannot be written.
    """
    if not force:
        for payload in payloads:
            memory.check(payload.address, payload.size, write=True)
    writes = tuple(
        write_and_verify(memory, payload.address, payload.data, verify=verify, report=report)
        for payload in payloads
    )
    return Loaded(tuple(payload.name for payload in payloads), payloads[0].address, writes=writes)
