"""One connection: the chip, and everything read from it that is valid until the connection ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

from espshell.device import Target
from espshell.device.board import parse_pads
from espshell.errors import DeviceError, UsageError
from espshell.image import partitions as partition_format
from espshell.link.ports import PortInfo
from espshell.ops.chip import info as chip
from espshell.ops.flash import partitions as partitions_module
from espshell.ops.status import registers as status
from espshell.records import dataclass, field
from espshell.shell.dumps import Dumps
from espshell.shell.settings import Settings
from espshell.span import Span

if TYPE_CHECKING:
    from espshell.image.partitions import PartitionTable
    from espshell.nor.parts import Identified


@dataclass(frozen=True, slots=True)
class Lost:
    """A device whose port is gone: its USB descriptors, and whether a stub was running."""

    usb: PortInfo | None
    had_stub: bool


@dataclass(slots=True)
class Connection:
    """A connected chip, and facts that are read once a connection."""

    target: Target
    settings: Settings
    dumps: Dumps = field(default_factory=Dumps)
    """What dumps have shown, to mark changes."""
    partitions: PartitionTable | None = None
    """The partition table, once it has been read."""
    part: Identified | None = None
    """The flash part, once it has been identified."""
    no_stub: bool = False
    """Whether the stub could not be started."""
    rate_raised: bool = False
    """Whether the rate was raised without being asked for."""

    def as_lost(self) -> Lost:
        """Return the identity of the device, to find it after its port is gone."""
        return Lost(self.target.usb, self.target.loader.dialect.is_stub)

    def apply_settings(self) -> None:
        """Pass the settings on to the flash."""
        flash, settings = self.target.flash, self.settings
        flash.may_slow_down = settings.slower
        self.target.loader.may_deflate = settings.compress == "auto"
        if flash.declared_size != settings.flash_size:
            flash.declared_size, flash.is_ready = settings.flash_size, False
        pads = parse_pads(settings.spi_connection)
        if flash.pads != pads:
            flash.choose_pads(pads)
            self.partitions = self.part = None

    def partition_table(self) -> PartitionTable:
        """Return the partition table, read once. Raises: UsageError if there is none."""
        if self.partitions is None:
            self.partitions = partitions_module.read_table(self.target, self.settings.parttable)
        return self.partitions

    def partitions_at_hand(self) -> PartitionTable:
        """Return the partition table if it has been read. Raises: UsageError."""
        if self.partitions is None:
            raise UsageError("the partition table has not been read")
        return self.partitions

    def partition_name(self, address: int) -> str:
        """Return the partition of an address in flash; empty without one, or without a table."""
        row = self.partitions.at(address) if self.partitions else None
        return row.name if row else ""

    @property
    def known_partitions(self) -> PartitionTable | None:
        """The partition table; None where it cannot be read."""
        with contextlib.suppress(UsageError, DeviceError):  # none, or in a flash of unknown size
            return self.partition_table()
        return None

    def forget_partitions(self, written: Iterable[Span]) -> None:
        """Drop the partition table if one of the written ranges overlaps it."""
        offset = self.partitions.offset if self.partitions else 0
        if any(span.overlaps(Span.of(offset, partition_format.SIZE)) for span in written):
            self.partitions = None

    def identified(self, part: str | None = None) -> Identified:
        """Return the flash part, identified once; ``part`` is the name printed on it."""
        if self.part is None or part is not None:
            self.part = status.identify(self.target.flash, name=part)
        return self.part

    def flash_key(self) -> tuple[str, int]:
        """Return the MAC and the JEDEC id, which distinguish this board's flash from another."""
        return chip.mac(self.target).mac, self.identified().jedec_id

    def protected(self) -> tuple[Span, ...]:
        """Return the ranges that the flash's status registers protect, as far as they are known."""
        if self.target.loader.dialect.is_secure:
            return ()

        return status.protected_spans(status.read_status(self.target.flash, self.identified()))
