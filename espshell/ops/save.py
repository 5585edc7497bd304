"""Putting what was read into a file: whole, or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from espshell.errors import UsageError, file_error
from espshell.image import intel_hex
from espshell.ops.progress import Report, silent
from espshell.ops.reading import read_chunks
from espshell.target import Memory

HEX_SUFFIXES = (".hex", ".ihex")
"""Names that end so become Intel HEX; all others raw bytes."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A range is in a file now."""

    address: int
    size: int
    path: str

    @property
    def ok(self) -> bool:
        """A file that was not written is an error, not a result."""
        return True


def save(
    memory: Memory,
    address: int,
    size: int,
    path: Path,
    *,
    check: bool = False,
    force: bool = False,
    report: Report = silent,
) -> Saved:
    """Read a range into a file, Intel HEX if its name ends so; it appears whole or not at all.

    Raises: UsageError if the file cannot be written, or intelhex is missing; found out before
    anything is read.
    """
    if not force:
        memory.check(address, size)
    image = intel_hex.new() if path.suffix.lower() in HEX_SUFFIXES else None
    with new_file(path) as temporary:
        pieces = read_chunks(memory, address, size, check=check, report=report)
        if image is not None:
            intel_hex.write(image, temporary, address, b"".join(pieces))
        else:
            with temporary.open("wb") as file:
                file.writelines(pieces)
    return Saved(address, size, str(path))


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
    real = path.resolve()
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


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
