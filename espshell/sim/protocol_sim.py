"""``sim://`` for pyserial: a simulated chip in virtual time.

``serial.protocol_handler_packages.append("espshell.sim")`` makes ``serial.serial_for_url`` find
this module by its name.  Waiting moves the clock and never blocks; a wait that would last for ever
returns what there is.

A device that a fault has unplugged for a time is kept here by its URL, with its clock, until it is
opened again: that is how a new port finds the old chip.  So is a board such as ``sim://demo``,
which lies on the desk as long as the program runs: what was loaded can be started and looked at.
"""

from __future__ import annotations

import serial
from serial.serialutil import PortNotOpenError, SerialBase

from espshell.clock import VirtualClock
from espshell.sim import url
from espshell.sim.wire import Wire

OPEN_S = 0.1
"""What it costs to find that a device is not there; whoever tries again and again gets on."""

_kept: dict[str, tuple[Wire, VirtualClock]] = {}
"""Boards whose port is closed, and devices that were unplugged and will come back."""


class Serial(SerialBase):
    """A port with a simulated chip behind it.

    The chip is made when the port is opened first; closing and opening again finds it as it was.
    """

    BAUDRATES = SerialBase.BAUDRATES

    clock: VirtualClock
    """Virtual time; it only moves when somebody waits."""
    wire: Wire
    """Chip, cable and counters, once the port has been opened."""

    # What pyserial's base class keeps for the ports that derive from it; its types leave them out.
    _timeout: float | None
    _baudrate: int
    _dtr_state: bool
    _rts_state: bool
    _pulls: int

    def open(self) -> None:
        """Open the port; the lines take the states that were set."""
        if self.is_open:
            raise serial.SerialException("the port is open already")
        if not hasattr(self, "wire"):
            self._find()
        self.wire.settle()
        if self.wire.unplugged:
            self.clock.sleep(OPEN_S)
            raise serial.SerialException(f"could not open port {self.port}: no such device")
        _kept.pop(self.port or "", None)
        self._pulls = self.wire.pulls
        self.is_open = True
        self._reconfigure_port()
        self._update_dtr_state()
        self.reset_input_buffer()

    def close(self) -> None:
        """Close the port; the chip runs on."""
        if self.is_open and self.wire.chip.model.board:
            _kept[self.port or ""] = self.wire, self.clock
        self.is_open = False

    def fileno(self) -> int:
        """Raise: there is no descriptor."""
        raise OSError("a simulated port has no file descriptor")

    @property
    def in_waiting(self) -> int:
        """Bytes that have arrived."""
        return self._check()

    def wait_readable(self, timeout_s: float) -> bool:
        """Move the clock to the arrival of the next byte, at most by the timeout."""
        return self._wait(1, self.clock.now() + timeout_s)

    def read_within(self, timeout_s: float, size: int) -> bytes:
        """Return at most ``size`` bytes; wait for the first of them until the timeout."""
        self.wait_readable(timeout_s)
        return self.wire.receive(size)

    def read(self, size: int = 1) -> bytes:
        """Return at most ``size`` bytes; wait for them as long as ``timeout`` says."""
        timeout_s = self._timeout
        if timeout_s == 0:
            self._check()
        else:
            self._wait(size, None if timeout_s is None else self.clock.now() + timeout_s)
        return self.wire.receive(size)

    def write(self, data: bytes) -> int:  # type: ignore[override]
        """Give bytes to the wire; they take their time from now on."""
        self._check()
        self.wire.send(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Wait until everything has been sent."""
        self._check()
        self.clock.advance_to(self.wire.sent_at)

    def reset_input_buffer(self) -> None:
        """Drop what has arrived."""
        self.wire.receive(self._check())

    def reset_output_buffer(self) -> None:
        """Do nothing: what was written is on the wire already."""
        self._check()

    def _reconfigure_port(self) -> None:
        self.wire.host_baud = self._baudrate

    def _update_dtr_state(self) -> None:
        self.wire.set_lines(dtr=self._dtr_state, rts=self._rts_state)

    _update_rts_state = _update_dtr_state

    def _update_break_state(self) -> None:
        """Ignore it: no loader looks for a break."""

    def _find(self) -> None:
        """Take the device of this URL that was unplugged, or make a new one."""
        name = self.port or ""
        if name in _kept:
            self.wire, self.clock = _kept[name]
        else:
            self.clock = VirtualClock()
            self.wire = Wire(url.parse(name), self.clock)

    def _wait(self, size: int, deadline: float | None) -> bool:
        while self._check() < size:
            at = self.wire.next_event()
            if at is None or (deadline is not None and at > deadline):
                if deadline is not None:
                    self.clock.advance_to(deadline)
                return False
            self.clock.advance_to(at)
        return True

    def _check(self) -> int:
        """Let the wire settle; return how many bytes have arrived.

        Raises: SerialException if the port is closed or unplugged.
        """
        if not self.is_open:
            raise PortNotOpenError
        wire = self.wire
        waiting = wire.settle()
        if wire.pulls != self._pulls:
            if wire.back_at is not None:
                _kept[self.port or ""] = wire, self.clock
            raise serial.SerialException("the simulated device was unplugged")
        return waiting
