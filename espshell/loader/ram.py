"""Data into RAM, in announced blocks that carry a checksum."""

from __future__ import annotations

from collections.abc import Iterator

from espshell.errors import DeviceError, NoReply, Refused
from espshell.loader.dialogue import Gone
from espshell.loader.loader import Loader
from espshell.protocol.commands import MemBegin, MemData
from espshell.units import hex32

_TRIES = 3


def write_blocks(loader: Loader, address: int, data: bytes) -> Iterator[int]:
    """Put data into RAM; yield the bytes that are there after each block.

    ``address`` and the size of ``data`` are multiples of 4.  A refused or unanswered block is sent
    again, under a new announcement, because a refused one has used up its number.

    Raises: DeviceError or NoReply if a block fails again and again.
    """
    done = failures = 0
    while done < len(data):
        try:
            for reached in _announced(loader, address, data, done):
                done, failures = reached, 0
                yield done
        except (Refused, NoReply) as error:
            failures += 1
            if failures == _TRIES or isinstance(error, Gone):
                kind = NoReply if isinstance(error, NoReply) else DeviceError
                what = f"writing at {hex32(address + done)} failed"
                raise kind(f"{what}: {error.message}", hint=error.hint) from error


def _announced(loader: Loader, address: int, data: bytes, done: int) -> Iterator[int]:
    """Announce what is left and send it; yield the bytes that are there after each block."""
    size = loader.dialect.block_size
    blocks = [data[i : i + size] for i in range(done, len(data), size)]
    loader.execute(MemBegin(len(data) - done, len(blocks), size, address + done))
    for sequence, block in enumerate(blocks):
        loader.execute(MemData(sequence, block))
        done += len(block)
        yield done
