"""What a simulated board holds beyond its chip: the flash and the registers of ``sim://demo``.

Both are files beside this one that ``scripts/demo.py`` makes: here nothing is computed.
"""

from __future__ import annotations

import pkgutil
import zlib
from functools import cache

from espshell import tables


@cache
def flash_of(board: str) -> bytes:
    """Return what the flash of a board holds from its start on; empty for no board."""
    return (
        zlib.decompress(pkgutil.get_data(__name__, f"data/{board}.bin.z") or b"") if board else b""
    )


def registers_of(board: str) -> dict[int, int]:
    """Return the registers of a board that are not zero after a reset; empty for no board."""
    words = (line.split() for line in (tables.rows(__package__, board) if board else ()))
    return {int(address, 16): int(value, 16) for address, value in words}
