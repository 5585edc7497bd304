"""Turn a line into commands that can run: replace aliases, find verbs, bind words.

Nothing is run here.  The registry of commands is ``registry.COMMANDS``.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache

from espshell.errors import UsageError
from espshell.records import dataclass, replace
from espshell.shell import bare, dialects, registry
from espshell.shell.declaration import Trait, Verb
from espshell.shell.esptool import spelling
from espshell.shell.language import grammar
from espshell.shell.language.grammar import Command
from espshell.shell.language.words import Variables
from espshell.shell.outcome import Outcome
from espshell.shell.registry import COMMANDS, Bound
from espshell.shell.session import Session

MAX_DEPTH = 20
"""The deepest nesting of commands (``fails repeat 2 peek``), and of aliases."""

LINES_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """A command with its verb and its bound words."""

    verb: Verb
    command: Command
    bound: Bound
    inner: Prepared | None = None
    """The command in it: ``fails COMMAND``."""

    @property
    def innermost(self) -> Prepared:
        """The last of the commands in each other."""
        return self if self.inner is None else self.inner.innermost

    @property
    def is_verdict(self) -> bool:
        """Whether it judges the chip, or a command in it does."""
        return Trait.VERDICT in self.verb.traits or (
            self.inner is not None and self.inner.is_verdict
        )


@dataclass(frozen=True, slots=True)
class Held:
    """The command inside another one, which runs it and shows its outcome."""

    prepared: Prepared
    run: Callable[[], Outcome]
    """Runs the command. Raises: EspError."""
    show: Callable[[Outcome], None]

    @property
    def text(self) -> str:
        """The command as typed."""
        return self.prepared.command.text


def cut(
    text: str, session: Session | None = None, *, unfinished: bool = False
) -> tuple[Command, ...]:
    """Cut a line into commands without replacing the aliases of a session. Raises: UsageError."""
    if not unfinished and (session is None or _has_no_aliases(session)):
        return _cut_plain(text)

    def takes_expression(name: str) -> bool:
        first = (meaning(session, name, "") or name).split()[0] if session else name
        return COMMANDS.takes_expression(first)

    return grammar.parse_line(
        text,
        rest_is_expression=takes_expression,
        inner_command=COMMANDS.holds_command,
        unfinished=unfinished,
    )


def _has_no_aliases(session: Session) -> bool:
    return not session.aliases and not dialects.PACKS[session.settings.aliases]


@lru_cache(maxsize=LINES_KEPT)
def _cut_plain(text: str) -> tuple[Command, ...]:
    """Cut a line in which no command is an alias; kept, for scripts are read again, and loops."""
    return grammar.parse_line(
        text, rest_is_expression=COMMANDS.takes_expression, inner_command=COMMANDS.holds_command
    )


def parse(session: Session, text: str) -> Iterator[Command]:
    """Cut a line into commands, and replace the alias of each when it is iterated.

    So an alias that a line defines is valid for the rest of it.  Raises: UsageError, at the first
    command.
    """
    text = session.bench.placed(text)
    for command in _expand(session, cut(bare.as_command(session, text), session), frozenset()):
        if command.name.is_plain:
            yield COMMANDS.whole(command, {}, prefixes=session.interactive)
        else:
            yield command


def prepare(session: Session, command: Command) -> Prepared:
    """Find the verb of a command and bind its words.

    Raises: UsageError.
    """
    if not session.interactive and (prepared := prepared_alike(command)) is not None:
        return prepared
    names = _Names(session.variables, session.aliases, prefixes=session.interactive)
    return _prepared(command, names)


@dataclass(frozen=True, slots=True)
class _Names:
    """What the names of commands in a line depend on, besides the line."""

    variables: Variables
    aliases: Collection[str]
    prefixes: bool


class _Unset:
    """Variables none of which may be used."""

    def get(self, name: str, /) -> str | None:
        """Raise KeyError: what the line means depends on it."""
        raise KeyError(name)


_ALIKE = _Names(_Unset(), (), prefixes=False)


@lru_cache(maxsize=LINES_KEPT)
def prepared_alike(command: Command) -> Prepared | None:
    """Prepare a command that is the same in every session; None for any other, or a wrong one."""
    if "@" in command.text:  # which may be a file with words
        return None
    with contextlib.suppress(UsageError, KeyError):  # its hint may be another one elsewhere
        return _prepared(command, _ALIKE)
    return None


def _prepared(command: Command, names: _Names, depth: int = 0) -> Prepared:
    """Prepare a command that is inside of ``depth`` commands."""
    if depth > MAX_DEPTH:
        raise UsageError(f"commands are nested more than {MAX_DEPTH} deep")
    command = COMMANDS.whole(spelling.program(command), names.variables, prefixes=names.prefixes)
    name = command.name.expand(names.variables)
    if name.startswith("?") and name != "?":
        return _prepared(cut(f"help {name[1:]} {command.rest(0)}")[0], names)
    if subject := spelling.asks_help(name, command):
        return _prepared(cut(f"help {subject}")[0], names)
    verb = COMMANDS.find(name, prefixes=names.prefixes, also=names.aliases)
    command = spelling.modern(verb.name, command)
    bound = registry.bind(verb, command)
    inner = None
    if verb.rest == "command":
        inside = registry.inner(verb, command)
        spelling.require_command(verb.name, inside.name)
        inner = _prepared(inside, names, depth + 1)
    return Prepared(verb, command, bound, inner)


def _expand(
    session: Session, commands: tuple[Command, ...], within: frozenset[str]
) -> Iterator[Command]:
    """Yield commands with aliases replaced; in its own meaning, an alias is not an alias."""
    if len(within) > MAX_DEPTH:
        raise UsageError(f"aliases are nested more than {MAX_DEPTH} deep")
    for command in commands:
        name = command.name.raw
        line = None if _has_no_aliases(session) else meaning(session, name, command.rest(0))
        if line is None or name in within:
            yield command
            continue
        *before, last = _expand(session, cut(line, session), within | {name})
        yield from before
        yield replace(
            last,
            redirect=command.redirect or last.redirect,
            ignore_failure=command.ignore_failure or last.ignore_failure,
        )


def meaning(session: Session, name: str, rest: str) -> str | None:
    """Return the line that a command stands for as an alias, of the person's or another tool's."""
    pack = session.settings.aliases
    own = session.aliases.get(name, dialects.PACKS[pack].get(name))
    if own is not None:
        return f"{own} {rest}"
    return dialects.examined(name, rest) if pack == "gdb" else None
