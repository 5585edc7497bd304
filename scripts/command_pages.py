"""The pages of the commands: what is declared, and what their examples answer on a demo board."""

from __future__ import annotations

import importlib
import re
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from espshell.ops.result import Result
from espshell.shell import manual
from espshell.shell.declaration import Option, Param, Verb
from espshell.shell.registry import COMMANDS
from scripts import json_fields
from scripts.markdown import code, prose, slug, table
from scripts.pages import PROMPT, Page
from tests.shell import example_files

MOST_ROWS = 24
"""Of the answer to an example."""

FOLDER = "reference/commands"
UNANSWERED = ("sr edit", "!")
"""Commands that want a terminal, or answer what the host says."""

Command = Sequence[Verb]
"""A command and its other names and variants: declarations of one function."""


def groups() -> Iterator[tuple[str, list[Command]]]:
    """Yield the groups, each with its commands."""
    importlib.import_module("espshell.shell.commands")
    found: dict[str, dict[object, list[Verb]]] = {}
    for verb in COMMANDS.verbs():
        found.setdefault(verb.group, {}).setdefault(verb.run, []).append(verb)
    for name, commands in found.items():
        yield name, list(commands.values())


def pages(*, run: bool) -> dict[str, str]:
    """Return the page of each command by its path; its examples answer if they are run."""
    commands = [command for _, inside in groups() for command in inside]
    texts = {path_of(command): page(command) for command in commands}
    if run:
        texts = {path: answered(texts[path], c) for path, c in zip(texts, commands, strict=True)}
    return {f"{FOLDER}/index.md": _overview(), **texts}


def path_of(command: Command) -> str:
    """Return the path of the page of a command."""
    return f"{FOLDER}/{slug(command[0].name)}.md"


def _overview() -> str:
    text = "# Commands\n\n`help COMMAND` shows the same in the shell.\n"
    for name, commands in groups():
        rows = (
            (f"[{verbs[0].name}]({slug(verbs[0].name)}.md)", prose(verbs[0].summary))
            for verbs in commands
        )
        text += f"\n## {name}\n\n{table(('command', 'what it does'), rows)}"
    return text


def page(command: Command) -> str:
    """Return the page of a command: usage, what it does, arguments, options, examples."""
    verb, others = command[0], command[1:]
    usage = textwrap.fill(verb.usage, 78, subsequent_indent="    ", break_on_hyphens=False)
    text = f"# {verb.name}\n\n<!-- fresh -->\n\n{prose(verb.summary)}\n\n```text\n{usage}\n```\n"
    if verb.details:
        text += f"\n{prose(verb.details)}\n"
    if verb.params:
        rows = map(_argument, verb.params)
        text += f"\n## Arguments\n\n{table(('argument', 'what it is'), rows)}"
    if verb.options:
        rows = map(_option, verb.options)
        text += f"\n## Options\n\n{table(('option', 'what it does'), rows)}"
    variants = [other.name for other in others if not other.alias_of]
    aliases = [other.name for other in others if other.alias_of]
    text += "\n## Names\n" * bool(variants or aliases or verb.alias_of)
    if variants:
        text += f"\nVariants: {', '.join(map(code, variants))}; the number is the width in bits.\n"
    if aliases:
        text += f"\nAlso: {', '.join(map(code, aliases))}.\n"
    if verb.alias_of:
        text += f"\nAnother tool's name; ours is `{verb.alias_of}`.\n"
    return text + _examples(verb)


def _argument(param: Param) -> tuple[str, str]:
    label = param.usage.strip("[]")
    kind = "one of its words" if param.type.kind == "choice" else param.type.kind
    notes = ["may be left out"] * (param.least == 0) + ["one or more"] * (param.type.most > 2)
    return code(label), prose(", ".join([kind, *notes]))


def _option(option: Option) -> tuple[str, str]:
    names = ", ".join(code(name) for name in (option.flag, option.short) if name)
    value = f" {code(option.value)}" if option.value else ""
    about = option.help or (f"refused: {option.refusal}" if option.refusal else "")
    return names + value, prose(about)


def _examples(verb: Verb) -> str:
    """Return the examples; one of several lines is a piece of a script, and is not answered."""
    text = "\n## Examples\n"
    for line in verb.examples:
        is_typed = "\n" not in line and verb.name not in UNANSWERED
        text += f"\n```console\n{PROMPT}{line}\n```\n" if is_typed else f"\n```text\n{line}\n```\n"
    return text


@cache
def _files() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        example_files.write(Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def write_files(folder: Path) -> None:
    """Write the files that examples name."""
    for name, data in _files().items():
        (folder / name).write_bytes(data)


def answered(text: str, command: Command) -> str:
    """Return a page with the answers to its examples, the value as JSON and exit statuses."""
    verb = command[0]
    found: list[tuple[object, Any]] = []
    for line in _lines(verb):
        board = Page("", prepare=write_files)
        with board.prepared():
            board.session.output.as_json = True
            found += json_fields.values(board.session, line)
    filled = Page(text, prepare=write_files).filled()
    filled = re.sub(r"^```console\n.*?^```", _shortened, filled, flags=re.DOTALL | re.MULTILINE)
    results = {type(result): None for result, _ in found if isinstance(result, Result)}
    return filled + _value(verb, json_fields.fields(found)) + _statuses(verb, list(results))


def _lines(verb: Verb) -> list[str]:
    return [] if verb.name in UNANSWERED else [line for line in verb.examples if "\n" not in line]


def _shortened(block: re.Match[str]) -> str:
    rows = block[0].splitlines(keepends=True)
    if len(rows) <= MOST_ROWS + 3:
        return block[0]
    return "".join([*rows[: MOST_ROWS + 2], "...\n", rows[-1]])


def _value(verb: Verb, fields: Sequence[json_fields.Field]) -> str:
    """Return the table of the fields of the value of ``--json``."""
    head = "\n## JSON\n\n"
    if verb.name in json_fields.OPAQUE:
        about = "[a page of its own](../help-json.md)" if verb.name == "help" else "settings"
        return f"{head}The fields of `value`: {about}.\n"
    if not fields:
        return f"{head}`value` is null.\n"
    rows = ((code(f.path), " or ".join(f.types), prose(f.meaning)) for f in fields)
    return (
        f"{head}The fields of `value` in the [object](../json.md) of the command, as the examples "
        "give them; `[]` stands for each item of a list, `NAME` for names of the chip.\n\n"
        + table(("field", "type", "meaning"), rows)
    )


def _statuses(verb: Verb, results: Sequence[type]) -> str:
    """Return the exit statuses; 1 with what the results call a failure."""
    failures = [json_fields.docstrings(kind).get("failure", "") for kind in results]
    failures = [
        text for text in dict.fromkeys(failures) if text and not text.startswith("One line")
    ]
    texts = {int(n): text for n, text in manual.statuses(verb).items()}
    if failures:
        texts[1] = "; ".join([manual.STATUSES[1], *failures])
    rows = ((str(number), prose(text)) for number, text in sorted(texts.items()))
    return f"\n## Exit status\n\n{table(('status', 'when'), rows)}"
