"""Values and ranges that were read, written or tested, programs' names for them, and digests."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING

from espshell.ops.memory.diff import diff
from espshell.render.bits import bit_diff, bit_ranges
from espshell.render.document import Block, Styled, Table, Text, spaced
from espshell.render.forms import Json, form, json_form, json_rows, judgement, pick, to_json
from espshell.render.hexdump import Hexdump
from espshell.render.memory.compare import difference
from espshell.render.memory.registers import field_table
from espshell.render.view import View
from espshell.span import Span
from espshell.units import count_text, hex32, hex_width, size_text

if TYPE_CHECKING:
    from espshell.ops.memory.hash import Digest
    from espshell.ops.memory.memtest import MemoryTested
    from espshell.ops.memory.save import Saved
    from espshell.ops.memory.symbols import SymbolList
    from espshell.ops.memory.watch import Expectation, Waited
    from espshell.ops.memory.words import Copied, Dump, Fill, Loaded, Peek, Poke


json_rows(
    Copied="address to size=data# verified differing dry_run!",
    Digest="address size algorithm digest readings",
    Dump="address size=data# data readings",
    Expectation="expression value left operator right",
    Fill="address size width value verified differing dry_run!",
    Loaded="files address size verified differing dry_run",
    MemoryWrite="address data old new mask=masks answer_lost notes dry_run",
    MemoryTested="address size tests count bits faults on_chip restored dry_run!",
    Peek="address width values readings",
    Symbol="name address size kind",
    SymbolList="file machine count=total symbols",
)


@form
def peek(result: Peek, view: View) -> Iterator[Block]:
    """Yield a line a value; of a register its fields, too."""
    register = result.register if result.register and result.register.access.readable else None
    for i, (value, label) in enumerate(zip_longest(result.values, result.labels)):
        yield spaced(
            Styled(hex32(result.address + i * result.width // 8), "address"),
            Styled(hex_width(value, result.width), "value"),
            f"{value}",
            Styled(label or "", "label"),
            Styled(register.full_name if register and not i else "", "name"),
        )
    if register is not None:
        yield field_table(register.fields, result.values[0])


@form
def poke(result: Poke, view: View) -> Iterator[Block]:
    """Yield old and new of each value bit by bit; where nothing was read, what was written."""
    for i, value in enumerate(result.wanted):
        address = f"{result.address + i * result.width // 8:08x}"
        if result.old is None or result.new is None:
            text = "not sent (dry run)" if result.dry_run else "written, not read back"
            shown = Styled(hex_width(value & result.mask, result.width), "value")
            yield Text(Styled(address, "address"), "  ", shown, f"   {text}")
        else:
            old, new = result.old[i], result.new[i]
            yield from bit_diff(old, new, view, width=result.width, title=address)


@json_form
def poke_json(result: Poke) -> Json:
    """Return numbers for one value, lists for several, null for what was not read."""
    values = {
        name: value[0] if value is not None and len(value) == 1 else to_json(value)
        for name, value in (("old", result.old), ("new", result.new), ("wanted", result.wanted))
    }
    return {**pick(result, "address width"), **values, **pick(result, "dry_run!")}


@form
def dump(result: Dump, view: View) -> Iterator[Block]:
    """Yield it as a hexdump."""
    yield Hexdump(result.address, result.data, result.width)


@form
def fill(result: Fill, view: View) -> Iterator[Block]:
    """Yield the range, how many values were written, and whether they were read back."""
    yield from _would_change(result, result.address, view)
    count = count_text(result.size * 8 // result.width, f"{result.width}-bit value")
    value = hex_width(result.value, result.width)
    span = Span.of(result.address, result.size)
    yield Text(f"{span}  {count} {value}  ({size_text(result.size)}, {_way(result)})")


@form
def copied(result: Copied, view: View) -> Iterator[Block]:
    """Yield both ranges, and whether the second was read back."""
    yield from _would_change(result, result.to, view)
    size = len(result.data)
    source, to = Span.of(result.address, size), Span.of(result.to, size)
    yield Text(f"{source} → {to}  ({size_text(size)}, {_way(result)})")


def _way(result: Fill | Copied) -> str:
    """Return how a write to memory ended, in two words."""
    if result.dry_run:
        return "dry run"
    if not result.ok:
        return "not as written"
    return "read back" if result.verified else "not read back"


def _would_change(result: Fill | Copied, address: int, view: View) -> Iterator[Block]:
    """Yield what a write that was not sent would change, where that is known."""
    if result.dry_run and (old := result.writes[0].old) is not None:
        yield from difference(diff(old, result.data, address=address), view)


@form
def digest(result: Digest, view: View) -> Iterator[Block]:
    """Yield the digest and of what it is."""
    span = Span.of(result.address, result.size)
    yield Text(Styled(result.digest, "value"), f"  {result.algorithm} of {span}")


@form
def saved(result: Saved, view: View) -> Iterator[Block]:
    """Yield the file and what is in it."""
    span = Span.of(result.address, result.size)
    yield Text(f"{result.path}  {size_text(result.size)} of {span}")


@form
def loaded(result: Loaded, view: View) -> Iterator[Block]:
    """Yield the files and how much was written."""
    files, size = Styled(", ".join(result.files), "name"), size_text(result.size)
    if result.dry_run:
        yield Text("dry run: ", files, f": {size} would be written to memory")
    else:
        yield Text(
            judgement(result.verified if result.verified or not result.ok else None),
            "  ",
            files,
            f": {size} in memory",
        )


@form
def memory_tested(result: MemoryTested, view: View) -> Iterator[Block]:
    """Yield the verdict, and a line for each place that is known to be wrong."""
    span, tests = Span.of(result.address, result.size), ", ".join(result.tests)
    if result.dry_run:
        yield Text("dry run: ", Styled(str(span), "name"), f" would be tested: {tests}")
        return
    where = "on the chip" if result.on_chip else "by the host"
    verdict = Styled("good", "ok")
    if result.count:
        verdict = Styled(f"{count_text(result.count, 'read')} wrong", "error")
    held = "; contents restored" if result.restored else ""
    yield Text(Styled(str(span), "name"), "  ", verdict, f"  {tests}, {where}{held}")
    for fault in result.faults:
        bits = Styled(f"bits {', '.join(bit_ranges(fault.bits))}", "error")
        yield Text(f"  {hex32(fault.address)}  ", bits, f"  {fault.test}")
    if len(result.faults) > 1:
        yield Text(f"  all faulty bits: {', '.join(bit_ranges(result.bits))}")


@form
def symbols(result: SymbolList, view: View) -> Iterator[Block]:
    """Yield a row a symbol; without a pattern, the file and how many there are."""
    if not result.pattern:
        count = count_text(result.total, "symbol")
        yield Text(Styled(result.file, "name"), f"  {count}, {result.machine}")
        return
    # The name comes last: those of C++ have hundreds of characters.
    yield Table(
        (
            hex32(symbol.address),
            size_text(symbol.size) if symbol.size else "",
            f"{symbol.kind.value}{'' if symbol.is_global else ', local'}",
            symbol.name,
        )
        for symbol in result.symbols
    )


@form
def expectation(result: Expectation, view: View) -> Iterator[Block]:
    """Yield that it is true, and both sides; what is not true is an error and says so itself."""
    if result.ok:
        yield _truth(result)


@form
def waited(result: Waited, view: View) -> Iterator[Block]:
    """Yield that it has become true, and after how long."""
    if result.expectation.ok:
        looks = f"  after {result.seconds:.3g} s, {count_text(result.looks, 'look')}"
        yield _truth(result.expectation, looks)


def _truth(result: Expectation, after: str = "") -> Block:
    sides = ""
    if result.left is not None:
        sides = f"  ({result.left:#x} {result.operator} {result.right:#x})"
    return Text(Styled("true", "ok"), f"  {result.expression}{sides}{after}")
