"""snap, journal, undo: what was there before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

from espshell import regex
from espshell.errors import UsageError
from espshell.ops.memory import journal as journaling
from espshell.ops.memory import snapshot as snapshots_ops
from espshell.ops.memory import undo as undoing
from espshell.ops.result import Result
from espshell.records import dataclass, replace
from espshell.shell.arguments.operands import unquoted
from espshell.shell.arguments.places import REGION, Extent
from espshell.shell.arguments.types import (
    FILE,
    POSITIVE,
    ArgType,
    Completed,
    Offer,
    Unfinished,
    complete_files,
    did_you_mean,
)
from espshell.shell.commands.memory import Check, Force
from espshell.shell.declaration import DRY_RUN
from espshell.shell.language import place
from espshell.shell.registry import Registry
from espshell.shell.session import Session
from espshell.span import Span

VERBS = Registry("Undoing")

_NAME = regex.late(r"[A-Za-z_][A-Za-z0-9_-]*")
_DROP, _SAVE, _LOAD = "drop", "save", "load"
_FILES = (_SAVE, _LOAD)
_ACTIONS = {
    _DROP: "forget one",
    _SAVE: "write all snapshots to a file",
    _LOAD: "read the snapshots of a file",
}
_SHOWN = 20  # writes that `journal` lists unless told


@dataclass(frozen=True, slots=True)
class Snapshots(Result):
    """All snapshots there are."""

    snapshots: tuple[snapshots_ops.Snapshot, ...]


@dataclass(frozen=True, slots=True)
class Snap:
    """A line of `snap`: keep a region under a name, drop a name, or save to or load from a file."""

    action: str
    name: str = ""
    region: Extent | place.Range | None = None
    path: Path | None = None


def _parse_snap(texts: Sequence[str]) -> Snap | None:
    if not texts:
        return None
    first, *others = texts
    action = first.lower()
    if action in _FILES:
        if len(others) != 1:
            raise UsageError("expected one file", hint=f"snap {action} FILE")
        return Snap(action, path=FILE.parse([unquoted(others[0])]))
    if action == _DROP:
        if len(others) != 1:
            raise UsageError("the name is missing", hint="snap drop NAME")
        return Snap(_DROP, others[0])
    if not _NAME.fullmatch(first):
        raise UsageError(f"`{first}` is not a name", hint="letters, digits, _ and -: snap a DRAM")
    if not others:
        raise UsageError("the region is missing", hint=f"snap {first} REGION")
    return Snap("", first, REGION.parse(others))


def _complete_snap(at: Unfinished) -> Iterable[Completed]:
    kept = [Offer(name, "snapshot") for name in at.state.snapshots]
    match [word.lower() for word in at.before]:
        case []:
            yield from _ACTIONS.items()
            yield from kept
        case [action] if action in _FILES:
            yield from complete_files(at.word, at.scope)
        case [action] if action == _DROP:
            yield from kept
        case [_]:
            yield from REGION.complete(at.word, at.scope)


SNAP_WORDS: ArgType[Snap | None, Snap | None] = ArgType(
    "snapshot",
    _parse_snap,
    lambda parsed, scope: (
        replace(parsed, region=REGION.resolve(parsed.region, scope))
        if parsed and isinstance(parsed.region, place.Range)
        else parsed
    ),
    names=lambda parsed: (
        REGION.names(parsed.region) if parsed and isinstance(parsed.region, place.Range) else ()
    ),
    files=lambda parsed: (
        (parsed.path,) if parsed and parsed.path and parsed.action == _LOAD else ()
    ),
    outputs=lambda parsed: (
        (parsed.path,) if parsed and parsed.path and parsed.action == _SAVE else ()
    ),
    complete_at=_complete_snap,
    least=0,
    most=3,
    raw=True,
    label="NAME REGION | drop NAME | save FILE | load FILE",
)
"""``NAME REGION``, ``drop NAME``, a file, or nothing."""


@VERBS.add("snap", needs="memory")
def snap(
    session: Session,
    words: Annotated[Snap | None, SNAP_WORDS] = None,
    *,
    check: Check = False,
    force: Force = False,
) -> snapshots_ops.Snapshot | snapshots_ops.SnapshotFile | Snapshots:
    """Keep a copy of a range under a name for a later `diff`.

    snap NAME REGION; snap lists them; snap drop NAME. Snapshots last for the session; snap save
    FILE writes all of them to a file and snap load FILE reads them back, for instance to compare
    the registers or memory of two boards. snap before UART0; snap save a.json; then, on the other
    board, snap
    load a.json; diff before UART0.

    Example: snap before DRAM 64; diff before DRAM 64
    """
    key = words.name.lower() if words else ""
    if words is not None and words.action == _DROP:
        if key not in session.snapshots:
            hint = did_you_mean(key, session.snapshots) or "`snap` lists them"
            raise UsageError(f"there is no snapshot `{words.name}`", hint=hint)
        del session.snapshots[key]
    if words is None or words.action == _DROP:
        return Snapshots(tuple(session.snapshots.values()))
    if words.path is not None:
        return _exchange(session, words.action, words.path)
    scope = session.scope
    scope.prefixes = False  # a new name may begin as those of places do
    if scope.place(words.name) is not None:
        raise UsageError(f"`{words.name}` is the name of a place in memory")
    assert isinstance(words.region, Extent)
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


def _exchange(session: Session, action: str, path: Path) -> snapshots_ops.SnapshotFile:
    """Write all snapshots into a file, or read those of one; they take the place of namesakes."""
    target = session.target
    chip = target.chip.name if target else ""
    if action == _SAVE:
        if not session.snapshots:
            raise UsageError(
                "there are no snapshots to save", hint="`snap NAME REGION` takes a snapshot"
            )
        return snapshots_ops.save_snapshots(path, session.snapshots.values(), chip=chip)
    result = snapshots_ops.load_snapshots(path)
    for snapshot in result.snapshots:
        session.snapshots[snapshot.name.lower()] = snapshot
    if chip and result.chip not in ("", chip):
        return replace(result, notes=(f"they are of an {result.chip}, this is an {chip}",))
    return result


@VERBS.add("journal")
def journal(session: Session, count: Annotated[int, POSITIVE] = _SHOWN) -> journaling.Journaled:
    """List the writes of this session, newest last.

    The last 1000 writes of poke, fill, copy and reg are kept with their previous contents, up to 64
    KiB each.

    Example: poke DRAM 1; journal
    """
    return session.journal.last(count)


@VERBS.add("undo", options=[DRY_RUN], needs="memory")
def undo(session: Session, count: Annotated[int, POSITIVE] = 1) -> undoing.Undone:
    """Restore what the last write, or the last COUNT writes, replaced.

    The newest write is undone first; the writes of one command count as one. The result is read
    back. Refused if the previous contents were not read or the chip was reset since. What a
    register write triggered is not undone.

    Example: poke DRAM 1; undo
    """
    entries = session.journal.to_undo(count)
    writes = []
    for entry in entries:
        where = Span.of(entry.change.address, entry.change.size)
        with session.changing(f"{where} may have been put back; `journal` still lists it"):
            (done,) = undoing.undo(session.chip.memory, [entry.change]).writes
        writes.append(done)
        if not done.ok:
            break
        if not done.dry_run:
            session.journal.drop_last()
    return undoing.Undone(tuple(writes))
