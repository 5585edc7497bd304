#!/usr/bin/env python3
"""Write the pages of the reference that follow from the declarations of the program.

The site gets them from ``on_files`` while it is built (``scripts/docs``); they are in no commit, so
a new command, option, setting, chip or part is in the manual with the commit that declares it.
``scripts/reference.py FOLDER`` writes them into a folder.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from espshell import chips, cli, messages, options
from espshell.shell.registry import COMMANDS
from espshell.shell.settings import SETTINGS, Settings
from espshell.sim import fault, ram_fault, url
from scripts import chip_pages, command_pages, python_page
from scripts.markdown import code, prose, table
from scripts.pages import DOCS

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

TROUBLESHOOTING = "howto/troubleshooting.md"
"""In the repository it says where the texts are, in the site it is them."""

_SHOWN = {"True": "on", "False": "off", "None": "auto"}
_ENTRY = re.compile(r"^ {4}(\S+) {2,}(.*(?:\n {8,}\S.*)*)", re.MULTILINE)


def pages(*, run: bool = False) -> dict[str, str]:
    """Return the text of each generated page, by its path below docs/, in the order of the site.

    run: whether the examples of commands are run, for what they answer; that takes a while.
    """
    return {
        **command_pages.pages(run=run),
        "reference/command-line.md": _command_line(),
        "reference/settings.md": _settings(),
        "reference/simulator-url.md": _simulator(),
        "reference/python.md": python_page.page(),
        **chip_pages.pages(),
    }


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


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages, and those that mkdocs.yml does not name, into the navigation."""
    reference = next(row["Reference"] for row in config.nav or [] if "Reference" in row)
    groups = [
        {name: [command_pages.path_of(command) for command in commands]}
        for name, commands in command_pages.groups()
    ]
    paths = [*_not_named(str(config.nav)), *pages()]
    reference += [
        {"Commands": [f"{command_pages.FOLDER}/index.md", *groups]},
        {"Chips": [path for path in paths if path.startswith(chip_pages.FOLDER)]},
        *(path for path in paths if path.count("/") == 1 and path != TROUBLESHOOTING),
    ]
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
