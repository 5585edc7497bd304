"""How a status register of flash is reached: read, waited for, and never written by accident.

Every command here is ``checked`` (``loader.spi``), the reads too: while WEL is set, one bit that
flips on the link makes a write of 05h or of 2Bh, and a stale WEL is seen by a read only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import TypeVar

from espshell.device import Flash
from espshell.errors import BenchError, DeviceError, EspError, Refused
from espshell.loader.spi import FlashCommand
from espshell.nor import opcodes

T = TypeVar("T")

BUSY, WEL = 1 << 0, 1 << 1
"""Bits of SR1 on every part."""

BUSY_S = 5.0
"""How long a status write may take; data sheets promise 0.05 to 0.6 s."""

_POLL_S = 0.01


def read_register(flash: Flash, opcode: int) -> int:
    """Return the byte that an opcode reads."""
    return flash.command(FlashCommand(opcode, read_size=1, checked=True))[0]


def send(flash: Flash, opcode: int, data: bytes = b"") -> None:
    """Send an opcode and bytes."""
    flash.command(FlashCommand(opcode, data=data, checked=True))


def disable(flash: Flash) -> None:
    """Take WEL back. Raises: DeviceError if it stays."""
    send(flash, opcodes.WRDI)
    if read_register(flash, opcodes.RDSR1) & WEL:
        raise DeviceError("WEL stays set after 04h: the next write could be permanent")


def disable_soon(flash: Flash) -> None:
    """Wait, and take WEL back if it is set."""
    if wait(flash) & WEL:
        disable(flash)


def wait(flash: Flash) -> int:
    """Wait until BUSY is 0, twice in a row; return SR1 then. Raises: DeviceError if it is not."""
    clock = flash.clock
    end = clock.now() + BUSY_S
    last = BUSY
    while (value := read_register(flash, opcodes.RDSR1)) != last or value & BUSY:
        last = value
        if clock.now() >= end:
            raise DeviceError(f"the flash is still busy after {BUSY_S:.0f} s")
        if value & BUSY:
            clock.sleep(_POLL_S)
    return value


def require_known(read: Callable[[], T], trouble: EspError | None, names: str) -> T:
    """Read what came of a write, at the first or second try.

    Raises: BenchError or DeviceError that says that it is not known.
    """
    with contextlib.suppress(BenchError, DeviceError):
        return read()
    try:
        return read()
    except (BenchError, DeviceError) as error:
        kind = DeviceError if isinstance(error, Refused) else type(error)
        cause = trouble.message if trouble else error.message
        raise kind(
            f"{cause}; {names} may or may not have been written", hint="`sr` shows them"
        ) from error
