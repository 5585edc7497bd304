"""Running lines: the one door for every command.

A typed line, a ``-c``, a line of a script and a line from a pipe are all run by a ``Runner``: the
same words, the same errors, the same exit status.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import espshell.shell.commands  # noqa: F401 - they register themselves
from espshell import files
from espshell.errors import DeviceError, EspError, PortError, PortStalled, ScriptError, UsageError
from espshell.shell import check, display, hints, lines, recovery, registry, replay, script
from espshell.shell.crash import STOPPING, as_error
from espshell.shell.language import grammar
from espshell.shell.language.grammar import Command
from espshell.shell.language.scope import not_connected
from espshell.shell.lines import Held, Prepared
from espshell.shell.outcome import Outcome
from espshell.shell.registry import COMMANDS, Trait, Verb
from espshell.shell.script import Script
from espshell.shell.session import Quit, Session
from espshell.units import hex32, number_text


class Runner:
    """Runs lines and scripts in a session."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._depth = 0  # scripts that are running, each sourced by the one before
        self._is_running = False  # a command; what it runs in turn is in no transcript

    def run_line(self, text: str) -> int:
        """Run what a person typed; show results and errors; return the status of the last one."""
        session, status = self.session, 0
        try:
            for command in lines.parse(session, text):
                outcome = self.run(command)
                status = outcome.status
                if outcome.error is not None:
                    session.output.error(f"{command.name.raw}: {outcome.error.one_line()}")
                if status and not command.ignore_failure:
                    break
        except EspError as error:
            self.refuse(error)
            session.output.error(error.one_line())
            status = error.status
        session.variables["?"] = str(status)
        return status

    def refuse(self, error: EspError) -> None:
        """Show, where JSON is wanted, an error that was found before its command could run."""
        name, status = None, error.status
        if isinstance(error, ScriptError):
            name, error = error.command, EspError(error.reason, hint=error.hint)
        display.show(self.session.output, name, Outcome(status, error=error), 0.0)

    def run(self, command: Command) -> Outcome:
        """Run one command, its redirect included; show its result, not its error."""
        session, output = self.session, self.session.output
        session.next_line = ""
        clock = session.clock  # of the chip that is connected now; the command may leave it
        start = clock.now()
        outcome = Outcome(0)  # where nobody reads on
        outermost, self._is_running = not self._is_running, True
        try:
            prepared = self._logged(command) if outermost else lines.prepare(session, command)
            inner = prepared.innermost.verb
            with self._redirected(command), hints.worded(output, inner, COMMANDS.get):
                outcome = self.execute(prepared)
                if outcome.error is not None:
                    hints.reword(outcome.error, inner, COMMANDS.get)
                display.show(output, command.name.raw, outcome, clock.now() - start)
        except BrokenPipeError:  # nobody reads on, and nothing is left to be shown
            raise
        except STOPPING as stop:
            outcome = _stopped(stop)
            display.show(output, command.name.raw, outcome, clock.now() - start)
            if outcome.error is None or not isinstance(stop, Exception):
                raise
            if isinstance(stop, PortError) and not isinstance(stop, PortStalled):
                recovery.lose(session)
        finally:
            self._is_running = not outermost
            output.finished()
        session.variables["?"] = str(outcome.status)
        if getattr(outcome.bare, "interrupted", False) and self._depth:
            raise KeyboardInterrupt  # what it had seen has been shown; a script ends here
        return outcome

    def execute(self, prepared: Prepared) -> Outcome:
        """Do what a bound command says; journal what it changed. Raises: EspError."""
        session, verb = self.session, prepared.verb
        if verb.needs_chip:
            _require_chip(session, verb)
        arguments = registry.values(verb, prepared.bound, session.variables, session.scope)
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
        changes = registry.settings(prepared.bound, session.variables, session.scope)
        with session.with_settings(changes):
            answer = self._recorded(prepared, arguments)
        if isinstance(answer, Outcome):  # of the command that it holds
            return answer
        outcome = Outcome(0, answer)
        result = outcome.bare
        if (value := getattr(result, "last_value", None)) is not None:
            session.variables["_"] = number_text(value) if isinstance(value, int) else value
        if getattr(result, "ok", True):
            return outcome
        failure = getattr(result, "failure", "not as wanted")
        return Outcome(1, outcome.result, DeviceError(failure))

    def _recorded(self, prepared: Prepared, arguments: dict[str, object]) -> object:
        """Run a verb, what it writes to memory in the journal; say so if Ctrl-C stops it."""
        session = self.session
        with session.journal.recording(prepared.command.text) as changes:
            try:
                return prepared.verb.run(session, **arguments)
            except KeyboardInterrupt:
                session.output.finished()
                for change in changes:
                    where = f"{hex32(change.address)}..{hex32(change.address + change.size)}"
                    session.output.note(f"{where} may have been written; `journal` lists it")
                raise

    # -- scripts -------------------------------------------------------------------------------

    def run_file(self, path: Path, arguments: Sequence[str]) -> None:
        """Check and run a file of lines. Raises: ScriptError; EspError if ``keep_going`` met any.

        path: as seen from the script that runs.
        """
        loaded = script.read(self.session.folder / path)
        check.check(self.session, (loaded, arguments), to_run=True)
        worst = self.run_script(loaded, arguments)
        self.session.next_line = ""
        if worst:  # with --keep-going; what failed has been reported
            failed = EspError(f"commands of {loaded.name} have failed")
            failed.status = worst
            raise failed

    def run_script(self, text: Script, arguments: Sequence[str] = ()) -> int:
        """Run a script line by line; return 0, or with ``session.keep_going`` the worst status.

        The worst of all scripts is kept in ``session.worst``.

        Raises: ScriptError at the first command that fails, unless ``keep_going``.
        """
        session, worst = self.session, 0
        with self._entered(text, arguments):
            for number, line in grammar.split_lines(text.text):
                try:
                    self._run_script_line(text, number, line)
                except ScriptError as error:
                    worst = max(worst, error.status)
                    session.worst = max(session.worst, worst)
                    if not session.keep_going:
                        raise
                    script.report(session.output, error)
        return worst

    def _run_script_line(self, text: Script, number: int, line: str) -> None:
        try:
            for command in lines.parse(self.session, line):
                outcome = self.run(command)
                if outcome.error is None:
                    continue
                located = script.located(text, number, outcome.error, line=line, command=command)
                if not command.ignore_failure:
                    raise located
                self.session.output.note(f"{located.one_line()} (ignored)")
        except UsageError as error:
            located = script.located(text, number, error, line=line)
            self.refuse(located)
            raise located from error

    @contextlib.contextmanager
    def _entered(self, text: Script, arguments: Sequence[str]) -> Iterator[None]:
        """Give a session the script's arguments, folder and full names; then its own again."""
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
        """Prepare a command and write it to the transcript: as a comment if it is none."""
        session, output = self.session, self.session.output
        try:
            prepared = lines.prepare(session, command)
            text = replay.as_in_a_script(prepared, session.variables, session.folder)
        except EspError:
            output.logged(lambda transcript: transcript.comment(command.text))
            raise
        if Trait.ONCE in prepared.verb.traits:
            output.logged(lambda transcript: transcript.comment(text))
        else:
            output.logged(lambda transcript: transcript.command(text))
        return prepared

    @contextlib.contextmanager
    def _redirected(self, command: Command) -> Iterator[None]:
        redirect, output = command.redirect, self.session.output
        if redirect is None:
            yield
        elif redirect.kind == "|":
            with output.to_shell(redirect.target.raw):
                yield
        else:
            path = files.path_of(redirect.target.expand(self.session.variables))
            with output.to_file(path, append=redirect.kind == ">>"):
                yield


def _stopped(stop: BaseException) -> Outcome:
    """Return how a command ended that raised something; `quit` ends well."""
    if isinstance(stop, Quit):
        return Outcome(0)
    error = as_error(stop)
    return Outcome(error.status, error=error)


def _require_chip(session: Session, verb: Verb) -> None:
    """Refuse a command whose chip is missing, or cannot do it; say which commands can work."""
    if session.target is None:
        raise not_connected()
    if verb.needs == "memory" and session.target.loader.dialect.is_secure:
        possible = [other.name for other in COMMANDS.verbs() if other.needs in ("chip", "flash")]
        raise UsageError(
            f"`{verb.name}` cannot work: the chip is in secure download mode",
            hint=f"these can: {', '.join(possible)}",
        )
