"""Completions and usage for a typed line; pure, so that tests need no screen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from espshell.errors import EspError
from espshell.records import dataclass
from espshell.shell.declaration import Option, Param, Verb
from espshell.shell.language.grammar import Command
from espshell.shell.language.words import Word
from espshell.shell.lines import cut
from espshell.shell.registry import COMMANDS, REST
from espshell.shell.session import Session


@dataclass(frozen=True, slots=True)
class Candidate:
    """A replacement for the word before the cursor; ``about`` is shown beside it."""

    text: str
    about: str = ""


def candidates(session: Session, text: str) -> Iterable[Candidate]:
    """Return the completions of the last word of a line, best first."""
    at = _cursor(session, text)
    if at is None:
        return ()
    if at.command is None:
        result: Iterable[Candidate] = _commands(session)
    elif not at.command.words and at.typed[:1] not in ("-", "$") and (family := _family(at)):
        result = family
    elif (verb := COMMANDS.get(at.command.name.raw)) is None:
        return ()
    elif at.typed.startswith("-"):
        result = (Candidate(option.flag, option.help) for option in verb.options)
    elif at.typed.startswith("$"):
        result = (Candidate(f"${name}") for name in session.variables)
    else:
        slots = _slots(verb, at.command.words)
        types = [slot.type for slot in slots if slot.type is not None]
        offers = (offer for kind in types for offer in kind.complete(at.typed, session.scope))
        result = (Candidate(*((n,) if isinstance(n, str) else n)) for n in offers)
    return (one for one in result if one.text.lower().startswith(at.typed.lower()))


def typed_word(session: Session, text: str) -> str:
    """Return the word before the cursor, which a candidate would replace."""
    at = _cursor(session, text)
    return at.typed if at else ""


def usage(session: Session, text: str) -> str:
    """Return the usage of the command in a typed line; empty if there is none."""
    at = _cursor(session, text)
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


def _cursor(session: Session, text: str) -> _Cursor | None:
    """Return the end of a line; None if the line cannot be cut, or ends in a redirect."""
    try:
        commands = cut(text)
    except EspError:
        return None
    if not commands or text.rstrip().endswith(";"):
        return _Cursor(None, "")
    command = commands[-1]
    if command.redirect is not None:
        return None
    words, typed = [command.name, *command.words], ""
    if not text[-1:].isspace():
        typed = words.pop().raw
    holder = ""
    while words and (verb := COMMANDS.get(words[0].raw)) is not None and verb.rest == "command":
        holder, words = verb.name, words[1 + len(verb.params) :]
    if not words:
        return _Cursor(None, typed, holder)
    if len(words) > 1 and COMMANDS.family(words[0].raw) and not words[1].raw.startswith("-"):
        both = Word(f"{words[0].raw} {words[1].raw}", words[0].column, ())
        words = [both, *words[2:]]
    inner = Command(words[0], tuple(words[1:]), False, None, command.text, command.column)
    return _Cursor(inner, typed)


def _family(at: _Cursor) -> list[Candidate]:
    """Return the second words of the commands whose first word was typed."""
    name = at.command.name.raw.lower() if at.command else ""
    verbs = {second: COMMANDS.find(f"{name} {second}") for second in COMMANDS.family(name)}
    return [Candidate(second, verb.summary) for second, verb in verbs.items()]


def _commands(session: Session) -> Iterable[Candidate]:
    firsts = set()
    for verb in COMMANDS.verbs():
        about = ", ".join(f"{key} {value}" for key, value in verb.preset.items())
        first, _, second = verb.name.partition(" ")
        if first not in firsts:
            yield Candidate(
                first, ", ".join(COMMANDS.family(first)) if second else about or verb.summary
            )
        firsts.add(first)
    for name, meaning in session.aliases.items():
        yield Candidate(name, meaning)


def _slots(verb: Verb, words: Sequence[Word]) -> Iterable[Param | Option]:
    """Yield the parameters and options that could take the next word."""
    index = 0
    waiting: Option | None = None
    for word in words:
        if waiting is not None:
            waiting = None
            continue
        option = next((o for o in verb.options if word.raw in (o.flag, o.short)), None)
        if option is None:
            index += 1
        elif option.type is not None:
            waiting = option
    if waiting is not None:
        yield waiting
        return
    least = most = 0  # words of the parameters so far
    for param in verb.params:
        first = least if param.least else most
        # The second of two words is a length, which has no completions.
        last = most if param.type.most == 2 else most + param.type.most - 1
        if first <= index <= last:
            yield param
        least, most = least + param.least, most + param.type.most
    if verb.rest in ("expression", "assignment") and index >= least:
        yield REST
