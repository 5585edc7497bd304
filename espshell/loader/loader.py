"""One loader on a link: commands out, meanings in, and getting back into step.

What this file must survive, measured on real ROM code:

- A reply says which command it answers, except that an *unknown* command is answered under the
  opcode of the last good one, with status 01 05, as often as that one was answered: eight times
  after SYNC.  So a failing reply under a foreign opcode is the refusal of what was asked, and the
  other seven are strays that must not be taken for refusals of what comes next.
- Only the first status byte decides.  The second is left over when the first is zero, and so is the
  value field of everything but READ_REG.
- A request that was cut is completed by the C0 of the next one, which is swallowed.  So getting
  back into step is: a lone C0, wait until it is quiet, SYNC, and then a *fence*: a read whose
  answer is known, so that all that was under way before it is known to have passed.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from espshell.errors import BenchError, DeviceError, NoReply, Refused, UsageError
from espshell.link.link import Link
from espshell.protocol import packet, slip
from espshell.protocol.bootlog import recognise
from espshell.protocol.commands import ChangeBaudrate, Command, ReadReg, Sync
from espshell.protocol.dialect import Dialect
from espshell.protocol.packet import Opcode, Response

if TYPE_CHECKING:
    from espshell.loader.stub import Stub

T = TypeVar("T")

SYNC_TIMEOUTS_S = (0.1, 0.1, 0.2, 0.5)
"""How long each try of SYNC waits: short first, longer for links with a long way to go."""

OVERDUE_S = 5.0
"""How late a reply may come that was given up."""

_QUIET_S = 0.05
_BAUD_SETTLE_S = 0.05
_RESYNC_TRIES = 3


@dataclass(frozen=True, slots=True)
class Marker:
    """A word of ROM whose value is known and unlike the others'."""

    address: int
    value: int


class Loader:
    """A loader that has answered; ``dialect`` says what it understands."""

    def __init__(self, link: Link, dialect: Dialect) -> None:
        self.link = link
        self.dialect = dialect
        self.markers: tuple[Marker, ...] = ()
        """Learned once per connection (``transfer.learn_markers``)."""
        self.stub: Stub | None = None
        """The stub that was started on this connection."""
        self.has_bulk_read = False
        """Whether the stub's handler of ``loader.bulk`` was seen to read right."""
        self.resynchronisations = 0
        self.patience_s = math.inf
        """A reply of a stream that takes longer is not to be trusted; known with the markers."""
        self.doubtful_until = 0.0
        """Until then a reply that was given up may still come, and be taken for another."""
        self._strays = 0

    def execute(self, command: Command[T], *, timeout_s: float | None = None) -> T:
        """Ask one command and return what its answer means.

        A command that does no harm twice (``repeatable``) is asked once more if nothing comes.

        Raises: UsageError before anything is sent if this loader does not know the command;
        Refused if it says no; NoReply if it says nothing, and then the next command
        resynchronises first.
        """
        self.require(command.opcode)
        if command.repeatable:
            with contextlib.suppress(NoReply):
                return self._once(command, timeout_s)
        return self._once(command, timeout_s)

    def _once(self, command: Command[T], timeout_s: float | None) -> T:
        if self.link.dirty:
            self.resynchronise()
        self.link.discard()
        self.link.dirty = True
        request = command.encode()
        self.link.send(request)
        wait_s = command.timeout_s if timeout_s is None else timeout_s
        response = self._reply(command.opcode, wait_s + self.link.wire_s(2 * len(request)))
        self.link.dirty = False
        return self._meaning(command, response)

    def require(self, opcode: Opcode) -> None:
        """See that this loader knows a command. Raises: UsageError; nothing was sent."""
        if opcode in self.dialect.commands:
            return
        if self.dialect.is_secure:
            raise UsageError(
                f"{opcode.name} is not available: the chip is in secure download mode",
                hint="its memory cannot be reached",
            )
        hint = "" if self.dialect.is_stub else "the flasher stub may: `stub always` starts it"
        raise UsageError(f"the {self.dialect.name} loader does not know {opcode.name}", hint=hint)

    def sync(self, timeout_s: float = SYNC_TIMEOUTS_S[0]) -> int | None:
        """Send SYNC once; return its value field when answered, None if not in time.

        The other seven answers are awaited too, so that they disturb nobody.
        """
        self._strays = 0
        request = Sync().encode()
        self.link.send(request)
        end = self.link.clock.now() + timeout_s + self.link.wire_s(3 * len(request))
        while (left := end - self.link.clock.now()) > 0:
            response = self.link.receive(left)
            if response is not None and response.opcode == Opcode.SYNC:
                self._take_echoes()
                return response.value
        return None

    def resynchronise(self) -> None:
        """Get back into step after a lost, cut or doubled frame, or after Ctrl-C.

        Raises: NoReply if the loader is gone.
        """
        self.resynchronisations += 1
        if self.link.dirty:
            self.doubtful_until = self.link.clock.now() + OVERDUE_S
        self.link.dirty = True
        for _ in range(_RESYNC_TRIES):
            self.link.send(slip.END)
            self.link.drain(_QUIET_S, limit_s=1.0)
            if any(self.sync(wait_s) is not None for wait_s in SYNC_TIMEOUTS_S) and self._fence():
                self.link.dirty = False
                return
        told = recognise(self.link.noise).sentence
        raise NoReply(
            told or f"the loader on {self.link.port.url} has stopped answering",
            hint="`reconnect` resets it into the loader again",
        )

    def change_baud(self, baud: int, *, asked: int | None = None) -> None:
        """Change the rate at both ends and prove the link by a read; on failure go back.

        ``asked`` is what the loader is asked for where it is wrong about its clock.

        Raises: DeviceError if the new rate does not work and the old one does again; NoReply if
        neither does.
        """
        old = self.link.port.baud
        with contextlib.suppress(NoReply):  # perhaps only the answer was lost: the rate will tell
            self.execute(ChangeBaudrate(asked or baud, old if self.dialect.is_stub else 0))
        try:
            self._set_baud(baud)
            self.resynchronise()
        except BenchError:
            self._set_baud(old)
            self.resynchronise()
            raise DeviceError(
                f"no answer at {baud} baud; back at {old}", hint="try a lower rate"
            ) from None

    def failure(self, response: Response) -> int:
        """Return the 16-bit status of a failing response, 0 of a good one."""
        status = response.body[-self.dialect.status_size :]
        return status[0] << 8 | status[1] if status[0] else 0

    def _reply(self, opcode: Opcode, timeout_s: float) -> Response:
        """Wait for the answer to a command: its own, or the refusal under a foreign opcode."""
        end = self.link.clock.now() + timeout_s
        while (left := end - self.link.clock.now()) > 0:
            response = self.link.receive(left)
            if response is None:
                break
            if response.opcode == opcode:
                return response
            if self.failure(response) and not self._is_stray(response):
                self._strays = Sync.REPLIES - 1 if response.opcode == Opcode.SYNC else 0
                return response
        told = recognise(self.link.noise).sentence
        raise NoReply(
            told or f"no reply to {opcode.name} within {timeout_s:.1f} s",
            hint="`reconnect` resets it into the loader" if told else "is the chip still powered?",
        )

    def _is_stray(self, response: Response) -> bool:
        if response.opcode != Opcode.SYNC or not self._strays:
            return False
        self._strays -= 1
        return True

    def _meaning(self, command: Command[T], response: Response) -> T:
        name = command.opcode.name
        if code := self.failure(response):
            raise Refused(f"the loader refused {name}: {packet.status_text(code)}", code=code)
        try:
            return command.parse(response.value, response.body[: -self.dialect.status_size])
        except ValueError as error:
            raise DeviceError(f"the answer to {name} makes no sense: {error}") from error

    def _take_echoes(self) -> None:
        for _ in range(Sync.REPLIES - 1):
            if self.link.receive(_QUIET_S) is None:
                return

    def _fence(self) -> bool:
        """Read a word whose value is known; say whether its answer came."""
        if not self.markers:
            return True
        marker = self.markers[0]
        self.link.send(ReadReg(marker.address).encode())
        end = self.link.clock.now() + ReadReg.timeout_s
        while (left := end - self.link.clock.now()) > 0:
            response = self.link.receive(left)
            if response is None:
                return False
            if response.opcode == Opcode.READ_REG and response.value == marker.value:
                return True
        return False

    def _set_baud(self, baud: int) -> None:
        self.link.clock.sleep(_BAUD_SETTLE_S)  # the answer leaves before the chip switches
        self.link.port.baud = baud
        self.link.drain(0, limit_s=_BAUD_SETTLE_S)
