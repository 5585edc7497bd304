"""Several files made one: raw bytes with a filling between them, Intel HEX, or UF2.

Surprising: ``pad_to`` is a size of the flash, not of the file; a raw file that starts at a target
offset is shorter than it by that offset.  Intel HEX and UF2 say the addresses of what they hold,
so nothing is filled there and the target offset is only a lower bound.  All this is what esptool's
``merge-bin`` does; it refuses parts that share a sector, though, and we only those that overlap.

Source: esptool 5.6, observed.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Literal

from espshell.errors import UsageError
from espshell.image import intel_hex, uf2
from espshell.records import dataclass
from espshell.units import MIB, size_text

Format = Literal["raw", "hex", "uf2"]
FORMATS: tuple[Format, ...] = ("raw", "hex", "uf2")

_FILL = b"\xff"
MAX_RAW = 128 * MIB
"""The largest flash there is for these chips; a raw file beyond it is a slip of an offset."""


@dataclass(frozen=True, slots=True)
class MergePart:
    """Bytes with their offset in flash, and the name of the file that they are from."""

    offset: int
    data: bytes
    name: str

    @property
    def end(self) -> int:
        """Offset of the first byte behind it."""
        return self.offset + len(self.data)

    def __str__(self) -> str:
        return f"{self.name} (0x{self.offset:x}..0x{self.end:x})"


def merge(
    parts: Iterable[MergePart],
    *,
    fmt: Format = "raw",
    target_offset: int = 0,
    pad_to: int | None = None,
    family: int | None = None,
    chunk_size: int | None = None,
    md5: bool = True,
) -> bytes:
    """Return the contents of one file made of parts in any order.

    ``pad_to`` (the flash's size in bytes) is for raw; ``family``, which it needs,
    ``chunk_size`` and ``md5`` for UF2, see ``uf2.write``.

    Raises: UsageError if there are no parts, parts overlap, lie before the target offset or behind
    ``pad_to``, or an option is not for the format.
    """
    if pad_to is not None and fmt != "raw":
        raise UsageError(f"only a raw file can be padded, not {fmt}")
    parts = ordered(parts)
    if target_offset < 0:
        raise UsageError(f"the target offset {target_offset} is before the start of the flash")
    if parts[0].offset < target_offset:
        raise UsageError(f"{parts[0]} starts before the target offset 0x{target_offset:x}")
    if fmt == "hex":
        return intel_hex.to_bytes((part.offset, part.data) for part in parts)
    if fmt == "raw":
        return _raw(parts, target_offset, pad_to)
    if family is None:
        raise UsageError("UF2 needs the chip's family", hint="give the target chip")
    return b"".join(
        uf2.write(part.offset, part.data, family=family, chunk_size=chunk_size, md5=md5)
        for part in parts
    )


def ordered(parts: Iterable[MergePart]) -> list[MergePart]:
    """Return parts in the order of their offsets.

    Raises: UsageError if there are none, one is empty or behind 4 GiB, or two overlap.
    """
    ordered = sorted(parts, key=lambda part: part.offset)
    if not ordered:
        raise UsageError("nothing to merge")
    for part in ordered:
        if not part.data:
            raise UsageError(f"{part.name} is empty")
        if part.offset < 0:
            raise UsageError(
                f"{part.name} would begin before the start of the flash, at {part.offset}"
            )
        if part.end > 1 << 32:
            raise UsageError(f"{part} ends beyond 4 GiB")
    for one, other in pairwise(ordered):
        if other.offset < one.end:
            raise UsageError(f"{other} overlaps {one}")
    return ordered


def _raw(parts: list[MergePart], target_offset: int, pad_to: int | None) -> bytes:
    end = parts[-1].end if pad_to is None else pad_to
    if parts[-1].end > end:
        raise UsageError(f"{parts[-1]} ends behind {size_text(end)}, the size to pad to")
    if end - target_offset > MAX_RAW:
        size = size_text(end - target_offset)
        raise UsageError(
            f"a raw file up to {parts[-1]} would have {size}", hint="hex or uf2 need no padding"
        )
    pieces = []
    position = target_offset
    for part in parts:
        pieces += [_FILL * (part.offset - position), part.data]
        position = part.end
    return b"".join([*pieces, _FILL * (end - position)])
