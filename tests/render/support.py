"""Results drawn as text, for tests of their forms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from espshell.ops.memory.words import Poke, packed
from espshell.ops.memory.writing import MemoryWrite
from espshell.render import View, render
from espshell.render.document import Block, Document

PLAIN = View()


def drawn(result: object, view: View = PLAIN) -> list[str]:
    """Return a result as lines."""
    return str(render(result, view)).splitlines()


def drawn_blocks(form: Callable[[View], Iterable[Block]], view: View = PLAIN) -> list[str]:
    """Return the blocks that a form yields as lines."""
    return str(Document(form, view)).splitlines()


def uncoloured(lines: Iterable[str]) -> list[str]:
    """Return lines without escape sequences."""
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]


Values = tuple[int, ...]


def poked(
    address: int, width: int, wanted: Values, mask: int, old: Values | None, new: Values | None
) -> Poke:
    """Return a poke of values that were read before and after."""
    data, before, after = (
        None if values is None else packed(values, width) for values in (wanted, old, new)
    )
    write = MemoryWrite(address, data or b"", before, after, width, mask)
    return Poke(address, width, mask, writes=(write,))
