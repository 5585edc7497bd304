"""What has been measured of compressed reads (``loader.deflate``)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Deflating:
    """What is known of compressed reads through one loader."""

    rate: float = 0.0
    """Bytes of flash a second, of the last part; 0: none has been read just now."""
    has_gained: bool = False
    """Whether the part before was quicker than a plain one."""
    is_proven: bool = False
    """Whether a part had the MD5 of the chip."""
    core_s: float = 0.0
    """What reading and compressing a byte of it took the core."""
    size: int = 0
    """Bytes of it."""
    plain_until: int = 0
    """The offset up to which a plain stream is taken, from ``plain_from`` on."""
    plain_from: int = 0
    faults: int = 0
