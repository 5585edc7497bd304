"""The partition table of the connected chip, or of a file that stands in for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from espshell.device import Target
from espshell.errors import DeviceError, UsageError
from espshell.files import path_of, read_bytes
from espshell.image import partitions
from espshell.image.partitions import SIZE, PartitionTable
from espshell.ops.result import Result
from espshell.units import parse_number


@dataclass(frozen=True, slots=True)
class Parts(Result):
    """A partition table, and its problems, in sentences."""

    table: PartitionTable
    source: str
    flash_size: int | None = None
    problems: tuple[str, ...] = ()
    is_placed: bool = True
    """Whether it is known where in flash the table stands; a file that is one does not say."""

    @property
    def failure(self) -> str:
        """The wrong MD5."""
        if self.table.md5_ok is not False:
            return ""
        return "the MD5 of the partition table is wrong"


def read_table(target: Target, where: str) -> PartitionTable:
    """Read the table at an address of flash, or from a file (binary or CSV).

    Raises: DeviceError if there is none in the flash, UsageError if there is none in the file.
    """
    offset = parse_number(where)
    if offset is None:
        return from_file(target, path_of(where))
    target.flash.check(offset, SIZE)
    try:
        return partitions.parse_binary(target.flash.read(offset, SIZE), offset=offset)
    except UsageError as error:
        raise DeviceError(
            f"flash:{offset:#x}: {error.message}",
            hint="`set parttable ADDRESS` or `set parttable FILE` if it is elsewhere",
        ) from error


def from_file(target: Target, path: Path) -> PartitionTable:
    """Read a table from a file, binary or CSV. Raises: UsageError."""
    data = read_bytes(path)
    try:
        return partitions.parse(data)
    except UsageError as error:
        raise UsageError(f"{path}: {error.message}", hint=error.hint) from error


def parts(target: Target, table: PartitionTable, source: str) -> Parts:
    """Return a table with its problems, among them partitions behind the end of the flash."""
    size = target.flash.size
    return Parts(table, source, size, table.problems(size))
