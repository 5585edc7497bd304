"""What a long operation tells while it runs; who shows it is somebody else's business."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """How far an action has come, in bytes."""

    action: str
    done: int
    total: int


Report = Callable[[Step], None]


def silent(step: Step) -> None:
    """Tell nobody."""
