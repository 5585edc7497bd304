"""How the flash of two boards differs."""

from __future__ import annotations

from collections.abc import Iterator

from espshell.ops.flash.compare import Compared
from espshell.render.document import Block, Styled, Table, Text
from espshell.render.forms import form, json_rows
from espshell.render.view import View
from espshell.span import Span
from espshell.units import size_text

json_rows(Compared="address size titles equal=ok differing")


@form
def compared(result: Compared, view: View) -> Iterator[Block]:
    """Yield the verdict, and the ranges that differ with the partitions that they begin in."""
    where = Span.of(result.address, result.size)
    verdict = Styled("equal", "ok") if result.ok else Styled("different", "error")
    yield Text(
        verdict, f"  flash {where} ({size_text(result.size)}) of ", " and ".join(result.titles)
    )
    table = view.partitions
    rows = []
    for span in result.differing:
        partition = table.at(span.start) if table else None
        rows.append((str(span), size_text(span.size), partition.name if partition else ""))
    yield Table(rows)
