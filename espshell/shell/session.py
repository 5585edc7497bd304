"""One session: a chip or none, variables, settings, and the one door for every command.

A typed line, a ``-c``, a line of a script and a line from a pipe are all run by ``Session.run``:
the same words, the same errors, the same exit status.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from espshell.chips import Kind
from espshell.clock import Clock, SystemClock
from espshell.device import Flash, Space, Target
from espshell.device.target import first_baud
from espshell.errors import DeviceError, EspError, PortError, ScriptError, UsageError
from espshell.link.trace import Recorder, Viewer
from espshell.ops.chip import connection
from espshell.ops.chip.connection import Connection
from espshell.ops.memory.journal import Journal
from espshell.ops.memory.snapshot import Snapshot
from espshell.protocol.packet import Opcode
from espshell.shell import display, recovery, registry
from espshell.shell.commands import VERBS
from espshell.shell.display import Outcome, Shown
from espshell.shell.language import grammar
from espshell.shell.language.grammar import Command
from espshell.shell.language.scope import TargetScope, not_connected
from espshell.shell.on_flash import OnFlash
from espshell.shell.output import Output
from espshell.shell.recovery import Lost
from espshell.shell.registry import Bound, Verb
from espshell.shell.settings import Bench as Bench
from espshell.shell.settings import Settings as Settings
from espshell.shell.transcript import Transcript
from espshell.units import number_text

if TYPE_CHECKING:
    from espshell.image.partitions import PartitionTable
    from espshell.nor.parts import Identified
    from espshell.ops.memory.symbols import Symbols

_NOT_TO_BE_REPEATED = ("log", "quit", "exit")
"""Commands that would end the run of a transcript, or overwrite it."""

ROM_SIZE = 4096
"""Bytes of flash that are read through the ROM as fast as the stub is loaded."""

INTERRUPTED = 130
"""Exit status after Ctrl-C."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command whose verb is found and whose words are bound."""

    verb: Verb
    command: Command
    bound: Bound
    inner: Prepared | None = None
    """The command that it holds: ``fails COMMAND``."""


class Quit(Exception):
    """Leave the shell with a status; None stands for the worst of the scripts so far."""

    def __init__(self, status: int | None) -> None:
        super().__init__(status)
        self.status = status


@dataclass
class Session(OnFlash):
    """The state of one run of the shell."""

    output: Output
    bench: Bench = field(default_factory=Bench)
    assume_yes: bool = False
    keep_going: bool = False
    """Whether a script goes on behind a command that fails."""
    worst: int = 0
    """The worst status of a script so far."""
    interactive: bool = False
    """Whether a person is typing, who may shorten names of commands and places."""
    target: Target | None = None
    settings: Settings = field(default_factory=Settings)
    variables: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    history: Callable[[], Sequence[str]] = tuple
    """The lines that were typed, the last one last."""
    tap: Viewer | Recorder | None = None
    """Who watches the wire."""
    seen: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    """What dumps have shown, by space, address and size, to mark what has changed."""
    partitions: PartitionTable | None = None
    """The partition table of this connection, once it has been read."""
    known_flash: Identified | None = None
    """What the flash of this connection is, once it has been found out."""
    first_looks: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)
    """The status registers as they were first seen; see ``flash_key``."""
    no_stub: bool = False
    """Whether the stub could not be started on this connection."""
    ask: Callable[[str], bool] | None = None
    """Asks the person a question of yes and no; None if there is nobody."""
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    """What ``snap`` keeps, by name in lower case."""
    dry_run: bool = False
    """Whether every write is shown and none is sent."""
    journal: Journal = field(default_factory=Journal)
    """What was written."""
    next_line: str = ""
    """What an empty Enter runs: the next piece of a peek or dump."""
    symbols: Symbols | None = None
    """The names of a program, which outlive connections."""
    folder: Path = field(default_factory=Path)
    """Where ``source`` looks for a file: beside the script that says so."""
    lost: Lost | None = None
    """The device whose port has gone."""
    running: bool = False
    """Whether a command runs; what it runs in turn is in no transcript."""
    depth: int = 0
    """How many scripts are running, each sourced by the one before."""

    # -- the chip ------------------------------------------------------------------------------

    @property
    def chip(self) -> Target:
        """The connected chip. Raises: BenchError if there is none."""
        if self.target is None:
            raise not_connected()
        return self.target

    @property
    def scope(self) -> TargetScope:
        """What names mean now."""
        return TargetScope(
            self.target,
            prefixes=self.interactive,
            partitions=self.partition_table,
            parttable=self.settings.parttable,
            symbols=self.symbols,
            check=self.settings.check,
        )

    def symbol_at(self, address: int, *, offset: bool = True) -> str:
        """Return ``name+0x10`` for an address in memory, where symbols are loaded.

        Registers go by their own names.
        """
        region = self.target.chip.region_at(address) if self.target else None
        is_register = region is not None and region.kind is Kind.PERIPHERAL
        return (
            self.symbols.label(address, offset=offset) if self.symbols and not is_register else ""
        )

    @property
    def clock(self) -> Clock:
        """The chip's clock, so that a simulated one does not make anybody wait."""
        return self.target.link.clock if self.target else SystemClock()

    def connect(self, bench: Bench) -> Target:
        """Connect to a chip, leaving the one that was connected as it is."""
        self.disconnect(after="no-reset")
        if not bench.port:
            raise UsageError("no port is known", hint="`connect PORT`, or start with --port")
        self.bench = bench
        self.target = Target.open(
            bench.port,
            baud=first_baud(bench.baud, bench.before),
            before=bench.before,
            expected=bench.chip,
            taps=(self.tap,) if self.tap else (),
        )
        self.target.memory.dry_run = self.target.flash.dry_run = self.dry_run
        self.target.memory.before_write = self.journal.record
        self.apply_settings()
        for note in self.target.notes:
            self.output.note(note)
        try:
            self._settle(self.target, bench)
        except BaseException:
            self.disconnect(after="no-reset")
            raise
        return self.target

    def _settle(self, target: Target, bench: Bench) -> None:
        """Start the stub and raise the rate, as the bench wants it."""
        dialect = target.loader.dialect
        if bench.stub == "always" and not (self.dry_run or dialect.is_stub or dialect.is_secure):
            self.start_stub()
        if bench.baud != target.link.port.baud:
            self.change_baud(bench.baud)

    def change_baud(self, baud: int) -> Connection:
        """Change the rate at both ends; the stub is started where the ROM cannot."""
        loader = self.chip.loader
        knows = Opcode.CHANGE_BAUDRATE in loader.dialect.commands
        if not (knows or loader.dialect.is_secure or self.bench.stub == "never"):
            self.start_stub()
        return connection.change_baud(self.chip, baud)

    def start_stub(self) -> None:
        """Start the flasher stub and say so. Raises: UsageError if ``never`` forbids it."""
        if self.bench.stub == "never":
            raise UsageError("this needs the flasher stub", hint="`stub auto` allows it")
        if self.chip.loader.dialect.is_secure:
            raise UsageError("a chip in secure download mode starts no flasher stub")
        if self.dry_run:
            raise UsageError("a dry run starts no flasher stub: it would be written into RAM")
        bench = self.bench
        found = self.chip.start_stub(folder=bench.stub_dir, version=bench.stub_version)
        where = f" ({found.path})" if bench.stub_dir else ""
        self.output.note(f"flasher stub started, version {found.version}{where}")

    def apply_settings(self) -> None:
        """Let the connected chip know what ``set`` has changed."""
        if self.target is not None:
            flash, settings = self.target.flash, self.settings
            flash.may_slow_down = settings.slower
            if flash.declared_size != settings.flash_size:
                flash.declared_size, flash.is_ready = settings.flash_size, False

    def space(self, name: str, size: int = 0) -> Space:
        """Return a space; for that much of flash the stub is started if it is of use."""
        return self.flash(size) if name == "flash" else self.chip.memory

    def flash(self, size: int = 0) -> Flash:
        """Return the flash; the stub is started where it is faster, if ``auto`` says so.

        Where there is none, the ROM does all that it can.
        """
        target = self.chip
        dialect = target.loader.dialect
        wanted = self.bench.stub != "never" and size > ROM_SIZE
        if wanted and not (dialect.is_stub or dialect.is_secure or self.dry_run or self.no_stub):
            try:
                self.start_stub()
            except UsageError as error:
                self.no_stub = True
                self.output.note(f"without the flasher stub ({error.message}): it will take longer")
        return target.flash

    def see_may_destroy(self, what: str) -> None:
        """See that what cannot be undone is allowed, or that somebody can be asked.

        Raises: UsageError.
        """
        if not (self.assume_yes or self.dry_run or self.ask):
            raise UsageError(
                f"{what} cannot be undone, and nobody can be asked", hint="--yes allows it"
            )

    def may_destroy(self, what: str) -> bool:
        """Ask whether something that cannot be undone shall be done; see ``see_may_destroy``."""
        self.see_may_destroy(what)
        if self.assume_yes or self.dry_run or not self.settings.confirm or self.ask is None:
            return True
        return self.ask(f"{what}?")

    def disconnect(self, *, after: str | None = None) -> None:
        """Give the port back, leaving the chip as told."""
        if self.target is not None:
            target, self.target = self.target, None
            try:
                target.leave(self.bench.after if after is None else after)
            except EspError as error:
                self.output.note(f"the chip was not left as wanted: {error.one_line()}")
            finally:
                target.link.port.close()
        self.seen.clear()
        self.partitions, self.known_flash, self.no_stub = None, None, False
        self.journal.turn_stale()
        for name, kept in self.snapshots.items():
            self.snapshots[name] = replace(kept, is_stale=True)

    def close(self) -> None:
        """Leave the chip as the bench says, and everything else in order."""
        self.disconnect()
        self.log_to(None)
        self.watch(None)

    def watch(self, tap: Viewer | Recorder | None) -> None:
        """Let somebody else watch the wire, or nobody."""
        if self.tap is not None:
            self.tap.close()
        self.tap = tap
        if self.target is not None:
            self.target.link.taps[:] = [tap] if tap else []

    def log_to(self, path: Path | None) -> None:
        """Write a transcript to a file, or to none. Raises: UsageError if that cannot be."""
        old, self.output.transcript = self.output.transcript, None
        if old is not None:
            old.close()
        if path is not None:
            self.output.transcript = Transcript(path)

    # -- lines ---------------------------------------------------------------------------------

    def parse(self, text: str) -> tuple[Command, ...]:
        """Cut a line into commands, aliases replaced by what they stand for."""
        found = self._expanded(self.cut(text), frozenset())
        return tuple(
            VERBS.whole(each, {}, prefixes=self.interactive) if each.name.is_plain else each
            for each in found
        )

    def cut(self, text: str) -> tuple[Command, ...]:
        """Cut a line into commands as they stand, aliases and all."""
        return grammar.parse_line(
            text, rest_is_expression=VERBS.takes_expression, inner_command=VERBS.holds_command
        )

    def prepare(self, command: Command) -> Prepared:
        """Find the verb of a command and bind its words. Raises: UsageError."""
        command = VERBS.whole(command, self.variables, prefixes=self.interactive)
        name = command.name.expand(self.variables)
        if name != "help" and any(word.raw == "--help" for word in command.words):
            return self.prepare(self.cut(f"help {name}")[0])
        verb = VERBS.find(name, prefixes=self.interactive, also=self.aliases)
        bound = registry.bind(verb, command)
        inner = None
        if verb.rest == "command":
            inner = self.prepare(command.inner(len(verb.params)))
        return Prepared(verb, command, bound, inner)

    def run_line(self, text: str) -> int:
        """Run what a person typed; show results and errors; return the status of the last one."""
        status = 0
        try:
            for command in self.parse(text):
                outcome = self.run(command)
                status = outcome.status
                if outcome.error is not None:
                    self.output.error(f"{command.name.raw}: {outcome.error.one_line()}")
                if status and not command.ignore_failure:
                    break
        except EspError as error:
            self.refused(error)
            self.output.error(error.one_line())
            status = error.status
        self.variables["?"] = str(status)
        return status

    def refused(self, error: EspError) -> None:
        """Show, where JSON is wanted, an error that was found before its command could run."""
        name, status = None, error.status
        if isinstance(error, ScriptError):
            name, error = error.command, EspError(error.reason, hint=error.hint)
        display.show(self.output, name, Outcome(status, error=error), 0.0)

    def run(self, command: Command) -> Outcome:
        """Run one command, its redirect included; show its result, not its error."""
        self.next_line = ""
        clock = self.clock  # of the chip that is connected now; the command may leave it
        start = clock.now()
        outcome = Outcome(0)
        outermost, self.running = not self.running, True
        try:
            prepared = self._logged(command) if outermost else self.prepare(command)
            with self._redirected(command):
                outcome = self.execute(prepared)
                display.show(self.output, command.name.raw, outcome, clock.now() - start)
        except EspError as error:
            outcome = Outcome(error.status, error=error)
            display.show(self.output, command.name.raw, outcome, clock.now() - start)
            if isinstance(error, PortError):
                recovery.lose(self)
        finally:
            self.running = not outermost
            self.output.finished()
        self.variables["?"] = str(outcome.status)
        return outcome

    def _logged(self, command: Command) -> Prepared:
        """Prepare a command and write it to the transcript: as a comment if it is none."""
        output = self.output
        try:
            prepared = self.prepare(command)
        except EspError:
            output.logged(lambda transcript: transcript.comment(command.text))
            raise
        text = _as_in_a_script(prepared.verb, command)
        if prepared.verb.name in _NOT_TO_BE_REPEATED:
            output.logged(lambda transcript: transcript.comment(text))
        else:
            output.logged(lambda transcript: transcript.command(text))
        return prepared

    def execute(self, prepared: Prepared) -> Outcome:
        """Do what a bound command says. Raises: EspError."""
        verb = prepared.verb
        if verb.needs_chip and self.target is None:
            raise not_connected()
        if verb.needs == "memory" and self.target and self.target.loader.dialect.is_secure:
            raise _secure_download(verb)
        arguments = registry.values(verb, prepared.bound, self.variables, self.scope)
        if prepared.inner is not None:
            arguments["command"] = prepared.inner
        if verb.rest == "assignment":
            arguments["assignment"] = prepared.command
        with self.journal.recording(prepared.command.text):
            result = verb.run(self, **arguments)
        bare = result.result if isinstance(result, Shown) else result
        if (value := getattr(bare, "last_value", None)) is not None:
            self.variables["_"] = number_text(value) if isinstance(value, int) else value
        if getattr(bare, "ok", True):
            return Outcome(0, result)
        return Outcome(1, result, DeviceError(getattr(bare, "failure", "not as wanted")))

    @contextlib.contextmanager
    def _redirected(self, command: Command) -> Iterator[None]:
        redirect = command.redirect
        if redirect is None:
            yield
        elif redirect.kind == "|":
            with self.output.to_shell(redirect.target.raw):
                yield
        else:
            path = Path(redirect.target.expand(self.variables)).expanduser()
            with self.output.to_file(path, append=redirect.kind == ">>"):
                yield

    def _expanded(self, commands: tuple[Command, ...], within: frozenset[str]) -> Iterator[Command]:
        """Yield commands with aliases replaced; in what it stands for, an alias is no alias."""
        for command in commands:
            name = command.name.raw
            if name not in self.aliases or name in within:
                yield command
                continue
            meant = self.cut(f"{self.aliases[name]} {command.rest(0)}")
            *before, last = self._expanded(meant, within | {name})
            yield from before
            yield replace(
                last,
                redirect=command.redirect or last.redirect,
                ignore_failure=command.ignore_failure or last.ignore_failure,
            )


def _as_in_a_script(verb: Verb, command: Command) -> str:
    """Return the source of a command with its full name, mark and redirect."""
    mark = "-" * command.ignore_failure
    to = f" {command.redirect.kind} {command.redirect.target.raw}" if command.redirect else ""
    return f"{mark}{verb.name}{command.text[len(command.name.raw) :]}{to}"


def _secure_download(verb: Verb) -> UsageError:
    """Return the refusal of a command that cannot work, with those that can."""
    possible = [each.name for each in VERBS.verbs() if each.needs in ("chip", "flash")]
    return UsageError(
        f"`{verb.name}` cannot work: the chip is in secure download mode",
        hint=f"these can: {', '.join(possible)}",
    )
