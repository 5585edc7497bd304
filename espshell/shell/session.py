"""The state of one run of the shell: settings, names, journal, and a connection or none.

``runner`` runs lines, and ``lines`` finds their meaning.
"""

from __future__ import annotations

import contextlib
import gc
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from espshell.chips import Kind
from espshell.clock import Clock, SystemClock
from espshell.device import Flash, Space, Target, leave
from espshell.device.target import SYNC_BAUD, HandlerFailed, first_baud
from espshell.errors import BenchError, EspError, NoReply, UsageError
from espshell.link import trace
from espshell.link.port import Port
from espshell.loader import deflate
from espshell.ops.chip import connection as ops
from espshell.ops.chip import rate
from espshell.ops.memory import journal as journaling
from espshell.ops.memory import snapshot as snapshots_ops
from espshell.ops.result import Result
from espshell.protocol.packet import Opcode
from espshell.records import dataclass, field, replace
from espshell.shell.connection import Connection, Lost
from espshell.shell.language.scope import TargetScope, not_connected
from espshell.shell.outcome import Outcome
from espshell.shell.output import Output
from espshell.shell.settings import Bench, Settings
from espshell.shell.transcript import Transcript
from espshell.signals import Terminated
from espshell.units import KIB, size_text

if TYPE_CHECKING:
    from espshell.image.partitions import PartitionTable
    from espshell.ops.chip.info import Info
    from espshell.ops.memory.registers import SvdTables
    from espshell.ops.memory.symbols import Symbols

RAISED_FROM = 256 * KIB
"""Bytes over a bridge from which on a rate that nobody has chosen is raised."""

COLLECTED_EVERY = 16
"""Connections after which garbage is looked for: what a simulator leaves is large, in circles."""

NOTHING_CHANGED = "nothing was changed"

ROM_SIZE = 4096
"""Flash size (bytes) up to which a read through the ROM takes no longer than loading the stub."""


class Quit(Exception):
    """Leave the shell with a status; None takes the worst status of the scripts so far."""

    def __init__(self, status: int | None) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class Session:
    """The state of one run of the shell."""

    output: Output
    bench: Bench = field(default_factory=Bench)
    assume_yes: bool = False
    keep_going: bool = False
    """Whether a script goes on after a command that fails."""
    worst: int = 0
    """The worst status of a script so far."""
    interactive: bool = False
    """Whether a person is typing, who may shorten names of commands and places."""
    connection: Connection | None = None
    connections: int = 0
    """How many there have been."""
    settings: Settings = field(default_factory=Settings)
    variables: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    history: Callable[[], Sequence[str]] = tuple
    """Returns the typed lines, the oldest first."""
    tap: trace.Viewer | trace.Recorder | None = None
    """The tap of the wire; None for no trace."""
    first_looks: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)
    """The status registers as first read, by ``Connection.flash_key``."""
    is_unchanged: bool = False
    """Whether the running command is one that changes the chip, and has not begun to."""
    ask: Callable[[str], bool] | None = None
    """Asks the person a yes-or-no question; None without a person."""
    snapshots: dict[str, snapshots_ops.Snapshot] = field(default_factory=dict)
    """The snapshots of ``snap``, by name in lower case."""
    dry_run: bool = False
    """Whether writes are shown and not sent."""
    journal: journaling.Journal = field(default_factory=journaling.Journal)
    """All changes of memory."""
    next_line: str = ""
    """The line that an empty Enter runs: the next piece of a peek, dump or find."""
    svd: SvdTables | None = None
    """The registers of an SVD file instead of the chip's own tables; they outlive connections."""
    symbols: Symbols | None = None
    """The symbols of a program; they outlive connections."""
    folder: Path = field(default_factory=Path)
    """The folder of the running script, from which ``source`` finds files."""
    lost: Lost | None = None
    """The device whose port is gone."""
    without_handlers: set[str] = field(default_factory=set)
    """Chips by name whose stub did not outlive a handler of ours: it is started as it is."""
    verdicts: deque[tuple[str, int, str]] = field(default_factory=lambda: deque(maxlen=1000))
    """The last lines that judged the chip or failed: the line, its status, what it said."""
    identity: Info | None = None
    """Who the chip was when a run began at whose end there is a report."""
    findings: deque[tuple[str, Result]] = field(default_factory=lambda: deque(maxlen=20))
    """The last results that were not as expected, each with its line."""
    clean_rates: dict[str, int] = field(default_factory=dict)
    """By port, the highest rate that is tried unasked: faster ones have failed."""

    @property
    def connected(self) -> Connection:
        """The connection. Raises: BenchError if there is none."""
        if self.connection is None:
            raise not_connected()
        return self.connection

    @property
    def chip(self) -> Target:
        """The connected chip. Raises: BenchError if there is none."""
        return self.connected.target

    @property
    def target(self) -> Target | None:
        """The connected chip, or None."""
        return self.connection.target if self.connection else None

    @property
    def scope(self) -> TargetScope:
        """The meaning of names, as of now."""
        return self._scope(lambda: self.connected.partition_table())

    @property
    def scope_at_hand(self) -> TargetScope:
        """The meaning of names as far as the chip need not be asked: partitions once read."""
        return self._scope(lambda: self.connected.partitions_at_hand())

    def _scope(self, partitions: Callable[[], PartitionTable]) -> TargetScope:
        return TargetScope(
            self.target,
            prefixes=self.interactive,
            partitions=partitions,
            parttable=self.settings.parttable,
            symbols=self.symbols,
            check=self.settings.check,
        )

    def symbol_at(self, address: int, *, offset: bool = True) -> str:
        """Return ``name+0x10`` for an address in memory; empty without symbols.

        Also empty for registers, which have names of their own.
        """
        region = self.target.chip.region_at(address) if self.target else None
        is_register = region is not None and region.kind is Kind.PERIPHERAL
        return (
            self.symbols.label(address, offset=offset) if self.symbols and not is_register else ""
        )

    @property
    def clock(self) -> Clock:
        """The chip's clock: waiting for a simulated chip takes no time."""
        return self.target.link.clock if self.target else SystemClock()

    def connect(self, bench: Bench) -> Target:
        """Connect to a chip; the one before is left as it is.

        One on another port stays connected if there is none to connect to.
        """
        if not bench.port:
            raise UsageError(
                "there is no port to connect to", hint="`connect PORT` or --port names it"
            )
        if self.bench.is_on(bench.port):
            self.disconnect(after="no-reset")
        if self.connection is None:
            self.bench, self.lost = bench, None
        target = self._open(bench)
        self.disconnect(after="no-reset")
        self.bench, self.lost = bench, None
        target.memory.before_write = self.journal.record
        self.connection = Connection(target, self.settings)
        self.connections += 1
        if not self.connections % COLLECTED_EVERY:
            gc.collect()
        self.apply_settings()
        for note in target.notes:
            self.output.note(note)
        if self.symbols is not None and (note := self.symbols.mismatch(target.chip)):
            self.output.note(note)
        try:
            self._settle(bench)
        except (KeyboardInterrupt, Terminated):
            if self.connection is not None:  # else it was stopped in connecting once more
                is_reset = leave.early(self.chip, before=bench.before, after=bench.after)
                self.disconnect(after="no-reset")
                self._connecting_stopped(bench.port, is_reset=is_reset)
            raise
        except BaseException:
            self.disconnect(after="no-reset")
            raise
        return self.chip

    def _settle(self, bench: Bench) -> None:
        """Start the stub and raise the baud rate as the bench requires."""
        dialect = self.chip.loader.dialect
        if bench.stub == "always" and not (self.dry_run or dialect.is_stub or dialect.is_secure):
            self.start_stub()
        if bench.rate == "climb" and self.chip.has_rate:
            self.climb(self.clean_rates.get(bench.port))
        elif bench.baud != self.chip.link.port.baud:
            self.change_baud(bench.baud)

    def _open(self, bench: Bench) -> Target:
        """Connect to a chip without leaving the one before."""
        is_reset = None

        def leave_half_way(port: Port) -> None:
            nonlocal is_reset
            is_reset = leave.half_way(port, before=bench.before, after=bench.after)

        try:
            with contextlib.ExitStack() as stack:
                if self.tap is None or not isinstance(self.tap, trace.Viewer):  # which shows more
                    stack.enter_context(self.output.waiting(f"connecting to {bench.port} ..."))
                return Target.open(
                    bench.port,
                    baud=first_baud(bench.baud, bench.before),
                    before=bench.before,
                    expected=bench.chip,
                    taps=(self.tap,) if self.tap else (),
                    stub_dir=bench.stub_dir,
                    on_stop=leave_half_way,
                )
        except (KeyboardInterrupt, Terminated):
            self._connecting_stopped(bench.port, is_reset=is_reset)
            raise

    def _connecting_stopped(self, port: str, *, is_reset: bool | None) -> None:
        """Say how a chip is left whose connecting a signal has stopped; None: untouched."""
        states = {None: NOTHING_CHANGED, True: "the chip was reset"}
        state = states.get(is_reset, "the chip may still be in its loader")
        self.output.note(f"connecting to {port} was stopped: {state}")

    def change_baud(self, baud: int) -> ops.ConnectionInfo:
        """Change the baud rate at both ends; start the stub where the ROM cannot."""
        loader = self.chip.loader
        is_able = Opcode.CHANGE_BAUDRATE in loader.dialect.commands
        if not (is_able or loader.dialect.is_secure or self.bench.stub == "never"):
            self.start_stub()
        return ops.change_baud(self.chip, baud)

    def climb(self, most: int | None = None) -> rate.RateChosen:
        """Raise the baud rate to the highest that is clean; reset a chip that gets lost.

        Raises: UsageError where there is no rate; NoReply if the chip is lost for good.
        """
        rate.require_rate_change(self.chip)
        if Opcode.CHANGE_BAUDRATE not in self.chip.loader.dialect.commands:
            self.start_stub()
        chosen = rate.climb(self.chip, most=most, regain=self._regain)
        if chosen.slowest_failure:
            self.clean_rates[chosen.port] = chosen.baud
        elif most is None:
            self.clean_rates.pop(chosen.port, None)
        return chosen

    def raise_rate(self, size: int) -> None:
        """Raise a rate that nobody has chosen, if so many bytes are to go over a bridge.

        Not where the chip could not be reset if it got lost. What fails later goes back by
        ``lower_rate``.
        """
        port = self.chip.link.port
        if size <= RAISED_FROM or port.baud != SYNC_BAUD:
            return
        bridge = self.chip.bridge
        is_left = self.bench.rate == self.settings.rate == "auto" and not self.dry_run
        is_safe = port.has_lines and not self.bench.before.startswith("no-reset")
        if not (bridge and is_left and is_safe):
            return
        most = min(bridge.max_baud or rate.UNKNOWN_LIMIT, self.clean_rates.get(port.url, 1 << 32))
        try:
            chosen = self.climb(most)
        except UsageError:  # this loader cannot change its rate
            self.clean_rates[port.url] = SYNC_BAUD
            return
        if chosen.baud > SYNC_BAUD:
            self.connected.rate_raised = True
            note = f"rate raised to {chosen.baud} baud for {size_text(size)}"
            self.output.note(f"{note}; `set rate fixed` prevents that")

    def lower_rate(self) -> bool:
        """Go back if the rate is one of ``raise_rate``; return whether it was.

        Raises: NoReply or NoSync if the loader is lost.
        """
        if self.connection is None or not self.connection.rate_raised:
            return False
        port = self.chip.link.port
        baud = self.clean_rates[port.url] = rate.slower(port.baud)
        self.output.note(f"from {port.baud} back to {baud} baud, after an error")
        try:
            rate.go_back(self.chip, baud)
        except NoReply:
            self._regain(baud)
        self.connected.rate_raised = baud > SYNC_BAUD
        return True

    def _regain(self, baud: int) -> Target:
        """Reset a chip whose loader is lost, and have it at a rate, with its stub. Raises: NoReply.

        A chip that must not be reset stays lost.
        """
        bench, had_stub = self.bench, self.chip.loader.dialect.is_stub
        if bench.before.startswith("no-reset"):
            raise NoReply(
                "the loader was lost, and --before forbids a reset",
                hint="`connect --before default-reset`",
            )
        try:
            self.connect(replace(bench, baud=baud, rate="fixed"))
        finally:
            self.bench = bench
        if had_stub and not self.chip.loader.dialect.is_stub:
            self.start_stub()
        return self.chip

    def start_stub(self) -> None:
        """Start the flasher stub and note it. Raises: UsageError if that is not possible."""
        if self.bench.stub == "never":
            raise UsageError("this needs the flasher stub", hint="`stub auto` allows it")
        if self.chip.loader.dialect.is_secure:
            raise UsageError("a chip in secure download mode does not start a flasher stub")
        if self.dry_run:
            raise UsageError("a dry run does not start the flasher stub: that would write to RAM")
        bench = self.bench
        try:
            stub = self.chip.start_stub(
                folder=bench.stub_dir,
                version=bench.stub_version,
                handlers=self.chip.chip.name not in self.without_handlers,
            )
        except HandlerFailed:
            self._start_without_handlers()
            return
        where = f" ({stub.path})" if bench.stub_dir else ""
        self.output.note(f"flasher stub started, version {stub.version}{where}")

    def _start_without_handlers(self) -> None:
        """Reset a chip whose stub did not outlive our handlers, and start it as it is.

        Raises: NoReply where it must not be reset.
        """
        self.without_handlers.add(self.chip.chip.name)
        self.output.note(
            "espshell's handlers stopped the stub: the chip is reset and runs without them"
        )
        self._regain(self.chip.link.port.baud)

    def apply_settings(self) -> None:
        """Pass the settings on to the output and the connected chip."""
        self.output.theme = self.settings.theme
        if self.connection is not None:
            target = self.connection.target
            target.memory.dry_run = target.flash.dry_run = self.dry_run
            target.memory.svd = self.svd.tables if self.svd else None
            self.connection.apply_settings()

    @contextlib.contextmanager
    def with_settings(self, values: Mapping[str, object]) -> Iterator[None]:
        """Change settings meanwhile, by their names; ``dry_run`` belongs to the session itself."""
        owners = {name: self if name == "dry_run" else self.settings for name in values}
        kept = {name: getattr(owner, name) for name, owner in owners.items()}
        try:
            self._set(owners, values)
            yield
        finally:
            self._set(owners, kept)

    def _set(self, owners: Mapping[str, object], values: Mapping[str, object]) -> None:
        for name, owner in owners.items():
            setattr(owner, name, values[name])
        if owners:
            self.apply_settings()

    def space(self, name: str, size: int = 0) -> Space:
        """Return a space; be as fast as may be if ``size`` bytes of it are to be read.

        The stub is started if it speeds that up, and the rate is raised.
        """
        if name == "efuse":
            return self.chip.efuse
        self.raise_rate(size)
        if name != "flash":
            return self.chip.memory
        flash = self.flash(size)
        if ram := deflate.area(self.chip.loader, size):
            text = f"the RAM {ram} is overwritten to read flash compressed"
            self.output.note(f"{text}; `set compress off` prevents that")
        return flash

    def flash(self, size: int = 0) -> Flash:
        """Return the flash; start the stub where that is faster and ``auto`` allows it.

        Where there is no stub, the ROM does what it can.
        """
        connection = self.connected
        dialect = self.chip.loader.dialect
        is_faster = self.bench.stub != "never" and size > ROM_SIZE
        cannot = dialect.is_stub or dialect.is_secure or self.dry_run or connection.no_stub
        if is_faster and not cannot:
            try:
                self.start_stub()
            except UsageError as error:
                connection.no_stub = True
                self.output.note(f"without the flasher stub ({error.message}): this takes longer")
        return self.chip.flash

    def go_on_with(self, line: str, **flags: bool) -> None:
        """Let an empty Enter run a line, with those of its flags that were given."""
        self.next_line = line + "".join(f" --{flag}" for flag, on in flags.items() if on)

    def require_permission(self, what: str) -> None:
        """Check that an irreversible action is allowed, or that a person can be asked.

        Raises: UsageError.
        """
        if not (self.assume_yes or self.dry_run or self.ask):
            raise UsageError(
                f"{what} cannot be undone, and there is no terminal to ask at",
                hint="--yes allows it",
            )

    def may_destroy(self, what: str) -> bool:
        """Return whether an irreversible action may be done; ask if need be, and note a no.

        Raises: UsageError as ``require_permission``.
        """
        self.require_permission(what)
        if self.assume_yes or self.dry_run or not self.settings.confirm or self.ask is None:
            return True
        if not self.ask(f"{what}?"):
            self.output.note(NOTHING_CHANGED)
            return False
        return True

    @contextlib.contextmanager
    def changing(self, state: str) -> Iterator[None]:
        """Say in which state the chip is if a signal or the bench stops what changes it."""
        self.is_unchanged = False
        try:
            yield
        except (KeyboardInterrupt, Terminated, BenchError):
            self.output.finished()
            self.output.note(state)
            raise

    def disconnect(self, *, after: str | None = None) -> None:
        """Leave the chip, by default as the bench says, and close the port."""
        connection, self.connection = self.connection, None
        if connection is not None:
            target = connection.target
            try:
                target.leave(self.bench.after if after is None else after)
            except EspError as error:
                self.output.note(f"the chip was not left as requested: {error.one_line()}")
            finally:
                target.link.port.close()
        self.journal.turn_stale()
        for name, kept in self.snapshots.items():
            self.snapshots[name] = replace(kept, is_stale=True)

    def judged(self, line: str, outcome: Outcome) -> None:
        """Note a line that has judged the chip or failed."""
        message = outcome.error.one_line() if outcome.error else ""
        self.verdicts.append((line, outcome.status, message))
        if outcome.bare is not None and not outcome.bare.ok:
            self.findings.append((line, outcome.bare))

    def close(self) -> None:
        """Leave the chip as the bench says; close transcript and trace."""
        self.disconnect()
        self.log_to(None)
        self.watch(None)

    def watch(self, tap: trace.Viewer | trace.Recorder | None) -> None:
        """Replace the tap of the wire; None stops the trace."""
        if self.tap is not None:
            self.tap.close()
        self.tap = tap
        if self.target is not None:
            self.target.link.taps[:] = [tap] if tap else []

    def log_to(self, path: Path | None) -> None:
        """Write the transcript to a file, or to none. Raises: UsageError if it cannot be opened."""
        if self.output.transcript is not None:
            self.output.end_record(self.output.transcript)
        if path is not None:
            self.output.transcript = Transcript(path)
