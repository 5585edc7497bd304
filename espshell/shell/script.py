"""Scripts (.espsh): checked whole before anything is connected, then run line by line.

A script is wrong in one of three moments, and the earlier the better: when it is read (a command
that does not exist, a number that is none, a variable that nobody sets), when the chip is known
(names of registers and regions), and when it runs.  Each error carries its place.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from espshell import files
from espshell.errors import EspError, ScriptError, UsageError
from espshell.shell import registry
from espshell.shell.commands.ram import syms
from espshell.shell.commands.shell import define
from espshell.shell.language import expr, grammar
from espshell.shell.language.assignment import assigned
from espshell.shell.language.grammar import Command
from espshell.shell.output import Output
from espshell.shell.session import Prepared, Session

_MAX_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Script:
    """A script's text; ``folder`` is where files that it sources are looked for.

    ``name`` is empty for a line of ``-c``, whose errors need no place.
    """

    name: str
    text: str
    folder: Path = field(default_factory=Path)


def read(path: Path) -> Script:
    """Read a script. Raises: UsageError if that fails."""
    return Script(str(path), files.read_text(path, files.SCRIPT), path.parent)


Given = tuple[Script, Sequence[str]]
"""A script and its arguments."""


def check(session: Session, *scripts: Given) -> bool:
    """See that every line of scripts that run one after another, and of what they source, is right.

    With a chip connected, names are looked up too.  Returns whether any line needs a chip.

    Raises: ScriptError at the first line that is not.
    """
    checker = _Checker(session)
    needs_chip = [checker.check(script, arguments, depth=0) for script, arguments in scripts]
    return any(needs_chip)


def run(session: Session, script: Script, arguments: Sequence[str] = ()) -> int:
    """Run a script line by line; return 0, or with ``session.keep_going`` the worst status.

    The worst of all scripts is kept in ``session.worst``.

    Raises: ScriptError at the first command that fails, unless ``keep_going``.
    """
    worst = 0
    with _entered(session, script, arguments):
        for number, line in grammar.split_lines(script.text):
            try:
                _run_line(session, script, number, line)
            except ScriptError as error:
                worst = max(worst, error.status)
                session.worst = max(session.worst, worst)
                if not session.keep_going:
                    raise
                report(session.output, error)
    return worst


def report(output: Output, error: EspError) -> None:
    """Tell an error in one line: where it is in a script, and under it the line of the script."""
    if not isinstance(error, ScriptError):
        output.error(f"espshell: {error.one_line()}")
        return
    output.error(error.one_line())
    if error.source:
        output.plain(f"    {error.source}")


@contextlib.contextmanager
def _entered(session: Session, script: Script, arguments: Sequence[str]) -> Iterator[None]:
    """Give a session the script's arguments, folder and full names; then its own again."""
    if session.depth == _MAX_DEPTH:
        raise _too_deep(script)
    kept = session.variables, session.folder, session.interactive
    session.variables = {**_without_arguments(session.variables), **_arguments(arguments)}
    session.folder, session.interactive = script.folder, False
    session.depth += 1
    try:
        yield
    finally:
        named = _without_arguments(session.variables)
        variables, session.folder, session.interactive = kept
        session.variables = {**variables, **named}
        session.depth -= 1


def _run_line(session: Session, script: Script, number: int, line: str) -> None:
    try:
        commands = _parsed(session, script, number, line)
    except ScriptError as error:
        session.refused(error)
        raise
    for command in commands:
        outcome = session.run(command)
        if outcome.error is None:
            continue
        located = _located(script, number, outcome.error, line=line, command=command)
        if not command.ignore_failure:
            raise located
        session.output.note(f"{located.one_line()} (ignored)")


def _parsed(session: Session, script: Script, number: int, line: str) -> tuple[Command, ...]:
    try:
        return session.parse(line)
    except UsageError as error:
        raise _located(script, number, error, line=line) from error


def _located(
    script: Script, number: int, error: EspError, *, line: str, command: Command | None = None
) -> ScriptError:
    """Return an error with its place; one of a script that was sourced has its own already."""
    if isinstance(error, ScriptError):
        return error
    name = command.name.raw if command else None
    if not script.name:
        return ScriptError("" if name else "-c", error, source="", command=name)
    return ScriptError(f"{script.name}:{number}", error, source=line.strip(), command=name)


def _too_deep(script: Script) -> UsageError:
    return UsageError(
        f"{script.name} sources itself", hint=f"files source each other at most {_MAX_DEPTH} deep"
    )


def _arguments(arguments: Sequence[str]) -> dict[str, str]:
    return {str(i): text for i, text in enumerate(arguments, 1)}


def _without_arguments(variables: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if not name.isdigit()}


_CHANGES_PARTITIONS = ("load", "erase", "copy", "fill", "poke", "set", "connect", "reconnect")
"""Commands behind which the names of partitions may be others than they are now."""


class _Checker:
    """Goes through scripts as they would run, on a copy of the session's names."""

    def __init__(self, session: Session) -> None:
        self._session = replace(session, aliases=dict(session.aliases), interactive=False)
        self._known: set[str] = {*session.variables, "_", "?"}
        self._knows_names = True  # until symbols are loaded from a file that a variable names
        self._knows_partitions = True  # until a line may give the flash another table of them
        self._sees_all = True  # until a line is met whose meaning only shows when it runs

    def check(self, script: Script, arguments: Sequence[str], *, depth: int) -> bool:
        """Check every line; return whether one needs a chip."""
        if depth == _MAX_DEPTH:
            raise _too_deep(script)
        outer = {name for name in self._known if name.isdigit()}
        self._known = {*(self._known - outer), *_arguments(arguments)}
        needs_chip = False
        for number, line in grammar.split_lines(script.text):
            for command in _parsed(self._session, script, number, line):
                try:
                    needs_chip |= self._command(command, script, depth)
                except EspError as error:
                    raise _located(script, number, error, line=line, command=command) from error
        self._known = {*(name for name in self._known if not name.isdigit()), *outer}
        return needs_chip

    def _command(self, command: Command, script: Script, depth: int) -> bool:
        if not command.name.is_plain:
            self._check_variables(command)
            self._sees_all = False
            return True
        return self._prepared(self._session.prepare(command), script, depth)

    def _prepared(self, prepared: Prepared, script: Script, depth: int) -> bool:
        verb, command = prepared.verb, prepared.command
        if verb.name == "alias":
            if command.words:
                define(self._session, command)
            return False
        self._check_variables(command)
        registry.check(prepared.bound, {})
        self._check_names(registry.names_used(prepared.bound, {}))
        if (verb.alias_of or verb.name) in _CHANGES_PARTITIONS:
            self._knows_partitions = False
        if prepared.inner is not None:
            return self._prepared(prepared.inner, script, depth)
        if verb.rest == "assignment":
            return self._assignment(command)
        if verb.name == "syms":
            self._symbols(command)
        if verb.name == "source":
            return self._source(command, script, depth)
        return registry.needs_chip(verb, prepared.bound) or verb.rest == "expression"

    def _source(self, command: Command, script: Script, depth: int) -> bool:
        if not all(word.is_plain for word in command.words):
            self._sees_all = False
            return True
        name, *arguments = (word.expand({}) for word in command.words)
        path = script.folder / files.path_of(name)
        if command.ignore_failure and not files.exists(path):
            return False
        return self.check(read(path), arguments, depth=depth + 1)

    def _symbols(self, command: Command) -> None:
        """Load the symbols that lines below may name; a file that a variable names is believed."""
        if not all(word.is_plain for word in command.words):
            self._knows_names = False
            return
        with contextlib.suppress(EspError) if command.ignore_failure else contextlib.nullcontext():
            syms(self._session, *(word.expand({}) for word in command.words))

    def _assignment(self, command: Command) -> bool:
        assignment = assigned(command)
        self._known.add(assignment.name)
        if assignment.value.is_plain and not assignment.value.is_quoted:
            expression = expr.parse(assignment.value.expand_raw({}))
            self._check_names(expression.names())
            return expression.constant() is None
        return True

    def _check_variables(self, command: Command) -> None:
        for word in (command.name, *command.words):
            for name in word.required_variables():
                if name not in self._known and self._sees_all:
                    word.expand(dict.fromkeys(self._known, ""))  # raises, with a hint

    def _check_names(self, names: Iterable[str]) -> None:
        scope = self._session.scope
        if scope.chip is None or not self._knows_names:
            return
        for name in names:
            if name.startswith("flash:") and not self._knows_partitions:
                continue
            if not scope.knows(name):
                raise expr.unknown_name(name, scope.suggest(name))
