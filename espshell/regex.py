"""Regular expressions that are compiled when they are first used.

Those of the modules that a first command runs take 8 ms to compile, and it uses few of them.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


class _Late:
    """A pattern, whose methods become attributes at the first use of one."""

    def __init__(self, text: str | bytes, flags: int) -> None:
        self._source: Any = (text, flags)

    def __getattr__(self, name: str) -> Any:
        pattern = re.compile(*self._source)
        for method in ("match", "fullmatch", "search", "finditer", "findall", "split", "sub"):
            setattr(self, method, getattr(pattern, method))
        return getattr(pattern, name)


def late(text: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Return the pattern of a text. Its first use raises: re.error."""
    return cast("re.Pattern[AnyStr]", _Late(text, flags))
