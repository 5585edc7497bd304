"""How loaders cut what arrives into frames; they differ in what is broken, empty or too early.

Sources: the transcripts of each loader in ``tests/data`` (``framing-*.json`` for what is damaged);
for the stubs also their sources, for what has not been recorded: slip.c and frame_buffer.c of
esp-flasher-stub, and the legacy stub's behaviour at a wrong escape.
"""

from __future__ import annotations

import re
from typing import Protocol

from espshell.protocol import slip
from espshell.protocol.packet import HEADER

_ESCAPE = re.compile(rb"\xdb(.)", re.DOTALL)
_ESCAPED = {b"\xdc": b"\xc0", b"\xdd": b"\xdb"}
_RIGHT_ESCAPE = re.compile(rb"[\xdc\xdd]")
_WRONG_ESCAPE = re.compile(rb"\xdb[^\xdc\xdd]", re.DOTALL)

Frames = list[tuple[int, bytes]]
"""Unescaped frames, each with the number of bytes fed until its end."""


class Receiver(Protocol):
    """A loader's end of the line."""

    def feed(self, data: bytes, *, joined: bool = False) -> Frames:
        """Return the frames that are complete; ``joined``: no pause before these bytes."""


class RomReceiver:
    """The ROM's: a C0 opens a frame and the next one ends it; empty frames do not exist.

    What stands between frames is ignored, and an escape that does not exist is left out.  After a
    frame that was cut, the C0 that opens the next one ends it.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._open = False
        self._piece = b""

    def feed(self, data: bytes, *, joined: bool = False) -> Frames:
        """Return the frames that are complete."""
        frames: Frames = []
        *pieces, rest = data.split(slip.END)
        end = 0
        for piece in pieces:
            end += len(piece) + 1
            if not self._open:
                self._open = True
            elif piece := self._piece + piece:
                frame = slip.unescape(piece)
                if frame is None:
                    frame = _ESCAPE.sub(lambda match: _ESCAPED.get(match[1], b""), piece)
                frames.append((end, frame[: self._size]))
                self._piece = b""
                self._open = False
        if self._open and rest:
            # Twice the buffer: every byte may be an escape.
            self._piece = (self._piece + rest)[: 2 * self._size]
        return frames


class LegacyReceiver:
    """That of a version 1 stub: two buffers in turn, never cleared.

    Each second C0 ends a frame, also an empty one, and whatever its buffer then holds is a command,
    as long as the size field in it says.  So after an odd C0 each request is received between
    frames, and the C0 before it has an older one executed again.  Of several frames without a
    pause between them the last is executed.  After a wrong escape nothing is kept until a second
    byte of a right one comes.
    """

    def __init__(self, size: int) -> None:
        self._buffer, self._other = bytearray(size), bytearray(size)
        self._fill = 0
        self._open = False
        self._escaping = False
        self._has_frame = False

    def feed(self, data: bytes, *, joined: bool = False) -> Frames:
        """Return the last frame that is complete, as a list of at most one."""
        lost = joined and self._has_frame
        last: Frames = []
        start = 0
        while start < len(data):
            end = data.find(slip.END, start)
            if self._open:
                self._put(data[start : end if end >= 0 else len(data)])
            if end < 0:
                break
            if self._open:
                frame = self._buffer
                self._buffer, self._other = self._other, frame
                self._fill, self._escaping = 0, False
                size = HEADER.size + int.from_bytes(frame[2:4], "little")
                last = [(end + 1, bytes(frame[:size]))]
            self._open = not self._open
            start = end + 1
        self._has_frame = lost or bool(last)
        return [] if lost else last

    def _put(self, piece: bytes) -> None:
        while piece:
            if self._escaping:
                match = _RIGHT_ESCAPE.search(piece)
                if match is None:
                    return
                self._append(_ESCAPED[match[0]])
                piece = piece[match.end() :]
            plain, escape, piece = piece.partition(slip.ESC)
            self._append(plain)
            self._escaping = bool(escape)

    def _append(self, data: bytes) -> None:
        data = data[: len(self._buffer) - self._fill]
        self._buffer[self._fill : self._fill + len(data)] = data
        self._fill += len(data)


class StrictReceiver:
    """That of a version 2 stub: each second C0 ends a frame, and an empty one counts for nothing.

    So after an odd C0 it is deaf.  A wrong escape drops the frame.  What follows a frame, whole or
    dropped, without a pause is lost.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._open = False
        self._piece = b""
        self._full = False

    def feed(self, data: bytes, *, joined: bool = False) -> Frames:
        """Return the frame that is complete, as a list of at most one."""
        self._full = self._full and joined
        start = 0
        while start < len(data) and not self._full:
            end = data.find(slip.END, start)
            if self._open:
                self._piece += data[start : end if end >= 0 else len(data)]
                # Twice the buffer: every byte may be an escape.
                if len(self._piece) > 2 * self._size or _WRONG_ESCAPE.search(self._piece):
                    self._close()
                    break
            if end < 0:
                break
            if self._piece:
                frame = slip.unescape(self._piece) or b""
                self._close()
                return [(end + 1, frame)]
            self._open = not self._open
            start = end + 1
        return []

    def _close(self) -> None:
        self._open, self._piece, self._full = False, b"", True
