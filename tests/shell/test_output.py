"""Where results, notes and errors go, and what they look like there."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pyte
import pytest
from rich import live

from espshell.errors import UsageError
from espshell.ops.result import Step
from espshell.render.document import Document, Text
from espshell.shell.output import Output
from espshell.shell.transcript import Copy
from scripts.terminal import TIMEOUT_S


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


class Full(io.StringIO):
    """A stream on a disk that is full."""

    def write(self, text: str) -> int:
        """Fail."""
        raise OSError(28, "No space left on device")


def output(stdout: io.StringIO, stderr: io.StringIO | None = None, color: str = "auto") -> Output:
    return Output(stdout=stdout, stderr=stderr or io.StringIO(), color=color)


@pytest.mark.parametrize("when", ["auto", "always", "never"])
@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}, {"TERM": "dumb"}])
@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_color(
    when: str,
    environment: dict[str, str],
    stream: type[io.StringIO],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Colour is for terminals, unless the person or the environment says otherwise."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    wanted = {"auto": stream is Terminal and not environment, "always": True, "never": False}
    assert output(stream(), color=when).color is wanted[when]
    assert output(io.StringIO(), stream(), color=when).notes_view.color is wanted[when]


def test_streams() -> None:
    """Results go to one stream, all else to the other."""
    out, err = io.StringIO(), io.StringIO()
    told = output(out, err)
    told.show(Document(lambda _: [Text("a"), Text("b")], told.view))
    told.show(Document(lambda _: [], told.view))
    told.note("note")
    told.error("error")
    assert (out.getvalue(), err.getvalue()) == ("a\nb\n", "note\nerror\n")


class FullRecord(Copy):
    """A record on a disk that is full."""

    def output(self, text: str) -> None:
        """Fail."""
        raise OSError(28, "No space left on device")


def test_a_record_that_fails_ends_once() -> None:
    """It is told once, whether a transcript or another record; results go on."""
    out, err = io.StringIO(), io.StringIO()
    told = output(out, err)
    told.transcript, told.records = FullRecord(), [FullRecord()]  # type: ignore[assignment]
    told.write("a\n")
    told.write("b\n")
    assert out.getvalue() == "a\nb\n"
    assert err.getvalue() == "the copy a copy ends here: no space left on device\n" * 2
    assert (told.transcript, told.records) == (None, [])


def test_only_errors_are_told_in_silence() -> None:
    """Neither results nor notes come out meanwhile; afterwards they do."""
    out, err = io.StringIO(), io.StringIO()
    told = output(out, err)
    with told.silenced():
        told.write("result\n")
        told.note("note")
        told.error("error")
    told.write("after\n")
    assert (out.getvalue(), err.getvalue()) == ("after\n", "error\n")


def test_a_question_is_folded_at_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal it breaks as notes do; the answer stands behind it."""
    monkeypatch.setenv("COLUMNS", "20")
    told = output(Terminal(), Terminal(), color="never")
    assert told.question("erase all of the flash?") == "erase all of the\n    flash? [y/N] "
    assert output(io.StringIO()).question("erase it?") == "erase it? [y/N] "


def test_colour_is_not_for_files(tmp_path: Path) -> None:
    """What is redirected is plain, even where colour is always wanted."""
    told = output(Terminal(), color="always")
    with told.to_file(tmp_path / "x", append=False):
        assert not told.color
    assert told.color


def test_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    """If anything fails meanwhile, a file is as it was before, and so is the way of results."""
    path, out = tmp_path / "x", io.StringIO()
    told = output(out)
    for append in (False, True):
        path.write_text("before")
        with pytest.raises(KeyboardInterrupt):
            interrupt(told, path, append=append)
        assert [each.read_text() for each in tmp_path.iterdir()] == ["before"]
    told.write("after")
    assert out.getvalue() == "after"


def interrupt(told: Output, path: Path, *, append: bool) -> None:
    with told.to_file(path, append=append):
        told.write("half")
        raise KeyboardInterrupt


def test_redirect_keeps_a_link(tmp_path: Path) -> None:
    """What a link points to is written, and the link stays one."""
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "file")
    told = output(io.StringIO())
    with told.to_file(link, append=False):
        told.write("text")
    assert link.is_symlink()
    assert (tmp_path / "file").read_text() == "text"


def test_redirect_to_links_in_a_circle(tmp_path: Path) -> None:
    """A link to itself is replaced by the file, as elsewhere; nothing can be appended to it."""
    link = tmp_path / "link"
    link.symlink_to("link")
    told = output(io.StringIO())
    appending = told.to_file(link, append=True)
    with pytest.raises(UsageError, match=f"cannot write {link}: "), appending:
        raise AssertionError
    with told.to_file(link, append=False):
        told.write("text")
    assert link.read_text() == "text"


@pytest.mark.parametrize("append", [False, True])
def test_file_that_cannot_be_written(tmp_path: Path, append: bool) -> None:
    """It is told in one line, with the name and the system's reason."""
    told = output(io.StringIO())
    for path in (tmp_path, tmp_path / "no" / "x"):
        with (
            pytest.raises(UsageError, match=f"cannot write {path}: "),
            told.to_file(path, append=append),
        ):
            raise AssertionError


def test_what_is_no_file_is_written_in_place(tmp_path: Path) -> None:
    """A pipe or a device is not replaced by a file."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    told = output(io.StringIO())
    with told.to_file(pipe, append=False):
        told.write("text")
    assert os.read(reader, 100) == b"text"
    assert pipe.is_fifo()
    os.close(reader)


def test_full_disk_is_told() -> None:
    """A result that cannot be written is an error, and not lost without a word."""
    with pytest.raises(UsageError, match="cannot write the results: no space left on device"):
        output(Full()).write("text")


def test_reader_that_has_had_enough_ends_the_command(tmp_path: Path) -> None:
    """A closed pipe is not a failure, but nothing more is computed for it."""
    told, mark = output(io.StringIO()), tmp_path / "mark"
    with told.to_shell("true"):
        for _ in range(100_000):
            told.write("x" * 100)
        mark.touch()
    assert not mark.exists()


@pytest.mark.parametrize("command", ["kill -PIPE $$", "exit 141"])
def test_a_pipe_that_sigpipe_ends_has_not_failed(command: str) -> None:
    """Whether the shell itself is ended by it, or says so of its last command."""
    with output(io.StringIO()).to_shell(command):
        pass


def test_shell_command_that_fails() -> None:
    """Its status is told."""
    told = output(io.StringIO())
    with pytest.raises(UsageError, match="`exit 3` failed with status 3"), told.to_shell("exit 3"):
        pass


class Clock:
    """A clock that tells a time for each time that it is asked."""

    def __init__(self, step: float) -> None:
        self.step = step
        self.now = 0.0

    def __call__(self) -> float:
        """Return the next time."""
        self.now += self.step
        return self.now


@pytest.mark.parametrize(
    ("stream", "step_s", "as_json", "shown"),
    [
        (Terminal, 1.0, False, True),
        (Terminal, 0.1, False, False),
        (io.StringIO, 1.0, False, False),
        (Terminal, 1.0, True, False),
    ],
)
def test_progress(
    stream: type[io.StringIO],
    step_s: float,
    as_json: bool,
    shown: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A bar is shown on a terminal, to a person, and only for what takes its time."""
    monkeypatch.setattr("espshell.shell.output.time.monotonic", Clock(step_s))
    monkeypatch.setenv("TERM", "xterm")
    err = stream()
    told = Output(as_json=as_json, stdout=io.StringIO(), stderr=err)
    told.progress(Step("reading", 1024, 4096))
    told.progress(Step("reading", 2048, 4096))
    told.write("a row for a file does not end it")
    told.finished()
    assert ("reading 4 KiB" in err.getvalue()) is shown


def test_interruption_overwrites_what_the_terminal_has_written() -> None:
    """The ^C of the terminal is not left in front of the word."""
    for stream, text in ((Terminal(), "\r\x1b[Kinterrupted\n"), (io.StringIO(), "interrupted\n")):
        Output(stdout=io.StringIO(), stderr=stream, color="never").interrupted()
        assert stream.getvalue() == text


def test_rich_is_only_for_colour() -> None:
    """Into a pipe the same forms are written without importing rich."""
    lines = "peek DRAM; info; dump DRAM 64; sr; verify --diff pyproject.toml flash:0; help sr"
    program = (
        "import sys; from espshell.cli import main\n"
        f"lines = {lines.split('; ')!r}\n"
        "main(['-p', 'sim://esp32c3', '--keep-going', *(f'-c{line}' for line in lines)])\n"
        "print('rich' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("False\n")


def _bar_that_ends(shown: Output) -> None:
    for done in (0, 1, 2):
        shown.progress(Step("reading", done, 64))
    shown.note("done")


def _line_that_ends(shown: Output) -> None:
    shown.alive("sleep 60: 1 of 60 s")
    shown.write("done\n")


def _wait_that_ends(shown: Output) -> None:
    with shown.waiting("waiting for the chip"):
        shown.stderr.flush()


def _provisional_that_ends(shown: Output) -> None:
    shown.provisional("connecting ...")
    shown.write("done\n")


@pytest.mark.parametrize(
    "work", [_bar_that_ends, _line_that_ends, _wait_that_ends, _provisional_that_ends]
)
def test_ctrl_c_at_any_line(
    work: Callable[[Output], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C in the middle of drawing leaves nothing on the screen, and nothing that draws on."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("espshell.shell.output._PROGRESS_AFTER_S", 0)
    before = threading.enumerate()
    drawing = {sys.modules["espshell.shell.output"].__file__, live.__file__}
    ends = 0
    for line in range(10_000):
        stream, passed = Terminal(), 0
        shown = output(stream, stream)

        def interrupt(frame: FrameType, event: str, _: object, line: int = line) -> Any:
            nonlocal passed
            if frame.f_code.co_filename not in drawing:
                return None
            if event == "line":
                passed += 1
                if passed == line + 1:
                    signal.raise_signal(signal.SIGINT)
            return interrupt

        try:
            sys.settrace(interrupt)
            work(shown)
        except KeyboardInterrupt:
            ends += 1
        finally:
            sys.settrace(None)
        shown.interrupted()
        shown.finished()
        for thread in set(threading.enumerate()) - set(before):
            thread.join(TIMEOUT_S)
        assert threading.enumerate() == before, f"after {line} lines"
        screen = pyte.Screen(100, 4)
        pyte.Stream(screen).feed(stream.getvalue().replace("\n", "\r\n"))
        rows = [row.strip() for row in screen.display]
        assert [row for row in rows if row not in ("", "done")] == ["interrupted"], line
        assert not screen.cursor.hidden
        if passed <= line:
            break
    assert ends > 5
