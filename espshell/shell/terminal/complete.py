"""Completions and usage for a typed line; pure, so that tests need no screen."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from espshell.errors import EspError
from espshell.records import dataclass
from espshell.shell import lines
from espshell.shell.arguments.types import (
    Completed,
    Offer,
    Unfinished,
    complete_files,
    complete_names,
    offer_names,
)
from espshell.shell.declaration import Option, Param, Trait, Verb
from espshell.shell.esptool import spelling
from espshell.shell.language.grammar import Command
from espshell.shell.language.words import Word
from espshell.shell.registry import COMMANDS, REST
from espshell.shell.session import Session

_BARE_WORD = re.compile(r"(?:[A-Za-z!][\w-]*)?")
_VARIABLE = re.compile(r"\$\w*$")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A replacement for what is before the cursor; ``about`` is shown beside it."""

    text: str
    about: str
    size: int
    """Characters before the cursor that it replaces."""


def candidates(session: Session, text: str, *, may_read: bool = True) -> tuple[Candidate, ...]:
    """Return the completions of the last name in an unfinished line.

    Those that begin with what was typed, or if there are none those that have its letters in this
    order.  ``may_read``: whether the chip may be asked, for partitions and its flash part.
    """
    at = _cursor(_unaliased(session, text))
    if at is None:
        return ()
    prefixed: dict[str, Candidate] = {}
    fuzzy: dict[str, Candidate] = {}
    for one in _offers(session, at, may_read=may_read):
        offer = one if isinstance(one, Offer) else Offer(*((one,) if isinstance(one, str) else one))
        typed = (at.typed if offer.typed is None else offer.typed).lower()
        candidate = Candidate(offer.text, offer.about, len(typed))
        if offer.text.lower().startswith(typed):
            prefixed.setdefault(offer.text, candidate)
        elif len(typed) > 1 and not prefixed:
            # Its letters in their order; the first one begins a part of a name.
            start = re.search(rf"(?<![a-z0-9]){re.escape(typed[0])}", offer.text.lower())
            remaining = iter(offer.text.lower()[start.start() :] if start else "")
            if all(letter in remaining for letter in typed):
                fuzzy.setdefault(offer.text, candidate)
    return tuple((prefixed or fuzzy).values())


def _unaliased(session: Session, text: str) -> str:
    """Return a line with the meaning of the alias that its last command is; its end stays."""
    at = _cursor(text)
    name = at.command.name if at and at.command else None
    meaning = lines.meaning(session, name.raw, "") if name else None
    if name is None or meaning is None:
        return text
    return meaning.rstrip() + text[name.column - 1 + len(name.raw) :]


def _offers(session: Session, at: _Cursor, *, may_read: bool) -> Iterable[Completed]:
    """Yield what could stand at the cursor."""
    if at.is_file:
        return complete_files(at.typed, session.scope_at_hand)
    variable = _VARIABLE.search(at.typed)
    if variable is not None and at.command is not None:
        return (Offer(f"${name}", value, variable[0]) for name, value in session.variables.items())
    if at.command is None or (verb := _verb(session, at.command.name.raw)) is None:
        return _without_command(session, at)
    first = at.command.name.raw.lower()
    seconds = COMMANDS.family(first) if not at.command.words and at.typed[:1] != "-" else ()
    if family := [(second, COMMANDS.find(f"{first} {second}").summary) for second in seconds]:
        words_too = Trait.WORDS_TOO in verb.traits
        return (*family, *(_values(session, verb, at, may_read) if words_too else ()))
    if at.typed.startswith("-") and (options := [(o.flag, o.help) for o in verb.options]):
        return options
    return _values(session, verb, at, may_read)


def _verb(session: Session, name: str) -> Verb | None:
    """Return a command, for a person also by its unique beginning; of a family any."""
    try:
        return COMMANDS.find(name, prefixes=session.interactive)
    except EspError:
        family = COMMANDS.family(name)
        return COMMANDS.get(f"{name} {family[0]}") if family else None


def _without_command(session: Session, at: _Cursor) -> Iterable[Completed]:
    """Yield commands, and for a person what stands without one: expressions, and ``?NAME``."""
    scope = session.scope_at_hand
    if at.command is None:
        yield from _commands(session, at.holder)
    if not session.interactive or at.holder:
        return
    first = at.command.name.raw if at.command else at.typed
    if at.command and first.startswith("!"):
        yield from complete_files(at.typed, scope)
    elif first.startswith("?"):
        yield from offer_names(at.typed.removeprefix("?"), scope)
    elif not _BARE_WORD.fullmatch(first) or (at.command and scope.about(first.upper())):
        yield from complete_names(at.typed, scope)


def _values(session: Session, verb: Verb, at: _Cursor, may_read: bool) -> Iterable[Completed]:
    """Yield what could stand in the place of an argument."""
    words = at.command.words if at.command else ()
    scope = session.scope if may_read else session.scope_at_hand
    for slot, before, start in _slots(verb, words):
        kind = slot.type
        if kind is None:
            continue
        if kind.complete_at is not None:
            yield from kind.complete_at(
                Unfinished(at.typed, before, start, scope, session, may_read)
            )
        else:
            yield from kind.complete(at.typed, scope)


def usage(session: Session, text: str) -> str:
    """Return the usage of the command in a typed line; empty if there is none."""
    at = _cursor(text)
    name = (at.command.name.raw if at.command else at.typed or at.holder) if at else ""
    if (family := COMMANDS.family(name)) and COMMANDS.get(name) is None:
        return f"{name} {'|'.join(family)}"
    try:
        return COMMANDS.find(name, prefixes=True).usage if name else ""
    except EspError:
        return ""


@dataclass(frozen=True, slots=True)
class _Cursor:
    """The end of a typed line.

    ``typed`` is the word before the cursor, and ``command`` the innermost command of which it is an
    argument; None if the word is a command's name, which then is inside of the command ``holder``.
    """

    command: Command | None
    typed: str
    holder: str = ""
    is_file: bool = False
    """Whether it is the file of a redirect."""


def _cursor(text: str) -> _Cursor | None:
    """Return the end of a line; None if the line cannot be cut, or ends in a comment."""
    try:
        commands = lines.cut(text, unfinished=True)
    except EspError:  # nothing but `-`, or nothing before a redirect
        return _Cursor(None, "") if text.strip()[-1:] == "-" else None
    if not commands:
        return None if text.strip() else _Cursor(None, "")
    command = commands[-1]
    redirect = command.redirect
    last = redirect.target if redirect else (command.name, *command.words)[-1]
    tail = text[last.column - 1 + len(last.raw) :]
    typed = "" if tail else last.raw
    if tail.lstrip().startswith(";"):
        return _Cursor(None, "")
    if tail.lstrip().startswith("#"):
        return None
    if redirect is not None:
        is_file = redirect.kind != "|" and not (tail and last.raw)
        return _Cursor(command, typed, is_file=True) if is_file else None
    words = [command.name, *command.words]
    return _innermost(command, words if tail else words[:-1], typed)


def _innermost(command: Command, words: list[Word], typed: str) -> _Cursor:
    """Return the cursor in the command that others hold, as do `fails` and `alias x =`."""
    holder, is_option = "", typed.startswith("-")
    while words and (verb := COMMANDS.get(words[0].raw)) is not None:
        if Trait.ALIAS in verb.traits and len(words) > 2 and words[2].raw == "=":
            holder, words = verb.name, words[3:]
            continue
        inside = 1  # where the command begins that it holds, behind options and arguments
        while inside < len(words) and words[inside].raw.startswith("-"):
            option = _option(verb, words[inside].raw)
            inside += 2 if option and option.type else 1
        inside += len(verb.params)
        if verb.rest != "command" or inside > len(words) or (inside == len(words) and is_option):
            break
        holder, words = verb.name, words[inside:]
    if not words:
        return _Cursor(None, typed, holder)
    first, second = (word.raw.lower() for word in (*words, words[0])[:2])
    is_second = len(words) > 1 and not COMMANDS.is_argument(first, second)
    if is_second and COMMANDS.family(first) and not second.startswith("-"):
        both = Word(f"{words[0].raw} {words[1].raw}", words[0].column, ())
        words = [both, *words[2:]]
    inner = Command(words[0], tuple(words[1:]), False, None, command.text, command.column)
    return _Cursor(inner, typed)


def _option(verb: Verb, word: str) -> Option | None:
    return next((o for o in verb.options if word in (o.flag, o.short)), None)


def _commands(session: Session, holder: str) -> Iterable[Completed]:
    """Yield commands, ours before other tools' names of them, and a person's own.

    Behind ``esptool`` only those of that program.
    """
    if holder == "esptool":
        yield from ((name, COMMANDS.find(name).summary) for name in spelling.COMMANDS)
        return
    firsts = set()
    for verb in sorted(COMMANDS.verbs(), key=lambda verb: bool(verb.alias_of)):
        about = ", ".join(f"{key} {value}" for key, value in verb.preset.items())
        first, _, second = verb.name.partition(" ")
        if first not in firsts:
            alias = f"another tool's name for {verb.alias_of}" if verb.alias_of else ""
            yield (
                first,
                ", ".join(COMMANDS.family(first)) if second else about or alias or verb.summary,
            )
        firsts.add(first)
    yield from session.aliases.items()


Slot = tuple[Param | Option, tuple[str, ...], int]
"""A parameter or option, the words before the next one, and where among these it begins."""


def _slots(verb: Verb, words: Sequence[Word]) -> Iterable[Slot]:
    """Yield what could take the next word."""
    before: list[str] = []
    waiting: Option | None = None
    for word in words:
        if waiting is not None:
            waiting = None
            continue
        option = _option(verb, word.raw)
        if option is None:
            before.append(word.raw)
        elif option.type is not None:
            waiting = option
    index = len(before)
    if waiting is not None:
        yield waiting, (), 0
        return
    least = most = 0  # words of the parameters so far
    for param in verb.params:
        first = least if param.least else most
        if first <= index < most + param.type.most:
            yield param, tuple(before), first
        least, most = least + param.least, most + param.type.most
    is_value = verb.rest == "assignment" and "=" in before and Trait.ALIAS not in verb.traits
    if (verb.rest == "expression" or is_value) and index >= least:
        yield REST, tuple(before), index
