"""Putting what was read into a file: whole, or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from espshell.device import Flash, Space
from espshell.errors import EspError, UsageError, file_error
from espshell.files import (
    exists,
    is_file,
    new_file,
    open_binary,
    open_regular,
    read_bytes,
    real_path,
    require_no_folder,
    status,
)
from espshell.image import intel_hex
from espshell.loader import digest
from espshell.ops.memory.reading import read_chunks, reading_notes, trust_notes
from espshell.ops.result import Report, Result, Step, silent
from espshell.records import dataclass
from espshell.units import size_text

_POSIX = os.name == "posix"
"""Elsewhere nobody can rename a file that is open, and there is nothing to lock."""

HEX_SUFFIXES = intel_hex.SUFFIXES
"""Names that end so become Intel HEX; all others raw bytes."""


@dataclass(frozen=True, slots=True)
class Saved(Result):
    """A range is in a file now."""

    address: int
    size: int
    path: str
    notes: tuple[str, ...] = ()
    readings: int = 1
    """How often each byte was read."""


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
    in_parts = isinstance(space, Flash) and not is_hex and (is_file(path) or not exists(path))
    if resume and not in_parts:
        raise UsageError("--resume works for raw binary saves of flash only")
    if isinstance(space, Flash) and in_parts:
        return _save_in_parts(space, address, size, path, resume=resume, check=check, report=report)
    if is_hex:
        intel_hex.new()  # raises now, not after the reading
    with new_file(path) as temporary, open_binary(temporary) as file:
        pieces = read_chunks(space, address, size, check=check, report=report)
        if is_hex:
            file.write(intel_hex.to_bytes([(address, b"".join(pieces))]))
        else:
            file.writelines(pieces)
    notes = (*reading_notes(space, address, size), *trust_notes(space, check=check))
    return Saved(address, size, str(path), notes, 1 + check)


def part_of(path: Path) -> Path:
    """Return where the beginning of a file is kept while it is not whole."""
    real = real_path(path)
    return real.with_name(real.name + ".part")


def held_part(path: Path) -> int:
    """Return how many bytes of a file a stopped read has left behind; an empty part is removed."""
    part = part_of(path)
    kept = info.st_size if (info := status(part)) and is_file(part) else 0
    if info and not kept and is_file(part):
        with contextlib.suppress(OSError):
            part.unlink()
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
    require_no_folder(path)
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
        failure = file_error("write", path, error)
        failure.hint = _resumable(path) or failure.hint
        raise failure from error
    notes = (*notes, *trust_notes(flash, check=check))
    return Saved(address, size, str(path), notes, 1 + check)


def _resumable(path: Path) -> str:
    kept = held_part(path)
    name = part_of(path).name
    return f"{name} holds the first {size_text(kept)}; --resume continues it" if kept else ""


class _InUse(Exception):
    """Somebody else writes the file."""


@contextlib.contextmanager
def _held_alone(part: Path) -> Iterator[BinaryIO]:
    """Open a file, made if need be, that nobody else shall write meanwhile. Raises: _InUse."""
    with open_regular(part) as file:
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
    held = read_bytes(part) if is_file(part) else b""
    if not held:
        return 0, ("nothing to resume; reading everything",)
    if len(held) > size:
        return 0, (f"{part.name} is longer than the range; reading everything again",)
    if not flash.has_digest:
        return 0, ("this loader has no digests to check the part with; reading everything again",)
    if flash.digest(address, len(held), confirmed=True) != digest.md5(held):
        return 0, (f"{part.name} differs from the flash; reading everything again",)
    return len(held), (f"resumed at {size_text(len(held))}",)
