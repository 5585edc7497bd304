"""One loader on a link: commands out, meanings in.

What this file must survive, measured on real ROM code:

- A reply says which command it answers, except that an *unknown* command is answered under the
  opcode of the last good one, with status 01 05, as often as that one was answered: eight times
  after SYNC.  So a failing reply under a foreign opcode is the refusal of what was asked, and the
  other seven are strays that must not be taken for refusals of what comes next.
- Only the first status byte decides.  The second is left over when the first is zero, and so is the
  value field of everything but READ_REG.

Being in step is the subject of ``dialogue``.
"""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, TypeVar

from espshell.errors import DeviceError, NoReply, Refused, UsageError
from espshell.link.link import Link
from espshell.loader.deflating import Deflating
from espshell.loader.dialogue import Dialogue, Gone
from espshell.protocol import packet
from espshell.protocol.bootlog import recognise
from espshell.protocol.commands import ChangeBaudrate, LoaderCommand, Sync
from espshell.protocol.dialect import Dialect
from espshell.protocol.packet import Opcode, Response
from espshell.span import Span

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
        """Whether the stub's handler of ``loader.bulk`` was seen to read right."""
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
        """What the quickest round trip took besides the time on the wire, since ``bulk.enable``."""
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
        return self._meaning(command, response)

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

    def change_baud(self, baud: int, *, asked: int | None = None) -> None:
        """Change the rate at both ends and prove the link by a read; on failure go back.

        ``asked`` is what the loader is asked for where it is wrong about its clock.  Whether it has
        changed is not known before it answers, so it is looked for at either rate.

        Raises: DeviceError if the new rate does not work and the old one does again; Gone if
        neither does.
        """
        old = self.link.port.baud
        try:
            self._change_baud(baud, old, asked or baud)
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

    def _change_baud(self, baud: int, old: int, asked: int) -> None:
        with contextlib.suppress(NoReply):  # perhaps only the answer was lost: the rate will tell
            self.execute(ChangeBaudrate(asked, old if self.dialect.is_stub else 0))
        for quick in (True, False):
            if self._answers_at(baud, quick=quick):
                return
            if self._answers_at(old, quick=quick):
                raise DeviceError(
                    f"no answer at {baud} baud; back at {old}", hint="try a lower rate"
                )
        raise Gone(
            recognise(self.link.noise).sentence
            or f"the loader is lost: it answers neither at {baud} nor at {old} baud",
            hint="`reconnect` resets it into the loader again",
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
            if self.failure(response) and not self._is_stray(response):
                self.strays = Sync.REPLIES - 1 if response.opcode == Opcode.SYNC else 0
                return response
        sentence = recognise(self.link.noise).sentence
        raise NoReply(
            sentence or f"no reply to {opcode.name} within {timeout_s:.1f} s",
            hint="`reconnect` resets it into the loader"
            if sentence
            else "is the chip still powered?",
        )

    def _is_stray(self, response: Response) -> bool:
        if response.opcode != Opcode.SYNC or not self.strays:
            return False
        self.strays -= 1
        return True

    def _meaning(self, command: LoaderCommand[T], response: Response) -> T:
        name = command.opcode.name
        if code := self.failure(response):
            raise Refused(f"the loader refused {name}: {packet.status_text(code)}", code=code)
        try:
            return command.parse(response.value, response.body[: -self.dialect.status_size])
        except ValueError as error:
            raise DeviceError(f"the answer to {name} is invalid: {error}") from error

    def _answers_at(self, baud: int, *, quick: bool) -> bool:
        """Set the host's rate and return whether the loader is there; see ``resynchronise``."""
        self.link.clock.sleep(_BAUD_SETTLE_S)  # the answer leaves before the chip switches
        self.link.port.baud = baud
        self.link.drain(0, limit_s=_BAUD_SETTLE_S)
        with contextlib.suppress(Gone):
            self.resynchronise(quick=quick)
        return self.in_step
