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

How many.  A ROM's UART holds 128 bytes and the ROM may be busy, so at most
``dialect.pipeline_bytes`` of *encoded* requests are unanswered at any time; then nothing can
overflow however slow the ROM is.  A stub has one request in flight, by the same code.

A reply that was given up may still come, seconds later, while another is waited for.  So for
``OVERDUE_S`` after a fault everything is read twice (``_confirmed``).

What is ugly.  A bit that flips inside a reply is not seen here, because nothing protects it on the
wire; ``--check`` (``ops.memory.words``) reads twice.  Two faults that cancel out, one reply lost
and one doubled between the same two markers, would pass; that is why blocks are short.

What must change with it: the fence of ``Loader.resynchronise`` reads the first marker.

Source: lost and shifted replies, the FIFO and the pipelining were measured on ROM code.
"""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Iterator, Sequence

from espshell.errors import BenchError, DeviceError, NoReply, Refused
from espshell.loader.loader import Loader, Marker
from espshell.protocol import packet
from espshell.protocol.commands import ReadMemory, ReadReg
from espshell.protocol.packet import Opcode, Response
from espshell.units import WORD

BLOCK_WORDS = 16
"""Words between two markers: 6 % of the wire for the certainty that nothing has shifted."""

RETRIES = 8
"""Faults in a row, without one block gained, after which a read is given up."""

_MARKERS_WANTED = 8
_PATIENCE_S = 0.2
_CONFIRMED_WORDS = 64
_MOST_STRAIN = 6  # faults make runs and blocks shorter by powers of two, successes longer again
_BLANK = (0, 0xFFFFFFFF)


class _Fault(Exception):
    """The stream is out of step; ``code`` is the status if a reply was a refusal."""

    def __init__(self, what: str, code: int = 0) -> None:
        super().__init__(what)
        self.code = code


def learn_markers(loader: Loader, candidates: Sequence[int]) -> None:
    """Read ROM words forwards and backwards and keep those that tell from each other.

    Backwards, because a reply that comes late would turn two equal rounds into two equal rounds.

    Raises: BenchError if no two readings agree, or the words are all alike.
    """
    for _ in range(RETRIES):
        stream = _Stream(loader)
        try:
            values = stream.values([*candidates, *reversed(candidates)])
        except _Fault:
            values = [0]
        first, second = values[: len(candidates)], values[len(candidates) :][::-1]
        found = {v: a for a, v in zip(candidates, first, strict=False) if v not in _BLANK}
        if first == second and len(found) >= 2:
            pairs = list(found.items())[:_MARKERS_WANTED]
            loader.markers = tuple(Marker(address, value) for value, address in pairs)
            loader.patience_s = max(_PATIENCE_S, 5 * stream.longest_wait_s)
            return
        loader.resynchronise()
    raise BenchError(
        "readings of ROM words do not agree; the link is not to be trusted",
        hint="check cable and baud rate",
    )


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
    done = faults = strain = 0
    while done < len(addresses):
        if loader.link.dirty:
            loader.resynchronise()
        try:
            for words in _run(loader, addresses[done:], strain, once=once):
                done, faults, strain = done + len(words), 0, max(0, strain - 1)
                yield words
        except _Fault as fault:
            faults, strain = faults + 1, min(_MOST_STRAIN, strain + 1)
            if once or faults > RETRIES:
                raise _given_up(fault, addresses[done], faults) from None


def read_words(loader: Loader, addresses: Sequence[int], *, once: bool = False) -> list[int]:
    """Return the words at addresses (multiples of 4); see ``read_blocks``."""
    return [word for block in read_blocks(loader, addresses, once=once) for word in block]


def read_few(loader: Loader, addresses: Sequence[int]) -> list[int]:
    """Return a few words with one marker behind them, where every round trip counts.

    A reply that comes twice or not at all shifts the marker from its place, so it is seen as in
    ``read_blocks``, to which this falls back.
    """
    if loader.markers and loader.link.clock.now() >= loader.doubtful_until:
        if loader.link.dirty:
            loader.resynchronise()
        marker = loader.markers[0]
        try:
            *words, last = _Stream(loader).values([*addresses, marker.address])
        except _Fault:
            last = None
        if last == marker.value:
            return words
        loader.link.dirty = True
    return read_words(loader, addresses)


def _run(
    loader: Loader, addresses: Sequence[int], strain: int, *, once: bool
) -> Iterator[list[int]]:
    """Return the blocks from the first address on; while replies may be overdue, confirmed ones."""
    if once or loader.link.clock.now() >= loader.doubtful_until:
        return _source(loader, addresses, strain, once=once)
    return _confirmed(loader, addresses[: max(1, _CONFIRMED_WORDS >> strain)], strain)


def _confirmed(loader: Loader, addresses: Sequence[int], strain: int) -> Iterator[list[int]]:
    """Yield words that two readings agree about: an overdue reply spoils one of them at most.

    Where readings never agree, because the words change by themselves, one counts that was begun
    after nothing can be overdue any more.
    """

    def read() -> list[int]:
        return [w for block in _source(loader, addresses, strain, once=False) for w in block]

    words = read()
    for _ in range(RETRIES):
        before, words = words, read()
        if words == before:
            break
    else:
        left = loader.doubtful_until - loader.link.clock.now()
        loader.link.drain(max(0.0, left), limit_s=max(0.0, left))
        words = read()
    yield words


def _source(
    loader: Loader, addresses: Sequence[int], strain: int, *, once: bool
) -> Iterator[list[int]]:
    """Return the blocks of one run: by the stub's handler where there is one, else by READ_REG."""
    consecutive = isinstance(addresses, range) and addresses.step == WORD
    if loader.has_bulk_read and consecutive and not once:
        return _bulk_blocks(loader, addresses)
    size = max(1, BLOCK_WORDS >> strain)
    blocks = [addresses[i : i + size] for i in range(0, len(addresses), size)]
    return _Stream(loader, alone=once).blocks(blocks)


def _bulk_blocks(loader: Loader, addresses: Sequence[int]) -> Iterator[list[int]]:
    """Yield blocks of 16 and 15 words in turn: a late or doubled reply has the wrong size."""
    done, size = 0, ReadMemory.MOST
    while done < len(addresses):
        count = min(size, len(addresses) - done)
        try:
            data = loader.execute(ReadMemory(addresses[done], count))
        except (DeviceError, NoReply) as error:
            loader.link.dirty = True
            raise _Fault(error.message, error.code if isinstance(error, Refused) else 0) from error
        yield list(struct.unpack(f"<{count}I", data))
        done, size = done + count, 2 * ReadMemory.MOST - 1 - size


def _given_up(fault: _Fault, address: int, times: int) -> Refused | BenchError:
    where = f"reading 0x{address:08x}"
    if fault.code:
        return Refused(
            f"{where}: the loader refused it: {packet.status_text(fault.code)}", code=fault.code
        )
    tries = f"{times} times in a row" if times > 1 else "and it must not be read twice"
    return NoReply(f"{where}: {fault}, {tries}", hint="check cable and baud rate")


class _Stream:
    """One run of requests, from the first block on until the end or the first fault."""

    def __init__(self, loader: Loader, *, alone: bool = False) -> None:
        self._loader = loader
        self._link = loader.link
        self._limit = 0 if alone else loader.dialect.pipeline_bytes
        self._patience_s = math.inf if alone else loader.patience_s
        self._damaged = 0
        self.longest_wait_s = 0.0
        self._status_size = loader.dialect.status_size
        self._unanswered: deque[int] = deque()  # encoded sizes
        self._in_flight = 0

    def values(self, addresses: Sequence[int]) -> list[int]:
        """Return the values at addresses, with nothing to check them by."""
        requests = (ReadReg(address).encode() for address in addresses)
        return [value for values in self._answers(requests) for value in values]

    def blocks(self, blocks: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Yield blocks that count, as soon as they do."""
        markers = _cycle(self._loader.markers, len(blocks) + 2)
        expected = iter(markers)
        sizes = iter([0, *(len(b) for b in blocks), 0])
        words: list[int] = []
        held: list[int] | None = None
        left = next(sizes)
        for values in self._answers(_requests(blocks, markers)):
            for value in values:
                if left:
                    words.append(value)
                    left -= 1
                    continue
                if value != next(expected).value:
                    raise _Fault("replies were lost or doubled")
                if held:
                    yield held
                held, words = words, []
                left = next(sizes, 0)

    def _answers(self, requests: Iterator[bytes]) -> Iterator[list[int]]:
        """Send requests as the window allows; yield the values of the replies as they come.

        The link is dirty until the last reply has come.
        """
        self._link.discard()
        self._link.dirty = True
        self._damaged = self._link.damaged
        waiting = next(requests, None)
        while True:
            batch: list[bytes] = []
            while waiting and self._fits(len(waiting)):
                batch.append(waiting)
                self._unanswered.append(len(waiting))
                self._in_flight += len(waiting)
                waiting = next(requests, None)
            if batch:
                self._link.send(b"".join(batch))
            if not self._unanswered:
                break
            yield [self._value(response) for response in self._replies()]
        self._link.dirty = False

    def _fits(self, size: int) -> bool:
        return not self._unanswered or self._in_flight + size <= self._limit

    def _replies(self) -> list[Response]:
        timeout_s = ReadReg.timeout_s + self._link.wire_s(2 * self._in_flight)
        start = self._link.clock.now()
        responses = self._link.receive_all(timeout_s)
        waited_s = self._link.clock.now() - start
        self.longest_wait_s = max(self.longest_wait_s, waited_s)
        if not responses:
            raise _Fault("no reply")
        if waited_s > self._patience_s:
            raise _Fault("replies were late")
        if self._link.damaged != self._damaged:
            raise _Fault("replies were damaged")
        if len(responses) > len(self._unanswered):
            raise _Fault("more replies than requests")
        return responses

    def _value(self, response: Response) -> int:
        self._in_flight -= self._unanswered.popleft()
        if code := self._loader.failure(response):
            raise _Fault("refused", code)
        if response.opcode != Opcode.READ_REG or len(response.body) != self._status_size:
            raise _Fault("a reply of another kind")
        return response.value


def _requests(blocks: Sequence[Sequence[int]], markers: list[Marker]) -> Iterator[bytes]:
    """Yield marker, block, marker, block, marker, marker, encoded."""
    yield ReadReg(markers[0].address).encode()
    for block, marker in zip(blocks, markers[1:], strict=False):
        for address in block:
            yield ReadReg(address).encode()
        yield ReadReg(marker.address).encode()
    yield ReadReg(markers[-1].address).encode()


def _cycle(markers: Sequence[Marker], count: int) -> list[Marker]:
    return [markers[i % len(markers)] for i in range(count)]
