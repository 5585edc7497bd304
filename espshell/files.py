"""Paths and files that a person names: all of them are opened here.

Errors of the system or of Python become a ``UsageError`` of one line; every read has a limit,
because ``/dev/zero`` never ends; and the wait for the other end of a named pipe is bounded.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import select
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from espshell.errors import UsageError, file_error, printable
from espshell.records import dataclass
from espshell.units import MIB, size_text


@dataclass(frozen=True, slots=True)
class Limit:
    """The most bytes that a kind of file may have, and the reason."""

    size: int
    kind: str
    reason: str = ""


CONTENTS = Limit(512 * MIB, "a file for a chip", "no chip has that much flash")
"""The largest flash is 128 MiB, three times as much as Intel HEX."""
SCRIPT = Limit(8 * MIB, "a script")
JSON = Limit(16 * MIB, "a JSON file")
SVD = Limit(16 * MIB, "an SVD file")
"""The largest there is, of a chip with 17,000 registers, has 10 MiB."""
RECORDING = Limit(256 * MIB, "a recording")
HISTORY = Limit(16 * MIB, "a history")
CONFIG = Limit(1 * MIB, "a configuration")
DEVICE = Limit(1 * MIB, "what a device gives", "a device such as /dev/zero never ends")

WAIT_S = 2.0
"""How long to wait for the other end of a named pipe."""

_POSIX = os.name == "posix"
_POLL_S = 0.05
_NO_WAIT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)


# Paths -------------------------------------------------------------------------------------------


def path_of(text: str) -> Path:
    """Return the path of a word; ``~`` is the home directory.

    Raises: UsageError for an empty word, ``-``, an unknown user and what no path can hold.
    """
    if not text:
        raise UsageError("expected a file name, got an empty word")
    if text == "-":
        raise UsageError("`-` is not a file name here", hint="a file of that name is `./-`")
    if "\0" in text:
        raise UsageError(f"`{printable(text)}` is not a file name: it contains a NUL")
    try:
        os.fsencode(text)
        return Path(text).expanduser()
    except RuntimeError as error:
        user = text.partition("/")[0]
        raise UsageError(
            f"`{printable(text)}`: there is no user or home directory of `{printable(user)}`",
            hint=f"a file of that name is `./{printable(text)}`",
        ) from error
    except UnicodeEncodeError as error:
        raise UsageError(f"`{printable(text)}` is not a file name on this system") from error


def status(path: Path) -> os.stat_result | None:
    """Return the status of a file, through links; None if there is no file or no access."""
    try:
        return path.stat()
    except (OSError, ValueError):
        return None


def exists(path: Path) -> bool:
    """Return whether a path leads to something that can be accessed."""
    return status(path) is not None


def is_file(path: Path) -> bool:
    """Return whether a path leads to a regular file."""
    info = status(path)
    return info is not None and stat.S_ISREG(info.st_mode)


def is_folder(path: Path) -> bool:
    """Return whether a path leads to a directory."""
    info = status(path)
    return info is not None and stat.S_ISDIR(info.st_mode)


def real_path(path: Path) -> Path:
    """Return where a link leads; a circle of links gives a path of the circle."""
    return Path(os.path.realpath(path))  # ``resolve`` raises RuntimeError for a circle


def completions(text: str) -> Iterator[tuple[str, str]]:
    """Yield the names in the directory of a typed path, and what each is: a folder, or its size.

    A slash follows each directory; hidden files are for those who have typed the dot.
    """
    head, slash, name = text.rpartition("/")
    try:
        folder = path_of(head + slash) if slash else Path()
        paths = sorted(folder.iterdir())
    except (UsageError, OSError):
        return
    for path in paths:
        if path.name.isprintable() and path.name.startswith(".") == name.startswith("."):
            info = status(path)
            is_directory = info is not None and stat.S_ISDIR(info.st_mode)
            size = size_text(info.st_size) if info and stat.S_ISREG(info.st_mode) else ""
            yield (
                f"{head}{slash}{path.name}{'/' * is_directory}",
                "folder" if is_directory else size,
            )


# Reading -----------------------------------------------------------------------------------------


def read_bytes(path: Path, limit: Limit = CONTENTS) -> bytes:
    """Return the contents of a file, or of a pipe up to its end.

    Raises: UsageError if it cannot be read, or is larger than the limit of its kind.
    """
    with _translated("read", path), open(_reading_end(path), "rb") as file:
        return read_stream(file, str(path), limit)


def require_readable(path: Path) -> None:
    """Check that a file can be read; a named pipe is not opened. Raises: UsageError."""
    info = status(path)
    if info is None or not stat.S_ISFIFO(info.st_mode):
        with _translated("read", path):
            os.close(_reading_end(path))


def require_folder(path: Path) -> None:
    """Check that the folder of a file that is to be written exists. Raises: UsageError."""
    if not is_folder(path.parent):
        raise file_error("write", path, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))


def read_text(path: Path, limit: Limit) -> str:
    """Return the contents of a file of text.

    Raises: UsageError as ``read_bytes``, and if it is not UTF-8.
    """
    try:
        return read_bytes(path, limit).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path} is not text (UTF-8)") from error


def parse_json(data: bytes) -> object:
    """Return the value of a JSON text.

    Raises: ValueError, also for numbers that are not finite and for text nested too deeply.
    """

    def finite(text: str) -> float:
        if not math.isfinite(value := float(text)):
            raise ValueError(f"{text} is not a number of JSON")
        return value

    try:
        value: object = json.loads(data, parse_constant=finite, parse_float=finite)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def read_stream(file: BinaryIO, name: str, limit: Limit) -> bytes:
    """Return the contents of a stream up to its end.

    Raises: UsageError if that is more than the limit of its kind; OSError.
    """
    info = os.fstat(file.fileno())
    if stat.S_ISCHR(info.st_mode) and limit.size > DEVICE.size:
        limit = DEVICE
    is_too_large, data = info.st_size > limit.size, b""
    if stat.S_ISREG(info.st_mode):
        data = b"" if is_too_large else file.read()
    else:
        pieces, most = bytearray(), limit.size + 1
        while piece := file.read(min(MIB, most - len(pieces))):  # a larger read reserves memory
            pieces += piece
        data = bytes(pieces)
    if is_too_large or len(data) > limit.size:
        raise UsageError(
            f"{name} has more than {size_text(limit.size)}, the limit for {limit.kind}",
            hint=limit.reason,
        )
    return data


# Writing -----------------------------------------------------------------------------------------


def open_text(path: Path, mode: str) -> IO[str]:
    """Open a file for text, mode ``w`` or ``a``.

    Raises: UsageError if the system refused it.
    """
    flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if mode == "w" else os.O_APPEND)
    with _translated("write", path):
        number = _writing_end(path, flags)
        return open(number, mode, encoding="utf-8", errors="backslashreplace")


def open_regular(path: Path, *, follow: bool = False) -> BinaryIO:
    """Open a regular file to read and write, created if missing; ``follow``: also through a link.

    Raises: OSError.
    """
    flags = os.O_RDWR | os.O_CREAT | (0 if follow else getattr(os, "O_NOFOLLOW", 0))
    try:
        number = _opened(path, flags | _NO_WAIT, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise OSError(errno.ELOOP, f"{path.name} is a link, and is not followed") from error
        raise
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EINVAL, f"{path.name} is not a regular file")
    return open(number, "r+b")


def append_private(path: Path, data: bytes) -> None:
    """Append bytes to a file that only its owner may read, created with its folders if missing.

    Raises: UsageError if the system refused it; then the file is as before.
    """
    with _translated("write", path):
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with open(_opened(path, flags | _NO_WAIT, 0o600), "ab", buffering=0) as file:
            info = os.fstat(file.fileno())
            if not stat.S_ISREG(info.st_mode):
                raise OSError(errno.EINVAL, "it is not a regular file")
            if info.st_mode & 0o077:
                path.chmod(0o600)
            if file.write(data) < len(data):
                os.truncate(file.fileno(), info.st_size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def open_binary(path: Path) -> BinaryIO:
    """Open a file to write, emptied; it may be a device or a pipe.

    Raises: UsageError if the system refused it.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    with _translated("write", path):
        return open(_writing_end(path, flags), "wb")


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, see ``new_file``. Raises: UsageError."""
    with new_file(path) as temporary, open_binary(temporary) as file:
        file.write(data)


def end_record(stream: IO[str], path: Path) -> None:
    """Close a file that was written line by line; after a failure it ends with its last whole line.

    Raises: OSError if not all of it could be written, or if it was removed meanwhile.
    """
    if stream.closed:
        return
    try:
        is_removed = not os.fstat(stream.fileno()).st_nlink
        stream.close()
        if is_removed:
            raise OSError(errno.ENOENT, "it was removed meanwhile")
    except OSError:
        with contextlib.suppress(OSError):
            stream.close()
        with contextlib.suppress(OSError):
            _drop_half_a_line(path)
        raise


def _drop_half_a_line(path: Path) -> None:
    if not is_file(path):
        return
    with open(path, "r+b") as file:
        at = file.seek(0, os.SEEK_END)
        while at:
            file.seek(begin := max(0, at - 4096))
            if (end := file.read(at - begin).rfind(b"\n")) >= 0:
                file.truncate(begin + end + 1)
                return
            at = begin


def make_folder(path: Path) -> None:
    """Make a directory with those above it, if missing. Raises: UsageError."""
    with _translated("write", path):
        path.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Provide a temporary file beside a path, renamed to it at the end, removed after an error.

    A link is followed; a device or a pipe is provided itself.

    Raises: UsageError if the path cannot be written, at the beginning.
    """
    import tempfile  # 4 ms, only for commands that write a file

    require_no_folder(path)
    if exists(path) and not is_file(path):
        with _translated("write", path):
            yield path
        return
    real = real_path(path)
    with _translated("write", path):
        handle, name = tempfile.mkstemp(prefix=".espshell.", suffix=".new", dir=real.parent)
        os.close(handle)
    temporary = Path(name)
    try:
        with _translated("write", path):
            yield temporary
            os.umask(mask := os.umask(0))
            temporary.chmod(0o666 & ~mask)  # mkstemp is stricter than a user expects
            temporary.replace(real)
    finally:
        temporary.unlink(missing_ok=True)


def require_no_folder(path: Path) -> None:
    """Check that a path to write is not a directory. Raises: UsageError."""
    if is_folder(path):
        raise UsageError(f"cannot write {path}: it is a directory")


# The system's side -------------------------------------------------------------------------------


@contextlib.contextmanager
def _translated(verb: str, path: Path) -> Iterator[None]:
    """Raise errors of the system as a UsageError that names the path."""
    try:
        yield
    except OSError as error:
        raise file_error(verb, path, error) from error


def _opened(path: Path, flags: int, mode: int = 0) -> int:
    """Return a descriptor. Raises: OSError, also for characters that no path can have."""
    try:
        return os.open(path, flags, mode)
    except ValueError as error:
        raise OSError(errno.EINVAL, "this is not a file name") from error


def _reading_end(path: Path) -> int:
    """Return a descriptor to read from, for a named pipe once somebody writes into it."""
    number = _opened(path, os.O_RDONLY | _NO_WAIT)
    if _POSIX and stat.S_ISDIR(os.fstat(number).st_mode):
        os.close(number)
        raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
    if _POSIX and stat.S_ISFIFO(os.fstat(number).st_mode):
        poll = select.poll()
        poll.register(number, select.POLLIN)
        if not poll.poll(WAIT_S * 1000):
            os.close(number)
            raise OSError(errno.ETIMEDOUT, f"nothing was written into this pipe for {WAIT_S:g} s")
    if _POSIX:
        os.set_blocking(number, True)
    return number


def _writing_end(path: Path, flags: int) -> int:
    """Return a descriptor to write to, for a named pipe once somebody reads from it."""
    deadline = time.monotonic() + WAIT_S
    while True:
        try:
            number = _opened(path, flags | _NO_WAIT, 0o666)
            break
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            if time.monotonic() >= deadline:
                text = f"nothing was read from this pipe for {WAIT_S:g} s"
                raise OSError(errno.ENXIO, text) from error
        time.sleep(_POLL_S)
    if _POSIX:
        os.set_blocking(number, True)
    return number
