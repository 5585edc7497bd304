"""Commands to the flash chip, through the registers of the controller that it hangs on.

One command is three or four round trips: the registers that will change are read, everything is
set up and started in one frame of register writes, the result is read, and what was changed is put
back.  An SPI command of a few bytes is over before the next request arrives; where it is not, the
start bit is polled.

Source: register layouts in ``chips`` (``SpiController``), bits of USER, USER1 and USER2 as in the
technical reference manuals, chapter "SPI Controller".
"""

from __future__ import annotations

from dataclasses import dataclass

from espshell.chips import SpiController
from espshell.errors import DeviceError
from espshell.loader import transfer
from espshell.loader.loader import Loader
from espshell.protocol.commands import FlashBegin, RegisterWrite, SpiAttach, WriteReg
from espshell.units import WORD

START = 1 << 18
"""CMD.USR: starts a command; the controller clears it at the end."""

_COMMAND, _ADDRESS, _DUMMY, _READ, _WRITE = (1 << bit for bit in (31, 30, 29, 28, 27))
_EIGHT_BITS = 7 << 28
_POLLS = 10
_MOST_BYTES = 64


@dataclass(frozen=True, slots=True)
class FlashCommand:
    """A command of a flash chip: opcode, perhaps an address, dummy clocks, bytes out or in."""

    opcode: int
    address: int | None = None
    address_bits: int = 24
    dummy_bits: int = 0
    data: bytes = b""
    read_size: int = 0


def attach(loader: Loader, pads: tuple[int, ...] = ()) -> None:
    """Connect the flash's pins to the controller: the usual ones, or ``pads`` (see SpiAttach)."""
    if loader.dialect.attach_words:
        loader.execute(SpiAttach(loader.dialect.attach_words, pads))
    else:  # the ROM of an ESP8266 does it when a download begins
        loader.execute(FlashBegin(0, 0, 0x400, 0, loader.dialect.flash_begin_words))


def run(loader: Loader, spi: SpiController, command: FlashCommand) -> bytes:
    """Run one command and return the bytes that were read; ``attach`` has been called.

    Raises: DeviceError if the controller does not finish.
    """
    if max(len(command.data), command.read_size) > _MOST_BYTES:
        raise ValueError(f"at most {_MOST_BYTES} bytes in one command")
    kept = [spi.base + offset for offset in (spi.user, spi.user1, spi.user2)]
    before = transfer.read_words(loader, kept)
    _write(loader, _setup(spi, command))
    try:
        data = _result(loader, spi, command.read_size)
    finally:
        _write(loader, [RegisterWrite(a, v) for a, v in zip(kept, before, strict=True)])
    return data


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
    padded = command.data + bytes(-len(command.data) % WORD)
    for at in range(0, max(len(padded), WORD), WORD):
        writes.append((spi.w0 + at, int.from_bytes(padded[at : at + WORD], "little")))
    writes += [(spi.user, user), (spi.user1, user1), (spi.user2, _EIGHT_BITS | command.opcode)]
    writes.append((spi.cmd, START))
    return [RegisterWrite(spi.base + offset, value) for offset, value in writes]


def _result(loader: Loader, spi: SpiController, size: int) -> bytes:
    """Wait for the end of a command; return what was read."""
    count = -(-size // WORD)
    addresses = [spi.base + spi.cmd, *(spi.base + spi.w0 + WORD * i for i in range(count))]
    for _ in range(_POLLS):
        command, *words = transfer.read_words(loader, addresses)
        if not command & START:
            return b"".join(word.to_bytes(WORD, "little") for word in words)[:size]
    raise DeviceError(
        "the SPI controller does not finish a command", hint="is the flash connected and powered?"
    )


def _write(loader: Loader, writes: list[RegisterWrite]) -> None:
    loader.execute(WriteReg(tuple(writes)))
