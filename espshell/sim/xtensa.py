"""A few instructions of Xtensa: enough for small functions that call nothing.

Windows need no care here: the function's arguments are where ``entry`` leaves them.

Source: Xtensa Instruction Set Architecture Reference Manual.
"""

from __future__ import annotations

from collections.abc import Callable
from operator import add, and_, or_, sub, xor

from espshell.sim.memory import AddressSpace
from espshell.units import WORD

_MOST = 10_000
_MASK = 0xFFFF_FFFF
_RETURNS = (0xF00D, 0xF01D)  # ret.n, retw.n
_LONG_RETURNS = (0x00_0080, 0x00_0090)  # ret, retw
_NARROW = 8  # instructions with this bit in their first digit have two bytes

_BY_OP2: dict[int, Callable[[int, int], int]] = {
    1: and_,
    2: or_,
    3: xor,
    8: add,
    9: lambda s, t: 2 * s + t,
    10: lambda s, t: 4 * s + t,
    11: lambda s, t: 8 * s + t,
    12: sub,
}


def call(memory: AddressSpace, entry: int, arguments: tuple[int, ...]) -> int | None:
    """Call a function with up to six words; return what it returns, or None if it crashes."""
    a = [0, 0x7000_F000, *arguments[:6], *[0] * 8]
    at = entry
    for _ in range(_MOST):
        code = int.from_bytes(memory.read(at, 3), "little")
        if code & 0xFFFF in _RETURNS or code in _LONG_RETURNS:
            return a[2]
        if not (_narrow if code & _NARROW else _wide)(memory, a, code):
            return None
        at += 2 if code & _NARROW else 3
    return None


def _narrow(memory: AddressSpace, a: list[int], code: int) -> bool:
    op, t, s, r = (code >> shift & 15 for shift in (0, 4, 8, 12))
    if op == 8:  # l32i.n
        a[t] = memory.word(a[s] + WORD * r)
    elif op == 9:  # s32i.n
        memory.write_word(a[s] + WORD * r, a[t])
    elif op == 10:  # add.n
        a[r] = a[s] + a[t] & _MASK
    elif op == 11:  # addi.n
        a[r] = a[s] + (t or -1) & _MASK
    elif op == 12 and not t & 8:  # movi.n
        number = (t & 7) << 4 | r
        a[s] = (number - 128 if number >= 96 else number) & _MASK
    elif op == 13 and r == 0:  # mov.n
        a[t] = a[s]
    else:
        return False
    return True


def _wide(memory: AddressSpace, a: list[int], code: int) -> bool:
    op, t, s, r = (code >> shift & 15 for shift in (0, 4, 8, 12))
    op1, op2, byte = code >> 16 & 15, code >> 20, code >> 16
    if code & 0xFF == 0x36:  # entry
        pass
    elif op == 0 and op1 == 0 and op2 in _BY_OP2:
        a[r] = _BY_OP2[op2](a[s], a[t]) & _MASK
    elif op == 0 and op1 == 1 and op2 < 2:  # slli
        a[r] = a[s] << 32 - (op2 << 4 | t) & _MASK
    elif op == 2 and r == 10:  # movi
        number = s << 8 | byte
        a[t] = (number - 0x1000 if number & 0x800 else number) & _MASK
    elif op == 2 and r == 12:  # addi
        a[t] = a[s] + (byte - 0x100 if byte & 0x80 else byte) & _MASK
    elif op == 2 and r == 2:  # l32i
        a[t] = memory.word(a[s] + WORD * byte)
    elif op == 2 and r == 6:  # s32i
        memory.write_word(a[s] + WORD * byte, a[t])
    else:
        return False
    return True
