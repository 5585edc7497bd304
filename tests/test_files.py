"""The door to files: what cannot be read, written or named is one line, and nothing hangs."""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from espshell import files
from espshell.errors import EspError, UsageError
from espshell.files import CONTENTS, Limit, read_bytes

SMALL = 64
TEST = Limit(SMALL, "a test")


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nobody at a pipe."""
    monkeypatch.setattr(files, "WAIT_S", 0.0)


def test_a_file_comes_as_it_is(tmp_path: Path) -> None:
    """All of a file is returned, also if it is as large as may be, or empty."""
    path = tmp_path / "x"
    for size in (0, 1, SMALL):
        path.write_bytes(bytes(range(size)))
        assert read_bytes(path) == bytes(range(size))


def test_a_hole_of_terabytes(tmp_path: Path) -> None:
    """A file that is too large is refused by its size, before anything of it is read."""
    path = tmp_path / "x"
    with path.open("wb") as hole:
        hole.truncate(1 << 40)
    with pytest.raises(UsageError, match="x has more than 512 MiB"):
        read_bytes(path)
    assert CONTENTS.size >= 3 * 128 << 20


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        (TEST, "/dev/zero has more than 64 bytes, the limit for a test"),
        (CONTENTS, "/dev/zero has more than 1 MiB, the limit for what a device gives"),
    ],
)
def test_what_never_ends(limit: Limit, message: str) -> None:
    """Of a device no more is read than is needed to see that it is too much."""
    with pytest.raises(UsageError, match=message):
        read_bytes(Path("/dev/zero"), limit)


def test_a_pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another program writes is read up to its end."""
    monkeypatch.setattr(files, "WAIT_S", 5.0)
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"abc",))
    writer.start()
    assert read_bytes(path) == b"abc"
    writer.join()


def test_a_pipe_with_nobody(tmp_path: Path) -> None:
    """Neither reading nor writing waits for ever for the other end of a pipe."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(UsageError, match="nothing was written into this pipe"):
        read_bytes(path)
    with pytest.raises(UsageError, match="nothing was read from this pipe"):
        files.write_bytes(path, b"x")
    with pytest.raises(UsageError, match="nothing was read from this pipe"):
        files.open_text(path, "a")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("none", "no such file"),
        (".", "is a directory"),
        ("n" * 300, "name too long"),
        ("circle", "symbolic links"),
        ("file/x", "not a directory"),
        ("a\0b", "not a file name"),
    ],
)
def test_what_cannot_be_read(tmp_path: Path, name: str, reason: str) -> None:
    """The system's reason is told in one line; no question about such a path raises."""
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "file").touch()
    path = tmp_path / name
    with pytest.raises(UsageError, match=f"cannot read .*{reason}"):
        read_bytes(path)
    assert not files.is_file(path)
    assert files.is_folder(path) == (name == ".")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "an empty word"),
        ("a\0b", r"`a\\x00b` is not a file name: it contains a NUL"),
        ("~nouser/x", "there is no user or home directory of `~nouser`"),
        ("\ud800", "not a file name on this system"),
        ("-", "`-` is not a file name here"),
    ],
)
def test_what_is_no_path(text: str, message: str) -> None:
    """A word that cannot be a path is refused in one printable line, and completes to nothing."""
    with pytest.raises(UsageError, match=message) as caught:
        files.path_of(text)
    assert caught.value.one_line().isprintable()
    assert not text or not list(files.completions(f"{text}/x"))


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EROFS, errno.EIO])
def test_what_the_system_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """Whatever the system answers, every way through the door ends in a UsageError or an answer."""

    def refuse(*_: object, **__: object) -> int:
        raise OSError(code, os.strerror(code))

    path = tmp_path / "x"
    for name in ("open", "stat", "mkdir", "scandir", "listdir"):
        monkeypatch.setattr(os, name, refuse)
    for way in (
        lambda: read_bytes(path),
        lambda: files.write_bytes(path, b""),
        lambda: files.open_text(path, "w"),
        lambda: files.append_private(path, b""),
    ):
        with pytest.raises(UsageError, match=r"cannot (read|write) .*x: "):
            way()
    assert not files.exists(path)
    assert not list(files.completions(f"{tmp_path}/"))


def test_a_full_disk() -> None:
    """What does not fit is an error of one line, also for lines that are appended."""
    with pytest.raises(UsageError, match="cannot write /dev/full: no space left on device"):
        files.write_bytes(Path("/dev/full"), b"x")
    with pytest.raises(UsageError, match="/dev/full: it is not a regular file"):
        files.append_private(Path("/dev/full"), b"x")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o620, 0o610, 0o604, 0o602])
def test_a_file_of_ones_own(tmp_path: Path, mode: int) -> None:
    """Only its owner may read a private file, also one that others could read before."""
    path = tmp_path / "new" / "history"
    files.append_private(path, b"a")
    path.chmod(mode)
    files.append_private(path, b"b")
    assert path.read_bytes() == b"ab"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("follow", [False, True])
def test_what_is_no_file_gathers_no_part(tmp_path: Path, follow: bool) -> None:
    """A named pipe that lies there is neither waited for nor written."""
    os.mkfifo(tmp_path / "x.part")
    with pytest.raises(OSError, match=r"x\.part is not a regular file"):
        files.open_regular(tmp_path / "x.part", follow=follow)


def test_a_link_in_place_of_a_part(tmp_path: Path) -> None:
    """A file that gathers a part is never one that a link leads to."""
    (tmp_path / "victim").write_bytes(b"kept")
    (tmp_path / "x.part").symlink_to("victim")
    with pytest.raises(OSError, match=r"x\.part is a link, and is not followed"):
        files.open_regular(tmp_path / "x.part")
    assert (tmp_path / "victim").read_bytes() == b"kept"


@pytest.mark.parametrize("text", ["[" * 100_000, "Infinity", "[1e999]", "NaN", "{", "\xff"])
def test_json_of_strangers(text: str) -> None:
    """What is not JSON, has no bounds or is nested too deeply is a ValueError and nothing else."""
    with pytest.raises(ValueError, match=r"."):
        files.parse_json(text.encode("latin-1"))
    assert files.parse_json(b'{"a": 1.5}') == {"a": 1.5}


def test_no_escape_reaches_a_terminal() -> None:
    """A message shows control characters, direction marks and lone surrogates, never sends them."""
    error = EspError("a\x1b[2Jb", hint="\u202e \udcff\x07")
    assert error.one_line() == r"a\x1b[2Jb; \u202e \udcff\x07"


def test_a_new_file_may_be_read_by_whom_the_umask_says(tmp_path: Path) -> None:
    """As one that any other program makes, and not by its owner only."""
    path = tmp_path / "x"
    before = os.umask(0o027)
    try:
        files.write_bytes(path, b"x")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("half", [0, 1, 4095, 4096, 4097, 10_000])
@pytest.mark.parametrize("whole", [b"", b"one\n", b"one\n" * 3000])
def test_half_a_line_is_dropped_however_long(tmp_path: Path, whole: bytes, half: int) -> None:
    """What is behind the last end of a line goes, and nothing before it; a lone half line stays."""
    path = tmp_path / "x"
    path.write_bytes(whole + b"x" * half)
    files._drop_half_a_line(path)
    assert path.read_bytes() == (whole or b"x" * half)


def test_a_link_stays_one(tmp_path: Path) -> None:
    """What is written through it comes to where it leads, beside which nothing is left."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "x")
    for data in (b"made", b"replaced"):
        files.write_bytes(tmp_path / "link", data)
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "there" / "x").read_bytes() == data
    assert len(list(tmp_path.rglob("*"))) == 3


@pytest.mark.parametrize(
    "error", [OSError(errno.EIO, "broken"), EspError("x"), KeyboardInterrupt()]
)
def test_what_fails_half_way_leaves_what_was_there(tmp_path: Path, error: BaseException) -> None:
    """The file is as before, and nothing lies beside it."""
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def fail() -> None:
        with files.new_file(path) as temporary:
            temporary.write_bytes(b"ne")
            raise error

    with pytest.raises((EspError, KeyboardInterrupt)):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_that_write_one_file_at_once(tmp_path: Path) -> None:
    """The file is that of the last one to end, whole, and nothing of the other is beside it."""
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with files.new_file(path) as first:
        first.write_bytes(b"first, and longer")
        with files.new_file(path) as second:
            second.write_bytes(b"second")
            assert path.read_bytes() == b"old"
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first, and longer"
    assert list(tmp_path.iterdir()) == [path]


def test_a_line_that_is_cut_by_a_full_disk_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A history or a list of what was agreed to has whole lines only."""
    path = tmp_path / "x"
    files.append_private(path, b"whole\n")

    class Short(io.FileIO):
        def write(self, data: Any) -> int:
            return super().write(data[:3])

    monkeypatch.setattr("builtins.open", lambda number, *_, **__: Short(number, "ab"))
    with pytest.raises(UsageError, match="o space left"):
        files.append_private(path, b"another\n")
    monkeypatch.undo()
    assert path.read_bytes() == b"whole\n"
