"""Which module knows how the results of an operation look, for those that are not always needed.

Importing it registers its forms with ``render`` and ``to_json``; it is imported when the first such
result is to be shown, so that the start of the program need not wait for it.
"""

from __future__ import annotations

import sys
from importlib import import_module

_HOMES = {
    "espshell.ops.build": "espshell.render.image",
    "espshell.ops.flash": "espshell.render.flash",
    "espshell.ops.erase": "espshell.render.flash",
    "espshell.ops.image": "espshell.render.image",
    "espshell.ops.load": "espshell.render.flash",
    "espshell.ops.loadram": "espshell.render.ram",
    "espshell.ops.monitor": "espshell.render.ram",
    "espshell.ops.symbols": "espshell.render.ram",
    "espshell.ops.partitions": "espshell.render.flash",
    "espshell.ops.verify": "espshell.render.verify",
    "espshell.ops.status": "espshell.render.status",
    "espshell.ops.status_bytes": "espshell.render.status",
    "espshell.ops.sfdp": "espshell.render.sfdp",
}
"""By the module that a result is defined in."""


def load_home(result: object) -> bool:
    """Import what knows a result; say whether that was not so before."""
    home = _HOMES.get(type(result).__module__)
    if home is None or home in sys.modules:
        return False
    import_module(home)
    return True
