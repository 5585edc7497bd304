"""The program: ``espshell`` and ``python -m espshell``."""

from __future__ import annotations

import gc
import os
import signal
import sys


def _leave(number: int, _frame: object) -> None:
    try:
        os.write(2, b"espshell: interrupted\n")
    finally:
        os._exit(128 + number)


# Before all else is imported, which takes most of the start; and again when all is done.
for _name in ("SIGINT", "SIGTERM", "SIGHUP"):
    if (_signal := getattr(signal, _name, None)) and signal.getsignal(_signal) != signal.SIG_IGN:
        signal.signal(_signal, _leave)


def main() -> int:
    """Run the program; return its exit status."""
    # What importing makes stays; looking for garbage meanwhile is a tenth of the time to start.
    gc.set_threshold(50_000)
    from espshell.cli import main as run

    try:
        return run()
    finally:
        gc.freeze()  # all files are closed: the end of the process need not look for garbage either


if __name__ == "__main__":
    sys.exit(main())
