"""copy, find, diff, hash: whole ranges of memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from espshell.chips import Kind
from espshell.errors import UsageError
from espshell.files import read_bytes
from espshell.ops.memory import diff as differences
from espshell.ops.memory import find as search
from espshell.ops.memory import hash as hashing
from espshell.ops.memory import words
from espshell.records import dataclass, replace
from espshell.shell.arguments.operands import HASHED, OPERANDS, PATTERN, Operand
from espshell.shell.arguments.places import REGION, WRITABLE_PLACE, Extent, Location
from espshell.shell.arguments.types import POSITIVE
from espshell.shell.commands.flash import write_flash
from espshell.shell.commands.memory import Check, Force, Unverified, by_width
from espshell.shell.declaration import DRY_RUN, Option, Trait
from espshell.shell.outcome import Presentation
from espshell.shell.registry import Registry
from espshell.units import hex32

if TYPE_CHECKING:
    from espshell.ops.flash.load import Written
    from espshell.shell.session import Session

VERBS = Registry("Memory")


@VERBS.add("copy", options=[DRY_RUN], traits=Trait.PARTITIONS, needs="memory")
def copy(
    session: Session,
    region: Annotated[Extent, REGION],
    place: Annotated[Location, WRITABLE_PLACE],
    *,
    unverified: Unverified = False,
    force: Force = False,
) -> words.Copied | Written | None:
    """Copy a range to another place in memory or flash.

    Everything is read before anything is written, so the ranges may overlap. The copy is read back
    and must match. In flash, the other bytes of the sectors are kept.

    Example: copy DRAM 64 (DRAM + 0x100)
    """
    source = session.space(region.space, region.size)
    if place.space == "flash":
        source.check(region.address, region.size)
        sure = region.space == "flash" and session.chip.flash.has_digest
        report = session.output.progress
        data = words.dump(source, region.address, region.size, check=not sure, report=report).data
        return write_flash(session, place, data, f"a copy of {hex32(region.address)}", force=force)
    verify = session.settings.verify and not unverified
    return words.copy(
        session.chip.memory,
        region.address,
        region.size,
        place.address,
        source=source,
        verify=verify,
        force=force,
        check=session.settings.check,
        report=session.output.progress,
    )


@VERBS.add("find", variants=by_width("find", 8, 16, 32), needs="memory")
def find(
    session: Session,
    region: Annotated[Extent, REGION],
    pattern: Annotated[search.Pattern | int, PATTERN],
    *,
    width: int = 32,
    align: Annotated[int, Option("--align", "only at multiples of this address", POSITIVE)] = 1,
    most: Annotated[
        int, Option("--max", f"stop after this many matches ({search.MOST})", POSITIVE)
    ] = search.MOST,
    check: Check = False,
    force: Force = False,
) -> search.Found:
    """Find a value, "text" or hex:de??be in a range.

    A number is a 32-bit value (find8, find16: narrower) at any alignment. ?? matches any byte. $_
    is set to the first match; an empty Enter searches on after the last one. No match is a failure
    (status 1).

    Example: find flash:fctry "serial"
    Example: find DRAM 4K 0
    """
    if isinstance(pattern, int):
        pattern = search.Pattern.of_number(pattern, width)
    check = check or session.settings.check
    space = session.space(region.space)
    address, size = region.address, region.size
    if not search.is_on_chip(space, address, size, pattern, align=align, most=most, check=check):
        space = session.space(region.space, size)
    result = search.find(
        space,
        address,
        size,
        pattern,
        align=align,
        most=most,
        check=check,
        force=force,
        report=session.output.progress,
    )
    if session.symbols and region.space == "mem":
        hits = (replace(hit, label=session.symbol_at(hit.address)) for hit in result.hits)
        result = replace(result, hits=tuple(hits))
    if not result.complete and (behind := result.hits[-1].address + 1) < region.end:
        line = f"find {region.typed(behind)}..{region.end:#x} hex:{pattern.text}"
        session.go_on_with(f"{line} --align {align} --max {most}", check=check, force=force)
    return result


@dataclass(frozen=True, slots=True)
class _Side:
    """One side of a comparison; its bytes, or None where they are to be read."""

    text: str
    data: bytes | None = None
    address: int = 0
    size: int | None = None
    space: str = "mem"
    note: str = ""
    is_file: bool = False


@VERBS.add("diff", needs="memory", traits=Trait.VERDICT)
def diff(
    session: Session,
    sides: Annotated[tuple[Operand, Operand], OPERANDS],
    *,
    every_row: Annotated[bool, Option("--all", "show every row that differs")] = False,
    check: Check = False,
    force: Force = False,
) -> Presentation:
    """Compare regions, files or snapshots; fails if they differ.

    The first side is the expected one. Sizes must agree; an address alone takes the size of the
    other side. Of three words the first two form a region if the first is a place in memory; write
    A..+LEN to be explicit.

    Example: diff flash:app0 20K app.bin
    Example: diff data.bin data.bin
    """
    expected, actual = (_side(session, operand) for operand in sides)
    check = check or session.settings.check
    old, old_notes = _bytes(session, expected, actual, check=check, force=force)
    new, new_notes = _bytes(session, actual, expected, check=check, force=force)
    address = actual.address if expected.is_file else expected.address
    notes = [side.note for side in (expected, actual) if side.note]
    notes = list(dict.fromkeys((*notes, *old_notes, *new_notes)))
    titles = _titled(expected, len(old)), _titled(actual, len(new))
    result = differences.diff(old, new, address=address, notes=tuple(notes), titles=titles)
    tables, region = session.scope.tables, session.chip.chip.region_at(address)
    in_memory = not expected.is_file and expected.space == actual.space == "mem"
    if tables and in_memory and region is not None and region.kind is Kind.PERIPHERAL:
        result = replace(result, registers=differences.differing_registers(result, tables))
    return Presentation(result, every_row=every_row)


@VERBS.add("hash", needs="memory")
def digest(
    session: Session,
    what: Annotated[tuple[Extent, str], HASHED],
    *,
    crc32: Annotated[bool, Option("--crc32", "the same as crc32 after the region")] = False,
    check: Check = False,
    force: Force = False,
) -> hashing.Digest:
    """Compute md5, sha1, sha256 or crc32 of a range.

    hash flash:app0, hash DRAM --crc32. The chip computes the md5 of flash and, while the flasher
    stub runs, the crc32 of memory; for other digests the data is read and hashed here.

    Example: hash flash:app0 sha256
    """
    region, algorithm = what
    if crc32:
        algorithm = "crc32"
    space = session.space(region.space)
    if not hashing.is_on_chip(space, region.address, region.size, algorithm):
        space = session.space(region.space, region.size)
    return hashing.hash_range(
        space,
        region.address,
        region.size,
        algorithm,
        check=check or session.settings.check,
        force=force,
        report=session.output.progress,
    )


def _side(session: Session, operand: Operand) -> _Side:
    """Find out what a side is: a snapshot, a place, a file, in this order."""
    snapshot = session.snapshots.get(operand.text.lower())
    if snapshot is not None:
        note, space = snapshot.note, snapshot.space
        return _Side(operand.text, snapshot.data, snapshot.address, space=space, note=note)
    where = operand.span(session.scope)
    if isinstance(where, Location):
        return _Side(operand.text, address=where.address, space=where.space)
    if where is not None:
        return _Side(operand.text, address=where.address, size=where.size, space=where.space)
    path = operand.path
    if path is None:
        raise UsageError(
            f"`{operand.text}` is not a place in memory, a snapshot or a file",
            hint="`map`, `snap` and the shell's `ls` list what there is",
        )
    return _Side(operand.text, read_bytes(path), is_file=True)


def _bytes(
    session: Session, side: _Side, other: _Side, *, check: bool, force: bool
) -> tuple[bytes, tuple[str, ...]]:
    """Return the bytes of a side, whose size may be the other's, and notes about the reading."""
    if side.data is not None:
        return side.data, ()
    size = side.size or other.size or (len(other.data) if other.data is not None else None)
    if not size:
        raise UsageError(f"`{side.text}` has no length, nor has the other side")
    space, report = session.space(side.space, size), session.output.progress
    read = words.dump(space, side.address, size, check=check, force=force, report=report)
    return read.data, read.notes


def _titled(side: _Side, size: int) -> str:
    if side.is_file:
        return side.text
    span = f"{hex32(side.address)}..{hex32(side.address + size)}"
    return f"{side.text}  {span}" if side.data is not None else span
