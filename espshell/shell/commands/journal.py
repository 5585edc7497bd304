"""snap, journal, undo: what was there before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from espshell.errors import UsageError
from espshell.ops.memory.journal import Journaled
from espshell.ops.memory.snapshot import Snapshot, snapshot
from espshell.ops.memory.undo import Undone
from espshell.ops.memory.undo import undo as put_back
from espshell.ops.result import Result
from espshell.shell.arguments.places import Region, Span
from espshell.shell.arguments.types import ArgType, Positive, Scope, did_you_mean
from espshell.shell.language import place
from espshell.shell.registry import DRY_RUN, Option, Param, Registry

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

    snapshots: tuple[Snapshot, ...]


@dataclass(frozen=True, slots=True)
class Snap:
    """What `snap` is to do with a name: keep a region, or drop it if there is none."""

    name: str
    region: Span | None


class SnapWords(ArgType["tuple[str, place.Region | None] | None", "Snap | None"]):
    """``NAME REGION``, ``drop NAME`` or nothing."""

    raw = True
    least = 0
    most = 3
    label = "NAME REGION | drop NAME"

    def parse(self, texts: Sequence[str]) -> tuple[str, place.Region | None] | None:
        """Parse the words. Raises: UsageError."""
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
        return first, Region().parse(others)

    def value(self, parsed: tuple[str, place.Region | None] | None, scope: Scope) -> Snap | None:
        """Evaluate the region."""
        if parsed is None:
            return None
        name, region = parsed
        return Snap(name, None if region is None else Region().value(region, scope))

    def names(self, parsed: tuple[str, place.Region | None] | None) -> tuple[str, ...]:
        """Return the names that the region uses."""
        return Region().names(parsed[1]) if parsed is not None and parsed[1] is not None else ()

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names of regions."""
        return (*scope.names(), _DROP)


@VERBS.add(
    "snap",
    group=GROUP,
    params=[Param("words", SnapWords(), optional=True)],
    options=[
        Option("--check", "read twice and compare"),
        Option("--force", "send it even if the memory map says no"),
    ],
    needs="memory",
)
def snap(
    session: Session, words: Snap | None = None, *, check: bool = False, force: bool = False
) -> Snapshot | Snapshots:
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
    kept = snapshot(
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


@VERBS.add("journal", group=GROUP, params=[Param("count", Positive(), optional=True)])
def journal(session: Session, count: int = _SHOWN) -> Journaled:
    """List what was written, the newest last.

    The last 1000 writes of poke, fill, copy and reg are remembered with what was there before, up
    to 64 KiB each.
    """
    return session.journal.last(count)


@VERBS.add(
    "undo",
    group=GROUP,
    params=[Param("count", Positive(), optional=True)],
    options=[DRY_RUN],
    needs="memory",
)
def undo(session: Session, count: int = 1) -> Undone:
    """Put back what was there before the last write, or writes.

    undo N for the last N, the newest first; reads back. Refused if what was there before was not
    read, or the chip was reset since. What a write to a register has set going is not undone.
    """
    entries = session.journal.to_undo(count)
    writes = []
    for entry in entries:
        (done,) = put_back(session.chip.memory, [entry.change]).writes
        writes.append(done)
        if not done.ok:
            break
        if not done.dry_run:
            session.journal.drop_last()
    return Undone(tuple(writes))
