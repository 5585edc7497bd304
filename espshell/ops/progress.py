"""Progress of a long operation, reported to whoever called it."""

from __future__ import annotations

from collections.abc import Callable

from espshell.records import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """How far an action has come, in bytes."""

    action: str
    done: int
    total: int


Report = Callable[[Step], None]


def silent(step: Step) -> None:
    """Ignore progress."""
