"""A connected chip for programs: the verbs of the shell as methods, results as values.

>>> with connect("sim://esp32c3") as chip:
...     chip.poke("DRAM", 0xCAFE_F00D).ok
...     hex(chip.peek("DRAM").last_value)
True
'0xcafef00d'

Every method is a line of the shell: the same checks, the same words for places (``DRAM+16``,
``UART0.STATUS``, ``flash:app0``), the same results.  A finding that one dislikes is a result whose
``ok`` is False, as in the shell; what could not be found out raises an ``EspError``, whose subclass
says who must act: UsageError, DeviceError, BenchError.  Nobody is asked: what the shell would ask
for is done, and only what needs ``force`` there needs it here.

Notes go to the logger ``espshell``, progress to the function that ``connect`` was given.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from espshell import files
from espshell.device import Target
from espshell.errors import BenchError, EspError
from espshell.link import ports as port_list
from espshell.ops.chip import connection, gpio, info, loadram
from espshell.ops.flash import erase, load, partitions, verify
from espshell.ops.memory import diff, find, watch, words
from espshell.ops.memory import hash as hashing
from espshell.ops.memory import save as saving
from espshell.ops.memory import snapshot as snapshots
from espshell.ops.result import Report, Result
from espshell.ops.status import registers as status
from espshell.shell import lines, script
from espshell.shell.arguments.types import chip_named
from espshell.shell.quiet_output import QuietOutput
from espshell.shell.replay import quoted
from espshell.shell.runner import Runner
from espshell.shell.session import Session
from espshell.shell.settings import Bench

if TYPE_CHECKING:
    from espshell.ops.chip.connection import ConnectionInfo, Left
    from espshell.ops.chip.gpio import PinSet, PinTable
    from espshell.ops.chip.info import FlashId, Info
    from espshell.ops.chip.loadram import RamLoaded
    from espshell.ops.flash.erase import Erased
    from espshell.ops.flash.load import Written
    from espshell.ops.flash.partitions import Parts
    from espshell.ops.flash.verify import Verify
    from espshell.ops.memory.diff import Difference
    from espshell.ops.memory.find import Found
    from espshell.ops.memory.hash import Digest
    from espshell.ops.memory.save import Saved
    from espshell.ops.memory.snapshot import Snapshot
    from espshell.ops.memory.watch import Waited
    from espshell.ops.memory.words import Loaded, Peek
    from espshell.ops.status.registers import Status, StatusChange

Place = int | str
"""An address, or what the shell takes for a place: a name, an expression, ``flash:OFFSET``."""

FilePlace = tuple["str | os.PathLike[str]", Place]
"""A file and the place that it belongs to."""

_log = logging.getLogger("espshell")

R = TypeVar("R", bound=Result)


def connect(
    port: str = "",
    *,
    baud: int | str | None = None,
    chip: str | None = None,
    before: str = "default-reset",
    after: str = "hard-reset",
    stub: str = "auto",
    progress: Report | None = None,
) -> ConnectedChip:
    """Connect to a chip by a device or URL; without one by ``ESPSHELL_PORT`` or the only board.

    Args:
        port: such as ``/dev/ttyUSB0``, ``rfc2217://host:5555`` or ``sim://esp32c3``.
        baud: the rate after the first contact, or ``auto``: the highest that is clean; without it
            the rate is raised before long transfers over a bridge.
        chip: refuse any other chip, such as ``esp32c3``.
        before, after: how to reset it first, and how closing leaves it, as ``--before``.
        stub: when the flasher stub is started: ``auto``, ``always`` or ``never``.
        progress: gets a ``Step`` (action, bytes done, bytes in all) as long operations go on.

    Raises: UsageError (another chip, no such mode), BenchError (no port, no answer).
    """
    bench = Bench(
        port=port or os.environ.get("ESPSHELL_PORT", "") or _only_board(),
        chip=chip_named(chip) if chip else None,
        before=before,
        after=after,
        stub=stub,
    )
    bench = bench if baud is None else bench.at_rate(baud)
    session = Session(QuietOutput(progress), assume_yes=True)
    try:
        session.connect(bench)
    except BaseException:
        session.close()
        raise
    return ConnectedChip(session)


@contextlib.contextmanager
def open_all(ports: Sequence[str], **options: Any) -> Iterator[dict[str, ConnectedChip]]:
    """Connect to several chips at the same time; yield those that answer, by their ports.

    ``options`` are those of ``connect``.  A board that does not answer is missing, and the logger
    is told why.  All are closed at the end.
    """
    chips: dict[str, ConnectedChip] = {}
    with ThreadPoolExecutor(max_workers=max(1, len(ports))) as pool:
        attempts = {port: pool.submit(connect, port, **options) for port in ports}
    with contextlib.ExitStack() as stack:
        for port, attempt in attempts.items():
            try:
                chips[port] = stack.enter_context(attempt.result())
            except EspError as error:
                _log.error("%s: %s", port, error.one_line())
        yield chips


class ConnectedChip:
    """A chip whose loader answers; see the module.  Closing leaves it as ``after`` said."""

    def __init__(self, session: Session) -> None:
        self.session = session
        """The state behind it: settings, journal, connection."""
        self._runner = Runner(session)

    def __enter__(self) -> ConnectedChip:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the chip and close the port."""
        self.session.close()

    @property
    def target(self) -> Target:
        """The chip's facts, loader and spaces, for the operations of the library."""
        return self.session.chip

    @property
    def name(self) -> str:
        """The chip, such as ``esp32c3``."""
        return self.target.chip.name

    # -- lines of the shell --------------------------------------------------------------------

    def run(self, line: str) -> Result | None:
        """Run a line of the shell; return the result of its last command. Raises: EspError."""
        result: Result | None = None
        for command in lines.parse(self.session, line):
            outcome = self._runner.run(command)
            result = outcome.bare
            if outcome.error is not None and result is None and not command.ignore_failure:
                raise outcome.error
        return result

    def run_script(self, path: str | os.PathLike[str], *arguments: object) -> int:
        """Run a script; return 0, or the worst status if the session keeps going.

        Raises: ScriptError, with file and line, at the first command that fails.
        """
        text = script.read(files.path_of(os.fspath(path)))
        return self._runner.run_script(text, [str(argument) for argument in arguments])

    def _call(self, kind: type[R], name: str, *words: object, **options: object) -> R:
        """Run a command with options and arguments; return its result, which is of that kind."""
        text = [name]
        for option, value in options.items():
            if value is not None and value is not False:
                flag = f"--{option.replace('_', '-')}"
                text.append(flag if value is True else f"{flag}={_word(value)}")
        text += [_word(word) for word in words if word is not None]
        result = self.run(" ".join(text))
        if not isinstance(result, kind):
            raise TypeError(f"`{name}` returned {type(result).__name__}, not {kind.__name__}")
        return result

    # -- memory --------------------------------------------------------------------------------

    def peek(self, place: Place, count: int = 1, *, width: int = 32, force: bool = False) -> Peek:
        """Read values of 8, 16 or 32 bits."""
        return self._call(words.Peek, f"peek{width}", place, count, force=force)

    def poke(
        self,
        place: Place,
        *values: int,
        width: int = 32,
        mask: int | None = None,
        force: bool = False,
    ) -> Result:
        """Write values of 8, 16 or 32 bits and read them back; a ``Poke``, in flash ``Written``."""
        name = f"poke{width}"
        return self._call(Result, name, place, *values, mask=mask, force=force)

    def read(self, place: Place, size: int | None = None, *, force: bool = False) -> bytes:
        """Return the bytes of a range; without a size those of a region or partition."""
        return self._call(words.Dump, "dump", place, size, force=force).data

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
        width: int = 32,
        force: bool = False,
    ) -> Result:
        """Fill a range with a value of 8, 16 or 32 bits; a ``Fill``, in flash ``Written``."""
        return self._call(Result, f"fill{width}", place, size, value, force=force)

    def copy(self, source: Place, size: int, to: Place, *, force: bool = False) -> Result:
        """Copy a range to another place."""
        return self._call(Result, "copy", source, size, to, force=force)

    def find(
        self, place: Place, pattern: bytes | str | int, size: int | None = None, *, most: int = 16
    ) -> Found:
        """Find bytes, a text or a 32-bit value in a range."""
        sought: object = pattern
        if isinstance(pattern, bytes):
            sought = Raw(f"hex:{pattern.hex()}")
        elif isinstance(pattern, str):
            sought = Raw(quoted(pattern, always=True))
        return self._call(find.Found, "find", place, size, sought, max=most)

    def hash(self, place: Place, size: int | None = None, method: str = "md5") -> Digest:
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

    def register(self, name: str) -> Result:
        """Return a register or field by name, or all that fit a pattern, with their fields."""
        return self._call(Result, "reg", name)

    def set_register(self, name: str, value: int, *, force: bool = False) -> Result:
        """Write a register (``UART0.CLKDIV``) or a field of one (``UART0.CONF0.LOOPBACK``)."""
        return self._call(Result, "reg", f"{name}={value:#x}", force=force)

    def wait(self, expression: str, *, timeout_s: float = 1.0) -> Waited:
        """Wait until an expression is true; the result says whether it became so."""
        return self._call(watch.Waited, "wait", Raw(expression), timeout=f"{timeout_s}s")

    # -- pins ----------------------------------------------------------------------------------

    def pins(self, number: int | None = None) -> PinTable:
        """Return the pins, or one of them: levels, functions, and what the chip uses them for."""
        return self._call(gpio.PinTable, "gpio", number)

    def drive(
        self, pin: int, level: int, *, open_drain: bool = False, force: bool = False
    ) -> PinSet:
        """Drive a pin; ``force`` also one that carries the flash or the connection."""
        options = {"open_drain": open_drain, "force": force}
        return self._call(gpio.PinSet, "gpio", pin, "out", level, **options)

    def release(self, pin: int, *, pull: str = "none", force: bool = False) -> PinSet:
        """Make a pin an input with a pull: ``up``, ``down`` or ``none``."""
        return self._call(gpio.PinSet, "gpio", pin, "in", pull=pull, force=force)

    # -- flash ---------------------------------------------------------------------------------

    def load(
        self, *pairs: FilePlace, force: bool = False, everything: bool = False, **options: object
    ) -> Written | Loaded:
        """Write files to flash, as far as they differ, or to memory; then verify all of it."""
        arguments = _flat(pairs)
        options |= {"force": force, "all": everything}
        result = self._call(Result, "load", *arguments, **options)
        assert isinstance(result, load.Written | words.Loaded)
        return result

    def verify(self, *pairs: FilePlace, diff: bool = True) -> Verify:
        """Compare flash or memory with files; ``diff`` reads what differs."""
        return self._call(verify.Verify, "verify", *_flat(pairs), diff=diff)

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

    def set_status(self, *settings: str, volatile: bool = True) -> StatusChange:
        """Change status registers: ``"QE=1"``, ``"BP=0"``; see ``sr set``."""
        return self._call(
            status.StatusChange, "sr set", *(Raw(text) for text in settings), nv=not volatile
        )

    # -- the chip ------------------------------------------------------------------------------

    def info(self) -> Info:
        """Return what the chip says of itself."""
        return self._call(info.Info, "info")

    def mac(self) -> str:
        """Return the MAC of the chip, as ``aa:bb:cc:dd:ee:ff``."""
        return self._call(info.Mac, "read-mac").mac

    def load_ram(self, path: str | os.PathLike[str], **options: object) -> RamLoaded:
        """Load a program into RAM and run it, without watching its output."""
        return self._call(loadram.RamLoaded, "loadram", Path(path), no_monitor=True, **options)

    def reset(self) -> ConnectionInfo:
        """Reset the chip into its loader."""
        return self._call(connection.ConnectionInfo, "reset")

    def run_application(self) -> Left:
        """Leave the loader and start the application; the connection ends."""
        return self._call(connection.Left, "run")

    def set_baud(self, baud: int) -> ConnectionInfo:
        """Change the rate at both ends."""
        return self._call(connection.ConnectionInfo, "baud", baud)


class Raw(str):
    """Text that stands in a line as it is: an expression, the setting of a status register."""

    __slots__ = ()


def _word(value: object) -> str:
    """Return a value as a word of a line."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        return quoted(str(value))
    return hex(value) if value > 9 else str(value)


def _flat(pairs: Sequence[FilePlace]) -> list[object]:
    """Return files and places as the arguments of a command."""
    return [word for path, place in pairs for word in (Path(path), place)]


def _only_board() -> str:
    """Return the device of the only likely board. Raises: BenchError if there is none, or more."""
    likely = [port.device for port in port_list.list_ports() if port.is_likely]
    if len(likely) != 1:
        there = f"there are several boards: {', '.join(likely)}" if likely else "there is no board"
        raise BenchError(there, hint="name the port, or set ESPSHELL_PORT")
    return likely[0]
