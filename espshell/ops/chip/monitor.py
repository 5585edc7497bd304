r"""The verb ``monitor``: what a chip says while no loader runs, made safe to show.

A chip may say anything, and a terminal obeys: it moves the cursor, changes its title, pastes.  So
all control characters become visible (``\x1b``), and so do invisible ones of Unicode.  Let through
are ends of lines, tabs and, where colours are wanted, the few sequences by which ESP-IDF colours
its log; a carriage return alone begins a new line.  What a read has cut waits for the next one.

Source: colours as in ESP-IDF's ``esp_log_color.h``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from espshell.link.port import Port
from espshell.link.trace import Tap
from espshell.ops.result import Result
from espshell.protocol.bootlog import Heard, recognise
from espshell.units import KIB

KEPT = 64 * KIB
"""How much of the output is kept: its last characters, and its last bytes for a diagnosis."""

_POLL_S = 0.2
_COLOR = r"\x1b\[(?:[01]|(?:[01];)?3[0-7])?m"
_UNSAFE = re.compile(rf"\r*\n|\r+|{_COLOR}|[^\t\x20-\x7e]")
_CUT = re.compile(r"(?:\r+|\x1b(?:\[[0-9;]{0,4})?)\Z")


class SafeText:
    """Bytes as they arrive to text that is safe to show; ``color`` lets a log's colours through."""

    def __init__(self, *, color: bool = False) -> None:
        self._color = color
        self._decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
        self._held = ""

    def feed(self, data: bytes, *, final: bool = False) -> str:
        """Return the text of more bytes, as far as it is whole; with ``final`` all of it."""
        text = self._held + self._decoder.decode(data, final)
        cut = None if final else _CUT.search(text)
        end = cut.start() if cut else len(text)
        self._held = text[end:]
        return _UNSAFE.sub(self._safe, text[:end])

    def _safe(self, match: re.Match[str]) -> str:
        text = match[0]
        if text[0] in "\r\n":
            return "\n"
        if len(text) > 1:
            return text if self._color else ""
        if text.isprintable():
            return text
        code = ord(text)
        if code < 0x100:
            return f"\\x{code:02x}"
        return f"\\u{code:04x}" if code < 0x1_0000 else f"\\U{code:08x}"


@dataclass(frozen=True, slots=True)
class Monitored(Result):
    """What a chip has said."""

    text: str
    """Safe to show, without colours; the last of it if it was much."""
    size: int
    """Bytes of all of it."""
    seconds: float
    until: str
    """The text that was waited for, if any."""
    found: bool
    heard: Heard
    """Boot messages and crashes that were recognised in it."""
    interrupted: bool = False

    @property
    def failure(self) -> str:
        """The text that has not come, and what happened instead."""
        if self.found or not self.until:
            return ""
        why = f"; {self.heard.sentence}" if self.heard.sentence else ""
        return f"`{self.until}` did not appear within {self.seconds:.3g} s{why}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What happened to the chip, in one line, if anything did; else the failure says it."""
        return (self.heard.sentence,) if self.ok and self.heard.sentence else ()


class Monitor:
    """Listens on a port.

    until: a text at which it stops; it may have been cut by reads, and colours do not matter.
    taps: told of every byte.
    """

    def __init__(self, port: Port, *, until: str = "", taps: Sequence[Tap] = ()) -> None:
        self._port = port
        self._until = until
        self._taps = taps
        self._plain = SafeText()
        self._text = ""
        self._tail = b""
        self._size = 0
        self._seconds = 0.0
        self.found = False

    def take(self, data: bytes) -> None:
        """Take bytes that have arrived already."""
        self._add(self._plain.feed(data))
        self._size += len(data)
        self._tail = (self._tail + data)[-KEPT:]

    def listen(self, timeout_s: float | None) -> Iterator[bytes]:
        """Yield what arrives until the text has come or the time is over; None: for ever."""
        clock = self._port.clock
        start = clock.now()
        while not self.found:
            rest_s = _POLL_S if timeout_s is None else start + timeout_s - clock.now()
            if rest_s <= 0:
                break
            data = self._port.read(min(rest_s, _POLL_S))
            self._seconds = clock.now() - start
            if data:
                for tap in self._taps:
                    tap(clock.now(), "rx", data)
                self.take(data)
                yield data

    def result(self, *, interrupted: bool = False) -> Monitored:
        """Return all that has arrived so far."""
        self._add(self._plain.feed(b"", final=True))
        return Monitored(
            text=self._text[-KEPT:],
            size=self._size,
            seconds=self._seconds,
            until=self._until,
            found=self.found,
            heard=recognise(self._tail),
            interrupted=interrupted,
        )

    def _add(self, text: str) -> None:
        start = max(0, len(self._text) - len(self._until))
        self._text += text
        if self._until and self._text.find(self._until, start) >= 0:
            self.found = True
        if len(self._text) > 2 * KEPT:
            self._text = self._text[-KEPT:]


def monitor(
    port: Port,
    *,
    timeout_s: float | None = None,
    until: str = "",
    show: Callable[[bytes], object] = bool,
) -> Monitored:
    """Listen until a text has come or the time is over; ``show`` is given what arrives.

    Blocks for ever where neither is given.
    """
    listener = Monitor(port, until=until)
    for data in listener.listen(timeout_s):
        show(data)
    return listener.result()
