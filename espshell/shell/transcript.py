"""The transcript of a session: commands as a script, and what came of them as comments.

It can be run again: a command stands there with its full name and its alias replaced, once, and not
again for the lines of a file that it has sourced; what was no command is a comment.
"""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from espshell import __version__, files
from espshell.errors import file_error

_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Transcript:
    """A file that a session is written to, line by line; what it held before stays."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held = ""  # of a line of output that is not whole yet
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
        """Write lines that are no commands. Raises: OSError."""
        self.output(text + "\n")

    def output(self, text: str) -> None:
        """Write a piece of output, colours taken off, as comments, when its line is whole.

        Raises: OSError.
        """
        *lines, self._held = (self._held + _ESCAPES.sub("", text)).split("\n")
        self._put("".join(f"# {line}".rstrip() + "\n" for line in lines))

    def close(self) -> None:
        """Write what is left, if that can be, and close the file."""
        with contextlib.suppress(OSError):  # each whole line has been written and flushed already
            if self._held:
                self.output("\n")
        with contextlib.suppress(OSError):
            self._stream.close()

    def _put(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
