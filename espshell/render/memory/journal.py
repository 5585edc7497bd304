"""Writes and what was there before: the journal, what was undone, and snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from espshell.render.document import Block, Styled, Table, Text
from espshell.render.forms import Json, form, json_form, json_rows, pick
from espshell.render.view import View
from espshell.span import Span
from espshell.units import count_text, hex32, size_text

if TYPE_CHECKING:
    from espshell.ops.memory.journal import Entry, Journaled
    from espshell.ops.memory.snapshot import Snapshot, SnapshotFile
    from espshell.ops.memory.undo import Undone

_SHORT = 8  # bytes that are shown as digits


json_rows(
    Journaled="count entries",
    Snapshot="name address size=data# stale=is_stale readings",
    SnapshotFile="path chip snapshots",
)


@form
def journaled(result: Journaled, view: View) -> Iterator[Block]:
    """Yield a row a write; its last cell says why it cannot be undone, if so."""
    rows = []
    for entry in result.entries:
        unsure = "" if entry.is_sure else "may have been written"
        remarks = ", ".join(filter(None, (unsure, entry.obstacle)))
        change = entry.change
        values = _values(change.old, change.new)
        last = f"({remarks})" if remarks else ""
        rows.append((str(entry.number), hex32(change.address), values, entry.command, last))
    yield Table(rows)


@form
def undone(result: Undone, view: View) -> Iterator[Block]:
    """Yield what was put back."""
    for write in result.writes:
        values = _values(write.found, write.data)
        state = "put back" if write.ok else "not put back"
        yield Text(Styled(hex32(write.address), "address"), f"  {values}   {state}")


@form
def snapshot(result: Snapshot, view: View) -> Iterator[Block]:
    """Yield name, range and size."""
    yield Table([snapshot_row(result)])


def snapshot_row(result: Snapshot) -> tuple[str, ...]:
    """Return name, range and size."""
    size = len(result.data)
    stale = "stale" if result.is_stale else ""
    return result.name, str(Span.of(result.address, size)), size_text(size), stale


@json_form
def entry_json(result: Entry) -> Json:
    """Return a write; its bytes are given up to 1 KiB, else null."""
    fields = pick(result, "number command address=change.address size=change.size")
    values = pick(result, "old=change.old new=change.new sure=is_sure obstacle?")
    hidden = {} if result.change.size <= 1024 else {"old": None, "new": None}
    return fields | values | hidden


@form
def snapshot_file(result: SnapshotFile, view: View) -> Iterator[Block]:
    """Yield the file, and a row a snapshot."""
    done = "read from" if result.was_read else "written to"
    yield Text(
        f"{count_text(len(result.snapshots), 'snapshot')} {done} ", Styled(result.path, "name")
    )
    yield Table(snapshot_row(item) for item in result.snapshots)


def _values(old: bytes | None, new: bytes) -> str:
    if len(new) > _SHORT:
        return count_text(len(new), "byte")
    before, after = (
        "?" if data is None else f"0x{int.from_bytes(data, 'little'):0{2 * len(data)}x}"
        for data in (old, new)
    )
    return f"{before} → {after}"
