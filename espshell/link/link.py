"""Frames over a port, with deadlines of our own; bytes outside of frames are kept as noise.

A deadline is measured on the port's clock and not by its read timeout: a chip in a boot loop sends
without end, and a read that always returns something would never time out.

Which reply belongs to which request is not known here; see ``loader.dialogue``.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator

from espshell.link import trace
from espshell.link.port import Port
from espshell.protocol import packet, slip
from espshell.protocol.packet import Response

_TEXT = bytes(range(0x20, 0x7F)) + b"\t\r\n\x1b"
"""The bytes that a boot log consists of."""

NOISE_KEPT = 8192
"""Bytes of boot log, panic text or garbage that are kept."""


class Link:
    """Requests out, responses in."""

    def __init__(self, port: Port) -> None:
        self.port = port
        self.clock = port.clock
        self.taps: list[trace.Tap] = []
        self._decoder = slip.Decoder(packet.is_response)
        self._ready: deque[Response] = deque()
        self._frames: deque[bytes] | None = None
        self._noise = b""
        self.bytes_sent = 0
        self.bytes_received = 0
        self.damaged = 0
        """Pieces that were neither responses nor text, such as damaged responses."""

    def send(self, data: bytes) -> None:
        """Send bytes without framing them."""
        self.bytes_sent += len(data)
        if self.taps:
            self._tap("tx", data)
        self.port.write(data)

    def receive(self, timeout_s: float) -> Response | None:
        """Return the next response, or None if none is complete before the timeout."""
        return self._ready.popleft() if self._read_until(self._ready.__len__, timeout_s) else None

    def receive_all(self, timeout_s: float) -> list[Response]:
        """Return all responses received; wait for the first of them until the timeout."""
        ready = self._ready
        if not ready:
            self._read_until(ready.__len__, timeout_s)
        responses = list(ready)
        ready.clear()
        return responses

    @contextlib.contextmanager
    def streaming(self, frames: deque[bytes] | None = None) -> Iterator[None]:
        """Keep every frame meanwhile, response or not; see ``receive_frame``.

        frames: those of the same stream that have been decoded already, and more of them.
        """
        self._frames = deque() if frames is None else frames
        self._decoder.accept = bool
        try:
            yield
        finally:
            self._frames = None
            self._decoder.accept = packet.is_response

    def receive_frame(self, timeout_s: float) -> bytes | None:
        """Return the next frame of a stream, or None if none is complete before the timeout."""
        frames = self._frames
        if frames is None:
            raise ValueError("frames are received within `streaming` only")
        return frames.popleft() if self._read_until(frames.__len__, timeout_s) else None

    def hear(self, text: bytes, timeout_s: float) -> bool:
        """Wait for bytes that are not response, such as a greeting; return whether they came."""
        return self._read_until(lambda: text in self.noise, timeout_s)

    def discard(self) -> None:
        """Drop bytes received without a request, at most ``NOISE_KEPT`` if they never end."""
        end = self.bytes_received + NOISE_KEPT
        while self.bytes_received < end and (data := self.port.read(0)):
            self._take(data)
        self._ready.clear()

    def drain(self, quiet_s: float, limit_s: float) -> None:
        """Drop what arrives until nothing has come for ``quiet_s``, but for at most ``limit_s``."""
        end = self.clock.now() + limit_s
        while self.clock.now() < end and (data := self.port.read(quiet_s)):
            self._take(data)
        self._noise = self.noise
        self._decoder.flush()
        self._ready.clear()

    def wire_s(self, size: int) -> float:
        """Return the time that a number of bytes takes on the wire, one way (8N1)."""
        return size * 10 / self.port.baud

    @property
    def noise(self) -> bytes:
        """The last bytes received that were no response: boot logs, panics, garbage."""
        return (self._noise + self._decoder.pending)[-NOISE_KEPT:]

    def forget_noise(self) -> None:
        """Drop the noise received so far."""
        self._noise = b""
        self._decoder.flush()

    def _read_until(self, is_done: Callable[[], object], timeout_s: float) -> bool:
        """Read until something has come, or until the timeout; return whether it has."""
        now = self.clock.now
        deadline = now() + timeout_s
        while not is_done():
            remaining_s = deadline - now()
            if remaining_s <= 0:
                return False
            if data := self.port.read(remaining_s):
                self._take(data)
        return True

    def _take(self, data: bytes) -> None:
        self.bytes_received += len(data)
        if self.taps:
            self._tap("rx", data)
        for piece in self._decoder.feed(data):
            if isinstance(piece, slip.Frame):
                if self._frames is None:
                    self._ready.append(packet.parse_response(piece.data))
                else:
                    self._frames.append(piece.data)
            else:
                self.damaged += bool(piece.data.translate(None, delete=_TEXT))
                self._noise = (self._noise + piece.data)[-NOISE_KEPT:]

    def _tap(self, direction: trace.Direction, data: bytes) -> None:
        for tap in self.taps:
            tap(self.clock.now(), direction, data)
