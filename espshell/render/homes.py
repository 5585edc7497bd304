"""Which module knows how the results of an operation look, for those that are not always needed.

Importing it registers its forms with ``render`` and ``to_json``; it is imported when the first such
result is to be shown, so that the start of the program need not wait for it.
"""

from __future__ import annotations

import sys
from importlib import import_module

_HOMES = {
    "espshell.ops.image.build": "espshell.render.image",
    "espshell.ops.flash.load": "espshell.render.flash",
    "espshell.ops.flash.erase": "espshell.render.flash",
    "espshell.ops.image.inspect": "espshell.render.image",
    "espshell.ops.memory.load": "espshell.render.flash",
    "espshell.ops.chip.loadram": "espshell.render.ram",
    "espshell.ops.chip.monitor": "espshell.render.ram",
    "espshell.ops.memory.symbols": "espshell.render.ram",
    "espshell.ops.flash.partitions": "espshell.render.flash",
    "espshell.ops.flash.verify": "espshell.render.verify",
    "espshell.ops.status.registers": "espshell.render.status",
    "espshell.ops.status.raw_bytes": "espshell.render.status",
    "espshell.ops.flash.sfdp": "espshell.render.sfdp",
}
"""By the module that a result is defined in."""


def load_home(result: object) -> bool:
    """Import what knows a result; say whether that was not so before."""
    home = _HOMES.get(type(result).__module__)
    if home is None or home in sys.modules:
        return False
    import_module(home)
    return True
