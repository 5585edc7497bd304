"""How a command ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from espshell.errors import EspError
from espshell.ops.result import Result

if TYPE_CHECKING:
    from espshell.image.partitions import PartitionTable


@dataclass(frozen=True, slots=True)
class Presentation:
    """A result, and how it is to be shown where that is a wish of the command."""

    result: Result
    every_row: bool = False
    """Whether all of it is shown, however long it is."""
    partitions: Callable[[], PartitionTable | None] = lambda: None
    """Gives names of places in flash, if they are to be shown."""
    is_shown: bool = False
    """Whether it has been shown while it was made: a dump, row by row."""


def shown(result: Result) -> Presentation:
    """Return a result that has been shown while it was made."""
    return Presentation(result, is_shown=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one command ended; ``status`` is what a program would exit with."""

    status: int
    result: Result | Presentation | None = None
    error: EspError | None = None

    @property
    def bare(self) -> Result | None:
        """The result itself, however it is to be shown."""
        return self.result.result if isinstance(self.result, Presentation) else self.result
