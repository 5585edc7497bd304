"""How help is shown, and what it is as JSON, which a reference can be made from.

``docs/reference/help-json.md`` lists the keys; a test compares them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from espshell.records import replace
from espshell.render.document import Block, Indented, Line, Styled, Table, Text, spaced
from espshell.render.forms import Json, pick
from espshell.render.view import COLUMNS, View
from espshell.shell.commands.topics import TOPICS
from espshell.shell.declaration import RESTS, Option, Verb
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


class Paragraph(Text):
    """Text that is wrapped at words, with at most 80 columns, also in files."""

    def __init__(self, text: str) -> None:
        super().__init__(text, hang=0, wraps=True)

    def lines(self, view: View) -> Iterator[Line]:
        """Yield its lines."""
        return super().lines(replace(view, width=min(view.width, COLUMNS)))


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
    rows = {group: "  ".join(inside) for group, inside in names.items()}
    others = {verb.name.partition(" ")[0] for verb in verbs if verb.alias_of}
    rows["Other names"] = f"{len(others)} of other tools, such as write-flash"
    rows["Topics"] = "  ".join(TOPICS)
    is_wide = view.width >= COLUMNS // 2 + _LABEL
    for label, text in rows.items():  # beside each other, or one above the other
        if is_wide:
            yield Text(Styled(f"{label:<{_LABEL}}", "label"), text, hang=_LABEL, wraps=True)
        else:
            yield Text(Styled(label, "label"))
            yield Indented(_INDENT, Paragraph(text))
    yield Text()
    yield Paragraph(HOW)


def _listed(result: Help, view: View) -> Iterator[Block]:
    """Yield a row a command of a family or of a group, and the other names."""
    bare = next((verb for verb in result.verbs if verb.name == result.family), None)
    if bare:
        yield from _explained(bare, view)
        yield Text()
    named = [verb for verb in result.verbs if verb is not bare and not verb.preset]
    ours = [verb for verb in named if not verb.alias_of or (result.family and " " in verb.name)]
    yield Text(Styled(result.group or ours[0].group, "label"))
    rows = []
    for verb in ours:  # variants at the end of their name: ``peek[8|16|32]``
        variants = [other.name for other in result.verbs if other.preset and other.run is verb.run]
        ends = "|".join(name.removeprefix(verb.name) for name in variants)
        rows.append((f"{verb.name}[{ends}]" if ends else verb.name, verb.summary))
    yield Indented(_INDENT, Table(rows, wrap=True))
    if others := ", ".join(verb.name for verb in named if verb not in ours):
        yield Text()
        yield Paragraph(f"Also: {others}.")


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
        yield Indented(_INDENT, *_options(verb.options, view))
    if verb.examples:
        yield Text()
        yield Text(Styled("Examples" if len(verb.examples) > 1 else "Example", "label"))
        lines = (line for example in verb.examples for line in example.splitlines())
        yield Indented(_INDENT, *(Text(line) for line in lines))


def _options(options: Sequence[Option], view: View) -> Iterator[Block]:
    """Yield a table: ``--align, -a NUMBER`` and its text; or texts below, where there is no room.

    On a terminal the table folds such rows itself.
    """
    rows = []
    for option in options:
        value = f" {option.value}" if option.type else ""
        rows.append((", ".join(filter(None, (option.flag, option.short))) + value, option.help))
    if view.fold or max(len(label) for label, _ in rows) <= min(view.width, COLUMNS) - _ROOM:
        yield Table(rows, wrap=True)
        return
    for label, text in rows:
        yield Text(label)
        yield Indented(2 * _INDENT, Paragraph(text))


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
    arguments: list[Json] = []
    for param in verb.params:
        label = param.type.label or param.key.upper()
        choices: list[Json] = list(label.split("|")) if param.type.kind == "choice" else []
        arguments.append(
            {
                "name": label,
                "kind": param.type.kind,
                "choices": choices or None,
                "optional": param.least == 0,
                "many": param.type.most > 2,
            }
        )
    if verb.rest != "words":
        rest: dict[str, Json] = {"name": RESTS[verb.rest], "kind": verb.rest, "choices": None}
        arguments.append({**rest, "optional": False, "many": False})
    return {
        **pick(verb, "name group summary details usage"),
        "arguments": arguments,
        "options": [_option_json(option) for option in verb.options],
        "examples": list(verb.examples),
        "aliases": [other.name for other in same if other.alias_of == verb.name],
        "alias_of": verb.alias_of or None,
        "variants": [other.name for other in same if other.preset and not verb.preset],
        "needs": verb.needs or None,
        "exit_status": {str(n): text for n, text in statuses(verb).items()},
    }


def _option_json(option: Option) -> dict[str, Json]:
    kind = option.type.kind if option.type else None
    return {
        **pick(option, "flag short? help value?"),
        "kind": kind,
        **pick(option, "many refused=refusal?"),
    }


def statuses(verb: Verb) -> dict[int, str]:
    """Return what each exit status of a command means."""
    return STATUSES | NO_CHIP if verb.needs else {n: STATUSES[n] for n in (0, 2)}


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
    fields: list[Json] = [dict(zip(columns, row, strict=True)) for row in result.fields]
    return {**pick(result, "name kind meaning? facts:"), "fields": fields, **pick(result, "see")}
