"""How results are to be seen: the room there is, whether in colour, and what the places are called.

A form gets a view and may draw less where there is less room.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from espshell.records import dataclass

if TYPE_CHECKING:
    from espshell.image.partitions import PartitionTable

COLUMNS: Final = 80
"""The width for files and pipes, and the least that pictures need."""


@dataclass(frozen=True, slots=True)
class View:
    """The place that a result is drawn in.

    width: columns.
    fold: whether rows longer than that are folded, as a terminal needs it; a row that goes into a
        file or pipe stays one line, so that it can be searched for.
    color: whether styles are seen; without them changes are marked by characters.
    every_row: whether everything is shown that else is cut short.
    partitions: names of places in flash.
    """

    width: int = COLUMNS
    fold: bool = False
    color: bool = False
    every_row: bool = False
    partitions: PartitionTable | None = None

    @property
    def has_room(self) -> bool:
        """Whether pictures of 80 columns fit."""
        return self.width >= COLUMNS
