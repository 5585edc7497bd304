"""RAM in announced blocks, and the flasher stub: started in the ROM's place, or recognised."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from espshell.errors import DeviceError, NoReply, Refused
from espshell.loader import transfer
from espshell.loader.dialogue import SYNC_TIMEOUTS_S, Gone
from espshell.loader.loader import Loader, given_up
from espshell.loader.stub_file import Stub
from espshell.protocol import dialect, flash
from espshell.protocol.commands import MemBegin, MemData, MemEnd, RegisterWrite, WriteReg
from espshell.span import align_down
from espshell.units import WORD, hex32

GREETING = b"OHAI"
"""What a stub says when it runs, as a frame of its own."""

_GREETING_S = 1.0
_TRIES = 3
_SENDINGS = 5  # of a block
_LEAST_BLOCK = 0x100
_JUMP_S = 0.2  # a ROM may jump before it has answered


def start(loader: Loader, stub: Stub, *, read_pointer: int | None = None) -> None:
    """Upload a stub and start it; the loader speaks its dialect from then on.

    What is uploaded is looked at before it is started, because the announcement has no checksum and
    a flipped bit in it puts everything elsewhere.  Where no greeting comes, SYNC tells who answers,
    and a ROM is asked to jump once more.

    Where MEM_END does not start code, ``read_pointer`` is a word of ROM data that READ_FLASH_SLOW
    jumps through; see ``Quirk.STUB_START_BY_READ``.

    Raises: DeviceError or NoReply if the upload fails; NoReply if the stub does not run.
    """
    _upload(loader, stub)
    for _ in range(_TRIES):
        loader.link.forget_noise()
        with contextlib.suppress(NoReply):
            if read_pointer is None:
                loader.execute(MemEnd(stub.entry), timeout_s=_JUMP_S)
            else:
                loader.execute(WriteReg((RegisterWrite(read_pointer, stub.entry),)))
                loader.execute(flash.ReadFlashSlow(0, 64), timeout_s=_JUMP_S)
        running = loader.link.hear(GREETING, _GREETING_S)
        if running:
            loader.begin_anew()
        else:
            values = (loader.sync(wait_s, opened=True) for wait_s in SYNC_TIMEOUTS_S)
            answer = next((value for value in values if value is not None), None)
            if answer != dialect.STUB.sync_value:
                continue
            loader.distrust()
        loader.dialect = dialect.STUB_V1 if stub.version == 1 else dialect.STUB
        loader.stub = stub
        loader.handlers.clear()
        loader.proven.clear()
        return
    raise NoReply("the flasher stub was loaded but does not answer", hint="`reset`, `stub never`")


def recognise(loader: Loader, candidates: Iterable[Stub]) -> Stub | None:
    """Return that of some stubs which runs, by words of its code in RAM, and remember it."""
    block = loader.dialect.block_size
    for stub in candidates:
        size = align_down(len(stub.text), WORD)
        ends = [*range(block, size, block), size]
        if _is_in_ram(loader, [(stub.text_start, stub.text)], [ends]):
            loader.stub = stub
            return stub
    return None


def write_blocks(loader: Loader, address: int, data: bytes) -> Iterator[int]:
    """Put data into RAM; yield the bytes that are there after each block.

    ``address`` and the size of ``data`` are multiples of 4.  A refused or unanswered block is sent
    again, under a new announcement, because a refused one has used up its number; it and all behind
    it in smaller blocks.

    Raises: DeviceError or NoReply if a block fails again and again.
    """
    size = loader.dialect.block_size
    done = failures = 0
    while done < len(data):
        try:
            rest = data[done:]
            blocks = [rest[i : i + size] for i in range(0, len(rest), size)]
            loader.execute(MemBegin(len(rest), len(blocks), size, address + done))
            for sequence, block in enumerate(blocks):
                loader.execute(MemData(sequence, block))
                done, failures = done + len(block), 0
                yield done
        except (Refused, NoReply) as error:
            failures, size = failures + 1, max(_LEAST_BLOCK, size // 4)
            if failures == _SENDINGS or isinstance(error, Gone):
                raise given_up(f"writing at {hex32(address + done)}", error) from error


def _upload(loader: Loader, stub: Stub) -> None:
    for _ in range(_TRIES):
        ends = [list(write_blocks(loader, *segment)) for segment in stub.segments]
        if _is_in_ram(loader, stub.segments, ends):
            return
    raise DeviceError(
        "the flasher stub does not read back from RAM as written",
        hint="check cable and baud rate; `stub never` works without it",
    )


def _is_in_ram(
    loader: Loader, segments: Iterable[tuple[int, bytes]], ends: Iterable[list[int]]
) -> bool:
    """Return whether both ends of each block are where they belong; ``ends``: where blocks end."""
    expected: dict[int, int] = {}
    for (start, data), block_ends in zip(segments, ends, strict=True):
        for at in (0, *block_ends[:-1], *(end - WORD for end in block_ends)):
            expected[start + at] = int.from_bytes(data[at : at + WORD], "little")
    return transfer.read_few(loader, list(expected)) == list(expected.values())
