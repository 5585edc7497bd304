"""Text that stands in a file, made fit to be shown."""

from __future__ import annotations


def decoded(data: bytes) -> str:
    r"""Return text up to a zero byte; what is no UTF-8 or cannot be printed is escaped, ``\x1b``.

    A file from anywhere must not speak to the terminal.
    """
    text = data.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
