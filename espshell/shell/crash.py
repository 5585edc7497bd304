"""Every exception that ends a command, as an error of one line; a bug's traceback is logged."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from espshell import __version__, files
from espshell.errors import EspError
from espshell.signals import Terminated

FILE_NAME = "tracebacks.txt"

_MOST_BYTES = 1 << 20
"""A longer log file is replaced."""

STOPPING = (Exception, KeyboardInterrupt, Terminated)
"""Every kind of exception that can end a command."""


class InternalError(EspError):
    """A bug of espshell; the status is EX_SOFTWARE of ``sysexits.h``."""

    exit_status = 70


class Interrupted(EspError):
    """Ctrl-C, or a signal that ends the program; the status is that of a shell after SIGINT."""

    exit_status = 130


def as_error(stop: BaseException) -> EspError:
    """Return the exception that ended a command as an error of one line.

    The traceback of a bug is appended to the log file, if possible.
    """
    if isinstance(stop, EspError):
        return stop
    if isinstance(stop, Terminated):
        return Interrupted(f"ended by {stop.name}", status=stop.status)
    if isinstance(stop, KeyboardInterrupt):
        return Interrupted("interrupted")
    import traceback

    frames = traceback.extract_tb(stop.__traceback__)
    ours = [frame for frame in frames if "espshell" in Path(frame.filename).parts] or frames
    where = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno}" if ours else ""
    what = f"{type(stop).__name__}: {stop}".rstrip(": ")
    path = _log(stop)
    hint = f"please report it, with the traceback in {path}" if path else "please report it"
    return InternalError(f"this is a bug of espshell{where}: {what[:200]}", hint=hint)


def _log(error: BaseException) -> Path | None:
    """Append a traceback to the log file, readable by its owner only; None if that fails."""
    import platform
    import traceback

    lines = traceback.format_exception(type(error), error, error.__traceback__)
    about = f"espshell {__version__}, Python {platform.python_version()}, {platform.platform()}"
    with contextlib.suppress(Exception):  # the bug itself has been reported
        from platformdirs import user_log_path

        path = Path(user_log_path("espshell", appauthor=False)) / FILE_NAME
        if (info := files.status(path)) and info.st_size > _MOST_BYTES:
            path.unlink()
        entry = f"{time.strftime('%Y-%m-%d %H:%M:%S')}  {about}\n{''.join(lines)}\n"
        files.append_private(path, entry.encode("utf-8", "backslashreplace"))
        return path
    return None
