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
    from espshell.ops.build import Made, Merged, elf_to_image, make_image, merge_files
    from espshell.ops.chip import ChipId, Info, Mac, Security, chip_id, info, mac
    from espshell.ops.connection import Connection, Left, change_baud, describe, run_application
    from espshell.ops.copy import Copied, copy
    from espshell.ops.diff import Difference, diff
    from espshell.ops.erase import Erased, erase
    from espshell.ops.expect import Expectation
    from espshell.ops.find import Found, find
    from espshell.ops.flash import Written, load, write
    from espshell.ops.hash import Digest, hash_range
    from espshell.ops.image import ImageInfo, inspect, inspect_file, inspect_flash
    from espshell.ops.images import Image, read_images
    from espshell.ops.journal import Change, Journal, Journaled
    from espshell.ops.load import Loaded, load_memory
    from espshell.ops.loadram import Piece, RamLoaded, RamPlan, load_ram, plan_ram
    from espshell.ops.memory import Dump, Fill, Peek, Poke, dump, fill, peek, poke
    from espshell.ops.monitor import Monitored, monitor
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
    from espshell.ops.sfdp import SfdpRead, SpiAnswer, read_sfdp, spi_command
    from espshell.ops.snapshot import Snapshot, snapshot
    from espshell.ops.status import (
        Ranges,
        Status,
        StatusBits,
        StatusChange,
        change_status,
        explain_status,
        protection_ranges,
        read_status,
    )
    from espshell.ops.status_bytes import StatusBytes, read_status_bytes, write_status_bytes
    from espshell.ops.symbols import SymbolList, Symbols, list_symbols, load_symbols
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
    "ImageInfo",
    "Info",
    "Journal",
    "Journaled",
    "Left",
    "Loaded",
    "Mac",
    "Made",
    "Memory",
    "Merged",
    "Monitored",
    "NoReply",
    "NoSync",
    "Parts",
    "Peek",
    "Piece",
    "Poke",
    "PortError",
    "RamLoaded",
    "RamPlan",
    "Ranges",
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
    "SfdpRead",
    "Snapshot",
    "SpiAnswer",
    "Status",
    "StatusBits",
    "StatusBytes",
    "StatusChange",
    "Step",
    "SymbolList",
    "Symbols",
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
    "change_status",
    "chip_id",
    "chips",
    "copy",
    "describe",
    "diff",
    "dump",
    "elf_to_image",
    "erase",
    "explain_status",
    "fill",
    "find",
    "hash_range",
    "info",
    "inspect",
    "inspect_file",
    "inspect_flash",
    "list_registers",
    "list_symbols",
    "load",
    "load_memory",
    "load_ram",
    "load_symbols",
    "mac",
    "make_image",
    "merge_files",
    "monitor",
    "parts",
    "peek",
    "plan_ram",
    "poke",
    "protection_ranges",
    "read_images",
    "read_register",
    "read_registers",
    "read_sfdp",
    "read_status",
    "read_status_bytes",
    "run_application",
    "save",
    "snapshot",
    "spi_command",
    "undo",
    "verify",
    "wait",
    "write",
    "write_fields",
    "write_register",
    "write_status_bytes",
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
    "espshell.ops.build": (
        "Made",
        "Merged",
        "elf_to_image",
        "make_image",
        "merge_files",
    ),
    "espshell.ops.image": ("ImageInfo", "inspect", "inspect_file", "inspect_flash"),
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
    "espshell.ops.erase": (
        "Erased",
        "erase",
    ),
    "espshell.ops.flash": (
        "Written",
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
    "espshell.ops.status": (
        "Ranges",
        "Status",
        "StatusBits",
        "StatusChange",
        "change_status",
        "explain_status",
        "protection_ranges",
        "read_status",
    ),
    "espshell.ops.status_bytes": (
        "StatusBytes",
        "read_status_bytes",
        "write_status_bytes",
    ),
    "espshell.ops.sfdp": (
        "SfdpRead",
        "SpiAnswer",
        "read_sfdp",
        "spi_command",
    ),
    "espshell.ops.undo": (
        "Restored",
        "Undone",
        "undo",
    ),
    "espshell.ops.loadram": ("Piece", "RamLoaded", "RamPlan", "load_ram", "plan_ram"),
    "espshell.ops.monitor": ("Monitored", "monitor"),
    "espshell.ops.symbols": ("SymbolList", "Symbols", "list_symbols", "load_symbols"),
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
