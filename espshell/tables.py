"""Tables as text: the files in the ``data`` folders of packages, a row a line."""

from __future__ import annotations

import pkgutil


def rows(package: str, name: str) -> list[str]:
    """Return the rows of ``data/NAME.txt`` of a package; a line that begins with ``#`` is none.

    Raises: FileNotFoundError.
    """
    data = pkgutil.get_data(package, f"data/{name}.txt") or b""
    return [line for line in data.decode().splitlines() if line and not line.startswith("#")]
