"""What was written and what was there before, so that it can be put back."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator

from espshell.device.memory import Change
from espshell.errors import UsageError
from espshell.ops.result import Result
from espshell.records import dataclass, replace
from espshell.units import MIB, count_text


@dataclass(frozen=True, slots=True)
class Entry:
    """One write of a session; ``number`` counts from 1."""

    number: int
    command: str
    change: Change
    is_stale: bool = False
    """Whether the chip has been reset or reached anew since."""
    group: int = 0
    """Counts the commands: writes of one are undone together."""
    is_sure: bool = True
    """Whether it is known to have been written, not only to have been sent."""

    @property
    def obstacle(self) -> str:
        """Why it cannot be undone; empty if it can."""
        if self.is_stale:
            return "the chip was reset or reconnected since"
        return "the previous contents were not read" if self.change.old is None else ""


@dataclass(frozen=True, slots=True)
class Journaled(Result):
    """The last writes, the newest last, and how many there are."""

    entries: tuple[Entry, ...]
    count: int


class Journal:
    """The last writes of a session; the oldest are forgotten."""

    MOST = 1000
    """Writes that are remembered."""
    MOST_BYTES = 16 * MIB
    """Bytes of them, old and new."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._number = self._group = 0
        self._bytes = 0
        self._command = ""
        self._changes: list[Change] = []

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, command: str, change: Change) -> None:
        """Remember a write."""
        self._number += 1
        self._entries.append(Entry(self._number, command, change, group=self._group))
        self._bytes += _weight(change)
        while len(self._entries) > self.MOST or self._bytes > self.MOST_BYTES:
            self._bytes -= _weight(self._entries.popleft().change)

    @contextlib.contextmanager
    def recording(self, command: str) -> Iterator[list[Change]]:
        """Record changes under the text of a command meanwhile; yield the list of them.

        Where the command fails or is stopped, they may have been written or not.
        """
        outer, self._command, self._changes = (self._command, self._changes), command, []
        self._group += 1
        first = self._number
        try:
            yield self._changes
        except BaseException:
            self._entries = deque(
                replace(entry, is_sure=entry.is_sure and entry.number <= first)
                for entry in self._entries
            )
            raise
        finally:
            self._command, self._changes = outer

    def record(self, change: Change) -> None:
        """Remember a write that is about to be sent."""
        self._changes.append(change)
        self.add(self._command, change)

    def last(self, count: int) -> Journaled:
        """Return the last writes."""
        return Journaled(tuple(self._entries)[-count:], len(self._entries))

    def to_undo(self, count: int) -> tuple[Entry, ...]:
        """Return the last writes, the newest first; those of one command count as one.

        Raises: UsageError if there are fewer, or one of them cannot be undone.
        """
        older, entries = list(self._entries), list[Entry]()
        for _ in range(count):
            if not older:
                raise UsageError(f"the journal holds {count_text(len(self._entries), 'write')}")
            entries.append(older.pop())
            while older and entries[-1].group == older[-1].group > 0:
                entries.append(older.pop())
        for entry in entries:
            if entry.obstacle:
                raise UsageError(
                    f"write {entry.number} ({entry.command}) cannot be undone: {entry.obstacle}",
                    hint="`journal` lists them; nothing was written",
                )
        return tuple(entries)

    def drop_last(self) -> None:
        """Forget the last write: it was undone."""
        self._bytes -= _weight(self._entries.pop().change)

    def turn_stale(self) -> None:
        """Mark all writes as of before a reset: what they overwrote is no longer what was there."""
        self._entries = deque(replace(entry, is_stale=True) for entry in self._entries)


def _weight(change: Change) -> int:
    return len(change.new) + len(change.old or b"")
