r"""SLIP framing (RFC 1055) as Espressif's loaders use it: a frame stands between two C0 bytes.

Theory of this file.  A stream is cut at *every* C0, and each piece is examined by itself: a piece
that unescapes well and that the caller accepts is a ``Frame``, any other piece is ``Noise``.  There
is no "inside a frame" state that a stray C0 in a boot log could turn inside out, so the decoder is
in step again with the very next frame.  Everything is done with methods of ``bytes``, which decodes
a MiB in a few milliseconds.

Source: RFC 1055; behaviour of the ROMs recorded in ``tests/data/esp32-rom.json``.
"""

from __future__ import annotations

from collections.abc import Callable

from espshell.records import dataclass

END = b"\xc0"
ESC = b"\xdb"
_ESCAPED_END = b"\xdb\xdc"
_ESCAPED_ESC = b"\xdb\xdd"

MAX_PIECE = 64 * 1024
"""A piece without a C0 that grows beyond this is given up as noise (bytes)."""


@dataclass(frozen=True, slots=True)
class Frame:
    """The unescaped contents of one frame."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Noise:
    """Bytes that are not a frame: boot log, panic text, a damaged reply; not unescaped."""

    data: bytes


def escape(data: bytes) -> bytes:
    """Return data with C0 and DB escaped, without the C0 around it."""
    return data.replace(ESC, _ESCAPED_ESC).replace(END, _ESCAPED_END)


def encode(data: bytes) -> bytes:
    """Return data as a whole frame."""
    return END + escape(data) + END


def unescape(piece: bytes) -> bytes | None:
    """Return the contents of a frame, or None if it has an escape that does not exist."""
    if ESC not in piece:
        return piece
    if piece.count(ESC) != piece.count(_ESCAPED_END) + piece.count(_ESCAPED_ESC):
        return None
    return piece.replace(_ESCAPED_END, END).replace(_ESCAPED_ESC, ESC)


class Decoder:
    """Cuts a stream into frames and noise: each unescaped piece that ``accept`` refuses."""

    def __init__(self, accept: Callable[[bytes], bool]) -> None:
        self.accept = accept
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame | Noise]:
        """Take received bytes in pieces of any size; return what they complete, in order."""
        pieces = (self._rest + data).split(END)
        self._rest = pieces.pop()
        result: list[Frame | Noise] = []
        for piece in filter(None, pieces):
            contents = unescape(piece)
            if contents is not None and self.accept(contents):
                result.append(Frame(contents))
            else:
                result.append(Noise(piece))
        if len(self._rest) > MAX_PIECE:
            result.append(self.flush())
        return result

    def flush(self) -> Noise:
        """Return the bytes that wait for their C0 as noise (perhaps empty), and drop them."""
        rest, self._rest = self._rest, b""
        return Noise(rest)

    @property
    def pending(self) -> bytes:
        """The bytes since the last C0."""
        return self._rest
