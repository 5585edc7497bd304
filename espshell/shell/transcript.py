"""The transcript of a session: commands as a script, and their output as comments.

It can be run again: every command has its full name, with its alias replaced; the lines of a file
that it sources are not repeated; lines that were no commands are comments.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from espshell import __version__, files
from espshell.errors import file_error

_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Transcript:
    """A file to which a session is appended line by line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held = ""  # the beginning of a line of output
        self._stream = files.open_text(path, "a")
        try:
            self.comment(f"espshell {__version__}")
        except OSError as error:
            self.close()
            raise file_error("write", path, error) from error

    def command(self, text: str) -> None:
        """Write a command. Raises: OSError."""
        self._put(text + "\n")

    def comment(self, text: str) -> None:
        """Write lines as comments. Raises: OSError."""
        self.output(text + "\n")

    def output(self, text: str) -> None:
        """Write output without colours as comments, each line once it is complete.

        Raises: OSError.
        """
        *lines, self._held = (self._held + _ESCAPES.sub("", text)).split("\n")
        self._put("".join(f"# {line}".rstrip() + "\n" for line in lines))

    def close(self) -> None:
        """Write the last incomplete line, if possible, and close the file."""
        with contextlib.suppress(OSError):  # all complete lines have been flushed
            if self._held:
                self.output("\n")
        with contextlib.suppress(OSError):
            self._stream.close()

    def _put(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
