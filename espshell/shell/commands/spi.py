"""spi, and esptool's names for what is read and written through plain flash commands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from espshell.errors import UsageError
from espshell.nor import opcodes, parts
from espshell.nor import settings as typed
from espshell.ops.flash import sfdp
from espshell.ops.status import raw_bytes as status_bytes
from espshell.ops.status import registers as ops
from espshell.records import replace
from espshell.shell.arguments.types import BARE_NUMBER, POSITIVE, TEXT, checked, choice, many
from espshell.shell.commands.status import (
    MAY_BE_WRITTEN,
    keep_first_look,
    may_write,
    require_confirmed,
)
from espshell.shell.declaration import DRY_RUN, Option
from espshell.shell.esptool import options
from espshell.shell.registry import Registry
from espshell.shell.session import Session
from espshell.units import count_text

if TYPE_CHECKING:
    from espshell.nor.plan import StatusPlan

VERBS = Registry("Flash status")

BYTES = replace(many(checked(TEXT, lambda text: _byte_text(text))), kind="bytes")
"""Bytes in hexadecimal, one word or several."""


@VERBS.add("spi", needs="memory")
def spi(
    session: Session,
    opcode: Annotated[int, BARE_NUMBER],
    data: Annotated[tuple[str, ...], BYTES] = (),
    *,
    read: Annotated[int, Option("--read", "bytes to read", BARE_NUMBER)] = 0,
    address: Annotated[
        int | None, Option("--address", "24-bit address sent after the opcode", BARE_NUMBER)
    ] = None,
    dummy: Annotated[int, Option("--dummy", "dummy clocks before the data", BARE_NUMBER)] = 0,
    force: Annotated[
        bool, Option("--force", "also send opcodes that may change the flash")
    ] = False,
) -> sfdp.SpiAnswer:
    """Send any SPI command to the flash: spi 0x9f --read 3.

    Data bytes are hexadecimal: spi 0x01 00 02 --force. Opcodes that may write, erase, lock or
    change the flash's bus mode are refused without --force.

    Example: spi 0x9f --read 3
    """
    sent = b"".join(_byte_text(text) for text in data)
    flash = session.flash()
    return sfdp.spi_command(
        flash, opcode, sent, read=read, address=address, dummy_bits=dummy, force=force
    )


@VERBS.add(
    "read-flash-sfdp",
    options=[*options.HEADER, options.CONNECTION],
    needs="memory",
    alias_of="sfdp",
)
def read_flash_sfdp(
    session: Session, address: Annotated[int, BARE_NUMBER], count: Annotated[int, POSITIVE]
) -> sfdp.SpiAnswer:
    """Read bytes of SFDP, as esptool does; of any number.

    Example: read-flash-sfdp 0 16
    """
    if not 0 <= address < 1 << 24:
        raise UsageError(f"{address:#x} is not a 24-bit address")
    if address + count > 1 << 24:
        raise UsageError(
            f"{count} bytes from {address:#x} on go past the end of the 24-bit SFDP space"
        )
    data = sfdp.read_sfdp_bytes(session.flash(), address, count)
    return sfdp.SpiAnswer(opcodes.RDSFDP, "read SFDP", b"", data)


ByteCount = Annotated[str, Option("--bytes", "how many: 1, 2 or 3 (2)", choice("1", "2", "3"))]


@VERBS.add("read-flash-status", options=[options.CONNECTION], needs="memory", alias_of="sr")
def read_flash_status(
    session: Session,
    *,
    count: ByteCount = "2",
    force: Annotated[
        bool, Option("--force", "send 35h and 15h whatever they mean on this part")
    ] = False,
) -> status_bytes.StatusBytes:
    """Read status bytes by 05h, 35h and 15h, as esptool does.

    Example: read-flash-status --bytes 2
    """
    return status_bytes.read_status_bytes(session.flash(), int(count), force=force)


@VERBS.add(
    "write-flash-status", options=[DRY_RUN, options.CONNECTION], needs="memory", alias_of="sr set"
)
def write_flash_status(
    session: Session,
    value: Annotated[int, BARE_NUMBER],
    *,
    count: ByteCount = "2",
    non_volatile: Annotated[
        bool, Option("--non-volatile", "permanently (06h), not by 50h")
    ] = False,
    otp: Annotated[
        str, Option("--otp", "allow one-time-programmable bits: give the part's full name", TEXT)
    ] = "",
    risk: Annotated[bool, Option("--risk", "yes to what can stop the board from booting")] = False,
) -> status_bytes.StatusBytes | None:
    """Write status bytes, as esptool does; but wait, compare and tell what changed.

    `sr set` changes single fields by the commands that the part wants.

    Example: write-flash-status --bytes 1 0x04
    """
    size = int(count)
    if not 0 <= value < 1 << 8 * size:
        raise UsageError(f"{value:#x} does not fit {count_text(size, 'byte')}")
    session.require_permission("writing status registers")
    flash = session.flash()
    identified = session.connected.identified()
    possible, why = parts.volatile_possible(identified)
    if not (possible or non_volatile):
        raise UsageError(
            f"a volatile write is not possible: {why}", hint="--non-volatile writes permanently"
        )
    read = status_bytes.read_status_bytes(flash, size)
    plan = _as_plan(session, identified, value, size)
    keep_first_look(session, plan)
    unknown = status_bytes.unknown_bits(identified, read.value, value, size)
    confirmations = (*plan.confirmations, *unknown)
    require_confirmed(session, replace(plan, confirmations=confirmations), otp=otp, risk=risk)
    loses = parts.loses_bits(identified.part, size)
    if loses:
        session.output.note(loses)
    kind = "permanently" if non_volatile else "until the flash loses power"
    digits = 2 * size
    question = f"write 0x{value:0{digits}x} over 0x{read.value:0{digits}x} {kind}"
    if not may_write(session, question, volatile=not non_volatile):
        return None
    with session.changing(MAY_BE_WRITTEN):
        return status_bytes.write_status_bytes(
            flash, value, size, non_volatile=non_volatile, identified=identified
        )


def _as_plan(session: Session, identified: parts.Identified, value: int, count: int) -> StatusPlan:
    """Return a write of bytes as a plan for the named bits of the part, with its confirmations."""
    by_opcode = {
        register.read_opcode: register.name for register in identified.part.layout.registers
    }
    reads = (opcodes.RDSR1, opcodes.RDSR2, opcodes.RDSR3)[:count]
    names = [by_opcode.get(opcode) for opcode in reads]
    data = value.to_bytes(count, "little")
    settings = [typed.Setting(name, byte) for name, byte in zip(names, data, strict=True) if name]
    return ops.plan_change(session.flash(), identified, settings, volatile=False)


def _byte_text(text: str) -> bytes:
    """Return the bytes of a word: ``0x02``, ``02`` or ``0002``."""
    digits = text.lower().removeprefix("0x")
    try:
        return bytes.fromhex(digits if len(digits) % 2 == 0 else f"0{digits}")
    except ValueError:
        raise UsageError(
            f"`{text}` is not a byte", hint="two hexadecimal digits each: 01 ff"
        ) from None
