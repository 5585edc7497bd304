"""A simulated chip behind RFC 2217, which carries DTR, RTS and the rate; served by pyserial's code.

The wire must know the order of bytes and lines: what a client has sent before it moves a line goes
on the wire first.

A client that lets EN go while it pulls IO0 moves two lines, and by RFC 2217 waits 50 ms or more
between them: no capacitor at EN is that large.  So both lines asserted, straight out of reset, is
taken for half of a step and kept until the other half, or data, comes.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import serial

from espshell.sim.clients import TcpClient
from espshell.sim.models import ROM_BAUD

if TYPE_CHECKING:
    from serial.rfc2217 import PortManager

    from espshell.sim.wire import Wire


_RESET = (False, True)
"""DTR and RTS of a chip that is held in reset."""


class Rfc2217Port:
    """What ``PortManager`` takes for a serial port: settings, and lines that move the chip's."""

    cts = dsr = cd = True
    ri = False
    bytesize, parity, stopbits = serial.EIGHTBITS, serial.PARITY_NONE, serial.STOPBITS_ONE
    xonxoff = rtscts = break_condition = False

    def __init__(self, client: Rfc2217Client, wire: Wire) -> None:
        self.baudrate = ROM_BAUD
        self._client = client
        self._wire = wire
        self._dtr = self._rts = False
        self._moved = (False, False)

    @property
    def dtr(self) -> bool:
        """Whether the line is asserted."""
        return self._dtr

    @dtr.setter
    def dtr(self, state: bool) -> None:
        self._dtr = state
        self._move()

    @property
    def rts(self) -> bool:
        """Whether the line is asserted."""
        return self._rts

    @rts.setter
    def rts(self, state: bool) -> None:
        self._rts = state
        self._move()

    def reset_input_buffer(self) -> None:
        """Drop what the chip has sent and the client has not been given."""
        self._wire.receive(self._wire.waiting)

    def reset_output_buffer(self) -> None:
        """Do nothing: what was sent is on the wire already."""

    def _move(self) -> None:
        self._client.pass_on()
        if (self._moved, self._dtr, self._rts) != (_RESET, True, True):
            self.settle()

    def settle(self) -> None:
        """Move the chip's lines to where the client wants them."""
        lines = (self._dtr, self._rts)
        if lines != self._moved:
            self._moved = lines
            self._wire.set_lines(dtr=self._dtr, rts=self._rts)


class Rfc2217Client(TcpClient):
    """A listening socket and at most one connection that speaks RFC 2217."""

    has_lines = True

    def __init__(self, host: str, port: int, wire: Wire) -> None:
        super().__init__(host, port)
        self._wire = wire
        self._port = Rfc2217Port(self, wire)
        self._manager: PortManager | None = None
        self._gathered = bytearray()

    def wait(self, timeout_s: float | None) -> bytes:
        """Return data for the chip; commands of the protocol are carried out on the port."""
        raw = super().wait(timeout_s)
        if self._manager is None:
            return b""
        for byte in self._manager.filter(raw):
            self._gathered += byte
        data = bytes(self._gathered)
        self._gathered.clear()
        if data:
            self._port.settle()
        return data

    def pass_on(self) -> None:
        """Send what has been gathered, before a line moves."""
        if self._gathered:
            self._wire.host_baud = self._port.baudrate
            self._wire.send(bytes(self._gathered))
            self._gathered.clear()

    def send(self, data: bytes) -> None:
        """Send everything; without a client it is lost."""
        if self._manager is not None:
            super().send(b"".join(self._manager.escape(data)))

    def baud(self) -> int | None:
        """Return the rate that the client has set."""
        return self._port.baudrate

    def write(self, data: bytes) -> None:
        """Send bytes of the protocol itself; called by the manager."""
        super().send(data)

    def _greet(self) -> None:
        from serial.rfc2217 import PortManager

        self._port.baudrate = ROM_BAUD
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # pyserial 3.5
            self._manager = PortManager(self._port, self)  # type: ignore[arg-type]

    def _hang_up(self) -> None:
        super()._hang_up()
        self._manager = None
