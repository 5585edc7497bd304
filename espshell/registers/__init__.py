"""Registers and their fields by name, a table a chip.

The tables are data files that nobody loads before a name is looked up; see ``table``.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from espshell.registers.table import Registers

WORD = 4
"""Bytes of a register."""


@cache
def of(chip: str) -> Registers | None:
    """Return the registers of a chip by its name (``esp32c3``), None if there is no table."""
    import pkgutil

    from espshell.registers.table import Registers

    try:
        data = pkgutil.get_data(__name__, f"data/{chip}.txt")
    except FileNotFoundError:
        return None
    return Registers.from_text(data.decode()) if data else None
