"""Files as a whole in memory, within reason.

A device such as ``/dev/zero`` never ends, and a file of terabytes may be nothing but a hole, so
what no chip can hold in any form is refused before it fills the memory.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from espshell.errors import UsageError, file_error
from espshell.units import MIB, size_text

LARGEST = 512 * MIB
"""The largest flash is 128 MiB, three times as much as Intel HEX."""


def read_file(path: Path) -> bytes:
    """Return the contents of a file, or of a pipe up to its end.

    Raises: UsageError if it cannot be read, or has more than ``LARGEST`` bytes.
    """
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            whole = stat.S_ISREG(found.st_mode)
            if whole and found.st_size > LARGEST:
                raise _too_large(path)
            # A size would have as much memory reserved at once.
            data = file.read() if whole else file.read(LARGEST + 1)
    except OSError as error:
        raise file_error("read", path, error) from error
    if len(data) > LARGEST:
        raise _too_large(path)
    return data


def _too_large(path: Path) -> UsageError:
    return UsageError(
        f"{path} has more than {size_text(LARGEST)}", hint="no chip has as much flash"
    )
