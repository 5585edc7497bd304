"""What a flash chip says of itself: its SFDP tables, and any command that a person types."""

from __future__ import annotations

from dataclasses import dataclass

from espshell.device import Flash
from espshell.errors import UsageError
from espshell.loader.spi import MOST_BYTES, FlashCommand
from espshell.nor import makers, opcodes, sfdp
from espshell.nor.sfdp import Sfdp
from espshell.ops.result import Result

DUMMY_BITS = 8
"""Clocks between the address of 5Ah and its data (JESD216)."""


@dataclass(frozen=True, slots=True)
class SfdpRead(Result):
    """The tables of a flash chip, None if it has none, and the bytes that were read."""

    table: Sfdp | None
    data: bytes

    @property
    def failure(self) -> str:
        """What was read instead."""
        if self.table is not None:
            return ""
        return f"the flash has no SFDP: it begins with {self.data[:4].hex(' ')}, not 53 46 44 50"


MOST_AS_NUMBER = 8
"""Bytes of an answer that are a number, too; more are only bytes."""


@dataclass(frozen=True, slots=True)
class SpiAnswer(Result):
    """What a flash command brought back."""

    opcode: int
    name: str
    sent: bytes
    data: bytes
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def last_value(self) -> int | None:
        """Up to 8 bytes as a number, the first one highest, as data sheets write ids."""
        return int.from_bytes(self.data, "big") if 0 < len(self.data) <= MOST_AS_NUMBER else None


def read_sfdp(flash: Flash) -> SfdpRead:
    """Read header, headers of tables, and tables."""
    pieces: dict[int, bytes] = {}
    while missing := sfdp.missing_ranges(pieces):
        for address, size in missing:
            pieces[address] = read_sfdp_bytes(flash, address, size)
    return SfdpRead(sfdp.parse(pieces), sfdp.joined(pieces))


def read_sfdp_bytes(flash: Flash, address: int, size: int) -> bytes:
    """Return raw bytes of the SFDP space."""
    data = b""
    while len(data) < size:
        count = min(MOST_BYTES, size - len(data))
        at = address + len(data)
        command = FlashCommand(opcodes.RDSFDP, at, dummy_bits=DUMMY_BITS, read_size=count)
        data += flash.command(command)
    return data


def spi_command(
    flash: Flash,
    opcode: int,
    data: bytes = b"",
    *,
    read: int = 0,
    address: int | None = None,
    dummy_bits: int = 0,
    force: bool = False,
) -> SpiAnswer:
    """Run a command of the flash chip; one that may change anything only with ``force``.

    In a dry run such a command is not sent.

    Raises: UsageError before anything is sent.
    """
    if not 0 <= opcode <= 0xFF:
        raise UsageError(f"{opcode:#x} is not an opcode", hint="an opcode is one byte")
    if read < 0:
        raise UsageError(f"{read} bytes cannot be read")
    if max(len(data), read) > MOST_BYTES:
        raise UsageError(f"the controller moves at most {MOST_BYTES} bytes in one command")
    if address is not None and not 0 <= address < 1 << 24:
        raise UsageError(f"{address:#x} is not a 24-bit address")
    if not 0 <= dummy_bits <= 32:
        raise UsageError(f"{dummy_bits} dummy clocks are too many", hint="0 to 32")
    maker = makers.manufacturer(flash.known_id) if flash.known_id else None
    command = opcodes.describe(opcode, maker)
    if command.writes and not force:
        note = f" ({command.note})" if command.note else ""
        raise UsageError(
            f"{opcode:02X}h, {command.name}, {command.effect.value}{note}",
            hint="--force sends it anyway",
        )
    if command.writes and flash.dry_run:
        return SpiAnswer(opcode, command.name, data, b"", dry_run=True)
    answer = flash.command(
        FlashCommand(opcode, address, dummy_bits=dummy_bits, data=data, read_size=read)
    )
    return SpiAnswer(opcode, command.name, data, answer)
