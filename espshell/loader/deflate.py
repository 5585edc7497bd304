"""Flash that the chip compresses: a zlib stream of the ROM's ``tdefl``, while that is quicker.

Whether it is depends on what the flash holds, on the wire and on the clock of the core, so it is
measured: a first part of 4 KiB, proven by its MD5, says how long the core takes; where that is too
long for the wire, that is all that is compressed.  Then each part is measured; they become larger
as they become quicker, and the next is asked for while one comes.  Where two in a row were slower
than a plain stream would have been, or the first was, the next MiB comes as one.  After some faults
nothing is compressed any more.

The state of ``tdefl`` takes 170 KiB of RAM, whose content is lost; which, is in ``plugins/data``.
Faults in frames are those of ``stream``: here, too, the CRC-32 is of everything that was read.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator

from espshell.loader.digest import digest, md5
from espshell.loader.loader import Deflating, Fault, Loader
from espshell.loader.plugins import install
from espshell.loader.stream import await_acceptance, send
from espshell.protocol.handlers import DeflateFlash
from espshell.protocol.packet import Opcode
from espshell.span import Span
from espshell.units import KIB, MIB, WORD

WORTH = 128 * KIB
"""What is smaller is not compressed: it takes time to find out whether that helps (bytes)."""

_FIRST = 4 * KIB
_SECOND, _GROWTH = 4, 16  # how many times as large the next one may be
_LARGEST, _LARGEST_SLOW = MIB, 64 * KIB
_QUICK_CORE_S = 1e-6  # for a byte of blank flash: what follows may be large without regret
_PART_S = 2.5
_PLAIN_FOR = MIB
_LEAST_GAIN = 1.05
_MOST_CORE = 0.5  # of the time on the wire: then code, which becomes half as large, may gain
_FAULTS = 3
_SLOWEST_S_PER_MIB = 20.0  # until the first frame, with a core of 20 MHz


def is_worth_trying(loader: Loader, span: Span) -> bool:
    """Return whether a range of flash may come more quickly when it is compressed.

    The first time the handler is uploaded. Raises: NoReply.
    """
    if not loader.may_deflate:
        return False
    if loader.deflating is None and span.size >= WORTH and loader.has_streams:
        loader.deflating = Deflating()
        if not install.ensure(loader, Opcode.DEFLATE):
            loader.deflating.faults = _FAULTS
    measured = loader.deflating
    if measured is None or measured.faults >= _FAULTS or span.size < _FIRST:
        return False
    if span.start in _plain(measured):
        return False
    return not measured.rate or _is_quick(loader, measured, span.start)


def area(loader: Loader, size: int) -> Span | None:
    """Return the RAM whose content a read of so many bytes loses, if it is the first such one."""
    is_first = loader.may_deflate and loader.deflating is None and loader.has_streams
    address = install.deflate_state(loader) if is_first and size >= WORTH else None
    return None if address is None else Span.of(address, install.DEFLATE_STATE)


def takes_blank(loader: Loader) -> bool:
    """Return whether blank flash comes more quickly compressed than by digests."""
    measured = loader.deflating
    return measured is not None and loader.may_deflate and measured.core_s < _QUICK_CORE_S


def plain_span(loader: Loader, span: Span) -> Span:
    """Return how much of a range comes as a plain stream before compression is tried again."""
    measured = loader.deflating
    if measured is None or measured.faults >= _FAULTS or span.start not in _plain(measured):
        return span
    return Span(span.start, min(span.end, measured.plain_until))


def read(loader: Loader, span: Span) -> Iterator[bytes]:
    """Yield the beginning of a range of flash, or all of it, in parts that are right.

    Raises: Fault; what has been yielded before was good.
    """
    measured = loader.deflating
    assert measured is not None
    try:
        if not measured.is_proven:
            yield _first(loader, measured, Span.of(span.start, min(_FIRST, span.size)))
        else:
            yield from _parts(loader, measured, span)
    except Fault:
        measured.faults += 1
        raise


def _plain(measured: Deflating) -> range:
    return range(measured.plain_from, measured.plain_until)


def _first(loader: Loader, measured: Deflating, span: Span) -> bytes:
    """Return a part whose MD5 agrees, for which the stub uses the same ROM function."""
    loader.on_trial = True
    data = b"".join(_parts(loader, measured, span))
    loader.on_trial = False
    if digest(loader, span.start, span.size) != md5(data):
        measured.faults = _FAULTS
        raise Fault("the digest of the stub does not agree")
    measured.is_proven = True
    return data


def _parts(loader: Loader, measured: Deflating, span: Span) -> Iterator[bytes]:
    """Yield parts as long as they are quicker than plain ones. Raises: Fault."""
    frames: deque[bytes] = deque()
    part = _next(loader, measured, span, span.start)
    with loader.exchange():
        send(loader, _command(loader, part))
        is_blank = False
        while part:
            ahead = Span(part.end, part.end)
            may_send = loader.streams_ahead and (takes_blank(loader) or not is_blank)
            if may_send and _gains(loader, measured):
                ahead = _next(loader, measured, span, part.end)
            data, packed, took_s = _part(loader, frames, part, ahead)
            measured.rate, measured.size = part.size / took_s, part.size
            measured.core_s = (took_s - loader.link.wire_s(packed)) / part.size
            if not ahead:
                loader.stream_until = 0.0
            yield data
            is_blank = not data.strip(b"\xff")
            if not ahead:
                if part.end == span.end or (is_blank and not takes_blank(loader)):
                    return
                if not _is_quick(loader, measured, part.end):
                    return
                ahead = _next(loader, measured, span, part.end)
                send(loader, _command(loader, ahead))
            part = ahead


def _gains(loader: Loader, measured: Deflating) -> bool:
    """Return whether the last part was quicker than a plain one."""
    return measured.rate * loader.link.wire_s(1) > _LEAST_GAIN


def _is_quick(loader: Loader, measured: Deflating, offset: int) -> bool:
    """Return whether to go on; else plain parts follow.

    One part that was slower than a plain one is forgiven if that before it was quicker.
    """
    gained, measured.has_gained = measured.has_gained, _gains(loader, measured)
    may_gain = measured.size == _FIRST and measured.core_s < loader.link.wire_s(1) * _MOST_CORE
    if may_gain or gained or measured.has_gained:
        return True
    measured.rate = 0.0
    measured.plain_from, measured.plain_until = offset, offset + _PLAIN_FOR
    return False


def _next(loader: Loader, measured: Deflating, span: Span, start: int) -> Span:
    """Return the part from an offset on: as much as takes a second or so at the last rate."""
    size = _FIRST
    largest = _LARGEST if measured.core_s < _QUICK_CORE_S else _LARGEST_SLOW
    growth = _GROWTH if measured.size > _FIRST else _SECOND
    largest = min(largest, growth * measured.size) if measured.rate else _FIRST
    while size < largest and (2 * size <= measured.rate * _PART_S or measured.size == _FIRST):
        size *= 2
    return Span(start, min(span.end, start + size))


def _command(loader: Loader, part: Span) -> DeflateFlash:
    return DeflateFlash(part.start, part.size, install.deflate_state(loader) or 0)


def _part(
    loader: Loader, frames: deque[bytes], part: Span, ahead: Span
) -> tuple[bytes, int, float]:
    """Receive a part, and send the request for the next one meanwhile.

    Return the bytes, how many came over the wire for them, and the seconds from the reply, which
    leaves before the core begins, to the end: no latency is in them. Raises: Fault.
    """
    link = loader.link
    inflate, pieces, packed = zlib.decompressobj(), list[bytes](), 0
    with link.streaming(frames):
        await_acceptance(loader, Opcode.DEFLATE)
        began = link.clock.now()
        if ahead:
            send(loader, _command(loader, ahead))
        while not inflate.eof:
            frame = link.receive_frame(1.0 + _SLOWEST_S_PER_MIB * part.size / MIB)
            if frame is None:
                raise Fault("nothing came")
            packed += len(frame)
            try:
                pieces.append(inflate.decompress(frame))
            except zlib.error as error:
                raise Fault("it cannot be unpacked") from error
        crc = link.receive_frame(1.0)
    data = b"".join(pieces)
    is_whole = len(data) == part.size and not inflate.unused_data
    if not is_whole or crc != zlib.crc32(data).to_bytes(WORD, "little"):
        raise Fault("the CRC-32 does not agree")
    return data, packed, max(1e-6, link.clock.now() - began)
