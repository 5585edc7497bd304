"""The verb ``snap``: bytes under a name, to be compared with later."""

from __future__ import annotations

from dataclasses import dataclass

from espshell.device import Space
from espshell.ops.memory.words import dump
from espshell.ops.progress import Report, silent
from espshell.ops.result import Result


@dataclass(frozen=True, slots=True)
class Snapshot(Result):
    """What a range held."""

    name: str
    address: int
    data: bytes
    space: str = "mem"
    is_stale: bool = False
    """Whether the chip has been reset or reached anew since."""
    notes: tuple[str, ...] = ()
    readings: int = 1
    """How often each byte was read."""

    @property
    def note(self) -> str:
        """What to keep in mind when it is compared with; empty if nothing."""
        if not self.is_stale:
            return ""
        return f"snapshot `{self.name}` is of before the chip was reset or reconnected"


def snapshot(
    space: Space,
    name: str,
    address: int,
    size: int,
    *,
    check: bool = False,
    force: bool = False,
    report: Report = silent,
) -> Snapshot:
    """Read a range and keep it under a name."""
    read = dump(space, address, size, check=check, force=force, report=report)
    return Snapshot(name, address, read.data, space.name, notes=read.notes, readings=read.readings)
