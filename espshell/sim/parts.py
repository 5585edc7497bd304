"""The flash parts that can be simulated: rows of ``data/parts.txt``.

Sources: registers, write commands and protection as flashrom, ufprog, Linux, SpiFlashUtils and
ESP-IDF have them, and published register dumps.  Images of SFDP: ``data/sfdp.txt``.  Times are
typical values of the makers' data sheets, from memory; nothing measures by them.  Not documented
and chosen here: a status write with more bytes than the part has registers for is not executed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from espshell import tables
from espshell.records import dataclass
from espshell.sim.guard import ProtectionBits, Shape, StatusBit
from espshell.units import KIB, MIB

BLOCK_ERASE = {0x20: 4 * KIB, 0x52: 32 * KIB, 0xD8: 64 * KIB}
"""What each erase command covers."""


@dataclass(frozen=True, slots=True)
class StatusRegister:
    """A status register; bits that no mask names are read only."""

    read: int | None
    """The command that reads it; None: 05h in the mode that 3Ah begins."""
    writable: int = 0
    one_way: int = 0
    """Bits that go from 0 to 1 only, for good."""
    factory: int = 0


@dataclass(frozen=True, slots=True)
class StatusWrite:
    """A command that writes registers, one byte each."""

    opcode: int
    registers: tuple[int, ...]
    clears_rest: bool = False
    """Whether registers that get no byte are cleared."""
    volatile: bool = False
    """Whether it writes the active copy also after 06h."""


@dataclass(frozen=True, slots=True)
class Burn:
    """A command without data that sets one-way bits."""

    opcode: int
    register: int
    mask: int


@dataclass(frozen=True, slots=True)
class Times:
    """How long the flash is busy."""

    page_s: float = 0.4e-3
    sector_s: float = 45e-3
    half_block_s: float = 120e-3
    block_s: float = 150e-3
    chip_s: float = 10.0
    status_s: float = 10e-3


@dataclass(frozen=True, slots=True)
class PartModel:
    """A flash as its data sheet has it."""

    name: str
    jedec_id: int
    size: int
    registers: tuple[StatusRegister, ...]
    writes: tuple[StatusWrite, ...]
    guard: ProtectionBits
    srp0: StatusBit
    srp1: StatusBit | None = None
    qe: StatusBit | None = None
    sfdp: bytes = b""
    """Empty: it has none."""
    volatile_writes: bool = True
    """Whether 50h is known."""
    times: Times = Times()
    burns: tuple[Burn, ...] = ()
    traps: tuple[int, ...] = ()
    """Commands that are another part's status reads and do something bad here."""
    qpi: int | None = None
    """The command after which it takes no more commands on one line."""
    program_error: StatusBit | None = None
    """What says that protection has kept a page from being programmed; WEL is cleared then."""
    erase_error: StatusBit | None = None
    protection_error: StatusBit | None = None
    unique_id: bool = True
    """Whether 4Bh is known."""


def _bit(text: str) -> StatusBit:
    register, bit = text.split(".")
    return StatusBit(int(register), int(bit))


def _register(text: str) -> StatusRegister:
    read, *values = text.split(":")
    numbers = (int(value, 16) for value in values)
    return StatusRegister(None if read == "-" else int(read, 16), *numbers)


def _write(text: str) -> StatusWrite:
    opcode, registers = text.split(":")
    indexes = tuple(int(digit) for digit in registers.rstrip("cv"))
    return StatusWrite(int(opcode, 16), indexes, registers[-1] == "c", registers[-1] == "v")


def _burn(text: str) -> Burn:
    opcode, register, mask = text.split(":")
    return Burn(int(opcode, 16), int(register), int(mask, 16))


def _opcode(text: str) -> int:
    return int(text, 16)


def _described(size: int, image: str) -> bytes:
    """Return an image of ``data/sfdp.txt``, as it is for a size."""
    header, *tables_at = _IMAGES[image]
    data = bytes.fromhex(header)
    for table in tables_at:
        at, contents = table.split("=")
        data = data.ljust(int(at, 16), b"\xff") + bytes.fromhex(contents)
    return _sized(data, size)


def _sized(image: bytes, size: int) -> bytes:
    """Return an image of SFDP with another density (bytes) in its basic table."""
    if not image:
        return b""
    at = int.from_bytes(image[12:15], "little")
    return image[: at + 4] + (8 * size - 1).to_bytes(4, "little") + image[at + 8 :]


def _part(name: str, fields: Mapping[str, str]) -> PartModel:
    """Return the part that the fields of a row of ``data/parts.txt`` describe."""
    jedec_id = int(fields["id"], 16)
    size = int(fields.get("size", 1 << (jedec_id & 0xFF)))
    bits = {key: _bit(fields[key]) for key in (*_GUARD_BITS, *_BITS) if key in fields}
    guard = {key: bits.pop(key) for key in _GUARD_BITS if key in bits}
    lists = {
        key: tuple(map(read, fields[key].split(",")))
        for key, read in _LISTS.items()
        if key in fields
    }
    times = (
        Times(*(float(ms) / 1e3 for ms in fields["times"].split(",")))
        if "times" in fields
        else Times(chip_s=10.0 * size / (4 * MIB))
    )
    values: dict[str, Any] = {**bits, **lists}
    return PartModel(
        name=name,
        jedec_id=jedec_id,
        size=size,
        guard=ProtectionBits(
            tuple(map(_bit, fields["bp"].split(","))),
            shape=Shape[fields.get("shape", "HALVES")],
            **guard,
        ),
        sfdp=_described(size, fields["sfdp"]) if "sfdp" in fields else b"",
        times=times,
        qpi=_opcode(fields["qpi"]) if "qpi" in fields else None,
        volatile_writes="volatile_writes" not in fields,
        unique_id="unique_id" not in fields,
        **values,
    )


def _parts() -> Iterator[PartModel]:
    """Yield the parts; a field that a row leaves out is that of the row it is like."""
    rows: dict[str, dict[str, str]] = {}
    for name, *words in map(str.split, tables.rows(__package__, "parts")):
        own = dict(word.split("=") for word in words)
        fields = {**rows.get(own.pop("like", ""), {}), **own}
        rows[name] = {key: text for key, text in fields.items() if text != "-"}
        yield _part(name, rows[name])


_GUARD_BITS = ("tb", "sec", "cmp", "flip", "wps")
_BITS = ("srp0", "srp1", "qe", "program_error", "erase_error", "protection_error")
_LISTS: dict[str, Callable[[str], object]] = {
    "registers": _register,
    "writes": _write,
    "burns": _burn,
    "traps": _opcode,
}
_IMAGES = {name: words for name, *words in map(str.split, tables.rows(__package__, "sfdp"))}

PARTS = tuple(_parts())
_W25Q32JV = PARTS[0]

_FAMILIES = {"W25Q": "W25Q32JV", "GD25Q": "GD25Q32C", "XM25QH": "XM25QH64C"}
"""What a part is like of which no more than family and size is known."""

_MBIT = {10: 1, 20: 2, 40: 4, 80: 8}
"""What small sizes are called."""


def by_name(name: str) -> PartModel | None:
    """Return the part of a name, of which the beginning is enough if no other begins so."""
    name = name.upper()
    begun = [part for part in PARTS if name and part.name.startswith(name)]
    exact = [part for part in begun if part.name == name]
    if exact or len(begun) == 1:
        return (exact or begun)[0]
    match = re.fullmatch(r"([A-Z]+25[A-Z]+)(\d+)[A-Z]*", name)
    like = match and _FAMILIES.get(match[1])
    mbit = int(match[2]) if match else 0
    size = _MBIT.get(mbit, mbit) * MIB // 8
    relative = next((part for part in PARTS if part.name == like), None)
    return replace(_scaled(relative, size), name=name) if relative and size else None


def plain(size: int) -> PartModel:
    """Return a part of a size (bytes) like a W25Q32JV, all of whose registers are zero.

    Its id is that of the next smaller part, if there is none of the size.
    """
    registers = tuple(replace(register, factory=0) for register in _W25Q32JV.registers)
    return replace(_scaled(_W25Q32JV, size), name="plain", registers=registers)


def _scaled(part: PartModel, size: int) -> PartModel:
    return replace(
        part,
        size=size,
        jedec_id=part.jedec_id & ~0xFF | size.bit_length() - 1,
        sfdp=_sized(part.sfdp, size),
        times=replace(part.times, chip_s=part.times.chip_s * size / part.size),
    )
