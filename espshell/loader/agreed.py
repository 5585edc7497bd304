"""Readings that nothing on the wire protects count when two in a row agree."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from espshell.errors import ReadsDiffer

T = TypeVar("T")

READINGS = 8
"""Readings after which it is given up that two of them agree."""


def agreed(
    read: Callable[[], T],
    what: str,
    *,
    first: T | None = None,
    most: int = READINGS,
    show: Callable[[T], str] | None = None,
) -> T:
    """Return the first reading that is equal to the one before it; ``first`` has been read already.

    Raises: ReadsDiffer, with the place or thing that ``what`` names and the last two values if
    ``show`` makes them text, if no two in a row agree.
    """
    before = last = read() if first is None else first
    for _ in range(most - 1):
        before, last = last, read()
        if last == before:
            return last
    values = f": {show(before)}, then {show(last)}" if show else ""
    raise ReadsDiffer(
        f"{most} readings of {what} do not agree{values}",
        hint="check cable and baud rate; or does the value change by itself?",
    )
