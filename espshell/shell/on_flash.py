"""What a session finds out about the flash of its chip, once a connection, and when it is asked.

The state stands in ``Session``, which is the only class that derives from this one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from espshell.device import Target
from espshell.errors import DeviceError, UsageError
from espshell.ops.chip import info as chip
from espshell.shell.settings import Settings

if TYPE_CHECKING:
    from espshell.image.partitions import PartitionTable
    from espshell.nor.parts import Identified
    from espshell.ops.memory.diff import Span


class OnFlash:
    """Partitions, the part, and what it protects."""

    settings: Settings
    partitions: PartitionTable | None
    known_flash: Identified | None

    @property
    def chip(self) -> Target:
        """The connected chip. Raises: BenchError if there is none."""
        raise NotImplementedError

    def partition_table(self) -> PartitionTable:
        """Return the partition table, read once a connection.

        Raises: UsageError if there is none.
        """
        from espshell.ops.flash.partitions import read_table

        if self.partitions is None:
            self.partitions = read_table(self.chip, self.settings.parttable)
        return self.partitions

    def flash_key(self) -> tuple[str, int]:
        """Return what tells the flash of this board from that of another: MAC and JEDEC id."""
        return chip.mac(self.chip).mac, self.identified().jedec_id

    def partition_name(self, address: int) -> str:
        """Return the partition that an address of flash is in, if the table is known already."""
        found = self.partitions.at(address) if self.partitions else None
        return found.name if found else ""

    @property
    def known_partitions(self) -> PartitionTable | None:
        """The partition table if it has been read or can be, for those who can do without."""
        with contextlib.suppress(UsageError, DeviceError):  # none, or in a flash of unknown size
            return self.partition_table()
        return None

    def forget_partitions(self, written: Sequence[tuple[int, int]]) -> None:
        """Forget the partition table if something was written where it stands.

        written: addresses and sizes.
        """
        from espshell.image.partitions import SIZE

        offset = self.partitions.offset if self.partitions else 0
        if any(at < offset + SIZE and offset < at + size for at, size in written):
            self.partitions = None

    def protected(self) -> tuple[Span, ...]:
        """Return what the flash's status registers protect, as far as that is known."""
        if self.chip.loader.dialect.is_secure:
            return ()
        from espshell.ops.status import registers as status

        return status.protected_spans(status.read_status(self.chip.flash, self.identified()))

    def identified(self, part: str | None = None) -> Identified:
        """Return what the flash is, found out once a connection; ``part``: as is printed on it."""
        from espshell.ops.status import registers as status

        if self.known_flash is None or part is not None:
            self.known_flash = status.identify(self.chip.flash, name=part)
        return self.known_flash
