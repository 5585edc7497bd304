"""What a simulated board holds beyond its chip: the flash and the registers of ``sim://demo``.

Both are files beside this one that ``scripts/demo.py`` makes: here nothing is computed.
"""

from __future__ import annotations

import pkgutil
import zlib
from functools import cache


@cache
def flash_of(board: str) -> bytes:
    """Return what the flash of a board holds from its start on; empty for no board."""
    return zlib.decompress(_data(f"{board}.bin.z")) if board else b""


def registers_of(board: str) -> dict[int, int]:
    """Return the registers of a board that are not zero after a reset; empty for no board."""
    lines = _data(f"{board}.txt").decode().splitlines() if board else []
    words = (line.split() for line in lines if not line.startswith("#"))
    return {int(address, 16): int(value, 16) for address, value in words}


def _data(name: str) -> bytes:
    data = pkgutil.get_data(__name__, f"data/{name}")
    if data is None:
        raise FileNotFoundError(name)
    return data
