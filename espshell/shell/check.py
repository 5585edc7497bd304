"""Check scripts: every line, before anything is connected or run.

Errors of a script show as early as possible: when it is read (a command that does not exist, a
wrong number, a variable that is never set), when the chip is known (names of registers and
regions), or when it runs.  Each error has its location.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from espshell import files
from espshell.errors import EspError, ScriptError, UsageError
from espshell.records import dataclass, replace
from espshell.shell import blocks, claims, lines, registry, script
from espshell.shell.arguments.types import AnyType
from espshell.shell.blocks import Block, Node
from espshell.shell.declaration import Trait
from espshell.shell.language import expr
from espshell.shell.language.assignment import assigned
from espshell.shell.language.grammar import Command
from espshell.shell.language.words import Word
from espshell.shell.lines import Prepared
from espshell.shell.script import Given, Script
from espshell.shell.session import Session
from espshell.shell.settings import PORT_PLACE


@dataclass(frozen=True, slots=True)
class Needs:
    """What scripts that have been checked need."""

    chip: bool
    """Whether any line needs a chip."""
    names: bool
    """Whether the connected chip can show more that is wrong."""


def check(session: Session, *scripts: Given, to_run: bool = False) -> Needs:
    """Check every line of scripts that run one after another, and of scripts that they source.

    With a chip connected, names are looked up too.  ``to_run``: the scripts run next, so the files
    that they read must exist, and the connected chip must be the one they need.

    Raises: ScriptError at the first line that is wrong.
    """
    checker = _Checker(session, to_run=to_run)
    needs_chip = [checker.check(text, arguments, depth=0) for text, arguments in scripts]
    return Needs(any(needs_chip), checker.asks_chip)


def require_own_files(session: Session, *scripts: Given) -> None:
    """Check scripts that are to run on several boards: each must write files of its own.

    Raises: ScriptError at the first line that is wrong.
    """
    checker = _Checker(session, to_run=False, several=True)
    for text, arguments in scripts:
        checker.check(text, arguments, depth=0)


def every_error(
    session: Session, text: Script, *, several: bool = False
) -> tuple[ScriptError, ...]:
    """Return all that is wrong with a script and those that it sources, in order.

    ``several``: it is to run on several boards at once.
    """
    checker = _Checker(session, to_run=False, several=several)
    checker.errors = []
    try:
        checker.check(text, ["0"] * 9, depth=0)
    except ScriptError as error:  # a block without an end: nothing behind it has a meaning
        checker.errors.append(error)
    return tuple(checker.errors)


class _Files:
    """The files that scripts read: each must exist, or an earlier line may write it."""

    def __init__(self) -> None:
        self._written: set[str] = set()  # without suffixes: some names are derived from others
        self._knows_written = True  # until a line writes a file with an unknown name

    def require(self, paths: Iterable[Path]) -> None:
        """Check that files can be read. Raises: UsageError."""
        for path in paths:
            if self._knows_written and _stem(path) not in self._written:
                files.require_readable(path)

    def require_folders(self, paths: Iterable[Path]) -> None:
        """Check that files have folders to be written into. Raises: UsageError."""
        for path in paths:
            if self._knows_written:
                files.require_folder(path)

    def note_outputs(self, prepared: Prepared) -> None:
        """Record the files that a command may write: in its arguments, and by its redirect."""
        verb, command, redirect = prepared.verb, prepared.command, prepared.command.redirect
        words = [redirect.target] if redirect is not None else []
        if verb.writes_files:
            words += command.words
        if (redirect and redirect.kind == "|") or not all(word.is_plain for word in words):
            self._knows_written = False
            return
        for word in words:
            with contextlib.suppress(UsageError):  # the word is not a path
                self._written.add(_stem(files.path_of(word.expand({}))))


def _is_same(words: Iterable[Word], same: dict[str, str]) -> bool:
    """Return whether the words of a line are the same on several boards."""
    return all(same.keys() >= set(word.required_variables()) for word in words)


def _require_no_edge(name: str) -> None:
    """Refuse the edge of a block that is not alone on its line: behind ``fails``, by an alias."""
    if name in (blocks.IF, blocks.FOR, blocks.ELSE, blocks.END):
        raise UsageError(f"`{name}` belongs to a block of lines", hint="it is alone on its line")


@contextlib.contextmanager
def _at(column: int) -> Iterator[None]:
    """Say of errors that they are at a column of the line."""
    try:
        yield
    except UsageError as error:
        error.column = column
        raise


def _stem(path: Path) -> str:
    return os.path.splitext(path)[0]


class _Checker:
    """Walks through scripts in the order of their run, on a copy of the session's names."""

    def __init__(self, session: Session, *, to_run: bool, several: bool = False) -> None:
        self._to_run = to_run
        self.same: dict[str, str] | None = {} if several else None
        """Variables that have the same value on all boards; None for one board."""
        self._files = _Files()
        self._knows_chip = True  # until a line connects another chip
        self._session = replace(session, aliases=dict(session.aliases), interactive=False)
        self._variables: set[str] = {*session.variables, "_", "?"}
        self._knows_names = True  # until a line loads symbols from a file named by a variable
        self._knows_partitions = True  # until a line may write another partition table
        self.asks_chip = False
        """Whether something was left open that the connected chip can tell."""
        self._knows_lines = True  # until a line whose meaning is not known before it runs
        self.errors: list[ScriptError] | None = None
        """Collects errors; None: the first one is raised."""

    def check(self, text: Script, arguments: Sequence[str], *, depth: int) -> bool:
        """Check every line; return whether one needs a chip."""
        if depth == script.MAX_DEPTH:
            raise script.too_deep(text)
        outer = {name for name in self._variables if name.isdigit()}
        given = script.argument_variables(arguments)
        self._variables = {*(self._variables - outer), *given}
        same = self.same
        if same is not None:
            is_known = depth or self.errors is None
            self.same = script.without_arguments(same) | (given if is_known else {})
        needs_chip = self._nodes(text, blocks.parse(text), depth)
        self._variables = {*(name for name in self._variables if not name.isdigit()), *outer}
        if same is not None and self.same is not None:
            arguments_of_outer = {name: same[name] for name in outer & same.keys()}
            self.same = script.without_arguments(self.same) | arguments_of_outer
        return needs_chip

    def _nodes(self, text: Script, nodes: Iterable[Node], depth: int) -> bool:
        needs_chip = False
        for node in nodes:
            try:
                if isinstance(node, Block):
                    needs_chip |= self._block(text, node, depth)
                else:
                    needs_chip |= self._line(text, node.number, node.text, depth)
            except ScriptError as error:
                if self.errors is None:
                    raise
                self.errors.append(error)
        return needs_chip

    def _block(self, text: Script, block: Block, depth: int) -> bool:
        """Check the head of a block and all of its lines, though not all of them may run."""
        head, command, needs_chip = block.head, None, False
        try:
            (command,) = lines.parse(self._session, head.text)
            self._check_variables(command)
            if block.kind == blocks.FOR:
                self._assigned(blocks.loop_name(command), command.words[2:])
            else:
                needs_chip = self._head(command)
        except EspError as error:
            raise script.located(
                text, head.number, error, line=head.text, command=command
            ) from error
        with self._to_run_if(block.kind != blocks.IF):
            needs_chip |= self._nodes(text, block.body, depth)
            return self._nodes(text, block.otherwise, depth) or needs_chip

    def _head(self, command: Command) -> bool:
        """Check the condition of an ``if``, or the count of a ``repeat``."""
        if not all(word.is_plain for word in command.words):
            return True
        with _at(command.words[0].column if command.words else command.column):
            expression = blocks.condition(command, {})
        self._check_names(expression.names())
        return expression.constant() is None

    def _line(self, text: Script, number: int, line: str, depth: int) -> bool:
        needs_chip, command = False, None
        try:
            for command in lines.parse(self._session, line):
                if (needs := _needs_of_text(command)) is not None:
                    needs_chip |= needs
                elif command.name.is_plain:
                    prepared = lines.prepare(self._session, command)
                    needs_chip |= self._prepared(prepared, text, depth)
                else:
                    self._check_variables(command)
                    self._knows_lines, needs_chip = False, True
                command = None
        except EspError as error:
            raise script.located(text, number, error, line=line, command=command) from error
        return needs_chip

    def _prepared(self, prepared: Prepared, text: Script, depth: int) -> bool:
        verb, command = prepared.verb, prepared.command
        _require_no_edge(verb.name)
        if Trait.ALIAS in verb.traits:
            if command.words:
                verb.run(self._session, assignment=command)
            return False
        self._check_variables(command)
        arguments = tuple(registry.parsed(prepared.bound))
        self._check_run(prepared, arguments)
        if self.same is not None:
            self._require_own_file(prepared, self.same)
        self._check_names(name for kind, value in arguments for name in kind.names(value))
        self._check_either(word for kind, value in arguments for word in kind.either(value))
        if Trait.PARTITIONS in verb.traits:
            self._knows_partitions = False
        if Trait.CHIP in verb.traits:
            self._knows_chip = False
        if prepared.inner is not None:
            with self._to_run_if(Trait.FAILS not in verb.traits):
                needs = self._prepared(prepared.inner, text, depth)
            return needs or registry.needs_chip(verb, prepared.bound)
        if verb.rest == "assignment":
            return bool(command.words) and self._assignment(command)
        if Trait.SYMBOLS in verb.traits:
            self._symbols(prepared)
        if Trait.LINES in verb.traits:
            return self._source(command, text, depth)
        return registry.needs_chip(verb, prepared.bound) or verb.rest == "expression"

    def _source(self, command: Command, text: Script, depth: int) -> bool:
        if not all(word.is_plain for word in command.words):
            self._knows_lines = False
            return True
        name, *arguments = (word.expand({}) for word in command.words)
        path = text.folder / files.path_of(name)
        if command.ignore_failure and not files.exists(path):
            return False
        with self._to_run_if(not command.ignore_failure):
            return self.check(script.read(path), arguments, depth=depth + 1)

    @contextlib.contextmanager
    def _to_run_if(self, must_work: bool) -> Iterator[None]:
        """Require files and the chip meanwhile only of commands that must work."""
        before, self._to_run = self._to_run, self._to_run and must_work
        yield
        self._to_run = before

    def _check_run(self, prepared: Prepared, arguments: Iterable[tuple[AnyType, Any]]) -> None:
        """Check what is outside of the text: the files of a command and their folders, the chip."""
        verb, command, session = prepared.verb, prepared.command, self._session
        if self._to_run and self._knows_lines and not command.ignore_failure:
            self._files.require(path for kind, value in arguments for path in kind.files(value))
            written = [path for kind, value in arguments for path in kind.outputs(value)]
            if (to := command.redirect) and to.kind != "|" and to.target.is_plain:
                written.append(files.path_of(to.target.expand({})))
            self._files.require_folders(written)
            is_plain = all(word.is_plain for word in command.words)
            self.asks_chip |= Trait.NEED in verb.traits
            if Trait.NEED in verb.traits and is_plain and self._knows_chip and session.target:
                verb.run(session, **registry.values(verb, prepared.bound, {}, session.scope))
        self._files.note_outputs(prepared)

    def _require_own_file(self, prepared: Prepared, same: dict[str, str]) -> None:
        """Check that several boards do not write one file. Raises: UsageError."""
        arguments = registry.parsed(prepared.bound, same)
        written = [path for kind, value in arguments for path in kind.outputs(value)]
        redirect = prepared.command.redirect
        if redirect and redirect.kind == "|":
            written += map(files.path_of, claims.written_behind(redirect.target.raw))
        elif redirect and _is_same([redirect.target], same):
            written.append(files.path_of(redirect.target.expand(same)))
        for path in written:
            if not (claims.is_device(path) or PORT_PLACE in str(path)):
                raise UsageError(
                    f"{path}: several boards would write the same file", hint=claims.HINT
                )

    def _assigned(self, name: str, words: Sequence[Word]) -> None:
        """Note a variable, and one of its values if that is the same on several boards."""
        self._variables.add(name)
        if self.same is not None and _is_same(words, self.same):
            self.same[name] = words[0].expand(self.same)
        elif self.same is not None:
            self.same.pop(name, None)

    def _symbols(self, prepared: Prepared) -> None:
        """Load the symbols that later lines may name; a file named by a variable is not checked."""
        command, session = prepared.command, self._session
        if not all(word.is_plain for word in command.words):
            self._knows_names = False
            return
        with contextlib.suppress(EspError) if command.ignore_failure else contextlib.nullcontext():
            arguments = registry.values(prepared.verb, prepared.bound, {}, session.scope)
            prepared.verb.run(session, **arguments)

    def _assignment(self, command: Command) -> bool:
        assignment = assigned(command)
        self._assigned(assignment.name, [assignment.value])
        if assignment.value.is_plain and not assignment.value.is_quoted:
            with _at(assignment.value.column):
                expression = expr.parse(assignment.value.expand({}, raw=True))
            self._check_names(expression.names())
            is_open = expression.constant() is None
            if self.same is not None and is_open:
                self.same.pop(assignment.name)
            return is_open
        return True

    def _check_variables(self, command: Command) -> None:
        for word in (command.name, *command.words):
            for name in word.required_variables():
                if name not in self._variables and self._knows_lines:
                    with _at(word.column):
                        word.expand(dict.fromkeys(self._variables, ""))  # raises, with a hint

    def _check_either(self, words: Iterable[str]) -> None:
        """Require words to be files or names of places, once the chip can say which there are."""
        if not (words := tuple(words)):
            return
        scope, self.asks_chip = self._session.scope, True
        if self._to_run and self._knows_lines and self._knows_chip and scope.chip is not None:
            paths = (files.path_of(word) for word in words if not scope.knows(word))
            self._files.require(paths if self._knows_names else ())

    def _check_names(self, names: Iterable[str]) -> None:
        if not (names := tuple(names)):
            return
        scope, self.asks_chip = self._session.scope, True
        if scope.chip is None or not (self._knows_names and self._knows_chip):
            return
        for name in names:
            if name.startswith("flash:") and not self._knows_partitions:
                continue
            if not scope.knows(name):
                raise expr.unknown_name(name, scope.suggest(name))


@lru_cache(maxsize=lines.LINES_KEPT)
def _needs_of_text(command: Command) -> bool | None:
    """Return whether a command needs a chip; None where more than its text is to be checked."""
    prepared = lines.prepared_alike(command)
    if prepared is None or prepared.inner is not None or prepared.command.redirect:
        return None
    verb, command = prepared.verb, prepared.command
    if verb.traits or verb.writes_files or verb.rest != "words":
        return None
    if not all(word.is_plain for word in command.words):
        return None
    for kind, value in registry.parsed(prepared.bound):
        if any(map(list, (kind.files(value), kind.names(value), kind.either(value)))):
            return None
    return registry.needs_chip(verb, prepared.bound)
