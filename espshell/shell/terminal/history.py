"""The typed lines, in a file that only their owner may read.

The format is that of prompt_toolkit's ``FileHistory``.  An error of the file never ends the
session: it is noted once, and the lines of this session stay in memory.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from itertools import groupby
from pathlib import Path

from prompt_toolkit.history import History

from espshell import files
from espshell.errors import UsageError


class LastingHistory(History):
    """A history in a file; ``note`` is called once if the file cannot be used."""

    def __init__(self, path: Path, note: Callable[[str], object]) -> None:
        super().__init__()
        self._path: Path | None = path
        self._note = note
        self._append(b"")

    def load_history_strings(self) -> Iterable[str]:
        """Return the entries of the file, the newest first."""
        if self._path is None:
            return ()
        try:
            text = files.read_bytes(self._path, files.HISTORY).decode("utf-8", "replace")
        except UsageError as error:
            self._give_up(error)
            return ()
        return reversed(_entries(text.split("\n")))

    def store_string(self, string: str) -> None:
        """Append a typed line to the file, with the time as a comment."""
        rows = "".join(f"+{row}\n" for row in string.split("\n"))
        entry = f"\n# {datetime.datetime.now()}\n{rows}"
        self._append(entry.encode("utf-8", "surrogateescape"))

    def _append(self, data: bytes) -> None:
        if self._path is None:
            return
        try:
            files.append_private(self._path, data)
        except UsageError as error:
            self._give_up(error)

    def _give_up(self, error: UsageError) -> None:
        self._path = None
        self._note(f"the history of this session is not kept: {error.message}")


def _entries(rows: Iterable[str]) -> list[str]:
    """Return the entries of a file: each is a run of lines that begin with ``+``."""
    runs = groupby(rows, key=lambda row: row.startswith("+"))
    return ["\n".join(row[1:] for row in run) for is_entry, run in runs if is_entry]
