"""The program: ``espshell`` and ``python -m espshell``."""

from __future__ import annotations

from espshell import signals

signals.leave_at_once()  # before anything else is imported, which takes most of the start

import gc  # noqa: E402
import sys  # noqa: E402


def main() -> int:
    """Run the program; return its exit status."""
    # What importing makes stays; looking for garbage meanwhile is a tenth of the time to start.
    gc.set_threshold(50_000)
    from espshell.cli import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
