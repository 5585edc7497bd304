"""Changing flash through a loader; what it holds afterwards only a ``digest`` says.

What must be known here, measured on ROM code:

- A block that is refused uses up its number and not its address: what follows is shifted, in
  silence.  And a block whose reply was lost is refused when it is sent again.  So a download is
  never mended; it begins anew from its first sector, and a digest afterwards is what counts.
- A stub acknowledges a block before it programs it, so the last answer of a download says nothing.
  And what is asked next waits for that programming, so the last blocks become shorter and shorter.
- A stub gathers 32 KiB of what it unpacks before it programs them.  So data that does not become
  smaller is sent as it is.  (esp-flasher-stub, ``src/command_handler.c``)
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from espshell.chips import Chip, Quirk
from espshell.errors import DeviceError, NoReply, Refused
from espshell.loader import digest
from espshell.loader.dialogue import Gone
from espshell.loader.digest import BLOCK
from espshell.loader.loader import Loader, given_up
from espshell.loader.spi import Controller, FlashCommand
from espshell.nor import opcodes
from espshell.protocol.flash import (
    EraseFlash,
    EraseRegion,
    FlashBegin,
    FlashData,
    FlashDeflBegin,
    FlashDeflData,
    SpiFlashMd5,
    SpiSetParams,
)
from espshell.protocol.packet import Opcode
from espshell.span import align_down, ceil_div
from espshell.units import KIB, MIB, SECTOR, hex32

ROM_SEGMENT = 15 * SECTOR
"""What is announced to a ROM at once: a whole number of its largest blocks (bytes)."""

_TRIES = 5  # of a download with a quarter at once, each time
_ANNOUNCED = 0x400  # what an erase announces and never sends, as esptool does
_LAST_BLOCKS = 4 * KIB, 1 * KIB
_LEAST_GAIN = 50  # compression that saves less than this part of the data is not worth it
_CHIP_S_PER_MIB = 15.0

_BUSY = 1 << 0
_POLLS = 400
"""Bit 0 of the status of every SPI NOR (JESD216), and how often it is read before giving up.

A read is a request, and takes a millisecond or more.
"""


def erase_sectors(
    loader: Loader, chip: Chip, controller: Controller, offset: int, size: int
) -> None:
    """Erase whole sectors, at most a block or so in one go; the answer comes when it is done.

    Raises: DeviceError or NoReply if it fails again and again; PortError.
    """
    for tried in range(1, _TRIES + 1):
        try:
            _erase(loader, chip, controller, offset, size)
            return
        except (Refused, NoReply) as error:
            loader.erases_in_doubt += isinstance(error, NoReply)
            _require_another_try(loader, f"erasing at {hex32(offset)}", tried, error)


def _erase(loader: Loader, chip: Chip, controller: Controller, offset: int, size: int) -> None:
    timeout_s = digest.work_s(size)
    if Opcode.ERASE_REGION in loader.dialect.commands:
        loader.execute(EraseRegion(offset, size), timeout_s=timeout_s)
        return
    announced, odd_sector = announced_size(chip, offset, size)
    if odd_sector:
        _erase_sector(controller, offset + size - odd_sector)
    words = loader.dialect.flash_begin_words
    blocks = ceil_div(announced, _ANNOUNCED)
    begin = FlashBegin(announced, blocks, _ANNOUNCED, offset, words)
    loader.execute(begin, timeout_s=timeout_s)


def announced_size(chip: Chip, offset: int, size: int) -> tuple[int, int]:
    """Return the size to announce to a ROM, and how many bytes at the end that does not erase.

    The ROM of the ESP8266 counts the sectors up to the first 64 KiB boundary twice.  With ``head``
    sectors up to there, announcing n erases n + min(n, head): an even number wherever n is small.
    Here that is turned round, and an odd sector at the end is left to the caller.

    ``offset`` and ``size`` are whole sectors.  The second is 0, or a sector where the ROM would
    erase another one behind the range.
    """
    if Quirk.ERASES_TOO_MUCH not in chip.quirks:
        return size, 0
    sectors = size // SECTOR
    head = (BLOCK - offset % BLOCK) // SECTOR
    if sectors >= 2 * head:
        return size - head * SECTOR, 0
    return sectors // 2 * SECTOR, sectors % 2 * SECTOR


def limit(loader: Loader, end: int) -> bool:
    """Have a loader take the flash for one of ``end`` bytes; return whether it believes that.

    It does if it computes no digest of what is behind.  The loaders hand the size to the flash
    routines of the ROM, which then neither read nor erase nor program there.

    Source: ``tests/data/esp32-*.json`` (digests and downloads past the end); erases by the same
    routines, esp-stub-lib, ``src/target/common/src/flash.c``.
    """
    loader.execute(SpiSetParams(end))
    try:
        loader.execute(SpiFlashMd5(end, SECTOR))
    except Refused:
        digest.fence(loader)  # a refusal that comes twice would be taken for that of what is next
        return True
    return False


def erase_chip(loader: Loader, size: int) -> None:
    """Erase everything, so many bytes; takes up to minutes."""
    timeout_s = max(EraseFlash.timeout_s, _CHIP_S_PER_MIB * size / MIB)
    loader.execute(EraseFlash(), timeout_s=timeout_s)


def program(
    loader: Loader, chip: Chip, controller: Controller, offset: int, data: bytes
) -> Iterator[int]:
    """Erase and program whole sectors; yield the bytes of them that have been sent.

    Compressed where a stub is there to unpack it.  Begins anew if a block fails, with less at once.
    What the flash holds afterwards only a digest tells.

    Raises: DeviceError or NoReply if it fails again and again; PortError.
    """
    done, most, failures = 0, len(data), 0
    while done < len(data):
        piece, at = data[done : done + most], offset + done
        try:
            for sent in _download(loader, chip, controller, at, piece):
                yield done + sent
            done, failures = done + len(piece), 0
        except (Refused, NoReply) as error:
            failures += 1
            _require_another_try(loader, f"writing at {hex32(at)}", failures, error)
            most = max(SECTOR, align_down(most // 4, SECTOR))


def _require_another_try(loader: Loader, what: str, tried: int, error: Refused | NoReply) -> None:
    """Get ready for another try. Raises: DeviceError or NoReply if there is no sense in one."""
    if tried == _TRIES or isinstance(error, Gone):
        raise given_up(what, error) from error
    loader.distrust()


def _download(
    loader: Loader, chip: Chip, controller: Controller, offset: int, data: bytes
) -> Iterator[int]:
    size, words = len(data), loader.dialect.flash_begin_words
    is_stub = loader.dialect.is_stub
    stream = zlib.compress(data, 9) if is_stub else data
    packed = is_stub and len(stream) < size - size // _LEAST_GAIN
    stream = stream if packed else data
    block_size = loader.dialect.flash_block_size
    if not is_stub and size % block_size:
        block_size = min(block_size, SECTOR)  # which leaves no short block
    blocks = list(_blocks(stream, block_size, _LAST_BLOCKS if is_stub else ()))
    begin, block_of = (FlashDeflBegin, FlashDeflData) if packed else (FlashBegin, FlashData)
    announced, odd_sector = (size, 0) if is_stub else announced_size(chip, offset, size)
    if odd_sector:
        _erase_sector(controller, offset + size - odd_sector)
    timeout_s = digest.work_s(size)
    loader.execute(begin(announced, len(blocks), block_size, offset, words), timeout_s=timeout_s)
    sent = 0
    for sequence, block in enumerate(blocks):
        loader.execute(block_of(sequence, block), timeout_s=timeout_s)
        sent += len(block)
        yield size * sent // len(stream)


def _blocks(stream: bytes, size: int, last: tuple[int, ...]) -> Iterator[bytes]:
    """Yield a stream in blocks of a size, the last ones of these sizes if they are shorter."""
    whole = len(stream) - sum(last)
    if whole <= size:
        whole, last = len(stream), ()
    for start in range(0, whole, size):
        yield stream[start : min(start + size, whole)]
    for block_size in last:
        yield stream[whole : whole + block_size]
        whole += block_size


def _erase_sector(controller: Controller, offset: int) -> None:
    """Erase one sector by the command of the flash itself. Raises: DeviceError."""
    controller.run(FlashCommand(opcodes.WREN))
    controller.run(FlashCommand(opcodes.SECTOR_ERASE, address=offset, checked=True))
    for _ in range(_POLLS):
        if not controller.run(FlashCommand(opcodes.RDSR1, read_size=1))[0] & _BUSY:
            return
    raise DeviceError(
        f"the flash does not finish erasing the sector at {hex32(offset)}",
        hint="is its supply stable?",
    )
