"""The connected chip: every verb of the shell as a method that returns the verb's own result."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from espshell.api.connection import ChipConnection
from espshell.api.words import FilePlace, Place, Raw, flat
from espshell.ops.chip import connection, gpio, info, loadram, monitor
from espshell.ops.chip import efuse as efuses
from espshell.ops.flash import erase, load, partitions, sfdp, verify
from espshell.ops.memory import diff, find, memtest, registers, undo, watch, words
from espshell.ops.memory import hash as hashing
from espshell.ops.memory import save as saving
from espshell.ops.memory import snapshot as snapshots
from espshell.ops.status import registers as status
from espshell.shell.replay import quoted

if TYPE_CHECKING:
    from espshell.ops.chip.connection import ConnectionInfo, Left
    from espshell.ops.chip.efuse import FuseDetail, Fuses
    from espshell.ops.chip.gpio import PinSet, PinTable
    from espshell.ops.chip.info import FlashId, Info
    from espshell.ops.chip.loadram import RamLoaded
    from espshell.ops.chip.monitor import Monitored
    from espshell.ops.flash.erase import Erased
    from espshell.ops.flash.load import Written
    from espshell.ops.flash.partitions import Parts
    from espshell.ops.flash.sfdp import SfdpRead
    from espshell.ops.flash.verify import Verify
    from espshell.ops.memory.diff import Difference
    from espshell.ops.memory.find import Found
    from espshell.ops.memory.hash import Digest
    from espshell.ops.memory.memtest import MemoryTested
    from espshell.ops.memory.registers import FieldWrite, RegisterValue, RegisterValues
    from espshell.ops.memory.save import Saved
    from espshell.ops.memory.snapshot import Snapshot
    from espshell.ops.memory.undo import Undone
    from espshell.ops.memory.watch import Waited
    from espshell.ops.memory.words import Copied, Dump, Fill, Loaded, Peek, Poke
    from espshell.ops.status.registers import Status, StatusChange


Width = Literal[8, 16, 32]
Method = Literal["md5", "sha1", "sha256", "crc32"]
Pull = Literal["up", "down", "none"]


class ConnectedChip(ChipConnection):
    """A chip whose loader answers; see ``espshell.api``.  Closing leaves it as ``after`` said."""

    # -- memory --------------------------------------------------------------------------------

    def peek(self, place: Place, count: int = 1, *, width: Width = 32, force: bool = False) -> Peek:
        """Read ``count`` values of 8, 16 or 32 bits; ``values`` has them all.

        ``force`` reads also what the memory map says cannot be read.
        """
        return self._call(words.Peek, f"peek{width}", place, count, force=force)

    def poke(
        self,
        place: Place,
        *values: int,
        width: Width = 32,
        mask: int | None = None,
        force: bool = False,
    ) -> Poke | Written:
        """Write values of 8, 16 or 32 bits, one behind the other, and read them back.

        ``mask`` writes only its bits; the result is ``Written`` if the place is in flash.
        """
        kinds = words.Poke, load.Written
        return self._call(kinds, f"poke{width}", place, *values, mask=mask, force=force)

    def dump(self, place: Place, size: int | None = None, *, force: bool = False) -> Dump:
        """Read a range; without a size all of a region or partition, or 256 bytes."""
        return self._call(words.Dump, "dump", place, size, force=force)

    def read(self, place: Place, size: int | None = None, *, force: bool = False) -> bytes:
        """Return the bytes of a range, as ``dump``."""
        return self.dump(place, size, force=force).data

    def write(self, place: Place, data: bytes, *, force: bool = False) -> Written | Loaded:
        """Write bytes to memory or flash, as ``load`` writes a file."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "data.bin")
            path.write_bytes(data)
            return self.load((path, place), force=force)

    def fill(
        self,
        place: Place,
        value: int,
        size: int | None = None,
        *,
        width: Width = 32,
        force: bool = False,
    ) -> Fill | Written:
        """Fill a range with a value of 8, 16 or 32 bits; ``Written`` if it is in flash."""
        kinds = words.Fill, load.Written
        return self._call(kinds, f"fill{width}", place, size, value, force=force)

    def copy(self, source: Place, size: int, to: Place, *, force: bool = False) -> Copied | Written:
        """Copy a range to another place; ``Written`` if that is in flash."""
        return self._call((words.Copied, load.Written), "copy", source, size, to, force=force)

    def find(
        self, place: Place, pattern: bytes | str | int, size: int | None = None, *, most: int = 16
    ) -> Found:
        """Find bytes, a text or a 32-bit value in a range, at ``most`` so many places."""
        data = pattern.encode() if isinstance(pattern, str) else pattern
        sought = Raw(f"hex:{data.hex()}") if isinstance(data, bytes) else data
        return self._call(find.Found, "find", place, size, sought, max=most)

    def hash(self, place: Place, size: int | None = None, method: Method = "md5") -> Digest:
        """Return a digest of a range: ``md5``, ``sha1``, ``sha256`` or ``crc32``."""
        return self._call(hashing.Digest, "hash", place, size, method)

    def save(self, place: Place, path: str | os.PathLike[str], size: int | None = None) -> Saved:
        """Write a range to a file."""
        return self._call(saving.Saved, "save", place, size, Path(path))

    def diff(self, one: Place, other: Place, size: int) -> Difference:
        """Compare two ranges of one size."""
        return self._call(diff.Difference, "diff", one, size, other, size)

    def snapshot(self, name: str, place: Place, size: int | None = None) -> Snapshot:
        """Keep the bytes of a range under a name, for ``diff`` in lines of the shell."""
        return self._call(snapshots.Snapshot, "snap", name, place, size)

    def memtest(
        self, place: Place, size: int | None = None, *, restore: bool = False
    ) -> MemoryTested:
        """Test RAM; what it holds is lost without ``restore``."""
        return self._call(memtest.MemoryTested, "memtest", place, size, restore=restore)

    def undo(self, count: int = 1) -> Undone:
        """Take back the last ``count`` commands that have written to memory."""
        return self._call(undo.Undone, "undo", count)

    def register(self, name: str) -> RegisterValue:
        """Return a register (``UART0.CLKDIV``) or a field of one (``UART0.CONF0.LOOPBACK``)."""
        return self._call(registers.RegisterValue, "reg", name)

    def registers(self, pattern: str) -> RegisterValues:
        """Return the registers that fit a pattern (``UART0.*``), without changing anything."""
        return self._call(registers.RegisterValues, "reg", Raw(pattern))

    def set_register(self, name: str, value: int, *, force: bool = False) -> FieldWrite:
        """Write a register, or a field of one."""
        return self._call(registers.FieldWrite, "reg", f"{name}={value:#x}", force=force)

    def wait(self, expression: str, *, timeout_s: float = 1.0) -> Waited:
        """Wait until an expression is true; the result says whether it became so."""
        return self._call(watch.Waited, "wait", Raw(expression), timeout=f"{timeout_s}s")

    # -- pins ----------------------------------------------------------------------------------

    def gpio(self, pin: int | None = None) -> PinTable:
        """Return the pins, or one of them: levels, functions, and what the chip uses them for."""
        return self._call(gpio.PinTable, "gpio", pin)

    def drive(
        self, pin: int, level: int, *, open_drain: bool = False, force: bool = False
    ) -> PinSet:
        """Drive a pin; ``force`` also one that carries the flash or the connection."""
        options = {"open_drain": open_drain, "force": force}
        return self._call(gpio.PinSet, "gpio", pin, "out", level, **options)

    def release(self, pin: int, *, pull: Pull = "none", force: bool = False) -> PinSet:
        """Make a pin an input with a pull: ``up``, ``down`` or ``none``."""
        return self._call(gpio.PinSet, "gpio", pin, "in", pull=pull, force=force)

    # -- flash ---------------------------------------------------------------------------------

    def load(
        self,
        *pairs: FilePlace,
        everything: bool = False,
        keep_edges: bool = False,
        flash_mode: str = "keep",
        flash_freq: str = "keep",
        flash_size: str = "keep",
        force: bool = False,
    ) -> Written | Loaded:
        """Write files to flash, as far as they differ, or to memory (``Loaded``); verify all of it.

        ``chip.load(("boot.bin", "flash:0"), ("app.bin", "flash:app0"))``

        Args:
            everything: send also what does not differ.
            keep_edges: keep what else is in the first and last sector.
            flash_mode, flash_freq, flash_size: patch the header of a bootloader.
            force: write also what this chip cannot boot.
        """
        kinds = load.Written, words.Loaded
        header = {"flash_mode": flash_mode, "flash_freq": flash_freq, "flash_size": flash_size}
        options = {name: value for name, value in header.items() if value != "keep"}
        return self._call(
            kinds,
            "load",
            *flat(pairs),
            all=everything,
            keep_edges=keep_edges,
            force=force,
            **options,
        )

    def verify(self, *pairs: FilePlace, diff: bool = True) -> Verify:
        """Compare flash with files; ``diff`` reads what differs."""
        return self._call(verify.Verify, "verify", *flat(pairs), diff=diff)

    def erase(self, place: Place, size: int | None = None, *, force: bool = False) -> Erased:
        """Erase whole sectors; ``chip`` erases all of the flash."""
        return self._call(erase.Erased, "erase", place, size, force=force)

    def partitions(self) -> Parts:
        """Return the partition table."""
        return self._call(partitions.Parts, "parts")

    def flash_id(self) -> FlashId:
        """Return the JEDEC id of the flash, its size and its parts."""
        return self._call(info.FlashId, "flash-id")

    def status(self) -> Status:
        """Return the status registers of the flash, with what their bits mean."""
        return self._call(status.Status, "sr")

    def set_status(self, *settings: str, volatile: bool = True, risk: bool = False) -> StatusChange:
        """Change status registers: ``"QE=1"``, ``"BP=0"``.

        ``volatile`` lasts until the flash loses power; ``risk`` allows what can stop a boot.
        """
        return self._call(
            status.StatusChange,
            "sr set",
            *(Raw(text) for text in settings),
            nv=not volatile,
            risk=risk,
        )

    def protect(
        self, place: Place, size: int | None = None, *, volatile: bool = True
    ) -> StatusChange:
        """Protect exactly a region, a partition, or all of the flash (``"chip"``)."""
        return self._call(status.StatusChange, "sr protect", place, size, nv=not volatile)

    def unprotect(self, *, volatile: bool = True) -> StatusChange:
        """Remove write protection from the whole flash."""
        return self._call(status.StatusChange, "sr unprotect", nv=not volatile)

    def sfdp(self) -> SfdpRead:
        """Return what the flash says of itself (SFDP, JESD216)."""
        return self._call(sfdp.SfdpRead, "sfdp")

    # -- the chip ------------------------------------------------------------------------------

    def info(self) -> Info:
        """Return what the chip says of itself."""
        return self._call(info.Info, "info")

    def mac(self) -> str:
        """Return the MAC of the chip, as ``aa:bb:cc:dd:ee:ff``."""
        return self._call(info.Mac, "read-mac").mac

    def efuse(self, pattern: str = "") -> Fuses:
        """Return what is burnt and what that means; ``pattern`` selects fields (``*USB*``)."""
        if pattern and not set(pattern) & set("*?["):
            pattern = f"*{pattern}*"  # a name alone is what ``efuse_field`` asks for
        return self._call(efuses.Fuses, "efuse", pattern or None)

    def efuse_field(self, name: str) -> FuseDetail:
        """Return one eFuse with all that is known of it; its number is ``last_value``."""
        return self._call(efuses.FuseDetail, "efuse", name)

    def load_ram(
        self, path: str | os.PathLike[str], *, run: bool = True, force: bool = False
    ) -> RamLoaded:
        """Load a program into RAM and run it, without listening to what it says."""
        options = {"no_monitor": run, "no_run": not run, "force": force}
        return self._call(loadram.RamLoaded, "loadram", Path(path), **options)

    def monitor(
        self, *, until: str = "", timeout_s: float = 10.0, run: bool = True, baud: int = 115200
    ) -> Monitored:
        """Start the application and listen until it says a text; ``ok`` is whether it has.

        ``run=False`` listens to an application that runs already. The connection ends.
        """
        options = {"until": Raw(quoted(until, always=True)) if until else None, "baud": baud}
        return self._call(monitor.Monitored, "monitor", run=run, timeout=f"{timeout_s}s", **options)

    def reset(self) -> ConnectionInfo:
        """Reset the chip into its loader."""
        return self._call(connection.ConnectionInfo, "reset")

    def run_application(self) -> Left:
        """Leave the loader and start the application; the connection ends."""
        return self._call(connection.Left, "run")

    def set_baud(self, baud: int) -> ConnectionInfo:
        """Change the rate at both ends."""
        return self._call(connection.ConnectionInfo, "baud", baud)
