"""Run lines: every command is run here.

A typed line, a ``-c``, a line of a script and a line from a pipe all go through a ``Runner``, with
the same words, the same errors and the same exit status.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from operator import methodcaller
from pathlib import Path
from typing import TYPE_CHECKING

import espshell.shell.commands  # noqa: F401 - they register themselves
from espshell import files
from espshell.errors import (
    BenchError,
    DeviceError,
    EspError,
    NoReply,
    PortError,
    ReadsDiffer,
    ScriptError,
    UsageError,
)
from espshell.records import replace
from espshell.shell import (
    blocks,
    check,
    claims,
    display,
    hints,
    junit,
    lines,
    recovery,
    registry,
    replay,
    script,
)
from espshell.shell.blocks import Block, Node
from espshell.shell.crash import STOPPING, Interrupted, as_error
from espshell.shell.declaration import DRY_RUN, Answer, Outcome, Trait, Verb
from espshell.shell.language.grammar import Command, Redirect
from espshell.shell.language.scope import not_connected
from espshell.shell.lines import Held, Prepared
from espshell.shell.registry import COMMANDS
from espshell.shell.script import Script
from espshell.shell.session import NOTHING_CHANGED, Quit, Session
from espshell.span import Span
from espshell.units import number_text

if TYPE_CHECKING:
    pass


class Runner:
    """Runs lines and scripts in a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._depth = 0  # of running scripts, each sourced by the one before
        self.report: junit.Report | None = None
        """Collects what the lines of scripts say of the chip."""
        self._is_running = False  # a command; those that it runs are not in the transcript

    def run_line(self, text: str) -> int:
        """Run a typed line; show results and errors; return the status of its last command."""
        session, status = self.session, 0
        try:
            for command in lines.parse(session, text):
                outcome = self.run(command)
                status = outcome.status
                if outcome.error is not None:
                    session.output.error(f"{command.name.raw}: {outcome.error.with_link()}")
                if status and not command.ignore_failure:
                    break
        except EspError as error:
            self.refuse(error)
            session.output.error(error.with_link())
            status = error.status
        session.variables["?"] = str(status)
        return status

    def refuse(self, error: EspError) -> None:
        """Show an error from before its command could run, if the output is JSON."""
        name, status = None, error.status
        if isinstance(error, ScriptError):
            name, error = error.command, EspError(error.reason, hint=error.hint, status=status)
        display.show(self.session.output, name, Outcome(status, error=error), 0.0)

    def run(self, command: Command) -> Outcome:
        """Run one command, its redirect included; show its result, not its error."""
        session, output = self.session, self.session.output
        session.next_line = ""
        clock = session.clock  # that of the chip connected now; the command may leave it
        start = clock.now()
        outcome, is_verdict = Outcome(0), False
        outermost, self._is_running = not self._is_running, True
        try:
            prepared = self._logged(command) if outermost else lines.prepare(session, command)
            inner, is_verdict = prepared.innermost.verb, prepared.is_verdict
            redirect = command.redirect
            to = self._redirected(redirect) if redirect else contextlib.nullcontext()
            with to, hints.Worded(output, inner):
                outcome = self.execute(prepared)
                if outcome.error is not None:
                    hints.reword(outcome.error, inner)
                display.show(output, command.name.raw, outcome, clock.now() - start)
                output.finished()
        except BrokenPipeError:  # the reader of the output is gone
            raise
        except STOPPING as stop:
            error = None if isinstance(stop, Quit) else as_error(stop)
            outcome = Outcome(error.status if error else 0, error=error)
            display.show(output, command.name.raw, outcome, clock.now() - start)
            if outcome.error is None or not isinstance(stop, Exception):
                raise
            if isinstance(stop, PortError) and recovery.is_lost(session, stop):
                recovery.lose(session)
                if session.interactive and outcome.error is not None:
                    outcome.error.hint = ""  # the prompt waits for it, and says so
            elif isinstance(stop, NoReply | ReadsDiffer):  # the link, and no finding about the chip
                recovery.slow_down(session)
        finally:
            self._is_running = not outermost
            with contextlib.suppress(*(UsageError,) if outcome.error else ()):  # one is enough
                output.finished()
        session.variables["?"] = str(outcome.status)
        if is_verdict or outcome.error is not None:
            outcome = replace(outcome, is_verdict=True)
            session.judged(command.text, outcome)
        if outcome.bare and outcome.bare.interrupted and self._depth:
            raise KeyboardInterrupt  # its result has been shown; a script ends here
        return outcome

    def execute(self, prepared: Prepared) -> Outcome:
        """Run a prepared command and return its outcome. Raises: EspError."""
        session, verb = self.session, prepared.verb
        if verb.needs:
            _require_chip(session, verb)
        self._claim(prepared)
        scope = session.scope
        arguments = registry.values(verb, prepared.bound, session.variables, scope)
        if (inner := prepared.inner) is not None:
            arguments["command"] = Held(
                inner,
                run=lambda: self.execute(inner),
                show=lambda outcome: display.show_text(session.output, outcome.result),
            )
        if verb.rest == "assignment":
            arguments["assignment"] = prepared.command
        if Trait.LINES in verb.traits:
            arguments["run_file"] = self.run_file
        changes = registry.settings(prepared.bound, session.variables, scope)
        with session.with_settings(changes) if changes else contextlib.nullcontext():
            answer = self._recorded(prepared, arguments)
        if isinstance(answer, Outcome):  # that of the inner command
            return answer
        outcome = Outcome(0, answer)
        result = outcome.bare
        if result is None:
            return outcome
        if (value := result.last_value) is not None:
            session.variables["_"] = number_text(value) if isinstance(value, int) else value
        if result.interrupted:  # it is shown as far as it came
            return Outcome(Interrupted.exit_status, answer)
        if result.ok:
            return outcome
        return Outcome(1, outcome.result, DeviceError(result.failure))

    def _claim(self, prepared: Prepared) -> None:
        """Take the files that a command writes for this board. Raises: UsageError."""
        session = self.session
        if claims.are_kept():
            for kind, value in registry.parsed(prepared.bound, session.variables):
                for path in kind.outputs(value):
                    claims.require_own(path, session.bench.port or "")

    def _recorded(self, prepared: Prepared, arguments: dict[str, object]) -> Answer:
        """Run a verb; journal its writes to memory, and note them if Ctrl-C stops it."""
        session = self.session
        session.is_unchanged = DRY_RUN in prepared.verb.options
        with session.journal.recording(prepared.command.text) as changes:
            try:
                return prepared.verb.run(session, **arguments)
            except BaseException as stop:
                session.output.finished()
                is_stopped = not isinstance(stop, Exception) or isinstance(stop, BenchError)
                if session.is_unchanged and is_stopped and not changes:
                    session.output.note(NOTHING_CHANGED)
                for change in changes:
                    where = Span.of(change.address, change.size)
                    session.output.note(f"{where} may have been written; `journal` lists it")
                raise

    # -- scripts -------------------------------------------------------------------------------

    def run_file(self, path: Path, arguments: Sequence[str]) -> None:
        """Check and run a script; ``path`` is relative to the running script.

        Raises: ScriptError; with ``keep_going`` EspError with the worst status, at the end.
        """
        loaded = script.read(self.session.folder / path)
        check.check(self.session, (loaded, arguments), to_run=True)
        worst = self.run_script(loaded, arguments)
        self.session.next_line = ""
        if worst:  # with --keep-going; the errors themselves have been reported
            raise EspError(f"commands of {loaded.name} failed", status=worst)

    def run_script(self, text: Script, arguments: Sequence[str] = ()) -> int:
        """Run a script line by line; return 0, or with ``session.keep_going`` the worst status.

        ``session.worst`` keeps the worst status of all scripts.

        Raises: ScriptError at the first command that fails, unless ``keep_going``.
        """
        with self._entered(text, arguments):
            return self._run_nodes(text, blocks.parse(text))

    def _run_nodes(self, text: Script, nodes: Sequence[Node]) -> int:
        session, worst = self.session, 0
        for node in nodes:
            try:
                if isinstance(node, Block):
                    worst = max(worst, self._run_block(text, node))
                else:
                    self._run_script_line(text, node.number, node.text)
            except ScriptError as error:
                worst = max(worst, error.status)
                session.worst = max(session.worst, worst)
                if not session.keep_going:
                    raise
                script.report(session.output, error)
        return worst

    def _run_block(self, text: Script, block: Block) -> int:
        """Run the lines of a block as often as its head says; return the worst status."""
        session, head, command = self.session, block.head, None
        try:
            (command,) = lines.parse(session, head.text)
            if block.kind == blocks.FOR:
                name = blocks.loop_name(command)
                rounds = [(name, value) for value in blocks.loop_values(command, session.variables)]
            else:
                number = blocks.condition(command, session.variables).evaluate(session.scope)
                rounds = [("", "")] * blocks.rounds(block, number)
        except EspError as error:
            located = script.located(text, head.number, error, line=head.text, command=command)
            self._refuse_line(text, head.number, head.text, located)
            raise located from error
        worst = 0
        for name, value in rounds:
            if name:
                session.variables[name] = value
                session.output.logged(methodcaller("command", replay.assignment(name, value)))
            worst = max(worst, self._run_nodes(text, block.body))
        return worst if rounds else self._run_nodes(text, block.otherwise)

    def _run_script_line(self, text: Script, number: int, line: str) -> None:
        try:
            for command in lines.parse(self.session, line):
                outcome = self._reported(text, number, command)
                if outcome.error is None:
                    continue
                located = script.located(text, number, outcome.error, line=line, command=command)
                if not command.ignore_failure:
                    raise located
                self.session.output.note(f"{located.one_line()} (ignored)")
        except UsageError as error:
            located = script.located(text, number, error, line=line)
            self._refuse_line(text, number, line, located)
            raise located from error

    def _reported(self, text: Script, number: int, command: Command) -> Outcome:
        """Run a command of a script, and report it if it judges the chip, or fails."""
        report, session = self.report, self.session
        if report is None:
            return self.run(command)
        if session.target is not None:
            report.describe(session.target)
        case, clock, stopped = _case(text, number, command.text), session.clock, None
        start, failures = clock.now(), report.failures
        with session.output.copied() as copy:
            try:
                outcome = self.run(command)
            except STOPPING as stop:
                error = as_error(stop)
                stopped, outcome = stop, Outcome(error.status, error=error, is_verdict=True)
        # If a line of the file that it sources has failed, that is a case.
        is_reported = outcome.error is not None and report.failures > failures
        if outcome.is_verdict and not is_reported:
            case.seconds, case.output = clock.now() - start, copy.text
            case.is_ignored = command.ignore_failure
            report.add(case, outcome.error)
        if stopped is not None:
            raise stopped
        return outcome

    def _refuse_line(self, text: Script, number: int, line: str, error: ScriptError) -> None:
        """Show and report a line that was refused before it could run."""
        self.refuse(error)
        if self.report is not None:
            self.report.add(_case(text, number, line.strip()), error)

    @contextlib.contextmanager
    def _entered(self, text: Script, arguments: Sequence[str]) -> Iterator[None]:
        """Give the session the script's arguments and folder, and full names only, meanwhile."""
        if self._depth == script.MAX_DEPTH:
            raise script.too_deep(text)
        session = self.session
        kept = session.variables, session.folder, session.interactive
        session.variables = {
            **script.without_arguments(session.variables),
            **script.argument_variables(arguments),
        }
        session.folder, session.interactive = text.folder, False
        self._depth += 1
        try:
            yield
        finally:
            named = script.without_arguments(session.variables)
            variables, session.folder, session.interactive = kept
            session.variables = {**variables, **named}
            self._depth -= 1

    # -- one command ---------------------------------------------------------------------------

    def _logged(self, command: Command) -> Prepared:
        """Prepare a command and write it to the transcript; as a comment if it is wrong."""
        session, output = self.session, self.session.output
        try:
            prepared = lines.prepare(session, command)
        except EspError:
            output.logged(lambda transcript: transcript.comment(command.text))
            raise

        if output.is_recorded:
            scope = session.scope if session.interactive else None
            text = replay.as_in_a_script(prepared, session.variables, session.folder, scope)
            is_comment = Trait.ONCE in prepared.verb.traits or self._is_refused(text)
            output.logged(methodcaller("comment" if is_comment else "command", text))
        if session.interactive:
            output.alive(f"{command.text} ...")
        return prepared

    def _is_refused(self, text: str) -> bool:
        """Return whether a script with this typed line would be refused, and not run at all."""
        if self.session.interactive:
            try:
                check.check(self.session, (Script("", text), ()), to_run=True)
            except EspError:
                return True
        return False

    @contextlib.contextmanager
    def _redirected(self, redirect: Redirect) -> Iterator[None]:
        session = self.session
        if redirect.kind == "|":
            with session.output.to_shell(redirect.target.raw):
                yield
            if session.next_line and session.settings.pipe:  # an empty Enter goes through it, too
                session.next_line += f" | {redirect.target.raw}"
        else:
            path = files.path_of(redirect.target.expand(session.variables))
            claims.require_own(path, session.bench.port or "")
            with session.output.to_file(path, append=redirect.kind == ">>"):
                yield


def _case(text: Script, number: int, line: str) -> junit.Case:
    return junit.Case(text.name or "-c", f"{number}: {line}")


def _require_chip(session: Session, verb: Verb) -> None:
    """Check that a chip is connected and can run a command; name the possible ones if not."""
    if session.target is None:
        raise not_connected()
    if verb.needs == "memory" and session.target.loader.dialect.is_secure:
        possible = [other.name for other in COMMANDS.verbs() if other.needs in ("chip", "flash")]
        raise UsageError(
            f"`{verb.name}` is not possible: the chip is in secure download mode",
            hint=f"available: {', '.join(possible)}",
        )
