"""Status registers as esptool reads and writes them: by fixed opcodes, as one number.

What esptool does not do is added: the flash is waited for, what came of a write is read back, and
opcodes that are another command on the flash at hand are refused.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from espshell.device import Flash
from espshell.errors import BenchError, DeviceError, UsageError
from espshell.nor import makers, opcodes
from espshell.nor.layout import Bit, BitKind, RegisterLayout
from espshell.nor.parts import Identified
from espshell.nor.plan import Confirmation, ConfirmationKind
from espshell.ops.result import Result
from espshell.ops.status.registers import (
    disable,
    disable_soon,
    read_register,
    require_known,
    send,
    wait,
)
from espshell.signals import uninterrupted

_READS = (opcodes.RDSR1, opcodes.RDSR2, opcodes.RDSR3)
_WRITES = (opcodes.WRSR1, opcodes.WRSR2, opcodes.WRSR3)
_NOT_COMPARED = (BitKind.READ_ONLY, BitKind.RESERVED, BitKind.OPEN)


@dataclass(frozen=True, slots=True)
class StatusBytes(Result):
    """Status bytes as esptool's commands read and write them, the first register lowest."""

    value: int
    count: int
    before: int | None = None
    """The value before a write."""
    wanted: int | None = None
    changed: tuple[str, ...] = ()
    """Bits that changed, in words."""
    beside: tuple[str, ...] = ()
    """Bits that changed in registers that were not to be written, in words."""
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def failure(self) -> str:
        """The difference between what was written and what reads back."""
        if self.wanted is None or self.dry_run or (self.value == self.wanted and not self.beside):
            return ""
        if self.value == self.wanted:
            return f"other registers of the flash changed as well: {', '.join(self.beside)}"
        digits = 2 * self.count
        return (
            f"the flash did not accept the write: was 0x{self.before or 0:0{digits}x}, "
            f"wanted 0x{self.wanted or 0:0{digits}x}, got 0x{self.value:0{digits}x}"
        )

    @property
    def last_value(self) -> int:
        """The bytes as a number."""
        return self.value


def read_status_bytes(flash: Flash, count: int, *, force: bool = False) -> StatusBytes:
    """Read status bytes by 05h, 35h and 15h, as esptool does.

    Raises: UsageError where such an opcode is another command on this flash, unless ``force``.
    """
    reads = _READS[:count]
    maker = makers.manufacturer(flash.known_id) if flash.known_id else None
    for opcode in reads:
        command = opcodes.describe(opcode, maker)
        if command.writes and not force:
            raise UsageError(
                f"{opcode:02X}h is {command.name} on this flash, and {command.effect.value}",
                hint="`sr` shows the registers that it has; --force sends it anyway",
            )
    values = [read_register(flash, opcode) for opcode in reads]
    return StatusBytes(int.from_bytes(bytes(values), "little"), count)


def write_status_bytes(
    flash: Flash,
    value: int,
    count: int,
    *,
    non_volatile: bool,
    identified: Identified | None = None,
) -> StatusBytes:
    """Write status bytes in esptool's sequence; but wait for each, and compare.

    Two bytes: 01h with both, then 01h and 31h with one each; 06h or 50h before each.  Which bits a
    part loses that way ``parts.loses_bits`` says; confirmations are the caller's.

    Raises: UsageError where such a byte cannot be read; BenchError or DeviceError if it is not
    known what came of it.
    """
    before = read_status_bytes(flash, count).value
    others = _others(flash, identified, count)
    notes = []
    if flash.dry_run:
        return StatusBytes(before, count, before, value, dry_run=True)
    data = value.to_bytes(count, "little")
    writes = [(opcodes.WRSR1, data)] if count == 2 else []
    writes += [(opcode, data[i : i + 1]) for i, opcode in enumerate(_WRITES[:count])]
    enable = opcodes.WREN if non_volatile else opcodes.VOLATILE_WREN
    with uninterrupted():
        try:
            disable(flash)  # esptool does not; but a stale WEL would make 50h permanent
            for opcode, sent in writes:
                send(flash, enable)
                send(flash, opcode, sent)
                wait(flash)
            disable(flash)
        except (BenchError, DeviceError) as error:
            notes.append(f"{error.message}; the value read back decides")
            require_known(lambda: disable_soon(flash), error, "the status")
        got = require_known(lambda: read_status_bytes(flash, count).value, None, "the status")
        others_now = require_known(lambda: _others(flash, identified, count), None, "the status")
    mask = ~0x03  # BUSY and WEL are the flash's
    named = _bits(identified, count)
    names = ((i, named[i].name if i in named else f"bit {i}") for i in range(8 * count))
    compared = {  # but for bits that the flash sets itself, or may not have
        register: [(b.position, b.name) for b in register.bits if b.kind not in _NOT_COMPARED]
        for register in others
    }
    beside = (_changes(compared[r], old, others_now[r]) for r, old in others.items())
    return StatusBytes(
        value=got & mask | value & 0x03,
        count=count,
        before=before,
        wanted=value,
        changed=tuple(_changes(names, before, got)),
        beside=tuple(chain.from_iterable(beside)),
        notes=tuple(notes),
    )


def unknown_bits(
    identified: Identified, before: int, value: int, count: int
) -> tuple[Confirmation, ...]:
    """Return the bits of unknown meaning that a write of bytes would set.

    They may be one-way, so they are confirmed as such.
    """
    unknown = []
    bits = _bits(identified, count)
    for position in range(8 * count):
        bit = bits.get(position)
        rises = (value & ~before) >> position & 1
        if rises and (bit is None or bit.kind in (BitKind.RESERVED, BitKind.OPEN)):
            name = bit.name if bit and bit.kind is BitKind.OPEN else f"bit {position}"
            why = f"{name}: its effect on {identified.part.name} is unknown"
            unknown.append(Confirmation(ConfirmationKind.ONE_WAY, name, why))
    return tuple(unknown)


def _bits(identified: Identified | None, count: int) -> dict[int, Bit]:
    """Return the bits that the part has, by their positions in so many bytes."""
    return {
        8 * _READS.index(register.read_opcode) + bit.position: bit
        for register in (identified.part.layout.registers if identified else ())
        if register.read_opcode in _READS[:count]
        for bit in register.bits
    }


def _others(flash: Flash, identified: Identified | None, count: int) -> dict[RegisterLayout, int]:
    """Read the registers that a write of so many bytes should leave as they are."""
    registers = identified.part.layout.registers if identified else ()
    return {
        register: read_register(flash, register.read_opcode)
        for register in registers
        if register.read_opcode not in _READS[:count]
    }


def _changes(names: Iterable[tuple[int, str]], before: int, now: int) -> Iterator[str]:
    """Yield the bits that differ, of those at some positions, by their names."""
    for position, name in names:
        if (before ^ now) >> position & 1:
            yield f"{name} {before >> position & 1}→{now >> position & 1}"
