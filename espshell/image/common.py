"""What the readers of several kinds of files share."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from operator import itemgetter

from espshell.errors import UsageError


def decoded(data: bytes) -> str:
    r"""Return text up to a zero byte; what is not UTF-8 or cannot be printed is escaped, ``\x1b``.

    A file from anywhere must not speak to the terminal.
    """
    text = data.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def joined(
    pieces: Iterable[tuple[int, bytes | bytearray]], twice: Callable[[int], str]
) -> list[tuple[int, bytes]]:
    """Return pieces of memory by address ascending, those that touch as one.

    Raises: UsageError with what ``twice`` says of an address that two pieces have bytes for.
    """
    runs: list[tuple[int, bytearray]] = []
    end = -1
    for address, data in sorted(pieces, key=itemgetter(0)):
        if address < end:
            raise UsageError(twice(address))
        if address != end:
            runs.append((address, bytearray()))
        runs[-1][1].extend(data)
        end = address + len(data)
    return [(address, bytes(data)) for address, data in runs]
