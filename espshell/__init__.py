"""espshell: an interactive shell for the serial bootloader of Espressif chips, and a library.

>>> with espshell.connect("sim://esp32c3") as chip:
...     chip.poke("DRAM", 0xCAFE_F00D).ok
...     hex(chip.peek("DRAM").last_value)
True
'0xcafef00d'

``connect`` is the shell for programs.  Below it are the operations on a ``Target``, which ask
nothing and start no stub by themselves:

>>> target = espshell.Target.open("sim://esp32c3")
>>> hex(espshell.peek(target.memory, 0x3FC9_0000).last_value)
'0x0'
>>> target.close()

A name is imported when it is first asked for, so that the import of the package, and with it the
start of the program, stays cheap.  The block for type checkers is the list of all names: it is read
when the first one is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from espshell import lazy

lazy.install(__name__)

if TYPE_CHECKING:
    from espshell import chips as chips
    from espshell.api import ConnectedChip as ConnectedChip
    from espshell.api import connect as connect
    from espshell.api import open_all as open_all
    from espshell.api import text_of as text_of
    from espshell.chips import Chip as Chip
    from espshell.chips import Region as Region
    from espshell.device import Flash as Flash
    from espshell.device import Memory as Memory
    from espshell.device import Target as Target
    from espshell.device.memory import Change as Change
    from espshell.errors import BenchError as BenchError
    from espshell.errors import DeviceError as DeviceError
    from espshell.errors import EspError as EspError
    from espshell.errors import NoReply as NoReply
    from espshell.errors import NoSync as NoSync
    from espshell.errors import PortError as PortError
    from espshell.errors import PortStalled as PortStalled
    from espshell.errors import ReadsDiffer as ReadsDiffer
    from espshell.errors import Refused as Refused
    from espshell.errors import ScriptError as ScriptError
    from espshell.errors import UsageError as UsageError
    from espshell.link.trace import Recorder as Recorder
    from espshell.link.trace import Viewer as Viewer
    from espshell.ops.chip.connection import ConnectionInfo as ConnectionInfo
    from espshell.ops.chip.connection import Left as Left
    from espshell.ops.chip.connection import change_baud as change_baud
    from espshell.ops.chip.connection import describe as describe
    from espshell.ops.chip.connection import run_application as run_application
    from espshell.ops.chip.efuse import FuseDetail as FuseDetail
    from espshell.ops.chip.efuse import Fuses as Fuses
    from espshell.ops.chip.gpio import PinSet as PinSet
    from espshell.ops.chip.gpio import PinTable as PinTable
    from espshell.ops.chip.info import ChipId as ChipId
    from espshell.ops.chip.info import FlashId as FlashId
    from espshell.ops.chip.info import Info as Info
    from espshell.ops.chip.info import Mac as Mac
    from espshell.ops.chip.info import Security as Security
    from espshell.ops.chip.info import chip_id as chip_id
    from espshell.ops.chip.info import info as info
    from espshell.ops.chip.info import mac as mac
    from espshell.ops.chip.loadram import Occupant as Occupant
    from espshell.ops.chip.loadram import RamLoaded as RamLoaded
    from espshell.ops.chip.loadram import RamPlan as RamPlan
    from espshell.ops.chip.loadram import load_ram as load_ram
    from espshell.ops.chip.loadram import plan_ram as plan_ram
    from espshell.ops.chip.monitor import Monitored as Monitored
    from espshell.ops.chip.monitor import monitor as monitor
    from espshell.ops.flash.erase import Erased as Erased
    from espshell.ops.flash.erase import erase as erase
    from espshell.ops.flash.load import Written as Written
    from espshell.ops.flash.load import load as load
    from espshell.ops.flash.load import write as write
    from espshell.ops.flash.partitions import Parts as Parts
    from espshell.ops.flash.partitions import parts as parts
    from espshell.ops.flash.payload import Payload as Payload
    from espshell.ops.flash.payload import read_payloads as read_payloads
    from espshell.ops.flash.sfdp import SfdpRead as SfdpRead
    from espshell.ops.flash.sfdp import SpiAnswer as SpiAnswer
    from espshell.ops.flash.sfdp import read_sfdp as read_sfdp
    from espshell.ops.flash.sfdp import spi_command as spi_command
    from espshell.ops.flash.verify import Verify as Verify
    from espshell.ops.flash.verify import verify as verify
    from espshell.ops.image.build import Made as Made
    from espshell.ops.image.build import Merged as Merged
    from espshell.ops.image.build import elf_to_image as elf_to_image
    from espshell.ops.image.build import make_image as make_image
    from espshell.ops.image.build import merge_files as merge_files
    from espshell.ops.image.inspect import ImageInfo as ImageInfo
    from espshell.ops.image.inspect import inspect as inspect
    from espshell.ops.image.inspect import inspect_file as inspect_file
    from espshell.ops.image.inspect import inspect_flash as inspect_flash
    from espshell.ops.memory.diff import Difference as Difference
    from espshell.ops.memory.diff import diff as diff
    from espshell.ops.memory.find import Found as Found
    from espshell.ops.memory.find import find as find
    from espshell.ops.memory.hash import Digest as Digest
    from espshell.ops.memory.hash import hash_range as hash_range
    from espshell.ops.memory.journal import Journal as Journal
    from espshell.ops.memory.journal import Journaled as Journaled
    from espshell.ops.memory.memtest import MemoryTested as MemoryTested
    from espshell.ops.memory.registers import FieldList as FieldList
    from espshell.ops.memory.registers import FieldWrite as FieldWrite
    from espshell.ops.memory.registers import RegisterList as RegisterList
    from espshell.ops.memory.registers import RegisterValue as RegisterValue
    from espshell.ops.memory.registers import RegisterValues as RegisterValues
    from espshell.ops.memory.registers import list_registers as list_registers
    from espshell.ops.memory.registers import read_register as read_register
    from espshell.ops.memory.registers import read_registers as read_registers
    from espshell.ops.memory.registers import write_fields as write_fields
    from espshell.ops.memory.registers import write_register as write_register
    from espshell.ops.memory.save import Saved as Saved
    from espshell.ops.memory.save import save as save
    from espshell.ops.memory.snapshot import Snapshot as Snapshot
    from espshell.ops.memory.snapshot import snapshot as snapshot
    from espshell.ops.memory.symbols import SymbolList as SymbolList
    from espshell.ops.memory.symbols import Symbols as Symbols
    from espshell.ops.memory.symbols import list_symbols as list_symbols
    from espshell.ops.memory.symbols import load_symbols as load_symbols
    from espshell.ops.memory.undo import Restored as Restored
    from espshell.ops.memory.undo import Undone as Undone
    from espshell.ops.memory.undo import undo as undo
    from espshell.ops.memory.watch import Expectation as Expectation
    from espshell.ops.memory.watch import Waited as Waited
    from espshell.ops.memory.watch import Watched as Watched
    from espshell.ops.memory.watch import wait as wait
    from espshell.ops.memory.words import Copied as Copied
    from espshell.ops.memory.words import Dump as Dump
    from espshell.ops.memory.words import Fill as Fill
    from espshell.ops.memory.words import Loaded as Loaded
    from espshell.ops.memory.words import Peek as Peek
    from espshell.ops.memory.words import Poke as Poke
    from espshell.ops.memory.words import copy as copy
    from espshell.ops.memory.words import dump as dump
    from espshell.ops.memory.words import fill as fill
    from espshell.ops.memory.words import load_memory as load_memory
    from espshell.ops.memory.words import peek as peek
    from espshell.ops.memory.words import poke as poke
    from espshell.ops.result import Report as Report
    from espshell.ops.result import Result as Result
    from espshell.ops.result import Step as Step
    from espshell.ops.status.raw_bytes import StatusBytes as StatusBytes
    from espshell.ops.status.raw_bytes import read_status_bytes as read_status_bytes
    from espshell.ops.status.raw_bytes import write_status_bytes as write_status_bytes
    from espshell.ops.status.registers import Ranges as Ranges
    from espshell.ops.status.registers import Status as Status
    from espshell.ops.status.registers import StatusBits as StatusBits
    from espshell.ops.status.registers import StatusChange as StatusChange
    from espshell.ops.status.registers import change_status as change_status
    from espshell.ops.status.registers import explain_status as explain_status
    from espshell.ops.status.registers import protection_ranges as protection_ranges
    from espshell.ops.status.registers import read_status as read_status

__version__ = "0.1.0"


if not TYPE_CHECKING:  # a type checker would take any name for one that is there

    def __getattr__(name: str) -> object:
        return lazy.exported(__name__, name)


def __dir__() -> list[str]:
    return sorted(lazy.homes(__name__))
