"""Where results, notes and errors go: one funnel for the screen, files, pipes and ``--json``.

Results go to stdout, everything else to stderr.  Without a terminal there is no colour and no
progress.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from espshell import files
from espshell.errors import UsageError, file_error, system_reason
from espshell.ops.result import Step
from espshell.records import replace
from espshell.render.document import Document, Styled, Text
from espshell.render.hexdump import Hexdump
from espshell.render.theme import chosen, paint, recolored, themed_console
from espshell.render.view import COLUMNS, View
from espshell.signals import exit_status, uninterrupted
from espshell.units import size_text

if TYPE_CHECKING:
    from rich.progress import Progress

    from espshell.shell.transcript import Copy, Record, Transcript

STREAM_ABOVE = 1024
"""Bytes above which a hexdump is written row by row, as it arrives."""

_PROGRESS_AFTER_S = 0.5
_HAD_ENOUGH = 141
"""What a command ends with whose reader has closed its pipe: SIGPIPE."""
_NO_COMMAND = (126, 127)
"""What a shell ends with that cannot run a command."""


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
        self.theme = "auto"
        """The colours, one of ``theme.THEME_NAMES``."""
        self.background = ""
        """``dark`` or ``light``, as the terminal has answered; empty if it has not been asked."""
        self._redirected = False
        self._bar: _Bar | None = None
        self._alive_since = 0.0
        self._is_alive_shown = False
        self._alive_text = self._alive_around = ""
        self._alive_timer: threading.Timer | None = None
        self._alive_lock = threading.Lock()
        self._is_silent = False
        self.worded: Callable[[str], str] = str
        """How a note is worded for the command that runs."""
        self.pager: Callable[[], str] = str
        """Returns what shows a result that does not fit: a command, ``auto`` or nothing."""
        self.transcript: Transcript | None = None
        """Where all of it is written to, too."""
        self.records: list[Record] = []
        """And where else: a log, copies for a report."""
        self.record_status = 0
        """What the program ends with, at least: 2 if a record of it is not complete."""

    @property
    def is_recorded(self) -> bool:
        """Whether somebody keeps a record of what is shown."""
        return bool(self.transcript or self.records)

    @property
    def color(self) -> bool:
        """Whether results are coloured."""
        if self._redirected:
            return False
        return self._wants_color(is_terminal=self._is_at_terminal)

    @cached_property
    def _is_at_terminal(self) -> bool:
        """Whether results that are not redirected go to a terminal: asked once, not a line."""
        return self._stdout.isatty()

    @property
    def chosen_theme(self) -> str:
        """The theme that ``auto`` stands for here, or the one that was chosen."""
        return chosen(self.theme, os.environ, self.background)

    @property
    def view(self) -> View:
        """The place that results are drawn in."""
        rows = self.live_rows
        width = _terminal_size().columns if rows else COLUMNS
        return View(width, fold=rows > 0, color=self.color)

    @property
    def notes_view(self) -> View:
        """The place that notes and errors are drawn in."""
        live = self.stderr.isatty()
        width = _terminal_size().columns if live else COLUMNS
        return View(width, fold=live, color=self._wants_color(is_terminal=live))

    def show(self, document: Document, *, paged: bool = True) -> None:
        """Draw a result, unless JSON is wanted: by rich in colour, else as plain text.

        ``paged``: whether the pager may have it, if it does not fit.
        """
        if self.as_json:
            return
        text = str(document) if not document.view.color else _drawn(document)
        if text and not (paged and self._paged(text)):
            self.write(text)

    def _paged(self, text: str) -> bool:
        """Show a text by the pager if a person looks and it does not fit; return whether."""
        rows = self.live_rows
        command = self.pager() if rows and text.count("\n") >= rows else ""
        if command == "auto":
            import shutil

            command = os.environ.get("PAGER") or ("less" if shutil.which("less") else "")
        if not command or command in ("off", "cat"):
            return False
        import signal
        import subprocess

        self.finished()
        # As git does: less leaves at the end of what fits, keeps colours and the screen.
        environment = {"LESS": "FRX", "LV": "-c", **os.environ}
        kept = signal.signal(signal.SIGINT, lambda number, frame: None)  # that is the pager's
        try:
            done = subprocess.run(command, shell=True, input=text.encode(), env=environment)
        finally:
            signal.signal(signal.SIGINT, kept)
        if done.returncode in _NO_COMMAND:
            return False
        self.logged(lambda transcript: transcript.output(text))
        return True

    @contextlib.contextmanager
    def dumping(self, dump: Hexdump, size: int) -> Iterator[Callable[[bytes], None]]:
        """Give what takes the bytes of a hexdump; they are shown also if not all of them come.

        A short one is drawn in one piece, a long one row by row as it arrives.
        """
        view, held = self.view, bytearray()
        writer = dump.writer(view)

        def stream(piece: bytes) -> None:
            if text := writer.feed(piece):
                self.write(text)

        streams = size > STREAM_ABOVE and not self.as_json
        try:
            yield stream if streams else held.extend
        finally:
            if streams:
                self.write(writer.finish())
            else:
                self.show(Document(lambda _: [replace(dump, data=bytes(held))], view))

    def write(self, text: str) -> None:
        """Write a piece of a result, in one call. Raises: UsageError if it cannot be written."""
        if (self._bar or self._alive_text or self._is_alive_shown) and self._stdout.isatty():
            self._end_progress()
        self._emit(self.recolored(text))
        if not self._redirected:
            self.logged(lambda transcript: transcript.output(text))

    def recolored(self, text: str) -> str:
        """Return painted text in the colours of the theme."""
        return recolored(text, self.chosen_theme) if "\x1b" in text else text

    def draw(self, text: str) -> None:
        """Write a piece of a picture to the terminal, which no transcript gets."""
        self._end_progress()
        self._emit(text, flush=True)

    def alive(self, text: str, *, around: bool = False) -> None:
        """Show on a terminal what a command is at, from half a second on, until it shows more.

        ``around``: what stands before that of the commands which it runs.
        """
        if self.as_json or not self.stderr.isatty() or _is_dumb():
            return
        with uninterrupted(), self._alive_lock:
            self._alive_around = text if around else self._alive_around
            inside = f", {text}" if self._alive_around else text
            self._alive_text = text if around else self._alive_around + inside
            now = time.monotonic()
            self._alive_since = self._alive_since or now
            rest = _PROGRESS_AFTER_S - (now - self._alive_since)
            if rest > 0 and self._alive_timer is None:  # the command may not come by until then
                self._alive_timer = threading.Timer(rest, self._draw_alive)
                self._alive_timer.daemon = True
                self._alive_timer.start()
        if rest <= 0:
            self._draw_alive()

    def provisional(self, text: str) -> None:
        """Show on a terminal what the next output takes away again."""
        with uninterrupted():
            self.draw(text)
            self._is_alive_shown = True

    def _draw_alive(self) -> None:
        with uninterrupted(), self._alive_lock, contextlib.suppress(OSError):
            if self._alive_text:
                self.stderr.write(f"\r{self._alive_text[: self.notes_view.width - 1]}\x1b[K")
                self.stderr.flush()
                self._is_alive_shown = True

    def logged(self, write: Callable[[Record], None]) -> None:
        """Write to all that keeps a record; end one that fails, and say so."""
        if not self.is_recorded:
            return
        transcripts = [self.transcript] if self.transcript else []
        for record in (*transcripts, *self.records):
            if record is not self.transcript and record not in self.records:
                continue  # it has ended while the end of another one was told
            try:
                write(record)
            except (OSError, ValueError) as error:  # ValueError: it has just been closed
                self.end_record(record, error)

    def end_record(self, record: Record, failure: Exception | None = None) -> None:
        """Close a record, once; say if not all of it could be written."""
        if record is self.transcript:
            self.transcript = None
        elif record in self.records:
            self.records.remove(record)
        else:
            return
        try:
            record.close()
        except (OSError, ValueError) as error:
            failure = failure or error
        if failure is not None:
            reason = system_reason(failure) if isinstance(failure, OSError) else "it was closed"
            self.record_failed(f"the {record.kind} {record.path} ends here: {reason}")

    def record_failed(self, text: str) -> None:
        """Say that a record is not complete; the work on the chip goes on, the status tells."""
        self.record_status = UsageError.exit_status
        self.error(text)

    @contextlib.contextmanager
    def copied(self) -> Iterator[Copy]:
        """Keep a copy of what is shown meanwhile."""
        from espshell.shell.transcript import Copy

        copy = Copy()
        self.records.append(copy)
        try:
            yield copy
        finally:
            self.records.remove(copy)

    @property
    def live_rows(self) -> int:
        """Rows of a terminal that results go to, which can be drawn over; 0 if it is none."""
        if self.as_json or self._redirected or not self._is_at_terminal:
            return 0
        return _terminal_size().lines

    def object(self, value: object) -> None:
        """Write one JSON object on one line."""
        import json

        self.write(json.dumps(value) + "\n")

    def note(self, text: str) -> None:
        """Tell something that is not a result."""
        if not self._is_silent and (text := self.worded(text)):
            self._tell(text, "note")

    def error(self, text: str) -> None:
        """Tell what went wrong, on one line."""
        self._tell(text, "error")

    def plain(self, text: str) -> None:
        """Tell something without a colour: a line of a script."""
        self._tell(text, "")

    def question(self, text: str) -> str:
        """Return a yes-or-no question as it is put, folded at words as notes are."""
        asked = Text(f"{text} [y/N]")
        return str(Document(lambda _: [asked], self.notes_view)).rstrip("\n") + " "

    def aside(self, document: Document) -> None:
        """Tell something that has a form, with the notes."""
        self._write_note(str(document))

    def progress(self, step: Step) -> None:
        """Show how far a long operation has come, on a terminal, after half a second."""
        if self.as_json or not self.stderr.isatty():
            return
        if self._bar is None:
            self._end_progress()
            self._bar = _Bar(self.stderr, self.chosen_theme)
        # A terminal that is gone stops no write half-way, and Ctrl-C leaves no bar half-opened.
        with uninterrupted(), contextlib.suppress(OSError):
            self._bar.show(step)

    @contextlib.contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """Show on a terminal what is waited for, and take it away at the end."""
        if self.as_json or not self.stderr.isatty():
            yield
            return
        self._end_progress()
        is_dumb = _is_dumb()
        try:
            with contextlib.suppress(OSError):
                self.stderr.write(text[: self.notes_view.width - 1] + "\n" * is_dumb)
                self.stderr.flush()
            yield
        finally:
            with contextlib.suppress(OSError):
                self.stderr.write("" if is_dumb else "\r\x1b[K")
                self.stderr.flush()

    def _end_progress(self) -> None:
        if not (self._alive_text or self._is_alive_shown or self._bar):
            return  # nothing to take away
        with uninterrupted():
            with self._alive_lock, contextlib.suppress(OSError):
                self._alive_text = ""
                if self._is_alive_shown:
                    self._is_alive_shown = False
                    self.stderr.write("\r\x1b[K")
                    self.stderr.flush()
            bar, self._bar = self._bar, None
            if bar is not None:
                with contextlib.suppress(OSError):
                    bar.close()

    def interrupted(self) -> None:
        """Tell that Ctrl-C was pressed, over what stands in its line, as the terminal's ``^C``."""
        self._end_progress()
        start = ("\r" if _is_dumb() else "\r\x1b[K") if self.stderr.isatty() else ""
        self._write_note(start + paint("interrupted\n", "note", color=self.notes_view.color))

    def finished(self) -> None:
        """Bring out what a command has written, and take away what it has left on the screen."""
        self._end_progress()
        if self._alive_timer is not None:
            self._alive_timer.cancel()
        self._alive_timer, self._alive_since, self._alive_around = None, 0.0, ""
        self._emit("", flush=True)

    @contextlib.contextmanager
    def to_file(self, path: Path, *, append: bool) -> Iterator[None]:
        """Send results to a file meanwhile; if anything fails, the file is as it was before.

        Raises: UsageError if it cannot be written.
        """
        if append:
            with _opened(path, "a") as stream, self._instead(stream):
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

        require_system_command(text)
        self.finished()
        pipe = subprocess.PIPE
        with subprocess.Popen(text, shell=True, stdin=pipe, encoding="utf-8") as process:
            closing = contextlib.closing(cast(IO[str], process.stdin))
            # A reader that has had enough ends the command, and that is not a failure.
            with contextlib.suppress(BrokenPipeError), closing as stream, self._instead(stream):
                yield
        status = exit_status(process.returncode)
        if status not in (0, _HAD_ENOUGH):
            raise UsageError(f"`{text}` failed with status {status}")

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

    def _emit(self, text: str, *, flush: bool = False) -> None:
        """Write to where results go.

        Raises: UsageError for an error of the system; that nobody reads on is not for us to judge.
        """
        try:
            if text:
                self._stdout.write(text)
            if flush:
                self._stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise file_error("write", "the results", error) from error

    def _tell(self, text: str, style: str) -> None:
        lines = [Text(Styled(line, style)) for line in text.split("\n")]
        self._write_note(str(Document(lambda _: lines, self.notes_view)))

    def _write_note(self, text: str) -> None:
        self._end_progress()
        with contextlib.suppress(OSError):  # who has failed already has been told so
            self._stdout.flush()
        with contextlib.suppress(OSError):  # nobody can be told that nobody can be told
            self.stderr.write(self.recolored(text))
            self.stderr.flush()
        self.logged(lambda transcript: transcript.output(text))

    def _wants_color(self, *, is_terminal: bool) -> bool:
        if self.color_when != "auto":
            return self.color_when == "always"
        if not is_terminal or "NO_COLOR" in os.environ:
            return False
        return not _is_dumb()


class _Bar:
    """A progress bar of rich, made only when an operation takes longer than half a second."""

    def __init__(self, stream: IO[str], theme: str) -> None:
        self._stream = stream
        self._theme = theme
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
        console = themed_console(self._stream, theme=self._theme)
        progress = Progress(*columns, console=console, transient=True)
        progress.add_task(step.action, total=step.total)
        progress.start()
        return progress


def require_system_command(text: str) -> None:
    """Check that the system can be given a command. Raises: UsageError."""
    if "\0" in text:
        raise UsageError("a system command cannot hold a NUL character")


def _is_dumb() -> bool:
    """Return whether the terminal understands no escape sequences."""
    return os.environ.get("TERM") == "dumb"


def _terminal_size() -> os.terminal_size:
    import shutil  # 3 ms, not for a pipe

    return shutil.get_terminal_size()


def _drawn(document: Document) -> str:
    stream = io.StringIO()
    console = themed_console(stream, width=document.view.width, color_system="standard")
    console.print(document, end="", crop=False)
    return stream.getvalue()


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
