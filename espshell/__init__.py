"""espshell: an interactive shell for the serial bootloader of Espressif chips, and a library.

>>> target = espshell.Target.open("sim://esp32c3")
>>> espshell.poke(target.memory, 0x3FC9_0000, [0xCAFE_F00D]).ok
True
>>> hex(espshell.peek(target.memory, 0x3FC9_0000).last_value)
'0xcafef00d'
>>> target.close()

A name is imported when it is first asked for, so that the import of the package, and with it the
start of the program, stays cheap.  A new name goes into the block for type checkers, into
``__all__`` and into the table of homes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from espshell import chips
    from espshell.chips import Chip, Region
    from espshell.errors import (
        BenchError,
        DeviceError,
        EspError,
        NoReply,
        NoSync,
        PortError,
        ReadsDiffer,
        Refused,
        ScriptError,
        UsageError,
    )
    from espshell.link.trace import Recorder, Viewer
    from espshell.ops.chip import ChipId, Info, Mac, Security, chip_id, info, mac
    from espshell.ops.connection import Connection, Left, change_baud, describe, run_application
    from espshell.ops.copy import Copied, copy
    from espshell.ops.diff import Difference, diff
    from espshell.ops.expect import Expectation
    from espshell.ops.find import Found, find
    from espshell.ops.flash import Erased, Written, erase, load, write
    from espshell.ops.hash import Digest, hash_range
    from espshell.ops.images import Image, read_images
    from espshell.ops.journal import Change, Journal, Journaled
    from espshell.ops.load import Loaded, load_memory
    from espshell.ops.memory import Dump, Fill, Peek, Poke, dump, fill, peek, poke
    from espshell.ops.partitions import Parts, parts
    from espshell.ops.progress import Report, Step
    from espshell.ops.registers import (
        FieldList,
        FieldWrite,
        RegisterList,
        RegisterValue,
        RegisterValues,
        list_registers,
        read_register,
        read_registers,
        write_fields,
        write_register,
    )
    from espshell.ops.save import Saved, save
    from espshell.ops.snapshot import Snapshot, snapshot
    from espshell.ops.undo import Restored, Undone, undo
    from espshell.ops.verify import Verify, verify
    from espshell.ops.watch import Waited, Watched, wait
    from espshell.target import Flash, Memory, Target

__version__ = "0.1.0"

__all__ = [
    "BenchError",
    "Change",
    "Chip",
    "ChipId",
    "Connection",
    "Copied",
    "DeviceError",
    "Difference",
    "Digest",
    "Dump",
    "Erased",
    "EspError",
    "Expectation",
    "FieldList",
    "FieldWrite",
    "Fill",
    "Flash",
    "Found",
    "Image",
    "Info",
    "Journal",
    "Journaled",
    "Left",
    "Loaded",
    "Mac",
    "Memory",
    "NoReply",
    "NoSync",
    "Parts",
    "Peek",
    "Poke",
    "PortError",
    "ReadsDiffer",
    "Recorder",
    "Refused",
    "Region",
    "RegisterList",
    "RegisterValue",
    "RegisterValues",
    "Report",
    "Restored",
    "Saved",
    "ScriptError",
    "Security",
    "Snapshot",
    "Step",
    "Target",
    "Undone",
    "UsageError",
    "Verify",
    "Viewer",
    "Waited",
    "Watched",
    "Written",
    "__version__",
    "change_baud",
    "chip_id",
    "chips",
    "copy",
    "describe",
    "diff",
    "dump",
    "erase",
    "fill",
    "find",
    "hash_range",
    "info",
    "list_registers",
    "load",
    "load_memory",
    "mac",
    "parts",
    "peek",
    "poke",
    "read_images",
    "read_register",
    "read_registers",
    "run_application",
    "save",
    "snapshot",
    "undo",
    "verify",
    "wait",
    "write",
    "write_fields",
    "write_register",
]

_HOMES = {
    "espshell.chips": ("Chip", "Region"),
    "espshell.errors": (
        "BenchError",
        "DeviceError",
        "EspError",
        "NoReply",
        "NoSync",
        "PortError",
        "ReadsDiffer",
        "Refused",
        "ScriptError",
        "UsageError",
    ),
    "espshell.link.trace": ("Recorder", "Viewer"),
    "espshell.ops.chip": ("ChipId", "Info", "Mac", "Security", "chip_id", "info", "mac"),
    "espshell.ops.connection": ("Connection", "Left", "change_baud", "describe", "run_application"),
    "espshell.ops.expect": ("Expectation",),
    "espshell.ops.memory": ("Dump", "Fill", "Peek", "Poke", "dump", "fill", "peek", "poke"),
    "espshell.ops.progress": ("Report", "Step"),
    "espshell.ops.registers": (
        "FieldList",
        "FieldWrite",
        "RegisterList",
        "RegisterValue",
        "RegisterValues",
        "list_registers",
        "read_register",
        "read_registers",
        "write_fields",
        "write_register",
    ),
    "espshell.ops.save": ("Saved", "save"),
    "espshell.target": (
        "Flash",
        "Memory",
        "Target",
    ),
    "espshell.ops.copy": ("Copied", "copy"),
    "espshell.ops.find": ("Found", "find"),
    "espshell.ops.diff": ("Difference", "diff"),
    "espshell.ops.hash": ("Digest", "hash_range"),
    "espshell.ops.snapshot": ("Snapshot", "snapshot"),
    "espshell.ops.watch": (
        "Waited",
        "Watched",
        "wait",
    ),
    "espshell.ops.journal": (
        "Change",
        "Journal",
        "Journaled",
    ),
    "espshell.ops.flash": (
        "Erased",
        "Written",
        "erase",
        "load",
        "write",
    ),
    "espshell.ops.load": (
        "Loaded",
        "load_memory",
    ),
    "espshell.ops.partitions": (
        "Parts",
        "parts",
    ),
    "espshell.ops.verify": (
        "Verify",
        "verify",
    ),
    "espshell.ops.images": (
        "Image",
        "read_images",
    ),
    "espshell.ops.undo": (
        "Restored",
        "Undone",
        "undo",
    ),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker would take any name for one that is there

    def __getattr__(name: str) -> object:
        if name == "chips":
            return import_module("espshell.chips")
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOME_OF[name]), name)
        globals()[name] = value  # found without us the next time
        return value


def __dir__() -> list[str]:
    return __all__
