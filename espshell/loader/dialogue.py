"""The dialogue with a loader: who is in step, what may still come, and how to get home.

The rule of this file.  Nobody else changes ``in_step`` or ``doubtful_until``.  Whatever sends goes
through ``exchange``: it begins in step with nothing left to read, and unless it comes to a good end
the dialogue is out of step and the next exchange resynchronises first.

Getting home.  After an unknown end (a lost frame, Ctrl-C, another program's leftovers) a loader is
idle, or *open*: it has seen an opening C0, perhaps with a piece of a request behind it.

- A ROM ignores empty frames, and the C0 of the next request ends what was cut.  So a C0 and a
  request bring it home.
- A stub takes C0s in strict turns.  One C0 too many turns it inside out: version 2 answers nothing
  any more, version 1 **executes again what lies in its buffers**, writes too.  So nothing that
  begins with a C0 is sent to a stub that may be open.  A request *without* its first C0 is executed
  by an open stub, and opens an idle one: by turns it always gets through, and nothing is run twice.

What proves it.  A reply carries no address and may be one that was given up, so each probe asks for
another *marker* (a word of ROM whose value is known); before markers are known SYNC and
GET_SECURITY_INFO take turns.  A stub gets two probes, each without its first C0: idle, it answers
the second, open, the first, and either way one of them only.  Two proofs in a row are asked for;
markers are taken backwards, because a stream that was given up has them forwards.

What is ugly.  A request that was cut is executed by whatever ends it, with other bytes where its
end should be; a version 2 stub refuses it, a ROM and a version 1 stub do not.

Sources: ``tests/data/framing-*.json``, recorded from the ROM of an ESP32 and from both stubs on it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from espshell.errors import NoReply, Refused
from espshell.link.link import Link
from espshell.protocol import slip
from espshell.protocol.bootlog import recognise
from espshell.protocol.commands import GetSecurityInfo, ReadReg, Sync
from espshell.protocol.dialect import Dialect
from espshell.protocol.packet import Opcode
from espshell.records import dataclass

SYNC_TIMEOUTS_S = (0.1, 0.1, 0.2, 0.5)
"""How long each try of SYNC waits: short first, longer for links with a long way to go."""

OVERDUE_S = 5.0
"""How late a reply may come that was given up."""

_QUIET_S = 0.05
_STREAM_QUIET_S = 0.5  # between two frames of sums, of which each takes a slow core that long
_ROM_WAITS_S = (0.1, 0.5, 1.0, 1.0)
_STUB_WAITS_S = (0.1, 0.1, 0.2, 0.5, 0.5, 0.5, 1.0, 1.0, 1.0, 1.0)
_SINGLES = 3


class Gone(NoReply):
    """Nothing brings the loader back into step: there is no sense in trying the same again."""


@dataclass(frozen=True, slots=True)
class Marker:
    """A word of ROM whose value is known and unlike the others'."""

    address: int
    value: int


@dataclass(frozen=True, slots=True)
class Probe:
    """A harmless request, and what tells its reply from all others."""

    request: bytes
    opcode: Opcode
    value: int | None = None

    @property
    def tail(self) -> bytes:
        """The request without its first C0."""
        return self.request.removeprefix(slip.END)


class Exchange:
    """A context that begins in step with nothing left to read; see ``Dialogue.exchange``."""

    __slots__ = ("_dialogue",)

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue

    def __enter__(self) -> None:
        dialogue = self._dialogue
        if not dialogue.in_step:
            dialogue.resynchronise()
        dialogue.link.discard()
        dialogue.in_step = False

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A refusal is an answer like any other.
        self._dialogue.in_step = kind is None or issubclass(kind, Refused)


class Dialogue:
    """Requests and replies over one link, and whether they belong together."""

    def __init__(self, link: Link, dialect: Dialect) -> None:
        self.link = link
        self.dialect = dialect
        self.in_step = True
        """Whether the last exchange came to a good end."""
        self.doubtful_until = 0.0
        """Until then a reply that was given up may still come, and be taken for another."""
        self.late_after_s = math.inf
        """A reply of a stream that takes longer is not to be trusted; known with the markers."""
        self.stream_until = 0.0
        """Until then a stream that was given up may go on, which nothing stops."""
        self.resynchronisations = 0
        self.strays = 0
        """Repetitions of a refusal that may still come; see ``loader``."""
        self._markers: tuple[Marker, ...] = ()
        self._probes = self._cycle()

    @property
    def markers(self) -> tuple[Marker, ...]:
        """Words that tell which request a reply answers (``transfer.learn_markers``)."""
        return self._markers

    @markers.setter
    def markers(self, markers: tuple[Marker, ...]) -> None:
        self._markers = markers
        self._probes = self._cycle()

    @property
    def is_doubtful(self) -> bool:
        """Whether a reply that was given up may still come."""
        return not self.in_step or self.link.clock.now() < self.doubtful_until

    def exchange(self) -> Exchange:
        """Begin in step with nothing left to read; stay out of step unless it ends well.

        Raises on entering: Gone if the loader is.
        """
        return Exchange(self)

    def distrust(self) -> None:
        """Have the next exchange resynchronise first: something came that cannot be right."""
        self.in_step = False

    def begin_anew(self) -> None:
        """Go on with a loader that has just greeted: nothing of the one before it can come."""
        self.in_step, self.strays = True, 0

    def resynchronise(self, *, quick: bool = False) -> None:
        """Get back into step after a lost, cut or doubled frame, or after Ctrl-C.

        ``quick``: by half of the tries, where it is no surprise if nobody answers.

        Raises: Gone if the loader is.
        """
        self.resynchronisations += 1
        if not self.in_step:
            self.doubtful_until = self.link.clock.now() + OVERDUE_S
        self.in_step = False
        remaining_s = self.stream_until - self.link.clock.now()
        if remaining_s > 0:  # until a stream that was given up is silent for a while
            self.link.drain(_STREAM_QUIET_S, limit_s=remaining_s)
        self.stream_until = 0.0
        lead_home = self._lead_stub_home if self.dialect.is_stub else self._lead_rom_home
        if not lead_home(quick):
            url, heard = self.link.port.url, recognise(self.link.noise).sentence
            raise Gone(
                f"no loader answers on {url}: {heard}"
                if heard
                else f"the loader on {url} stopped answering",
                hint="`reconnect` resets it into the loader again",
            )
        self.in_step = True

    def sync(self, timeout_s: float = SYNC_TIMEOUTS_S[0], *, opened: bool = False) -> int | None:
        """Send SYNC once; return its value field when answered, None if not in time.

        The other seven answers are awaited too, so that they disturb nobody.  ``opened``: it goes
        out twice without its first C0, for a loader of which nothing is known; it is answered once,
        and if the value is that of a stub, ``resynchronise`` finds out where that stands.
        """
        self.strays = 0
        request = Sync().encode()
        self.link.send(2 * request.removeprefix(slip.END) if opened else request)
        end = self.link.clock.now() + timeout_s + self.link.wire_s(4 * len(request))
        while (remaining_s := end - self.link.clock.now()) > 0:
            response = self.link.receive(remaining_s)
            if response is not None and response.opcode == Opcode.SYNC:
                self._take_echoes()
                return response.value
        return None

    def _lead_rom_home(self, quick: bool) -> bool:
        for tried, wait_s in enumerate(_tries(_ROM_WAITS_S, quick)):
            self.link.send(slip.END)
            if not self.markers:
                if any(self.sync(wait_s) is not None for wait_s in SYNC_TIMEOUTS_S):
                    return True
                continue
            if tried:  # it may have been reset, and wait for a SYNC to find the rate
                self.sync(wait_s)
            pair = itertools.islice(self._probes, 2)
            if all(self._ask(probe.request, wait_s, probe) for probe in pair):
                return True
        return False

    def _lead_stub_home(self, quick: bool) -> bool:
        """By pairs, which an idle stub answers, until two are right; between them single probes."""
        proofs = 0
        waits = iter(_tries(_STUB_WAITS_S, quick))
        for wait_s in waits:
            first, second = next(self._probes), next(self._probes)
            if self._ask(first.tail + second.tail, wait_s, first, second) is second:
                proofs += 1
                if proofs == 2:
                    return True
                continue
            proofs = 0
            for single_s in itertools.islice(waits, _SINGLES):
                probe = next(self._probes)
                if self._ask(probe.tail, single_s, probe):
                    break
        return False

    def _ask(self, request: bytes, wait_s: float, *probes: Probe) -> Probe | None:
        """Send a request; return the probe whose reply comes first, None if none comes in time."""
        self.link.send(request)
        size = sum(len(probe.request) for probe in probes)
        end = self.link.clock.now() + wait_s + self.link.wire_s(2 * size)
        while (remaining_s := end - self.link.clock.now()) > 0:
            response = self.link.receive(remaining_s)
            if response is None:
                break
            for probe in probes:
                if response.opcode == probe.opcode and probe.value in (None, response.value):
                    if probe.value is not None and len(response.body) != self.dialect.status_size:
                        raise Gone(
                            f"another loader answers on {self.link.port.url}: the chip was reset",
                            hint="`reconnect` identifies it",
                        )
                    if probe.opcode == Opcode.SYNC:
                        self._take_echoes()
                    return probe
        return None

    def _cycle(self) -> Iterator[Probe]:
        """Return the probes in the order in which they are sent, for ever."""
        probes = [
            Probe(ReadReg(marker.address).encode(), Opcode.READ_REG, marker.value)
            for marker in reversed(self._markers)
        ]
        return itertools.cycle(
            probes
            or [
                Probe(Sync().encode(), Opcode.SYNC),
                Probe(GetSecurityInfo().encode(), Opcode.GET_SECURITY_INFO),
            ]
        )

    def _take_echoes(self) -> None:
        for _ in range(Sync.REPLIES - 1):
            if self.link.receive(_QUIET_S) is None:
                return


def _tries(waits_s: tuple[float, ...], quick: bool) -> tuple[float, ...]:
    return waits_s[: len(waits_s) // 2] if quick else waits_s
