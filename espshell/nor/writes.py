"""How status registers are written: which opcode takes which registers' bytes.

What is surprising: there are two kinds of parts that look the same when read.  The older kind takes
SR1 and SR2 together by 01h, ignores 31h, and sets SR2 to 0 when 01h brings one byte: QE and CMP are
gone.  The newer kind takes 01h, 31h and 11h with one byte each, and ignores 01h with two.  Some
take both.
"""

from __future__ import annotations

from espshell.nor import opcodes
from espshell.records import dataclass


@dataclass(frozen=True, slots=True)
class Form:
    """A write that a part takes: an opcode and the registers whose bytes follow, in order."""

    opcode: int
    registers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WritePlan:
    """How the registers of a part are written; the first form that fits is taken."""

    name: str
    forms: tuple[Form, ...]
    clears_sr2: bool = False
    """01h with one byte sets SR2 to 0."""


_SR1 = Form(opcodes.WRSR1, ("SR1",))
_SR2 = Form(opcodes.WRSR2, ("SR2",))
_SR3 = Form(opcodes.WRSR3, ("SR3",))
_BOTH = Form(opcodes.WRSR1, ("SR1", "SR2"))

WRITE_PLANS: dict[str, WritePlan] = {
    plan.name: plan
    for plan in (
        WritePlan("none", ()),
        WritePlan("sr1", (_SR1,)),
        WritePlan("w16", (_BOTH,), clears_sr2=True),
        # Both bytes whenever SR1 changes: harmless on these, and right if it is the older kind.
        WritePlan("w16_31_11", (_SR2, _SR3, _BOTH)),
        WritePlan("w16_31", (_SR2, _BOTH)),
        WritePlan("sep", (_SR1, _SR2, _SR3)),
        WritePlan("mx", (_SR1, Form(opcodes.WRSR1, ("SR1", "CR")))),
        # CR1 of MX25R can only be written with CR2, which is not described: SR1 only.
        WritePlan("mx_r", (_SR1,)),
        WritePlan("eon_qe", (_SR1, _SR2, Form(0xC0, ("SR3",)))),
        WritePlan("3e", (Form(0x3E, ("SR2",)),)),
        WritePlan("31", (_SR2,)),
    )
}
"""By name.  Source: flashrom b946ca13, hackpascal/ufprog 57fc859f, esp-idf 10212290, Beken
``flash_config``; ``3e`` and ``31`` are what QER 011 and 110 of JESD216 say."""
