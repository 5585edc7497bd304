"""Memory and flash as streams: one request, frames as they come, a CRC-32 behind them.

The handler is ours (``plugins``).  Its request carries a check word, so a bit that flips in it is
refused; the CRC-32 is of everything that was read.  A frame that is lost, doubled or damaged so
costs the reading of its part, and never gives a wrong byte.  A part is about a second of the wire:
what a fault or Ctrl-C costs, because a stream cannot be stopped.  Whatever ends one early leaves
the dialogue out of step, and what gets it back into step waits until the stream has ended.

While the last frames of a part come, the request for the next is under way already: a stub keeps
one request during a stream.  After the first fault it is no longer sent ahead.

Source: ``tests/data/plugin-*.json``, recorded from stubs on real ROM code.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest

from espshell.errors import EspError, NoReply, Refused
from espshell.loader.loader import Fault, Loader
from espshell.protocol import packet
from espshell.protocol.handlers import FRAME, SectorCrcs, StreamFlash, StreamMemory
from espshell.protocol.packet import Opcode
from espshell.span import Span
from espshell.units import KIB, MIB, SECTOR, WORD, hex32

RETRIES = 8
"""Faults in a row, without one part gained, after which a read is given up."""

_LARGEST = 64 * KIB
_LEAST = 1 * KIB
_PART_S = 1.5
_AHEAD_S = 0.1  # of the wire that is left of a part when the next one is asked for
_FRAME_S = 1.0
_CRC_S_PER_MIB = 8.0
_OVERHEAD = 1.1  # of the wire, for escapes at most as many as random bytes have
_PROOF = 64


def enable(loader: Loader) -> bool:
    """Have long reads come as streams, if a short one brings the words of the markers.

    Whatever goes wrong, the loader is as good as without it.
    """
    start = min(marker.address for marker in loader.markers)
    try:
        data = b"".join(run(loader, StreamMemory, Span.of(start, _PROOF), _LEAST))
    except (EspError, Fault):
        return False
    loader.has_streams = loader.agrees_with_markers(start, data)
    return loader.has_streams


def read_memory(loader: Loader, start: int, size: int) -> Iterator[bytes]:
    """Yield a range of memory (multiples of 4) in parts, each as good as its CRC-32.

    Raises: Refused or NoReply if a part cannot be had; the parts before it were good.
    """
    end, faults = start + size, 0
    whole = part = part_size(loader)
    while start < end:
        try:
            for data in run(loader, StreamMemory, Span(start, end), part):
                start, faults, part = start + len(data), 0, min(whole, 2 * part)
                yield data
        except Fault as fault:
            loader.streams_ahead = False
            faults, part = faults + 1, max(_LEAST, part // 2)
            if faults > RETRIES:
                raise _given_up(start, fault, faults) from None


def part_size(loader: Loader) -> int:
    """Return how much is asked for at once (bytes)."""
    size = _LARGEST
    while size > _LEAST and loader.link.wire_s(size) > _PART_S:
        size //= 2
    return size


def cropped(pieces: Iterable[bytes], start: int, span: Span) -> Iterator[bytes]:
    """Yield of pieces, of which the first is at ``start``, what lies in a span."""
    for data in pieces:
        block = Span.of(start, len(data))
        if part := block.intersection(span):
            yield data[part.offsets(start)]
        start = block.end


def sector_crcs(loader: Loader, offset: int, size: int) -> list[int]:
    """Return the CRC-32 of each sector from that at ``offset`` on; they find what may differ.

    Nothing protects them on the wire. Raises: Refused, NoReply; Fault if some are missing.
    """
    crcs: list[int] = []
    for span in Span.of(offset, size).chunks(MIB):
        frames: deque[bytes] = deque()
        with loader.exchange():
            send(loader, SectorCrcs(span.start, span.size))
            with loader.link.streaming(frames):
                await_acceptance(loader)
                count = span.units(SECTOR)
                while count:
                    expected = min(SectorCrcs.PER_FRAME, count)
                    frame = loader.link.receive_frame(_FRAME_S + _CRC_S_PER_MIB)
                    if frame is None or len(frame) != WORD * expected:
                        raise Fault("sums were lost")
                    crcs += (
                        int.from_bytes(frame[at : at + WORD], "little")
                        for at in range(0, len(frame), WORD)
                    )
                    count -= expected
            loader.stream_until = 0.0
    return crcs


def run(
    loader: Loader,
    kind: type[StreamFlash],
    span: Span,
    part: int,
    *,
    pauses: Callable[[bytes], bool] = lambda _: False,
) -> Iterator[bytes]:
    """Yield a range in parts of a size until its end or the first fault.

    kind: ``StreamMemory`` or ``StreamFlash``.
    pauses: whether it ends early behind a part that ends with these bytes.

    Raises: Fault; what has been yielded before was good.
    """
    frames: deque[bytes] = deque()
    commands = [kind(piece.start, piece.size) for piece in span.chunks(part)]
    with loader.exchange():
        send(loader, commands[0])
        is_sent = True
        for command, following in zip_longest(commands, commands[1:]):
            if not is_sent:
                send(loader, command)
            ahead = following if loader.streams_ahead else None
            data, is_sent = _part(loader, frames, command, ahead, pauses)
            if not is_sent:
                loader.stream_until = 0.0
            yield data
            if not is_sent and pauses(data[-FRAME:]):
                return


def _part(
    loader: Loader,
    frames: deque[bytes],
    command: StreamFlash,
    following: StreamFlash | None,
    pauses: Callable[[bytes], bool],
) -> tuple[bytes, bool]:
    """Receive a part; send the request for the one that follows while its last frames come.

    Return the bytes, and whether that was sent. Raises: Fault.
    """
    link = loader.link
    pieces: list[bytes] = []
    remaining, is_sent = command.size, False
    with link.streaming(frames):
        await_acceptance(loader)
        while remaining:
            is_time = link.wire_s(remaining) <= _AHEAD_S
            if following and is_time and not is_sent and not (pieces and pauses(pieces[-1])):
                send(loader, following)
                is_sent = True
            frame = link.receive_frame(_FRAME_S + link.wire_s(4 * FRAME))
            if frame is None or len(frame) != min(FRAME, remaining):
                raise Fault("nothing came" if frame is None else "bytes were lost")
            pieces.append(frame)
            remaining -= len(frame)
        crc = link.receive_frame(_FRAME_S)
    data = b"".join(pieces)
    if crc != zlib.crc32(data).to_bytes(WORD, "little"):
        raise Fault("the CRC-32 does not agree")
    return data, is_sent


def send(loader: Loader, command: StreamFlash) -> None:
    """Send a request, and remember until when its stream may last."""
    link = loader.link
    lasts_s = _OVERHEAD * link.wire_s(command.size) + _CRC_S_PER_MIB * command.size / MIB
    loader.stream_until = max(loader.stream_until, link.clock.now()) + lasts_s + _FRAME_S
    link.send(command.encode())


def await_acceptance(loader: Loader, opcode: Opcode = Opcode.STREAM) -> None:
    """Wait for the reply to a request; what comes before it was of another. Raises: Fault."""
    wait_s = _FRAME_S + loader.link.wire_s(2 * FRAME)
    while frame := loader.link.receive_frame(wait_s):
        if not packet.is_response(frame):
            continue
        response = packet.parse_response(frame)
        if code := loader.failure(response):
            raise Fault("refused", code)
        if response.opcode == opcode:
            return
    raise Fault("no reply")


def _given_up(address: int, fault: Fault, times: int) -> Refused | NoReply:
    where = f"reading {hex32(address)}"
    if fault.code:
        text = packet.status_text(fault.code)
        return Refused(f"{where}: the loader refused it: {text}", code=fault.code)
    return NoReply(f"{where}: {fault}, {times} times in a row", hint="check cable and baud rate")
