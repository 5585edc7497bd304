"""Results drawn as text, for tests of their forms."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

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
