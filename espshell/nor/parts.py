"""Flash parts: which one it is, by JEDEC id and SFDP, and what is known about it.

Parts stand in ``data/parts.txt``, a line each.  ``identify`` gives one ``Part`` to work with:

* the part, when one row is left;
* what all candidates share, when several are: a bit on which they do not agree cannot be
  written, and where they are written in different ways both ways are kept (see ``plan``);
* a stand-in when the id is unknown: BUSY, WEL and, where SFDP says how, QE.

What is surprising: an id is not a part (ef4016 is at least four), and the table knows better than
SFDP, which is often of 2011 or copied.  Where the two contradict each other about QE nothing is
written at all (``Identified.doubts``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from functools import cache

from espshell import tables
from espshell.errors import UsageError
from espshell.nor import layout as layouts
from espshell.nor import makers, opcodes
from espshell.nor.layout import WRITE_PLANS, Bit, BitKind, Layout, RegisterLayout, WritePlan
from espshell.nor.sfdp import Sfdp
from espshell.records import dataclass, replace
from espshell.units import size_text


class Volatile(Enum):
    """Whether 50h makes the next status write volatile."""

    YES = "yes"
    NO = "no"
    SFDP = "sfdp"
    """As DW16 of the basic flash parameters says."""
    UNKNOWN = "unknown"
    """Not verified; DW16 is believed if it is there."""


_LEAST_FIRST = (Volatile.NO, Volatile.UNKNOWN, Volatile.SFDP, Volatile.YES)
"""Of several parts the first of these holds whichever it is."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part, or what several parts have in common."""

    jedec_id: int
    names: tuple[str, ...]
    layout: Layout
    writes: tuple[WritePlan, ...]
    """One; several, if candidates are written in different ways."""
    volatile: Volatile
    variants: tuple[str, ...]
    """Rules of the protected range (see ``protection``); several if it is not known which holds."""
    confidence: str
    """A: two independent sources, B: one, C: inferred or disputed."""
    sources: tuple[str, ...]
    tests: tuple[str, ...] = ()
    """What SFDP must say for it to be this part."""
    published: bool = False
    """Its protected ranges stand in a source; else they are computed."""
    note: str = ""
    candidates: tuple[Part, ...] = ()
    """The parts of which this is what they have in common."""
    size: int = 0
    """Bytes; 0 if it is not known."""

    @property
    def name(self) -> str:
        """All of its names in one."""
        return "/".join(self.names)

    @property
    def is_open(self) -> bool:
        """Whether it is not known which of several parts it is."""
        return len(self.candidates) > 1

    @property
    def alternatives(self) -> tuple[Part, ...]:
        """The parts that it may be; itself, if there is only one."""
        return self.candidates or (self,)

    @property
    def written(self) -> frozenset[str]:
        """The registers that can be written, whichever part it is."""
        sets = [{n for form in plan.forms for n in form.registers} for plan in self.writes]
        return frozenset(set.intersection(*sets)) if sets else frozenset()

    def is_called(self, name: str) -> bool:
        """Whether a person who typed this name means the part."""
        return name.upper() in (own.upper() for own in (*self.names, self.name))


@dataclass(frozen=True, slots=True)
class Identified:
    """What was found out about a flash."""

    jedec_id: int
    sfdp: Sfdp | None
    part: Part
    """To work with: a part, what candidates have in common, or a stand-in."""
    known: bool
    """Whether the table has the id."""
    doubts: tuple[str, ...] = ()
    """Where SFDP contradicts the table, a sentence each; nothing is written then."""

    @property
    def maker(self) -> str:
        """Who made it; may be empty."""
        return makers.name(self.jedec_id)

    @property
    def size(self) -> int | None:
        """Bytes: by the id, else by SFDP."""
        basic = self.sfdp.basic if self.sfdp else None
        return self.part.size or (basic.size if basic else 0) or None


def rows() -> tuple[Part, ...]:
    """Return all parts of the table."""
    return tuple(part for parts in _by_id().values() for part in parts)


def by_name(name: str) -> Part | None:
    """Return the part of a name in any case."""
    return next((part for part in rows() if part.is_called(name)), None)


def candidates(jedec_id: int, sfdp: Sfdp | None) -> tuple[Part, ...]:
    """Return the parts that have an id and do not contradict SFDP; all of the id if all do."""
    same_id = _by_id().get(jedec_id, ())
    fitting = tuple(p for p in same_id if all(_holds(t, sfdp) is not False for t in p.tests))
    fitting = fitting or same_id
    agreed = tuple(part for part in fitting if _qe_agrees(part, sfdp))
    return agreed or fitting


def identify(jedec_id: int, sfdp: Sfdp | None, *, name: str | None = None) -> Identified:
    """Identify a flash.  ``name`` is the print on it, and decides between candidates.

    Raises: UsageError if no part of that name has the id.
    """
    parts = candidates(jedec_id, sfdp)
    if name is not None:
        parts = (_chosen(jedec_id, name),)
    if not parts:
        return Identified(jedec_id, sfdp, _stand_in(jedec_id, sfdp), known=False)
    part = _merged(parts)
    doubts = tuple(_doubts(part, sfdp))
    if sfdp and sfdp.basic and sfdp.basic.enters_qpi_by_35h:
        part = replace(part, layout=part.layout.without(opcodes.RDSR2))
    return Identified(jedec_id, sfdp, part, known=True, doubts=doubts)


def volatile_possible(identified: Identified) -> tuple[bool, str]:
    """Return whether a status write can be volatile, and why (an end of a sentence)."""
    table, basic = identified.part.volatile, identified.sfdp.basic if identified.sfdp else None
    by_sfdp = basic.volatile_50h if basic else None
    if table is Volatile.NO:
        which = "one of the parts that it may be" if identified.part.is_open else "the part"
        return False, f"{which} does not support 50h"
    if by_sfdp is not None:
        how = basic.status_write if basic else ""
        return by_sfdp, f"SFDP says: {how}"
    if table is Volatile.YES:
        return True, "the part supports 50h"
    return False, "no source says that the part supports 50h"


def loses_bits(part: Part, count: int = 2) -> str | None:
    """Return the harm of esptool's sequence for ``count`` status bytes to a part; None if none.

    That sequence is 01h with all bytes (for two or more), then 01h, 31h and 11h with one byte each.
    Source: esptool bb72741f; write plans above.
    """
    names = {register.name for register in part.layout.registers}
    if any(plan.clears_sr2 for plan in part.writes):
        return f"{part.name} may clear SR2 (QE, CMP, SRP1) when SR1 is written alone"
    if not part.written:
        return f"how to write the registers of {part.name} is unknown"
    if count > 1 and "CR" in names:
        return f"the second byte goes to CR of {part.name}, where bit 3 (TB) is one-way"
    missing = [f"SR{n}" for n in range(2, count + 1) if f"SR{n}" not in part.written]
    return f"{part.name} has no {' and '.join(missing)} to be written so" if missing else None


# --- choosing


def _holds(test: str, sfdp: Sfdp | None) -> bool | None:
    """Return whether SFDP agrees with a word of the table; None if it does not tell."""
    if sfdp is None:
        return None
    operator = "<" if "<" in test else "="
    what, _, text = test.partition(operator)
    number = int(text)
    if what == "minor":
        return sfdp.revision[1] < number if operator == "<" else sfdp.revision[1] == number
    if sfdp.basic is None or len(sfdp.basic.words) < 5:
        return None
    flags = {"444": sfdp.basic.qpi, "quad": sfdp.basic.quad}
    return flags[what] == bool(number)


_QE_AT: dict[int, tuple[str, int] | None] = {0: None, 2: ("SR1", 6), 3: ("SR2", 7)}
_QE_AT |= dict.fromkeys((1, 4, 5, 6), ("SR2", 1))
"""Register and bit of QE by QER.  Source: JESD216B, DW15."""


def _qe_agrees(part: Part, sfdp: Sfdp | None) -> bool | None:
    """Return whether SFDP has QE where the part has it; None if it does not tell."""
    qer = sfdp.basic.qer if sfdp and sfdp.basic else None
    if qer not in _QE_AT:
        return None
    bits = [bit for r in part.layout.registers for bit in r.bits if bit.name == "QE"]
    return _QE_AT[qer] in [(bit.register, bit.position) for bit in bits] or (
        not bits and _QE_AT[qer] is None
    )


def _chosen(jedec_id: int, name: str) -> Part:
    parts = _by_id().get(jedec_id, ())
    match = next((part for part in parts if part.is_called(name)), None)
    if match is None:
        names = ", ".join(text for part in parts for text in part.names)
        hint = f"parts with this id: {names}" if names else "no known part has this ID"
        raise UsageError(f"{name} does not have the id {jedec_id:06x}", hint=hint)
    return match


def _doubts(part: Part, sfdp: Sfdp | None) -> Iterator[str]:
    basic = sfdp.basic if sfdp else None
    if basic is None:
        return
    if part.size and basic.size != part.size:
        by_sfdp, by_id = size_text(basic.size), size_text(part.size)
        yield f"SFDP says {by_sfdp} and the id {by_id}: it may be a clone of {part.name}"
    if basic.enters_qpi_by_35h and part.layout.register("SR2"):
        yield f"SFDP says that 35h enters QPI, so SR2 of {part.name} is not read"
    if all(_qe_agrees(alternative, sfdp) is False for alternative in part.alternatives):
        yield f"SFDP says QE: {basic.qer_text}; {part.name} has it elsewhere, or has none"


def _merged(parts: Sequence[Part]) -> Part:
    """Return what parts have in common; a part that stands alone as it is."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return Part(
        jedec_id=first.jedec_id,
        names=tuple(name for part in parts for name in part.names),
        layout=layouts.common([part.layout for part in parts]),
        writes=tuple({part.writes[0].name: part.writes[0] for part in parts}.values()),
        volatile=min((part.volatile for part in parts), key=_LEAST_FIRST.index),
        variants=(),
        confidence=max(part.confidence for part in parts),
        sources=tuple(dict.fromkeys(source for part in parts for source in part.sources)),
        published=all(part.published for part in parts),
        note="; ".join(f"{part.names[0]}: {part.note}" for part in parts if part.note),
        candidates=tuple(parts),
        size=first.size,
    )


# --- unknown ids

_STAND_IN_PLANS = {1: "w16", 2: "sr1", 3: "3e", 4: "w16", 5: "w16", 6: "31"}


def _stand_in(jedec_id: int, sfdp: Sfdp | None) -> Part:
    """Return what can be said of a part that is not in the table: QE, if SFDP says how."""
    layout, plan = layouts.of("generic1"), "none"
    basic = sfdp.basic if sfdp else None
    place = _QE_AT.get(basic.qer) if basic and basic.qer is not None else None
    if basic and basic.qer and place:
        # 35h may be something else than a read of SR2.
        by_35h = basic.qer != 3 and basic.enters_qpi_by_35h
        is_other = makers.manufacturer(jedec_id) in makers.OTHER_COMMANDS
        if place[0] == "SR1" or not (is_other or by_35h):
            layout, plan = _with_qe(layout, place, basic.qer), _STAND_IN_PLANS[basic.qer]
    maker = makers.name(jedec_id)
    return Part(
        jedec_id=jedec_id,
        names=(f"unknown-{jedec_id:06x}",),
        layout=layout,
        writes=(WRITE_PLANS[plan],),
        volatile=Volatile.SFDP,
        variants=("unknown",),
        confidence="C",
        sources=(),
        note="not in the table; known from SFDP only" + (f"; made by {maker}" if maker else ""),
        size=makers.size(jedec_id) or (basic.size if basic else 0),
    )


def _with_qe(layout: Layout, place: tuple[str, int], qer: int) -> Layout:
    """Return a layout in which nothing but QE has a name."""
    name, position = place
    qe = Bit("QE", name, position, BitKind.PLAIN)
    previous = layout.register(name)
    opcode = opcodes.RDSR2_QER3 if qer == 3 else opcodes.RDSR2
    if previous is None:
        blank = (Bit("-", name, i, BitKind.RESERVED) for i in range(layouts.WIDTH))
        previous = RegisterLayout(name, opcode, tuple(blank))
    bits = (*previous.bits[:position], qe, *previous.bits[position + 1 :])
    changed = replace(previous, bits=bits)
    others = tuple(register for register in layout.registers if register.name != name)
    return Layout(
        "sfdp", (*others, changed), (*layout.fields, layouts.BitGroup("QE", (qe,), qe.kind))
    )


# --- the table


@cache
def _by_id() -> dict[int, tuple[Part, ...]]:
    parts: dict[int, tuple[Part, ...]] = {}
    for line in tables.rows(__package__, "parts"):
        facts, _, note = (column.strip() for column in line.partition("|"))
        number, names, layout, plan, volatile, variants, confidence, sources, *words = facts.split()
        jedec_id = int(number, 16)
        part = Part(
            jedec_id=jedec_id,
            names=tuple(names.split(",")),
            layout=layouts.of(layout, makers.manufacturer(jedec_id)),
            writes=(WRITE_PLANS[plan],),
            volatile=Volatile(volatile),
            variants=tuple(variants.split(",")),
            confidence=confidence,
            sources=tuple(sources.split(",")),
            tests=tuple(word for word in words if word != "published"),
            published="published" in words,
            note=note,
            size=makers.size(jedec_id) or 0,
        )
        parts[jedec_id] = (*parts.get(jedec_id, ()), part)
    return parts
