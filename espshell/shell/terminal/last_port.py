"""The port that was used last, to be taken again if exactly that device is there.

A file that cannot be read or written is not a port; nobody is bothered with it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterable
from pathlib import Path

from platformdirs import user_state_path

from espshell import files
from espshell.errors import UsageError
from espshell.link.ports import PortInfo

FILE_NAME = "last-port.json"


def remember(port: PortInfo) -> None:
    """Keep the descriptors of a port for the next start."""
    with contextlib.suppress(UsageError):
        files.make_folder(_path().parent)
        files.write_bytes(_path(), json.dumps(dataclasses.asdict(port)).encode())


def recall(present: Iterable[PortInfo]) -> PortInfo | None:
    """Return the port of the last time, under the name that it has now; None if it is not there."""
    try:
        fields = files.parse_json(files.read_bytes(_path(), files.JSON))
        last = PortInfo(**fields) if isinstance(fields, dict) else None
    except (UsageError, ValueError, TypeError):
        return None
    return next((port for port in present if last is not None and last.is_same_as(port)), None)


def _path() -> Path:
    return Path(user_state_path("espshell", appauthor=False)) / FILE_NAME
