"""The tables of this package: files of text in ``data``, a row a line."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator


def lines(name: str) -> Iterator[str]:
    """Yield the rows of a table; a line that begins with ``#`` is none."""
    data = pkgutil.get_data(__package__, f"data/{name}.txt") or b""
    return (line for line in data.decode().splitlines() if line and not line.startswith("#"))
