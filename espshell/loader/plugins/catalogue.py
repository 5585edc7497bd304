"""The handlers as machine code, and the addresses in each chip's ROM that they call.

Both stand in ``data``: ``handlers.txt`` is written by ``scripts/plugins/build.py`` from the C
beside it, ``rom.txt`` is kept by hand and has the sources.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from espshell.chips import Chip
from espshell.units import WORD

_MASK = 0xFFFF_FFFF
_BASE = "base"


@dataclass(frozen=True, slots=True)
class Handler:
    """Machine code of one handler for one kind of core, not yet in its place."""

    entry: int
    """Offset of its first instruction."""
    fills: tuple[tuple[int, str], ...]
    """Offsets of words, and what belongs into them: a function of the ROM, or ``base``, where the
    handler's own address is added."""
    code: bytes

    def placed(self, address: int, rom: Mapping[str, int]) -> bytes | None:
        """Return the code for an address; None if the chip's ROM lacks a function."""
        code = bytearray(self.code)
        for offset, name in self.fills:
            if name == _BASE:
                value = address + int.from_bytes(code[offset : offset + WORD], "little")
            elif name in rom:
                value = rom[name]
            else:
                return None
            code[offset : offset + WORD] = (value & _MASK).to_bytes(WORD, "little")
        return bytes(code)


def handler(name: str, chip: Chip) -> Handler | None:
    """Return a handler for a chip's cores, or None if there is none."""
    return _handlers().get((name, chip.isa.value))


def place(name: str, chip: Chip, address: int) -> tuple[bytes, int] | None:
    """Return the code of a handler for an address, and its entry.

    None if there is none for the chip's cores, or if its ROM lacks a function that it calls.
    """
    found = handler(name, chip)
    code = None if found is None else found.placed(address, rom(chip.name))
    return None if found is None or code is None else (code, address + found.entry)


@cache
def rom(name: str) -> Mapping[str, int]:
    """Return the addresses of ROM functions, and ``ram``, that are in the table for a chip."""
    for line in _lines("rom.txt"):
        chip, *words = line.split()
        if chip == name:
            return {key: int(value, 0) for key, _, value in (w.partition("=") for w in words)}
    return {}


@cache
def _handlers() -> Mapping[tuple[str, str], Handler]:
    found: dict[tuple[str, str], Handler] = {}
    key = ("", "")
    for line in _lines("handlers.txt"):
        head, *words = line.split(" ")
        if not words:
            last = found[key]
            found[key] = Handler(last.entry, last.fills, last.code + bytes.fromhex(head))
            continue
        key = (head, words[0])
        fills = (mark.split("=") for mark in words[2:])
        found[key] = Handler(int(words[1], 0), tuple((int(at, 0), name) for at, name in fills), b"")
    return found


def _lines(name: str) -> list[str]:
    data = pkgutil.get_data(__package__, f"data/{name}")
    assert data is not None, name
    return [line for line in data.decode().splitlines() if line and not line.startswith("#")]
