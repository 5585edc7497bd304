"""The verb ``snap``: bytes under a name, to be compared with later, here or on another board.

The format of a file of snapshots is described in ``docs/reference/snapshots.md``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from espshell import files
from espshell.device import Space
from espshell.device.memory import ADDRESS_SPACE
from espshell.errors import UsageError, printable
from espshell.ops.memory.words import dump
from espshell.ops.result import Report, Result, silent
from espshell.records import dataclass

FORMAT, VERSION = "espshell snapshots", 1


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
        return f"snapshot `{self.name}` was taken before the chip was reset or reconnected"


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


@dataclass(frozen=True, slots=True)
class SnapshotFile(Result):
    """Snapshots that were written to a file, or read from it; ``chip`` is what they are of."""

    path: str
    chip: str
    snapshots: tuple[Snapshot, ...]
    was_read: bool = False
    notes: tuple[str, ...] = ()


def save_snapshots(path: Path, snapshots: Iterable[Snapshot], *, chip: str) -> SnapshotFile:
    """Write snapshots into a file, whole or not at all. Raises: UsageError."""
    kept = tuple(snapshots)
    rows = [
        {
            "name": snap.name,
            "space": snap.space,
            "address": f"{snap.address:#010x}",
            "data": snap.data.hex(),
        }
        for snap in kept
    ]
    content = {"format": FORMAT, "version": VERSION, "chip": chip, "snapshots": rows}
    files.write_bytes(path, (json.dumps(content, indent=1) + "\n").encode())
    return SnapshotFile(str(path), chip, kept)


def load_snapshots(path: Path) -> SnapshotFile:
    """Read the snapshots of a file. Raises: UsageError where it is none, or damaged."""
    where = printable(str(path))
    try:
        content = files.parse_json(files.read_bytes(path, files.JSON))
    except ValueError:
        content = None
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise UsageError(f"{where} is not a file of snapshots", hint="`snap save FILE` writes one")
    if content.get("version") != VERSION:
        version = printable(str(content.get("version"))[:20])
        raise UsageError(f"{where} is of version {version}; this program reads {VERSION}")
    rows = content.get("snapshots")
    try:
        snapshots = tuple(_snapshot(row) for row in rows or ())
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise UsageError(f"{where} is damaged: a snapshot is incomplete or garbled") from error
    chip = content.get("chip")
    return SnapshotFile(str(path), chip if isinstance(chip, str) else "", snapshots, True)


def _snapshot(row: dict[str, str]) -> Snapshot:
    """Return a snapshot. Raises: ValueError and the like."""
    address, data = int(row["address"], 16), bytes.fromhex(row["data"])
    name, space = row["name"], row["space"]
    if not (name.isprintable() and space in ("mem", "flash") and data):
        raise ValueError(name)
    if not 0 <= address <= ADDRESS_SPACE - len(data):
        raise ValueError(address)
    return Snapshot(name, address, data, space)
