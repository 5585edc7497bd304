"""Whatever ends a command, as an error of one line; the traceback of a bug goes into a file."""

from __future__ import annotations

import contextlib
import platform
import time
import traceback
from pathlib import Path

from espshell import __version__, files
from espshell.errors import EspError
from espshell.signals import Terminated

FILE_NAME = "tracebacks.txt"

_MOST_BYTES = 1 << 20
"""A file that has become longer is begun anew."""


STOPPING = (Exception, KeyboardInterrupt, Terminated)
"""All that can end a command."""


class InternalError(EspError):
    """An exception that nobody foresaw; the status is EX_SOFTWARE of ``sysexits.h``."""

    exit_status = 70


class Interrupted(EspError):
    """Ctrl-C, or a signal that ends the program."""

    exit_status = 130


def as_error(stop: BaseException) -> EspError:
    """Return whatever ended a command as an error of one line.

    For a bug, its traceback is written to a file if that can be.
    """
    if isinstance(stop, EspError):
        return stop
    if isinstance(stop, (KeyboardInterrupt, Terminated)):
        error = Interrupted("interrupted")
        if isinstance(stop, Terminated):
            error = Interrupted(f"ended by {stop.name}")
            error.status = stop.status
        return error
    return _bug(stop)


def _bug(error: BaseException) -> InternalError:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "espshell" in Path(frame.filename).parts] or frames
    where = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    what = f"{type(error).__name__}: {error}".rstrip(": ")
    path = _write(error)
    hint = f"please report it, with the traceback in {path}" if path else "please report it"
    return InternalError(f"this is a bug of espshell{where}: {what[:200]}", hint=hint)


def _write(error: BaseException) -> Path | None:
    """Append a traceback to the log file, readable by its owner only; None if that fails."""
    lines = traceback.format_exception(type(error), error, error.__traceback__)
    about = f"espshell {__version__}, Python {platform.python_version()}, {platform.platform()}"
    with contextlib.suppress(Exception):  # the bug is what matters, and it is on the screen
        from platformdirs import user_log_path

        path = Path(user_log_path("espshell", appauthor=False)) / FILE_NAME
        if (found := files.status(path)) and found.st_size > _MOST_BYTES:
            path.unlink()
        entry = f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {about}\n{''.join(lines)}\n"
        files.append_private(path, entry.encode("utf-8", "backslashreplace"))
        return path
    return None
