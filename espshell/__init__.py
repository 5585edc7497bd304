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

TYPE_CHECKING = False
"""As of ``typing``, which is not imported here: until `__main__` runs, Ctrl-C is a traceback."""

if TYPE_CHECKING:
    from espshell import chips
    from espshell.chips import Chip, Region
    from espshell.device import Flash, Memory, Target
    from espshell.device.memory import Change
    from espshell.errors import (
        BenchError,
        DeviceError,
        EspError,
        NoReply,
        NoSync,
        PortError,
        PortStalled,
        ReadsDiffer,
        Refused,
        ScriptError,
        UsageError,
    )
    from espshell.link.trace import Recorder, Viewer
    from espshell.ops.chip.connection import (
        ConnectionInfo,
        Left,
        change_baud,
        describe,
        run_application,
    )
    from espshell.ops.chip.info import ChipId, Info, Mac, Security, chip_id, info, mac
    from espshell.ops.chip.loadram import Piece, RamLoaded, RamPlan, load_ram, plan_ram
    from espshell.ops.chip.monitor import Monitored, monitor
    from espshell.ops.flash.erase import Erased, erase
    from espshell.ops.flash.load import Written, load, write
    from espshell.ops.flash.partitions import Parts, parts
    from espshell.ops.flash.payload import Image, read_images
    from espshell.ops.flash.sfdp import SfdpRead, SpiAnswer, read_sfdp, spi_command
    from espshell.ops.flash.verify import Verify, verify
    from espshell.ops.image.build import Made, Merged, elf_to_image, make_image, merge_files
    from espshell.ops.image.inspect import ImageInfo, inspect, inspect_file, inspect_flash
    from espshell.ops.memory.copy import Copied, copy
    from espshell.ops.memory.diff import Difference, diff
    from espshell.ops.memory.expect import Expectation
    from espshell.ops.memory.find import Found, find
    from espshell.ops.memory.hash import Digest, hash_range
    from espshell.ops.memory.journal import Journal, Journaled
    from espshell.ops.memory.load import Loaded, load_memory
    from espshell.ops.memory.registers import (
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
    from espshell.ops.memory.save import Saved, save
    from espshell.ops.memory.snapshot import Snapshot, snapshot
    from espshell.ops.memory.symbols import SymbolList, Symbols, list_symbols, load_symbols
    from espshell.ops.memory.undo import Restored, Undone, undo
    from espshell.ops.memory.watch import Waited, Watched, wait
    from espshell.ops.memory.words import Dump, Fill, Peek, Poke, dump, fill, peek, poke
    from espshell.ops.progress import Report, Step
    from espshell.ops.result import Result
    from espshell.ops.status.raw_bytes import StatusBytes, read_status_bytes, write_status_bytes
    from espshell.ops.status.registers import (
        Ranges,
        Status,
        StatusBits,
        StatusChange,
        change_status,
        explain_status,
        protection_ranges,
        read_status,
    )

__version__ = "0.1.0"

__all__ = [
    "BenchError",
    "Change",
    "Chip",
    "ChipId",
    "ConnectionInfo",
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
    "PortStalled",
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
    "Result",
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
        "PortStalled",
        "ReadsDiffer",
        "Refused",
        "ScriptError",
        "UsageError",
    ),
    "espshell.link.trace": ("Recorder", "Viewer"),
    "espshell.ops.image.build": (
        "Made",
        "Merged",
        "elf_to_image",
        "make_image",
        "merge_files",
    ),
    "espshell.ops.image.inspect": ("ImageInfo", "inspect", "inspect_file", "inspect_flash"),
    "espshell.ops.chip.info": ("ChipId", "Info", "Mac", "Security", "chip_id", "info", "mac"),
    "espshell.ops.chip.connection": (
        "ConnectionInfo",
        "Left",
        "change_baud",
        "describe",
        "run_application",
    ),
    "espshell.ops.memory.expect": ("Expectation",),
    "espshell.ops.memory.words": ("Dump", "Fill", "Peek", "Poke", "dump", "fill", "peek", "poke"),
    "espshell.ops.progress": ("Report", "Step"),
    "espshell.ops.memory.registers": (
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
    "espshell.ops.memory.save": ("Saved", "save"),
    "espshell.device": (
        "Flash",
        "Memory",
        "Target",
    ),
    "espshell.ops.memory.copy": ("Copied", "copy"),
    "espshell.ops.memory.find": ("Found", "find"),
    "espshell.ops.memory.diff": ("Difference", "diff"),
    "espshell.ops.memory.hash": ("Digest", "hash_range"),
    "espshell.ops.memory.snapshot": ("Snapshot", "snapshot"),
    "espshell.ops.memory.watch": (
        "Waited",
        "Watched",
        "wait",
    ),
    "espshell.ops.result": ("Result",),
    "espshell.device.memory": ("Change",),
    "espshell.ops.memory.journal": (
        "Journal",
        "Journaled",
    ),
    "espshell.ops.flash.erase": (
        "Erased",
        "erase",
    ),
    "espshell.ops.flash.load": (
        "Written",
        "load",
        "write",
    ),
    "espshell.ops.memory.load": (
        "Loaded",
        "load_memory",
    ),
    "espshell.ops.flash.partitions": (
        "Parts",
        "parts",
    ),
    "espshell.ops.flash.verify": (
        "Verify",
        "verify",
    ),
    "espshell.ops.flash.payload": (
        "Image",
        "read_images",
    ),
    "espshell.ops.status.registers": (
        "Ranges",
        "Status",
        "StatusBits",
        "StatusChange",
        "change_status",
        "explain_status",
        "protection_ranges",
        "read_status",
    ),
    "espshell.ops.status.raw_bytes": (
        "StatusBytes",
        "read_status_bytes",
        "write_status_bytes",
    ),
    "espshell.ops.flash.sfdp": (
        "SfdpRead",
        "SpiAnswer",
        "read_sfdp",
        "spi_command",
    ),
    "espshell.ops.memory.undo": (
        "Restored",
        "Undone",
        "undo",
    ),
    "espshell.ops.chip.loadram": ("Piece", "RamLoaded", "RamPlan", "load_ram", "plan_ram"),
    "espshell.ops.chip.monitor": ("Monitored", "monitor"),
    "espshell.ops.memory.symbols": ("SymbolList", "Symbols", "list_symbols", "load_symbols"),
}

_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


if not TYPE_CHECKING:  # a type checker would take any name for one that is there

    def __getattr__(name: str) -> object:
        from importlib import import_module

        if name == "chips":
            return import_module("espshell.chips")
        if name not in _HOME_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(_HOME_OF[name]), name)
        globals()[name] = value  # found without us the next time
        return value


def __dir__() -> list[str]:
    return __all__
