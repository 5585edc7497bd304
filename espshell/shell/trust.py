"""The configuration files that a person has agreed to, by their place and contents.

A file in the current folder may be a stranger's: it came with a repository.  Its port can write a
file (``sim://...?flash-file=``), its aliases and start-up lines can run a shell.  So nothing of it
is used before a person has seen it and said yes; a file that has changed since is a new one.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from platformdirs import user_state_path

from espshell import files
from espshell.errors import UsageError, printable

FILE_NAME = "agreed"


def is_agreed(path: Path, data: bytes) -> bool:
    """Return whether a person has agreed to this file with these contents."""
    try:
        lines = files.read_text(_state_file(), files.HISTORY).splitlines()
    except UsageError:  # there is none yet, or it is damaged
        return False
    return any(line.startswith(_digest(path, data)) for line in lines)


def agree(path: Path, data: bytes) -> None:
    """Remember that a person has agreed. Raises: UsageError if it cannot be written down."""
    line = f"{_digest(path, data)}  {printable(os.path.realpath(path))}\n"
    files.append_private(_state_file(), line.encode())


def _digest(path: Path, data: bytes) -> str:
    place = os.fsencode(os.path.realpath(path))
    return hashlib.sha256(place + b"\0" + data).hexdigest()


def _state_file() -> Path:
    return Path(user_state_path("espshell", appauthor=False)) / FILE_NAME
