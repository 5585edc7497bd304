"""Writes and what was there before: the journal, what was undone, and snapshots."""

from __future__ import annotations

from espshell.ops.memory.journal import Entry, Journaled
from espshell.ops.memory.snapshot import Snapshot
from espshell.ops.memory.undo import Restored
from espshell.render.json import Json
from espshell.render.theme import paint
from espshell.units import count_text, hex32, size_text

_SHORT = 8  # bytes that are shown as digits


def journal_rows(result: Journaled) -> list[tuple[str, ...]]:
    """Return a row of cells per write; the last one says why it cannot be undone, if so."""
    return [
        (
            str(entry.number),
            hex32(entry.change.address),
            _values(entry.change.old, entry.change.new),
            entry.command,
            _remarks(entry),
        )
        for entry in result.entries
    ]


def _remarks(entry: Entry) -> str:
    unsure = "" if entry.is_sure else "may have been written"
    remarks = ", ".join(filter(None, (unsure, entry.obstacle)))
    return f"({remarks})" if remarks else ""


def restored_line(result: Restored, *, color: bool = False) -> str:
    """Return what was put back."""
    address = paint(hex32(result.address), "address", color=color)
    state = "put back" if result.ok else "not put back"
    return f"{address}  {_values(result.found, result.restored)}   {state}"


def snapshot_row(result: Snapshot) -> tuple[str, ...]:
    """Return name, range and size."""
    size = len(result.data)
    span = f"{hex32(result.address)}..{hex32(result.address + size)}"
    return (result.name, span, size_text(size), "stale" if result.is_stale else "")


def entry_json(entry: Entry) -> dict[str, Json]:
    """Return a write for ``--json``; bytes are given up to 1 KiB, else null."""
    change = entry.change
    short = change.size <= 1024
    return {
        "number": entry.number,
        "command": entry.command,
        "address": change.address,
        "size": change.size,
        "old": change.old.hex() if change.old is not None and short else None,
        "new": change.new.hex() if short else None,
        "sure": entry.is_sure,
        "obstacle": entry.obstacle or None,
    }


def _values(old: bytes | None, new: bytes) -> str:
    if len(new) > _SHORT:
        return count_text(len(new), "byte")
    return f"{_value(old)} → {_value(new)}"


def _value(data: bytes | None) -> str:
    return "?" if data is None else f"0x{int.from_bytes(data, 'little'):0{2 * len(data)}x}"
