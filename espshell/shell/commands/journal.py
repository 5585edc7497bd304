"""snap, journal, undo: what was there before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from espshell.errors import UsageError
from espshell.ops.memory import journal as journaling
from espshell.ops.memory import snapshot as snapshots_ops
from espshell.ops.memory import undo as undoing
from espshell.ops.result import Result
from espshell.records import dataclass
from espshell.shell.arguments.places import REGION, Extent
from espshell.shell.arguments.types import POSITIVE, ArgType, Scope, did_you_mean
from espshell.shell.commands.memory import Check, Force
from espshell.shell.declaration import DRY_RUN
from espshell.shell.language import place
from espshell.shell.registry import Registry

if TYPE_CHECKING:
    from espshell.shell.session import Session

VERBS = Registry()

GROUP = "Undoing"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_DROP = "drop"
_SHOWN = 20  # writes that `journal` lists unless told


@dataclass(frozen=True, slots=True)
class Snapshots(Result):
    """All snapshots there are."""

    snapshots: tuple[snapshots_ops.Snapshot, ...]


@dataclass(frozen=True, slots=True)
class Snap:
    """What `snap` is to do with a name: keep a region, or drop it if there is none."""

    name: str
    region: Extent | None


def _parse_snap(texts: Sequence[str]) -> tuple[str, place.Range | None] | None:
    if not texts:
        return None
    first, *others = texts
    if first.lower() == _DROP:
        if len(others) != 1:
            raise UsageError("a name is missing", hint="snap drop NAME")
        return others[0], None
    if not _NAME.fullmatch(first):
        raise UsageError(f"`{first}` is no name", hint="letters, digits, _ and -: snap a DRAM")
    if not others:
        raise UsageError("a region is missing", hint=f"snap {first} REGION")
    return first, REGION.parse(others)


def _resolve_snap(parsed: tuple[str, place.Range | None] | None, scope: Scope) -> Snap | None:
    if parsed is None:
        return None
    name, region = parsed
    return Snap(name, None if region is None else REGION.resolve(region, scope))


SNAP_WORDS: ArgType[tuple[str, place.Range | None] | None, Snap | None] = ArgType(
    "snapshot",
    _parse_snap,
    _resolve_snap,
    names=lambda parsed: REGION.names(parsed[1]) if parsed and parsed[1] else (),
    complete=lambda text, scope: (*scope.names(), _DROP),
    least=0,
    most=3,
    raw=True,
    label="NAME REGION | drop NAME",
)
"""``NAME REGION``, ``drop NAME`` or nothing."""


@VERBS.add("snap", group=GROUP, needs="memory")
def snap(
    session: Session,
    words: Annotated[Snap | None, SNAP_WORDS] = None,
    *,
    check: Check = False,
    force: Force = False,
) -> snapshots_ops.Snapshot | Snapshots:
    """Keep a range under a name, to `diff` it with later.

    snap NAME REGION; snap lists them; snap drop NAME. They are gone with the session.
    """
    if words is None:
        return Snapshots(tuple(session.snapshots.values()))
    key = words.name.lower()
    if words.region is None:
        if key not in session.snapshots:
            hint = did_you_mean(key, session.snapshots) or "`snap` lists them"
            raise UsageError(f"there is no snapshot `{words.name}`", hint=hint)
        del session.snapshots[key]
        return Snapshots(tuple(session.snapshots.values()))
    if session.scope.place(words.name) is not None:
        raise UsageError(f"`{words.name}` is the name of a place in memory")
    kept = snapshots_ops.snapshot(
        session.space(words.region.space, words.region.size),
        words.name,
        words.region.address,
        words.region.size,
        check=check or session.settings.check,
        force=force,
        report=session.output.progress,
    )
    session.snapshots[key] = replace(kept, notes=())
    return kept


@VERBS.add("journal", group=GROUP)
def journal(session: Session, count: Annotated[int, POSITIVE] = _SHOWN) -> journaling.Journaled:
    """List what was written, the newest last.

    The last 1000 writes of poke, fill, copy and reg are remembered with what was there before, up
    to 64 KiB each.
    """
    return session.journal.last(count)


@VERBS.add("undo", group=GROUP, options=[DRY_RUN], needs="memory")
def undo(session: Session, count: Annotated[int, POSITIVE] = 1) -> undoing.Undone:
    """Put back what was there before the last write, or writes.

    undo N for the last N, the newest first, those of one command together; reads back. Refused if
    what was there before was not read, or the chip was reset since. What a write to a register
    has set going is not undone.
    """
    entries = session.journal.to_undo(count)
    writes = []
    for entry in entries:
        (done,) = undoing.undo(session.chip.memory, [entry.change]).writes
        writes.append(done)
        if not done.ok:
            break
        if not done.dry_run:
            session.journal.drop_last()
    return undoing.Undone(tuple(writes))
