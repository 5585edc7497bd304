"""One loader on a link: commands out, meanings in.

What this file must survive, measured on real ROM code:

- A reply says which command it answers, except that an *unknown* command is answered under the
  opcode of the last good one, with status 01 05, as often as that one was answered: eight times
  after SYNC.  So a failing reply under a foreign opcode is the refusal of what was asked, and the
  other seven are strays that must not be taken for refusals of what comes next.
- Only the first status byte decides.  The second is left over when the first is zero, and so is the
  value field of everything but READ_REG.

``Loader.execute`` asks one command.  A ``Window`` has several in flight: a ROM's UART holds 128
bytes and the ROM may be busy, so at most ``dialect.pipeline_bytes`` of *encoded* requests are
unanswered at any time; then nothing can overflow however slow the ROM is.  A stub has one request
in flight, by the same code: of two that are sent back to back it answers one.

What nothing on the wire protects counts when two readings in a row are ``agreed``.  Being in step
is the subject of ``dialogue``.
"""

from __future__ import annotations

import contextlib
import math
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from espshell.errors import DeviceError, NoReply, ReadsDiffer, Refused, UsageError
from espshell.link.link import Link
from espshell.loader.dialogue import Dialogue, Gone
from espshell.protocol import packet
from espshell.protocol.bootlog import recognise
from espshell.protocol.commands import ChangeBaudrate, LoaderCommand, Sync
from espshell.protocol.dialect import Dialect
from espshell.protocol.packet import Opcode, Response
from espshell.records import dataclass
from espshell.span import Span
from espshell.units import WORD

if TYPE_CHECKING:
    from espshell.loader.stub_file import Stub

T = TypeVar("T")

_REPLY = 10  # bytes of a reply besides its body
_BAUD_SETTLE_S = 0.05


class Loader(Dialogue):
    """A loader that has answered; ``dialect`` says what it understands."""

    def __init__(self, link: Link, dialect: Dialect) -> None:
        super().__init__(link, dialect)
        self.stub: Stub | None = None
        """The stub that runs, where it is known which."""
        self.has_bulk_read = False
        """Whether the stub's handler for READ_MEMORY was seen to read right."""
        self.has_streams = False
        """Whether the stub's handler of ``loader.stream`` was seen to read right."""
        self.has_flash_streams: bool | None = None
        """Whether such a stream of flash was seen to be right; None: it was not tried yet."""
        self.deflating: Deflating | None = None
        """What is known of compressed reads (``loader.deflate``); None: they were not tried yet."""
        self.may_deflate = True
        """Whether flash may come compressed, for which RAM is written over."""
        self.streams_ahead = True
        """Whether the next part of a stream is asked for while the last one comes."""
        self.handlers: dict[Opcode, Span] = {}
        """Where handlers of ours lie that came after the start of the stub."""
        self.proven: set[Opcode] = set()
        """Handlers that have given a known answer."""
        self.on_trial = False
        """Whether a handler runs that has not given a known answer yet."""
        self._other_baud: int | None = None
        """Another rate at which the loader may be, after a change that was interrupted."""
        self.latency_s = math.inf
        """What the quickest round trip took besides the time on the wire, since ``enable_bulk``."""
        self.erases_in_doubt = 0
        """Erases that were not answered: each may have been one of everything, a bit away."""
        self.last_digest = b""
        """The digest that came last; see ``loader.digest``."""

    def execute(self, command: LoaderCommand[T], *, timeout_s: float | None = None) -> T:
        """Ask one command and return what its answer means.

        A command that does no harm twice (``repeatable``) is asked once more if nothing comes.

        Raises: UsageError before anything is sent if this loader does not know the command;
        Refused if it says no; NoReply if it says nothing, and then the next command
        resynchronises first.
        """
        self.require(command.opcode)
        try:
            return self._once(command, timeout_s)
        except NoReply as error:
            if not command.repeatable or isinstance(error, Gone):
                raise
        return self._once(command, timeout_s)

    def _once(self, command: LoaderCommand[T], timeout_s: float | None) -> T:
        request = command.encode()
        wait_s = command.timeout_s if timeout_s is None else timeout_s
        with self.exchange():
            sent_at = self.link.clock.now()
            self.link.send(request)
            response = self._reply(command.opcode, wait_s + self.link.wire_s(2 * len(request)))
        if command.opcode in (Opcode.READ_REG, Opcode.READ_MEMORY):  # which take no time by itself
            wire_s = self.link.wire_s(len(request) + len(response.body) + _REPLY)
            took_s = self.link.clock.now() - sent_at
            self.latency_s = min(self.latency_s, max(0.0, took_s - wire_s))
        name = command.opcode.name
        if code := self.failure(response):
            raise Refused(f"the loader refused {name}: {packet.status_text(code)}", code=code)
        try:
            return command.parse(response.value, response.body[: -self.dialect.status_size])
        except ValueError as error:
            raise DeviceError(f"the answer to {name} is invalid: {error}") from error

    def require(self, opcode: Opcode) -> None:
        """Raise UsageError if this loader does not know a command; nothing was sent."""
        if opcode in self.dialect.commands:
            return
        if self.dialect.is_secure:
            raise UsageError(
                f"{opcode.name} is not available: the chip is in secure download mode",
                hint="its memory cannot be reached",
            )
        hint = "" if self.dialect.is_stub else "the flasher stub may: `stub always` starts it"
        raise UsageError(
            f"the {self.dialect.name} loader does not support {opcode.name}", hint=hint
        )

    def change_baud(self, baud: int, *, requested: int | None = None) -> None:
        """Change the rate at both ends and prove the link by a read; on failure go back.

        ``requested`` is what the loader is asked for where it is wrong about its clock.  Whether it
        has changed is not known before it answers, so it is looked for at either rate.

        Raises: DeviceError if the new rate does not work and the old one does again; Gone if
        neither does.
        """
        old = self.link.port.baud
        try:
            self._change_baud(baud, old, requested or baud)
        except (KeyboardInterrupt, SystemExit):
            self._other_baud = old if self.link.port.baud == baud else baud
            self.distrust()
            raise

    def resynchronise(self, *, quick: bool = False) -> None:
        """Get back into step, also at the other rate of a change that was interrupted.

        Raises: Gone if the loader is.
        """
        other, self._other_baud = self._other_baud, None
        try:
            super().resynchronise(quick=quick or other is not None)
        except Gone:
            if other is None:
                raise
            self.link.port.baud = other
            super().resynchronise(quick=quick)

    def _change_baud(self, baud: int, old: int, requested: int) -> None:
        command = ChangeBaudrate(requested, old if self.dialect.is_stub else 0)
        for is_last in (False, True):
            lost: Refused | NoReply | None = None
            try:
                self.execute(command)
            except (Refused, NoReply) as error:  # perhaps only the answer: the rate will tell
                lost = error
            if self._is_at(baud, old):
                return
            if isinstance(lost, Refused) and is_last:
                raise lost
            if is_last or not lost:
                raise DeviceError(
                    f"no answer at {baud} baud; back at {old}", hint="try a lower rate"
                )

    def _is_at(self, baud: int, old: int) -> bool:
        """Return whether the loader is at a rate, and not still at the old one. Raises: Gone."""
        for quick in (True, False):
            if self._answers_at(baud, quick=quick):
                return True
            if self._answers_at(old, quick=quick):
                return False
        raise Gone(
            recognise(self.link.noise).sentence
            or f"the loader is lost: it answers neither at {baud} nor at {old} baud",
            hint="`reconnect` resets it into the loader again",
        )

    def agrees_with_markers(self, start: int, data: bytes) -> bool:
        """Return whether bytes that were read in another way hold the markers among them."""
        offsets = {marker.address - start: marker.value for marker in self.markers}
        return all(
            int.from_bytes(data[at : at + WORD], "little") == value
            for at, value in offsets.items()
            if at < len(data)
        )

    def failure(self, response: Response) -> int:
        """Return the 16-bit status of a failing response, 0 of a good one."""
        status = response.body[-self.dialect.status_size :]
        return status[0] << 8 | status[1] if status[0] else 0

    def _reply(self, opcode: Opcode, timeout_s: float) -> Response:
        """Wait for the answer to a command: its own, or the refusal under a foreign opcode."""
        end = self.link.clock.now() + timeout_s
        while (remaining_s := end - self.link.clock.now()) > 0:
            response = self.link.receive(remaining_s)
            if response is None:
                break
            if response.opcode == opcode:
                return response
            if not self.failure(response):
                continue
            if response.opcode != Opcode.SYNC or not self.strays:
                self.strays = Sync.REPLIES - 1 if response.opcode == Opcode.SYNC else 0
                return response
            self.strays -= 1
        sentence = recognise(self.link.noise).sentence
        raise NoReply(
            sentence or f"no reply to {opcode.name} within {timeout_s:.1f} s",
            hint="`reconnect` resets it into the loader"
            if sentence
            else "is the chip still powered?",
        )

    def _answers_at(self, baud: int, *, quick: bool) -> bool:
        """Set the host's rate and return whether the loader is there; see ``resynchronise``."""
        self.link.clock.sleep(_BAUD_SETTLE_S)  # the answer leaves before the chip switches
        self.link.port.baud = baud
        self.link.drain(0, limit_s=_BAUD_SETTLE_S)
        with contextlib.suppress(Gone):
            self.resynchronise(quick=quick)
        return self.in_step


READINGS = 8
"""Readings after which it is given up that two of them agree."""


def agreed(
    read: Callable[[], T],
    what: str,
    *,
    first: T | None = None,
    most: int = READINGS,
    show: Callable[[T], str] | None = None,
) -> T:
    """Return the first reading that is equal to the one before it; ``first`` has been read already.

    Raises: ReadsDiffer, with the place or thing that ``what`` names and the last two values if
    ``show`` makes them text, if no two in a row agree.
    """
    before = last = read() if first is None else first
    for _ in range(most - 1):
        before, last = last, read()
        if last == before:
            return last
    values = f": {show(before)}, then {show(last)}" if show else ""
    raise ReadsDiffer(
        f"{most} readings of {what} do not agree{values}",
        hint="check cable and baud rate; or does the value change by itself?",
    )


@dataclass(slots=True)
class Deflating:
    """What is known of compressed reads through one loader."""

    rate: float = 0.0
    """Bytes of flash a second, of the last part; 0: none has been read just now."""
    has_gained: bool = False
    """Whether the part before was quicker than a plain one."""
    is_proven: bool = False
    """Whether a part had the MD5 of the chip."""
    core_s: float = 0.0
    """What reading and compressing a byte of it took the core."""
    size: int = 0
    """Bytes of it."""
    plain_until: int = 0
    """The offset up to which a plain stream is taken, from ``plain_from`` on."""
    plain_from: int = 0
    faults: int = 0


def given_up(what: str, error: Refused | NoReply) -> DeviceError | NoReply:
    """Return the error of what has failed for the last time; bad checksums are of the link."""
    is_damaged = isinstance(error, Refused) and error.code in packet.BAD_CHECKSUMS
    hint = "check cable and baud rate" if is_damaged else error.hint
    kind = NoReply if is_damaged or isinstance(error, NoReply) else DeviceError
    return kind(f"{what} failed: {error.message}", hint=hint)


class Fault(Exception):
    """A run of requests is not to be trusted; ``code`` is the status if a reply was a refusal."""

    def __init__(self, what: str, code: int = 0) -> None:
        super().__init__(what)
        self.code = code


class Window:
    """One run of requests of a kind, until the end or the first fault.

    ``alone`` leaves one request in flight; then, or if ``patient``, no reply counts as late.
    """

    def __init__(
        self,
        loader: Loader,
        opcode: Opcode,
        *,
        payload: int = 0,
        alone: bool = False,
        patient: bool = False,
    ) -> None:
        self._loader = loader
        self._opcode = opcode
        self._body_size = payload + loader.dialect.status_size
        self._limit = 0 if alone else loader.dialect.pipeline_bytes
        self.late_after_s = math.inf if alone or patient else loader.late_after_s
        self.longest_wait_s = 0.0
        self._byte_s = loader.link.wire_s(1)
        self._unanswered: deque[int] = deque()  # encoded sizes
        self._in_flight = 0

    def replies(self, requests: Iterator[bytes], timeout_s: float) -> Iterator[list[Response]]:
        """Send encoded requests as the window allows; yield the replies as they come.

        Raises: Fault if replies are missing, too many, late, damaged, refusals or of another kind.
        """
        link = self._loader.link
        with self._loader.exchange():
            damaged = link.damaged
            waiting = next(requests, None)
            while True:
                batch: list[bytes] = []
                while waiting and (
                    not self._unanswered or self._in_flight + len(waiting) <= self._limit
                ):
                    batch.append(waiting)
                    self._unanswered.append(len(waiting))
                    self._in_flight += len(waiting)
                    waiting = next(requests, None)
                if batch:
                    link.send(b"".join(batch))
                if not self._unanswered:
                    return
                replies = self._receive(timeout_s)
                if link.damaged != damaged:
                    raise Fault("replies were damaged")
                for reply in replies:
                    self._in_flight -= self._unanswered.popleft()
                    if code := self._loader.failure(reply):
                        raise Fault("refused", code)
                    if reply.opcode != self._opcode or len(reply.body) != self._body_size:
                        raise Fault("a reply of another kind")
                yield replies

    def _receive(self, timeout_s: float) -> list[Response]:
        link = self._loader.link
        now = link.clock.now
        start = now()
        size = 2 * self._in_flight + self._body_size * len(self._unanswered)
        replies = link.receive_all(timeout_s + size * self._byte_s)
        waited_s = now() - start
        if waited_s > self.longest_wait_s:
            self.longest_wait_s = waited_s
        if not replies:
            raise Fault("no reply")
        if waited_s > self.late_after_s:
            raise Fault("replies were late")
        if len(replies) > len(self._unanswered):
            raise Fault("more replies than requests")
        return replies
