"""Where results, notes and errors go: one funnel for the screen, files, pipes and ``--json``.

Results go to stdout, everything else to stderr.  Without a terminal there is no colour and no
progress.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from espshell import files
from espshell.errors import UsageError, file_error, printable, system_reason
from espshell.ops.progress import Step
from espshell.render.theme import RESET, STYLES, paint, sgr
from espshell.units import size_text

if TYPE_CHECKING:
    from rich.progress import Progress

    from espshell.shell.transcript import Transcript

_PROGRESS_AFTER_S = 0.5
_HAD_ENOUGH = (-13, 141)
"""What a shell ends with whose reader has closed its pipe: SIGPIPE, told in two ways."""

_PAINTED = re.compile("|".join(re.escape(code) for code in {RESET, *map(sgr, STYLES)}))


def safe(text: str) -> str:
    """Return text that may go to a terminal: nothing of it does more than our own colours do."""
    if "\x1b" not in text:
        return printable(text)
    parts = (printable(part) for part in _PAINTED.split(text))
    return "".join(
        itertools.chain(*itertools.zip_longest(parts, _PAINTED.findall(text), fillvalue=""))
    )


class Output:
    """The streams of one run and how they are written to."""

    def __init__(
        self,
        *,
        as_json: bool = False,
        color: str = "auto",
        stdout: IO[str] | None = None,
        stderr: IO[str] | None = None,
    ) -> None:
        self.as_json = as_json
        self._stdout = stdout or sys.stdout
        self.stderr = stderr or sys.stderr
        self.color_when = color
        """``auto``, ``always`` or ``never``."""
        self._redirected = False
        self._bar: _Bar | None = None
        self._is_silent = False
        self.worded: Callable[[str], str] = str
        """How a note is worded for the command that runs."""
        self.transcript: Transcript | None = None
        """Where all of it is written to, too."""

    @property
    def color(self) -> bool:
        """Whether results are coloured."""
        return not self._redirected and self._wants_color(self._stdout)

    @property
    def color_notes(self) -> bool:
        """Whether notes and errors are coloured."""
        return self._wants_color(self.stderr)

    def write(self, text: str) -> None:
        """Write a piece of a result, in one call. Raises: UsageError if it cannot be written."""
        if self._stdout.isatty():
            self._end_progress()
        with self._told():
            self._stdout.write(text)
        if not self._redirected:
            self.logged(lambda transcript: transcript.output(text))

    def logged(self, write: Callable[[Transcript], None]) -> None:
        """Write to the transcript, if there is one; if that fails, say so and have none."""
        transcript = self.transcript
        if transcript is None:
            return
        try:
            write(transcript)
        except OSError as error:
            self.transcript = None
            transcript.close()
            self.error(f"the transcript {transcript.path} ends here: {system_reason(error)}")

    def lines(self, lines: Sequence[str]) -> None:
        """Write a result."""
        if lines:
            self.write(safe("\n".join(lines) + "\n"))

    @property
    def live_rows(self) -> int:
        """Rows of a terminal that results go to, which can be drawn over; 0 if it is none."""
        if self.as_json or self._redirected or not self._stdout.isatty():
            return 0
        return shutil.get_terminal_size().lines

    @property
    def width(self) -> int:
        """Columns of the terminal that results go to; 0 if it is none."""
        return shutil.get_terminal_size().columns if self.live_rows else 0

    def object(self, value: object) -> None:
        """Write one JSON object on one line."""
        self.write(json.dumps(value) + "\n")

    def note(self, text: str) -> None:
        """Tell something that is no result."""
        if not self._is_silent and (text := self.worded(text)):
            self._tell(paint(printable(text), "note", color=self.color_notes))

    def error(self, text: str) -> None:
        """Tell what went wrong, on one line."""
        self._tell(paint(printable(text), "error", color=self.color_notes))

    def plain(self, text: str) -> None:
        """Tell something without a colour: a line of a script."""
        self._tell(printable(text))

    def progress(self, step: Step) -> None:
        """Show how far a long operation has come, on a terminal, after half a second."""
        if self.as_json or not self.stderr.isatty():
            return
        if self._bar is None:
            self._bar = _Bar(self.stderr)
        with contextlib.suppress(OSError):  # a terminal that is gone stops no write half-way
            self._bar.show(step)

    def _end_progress(self) -> None:
        bar, self._bar = self._bar, None
        if bar is not None:
            with contextlib.suppress(OSError):
                bar.close()

    def interrupted(self) -> None:
        """Tell that Ctrl-C was pressed, over the ``^C`` that the terminal has written."""
        self._end_progress()
        start = "\r" if self.stderr.isatty() else ""
        self._tell(start + paint("interrupted", "note", color=self.color_notes))

    def finished(self) -> None:
        """Bring out what a command has written, and take away what it has left on the screen."""
        self._end_progress()
        with self._told():
            self._stdout.flush()

    @contextlib.contextmanager
    def to_file(self, path: Path, *, append: bool) -> Iterator[None]:
        """Send results to a file meanwhile; if anything fails, the file is as it was before.

        Raises: UsageError if it cannot be written.
        """
        path = files.real_path(path)  # so that a link stays one
        if append or (files.exists(path) and not files.is_file(path)):
            with _opened(path, "a" if append else "w") as stream, self._instead(stream):
                yield
            return
        with (
            files.new_file(path) as temporary,
            _opened(temporary, "w") as stream,
            self._instead(stream),
        ):
            yield

    @contextlib.contextmanager
    def to_shell(self, text: str) -> Iterator[None]:
        """Send results to a shell command meanwhile. Raises: UsageError if that one fails."""
        import subprocess

        self.finished()
        pipe = subprocess.PIPE
        with subprocess.Popen(text, shell=True, stdin=pipe, encoding="utf-8") as process:
            closing = contextlib.closing(cast(IO[str], process.stdin))
            # A reader that has had enough ends the command, and that is no failure.
            with contextlib.suppress(BrokenPipeError), closing as stream, self._instead(stream):
                yield
        if process.returncode not in (0, *_HAD_ENOUGH):
            raise UsageError(f"`{text}` failed with status {process.returncode}")

    @contextlib.contextmanager
    def silenced(self) -> Iterator[None]:
        """Show errors only meanwhile."""
        self._is_silent = True
        try:
            with open(os.devnull, "w", encoding="utf-8") as nowhere, self._instead(nowhere):
                yield
        finally:
            self._is_silent = False

    @contextlib.contextmanager
    def _instead(self, stream: IO[str]) -> Iterator[None]:
        kept, self._stdout, self._redirected = self._stdout, stream, True
        try:
            yield
            self.finished()
        finally:
            self._stdout, self._redirected = kept, False

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Make an error of the system ours; that nobody reads on is not for us to judge."""
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            raise file_error("write", "the results", error) from error

    def _tell(self, text: str) -> None:
        self._end_progress()
        with contextlib.suppress(OSError):  # who has failed already has been told so
            self._stdout.flush()
        with contextlib.suppress(OSError):  # nobody can be told that nobody can be told
            self.stderr.write(text + "\n")
            self.stderr.flush()
        self.logged(lambda transcript: transcript.comment(text))

    def _wants_color(self, stream: IO[str]) -> bool:
        if self.color_when != "auto":
            return self.color_when == "always"
        if "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb":
            return False
        return stream.isatty()


class _Bar:
    """A progress bar of rich, made only when an operation takes longer than half a second."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._start = time.monotonic()
        self._progress: Progress | None = None

    def show(self, step: Step) -> None:
        if self._progress is None:
            if time.monotonic() - self._start < _PROGRESS_AFTER_S or step.done >= step.total:
                return
            self._progress = self._open(step)
        self._progress.update(
            self._progress.task_ids[0],
            completed=step.done,
            total=step.total,
            description=f"{step.action} {size_text(step.total)}",
        )

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _open(self, step: Step) -> Progress:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        progress = Progress(*columns, console=Console(file=self._stream), transient=True)
        progress.add_task(step.action, total=step.total)
        progress.start()
        return progress


@contextlib.contextmanager
def _opened(path: Path, mode: str) -> Iterator[IO[str]]:
    """Open a file for text; if anything fails, take off again what was appended to it."""
    try:
        with files.open_text(path, mode) as stream:
            size = stream.tell() if files.is_file(path) else None
            try:
                yield stream
            except BaseException:
                if size is not None:
                    stream.truncate(size)
                raise
    except OSError as error:
        raise file_error("write", path, error) from error
