#!/usr/bin/env python3
"""Write the pages of the reference that follow from the declarations of the program.

The site gets them from ``on_files`` while it is built (``scripts/docs``); they are in no commit, so
a new command, option, setting, chip or part is in the manual with the commit that declares it.
``scripts/reference.py FOLDER`` writes them into a folder.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espshell import api, chips, cli, messages, options, pytest_plugin
from espshell.nor import parts
from espshell.shell.declaration import Option, Verb
from espshell.shell.registry import COMMANDS
from espshell.shell.session import Quit
from espshell.shell.settings import SETTINGS, Settings
from espshell.sim import fault, ram_fault, url
from espshell.units import size_text
from scripts.pages import DOCS, PROMPT, Example, Page
from tests.shell import example_files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

TROUBLESHOOTING = "howto/troubleshooting.md"
"""In the repository it says where the texts are, in the site it is them."""

MOST_ROWS = 24
"""Of the answer to an example."""

_CODE = re.compile(r"(`[^`]*`)")
_SHOWN = {"True": "on", "False": "off", "None": "auto"}
_ENTRY = re.compile(r"^ {4}(\S+) {2,}(.*(?:\n {8,}\S.*)*)", re.MULTILINE)


def pages(*, run: bool = False) -> dict[str, str]:
    """Return the text of each generated page, by its path below docs/, in the order of the site.

    run: whether the examples of commands are run, for what they answer; that takes a while.
    """
    groups = {
        f"reference/commands/{slug(g)}.md": _group(g, v, run=run) for g, v in command_groups()
    }
    return {
        "reference/commands/index.md": _overview(),
        **groups,
        "reference/command-line.md": _command_line(),
        "reference/settings.md": _settings(),
        "reference/simulator-url.md": _simulator(),
        "reference/python.md": _python(),
        "reference/chips.md": _chips(),
        "reference/flash-parts.md": _flash_parts(),
    }


def slug(text: str) -> str:
    """Return a heading as it stands in an address."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def prose(text: str) -> str:
    """Return a text of the program with what Markdown would take for markup escaped."""
    plain = {ord(mark): f"\\{mark}" for mark in "*_<[]|"}
    pieces = enumerate(_CODE.split(text.replace("``", "`")))
    return "".join(piece if n % 2 else piece.translate(plain) for n, piece in pieces)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cell or ' ' for cell in row)} |\n" for row in lines)


def code(text: str) -> str:
    """Return a text as code in a cell of a table."""
    return f"`{text}`".replace("|", "\\|")


def command_groups() -> Iterator[tuple[str, list[list[Verb]]]]:
    """Yield the groups, each with its commands; variants of one function are one command."""
    importlib.import_module("espshell.shell.commands")
    groups: dict[str, dict[object, list[Verb]]] = {}
    for verb in COMMANDS.verbs():
        groups.setdefault(verb.group, {}).setdefault(verb.run, []).append(verb)
    for name, commands in groups.items():
        yield name, list(commands.values())


def _overview() -> str:
    text = "# Commands\n\nA page for each group; `help COMMAND` shows the same in the shell.\n"
    for name, commands in command_groups():
        rows = (
            (f"[{verbs[0].name}]({slug(name)}.md#{slug(verbs[0].name)})", prose(verbs[0].summary))
            for verbs in commands
        )
        text += f"\n## {name}\n\n{table(('command', 'what it does'), rows)}"
    return text


def _group(name: str, commands: Sequence[Sequence[Verb]], *, run: bool) -> str:
    return f"# {name}\n" + "".join(_command(verbs, run=run) for verbs in commands)


def _command(verbs: Sequence[Verb], *, run: bool) -> str:
    """Return the section of a command: usage, what it does, options, and examples that were run."""
    verb, others = verbs[0], verbs[1:]
    usage = textwrap.fill(verb.usage, 78, subsequent_indent="    ", break_on_hyphens=False)
    text = f"\n## {verb.name}\n\n{prose(verb.summary)}\n\n```text\n{usage}\n```\n"
    if verb.details:
        text += f"\n{prose(verb.details)}\n"
    if verb.options:
        text += "\n" + table(("option", "what it does"), map(_option, verb.options))
    variants = [other.name for other in others if not other.alias_of]
    if variants:
        text += f"\nVariants: {', '.join(map(code, variants))}; the number is the width in bits.\n"
    aliases = [other.name for other in others if other.alias_of]
    if aliases:
        text += f"\nAlso: {', '.join(map(code, aliases))}.\n"
    if verb.alias_of:
        text += f"\nAnother tool's name; ours is `{verb.alias_of}`.\n"
    if verb.needs:
        text += "\nNeeds a connected chip.\n"
    return text + _examples(verb, run=run)


def _option(option: Option) -> tuple[str, str]:
    names = ", ".join(code(name) for name in (option.flag, option.short) if name)
    about = option.help or (f"refused: {option.refusal}" if option.refusal else "")
    return names, prose(about)


def _examples(verb: Verb, *, run: bool) -> str:
    """Return the examples of a declaration, and what they answer on a demo board.

    One of several lines is a piece of a script, and stands there without an answer.
    """
    text = ""
    for line in verb.examples:
        if "\n" in line:
            text += f"\n```text\n{line}\n```\n"
        else:
            text += f"\n```console\n{PROMPT}{line}\n{_answer(line) if run else ''}```\n"
    return text


def _answer(line: str) -> str:
    """Return what a line says on a board of its own; nothing if it wants a terminal, or ends it."""
    page = Page("")
    with page.prepared(), contextlib.suppress(Quit):
        example_files.write(Path.cwd())
        rows = page.run(Example(PROMPT + line, "")).splitlines(keepends=True)
        more = "...\n" if len(rows) > MOST_ROWS else ""
        return "".join(rows[:MOST_ROWS]) + more if page.status == 0 else ""
    return ""


def _command_line() -> str:
    """Return the page of the program's own options, as argparse has them."""
    actions: list[Any] = options.program_parser()._actions  # noqa: SLF001
    rows = (
        (", ".join(map(code, action.option_strings or [action.metavar])), prose(action.help or ""))
        for action in actions
    )
    usage = (cli.__doc__ or "").partition("\n\n")[2]
    return (
        f"# Command line\n\n```text\n{usage.strip()}\n```\n\n"
        f"{table(('option', 'what it does'), rows)}"
    )


def setting_texts() -> dict[str, str]:
    """Return what `set` says of each setting."""
    verb = COMMANDS.get("set")
    text = " ".join(verb.details.split()) if verb else ""
    pieces = re.split(rf"\b({'|'.join(SETTINGS)}): ", text)
    return dict(zip(pieces[1::2], (piece.strip() for piece in pieces[2::2]), strict=True))


def _settings() -> str:
    texts, start = setting_texts(), Settings()

    def row(name: str) -> tuple[str, str, str]:
        value: object = getattr(start, name.replace("-", "_"), {"color": "auto"}.get(name, False))
        shown = _SHOWN.get(str(value), str(value))
        return code(name), code(shown), prose(texts.get(name, ""))

    return (
        "# Settings\n\n`set` shows them, `set NAME VALUE` changes one, `--save` keeps it for the "
        "next session; see [configuration](configuration.md).\n\n"
        + table(("setting", "at the start", "what it does"), map(row, SETTINGS))
    )


def entries(module: Any) -> dict[str, str]:
    """Return the rows ``name  text`` of a module's docstring."""
    found = _ENTRY.findall((module.__doc__ or "").partition("Sources:")[0])
    return {name: " ".join(text.split()) for name, text in found}


def _simulator() -> str:
    def rows(module: Any) -> list[tuple[str, str]]:
        return [(code(name), prose(text)) for name, text in entries(module).items()]

    names = ", ".join(f"`sim://{name}`" for name in chips.NAMES)
    return (
        "# Simulator\n\nA port `sim://CHIP?OPTION=VALUE&OPTION=VALUE` is a simulated chip: "
        f"{names}, and `sim://demo`, a board with something in its flash.\n"
        "`espshell sim CHIP?OPTIONS` serves one in real time to any other program.\n"
        "What it does not do is in [the explanation](../explanation/simulator.md).\n\n"
        f"## Options\n\n{table(('option', 'value'), rows(url))}\n"
        f"## Faults of the link\n\n```text\n{(fault.__doc__ or '').strip()}\n```\n\n"
        f"## Faults of RAM\n\n```text\n{(ram_fault.__doc__ or '').strip()}\n```\n"
    )


def _python() -> str:
    """Return the page of the class for programs: what each method takes, and what it does."""
    rows = (
        (code(f"{name}{_signature(member)}"), prose(_first_line(member)))
        for base in (api.ConnectedChip.__base__, api.ConnectedChip)
        for name, member in vars(base).items()
        if callable(member) and not name.startswith("_")
    )
    return (
        "# Python\n\n```python\nimport espshell\n\n"
        'with espshell.connect("sim://esp32c3") as chip:\n'
        '    assert chip.poke("DRAM", 0xCAFE_F00D).ok\n'
        '    print(hex(chip.peek("DRAM").last_value))\n```\n\n'
        "A method is a command of the shell. What is not as expected is a result whose `ok` is "
        "False; what could not be found out is an exception, an `espshell.EspError` with "
        f"`message`, `hint` and `status`.\n\n{table(('method', 'what it does'), rows)}"
        f"\n## Fixtures for pytest\n\n```text\n{(pytest_plugin.__doc__ or '').strip()}\n```\n"
    )


def _signature(member: Any) -> str:
    """Return what a method takes: names and defaults, without types."""
    taken = list(inspect.signature(member).parameters.values())[1:]
    plain = [parameter.replace(annotation=parameter.empty) for parameter in taken]
    return str(inspect.Signature(plain))


def _first_line(member: Any) -> str:
    return (inspect.getdoc(member) or "").partition("\n")[0]


def _chips() -> str:
    text = "# Chips\n\nWhat the tables have of each chip; sources stand in `espshell/chips/`.\n"
    for name in chips.NAMES:
        chip = chips.by_name(name)
        if chip is None:
            raise SystemExit(f"{name} is not in the tables")
        facts = [
            ("core", chip.isa.name.split("_")[0].capitalize()),
            ("image id", str(chip.id) if chip.id < 0xFFFF else "none"),
            ("crystal", " or ".join(map(str, chip.crystals_mhz)) + " MHz"),
            ("bootloader", f"at {chip.bootloader_offset:#x}"),
            ("own USB", ", ".join(_usb(chip)) or "none"),
            ("stub", "yes" if chip.stub_name((0, 0)) or chip.stub_names else "none"),
            ("packages", prose(", ".join(dict.fromkeys(p.name for p in chip.packages)))),
            ("oddities", ", ".join(code(quirk.name) for quirk in chip.quirks) or "none known"),
        ]
        regions = (
            (code(r.name), f"`{r.start:#010x}..{r.end:#010x}`", size_text(r.size), prose(r.note))
            for r in chip.regions
        )
        text += f"\n## {chip.title}\n\n{table(('what', 'value'), facts)}\n"
        text += table(("region", "addresses", "size", "what it is"), regions)
    return text


def _usb(chip: Any) -> Iterator[str]:
    if chip.usb_serial_jtag:
        yield "USB-Serial/JTAG"
    if chip.usb_otg:
        yield "USB-OTG"


def _flash_parts() -> str:
    rows = [
        (
            code(f"{part.jedec_id:06x}"),
            ", ".join(part.names),
            size_text(part.size) if part.size else "",
            code(part.layout.name),
            part.volatile.value,
            part.confidence,
            prose(part.note),
        )
        for part in parts.rows()
    ]
    return (
        f"# Flash parts\n\n{len(rows)} rows. An id is not a part: several have the same one, and "
        "SFDP tells some of them apart.\n"
        "`layout` is the bits of its status registers (`sr bits` shows them); `50h` is whether "
        "they can be changed until the power goes; confidence A is two independent sources, B one, "
        "C inferred or disputed. Sources stand in `espshell/nor/data/parts.txt`.\n\n"
        + table(("id", "names", "size", "layout", "50h", "confidence", "remark"), rows)
    )


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages, and those that mkdocs.yml does not name, into the navigation."""
    reference = next(row["Reference"] for row in config.nav or [] if "Reference" in row)
    paths = [*_not_named(str(config.nav)), *pages()]
    commands = [path for path in paths if "commands/" in path]
    reference += [{"Commands": commands}, *(path for path in paths if path not in commands)]
    return config


def _not_named(navigation: str) -> list[str]:
    paths = (path.relative_to(DOCS).as_posix() for path in sorted(DOCS.rglob("*.md")))
    return [path for path in paths if repr(path) not in navigation]


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages to the site: a hook of mkdocs."""
    from mkdocs.structure.files import File

    for path, text in {**pages(run=True), TROUBLESHOOTING: messages.page()}.items():
        if (other := files.get_file_from_path(path)) is not None:
            files.remove(other)
        files.append(File.generated(config, path, content=text))
    return files


def main() -> None:
    """Write the pages into a folder."""
    parser = argparse.ArgumentParser(description="Write the generated pages of the reference.")
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    for path, text in pages(run=True).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
