"""A simulated chip on its cable, against a clock: baud rates, FIFO, reset lines, faults.

Theory of this file.  Nothing happens by itself.  What the host sends is taken through the loader at
once, and everything that follows gets the time at which it would happen: each reply is put on the
``SerialLine`` with the moment it starts.  What must wait for its moment (the end of a reset, a
frame that a fault holds back) is in an ``EventQueue``.  ``settle`` does what has come due; every
method for the host calls it.  So the same code runs in virtual time, where somebody moves the
clock to ``next_event``, and in real time, where somebody waits for it.

What arrives at a ROM loader goes into a FIFO, and the loader takes it out when it is idle.  What
cannot overflow, because less than a FIFO is under way, is not counted byte by byte; the rest is, in
``_admit``.  A stub takes bytes out by interrupt, all that come without a pause at once, and has
room for two whole requests: one that is sent while both of them are unanswered is lost.

Sources: FIFO size as in the technical reference manuals; reset circuit as on Espressif's boards
("Boot Mode Selection" in the esptool manual); USB-JTAG/serial lines as in the ESP32-C3 technical
reference manual, chapter "USB Serial/JTAG Controller", table of RTS and DTR.
"""

from __future__ import annotations

from collections import deque
from functools import partial
from math import inf

from espshell.clock import Clock
from espshell.protocol import slip
from espshell.protocol.commands import Sync
from espshell.protocol.dialect import UART_FIFO
from espshell.records import dataclass, field
from espshell.sim.boot import BootState, ChipMode, EventQueue
from espshell.sim.fault import Direction, FaultAction, Faults, Passage, Splitter
from espshell.sim.line import BITS_PER_BYTE, GARBLE, Cable, SerialLine
from espshell.sim.models import ROM_BAUD
from espshell.sim.nor import FlashCounters
from espshell.sim.program import Next
from espshell.sim.url import Boot, Setup

EN_RISE_S = 1e-3
"""How long the capacitor at EN keeps the chip in reset after the line is released; the boot mode
is what IO0 says then."""

BAUD_TOLERANCE = 0.03
"""Two ends whose rates differ by more do not understand each other."""

_USB_BYTE_S = 1e-6
_HAIR_S = 1e-9  # a reply that has come to its end at this moment has been sent
_SYNC_FRAME = Sync().encode()


@dataclass(slots=True)
class Counters:
    """What has gone over the wire since it was made."""

    requests: int = 0
    """Frames that the loader took."""
    replies: int = 0
    """Frames that the chip sent."""
    bytes_to_chip: int = 0
    bytes_to_host: int = 0
    overruns: int = 0
    """Bytes that found the FIFO full."""
    dropped: int = 0
    """Frames that found all buffers of a stub taken."""
    max_in_flight: int = 0
    """Most bytes that were sent and not yet taken by the loader, at the end of a write."""
    flash: FlashCounters = field(default_factory=FlashCounters)
    """What its flash has done."""


class Wire:
    """One chip and its cable.

    With ``paced`` false, bytes and commands take no time; resets and faults still do.
    """

    def __init__(self, setup: Setup, clock: Clock, *, paced: bool = True) -> None:
        self.host_baud: int | None = ROM_BAUD
        """None where the host's rate cannot be known: it is taken to be right."""
        self.pulls = 0
        """How often it was unplugged."""
        self.unplugged = False
        self.back_at: float | None = None
        """When it will be plugged in again, while it is unplugged."""
        self._clock = clock
        self._paced = paced
        self._over_usb = setup.over_usb
        # The chip's own USB has no rate.
        self._cable = Cable(0, ()) if setup.over_usb else Cable(setup.max_baud, setup.noise)
        self._line = SerialLine(setup.latency_s if paced else 0.0)
        self._events = EventQueue()
        self._idle_until = -1.0
        """When ``settle`` has something to do again; negative: that is not known."""
        self._boot = BootState(
            setup, self._events, self._line, print_text=self._print, on_restart=self._restart
        )
        self.chip = self._boot.chip
        """The chip at the other end."""
        self.count = Counters(flash=self.chip.flash.count)
        self.chip.flash.instant = not paced
        self._inbox = bytearray()
        self._requests = Faults(setup.rules, Direction.REQUEST)
        self._replies = Faults(setup.rules, Direction.REPLY)
        self._splitter = Splitter()
        self._host_free_at = 0.0
        self._quiet_from = -1.0
        self._busy_until = 0.0
        self._arrived = 0
        self._taken = 0
        self._pending: deque[tuple[float, int]] = deque()
        self._unanswered: list[float] = []
        self._en_low = False
        self._io0_low = False
        if setup.boot is not Boot.DOWNLOAD:
            self._boot.power_on(clock.now())

    @property
    def mode(self) -> ChipMode:
        """What the chip is doing."""
        return self._boot.mode

    # -- the host's end

    def send(self, data: bytes) -> None:
        """Take bytes that the host sends now."""
        self._wake()
        self.count.bytes_to_chip += len(data)
        if self._unanswered:
            # A request counts as sent when the host gives it away, not when its last byte leaves.
            now = self._clock.now() + _HAIR_S
            self._unanswered = [at for at in self._unanswered if at > now]
        if not self._requests.rules:
            self._transmit(data)
            return
        for piece, is_frame in self._splitter.feed(data):
            for passage in self._requests.apply(piece) if is_frame else [Passage(piece)]:
                self._pass_on(passage)

    def settle(self) -> int:
        """Run the events that are due, and take in the bytes that have arrived; return ``waiting``.

        It is called far more often than there is something to do.
        """
        now = self._clock.now()
        if now >= self._idle_until:
            if now >= self._events.next_at:
                self._events.run_due(now)
            arrived = self._line.take(now)
            self.count.bytes_to_host += len(arrived)
            self._inbox += arrived
            self._idle_until = min(self._line.ready_at(), self._events.next_at)
        return len(self._inbox)

    @property
    def waiting(self) -> int:
        """Bytes that the host can receive at once."""
        return len(self._inbox)

    def receive(self, size: int) -> bytes:
        """Return at most so many bytes of those that have arrived."""
        data = bytes(self._inbox[:size])
        del self._inbox[:size]
        return data

    def next_event(self) -> float | None:
        """Return when ``settle`` has something to do again, or None if nothing is coming."""
        if self._idle_until < 0:
            self.settle()
        return self._idle_until if self._idle_until < inf else None

    @property
    def sent_at(self) -> float:
        """When the host's last byte has left."""
        return self._host_free_at

    def set_lines(self, *, dtr: bool, rts: bool) -> None:
        """Set the control lines; EN and IO0 follow, or USB-JTAG/serial does its own."""
        self._wake()
        if self._over_usb:
            self._set_usb_lines(dtr=dtr, rts=rts)
            return
        en_low, was_low = rts and not dtr, self._en_low
        self._en_low, self._io0_low = en_low, dtr and not rts
        now = self._clock.now()
        if en_low and not was_low:
            self._boot.stop(now)
        elif was_low and not en_low:
            self._boot.plan(
                now + EN_RISE_S, lambda at: self._boot.start(at, download=self._io0_low)
            )

    def expect_sync(self) -> None:
        """Let the next SYNC set the chip's rate, as after a reset."""
        self._boot.autobaud = True

    def return_to_download(self) -> None:
        """Reset the chip into its loader, and drop what it has said."""
        self._wake()
        self._boot.return_to_download(self._clock.now())
        self._inbox.clear()

    def _wake(self) -> None:
        """Settle, for the last time before something changes what comes next."""
        self.settle()
        self._idle_until = -1.0

    # -- from host to chip

    def _pass_on(self, passage: Passage) -> None:
        now = self._clock.now()
        if passage.ending is not None:
            self._end(passage, max(now, self._host_free_at))
        elif passage.late_s:
            self._events.add(now + passage.late_s, lambda at: self._transmit(passage.data))
        else:
            if passage.stall_s:
                self._host_free_at = max(now, self._host_free_at) + passage.stall_s
            self._transmit(passage.data)

    def _transmit(self, data: bytes) -> None:
        byte_s = self._byte_s(self.host_baud or ROM_BAUD)
        now = self._clock.now()
        start = max(now, self._host_free_at)
        joined = start <= self._quiet_from
        self._host_free_at = self._quiet_from = start + len(data) * byte_s
        data = self._cable.carry(data, self.host_baud or self.chip.baud)
        if self._boot.mode is not ChipMode.DOWNLOAD or not self._understands(data):
            return
        if self._boot.program.buffers:
            self._accept(data, start, byte_s, joined=joined)
            return
        self._drain(now, self._arrived)
        in_flight = self._arrived - self._taken + len(data)
        self.count.max_in_flight = max(self.count.max_in_flight, in_flight)
        if in_flight <= UART_FIFO or not self._paced:
            self._accept(data, start, byte_s)
            return
        while data:
            piece, end, data = data.partition(slip.END)
            piece += end
            self._accept(self._admit(piece, start, byte_s), start, byte_s, sent=len(piece))
            start += len(piece) * byte_s

    def _accept(
        self, data: bytes, start: float, byte_s: float, *, sent: int = -1, joined: bool = False
    ) -> None:
        """Put bytes through the receiver, and what they complete through the loader."""
        first = self._arrived
        self._arrived += len(data)
        program = self._boot.program
        for end, frame in program.receive(data, joined=joined):
            # What comes behind the frame that ends a program is lost.
            if self._boot.mode is not ChipMode.DOWNLOAD or program is not self._boot.program:
                break
            full = program.buffers and len(self._unanswered) >= program.buffers
            if full and not program.takes_all:
                self.count.dropped += 1
                continue
            # If bytes were lost before it, a frame still ends with the last byte that was sent.
            arrived = start + (end if sent < 0 else sent) * byte_s
            self._answer(frame, arrived, first + end)

    def _admit(self, piece: bytes, start: float, byte_s: float) -> bytes:
        """Return those bytes that find room in the FIFO."""
        kept, index = b"", 0
        while index < len(piece):
            at = start + (index + 1) * byte_s
            if self._drain(at, self._arrived + len(kept)):
                return kept + piece[index:]
            until = self._pending[0][0] if self._pending else self._busy_until
            coming = min(len(piece) - index, max(1, int((until - start) / byte_s) - index))
            room = UART_FIFO - (self._arrived + len(kept) - self._taken)
            kept += piece[index : index + min(coming, room)]
            self.count.overruns += max(0, coming - room)
            index += coming
        return kept

    def _drain(self, at: float, arrived: int) -> bool:
        """Let the loader take from the FIFO what it can by a moment; return whether that is all."""
        while self._pending and self._pending[0][0] <= at:
            self._taken = self._pending.popleft()[1]
        is_idle = not self._pending and self._busy_until <= at
        if is_idle:
            self._taken = arrived
        return is_idle

    def _understands(self, data: bytes) -> bool:
        host_baud = None if self._over_usb else self.host_baud
        if host_baud is not None and self._boot.autobaud and _SYNC_FRAME in data:
            self._boot.autobaud = False
            if host_baud != self.chip.baud:
                self.chip.set_baud(host_baud)
        return self._same_rate()

    def _same_rate(self) -> bool:
        host, chip = self.host_baud, self.chip.baud
        if self._over_usb or host is None or host == chip:
            return True
        return abs(host - chip) <= BAUD_TOLERANCE * chip

    def _byte_s(self, baud: int) -> float:
        if not self._paced:
            return 0.0
        return _USB_BYTE_S if self._over_usb else BITS_PER_BYTE / baud

    # -- the chip

    def _answer(self, frame: bytes, arrived: float, position: int) -> None:
        """Let the loader take a frame; what it sends goes on the line at its time."""
        boot, chip, line = self._boot, self.chip, self._line
        begin = max(arrived, self._busy_until)
        self.count.requests += 1
        chip.access.now = begin
        answer = boot.program.execute(frame)
        done = begin + answer.cost_s if self._paced else begin
        self._pending.append((begin, position))
        for reply in answer.replies:
            self._send_reply(reply, done)
        sent = done
        for after_s, frame in answer.stream:
            sent = self._held_until(sent) + (after_s if self._paced else 0.0)
            self._send_reply(frame, sent)
        self._busy_until = self._held_until(sent) + (answer.busy_s if self._paced else 0.0)
        self._unanswered.append(max(done, line.free_at))
        if answer.new_baud:
            chip.set_baud(answer.new_baud)
        if chip.watchdog_is_set:
            boot.plan_watchdog(done)
        if answer.next is not Next.LOADER and boot.mode is ChipMode.DOWNLOAD:
            at = max(done, line.free_at)
            boot.leave(answer, at)
            if self.mode is ChipMode.DARK and self._over_usb:
                self._events.add(at, lambda then: self._pull(then, None))

    def _held_until(self, done: float) -> float:
        """Return when a loader goes on that has sent: a full transmit FIFO holds it back."""
        return max(done, self._line.free_at - UART_FIFO * self._byte_s(self.chip.baud))

    def _send_reply(self, reply: bytes, at: float) -> None:
        """Put a reply on the line, or what faults make of it."""
        if not self._replies.rules:
            if self._boot.mode is ChipMode.DOWNLOAD:
                self.count.replies += 1
                self._print(reply, at)
            return
        for passage in self._replies.apply(reply):
            if self._boot.mode is not ChipMode.DOWNLOAD:
                return
            if passage.ending is not None:
                self._end(passage, max(at, self._line.free_at))
            elif passage.late_s:
                late = max(at, self._line.free_at) + passage.late_s
                self._boot.plan(late, partial(self._emit, passage.data))
            else:
                if passage.stall_s:
                    self._line.hold(at, passage.stall_s)
                self._emit(passage.data, at)

    def _emit(self, reply: bytes, at: float) -> None:
        self.count.replies += 1
        self._print(reply, at)

    def _print(self, text: bytes, at: float) -> None:
        baud = self.chip.baud
        if self.host_baud != baud and not self._same_rate():
            text = text.translate(GARBLE)
        self._line.send(self._cable.carry(text, baud), at, self._byte_s(baud))

    # -- what goes on without the host

    def _restart(self, at: float) -> None:
        self._pending.clear()
        self._unanswered.clear()
        self._taken = self._arrived
        self._busy_until = at

    def _set_usb_lines(self, *, dtr: bool, rts: bool) -> None:
        """DTR alone asks for download mode, RTS alone resets, neither line cancels the request."""
        was_low, self._en_low = self._en_low, rts and not dtr
        if self._en_low and not was_low:
            now = self._clock.now()
            self._boot.stop(now)
            self._boot.start(now, download=self._io0_low)
        if not rts:
            self._io0_low = dtr

    def _end(self, passage: Passage, at: float) -> None:
        pulls = passage.ending in (FaultAction.UNPLUG, FaultAction.REPLUG)
        if pulls or (passage.ending is FaultAction.KILL and self._over_usb):
            self._boot.end(FaultAction.HANG if pulls else FaultAction.KILL, at)
            back_s = passage.back_s if passage.ending is FaultAction.REPLUG else None
            self._events.add(at, lambda then: self._pull(then, back_s))
            if at <= self._clock.now():
                self._events.run_due(self._clock.now())
        elif passage.ending is not None:
            self._boot.end(passage.ending, at)

    def _pull(self, at: float, back_s: float | None) -> None:
        """Lose power and cable, for good or for a time."""
        self.unplugged = True
        self.pulls += 1
        self._line.cut(at)
        if back_s is not None:
            self.back_at = at + back_s
            self._events.add(self.back_at, self._plug_in)

    def _plug_in(self, at: float) -> None:
        self.unplugged, self.back_at = False, None
        self._inbox.clear()
        self._restart(at)
        self._en_low = self._io0_low = False
        self._boot.power_on(at)
