"""What a function on the chip has returned."""

from __future__ import annotations

from collections.abc import Iterator

from espshell.ops.chip.call import Called
from espshell.render.document import Block, Styled, Text
from espshell.render.forms import Json, form, json_form, pick
from espshell.render.view import View
from espshell.units import hex32


@form
def called(result: Called, view: View) -> Iterator[Block]:
    """Yield the value in hexadecimal and decimal."""
    line = f"{hex32(result.address)}({', '.join(f'{word:#x}' for word in result.arguments)})"
    if result.value is None:
        yield Text(f"dry run: {line} would be called")
        return
    yield Text(Styled(hex32(result.value), "value"), f"  {result.value}  {line}")


@json_form
def called_json(result: Called) -> Json:
    """Return the value and what was called."""
    return {
        **pick(result, "address", "arguments", "value"),
        "seconds": round(result.seconds, 6),
        **pick(result, "dry_run!"),
    }
