"""How help is shown, and what it is as JSON, which a reference can be made from.

``docs/reference/help-json.md`` lists the keys; a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from espshell.records import replace
from espshell.render.document import Block, Indented, Line, Styled, Table, Text, spaced
from espshell.render.forms import Json
from espshell.render.view import COLUMNS, View
from espshell.shell.commands.topics import TOPICS
from espshell.shell.declaration import RESTS, Option, Param, Verb
from espshell.shell.registry import COMMANDS

if TYPE_CHECKING:
    from espshell.shell.about import About
    from espshell.shell.commands.topics import Help

_INDENT = 2
_LABEL = 17  # columns of a group's name
_ROOM = 24  # columns that the texts of options need

HOW = (
    "`help NAME` explains a command, a group such as flash, or a topic; "
    "`?NAME` a register, partition or pin."
)

STATUSES = {0: "done", 1: "the chip is not as expected", 2: "the command line is wrong"}
NO_CHIP = {3: "no chip is connected, or it does not answer"}


class Paragraph(Block):
    """Text that is wrapped at words, with at most 80 columns, also in files."""

    def __init__(self, text: str) -> None:
        self._text = Text(text, hang=0, wraps=True)

    def lines(self, view: View) -> Iterator[Line]:
        """Yield its lines."""
        return self._text.lines(replace(view, width=min(view.width, COLUMNS)))


def help_text(result: Help, view: View) -> Iterator[Block]:
    """Yield all about one command, the rows of some, the names of all; or a text."""
    if not (result.family or result.group or result.topic) and len(result.verbs) > 1:
        yield from _overview(result.verbs, view)
        return
    if result.topic and len(result.verbs) != 1:
        yield from _paragraphs(result.text)
        if not result.verbs:
            return
        yield Text()
    if len(result.verbs) == 1:
        yield from _explained(result.verbs[0], view)
        if result.topic:
            yield Text()
            yield from _paragraphs(result.text)
    else:
        yield from _listed(result, view)
    if result.also:
        yield Text()
        yield from about_text(result.also, view)


def _overview(verbs: Sequence[Verb], view: View) -> Iterator[Block]:
    """Yield a paragraph a group with the names of its commands, so that all fits a screen."""
    names: dict[str, dict[str, None]] = {}
    for verb in verbs:
        if not verb.preset and not verb.alias_of:
            names.setdefault(verb.group, {})[verb.name.partition(" ")[0]] = None
    others = {verb.name.partition(" ")[0] for verb in verbs if verb.alias_of}
    for group, inside in names.items():
        yield from _beside(group, "  ".join(inside), view)
    yield from _beside("Other names", f"{len(others)} of other tools, such as write-flash", view)
    yield from _beside("Topics", "  ".join(TOPICS), view)
    yield Text()
    yield Paragraph(HOW)


def _beside(label: str, text: str, view: View) -> Iterator[Block]:
    """Yield a text with a label beside it, or above it where there is little room."""
    if view.width >= COLUMNS // 2 + _LABEL:
        yield Text(Styled(f"{label:<{_LABEL}}", "label"), text, hang=_LABEL, wraps=True)
    else:
        yield Text(Styled(label, "label"))
        yield Indented(_INDENT, Paragraph(text))


def _listed(result: Help, view: View) -> Iterator[Block]:
    """Yield a row a command of a family or of a group, and the other names."""
    bare = next((verb for verb in result.verbs if verb.name == result.family), None)
    if bare:
        yield from _explained(bare, view)
        yield Text()
    named = [verb for verb in result.verbs if verb is not bare and not verb.preset]
    ours = [verb for verb in named if not verb.alias_of or (result.family and " " in verb.name)]
    yield Text(Styled(result.group or ours[0].group, "label"))
    rows = [(_with_variants(verb, result.verbs), verb.summary) for verb in ours]
    yield Indented(_INDENT, Table(rows, wrap=True))
    if others := ", ".join(verb.name for verb in named if verb not in ours):
        yield Text()
        yield Paragraph(f"Also: {others}.")


def _with_variants(verb: Verb, verbs: Sequence[Verb]) -> str:
    """Return the name of a command and of its variants: ``peek[8|16|32]``."""
    variants = [other.name for other in verbs if other.preset and other.run is verb.run]
    ends = "|".join(name.removeprefix(verb.name) for name in variants)
    return f"{verb.name}[{ends}]" if ends else verb.name


def _explained(verb: Verb, view: View) -> Iterator[Block]:
    yield Text(Styled(verb.usage_within(view.width), "value"), wraps=True)
    yield Paragraph(verb.summary)
    if verb.alias_of:
        yield Paragraph(f"Another name for `{verb.alias_of}`.")
    if verb.details:
        yield Text()
        yield from _paragraphs(verb.details)
    if verb.options:
        yield Text()
        rows = [(_flags(option), option.help) for option in verb.options]
        yield Indented(_INDENT, *_with_texts(rows, view))
    if verb.examples:
        yield Text()
        yield Text(Styled("Examples" if len(verb.examples) > 1 else "Example", "label"))
        lines = (line for example in verb.examples for line in example.splitlines())
        yield Indented(_INDENT, *(Text(line) for line in lines))


def _with_texts(rows: Sequence[tuple[str, str]], view: View) -> Iterator[Block]:
    """Yield a table; or each text below its label, where the longest leaves texts no room.

    On a terminal the table folds such rows itself.
    """
    if view.fold or max(len(label) for label, _ in rows) <= min(view.width, COLUMNS) - _ROOM:
        yield Table(rows, wrap=True)
        return
    for label, text in rows:
        yield Text(label)
        yield Indented(2 * _INDENT, Paragraph(text))


def _flags(option: Option) -> str:
    """Return an option with its short form and its value: ``--align, -a NUMBER``."""
    value = f" {option.value}" if option.type else ""
    return ", ".join(filter(None, (option.flag, option.short))) + value


def _paragraphs(text: str) -> Iterator[Block]:
    """Yield a text wrapped: indented lines are rows of a table, others go on as one paragraph."""
    lines = text.strip("\n").splitlines()
    index = 0
    while index < len(lines):
        start = index
        is_table = lines[start].startswith("  ")
        while index < len(lines) and lines[index].strip():
            if lines[index].startswith("  ") != is_table:
                break
            index += 1
        if index == start:
            yield Text()
            index += 1
        elif is_table:
            rows = [re.split(r"\s{2,}", line.strip(), maxsplit=1) for line in lines[start:index]]
            yield Indented(_INDENT, Table(rows, wrap=True))
        else:
            yield Paragraph(" ".join(map(str.strip, lines[start:index])))


def help_json(result: Help) -> Json:
    """Return a list of commands; where there is a topic an object with its text and them."""
    commands: Json = [command_json(verb) for verb in result.verbs]
    if not result.topic:
        return commands
    return {"topic": result.topic, "text": result.text, "commands": commands}


def command_json(verb: Verb) -> dict[str, Json]:
    """Return all that a command declares."""
    same = [other for other in COMMANDS.verbs() if other.run is verb.run and other is not verb]
    arguments: list[Json] = [_argument_json(param) for param in verb.params]
    if verb.rest != "words":
        label = RESTS[verb.rest]
        arguments.append({**dict.fromkeys(_ARGUMENT), "name": label, "kind": verb.rest} | _ONE)
    return {
        "name": verb.name,
        "group": verb.group,
        "summary": verb.summary,
        "details": verb.details,
        "usage": verb.usage,
        "arguments": arguments,
        "options": [_option_json(option) for option in verb.options],
        "examples": list(verb.examples),
        "aliases": [other.name for other in same if other.alias_of == verb.name],
        "alias_of": verb.alias_of or None,
        "variants": [other.name for other in same if other.preset and not verb.preset],
        "needs": verb.needs or None,
        "exit_status": {str(n): text for n, text in statuses(verb).items()},
    }


_ARGUMENT = ("name", "kind", "choices", "optional", "many")
_ONE: dict[str, Json] = {"optional": False, "many": False}


def _argument_json(param: Param) -> dict[str, Json]:
    label = param.type.label or param.key.upper()
    choices: list[Json] = list(label.split("|")) if param.type.kind == "choice" else []
    return {
        "name": label,
        "kind": param.type.kind,
        "choices": choices or None,
        "optional": param.least == 0,
        "many": param.type.most > 2,
    }


def _option_json(option: Option) -> dict[str, Json]:
    return {
        "flag": option.flag,
        "short": option.short or None,
        "help": option.help,
        "value": option.value or None,
        "kind": option.type.kind if option.type else None,
        "many": option.many,
        "refused": option.refusal or None,
    }


def statuses(verb: Verb) -> dict[int, str]:
    """Return what each exit status of a command means."""
    return STATUSES | NO_CHIP if verb.needs_chip else {n: STATUSES[n] for n in (0, 2)}


def about_text(result: About, view: View) -> Iterator[Block]:
    """Yield the name and kind, facts in rows, fields, and how to see its value."""
    yield spaced(Styled(result.name, "name"), result.kind)
    if result.meaning:
        yield Paragraph(result.meaning)
    yield Indented(_INDENT, Table([(Styled(k, "label"), v) for k, v in result.facts], wrap=True))
    if result.fields:
        yield Indented(_INDENT, Table(result.fields, wrap=True))
    yield Text(f"`{result.see}` shows it.")


def about_json(result: About) -> Json:
    """Return the name, its kind, and facts by what they are."""
    columns = ("name", "bits", "access", "meaning")
    fields: list[Json] = []
    for row in result.fields:
        fields.append(dict(zip(columns, row, strict=True)))
    facts: dict[str, Json] = dict(result.facts)
    return {
        "name": result.name,
        "kind": result.kind,
        "meaning": result.meaning or None,
        "facts": facts,
        "fields": fields,
        "see": result.see,
    }
