"""Modules that are imported when something of them is first used.

The commands on flash need much that most sessions never do; the start of the program must not wait
for it.  A type checker sees the real module:

    if TYPE_CHECKING:
        from espshell.ops import flash as ops
    else:
        ops = Later("espshell.ops.flash.load")
"""

from __future__ import annotations

from importlib import import_module
from typing import Any


class Later:
    """Stands for a module."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        """Return what the module has under a name; import it, if it has not been."""
        return getattr(import_module(self._name), name)
