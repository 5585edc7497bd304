"""A simulated chip on its cable, against a clock: baud rates, FIFO, reset lines, faults.

Theory of this file.  Nothing happens by itself.  What the host sends is taken through the loader at
once, and everything that follows gets the time at which it would happen: each reply is put on the
``Line`` with the moment it starts.  What must wait for its moment (the end of a reset, a frame that
a fault holds back) stands in an agenda.  ``settle`` does what has come due; every way in calls it.
So the same code runs in virtual time, where somebody moves the clock to ``next_event``, and in real
time, where somebody waits for it.

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

from espshell.clock import Clock
from espshell.protocol import slip
from espshell.protocol.commands import Sync
from espshell.protocol.dialect import UART_FIFO
from espshell.sim.agenda import Agenda
from espshell.sim.chip import SimChip
from espshell.sim.counters import Counters
from espshell.sim.fault import Action, Direction, Faults, Passage, Splitter
from espshell.sim.life import BOOT_S, LOG_S, Life, Mode
from espshell.sim.line import BITS_PER_BYTE, Line
from espshell.sim.models import ROM_BAUD
from espshell.sim.program import Next
from espshell.sim.url import Boot, Setup

__all__ = ["BAUD_TOLERANCE", "BOOT_S", "EN_RISE_S", "LOG_S", "Counters", "Mode", "Wire"]

EN_RISE_S = 1e-3
"""How long the capacitor at EN keeps the chip in reset after the line is released; the boot mode
is what IO0 says then."""

BAUD_TOLERANCE = 0.03
"""Two ends whose rates differ by more do not understand each other."""

_USB_BYTE_S = 1e-6
_HAIR_S = 1e-9  # a reply that has come to its end at this moment has been sent
_SYNC_FRAME = Sync().encode()
_GARBLE = bytes((n * 167 + 13) & 0xFF for n in range(256))


class Wire:
    """One chip and its cable.

    With ``paced`` false, bytes and commands take no time; resets and faults still do.
    """

    def __init__(self, setup: Setup, clock: Clock, *, paced: bool = True) -> None:
        self.host_baud: int | None = ROM_BAUD
        """None where the host's rate cannot be known: it is taken for right."""
        self.pulls = 0
        """How often it was unplugged."""
        self.unplugged = False
        self.back_at: float | None = None
        """When it will be plugged in again, while it is unplugged."""
        self._clock = clock
        self._paced = paced
        self._over_usb = setup.over_usb
        self._line = Line(setup.latency_s if paced else 0.0)
        self._agenda = Agenda(clock)
        self._life = Life(
            setup, self._agenda, self._line, say=self._print, restarted=self._restarted
        )
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
            self._life.power_on(clock.now())

    @property
    def chip(self) -> SimChip:
        """The chip at the other end."""
        return self._life.chip

    @property
    def mode(self) -> Mode:
        """What the chip is doing."""
        return self._life.mode

    # -- the host's end

    def send(self, data: bytes) -> None:
        """Take bytes that the host sends now."""
        self.settle()
        self.count.bytes_to_chip += len(data)
        # A request counts as sent when the host gives it away, not when its last byte leaves.
        now = self._clock.now() + _HAIR_S
        self._unanswered = [at for at in self._unanswered if at > now]
        if not self._requests:
            self._transmit(data)
            return
        for piece, is_frame in self._splitter.feed(data):
            for passage in self._requests.apply(piece) if is_frame else [Passage(piece)]:
                self._pass_on(passage)

    def settle(self) -> None:
        """Let everything happen that has come due; what has arrived can be received then."""
        self._agenda.settle()
        arrived = self._line.take(self._clock.now())
        if arrived:
            self.count.bytes_to_host += len(arrived)
            self._inbox += arrived

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
        ready, due = self._line.ready_at(), self._agenda.next_at
        return min((at for at in (ready, due) if at is not None), default=None)

    @property
    def sent_at(self) -> float:
        """When the host's last byte has left."""
        return self._host_free_at

    def set_lines(self, *, dtr: bool, rts: bool) -> None:
        """Set the control lines; EN and IO0 follow, or USB-JTAG/serial does its own."""
        self.settle()
        if self._over_usb:
            self._set_usb_lines(dtr=dtr, rts=rts)
            return
        en_low, was_low = rts and not dtr, self._en_low
        self._en_low, self._io0_low = en_low, dtr and not rts
        now = self._clock.now()
        if en_low and not was_low:
            self._life.stop(now)
        elif was_low and not en_low:
            resets = self._life.resets
            self._agenda.plan(now + EN_RISE_S, lambda at: self._rise(at, resets))

    def expect_sync(self) -> None:
        """Let the next SYNC set the chip's rate, as after a reset."""
        self._life.autobaud = True

    def return_to_download(self) -> None:
        """Reset the chip into its loader, and drop what it has said."""
        self.settle()
        self._life.return_to_download(self._clock.now())
        self._inbox.clear()

    # -- from host to chip

    def _pass_on(self, passage: Passage) -> None:
        now = self._clock.now()
        if passage.ending is not None:
            self._end(passage, max(now, self._host_free_at))
        elif passage.late_s:
            self._agenda.plan(now + passage.late_s, lambda at: self._transmit(passage.data))
        else:
            if passage.stall_s:
                self._host_free_at = max(now, self._host_free_at) + passage.stall_s
            self._transmit(passage.data)

    def _transmit(self, data: bytes) -> None:
        byte_s = self._host_byte_s()
        start = max(self._clock.now(), self._host_free_at)
        joined = start <= self._quiet_from
        self._host_free_at = self._quiet_from = start + len(data) * byte_s
        if self.mode is not Mode.DOWNLOAD or not self._understands(data):
            return
        if self._life.program.buffers:
            self._accept(data, start, byte_s, joined=joined)
            return
        now = self._clock.now()
        pending = self._pending
        while pending and pending[0][0] <= now:
            self._taken = pending.popleft()[1]
        if not pending and self._busy_until <= now:
            self._taken = self._arrived
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
        program = self._life.program
        for end, frame in program.receive(data, joined=joined):
            # What comes behind the frame that ends a program is lost.
            if self.mode is not Mode.DOWNLOAD or program is not self._life.program:
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
            while self._pending and self._pending[0][0] <= at:
                self._taken = self._pending.popleft()[1]
            if not self._pending and self._busy_until <= at:
                self._taken = self._arrived + len(kept)
                return kept + piece[index:]
            until = self._pending[0][0] if self._pending else self._busy_until
            coming = min(len(piece) - index, max(1, int((until - start) / byte_s) - index))
            room = UART_FIFO - (self._arrived + len(kept) - self._taken)
            kept += piece[index : index + min(coming, room)]
            self.count.overruns += max(0, coming - room)
            index += coming
        return kept

    def _understands(self, data: bytes) -> bool:
        if self._over_usb or self.host_baud is None:
            return True
        if self._life.autobaud and _SYNC_FRAME in data:
            self._life.autobaud = False
            if self.host_baud != self.chip.baud:
                self.chip.set_baud(self.host_baud)
        return self._same_rate()

    def _same_rate(self) -> bool:
        host, chip = self.host_baud, self.chip.baud
        if self._over_usb or host is None or host == chip:
            return True
        return abs(host - chip) <= BAUD_TOLERANCE * chip

    def _host_byte_s(self) -> float:
        if not self._paced:
            return 0.0
        return _USB_BYTE_S if self._over_usb else BITS_PER_BYTE / (self.host_baud or ROM_BAUD)

    def _chip_byte_s(self) -> float:
        if not self._paced:
            return 0.0
        return _USB_BYTE_S if self._over_usb else BITS_PER_BYTE / self.chip.baud

    # -- the chip

    def _answer(self, frame: bytes, arrived: float, position: int) -> None:
        """Let the loader take a frame; what it sends goes on the line at its time."""
        begin = max(arrived, self._busy_until)
        loader = self._life.program
        self.count.requests += 1
        self.chip.access.now = begin
        replies = loader.execute(frame)
        done = begin + loader.cost_s if self._paced else begin
        self._pending.append((begin, position))
        for reply in replies:
            if self._replies:
                self._reply_with_faults(reply, done)
            else:
                self._emit(reply, done)
        # A full transmit FIFO holds the loader back.
        byte_s = self._chip_byte_s()
        busy_s = loader.busy_s if self._paced else 0.0
        self._busy_until = max(done, self._line.free_at - UART_FIFO * byte_s) + busy_s
        self._unanswered.append(max(done, self._line.free_at))
        if loader.new_baud:
            self.chip.set_baud(loader.new_baud)
        self._life.after_command(done)
        if loader.next is not Next.LOADER and self.mode is Mode.DOWNLOAD:
            self._leave(max(done, self._line.free_at))

    def _leave(self, at: float) -> None:
        self._life.leave(at)
        if self._life.mode is Mode.DARK and self._over_usb:
            self._agenda.plan(at, lambda then: self._pull(then, None))

    def _reply_with_faults(self, reply: bytes, at: float) -> None:
        for passage in self._replies.apply(reply):
            if self.mode is not Mode.DOWNLOAD:
                return
            if passage.ending is not None:
                self._end(passage, max(at, self._line.free_at))
            elif passage.late_s:
                self._emit_late(passage.data, max(at, self._line.free_at) + passage.late_s)
            else:
                if passage.stall_s:
                    self._line.hold(at, passage.stall_s)
                self._emit(passage.data, at)

    def _emit_late(self, raw: bytes, at: float) -> None:
        resets = self._life.resets

        def emit(then: float) -> None:
            if resets == self._life.resets:
                self._emit(raw, then)

        self._agenda.plan(at, emit)

    def _emit(self, raw: bytes, at: float) -> None:
        self.count.replies += 1
        self._print(raw, at)

    def _print(self, text: bytes, at: float) -> None:
        if not self._same_rate():
            text = text.translate(_GARBLE)
        self._line.send(text, at, self._chip_byte_s())

    # -- what goes on without the host

    def _restarted(self, at: float) -> None:
        self._pending.clear()
        self._unanswered.clear()
        self._taken = self._arrived
        self._busy_until = at

    def _rise(self, at: float, resets: int) -> None:
        # A later reset has taken over.
        if resets == self._life.resets:
            self._life.start(at, download=self._io0_low)

    def _set_usb_lines(self, *, dtr: bool, rts: bool) -> None:
        """DTR alone asks for download mode, RTS alone resets, neither takes the wish back."""
        was_low, self._en_low = self._en_low, rts and not dtr
        if self._en_low and not was_low:
            now = self._clock.now()
            self._life.stop(now)
            self._life.start(now, download=self._io0_low)
        if not rts:
            self._io0_low = dtr

    def _end(self, passage: Passage, at: float) -> None:
        pulls = passage.ending in (Action.UNPLUG, Action.REPLUG)
        if pulls or (passage.ending is Action.KILL and self._over_usb):
            self._life.end(Action.HANG if pulls else Action.KILL, at)
            back_s = passage.back_s if passage.ending is Action.REPLUG else None
            self._agenda.plan(at, lambda then: self._pull(then, back_s))
            if at <= self._clock.now():
                self._agenda.settle()
        elif passage.ending is not None:
            self._life.end(passage.ending, at)

    def _pull(self, at: float, back_s: float | None) -> None:
        """Lose power and cable, for good or for a time."""
        self.unplugged = True
        self.pulls += 1
        self._line.cut(at)
        if back_s is not None:
            self.back_at = at + back_s
            self._agenda.plan(self.back_at, self._plug_in)

    def _plug_in(self, at: float) -> None:
        self.unplugged, self.back_at = False, None
        self._inbox.clear()
        self._restarted(at)
        self._en_low = self._io0_low = False
        self._life.power_on(at)
