"""The traffic on the wire: show it, record it, and play a recording back.

All three use the one hook of a link: it calls a tap with every chunk that passes.

A recording is a text file with one JSON object a line: ``{"t": seconds, "dir": "tx" | "rx", "data":
hex}``.  ``ReplayPort`` is a port that answers from one: it insists on the same bytes in the same
order, so a session recorded from hardware once remains a test.
"""

from __future__ import annotations

import contextlib
import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Literal

from espshell import files
from espshell.clock import Clock, VirtualClock
from espshell.errors import DeviceError, UsageError, system_reason
from espshell.protocol import packet, slip
from espshell.protocol.packet import Opcode
from espshell.records import dataclass

Direction = Literal["tx", "rx"]
Tap = Callable[[float, Direction, bytes], None]
"""Called with the time in seconds, the direction as the host sees it, and the bytes."""


@dataclass(frozen=True, slots=True)
class Event:
    """One recorded chunk."""

    seconds: float
    direction: Direction
    data: bytes


class Recorder:
    """A tap that writes a recording to a new file.

    If that fails later (a full disk), the recording ends there and ``warn`` gets a message: work on
    a chip never stops half-way for it.

    Raises: UsageError if the file cannot be opened.
    """

    def __init__(self, path: Path, warn: Callable[[str], object]) -> None:
        self._path = path
        self._warn = warn
        self._file = files.open_text(path, "w")
        self._start: float | None = None
        self._has_failed = False

    def close(self) -> None:
        """Close the file; every line has been flushed."""
        if not self._has_failed:
            try:
                files.end_record(self._file, self._path)
            except OSError as error:
                self._fail(error)

    def __call__(self, now: float, direction: Direction, data: bytes) -> None:
        """Write one chunk as a line."""
        if self._has_failed:
            return
        self._start = now if self._start is None else self._start
        event = {"t": round(now - self._start, 6), "dir": direction, "data": data.hex()}
        try:
            self._file.write(json.dumps(event) + "\n")
            self._file.flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        self._has_failed = True
        with contextlib.suppress(OSError):
            files.end_record(self._file, self._path)
        self._warn(f"the trace {self._path} ends here: {system_reason(error)}")


class Viewer:
    """A tap that writes a line for each frame, for a person; errors of the output are ignored."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._start: float | None = None
        self._decoders = {
            "tx": slip.Decoder(lambda data: len(data) >= packet.HEADER.size and not data[0]),
            "rx": slip.Decoder(packet.is_response),
        }

    def close(self) -> None:
        """Do nothing: the screen stays open."""

    def __call__(self, now: float, direction: Direction, data: bytes) -> None:
        """Write a line for every frame and every piece of noise that this chunk completes."""
        self._start = now if self._start is None else self._start
        for piece in self._decoders[direction].feed(data):
            arrow = "→" if direction == "tx" else "←"
            with contextlib.suppress(OSError):
                self._write(f"{now - self._start:9.4f} {arrow} {describe(direction, piece)}\n")


def describe(direction: Direction, piece: slip.Frame | slip.Noise) -> str:
    """Return one line for a frame or for noise: the command by name, then the bytes."""
    if isinstance(piece, slip.Noise):
        return f"noise {piece.data[:64]!r}{'...' if len(piece.data) > 64 else ''}"
    opcode, body = piece.data[1], piece.data[8:]
    name = Opcode(opcode).name if opcode in set(Opcode) else f"opcode 0x{opcode:02x}"
    value = int.from_bytes(piece.data[4:8], "little")
    label = "check" if direction == "tx" else "value"
    tail = f"{body[:48].hex(' ', 4)}{'...' if len(body) > 48 else ''}"
    return f"{name:<18} {label} {value:08x}  {len(body):4} bytes  {tail}"


def read_recording(path: Path) -> tuple[Event, ...]:
    """Read a recording.

    Raises: UsageError if the file cannot be read or is not a recording, with the line.
    """
    lines = files.read_text(path, files.RECORDING).splitlines()
    try:
        return tuple(_events(lines))
    except ValueError as error:
        raise UsageError(f"{path} is not a recording: {error}") from error


def _events(lines: Iterable[str]) -> Iterator[Event]:
    for number, line in enumerate(lines, 1):
        try:
            fields = json.loads(line)
            direction = fields["dir"]
            if direction not in ("tx", "rx"):
                raise KeyError(direction)
            yield Event(float(fields["t"]), direction, bytes.fromhex(fields["data"]))
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise ValueError(f"line {number}") from error


class ReplayPort:
    """A port that answers from a recording, in virtual time, and insists on the same requests.

    A recorded chunk can be read once all bytes that were written before it have been written again,
    in pieces of any size.  Time passes as recorded, except that a pause longer than the reader
    waits is left out: then the host was busy, or a person was.
    """

    has_lines = True
    """Lines are not recorded; the chip that was recorded was reset, or needed none."""

    def __init__(self, events: Iterable[Event], *, url: str = "replay", baud: int = 115200) -> None:
        self.url = url
        self.baud = baud
        self.clock: Clock = VirtualClock()
        self._arrivals: deque[tuple[int, float, bytes]] = deque()
        # Bytes written before it, the pause since the event before, and the chunk.
        self._expected = bytearray()
        self._written = 0
        before = 0.0
        for event in events:
            if event.direction == "tx":
                self._expected += event.data
            else:
                pause_s = event.seconds - before
                self._arrivals.append((len(self._expected), pause_s, event.data))
            before = event.seconds

    def read(self, wait_s: float) -> bytes:
        """Return the next recorded chunk, once everything before it has been written."""
        if self._arrivals and self._arrivals[0][0] <= self._written:
            _, pause_s, data = self._arrivals.popleft()
            self.clock.sleep(pause_s if pause_s < wait_s else 0.0)
            return data
        self.clock.sleep(wait_s)
        return b""

    def write(self, data: bytes) -> None:
        """Compare bytes with those that were written when this was recorded.

        Raises: DeviceError if they differ, or if the recording is over; none count as written.
        """
        expected = bytes(self._expected[self._written : self._written + len(data)])
        if data != expected:
            goes_on = f"goes on with {_shortened(expected)}" if expected else "is over"
            place = f"after {self._written} bytes the recording {goes_on}"
            raise DeviceError(f"{place}, but {_shortened(data)} was sent")
        self._written += len(data)

    def set_lines(self, *, dtr: bool | None = None, rts: bool | None = None) -> None:
        """Do nothing: lines are not recorded."""

    def close(self) -> None:
        """Do nothing."""


def _shortened(data: bytes) -> str:
    return f"{data[:32].hex()}{'...' if len(data) > 32 else ''}"
