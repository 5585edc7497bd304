"""How loaders cut what arrives into frames; they differ in what is broken or empty."""

from __future__ import annotations

import re
from dataclasses import dataclass

from espshell.protocol import slip

_ESCAPE = re.compile(rb"\xdb(.)", re.DOTALL)
_ESCAPED = {b"\xdc": b"\xc0", b"\xdd": b"\xdb"}


@dataclass(frozen=True, slots=True)
class Framing:
    """What a loader does with frames that are not as they should be.

    Source: transcripts of each loader in ``tests/data``.
    """

    size: int
    """Bytes that fit into its buffer; the rest of a frame is dropped."""
    takes_empty: bool = False
    """C0 C0 is a frame; otherwise the second C0 opens the next."""
    takes_broken: bool = True
    """An escape that does not exist is left out and the frame stands; otherwise the frame goes."""


class Receiver:
    """Cuts a stream into unescaped frames.

    A C0 opens a frame and the next one ends it; what stands between frames is ignored.  After a
    frame that was cut, the C0 that opens the next one ends it.
    """

    def __init__(self, framing: Framing) -> None:
        self._framing = framing
        self._open = False
        self._piece = b""

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """Return the frames that are complete, each with the number of bytes fed until then."""
        found = []
        start = 0
        while (end := data.find(slip.END, start)) >= 0:
            piece = self._piece + data[start:end] if self._piece else data[start:end]
            if not self._open:
                self._open = True
            elif piece or self._framing.takes_empty:
                frame = self._unescaped(piece)
                if frame is not None:
                    found.append((end + 1, frame))
                self._piece = b""
                self._open = False
            start = end + 1
        if self._open and start < len(data):
            # Twice the buffer: every byte may be an escape.
            self._piece = (self._piece + data[start:])[: 2 * self._framing.size]
        return found

    def _unescaped(self, piece: bytes) -> bytes | None:
        data = slip.unescape(piece)
        if data is None and self._framing.takes_broken:
            data = _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], b""), piece)
        return None if data is None else data[: self._framing.size]
