"""help: the commands, topics, and what a name is."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable
from typing import Annotated

from espshell import messages
from espshell.errors import UsageError
from espshell.ops.result import Result
from espshell.records import dataclass
from espshell.shell import about
from espshell.shell.arguments.types import ArgType, Completed, Unfinished, offer_names
from espshell.shell.declaration import Verb
from espshell.shell.registry import COMMANDS, Registry
from espshell.shell.session import Session

VERBS = Registry("Shell")

TOPICS = {
    "tour": "ten lines to begin with",
    "numbers": "decimal, hexadecimal, 64k, 'A'",
    "places": "addresses, names, flash:, efuse:",
    "regions": "a start with a length or an end",
    "expressions": "operators, [contents], fields",
    "flash": "load, verify, erase",
    "status": "status registers; exit status",
    "scripts": "checks, arguments, blocks",
    "keys": "at the prompt",
    "esptool": "its lines and names",
    "colours": "what they say",
    "messages": "what is behind an error",
}
"""Texts in the folder ``help`` of ``espshell.shell``, by name, with what they are about."""

_OTHER_NAMES = {"colors": "colours", "expression": "expressions", "number": "numbers"}


@dataclass(frozen=True, slots=True)
class Help(Result):
    """Help on one command, on a family, a group or all of them, and the text of a topic."""

    verbs: tuple[Verb, ...]
    family: str = ""
    """The first word of their names, if it is a family."""
    group: str = ""
    """The name of their group, if they are one."""
    topic: str = ""
    """The name of a text that belongs to them."""
    also: about.About | None = None
    """What else has that name on the chip: a peripheral, as GPIO."""

    @property
    def text(self) -> str:
        """The text of the topic or of a section on messages; empty without one."""
        if section := messages.sections().get(self.topic):
            return section.plain
        data = pkgutil.get_data("espshell.shell", f"help/{self.topic}.txt") if self.topic else b""
        return (data or b"").decode().replace("SLUGS", ", ".join(messages.troubles()))


def _complete(at: Unfinished) -> Iterable[Completed]:
    if at.before:
        yield from COMMANDS.family(at.before[0])
        return
    summaries: dict[str, str] = {}
    for verb in COMMANDS.verbs():
        first, _, second = verb.name.partition(" ")
        summaries.setdefault(first, "" if second else verb.summary)
    yield from summaries.items()
    yield from ((name, line) for name, line in TOPICS.items() if name not in summaries)
    yield from (group.lower() for group in groups() if group.lower() not in TOPICS)
    if at.word:
        yield from ((slug, "") for slug in messages.troubles())
    if at.word and at.scope.chip is not None:
        yield from offer_names(at.word, at.scope)


def _is_of_chip(subject: str | None) -> bool:
    """Return whether it may be a name that only a connected chip can explain."""
    words = (subject or "").lower()
    ours = {*TOPICS, *_OTHER_NAMES, *messages.sections(), *map(str.lower, groups())}
    return bool(words) and not (words in ours or COMMANDS.get(words) or COMMANDS.family(words))


SUBJECT: ArgType[str, str] = ArgType(
    "help on",
    " ".join,
    complete_at=_complete,
    needs_chip=_is_of_chip,
    most=3,
    label="COMMAND|GROUP|TOPIC|NAME",
)
"""A command or a family of them (one or two words), a group, a topic or the name of something."""


def groups() -> tuple[str, ...]:
    """Return the names of all groups of commands, in the order of their declaration."""
    return tuple(dict.fromkeys(verb.group for verb in COMMANDS.verbs()))


@VERBS.add("help", aliases=["?"])
def help_on(session: Session, command: Annotated[str, SUBJECT] = "") -> Help | about.About:
    """List the commands, or explain a command, group, topic or name.

    `COMMAND --help` does the same. `?NAME` explains a register, field, partition, symbol, pin
    (gpio:9) or eFuse. `help SLUG` shows what is behind an error (`help messages`).

    Example: help peek
    Example: help numbers
    Example: help no-sync
    Example: ?UART0.STATUS
    """
    subject = " ".join(command.split()).lower()
    topic = _OTHER_NAMES.get(subject, subject) if subject else ""
    topic = topic if topic in TOPICS or topic in messages.sections() else ""
    if not subject:
        return Help(tuple(COMMANDS.verbs()))
    if COMMANDS.family(subject):
        return Help(COMMANDS.members(subject), subject, topic=topic, also=_also(session, command))
    if verb := COMMANDS.get(subject):
        return Help((verb,), topic=topic, also=_also(session, command))
    group = next((name for name in groups() if name.lower() == subject), "")
    if group or topic:
        inside = tuple(verb for verb in COMMANDS.verbs() if group and verb.group == group)
        return Help(inside, group=group, topic=topic)
    return _by_name(session, command)


def _also(session: Session, name: str) -> about.About | None:
    """Return what a name of a command is on the chip, in capitals as there; None mostly."""
    found = about.about(session, name) if name.isupper() and session.target else None
    return found if found and found.name == name else None


def _by_name(session: Session, name: str) -> Help | about.About:
    """Explain a name or the beginning of a command. Raises: UsageError if it is neither."""
    try:
        return Help((COMMANDS.find(name, prefixes=session.interactive),))
    except UsageError as error:
        if result := about.about(session, name):
            return result
        if not error.message.startswith("unknown command"):
            raise
        hint = error.hint
        if not hint.startswith("did you mean"):
            near = session.scope.suggest(name) if session.target else None
            hint = f"did you mean `{near}`?" if near else _LISTED if session.target else _OFFLINE
        raise UsageError(f"`{name}` is not a command, topic or name", hint=hint) from None


_LISTED = "`help` lists commands and topics, `map`, `regs`, `parts` and `efuse` names"
_OFFLINE = "`help` lists commands and topics; names of registers need a chip: `connect PORT`"
