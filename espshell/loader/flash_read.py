"""Reading flash: in chunks that are checked, and read again where the check fails.

Four ways, by what the loader can do:

- A stub with our handlers sends all of it as a stream (``stream``), of which each part has a
  CRC-32; the first one is compared with its MD5, because the ROM function that reads is not known
  to work on each chip.
- A stub sends frames of up to 4096 bytes and the MD5 of all of them behind (READ_FLASH); a small
  part of them is asked about again, because the request has no checksum.
- A ROM sends 64 bytes a request, several requests in flight, and nothing tells which reply belongs
  to which; the MD5 of the piece is asked for first, and decides.
- The ROM of an ESP8266 knows neither; each 64 bytes are a read command through the SPI controller
  (``controller_pieces``), whose words are sure of their place (``transfer``), but have no digest.

Blank flash is not transferred where the chip can compute digests: that of so many FF bytes is
known.  What is believed to be blank is never read, so such a digest counts when it is confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from espshell.errors import NoReply, Refused
from espshell.loader import deflate, stream
from espshell.loader.digest import blank_digest, confirmed_digest, digest, md5
from espshell.loader.loader import Fault, Loader, Window
from espshell.loader.spi import MOST_BYTES, Controller, FlashCommand
from espshell.nor import opcodes
from espshell.protocol import packet, slip
from espshell.protocol.flash import ReadFlash, ReadFlashSlow
from espshell.protocol.handlers import StreamFlash
from espshell.protocol.packet import Opcode
from espshell.span import Span, align_down
from espshell.units import KIB, MIB, SECTOR, WORD, hex32

CHUNK = 64 * KIB
"""Bytes that a stub is asked for at once: what a cancelled or bad read costs."""

ROM_CHUNK = 4 * KIB

TRIES = 5
"""Times that a chunk is read again before the read is given up, or the baud rate lowered."""

_LEAST_CHUNK = 256
_BLANK_FROM = 16 * KIB  # smaller ranges are read as fast as they are asked about
_LARGEST_PROBE = 1 * MIB
_FIRST = 4 * KIB  # of a stream that is compared with its MD5
_THREE_BYTES = 16 * MIB  # of address, all that the ROM function knows
_IN_FLIGHT = 4  # frames of READ_FLASH; a stub may keep to fewer
_FRAME_S = 1.0
_MD5 = 16
_PROBE = 512
_BLOCK_SIZES = (ReadFlash.LARGEST, 2048, 1020, 512, 252)
"""Sizes of frames, in turn at each try: some USB stacks hang at certain lengths."""

Slower = Callable[[], bool]
"""Lowers the baud rate; says whether that was possible."""


def read_chunks(
    loader: Loader, offset: int, size: int, *, slower: Slower = lambda: False
) -> Iterator[bytes]:
    """Yield a range in pieces, each as good as its digest; for a stub or a ROM with digests.

    Raises: Refused if the loader refuses; NoReply if a piece cannot be had, or PortError; the
    pieces before it were good.
    """
    span = Span.of(offset, size)
    around = span.aligned(WORD) if span else span
    yield from stream.cropped(_chunks(loader, around, slower), around.start, span)


def _chunks(loader: Loader, span: Span, slower: Slower) -> Iterator[bytes]:
    """Yield a range (multiples of 4); see ``read_chunks``."""
    whole = chunk = CHUNK if loader.dialect.is_stub else ROM_CHUNK
    offset, faults, may_be_blank = span.start, 0, True
    while offset < span.end:
        rest = Span(offset, span.end)
        may_deflate = rest.end <= _THREE_BYTES and deflate.is_worth_trying(loader, rest)
        by_digest = not (may_deflate and deflate.takes_blank(loader))
        if may_be_blank and rest.size >= _BLANK_FROM and by_digest:
            for blank in _blank_pieces(loader, offset, span.end - offset):
                offset += len(blank)
                yield blank
            may_be_blank = False
            continue
        try:
            for piece in (
                deflate.read(loader, rest)
                if may_deflate
                else _pieces(loader, deflate.plain_span(loader, rest), chunk, faults)
            ):
                faults, chunk = 0, min(whole, 2 * chunk)
                offset += len(piece)
                may_be_blank = _is_all_blank(piece[-SECTOR:])
                yield piece
        except Fault as fault:
            loader.streams_ahead = False
            faults, chunk = faults + 1, max(_LEAST_CHUNK, chunk // 2)
            if faults > TRIES:
                if not slower():
                    raise _given_up(offset, fault, faults) from None
                faults = 0


def _pieces(loader: Loader, span: Span, chunk: int, tried: int) -> Iterator[bytes]:
    """Yield one piece of a range or more, by the best way there is. Raises: Fault, Refused."""
    size = min(chunk, span.size)
    if not loader.dialect.is_stub:
        yield _rom_piece(loader, span.start, size, tried)
    elif not loader.has_streams or span.end > _THREE_BYTES or loader.has_flash_streams is False:
        yield _stub_piece(loader, span.start, size, tried)
    elif loader.has_flash_streams:
        part = min(chunk, stream.part_size(loader))
        yield from stream.run(loader, StreamFlash, span, part, pauses=_is_all_blank)
    else:
        yield _first_streamed(loader, Span.of(span.start, min(_FIRST, size)))


def _first_streamed(loader: Loader, span: Span) -> bytes:
    """Return a piece whose MD5 is that of the chip: it shows what a stream is worth."""
    loader.on_trial = True
    data = b"".join(stream.run(loader, StreamFlash, span, span.size))
    loader.on_trial = False
    loader.has_flash_streams = digest(loader, span.start, span.size) == md5(data)
    if not loader.has_flash_streams:
        raise Fault("the digest of the stub does not agree")
    return data


def _is_all_blank(data: bytes) -> bool:
    return not data.strip(b"\xff")


def controller_pieces(controller: Controller, offset: int, size: int) -> Iterator[bytes]:
    """Yield a range by read commands of the flash, 64 bytes each; nothing confirms them."""
    for at in range(offset, offset + size, MOST_BYTES):
        count = min(MOST_BYTES, offset + size - at)
        yield controller.run(FlashCommand(opcodes.READ, address=at, read_size=count))


def _given_up(offset: int, fault: Fault, times: int) -> NoReply:
    return NoReply(
        f"reading flash at {hex32(offset)}: {fault}, {times} times in a row",
        hint="check the cable, or try a lower rate: `baud 115200`",
    )


def _blank_pieces(loader: Loader, offset: int, size: int) -> Iterator[bytes]:
    """Yield pieces of FF for as far as a range is blank, by digests of ever larger parts."""
    probe = CHUNK
    while size:
        span_size = min(probe, size)
        if not _is_blank(loader, offset, span_size):
            return
        for at in range(0, span_size, CHUNK):
            yield b"\xff" * min(CHUNK, span_size - at)
        offset, size = offset + span_size, size - span_size
        probe = min(2 * probe, _LARGEST_PROBE)


def _is_blank(loader: Loader, offset: int, size: int) -> bool:
    """Return whether a range is blank: it is never read then, so its digest is confirmed."""
    blank = blank_digest(size)
    return digest(loader, offset, size) == blank and confirmed_digest(loader, offset, size) == blank


# -- a stub


def _stub_piece(loader: Loader, offset: int, size: int, tried: int) -> bytes:
    """Return a piece that the stub's own MD5 agrees with. Raises: Fault, Refused."""
    with loader.exchange():
        data = _streamed(
            loader, ReadFlash(offset, size, _BLOCK_SIZES[tried % len(_BLOCK_SIZES)], _IN_FLIGHT)
        )
    probe = _distinctive_part(data)
    if digest(loader, offset + probe.start, len(probe)) != md5(data[probe.start : probe.stop]):
        raise Fault("it came from another address")
    return data


def _streamed(loader: Loader, request: ReadFlash) -> bytes:
    """Return the bytes that a stub streams, if its MD5 of them agrees. Raises: Fault, Refused."""
    link, size = loader.link, request.size
    frames: list[bytes] = []
    received = 0
    with link.streaming():
        link.send(request.encode())
        _await_acceptance(loader)
        while received < size:
            expected = min(request.block_size, size - received)
            frame = link.receive_frame(_FRAME_S + link.wire_s(4 * request.block_size))
            if frame is None or len(frame) != expected:
                _stop(loader, size)
                raise Fault("nothing came" if frame is None else "bytes were lost")
            frames.append(frame)
            received += expected
            link.send(slip.encode(received.to_bytes(4, "little")))
        trailer = link.receive_frame(_FRAME_S)
    data = b"".join(frames)
    if trailer != md5(data):
        raise Fault("the digest of the stub does not agree")
    return data


def _distinctive_part(data: bytes) -> range:
    """Return that part of a piece that is least like any other; all of it if it is uniform.

    The stub's own digest is of what it sent, also if a bit of the request has flipped; so a small
    part is asked about by another request.
    """
    starts = range(0, len(data), _PROBE)
    kinds = [len(set(data[at : at + _PROBE])) for at in starts]
    if max(kinds) == 1:
        return range(len(data))
    best = starts[kinds.index(max(kinds))]
    return range(best, min(best + _PROBE, len(data)))


def _await_acceptance(loader: Loader) -> None:
    """Wait for the reply to READ_FLASH; what comes before it was of another command.

    Raises: Refused, Fault.
    """
    while frame := loader.link.receive_frame(_FRAME_S):
        if not packet.is_response(frame):
            continue
        response = packet.parse_response(frame)
        if response.opcode != Opcode.READ_FLASH:
            continue
        if code := loader.failure(response):
            text = packet.status_text(code)
            raise Refused(f"the loader refused READ_FLASH: {text}", code=code)
        return
    raise Fault("no reply")


def _stop(loader: Loader, size: int) -> None:
    """Tell the stub that everything has come, and wait until it goes back to its commands.

    It has one request in flight, so what gets the link into step must not come too early.
    """
    loader.link.send(slip.encode(size.to_bytes(4, "little")))
    while (frame := loader.link.receive_frame(_FRAME_S)) and len(frame) != _MD5:
        continue


# -- a ROM


def _rom_piece(loader: Loader, offset: int, size: int, tried: int) -> bytes:
    """Return a piece that the ROM's digest of it agrees with. Raises: Fault, Refused."""
    expected = digest(loader, offset, size)
    if expected == blank_digest(size) and _is_blank(loader, offset, size):
        return b"\xff" * size
    first = align_down(offset, ReadFlashSlow.SIZE)
    requests = (
        ReadFlashSlow(address, ReadFlashSlow.SIZE).encode()
        for address in range(first, offset + size, ReadFlashSlow.SIZE)
    )
    window = Window(
        loader, Opcode.READ_FLASH_SLOW, payload=ReadFlashSlow.SIZE, alone=tried > 0, patient=True
    )
    blocks = [
        reply.body[: ReadFlashSlow.SIZE]
        for replies in window.replies(requests, _FRAME_S)
        for reply in replies
    ]
    data = b"".join(blocks)[offset - first : offset - first + size]
    if md5(data) != expected:
        loader.distrust()
        raise Fault("the digest of the ROM does not agree")
    return data
