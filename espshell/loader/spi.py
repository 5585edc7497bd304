"""Commands to the flash chip, through the registers of the controller that it hangs on.

One command is one frame of register writes and the reading of its result.  The frame sets
everything up, starts the command, lets the chip wait until it must be over, and puts back the
registers that the loader's own flash routines use, as they were when the flash was attached.
Whether it was over is seen with the result; where not, the start bit is polled.

What is surprising: WRITE_REG has no checksum, so a bit that flips on the way is written, and the
loader calls it good.  Therefore a command may be *checked*: what was set up is read back before it
is started.  And everywhere the start is written under a mask, because the other bits of that
register start commands of their own (erase the chip among them), and what is read is FF beforehand,
so that a command that was not started looks like a flash that does not answer or is busy, and not
like one whose register holds 0.

Source: register layouts in ``chips`` (``SpiController``), bits of USER, USER1 and USER2 as in the
technical reference manuals, chapter "SPI Controller".
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from espshell.chips import SpiController
from espshell.errors import DeviceError, NoReply, Refused
from espshell.loader import transfer
from espshell.loader.loader import Loader
from espshell.protocol import flash
from espshell.protocol.commands import ReadMemory, RegisterWrite, WriteReg
from espshell.records import dataclass
from espshell.span import ceil_div
from espshell.units import WORD

START = 1 << 18
"""CMD.USR: starts a command; the controller clears it at the end."""

_COMMAND, _ADDRESS, _DUMMY, _READ, _WRITE = (1 << bit for bit in (31, 30, 29, 28, 27))
_EIGHT_BITS = 7 << 28
_NO_ANSWER = b"\xff" * WORD
_POLLS = 10
_SETUPS = 3
_SLOWEST_MHZ = 2  # a ROM that has set nothing clocks the flash at 20 MHz or more

MOST_BYTES = 64
"""What the controller's data registers hold, out or in."""


@dataclass(frozen=True, slots=True)
class FlashCommand:
    """A command of a flash chip: opcode, perhaps an address, dummy clocks, bytes out or in."""

    opcode: int
    address: int | None = None
    address_bits: int = 24
    dummy_bits: int = 0
    data: bytes = b""
    read_size: int = 0
    checked: bool = False
    """Whether what was set up is read back before the command is started.

    For all that could do harm as another command: what carries data, and, while the flash is
    allowed to write (WEL), whatever is sent; one bit makes 01h of 05h.
    """


def attach(loader: Loader, pads: tuple[int, ...] = ()) -> None:
    """Connect the flash's pins to the controller: the usual ones, or ``pads`` (see SpiAttach)."""
    if loader.dialect.attach_words:
        loader.execute(flash.SpiAttach(loader.dialect.attach_words, pads))
    else:  # the ROM of an ESP8266 does it when a download begins
        loader.execute(flash.FlashBegin(0, 0, 0x400, 0, loader.dialect.flash_begin_words))


class Controller:
    """The controller of one chip; ``attach`` has been called."""

    def __init__(self, loader: Loader, spi: SpiController) -> None:
        self._loader = loader
        self._spi = spi
        self._kept: list[RegisterWrite] = []

    def run(self, command: FlashCommand) -> bytes:
        """Run one command and return the bytes that were read.

        One that only reads is run again if its answer is lost.

        Raises: DeviceError if the controller does not finish; NoReply if it is not known whether
        the command was run.
        """
        if max(len(command.data), command.read_size) > MOST_BYTES:
            raise ValueError(f"at most {MOST_BYTES} bytes in one command")
        if not self._kept:
            spi = self._spi
            places = [spi.base + offset for offset in (spi.user, spi.user1, spi.user2)]
            words = transfer.read_words(self._loader, places)
            self._kept = [RegisterWrite(a, v) for a, v in zip(places, words, strict=True)]
        try:
            self._start(command)
        except NoReply:
            if command.data or not command.read_size:
                raise
            self._start(command)
        return self._result(command.read_size)

    def _start(self, command: FlashCommand) -> None:
        """Set up a command and start it; a checked one when the registers hold it.

        Raises: DeviceError if they do not, and nothing was started; NoReply.
        """
        *setup, start = _setup(self._spi, command)
        if not command.checked:
            self._loader.execute(WriteReg((*setup, start, *self._kept)))
            return
        data = self._spi.base + self._spi.w0
        expected = {w.address: w.value for w in setup if command.data or w.address != data}
        for _ in range(_SETUPS):
            with contextlib.suppress(NoReply, Refused):
                self._loader.execute(WriteReg(tuple(setup)))
            if _words(self._loader, list(expected)) == list(expected.values()):
                self._loader.execute(WriteReg((start, *self._kept)))
                return
        raise DeviceError("the SPI controller does not keep what is written to it")

    def _result(self, size: int) -> bytes:
        """Wait for the end of a command; return what was read."""
        spi = self._spi
        data = range(spi.base + spi.w0, spi.base + spi.w0 + size, WORD)
        for _ in range(_POLLS):
            command, *words = _words(self._loader, [spi.base + spi.cmd, *data])
            if not command & START:
                return b"".join(word.to_bytes(WORD, "little") for word in words)[:size]
        raise DeviceError(
            "the SPI controller does not finish a command",
            hint="is the flash connected and powered?",
        )


def _setup(spi: SpiController, command: FlashCommand) -> list[RegisterWrite]:
    """Return the register writes that set a command up and start it, in order."""
    user = _COMMAND
    user1 = 0
    writes = []
    if command.address is not None:
        user |= _ADDRESS
        user1 |= command.address_bits - 1 << 26
        shift = 32 - command.address_bits if spi.address_msb_first else 0
        writes.append((spi.addr, command.address << shift))
    if command.dummy_bits:
        user |= _DUMMY
        user1 |= command.dummy_bits - 1
    for size, bit, register, low in (
        (len(command.data), _WRITE, spi.mosi_dlen, spi.mosi_dlen_low),
        (command.read_size, _READ, spi.miso_dlen, spi.miso_dlen_low),
    ):
        if not size:
            continue
        user |= bit
        if spi.lengths_in_user1:
            user1 |= 8 * size - 1 << low
        else:
            writes.append((register, 8 * size - 1 << low))
    padded = command.data + bytes(-len(command.data) % WORD) or _NO_ANSWER
    for at in range(0, len(padded), WORD):
        writes.append((spi.w0 + at, int.from_bytes(padded[at : at + WORD], "little")))
    writes += [(spi.user, user), (spi.user1, user1), (spi.user2, _EIGHT_BITS | command.opcode)]
    entries = [RegisterWrite(spi.base + offset, value) for offset, value in writes]
    bits = 8 * (5 + len(command.data) + command.read_size) + command.dummy_bits
    wait_us = ceil_div(bits, _SLOWEST_MHZ)
    start = RegisterWrite(spi.base + spi.cmd, START, mask=START, delay_us=wait_us)
    return [*entries, start]


def _words(loader: Loader, addresses: Sequence[int]) -> list[int]:
    """Return words at addresses in as few round trips as the loader allows."""
    if not loader.has_bulk_read:
        return transfer.read_few(loader, addresses)
    runs: list[range] = []  # each is read in one go
    for address in sorted(addresses):
        is_near = runs and address - runs[-1].start < WORD * ReadMemory.MOST
        start = runs.pop().start if is_near else address
        runs.append(range(start, address + WORD, WORD))
    values: dict[int, int] = {}
    for run in runs:
        values |= zip(run, transfer.read_words(loader, run), strict=True)
    return [values[address] for address in addresses]
