"""A trial of the link: data of known contents both ways, and what became of them.

A rate is proven by reads of the markers, words of ROM whose values are known, with nothing between
them: a flipped bit in the request asks for another word, one in the reply is another value, and
one in a header is no answer.  A ROM has as many requests in flight as its FIFO holds, so both
directions are full.  A stub has one; where it has the handler for bulk reads, three blocks of
four come by it.  In secure download mode the security information is asked for instead.

Long blocks go to the chip as blocks for RAM that were never announced: a loader takes them whole
and refuses them, and nothing is written.  A stub says so only of a block that is as long as its
header says; so bytes that a bridge loses in between are seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle, islice
from typing import TypeVar

from espshell.errors import DeviceError, NoReply, Refused
from espshell.link.link import Link
from espshell.loader.dialogue import Gone, Marker
from espshell.loader.loader import Fault, Loader, Window
from espshell.protocol.commands import (
    GetSecurityInfo,
    LoaderCommand,
    MemBegin,
    MemData,
    ReadMemory,
    ReadReg,
    SecurityInfo,
)
from espshell.protocol.packet import Opcode
from espshell.records import dataclass
from espshell.span import ceil_div
from espshell.units import KIB

T = TypeVar("T")

BLOCKS = 16
"""Blocks that a trial has at least: 3.6 kB each way through a ROM."""

MOST_BLOCKS = 64

_ENOUGH_S = 0.3  # after which a trial is content with the least

WORDS = 16
"""Words in a block."""

_WORDS_ALONE = 4  # where each word costs a round trip

_UP_SIZE = 4 * KIB
_LONG_SIZE = 1 * KIB
_LONG_EVERY = 8  # blocks
_NO_SUCH_BLOCK = 0xFFFF
_REFUSALS = (0x0105, 0xC900)
"""Of a block that has the wrong number, by a ROM, and of too much data, by a stub."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """What went over the wire, and how long it took."""

    sent: int
    received: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Trial(Exchange):
    """How many blocks were read, and how many of them were wrong.

    ``waits`` is how often the host could not go on before an answer came.
    """

    blocks: int
    failures: int
    waits: int


class Meter:
    """Counts what goes over a link from now on."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._start = self._now()

    def read(self) -> tuple[int, int, float]:
        """Return bytes sent, bytes received and seconds."""
        (sent, received, seconds), start = self._now(), self._start
        return sent - start[0], received - start[1], seconds - start[2]

    def _now(self) -> tuple[int, int, float]:
        return self._link.bytes_sent, self._link.bytes_received, self._link.clock.now()


def run(
    loader: Loader,
    security: SecurityInfo | None = None,
    *,
    until_failure: bool = False,
    reads_only: bool = False,
) -> Trial:
    """Exchange blocks of known contents; a wrong one costs a resynchronisation, and no second try.

    As many as go within 0.3 s, from ``BLOCKS`` to ``MOST_BLOCKS``; one in eight is a long one to
    the chip, unless ``reads_only``.

    ``security`` is the known answer of a loader in secure download mode.

    Raises: Gone if the loader is.
    """
    failures = done = waits = 0
    meter, markers = Meter(loader.link), cycle(loader.markers)
    size = WORDS if loader.dialect.pipeline_bytes else _WORDS_ALONE
    end = loader.link.clock.now() + _ENOUGH_S
    for done in range(1, MOST_BLOCKS + 1):
        if done > BLOCKS and loader.link.clock.now() > end:
            return Trial(*meter.read(), done - 1, failures, waits)
        try:
            if loader.dialect.is_secure:
                if _answer(loader, GetSecurityInfo()) != security:
                    raise Fault("an answer is wrong")
                waits += 1
            elif done % _LONG_EVERY == 0 and not reads_only:
                _require_refusal(loader, min(_LONG_SIZE, _announce_nothing(loader)))
                waits += 2
            elif loader.has_bulk_read and done % 4:
                waits += _read_in_bulk(loader)
            else:
                waits += _read_markers(loader, islice(markers, size))
        except Fault:
            loader.distrust()
            failures += 1
            if until_failure:
                break
    return Trial(*meter.read(), done, failures, waits)


def round_trips(loader: Loader, count: int) -> Iterator[Exchange]:
    """Yield single requests with their answers; lost ones are left out.

    Raises: Gone if the loader is.
    """
    secure, markers = loader.dialect.is_secure, cycle(loader.markers)
    for _ in range(count):
        command: LoaderCommand[object]
        command = GetSecurityInfo() if secure else ReadReg(next(markers).address)
        try:
            with loader.exchange():  # what it costs to get into step is not the link's
                pass
            meter = Meter(loader.link)
            loader.execute(command)
        except Gone:
            raise
        except (DeviceError, NoReply):
            loader.distrust()
            continue
        yield Exchange(*meter.read())


def upload(loader: Loader) -> Exchange | None:
    """Send a long block, which is refused; return None if it was lost.

    Raises: Gone if the loader is; UsageError in secure download mode.
    """
    try:
        room = _announce_nothing(loader)
        meter = Meter(loader.link)
        _require_refusal(loader, min(_UP_SIZE, room))
        return Exchange(*meter.read())
    except Fault:
        loader.distrust()
        return None


def _announce_nothing(loader: Loader) -> int:
    """Announce no data for RAM, so that none is taken; return how large a block may be."""
    size = loader.dialect.block_size
    _answer(loader, MemBegin(0, 0, size, 0))
    return size


def _require_refusal(loader: Loader, size: int) -> None:
    """Send a block that nothing was announced of. Raises: Fault if it is not refused as such."""
    try:
        loader.execute(MemData(_NO_SUCH_BLOCK, bytes(range(256)) * (size // 256)))
    except Refused as refused:
        if refused.code in _REFUSALS:
            return
    except Gone:
        raise
    except (DeviceError, NoReply):
        pass
    raise Fault("a long block was damaged")


def _read_markers(loader: Loader, markers: Iterator[Marker]) -> int:
    """Read markers, as many requests in flight as the loader can hold; return the waits.

    Raises: Fault.
    """
    expected = list(markers)
    window = Window(loader, Opcode.READ_REG, patient=True)
    requests = [ReadReg(marker.address).encode() for marker in expected]
    replies = window.replies(iter(requests), ReadReg.timeout_s)
    if [reply.value for some in replies for reply in some] != [m.value for m in expected]:
        raise Fault("a word is wrong")
    in_flight = max(1, loader.dialect.pipeline_bytes // len(requests[0]))
    return ceil_div(len(requests), in_flight)


def _read_in_bulk(loader: Loader) -> int:
    """Read the words around the markers at once; each answer has a sum. Raises: Fault."""
    start = min(marker.address for marker in loader.markers)
    data = _answer(loader, ReadMemory(start, ReadMemory.MOST))
    if not loader.agrees_with_markers(start, data):
        raise Fault("a word is wrong")
    return 1


def _answer(loader: Loader, command: LoaderCommand[T]) -> T:
    try:
        return loader.execute(command)
    except Gone:
        raise
    except (DeviceError, NoReply) as error:
        raise Fault(error.message) from error
