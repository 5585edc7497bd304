"""What a test of RAM has found, as lines."""

from __future__ import annotations

from collections.abc import Iterator

from espshell.ops.memory.memtest import MemoryTested
from espshell.render.document import Block, Styled, Text
from espshell.render.forms import form, json_rows
from espshell.render.view import View
from espshell.span import Span
from espshell.units import count_text, hex32


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
        bits = Styled(f"bits {_bits(fault.bits)}", "error")
        yield Text(f"  {hex32(fault.address)}  ", bits, f"  {fault.test}")
    if len(result.faults) > 1:
        yield Text(f"  all faulty bits: {_bits(result.bits)}")


json_rows(
    MemoryTested="address size tests count bits faults on_chip restored dry_run!",
)


def _bits(bits: int) -> str:
    """Return the numbers of bits, runs as ``7..5``."""
    runs: list[str] = []
    bit = 31
    while bit >= 0:
        if bits >> bit & 1:
            first = bit
            while bit and bits >> bit - 1 & 1:
                bit -= 1
            runs.append(str(first) if first == bit else f"{first}..{bit}")
        bit -= 1
    return ", ".join(runs)
