"""Values, bytes and ranges that were read or written, programs' names for them, and digests."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from typing import TYPE_CHECKING

from espshell.ops.memory.diff import diff
from espshell.render.bits import bit_diff
from espshell.render.document import Block, Part, Styled, Table, Text, spaced
from espshell.render.forms import Json, dry_run_json, form, json_form, judgement, pick, to_json
from espshell.render.hexdump import Hexdump
from espshell.render.memory.compare import difference
from espshell.render.memory.registers import field_table
from espshell.render.view import View
from espshell.span import Span
from espshell.units import count_text, hex32, hex_width, size_text

if TYPE_CHECKING:
    from espshell.ops.memory.hash import Digest
    from espshell.ops.memory.save import Saved
    from espshell.ops.memory.symbols import SymbolList
    from espshell.ops.memory.watch import Expectation, Waited
    from espshell.ops.memory.words import Copied, Dump, Fill, Loaded, Peek, Poke
    from espshell.ops.memory.writing import MemoryWrite


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


@json_form
def peek_json(result: Peek) -> Json:
    """Return the values; fields of a register are for people."""
    return pick(result, "address", "width", "values", "readings")


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
    return {**pick(result, "address", "width"), **values, **dry_run_json(result.dry_run)}


@form
def dump(result: Dump, view: View) -> Iterator[Block]:
    """Yield it as a hexdump."""
    yield Hexdump(result.address, result.data, result.width)


@json_form
def dump_json(result: Dump) -> Json:
    """Return the bytes as hexadecimal text."""
    return {**pick(result, "address"), "size": len(result.data), **pick(result, "data", "readings")}


@form
def fill(result: Fill, view: View) -> Iterator[Block]:
    """Yield the range, how many values were written, and whether they were read back."""
    yield from _would_change(result, result.address, view)
    count = count_text(result.size * 8 // result.width, f"{result.width}-bit value")
    value = hex_width(result.value, result.width)
    span = Span.of(result.address, result.size)
    yield Text(f"{span}  {count} {value}  ({size_text(result.size)}, {_way(result)})")


@json_form
def fill_json(result: Fill) -> Json:
    """Return what was written, not the bytes."""
    names = ("address", "size", "width", "value", "verified", "differing")
    return {**pick(result, *names), **dry_run_json(result.dry_run)}


@form
def copied(result: Copied, view: View) -> Iterator[Block]:
    """Yield both ranges, and whether the second was read back."""
    yield from _would_change(result, result.to, view)
    size = len(result.data)
    source, to = Span.of(result.address, size), Span.of(result.to, size)
    yield Text(f"{source} → {to}  ({size_text(size)}, {_way(result)})")


@json_form
def copied_json(result: Copied) -> Json:
    """Return both places and the size."""
    return {
        **pick(result, "address", "to"),
        "size": len(result.data),
        **pick(result, "verified", "differing"),
        **dry_run_json(result.dry_run),
    }


@json_form
def memory_write_json(result: MemoryWrite) -> Json:
    """Return what was written, what was there before and what reads back."""
    mask = None if result.mask is None else result.masks.hex()
    return {
        **pick(result, "address", "data", "old", "new"),
        "mask": mask,
        **pick(result, "answer_lost", "notes", "dry_run"),
    }


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


@json_form
def digest_json(result: Digest) -> Json:
    """Return the digest and of what it is."""
    return pick(result, "address", "size", "algorithm", "digest", "readings")


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


@json_form
def loaded_json(result: Loaded) -> Json:
    """Return the files and how much was written, not the bytes."""
    return pick(result, "files", "address", "size", "verified", "differing", "dry_run")


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


@json_form
def symbols_json(result: SymbolList) -> Json:
    """Return file, kind of machine and symbols."""
    return {
        **pick(result, "file", "machine"),
        "count": result.total,
        "symbols": [
            {**pick(symbol, "name", "address", "size"), "kind": symbol.kind.value}
            for symbol in result.symbols
        ],
    }


@form
def expectation(result: Expectation, view: View) -> Iterator[Block]:
    """Yield that it is true, and both sides; what is not true is an error and says so itself."""
    if result.ok:
        yield Text(*_truth(result))


@form
def waited(result: Waited, view: View) -> Iterator[Block]:
    """Yield that it has become true, and after how long."""
    if result.expectation.ok:
        looks = f"  after {result.seconds:.3g} s, {count_text(result.looks, 'look')}"
        yield Text(*_truth(result.expectation), looks)


@json_form
def expectation_json(result: Expectation) -> Json:
    """Return the expression, its value, and both sides of a comparison."""
    return pick(result, "expression", "value", "left", "operator", "right")


def _truth(result: Expectation) -> tuple[Part, ...]:
    sides = ""
    if result.left is not None:
        sides = f"  ({result.left:#x} {result.operator} {result.right:#x})"
    return Styled("true", "ok"), f"  {result.expression}{sides}"
