"""Reading files: what has no end, or cannot be for a chip, is refused."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from espshell.errors import UsageError
from espshell.files import CONTENTS, Limit, read_bytes

SMALL = 64


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


def test_what_never_ends() -> None:
    """Of a device no more is read than is needed to see that it is too much."""
    with pytest.raises(
        UsageError, match="/dev/zero has more than 64 bytes, the most that a test may have"
    ):
        read_bytes(Path("/dev/zero"), Limit(SMALL, "a test"))


def test_a_pipe(tmp_path: Path) -> None:
    """What another program writes is read up to its end."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"abc",))
    writer.start()
    assert read_bytes(path) == b"abc"
    writer.join()


@pytest.mark.parametrize(("name", "reason"), [("none", "no such file"), (".", "is a directory")])
def test_what_cannot_be_read(tmp_path: Path, name: str, reason: str) -> None:
    """The system's reason is told in one line."""
    with pytest.raises(UsageError, match=f"cannot read .*{reason}"):
        read_bytes(tmp_path / name)
