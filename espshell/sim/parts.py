"""The flash parts that can be simulated: one literal a part.

Sources: registers, write commands and protection as flashrom, ufprog, Linux, SpiFlashUtils and
ESP-IDF have them, and published register dumps.  Images of SFDP: see ``sfdp``.  Times are typical
values of the makers' data sheets, from memory; nothing measures by them.  Not documented and chosen
here: a status write with more bytes than the part has registers for is not executed.
"""

from __future__ import annotations

import re

from espshell.records import dataclass, replace
from espshell.sim import sfdp
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


_SR1 = StatusRegister(0x05, 0xFC)
_SR2 = StatusRegister(0x35, 0x43, one_way=0x38)
_SEPARATE = (StatusWrite(0x01, (0,)), StatusWrite(0x31, (1,)), StatusWrite(0x11, (2,)))
_BOTH_WAYS = (StatusWrite(0x01, (0, 1)), *_SEPARATE[1:])
_TOGETHER = (StatusWrite(0x01, (0, 1), clears_rest=True),)
_ALONE = (StatusWrite(0x01, (0,)),)

_BP3 = (StatusBit(0, 2), StatusBit(0, 3), StatusBit(0, 4))
_BP4 = (*_BP3, StatusBit(0, 5))
_TB = StatusBit(0, 5)
_SRP0 = StatusBit(0, 7)
_QE_IN_SR1 = StatusBit(0, 6)
_GUARD = ProtectionBits(_BP3, tb=_TB, sec=StatusBit(0, 6), cmp=StatusBit(1, 6))


def _like_w25q(
    name: str,
    jedec_id: int,
    writes: tuple[StatusWrite, ...],
    *others: StatusRegister,
    image: bytes = b"",
    times: Times | None = None,
    guard: ProtectionBits = _GUARD,
) -> PartModel:
    """Return a part with the SR1 and QE of a W25Q; the id ends with the logarithm of its size."""
    size = 1 << (jedec_id & 0xFF)
    return PartModel(
        name=name,
        jedec_id=jedec_id,
        size=size,
        registers=(_SR1, *others),
        writes=writes,
        guard=guard,
        srp0=_SRP0,
        srp1=StatusBit(1, 0),
        qe=StatusBit(1, 1),
        sfdp=sfdp.sized(image, size),
        times=times or Times(chip_s=10.0 * size / (4 * MIB)),
    )


_WPS = replace(_GUARD, wps=StatusBit(2, 2))
_W25Q256_GUARD = ProtectionBits(_BP4, tb=StatusBit(0, 6), cmp=StatusBit(1, 6), wps=StatusBit(2, 2))
_GD_TIMES = Times(0.6e-3, 50e-3, 150e-3, 200e-3, 15.0, 5e-3)
_SLOWER = Times(0.5e-3, 50e-3, 150e-3, 200e-3, 25.0)
_PUYA_TIMES = Times(1.5e-3, 16e-3, 16e-3, 16e-3, 16e-3, 8e-3)
_W25Q64BV_TIMES = Times(0.7e-3, 30e-3, 120e-3, 150e-3, 15.0)

# The write commands of a part, and its registers behind SR1.
_WINBOND = (_BOTH_WAYS, _SR2, StatusRegister(0x15, 0xE4, factory=0x60))
_W25Q128 = (_BOTH_WAYS, replace(_SR2, factory=0x02), _WINBOND[2])
_W25Q256 = (_SEPARATE, _SR2, StatusRegister(0x15, 0xE6, factory=0x60))
_GIGADEVICE = (_SEPARATE, _SR2, StatusRegister(0x15, 0x60, factory=0x20))
_XMC_32 = (_SEPARATE, _SR2, StatusRegister(0x15, 0xE0, factory=0x20))
_XMC_64 = (_SEPARATE, _SR2, StatusRegister(0x15, 0xE3))
_BOYA = (_SEPARATE, _SR2, StatusRegister(0x15, 0xE4, factory=0x40))
_ZBIT = (_SEPARATE, _SR2, StatusRegister(0x15, 0x70))

_W25Q32JV = _like_w25q("W25Q32JV", 0xEF4016, *_WINBOND, image=sfdp.W25Q32JV, guard=_WPS)
_GD25Q32C = _like_w25q("GD25Q32C", 0xC84016, *_GIGADEVICE, image=sfdp.GD25Q32C, times=_GD_TIMES)
_XM25QH64C = _like_w25q("XM25QH64C", 0x204017, *_XMC_64, image=sfdp.XMC, times=_SLOWER)

_MX_TIMES = Times(0.5e-3, 30e-3, 150e-3, 280e-3, 15.0, 20e-3)
_MX25L3233F = PartModel(
    name="MX25L3233F",
    jedec_id=0xC22016,
    size=4 * MIB,
    registers=(
        _SR1,
        StatusRegister(0x15, 0xC7, one_way=0x08, factory=0x07),
        StatusRegister(0x2B, one_way=0x82),
    ),
    writes=(StatusWrite(0x01, (0, 1)),),
    guard=ProtectionBits(_BP4, tb=StatusBit(1, 3), wps=StatusBit(2, 7)),
    srp0=_SRP0,
    qe=_QE_IN_SR1,
    sfdp=sfdp.MX25L3233F,
    volatile_writes=False,
    times=_MX_TIMES,
    burns=(Burn(0x2F, 2, 0x02), Burn(0x68, 2, 0x80)),
    qpi=0x35,
    program_error=StatusBit(2, 5),
    erase_error=StatusBit(2, 6),
    unique_id=False,
)
_MX25L6436E = replace(
    _MX25L3233F,
    name="MX25L6436E",
    jedec_id=0xC22017,
    size=8 * MIB,
    registers=(_SR1, StatusRegister(0x2B, one_way=0x82)),
    writes=_ALONE,
    guard=ProtectionBits(_BP4, wps=StatusBit(1, 7), shape=Shape.DOUBLE),
    sfdp=sfdp.sized(sfdp.MX25L3233F, 8 * MIB),
    burns=(Burn(0x2F, 1, 0x02), Burn(0x68, 1, 0x80)),
    qpi=None,
    program_error=StatusBit(1, 5),
    erase_error=StatusBit(1, 6),
)

_IS25LP032 = PartModel(
    name="IS25LP032",
    jedec_id=0x9D6016,
    size=4 * MIB,
    registers=(
        _SR1,
        StatusRegister(0x48, one_way=0xF3),
        StatusRegister(0x61, 0xFF),
        StatusRegister(0x81, 0xE0, factory=0xE0),
    ),
    writes=(
        *_ALONE,
        StatusWrite(0x42, (1,)),
        StatusWrite(0x65, (2,)),
        StatusWrite(0x63, (2,), volatile=True),
        StatusWrite(0x85, (3,)),
        StatusWrite(0x83, (3,), volatile=True),
    ),
    guard=ProtectionBits(_BP4, tb=StatusBit(1, 1)),
    srp0=_SRP0,
    qe=_QE_IN_SR1,
    sfdp=sfdp.sized(sfdp.IS25WP128F, 4 * MIB),
    times=Times(0.2e-3, 70e-3, 100e-3, 150e-3, 15.0, 2e-3),
    traps=(0x15, 0x2F),
    qpi=0x35,
    program_error=StatusBit(3, 2),
    erase_error=StatusBit(3, 3),
    protection_error=StatusBit(3, 1),
)
_IS25WP128F = replace(
    _IS25LP032, name="IS25WP128F", jedec_id=0x9D7018, size=16 * MIB, sfdp=sfdp.IS25WP128F
)

_EN25QH32 = PartModel(
    name="EN25QH32",
    jedec_id=0x1C7016,
    size=4 * MIB,
    registers=(_SR1, StatusRegister(None, one_way=0xFC)),
    writes=_ALONE,
    guard=ProtectionBits(_BP3, tb=_TB),
    srp0=_SRP0,
    sfdp=sfdp.PLAIN,
    volatile_writes=False,
    times=Times(0.6e-3, 50e-3, 200e-3, 300e-3, 20.0),
    traps=(0x3A,),
)

PARTS = (
    _W25Q32JV,
    _like_w25q("W25Q64JV", 0xEF4017, *_WINBOND, image=sfdp.W25Q128JV, guard=_WPS),
    _like_w25q("W25Q128JV", 0xEF4018, *_W25Q128, image=sfdp.W25Q128JV, guard=_WPS),
    _like_w25q("W25Q256JV", 0xEF4019, *_W25Q256, image=sfdp.W25Q128JV, guard=_W25Q256_GUARD),
    replace(
        _like_w25q(
            "W25Q64BV", 0xEF4017, _TOGETHER, StatusRegister(0x35, 0x03), times=_W25Q64BV_TIMES
        ),
        guard=replace(_GUARD, cmp=None),
        volatile_writes=False,
    ),
    _GD25Q32C,
    _like_w25q("GD25Q64C", 0xC84017, *_GIGADEVICE, image=sfdp.GD25Q32C, times=_GD_TIMES),
    _like_w25q("GD25LQ32", 0xC86016, _TOGETHER, _SR2, image=sfdp.GD25Q32C, times=_GD_TIMES),
    _like_w25q("XM25QH32C", 0x204016, *_XMC_32, image=sfdp.XMC, times=_SLOWER),
    _XM25QH64C,
    _like_w25q("BY25Q32ES", 0x684016, *_BOYA, image=sfdp.BY25Q32, guard=_WPS),
    # Whether one byte after 01h clears SR2 is not known of Puya: the worse is taken.
    _like_w25q("P25Q32H", 0x856016, _TOGETHER, _SR2, image=sfdp.PLAIN, times=_PUYA_TIMES),
    _like_w25q("ZB25VQ32", 0x5E4016, *_ZBIT, image=sfdp.PLAIN),
    replace(
        _like_w25q(
            "FM25W128", 0xA12818, _SEPARATE[:2], StatusRegister(0x35, 0x4B), image=sfdp.PLAIN
        ),
        guard=replace(_GUARD, wps=StatusBit(1, 3), shape=Shape.SIXTEENTH),
    ),
    _MX25L3233F,
    _MX25L6436E,
    replace(
        _MX25L6436E,
        name="MX25U6435F",
        jedec_id=0xC22537,
        guard=ProtectionBits(_BP4, wps=StatusBit(1, 7), shape=Shape.LOWER),
    ),
    replace(
        _MX25L6436E,
        name="MX25L3206E",
        jedec_id=0xC22016,
        size=4 * MIB,
        registers=(StatusRegister(0x05, 0xBC), StatusRegister(0x2B, one_way=0x02)),
        guard=ProtectionBits(_BP3, flip=StatusBit(0, 5)),
        qe=None,
        sfdp=sfdp.MX25L3206E,
        burns=(Burn(0x2F, 1, 0x02),),
    ),
    _IS25LP032,
    _IS25WP128F,
    replace(
        _IS25WP128F,
        name="IS25WP128F-B",
        guard=replace(_IS25LP032.guard, shape=Shape.ALL_BUT),
    ),
    _EN25QH32,
    replace(
        _EN25QH32,
        name="EN25QH64",
        jedec_id=0x1C7017,
        size=8 * MIB,
        guard=ProtectionBits(_BP3, tb=_TB, shape=Shape.BLOCKS),
        sfdp=sfdp.sized(sfdp.PLAIN, 8 * MIB),
    ),
    replace(
        _EN25QH32,
        name="EN25Q32B",
        jedec_id=0x1C3016,
        guard=ProtectionBits(_BP3, tb=_TB, shape=Shape.INVERTED),
        sfdp=b"",
    ),
)

_FAMILIES = {"W25Q": _W25Q32JV, "GD25Q": _GD25Q32C, "XM25QH": _XM25QH64C}
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
    relative = match and _FAMILIES.get(match[1])
    mbit = int(match[2]) if match else 0
    size = _MBIT.get(mbit, mbit) * MIB // 8
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
        sfdp=sfdp.sized(part.sfdp, size),
        times=replace(part.times, chip_s=part.times.chip_s * size / part.size),
    )
