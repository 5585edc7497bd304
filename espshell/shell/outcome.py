"""How a command ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from espshell.errors import EspError
from espshell.ops.result import Result
from espshell.records import dataclass

if TYPE_CHECKING:
    from espshell.image.partitions import PartitionTable


@dataclass(frozen=True, slots=True)
class Presentation:
    """A result, and how the command wants it to be shown."""

    result: Result
    every_row: bool = False
    """Whether all of it is shown, however long it is."""
    partitions: Callable[[], PartitionTable | None] = lambda: None
    """Returns the partition table, if the names of places in flash are shown."""
    is_shown: bool = False
    """Whether it has been shown already, such as a dump row by row."""


def presented(result: Result | Presentation) -> Presentation:
    """Return how a result is shown: as its command wants it, or as it is."""
    return result if isinstance(result, Presentation) else Presentation(result)


def shown(result: Result) -> Presentation:
    """Return the presentation of a result that has been shown already."""
    return Presentation(result, is_shown=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one command; ``status`` is the exit status that it means."""

    status: int
    result: Result | Presentation | None = None
    error: EspError | None = None
    is_verdict: bool = False
    """Whether it judges the chip, or has failed."""

    @property
    def bare(self) -> Result | None:
        """The result, without its presentation."""
        return presented(self.result).result if self.result is not None else None
