"""Turn a line into commands that can run: replace aliases, find verbs, bind words.

Nothing is run here.  The registry of commands is ``registry.COMMANDS``.

Two kinds of lines name no command: ``!COMMAND`` of the system, and at the prompt an expression
alone, which means ``print EXPRESSION``.  Scripts have no such lines: there a command is always
named.  At the prompt a command, the unique beginning of one and an alias come first: ``GPIO`` is
the command, ``(GPIO)`` and ``GPIO.IN`` are expressions.  A line that begins with a letter is one
only if the chip knows all of its names, so that a mistyped command stays a mistyped command.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Callable, Collection, Iterator
from functools import lru_cache

from espshell import regex
from espshell.errors import EspError, UsageError
from espshell.records import dataclass, replace
from espshell.shell import dialects, registry
from espshell.shell.declaration import Outcome, Trait, Verb
from espshell.shell.esptool import spelling
from espshell.shell.language import expr, grammar
from espshell.shell.language.grammar import Command
from espshell.shell.language.words import Variables
from espshell.shell.registry import COMMANDS, Bound
from espshell.shell.session import Session

MAX_DEPTH = 20
"""The deepest nesting of commands (``fails repeat 2 peek``), and of aliases."""

LINES_KEPT = 1024

_ADDRESSED = regex.late(r"(\w+)\s+([0-9a-f]{8})(?![\w.])")
_FIRST = regex.late(r"""[\w$(\['~]|-\s*[\d($\[]""")
"""What an expression begins with; ``-NAME`` is a command whose failure does not matter."""


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
        words, index = _innermost(session, name)
        return index < len(words) and COMMANDS.takes_expression(words[index])

    def holds_command(name: str) -> int | None:
        words, index = _innermost(session, name)
        return index - len(words) if index >= len(words) else None

    return grammar.parse_line(
        text,
        rest_is_expression=takes_expression,
        inner_command=holds_command,
        unfinished=unfinished,
    )


def _innermost(session: Session | None, name: str) -> tuple[list[str], int]:
    """Return the words of a name with its aliases replaced, and the index of the last command."""
    words, index, replaced = [name], 0, set[str]()
    while index < len(words):
        word = words[index]
        line = meaning(session, word, "") if session and word not in replaced else None
        if line is not None and len(replaced) < MAX_DEPTH:
            replaced.add(word)
            words[index : index + 1] = line.split()
        elif (inside := COMMANDS.holds_command(word)) is not None:
            index += inside + 1
        else:
            break
    return words, index


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
    for command in _expand(session, cut(_as_command(session, text), session), frozenset()):
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
    session: Session, commands: tuple[Command, ...], within: frozenset[str], depth: int = 0
) -> Iterator[Command]:
    """Yield commands with aliases replaced; in its own meaning, an alias is not an alias.

    ``depth``: in how many commands these are held.
    """
    if len(within) > MAX_DEPTH:
        raise UsageError(f"aliases are nested more than {MAX_DEPTH} deep")
    for command in commands:
        if _has_no_aliases(session):  # a command before it may have changed that
            yield command
            continue
        name = command.name.raw
        line = meaning(session, name, command.rest(0))
        if line is None or name in within:
            yield _inside(session, command, within, depth)
            continue
        *before, last = _expand(session, cut(line, session), within | {name}, depth)
        yield from before
        yield replace(
            last,
            redirect=command.redirect or last.redirect,
            ignore_failure=command.ignore_failure or last.ignore_failure,
        )


def _inside(session: Session, command: Command, within: frozenset[str], depth: int) -> Command:
    """Return a command with the alias of the one that it holds replaced: ``fails ALIAS``."""
    verb = COMMANDS.get(command.name.raw)
    if verb is None or verb.rest != "command" or depth > MAX_DEPTH:
        return command
    try:
        held = registry.inner(verb, command)
    except UsageError:  # said when it is prepared
        return command
    expanded = tuple(_expand(session, (held,), within, depth + 1))
    if expanded == (held,):
        return command
    if len(expanded) > 1:
        raise UsageError(
            f"`{held.name.raw}` stands for {len(expanded)} commands, and `{verb.name}` takes one"
        )
    text = command.text[: held.column - command.column] + expanded[0].text
    return replace(
        cut(text, session)[0],
        ignore_failure=command.ignore_failure,
        redirect=command.redirect or expanded[0].redirect,
    )


def meaning(session: Session, name: str, rest: str) -> str | None:
    """Return the line that a command stands for as an alias, of the person's or another tool's."""
    pack = session.settings.aliases
    own = session.aliases.get(name, dialects.PACKS[pack].get(name))
    if own is not None:
        return f"{own} {rest}"
    return dialects.examined(name, rest) if pack == "gdb" else None


def _as_command(session: Session, text: str) -> str:
    """Return a line as one of a command: of ``print`` if it is an expression, or of ``!``."""
    if (line := text.strip()).startswith("!") and line[1:].strip():
        return f"! {shlex.quote(line[1:].strip())}"
    if not (session.interactive and _FIRST.match(line)):
        return text  # with its indentation, by which errors count their columns
    text = line
    if _is_command(session, text):
        return _with_address(session, text)
    line = f"print {text}"
    try:
        (command,) = grammar.parse_line(line, rest_is_expression=lambda name: name == "print")
        source = command.rest_word(0).expand(session.variables, raw=True)
        names = expr.parse(source).names()
        is_known = not source[:1].isalpha() or all(map(session.scope.knows, names))
    except (EspError, ValueError):
        return text
    return line if is_known and not _is_command(session, source) else text


def _with_address(session: Session, text: str) -> str:
    """Return a command with ``0x`` before an address as a dump prints it: ``peek 3fc90000``.

    Eight digits in decimal are the address of nothing on any chip.
    """
    match = _ADDRESSED.match(text)
    chip = session.target.chip if session.target else None
    if match is None or chip is None or (verb := COMMANDS.get(match[1])) is None:
        return text
    digits = match[2]
    takes_place = verb.params and verb.params[0].type.kind in ("place", "region", "address")
    if not takes_place or chip.region_at(int(digits, 16)) is None:
        return text
    return f"{text[: match.start(2)]}0x{text[match.start(2) :]}"


def _is_command(session: Session, text: str) -> bool:
    """Return whether a line begins with a command, an alias, or what several commands begin with.

    A number or a variable does not.
    """
    first = re.split(r"[\s;]", text, maxsplit=1)[0]
    if first in session.aliases or not first[:1].isalpha():
        return first in session.aliases
    try:
        COMMANDS.find(first, prefixes=True)
    except UsageError as error:
        return not error.message.startswith("unknown command")
    return True
