"""What a session writes down: a transcript to run again, a log to read, a copy of one command.

A transcript has commands as a script, and their output as comments.  It can be run again: every
command has its full name, with its alias replaced; the lines of a file that it sources are not
repeated; lines that were no commands are comments.
"""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from espshell import __version__, files, regex
from espshell.errors import file_error

_ESCAPES = regex.late(r"\x1b\[[0-9;]*[A-Za-z]")


class Record:
    """What is written down of a session; this one writes nothing."""

    path: Path
    kind: str

    def command(self, text: str) -> None:
        """Write a command. Raises: OSError."""

    def comment(self, text: str) -> None:
        """Write lines that are neither commands nor output. Raises: OSError."""

    def output(self, text: str) -> None:
        """Write output, which may be coloured. Raises: OSError."""

    def close(self) -> None:
        """Write what is left. Raises: OSError."""


class Transcript(Record):
    """A file to which a session is appended line by line, as a script."""

    kind = "transcript"

    _OUTPUT = "# "
    """Stands before each line of output."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held = ""  # the beginning of a line of output
        self._stream = files.open_text(path, "a")
        try:
            self.comment(f"espshell {__version__}")
        except OSError as error:
            with contextlib.suppress(OSError):
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
        self._put("".join(f"{self._OUTPUT}{line}".rstrip() + "\n" for line in lines))

    def close(self) -> None:
        """Write the last incomplete line, and close the file. Raises: OSError."""
        try:
            if self._held:
                self.output("\n")
        finally:
            files.end_record(self._stream, self.path)

    def _put(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class Log(Transcript):
    """The same with the time (UTC) before each line: for reading, not for running again."""

    kind = "log"

    _OUTPUT = ""

    def command(self, text: str) -> None:
        """Write a command. Raises: OSError."""
        self._put(f"> {text}\n")

    def _put(self, text: str) -> None:
        now = time.time()
        stamp = (
            f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(now))}.{int(now * 1000) % 1000:03}Z"
        )
        super()._put("".join(f"{stamp}  {line}\n" for line in text.splitlines()))


class Copy(Record):
    """The output of one command, without colours."""

    path = Path("a copy")
    kind = "copy"

    def __init__(self) -> None:
        self._pieces: list[str] = []

    @property
    def text(self) -> str:
        """All of it."""
        return _ESCAPES.sub("", "".join(self._pieces))

    def output(self, text: str) -> None:
        """Keep a piece of output."""
        self._pieces.append(text)
