"""Putting what was read into a file: whole, or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from espshell.device import Flash, Space
from espshell.errors import EspError, UsageError, file_error
from espshell.image import intel_hex
from espshell.ops.memory.reading import read_chunks, trust_notes
from espshell.ops.progress import Report, Step, silent
from espshell.ops.result import Result
from espshell.units import size_text

_POSIX = os.name == "posix"
"""Elsewhere nobody can rename a file that is open, and there is nothing to lock."""

HEX_SUFFIXES = (".hex", ".ihex")
"""Names that end so become Intel HEX; all others raw bytes."""


@dataclass(frozen=True, slots=True)
class Saved(Result):
    """A range is in a file now."""

    address: int
    size: int
    path: str
    notes: tuple[str, ...] = ()


def save(
    space: Space,
    address: int,
    size: int,
    path: Path,
    *,
    resume: bool = False,
    check: bool = False,
    force: bool = False,
    report: Report = silent,
) -> Saved:
    """Read a range into a file, Intel HEX if its name ends so; it appears whole or not at all.

    Raw bytes of flash are gathered in ``part_of(path)``, which is left behind if the read does not
    come to its end; ``resume`` goes on with it if the chip's digest says that it still holds.

    Raises: UsageError if the file cannot be written, or intelhex is missing; found out before
    anything is read.
    """
    if not force:
        space.check(address, size)
    is_hex = path.suffix.lower() in HEX_SUFFIXES
    in_parts = isinstance(space, Flash) and not is_hex and (path.is_file() or not path.exists())
    if resume and not in_parts:
        raise UsageError("--resume is for raw bytes of flash; other ranges are read whole")
    if isinstance(space, Flash) and in_parts:
        return _save_in_parts(space, address, size, path, resume=resume, check=check, report=report)
    image = intel_hex.new() if is_hex else None
    with new_file(path) as temporary:
        pieces = read_chunks(space, address, size, check=check, report=report)
        if image is not None:
            intel_hex.write(image, temporary, address, b"".join(pieces))
        else:
            with temporary.open("wb") as file:
                file.writelines(pieces)
    return Saved(address, size, str(path), trust_notes(space, check=check))


def part_of(path: Path) -> Path:
    """Return where the beginning of a file is kept while it is not whole."""
    real = real_path(path)
    return real.with_name(real.name + ".part")


def held_part(path: Path) -> int:
    """Return how many bytes of a file a stopped read has left behind; an empty part is removed."""
    part = part_of(path)
    kept = part.stat().st_size if part.is_file() else 0
    if not kept and not part.is_dir():
        part.unlink(missing_ok=True)
    return kept


def _save_in_parts(
    flash: Flash,
    address: int,
    size: int,
    path: Path,
    *,
    resume: bool,
    check: bool,
    report: Report,
) -> Saved:
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a directory")
    part = part_of(path)
    try:
        with _held_alone(part) as file:
            done, notes = _good_part(flash, address, size, part) if resume else (0, ())
            file.truncate(done)
            file.seek(done)
            rest = size - done
            for piece in read_chunks(flash, address + done, rest, check=check):
                file.write(piece)
                report(Step("reading", file.tell(), size))
            file.flush()
            if _POSIX:  # while it is still held alone
                part.replace(real_path(path))
        if not _POSIX:
            part.replace(real_path(path))
    except _InUse as error:
        raise UsageError(f"{part.name} is being written by another save") from error
    except EspError as error:
        error.hint = _resumable(path) or error.hint
        raise
    except OSError as error:
        told = file_error("write", path, error)
        told.hint = _resumable(path) or told.hint
        raise told from error
    return Saved(address, size, str(path), (*notes, *trust_notes(flash, check=check)))


def _resumable(path: Path) -> str:
    kept = held_part(path)
    name = part_of(path).name
    return f"{name} holds the first {size_text(kept)}; --resume goes on with it" if kept else ""


class _InUse(Exception):
    """Somebody else writes the file."""


@contextlib.contextmanager
def _held_alone(part: Path) -> Iterator[BinaryIO]:
    """Open a file, made if need be, that nobody else shall write meanwhile. Raises: _InUse."""
    with open(os.open(part, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
        if _POSIX:
            import fcntl

            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                is_it = os.path.samestat(os.fstat(file.fileno()), part.stat())
            except (BlockingIOError, FileNotFoundError) as error:
                raise _InUse from error
            if not is_it:  # the other one has come to its end just now
                raise _InUse
        yield file


def _good_part(flash: Flash, address: int, size: int, part: Path) -> tuple[int, tuple[str, ...]]:
    """Return how many bytes of a part are good, and what to say about it."""
    held = part.read_bytes() if part.is_file() else b""
    if not held:
        return 0, ("there is nothing to go on with; all is read",)
    if len(held) > size:
        return 0, (f"{part.name} is longer than the range; all is read anew",)
    if not flash.has_digest:
        return 0, ("this loader has no digests to check the part by; all is read anew",)
    from espshell.loader.flash import md5

    if flash.digest(address, len(held), confirmed=True) != md5(held):
        return 0, (f"{part.name} is not what the flash holds; all is read anew",)
    return len(held), (f"went on at {size_text(len(held))}",)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a temporary file beside a path, renamed to it at the end, removed if anything fails.

    A link is followed; what is no regular file (a device, a pipe) is given as it is.

    Raises: UsageError if that cannot work, before anything else is done.
    """
    import tempfile  # 4 ms that only saving is worth

    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a directory")
    if path.exists() and not path.is_file():
        try:
            yield path
        except OSError as error:
            raise file_error("write", path, error) from error
        return
    real = real_path(path)
    try:
        handle, name = tempfile.mkstemp(prefix=f".{real.name}.", dir=real.parent)
        os.close(handle)
    except OSError as error:
        raise file_error("write", path, error) from error
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp is stricter than what a user expects
        temporary.replace(real)
    except OSError as error:
        raise file_error("write", path, error) from error
    finally:
        temporary.unlink(missing_ok=True)


def real_path(path: Path) -> Path:
    """Return where a link leads; one that leads in a circle is taken as it is, and replaced."""
    return Path(os.path.realpath(path))  # ``resolve`` raises RuntimeError there


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
