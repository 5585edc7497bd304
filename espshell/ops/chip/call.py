"""The verb ``call``: a function on the chip, with arguments, and what it returns.

It runs as a part of the flasher stub, with the stub's stack and interrupts; what it does is its
own affair.  One that does not return takes the loader with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from espshell.chips import Isa
from espshell.device import Target
from espshell.errors import NoReply, UsageError
from espshell.loader.plugins import install
from espshell.ops.result import Result
from espshell.protocol.handlers import Call
from espshell.protocol.packet import Opcode
from espshell.records import dataclass
from espshell.units import count_text, hex32

TIMEOUT_S = 3.0

_ALIGNED = {Isa.RISCV: 2, Isa.XTENSA: 4, Isa.XTENSA_CALL0: 1}
"""What the address of a function is a multiple of; with register windows that of its ``entry``."""


@dataclass(frozen=True, slots=True)
class Called(Result):
    """What a function has returned; None in a dry run, in which nothing was called."""

    address: int
    arguments: tuple[int, ...]
    value: int | None
    seconds: float = 0.0
    dry_run: bool = False

    @property
    def last_value(self) -> int | None:
        """The value."""
        return self.value


def require_callable(
    target: Target, address: int, arguments: Sequence[int], *, force: bool = False
) -> None:
    """Require an address at which code can be, and arguments that registers hold.

    Raises: UsageError; nothing was sent.
    """
    if len(arguments) > Call.MOST:
        raise UsageError(
            f"{count_text(len(arguments), 'argument')} are too many, at most {Call.MOST}"
        )
    if not 0 <= address < 1 << 32:
        raise UsageError(f"{address:#x} is not a 32-bit address")
    if force:
        return
    chip = target.chip
    if not chip.is_code(address):
        region = chip.region_at(address)
        where = f"in {region.name} ({region.note})" if region else "outside the memory map"
        raise UsageError(
            f"{hex32(address)} is {where}, where code cannot run in download mode",
            hint="`map` lists the regions; --force calls it anyway",
        )
    if address % _ALIGNED[chip.isa]:
        raise UsageError(
            f"{hex32(address)} is not a multiple of {_ALIGNED[chip.isa]}, as the address of a"
            " function is",
            hint="--force calls it anyway",
        )


def call(
    target: Target, address: int, arguments: Sequence[int] = (), *, timeout_s: float = TIMEOUT_S
) -> Called:
    """Call a function once, and wait for what it returns.

    Raises: UsageError where the stub that runs cannot; NoReply if it does not return in time.
    """
    words = tuple(argument & 0xFFFF_FFFF for argument in arguments)
    if target.memory.dry_run:
        return Called(address, words, None, dry_run=True)
    if not install.ensure(target.loader, Opcode.CALL):
        raise UsageError(
            "calling a function needs the flasher stub with espshell's handlers",
            hint="`stub always` starts it; a version 1 stub, or one started by another "
            "program, has none",
        )
    clock = target.link.clock
    start = clock.now()
    try:
        value = target.loader.execute(Call(address, words), timeout_s=timeout_s)
    except NoReply as error:
        raise NoReply(
            f"the function at {hex32(address)} has not returned within {timeout_s:g} s",
            hint="--timeout waits longer; `reconnect` resets the chip",
        ) from error
    return Called(address, words, value, clock.now() - start)
