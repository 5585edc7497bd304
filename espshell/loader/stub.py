"""RAM in announced blocks, and the flasher stub: started in the ROM's place, or recognised."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

from espshell.errors import DeviceError, NoReply, Refused
from espshell.loader import transfer
from espshell.loader.dialogue import SYNC_TIMEOUTS_S, Gone
from espshell.loader.loader import Loader
from espshell.loader.stub_file import Stub
from espshell.protocol import dialect, flash
from espshell.protocol.commands import MemBegin, MemData, MemEnd, RegisterWrite, WriteReg
from espshell.units import WORD, hex32

GREETING = b"OHAI"
"""What a stub says when it runs, as a frame of its own."""

_GREETING_S = 1.0
_TRIES = 3
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
    for stub in candidates:
        if _is_in_ram(loader, ((stub.text_start, stub.text),)):
            loader.stub = stub
            return stub
    return None


def write_blocks(loader: Loader, address: int, data: bytes) -> Iterator[int]:
    """Put data into RAM; yield the bytes that are there after each block.

    ``address`` and the size of ``data`` are multiples of 4.  A refused or unanswered block is sent
    again, under a new announcement, because a refused one has used up its number.

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
            failures += 1
            if failures == _TRIES or isinstance(error, Gone):
                kind = NoReply if isinstance(error, NoReply) else DeviceError
                what = f"writing at {hex32(address + done)} failed"
                raise kind(f"{what}: {error.message}", hint=error.hint) from error


def _upload(loader: Loader, stub: Stub) -> None:
    for _ in range(_TRIES):
        for address, data in stub.segments:
            for _ in write_blocks(loader, address, data):
                pass
        if _is_in_ram(loader, stub.segments):
            return
    raise DeviceError(
        "the flasher stub does not read back from RAM as written",
        hint="check cable and baud rate; `stub never` works without it",
    )


def _is_in_ram(loader: Loader, segments: Iterable[tuple[int, bytes]]) -> bool:
    """Return whether the ends of each block, as they are uploaded, are where they belong."""
    block = loader.dialect.block_size
    expected: dict[int, int] = {}
    for start, data in segments:
        size = len(data) - len(data) % WORD
        for at in (*range(0, size, block), *range(block - WORD, size, block), size - WORD):
            expected[start + at] = int.from_bytes(data[at : at + WORD], "little")
    return transfer.read_few(loader, list(expected)) == list(expected.values())
