"""Words in bulk over READ_REG: several requests in flight, and never a word in the wrong place.

The rule of this file.  A reply to READ_REG carries a value and no address.  One that is lost,
doubled or late shifts every word after it, and nothing in the replies shows it.  So reads of ROM
words whose values are known, the *markers*, are woven into the stream: one at the start, one after
every block of ``BLOCK_WORDS`` words, two at the end, and never the same one twice in a row.  A
block counts only when the marker behind it **and the marker behind the next block** have come where
they belong; the second one is there because the data itself may by chance hold the value of a
marker.  Anything else (a wrong marker, silence, pieces of a reply, one of another kind or one that
took unusually long) is a fault: it costs a resynchronisation and a second reading from the first
block that does not count yet, with shorter blocks after every fault, so that a bad link is slow and
not a dead end.

A reply that was given up may still come, seconds later, while another is waited for.  So for
``OVERDUE_S`` after a fault everything is read twice (``_confirmed``).  A stub's handler for bulk
reads brings sixteen words a round trip: the value of its reply is the address plus all words in it,
so a bit that flips is seen, and so is a reply to another request.

What is ugly.  A bit that flips inside a reply is not seen here, because nothing protects it on the
wire; ``--check`` (``ops.memory.words``) reads twice.  Two faults that cancel out, one reply lost
and one doubled between the same two markers, would pass; that is why blocks are short.

What must change with it: ``Dialogue`` gets home by reading markers in the other direction.

Source: lost and shifted replies, the FIFO and the pipelining were measured on ROM code.
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import cycle, islice

from espshell.errors import BenchError, DeviceError, EspError, NoReply, ReadsDiffer, Refused
from espshell.loader import stream
from espshell.loader.dialogue import Gone, Marker
from espshell.loader.loader import Fault, Loader, Window, agreed
from espshell.protocol import packet
from espshell.protocol.commands import ReadMemory, ReadReg
from espshell.protocol.packet import Opcode
from espshell.span import ceil_div
from espshell.units import WORD

BLOCK_WORDS = 16
"""Words between two markers: 6 % of the wire for the certainty that nothing has shifted."""

_ALONE_WORDS = 64
"""The same where one request is in flight: a reply that is missing is noticed at once."""

RETRIES = 8
"""Faults in a row, without one block gained, after which a read is given up."""

_MARKERS, _ENOUGH = 8, 4  # at most, and with how many different ones the others are not read
_WORDS_FRAMES, _STREAM_FRAMES = 30, 50  # bytes of request, reply and end besides the data
_ESCAPED = 100  # for so many bytes of a stream one more goes over the wire
_LATE_AFTER_S = 0.2
_CONFIRMED_WORDS = 64
_MOST_BACKOFF = 6  # faults make runs and blocks shorter by powers of two, successes longer again
_BLANK = (0, 0xFFFFFFFF)
_REQUESTS_KEPT = 64  # those of markers, and of a word that is polled


def learn_markers(loader: Loader, candidates: Sequence[int]) -> None:
    """Read ROM words forwards and backwards and keep those that tell from each other.

    Backwards, because a reply that comes late would turn two equal rounds into two equal rounds.
    After a fault fewer are read at once, and all of them where the first ones are too much alike.

    Raises: BenchError if no two readings agree, or the words are all alike.
    """
    count = _ENOUGH
    for _ in range(RETRIES):
        few = candidates[:count]
        window = Window(loader, Opcode.READ_REG)
        try:
            values = _values(window, [*few, *reversed(few)])
        except Fault:
            values = [0]
        first, second = values[: len(few)], values[len(few) :][::-1]
        distinct = {v: a for a, v in zip(few, first, strict=False) if v not in _BLANK}
        if first == second and len(distinct) >= (_ENOUGH if count == _ENOUGH else 2):
            pairs = list(distinct.items())[:_MARKERS]
            loader.markers = tuple(Marker(address, value) for value, address in pairs)
            loader.late_after_s = max(_LATE_AFTER_S, 5 * window.longest_wait_s)
            loader.latency_s = min(loader.latency_s, window.longest_wait_s)
            return
        if first == second:
            count = len(candidates)
        else:
            loader.resynchronise()
            count = max(2, min(count, _ENOUGH) // 2)
    raise BenchError(
        "readings of ROM words differ; the link is unreliable",
        hint="check cable and baud rate",
    )


def enable_bulk(loader: Loader) -> bool:
    """Have long reads go through the handler for READ_MEMORY, if it reads what READ_REG reads.

    The words that are compared are the connection's markers, so it costs one round trip.  Whatever
    goes wrong, the loader is as good as without it.
    """
    start = min(marker.address for marker in loader.markers)
    loader.latency_s = math.inf  # a reply that came together with others looked like a quick one
    try:
        data = loader.execute(ReadMemory(start, ReadMemory.MOST))
    except EspError:
        return False
    loader.has_bulk_read = loader.agrees_with_markers(start, data)
    return loader.has_bulk_read


def read_blocks(
    loader: Loader, addresses: Sequence[int], *, once: bool = False
) -> Iterator[list[int]]:
    """Yield the words at addresses (multiples of 4), in order, in blocks, each sure of its place.

    ``once`` is for registers that change when they are read: no word is ever read twice, and no
    other request is under way (reading a UART's FIFO would eat it).

    Raises: Refused, NoReply or BenchError when a block cannot be had; the blocks before it were
    good.
    """
    loader.require(Opcode.READ_REG)
    done = faults = backoff = 0
    while done < len(addresses):
        try:
            if once or not loader.is_doubtful:
                blocks = _source(loader, addresses[done:], backoff, once=once)
            else:
                size = max(1, _CONFIRMED_WORDS >> backoff)
                blocks = _confirmed(loader, addresses[done : done + size], backoff)
            for words in blocks:
                done, faults, backoff = done + len(words), 0, max(0, backoff - 1)
                yield words
        except Fault as fault:
            faults, backoff = faults + 1, min(_MOST_BACKOFF, backoff + 1)
            if once or faults > RETRIES:
                raise _given_up(fault, addresses[done], faults) from None


def read_range(loader: Loader, start: int, end: int, *, once: bool = False) -> Iterator[bytes]:
    """Yield a range (multiples of 4) in pieces, by whatever is predicted to be the quickest.

    Raises: as ``read_blocks``.
    """
    size, latency_s, wire_s = end - start, loader.latency_s, loader.link.wire_s
    requests = ceil_div(size, WORD * ReadMemory.MOST)
    words_s = requests * (latency_s + wire_s(_WORDS_FRAMES)) + wire_s(size)
    stream_s = 2 * latency_s + wire_s(_STREAM_FRAMES + size + size // _ESCAPED)
    is_quicker = not loader.has_bulk_read or stream_s < words_s
    if loader.has_streams and not once and is_quicker:
        yield from stream.read_memory(loader, start, end - start)
        return
    for words in read_blocks(loader, range(start, end, WORD), once=once):
        yield struct.pack(f"<{len(words)}I", *words)


def read_words(loader: Loader, addresses: Sequence[int], *, once: bool = False) -> list[int]:
    """Return the words at addresses (multiples of 4); see ``read_blocks``."""
    return [word for block in read_blocks(loader, addresses, once=once) for word in block]


def read_few(loader: Loader, addresses: Sequence[int]) -> list[int]:
    """Return a few words with one marker behind them, where every round trip counts.

    A reply that comes twice or not at all shifts the marker from its place, so it is seen as in
    ``read_blocks``, to which this falls back.
    """
    if loader.markers and not loader.is_doubtful:
        marker = loader.markers[0]
        if words := _words_around(loader, addresses, marker, len(addresses)):
            return words
    return read_words(loader, addresses)


def read_pair(loader: Loader, address: int) -> list[int]:
    """Return two readings of a word, a marker between them: what is read most often of all.

    These three replies show what the five of ``read_blocks`` show, to which this falls back: of any
    two faults only two equal flips make both readings wrong and equal.  Words next to each other
    have different markers, by which replies that come again with all of a run are told.
    """
    twice, markers = (address, address), loader.markers
    if markers and not loader.is_doubtful:
        marker = markers[address // WORD % len(markers)]
        if words := _words_around(loader, twice, marker, 1):
            return words
    return read_words(loader, twice)


def _words_around(
    loader: Loader, addresses: Sequence[int], marker: Marker, place: int
) -> list[int]:
    """Return words with a marker in a place among them; none where it has not stood there."""
    requested = [*addresses[:place], marker.address, *addresses[place:]]
    with contextlib.suppress(Fault):
        values = _values(Window(loader, Opcode.READ_REG), requested)
        if values.pop(place) == marker.value:
            return values
    loader.distrust()
    return []


def _confirmed(loader: Loader, addresses: Sequence[int], backoff: int) -> Iterator[list[int]]:
    """Yield words that two readings agree about: an overdue reply spoils one of them at most.

    Where readings never agree, because the words change by themselves, one counts that was begun
    after nothing can be overdue any more.
    """

    def read() -> list[int]:
        return [w for block in _source(loader, addresses, backoff, once=False) for w in block]

    try:
        yield agreed(read, "words")
    except ReadsDiffer:
        remaining_s = loader.doubtful_until - loader.link.clock.now()
        loader.link.drain(max(0.0, remaining_s), limit_s=max(0.0, remaining_s))
        yield read()


def _source(
    loader: Loader, addresses: Sequence[int], backoff: int, *, once: bool
) -> Iterator[list[int]]:
    """Return the blocks of one run: by the stub's handler where there is one, else by READ_REG."""
    consecutive = isinstance(addresses, range) and addresses.step == WORD
    if loader.has_bulk_read and consecutive and not once:
        return _bulk_blocks(loader, addresses)
    size = BLOCK_WORDS if loader.dialect.pipeline_bytes else _ALONE_WORDS
    size = max(1, size >> backoff)
    blocks = [addresses[i : i + size] for i in range(0, len(addresses), size)]
    return _marked_blocks(loader, blocks, Window(loader, Opcode.READ_REG, alone=once))


def _bulk_blocks(loader: Loader, addresses: Sequence[int]) -> Iterator[list[int]]:
    """Yield blocks of 16 words; the sum in each reply says that they are those. Raises: Fault."""
    for done in range(0, len(addresses), ReadMemory.MOST):
        count = min(ReadMemory.MOST, len(addresses) - done)
        try:
            data = loader.execute(ReadMemory(addresses[done], count))
        except Gone:
            raise
        except (DeviceError, NoReply) as error:
            loader.distrust()
            raise Fault(error.message, error.code if isinstance(error, Refused) else 0) from error
        yield list(struct.unpack(f"<{count}I", data))


def _given_up(fault: Fault, address: int, times: int) -> Refused | BenchError:
    where = f"reading 0x{address:08x}"
    if fault.code:
        return Refused(
            f"{where}: the loader refused it: {packet.status_text(fault.code)}", code=fault.code
        )
    tries = f"{times} times in a row" if times > 1 else "and reading it twice is not allowed"
    return NoReply(f"{where}: {fault}, {tries}", hint="check cable and baud rate")


def _values(window: Window, addresses: Sequence[int]) -> list[int]:
    """Return the values at addresses, with nothing to check them by. Raises: Fault."""
    requests = map(_request, addresses)
    return [r.value for replies in window.replies(requests, ReadReg.timeout_s) for r in replies]


@lru_cache(maxsize=_REQUESTS_KEPT)
def _request(address: int) -> bytes:
    return ReadReg(address).encode()


def _marked_blocks(
    loader: Loader, blocks: Sequence[Sequence[int]], window: Window
) -> Iterator[list[int]]:
    """Yield blocks that count, as soon as they do. Raises: Fault."""
    markers = [*islice(cycle(loader.markers), len(blocks) + 2)]
    expected = iter(markers)
    sizes = iter([0, *(len(b) for b in blocks), 0])
    words: list[int] = []
    held: list[int] | None = None
    remaining = next(sizes)
    for replies in window.replies(_requests(blocks, markers), ReadReg.timeout_s):
        for reply in replies:
            if remaining:
                words.append(reply.value)
                remaining -= 1
                continue
            if reply.value != next(expected).value:
                raise Fault("replies were lost or doubled")
            if held:
                yield held
            held, words = words, []
            remaining = next(sizes, 0)


def _requests(blocks: Sequence[Sequence[int]], markers: list[Marker]) -> Iterator[bytes]:
    """Yield marker, block, marker, block, marker, marker, encoded."""
    yield _request(markers[0].address)
    for block, marker in zip(blocks, markers[1:], strict=False):
        for address in block:
            yield ReadReg(address).encode()
        yield _request(marker.address)
    yield _request(markers[-1].address)
