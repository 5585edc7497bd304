"""The manual: its pages show what the program says, and nothing is without documentation."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

import pytest

from espshell import options
from espshell.link.reset import AFTER
from espshell.shell import config
from espshell.shell.commands.topics import Help
from espshell.shell.settings import SETTINGS
from espshell.sim import fault, url
from scripts import command_pages, markdown, reference
from scripts.pages import DOCS, Page

ROOT = DOCS.parent
MESSAGES = ROOT / "espshell" / "data" / "messages.md"
PAGES = sorted([*DOCS.rglob("*.md"), MESSAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md"])


def _page(path: Path) -> object:
    marks = [pytest.mark.long] if "<!-- long -->" in path.read_text("utf-8") else []
    return pytest.param(path, id=str(path.relative_to(ROOT)), marks=marks)


def _with_examples() -> list[object]:
    return [_page(path) for path in PAGES if Page(path.read_text("utf-8")).blocks]


@pytest.mark.parametrize("path", _with_examples())
def test_a_page_shows_what_the_program_says(path: Path) -> None:
    """Each line of its blocks is typed, and answers what stands below it."""
    differences = [
        f"{example}but got:\n{output}"
        for example, output in Page(path.read_text("utf-8")).differences()
    ]
    assert not differences, "\n".join(differences)


@pytest.mark.parametrize(
    ("block", "is_right"),
    [
        ("espshell> echo one\none\n", True),
        ("espshell> echo one\ntwo\n", False),
        ("espshell> echo one\n", False),
        ("espshell> echo one   two\none ...\n", True),
        ("espshell> peek 0x10\npeek: 0x00000010 is outside...\n", True),
        ("$ espshell -p sim://esp32 -c 'expect 1 == 2'\n...\n$ echo $?\n1\n", True),
        ("$ espshell -p sim://esp32 -c 'expect 1 == 1'\n$ echo $?\n1\n", False),
    ],
)
def test_what_a_page_shows_is_compared(block: str, is_right: bool) -> None:
    """Output, errors and exit status count; an ellipsis stands for anything."""
    differences = list(Page(f"```console\n{block}```\n").differences())
    assert (not differences) is is_right


def test_a_page_is_filled_with_what_the_program_says() -> None:
    """What is missing is written below its line, what is right stays, also an ellipsis."""
    text = "```console\nespshell> echo one\nespshell> echo two\nt...\n```\n"
    filled = "```console\nespshell> echo one\none\nespshell> echo two\nt...\n```\n"
    assert Page(text).filled() == filled


@pytest.mark.parametrize("path", [_page(path) for path in PAGES])
def test_links_lead_somewhere(path: Path) -> None:
    """Each link to a file is one of the repository, each anchor a heading of it."""
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        name, _, anchor = target.partition("#")
        if "://" in name:
            continue
        there = (path.parent / name) if name else path
        assert there.is_file(), target
        headings = re.findall(r"^#+ (.+)$", there.read_text("utf-8"), re.MULTILINE)
        is_page = there.suffix == ".md"
        assert not (anchor and is_page) or anchor in map(markdown.slug, headings), target


def test_the_navigation_names_pages_that_are_there() -> None:
    """Pages that it does not name are put behind the reference when the site is built."""
    named = re.findall(r"\S+\.md$", (ROOT / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)
    assert len(named) > 30
    assert not [name for name in named if not (DOCS / name).is_file()]


def test_each_command_and_option_is_documented() -> None:
    """A command has a page with a sentence; each argument and option stands there with a text."""
    generated = reference.pages()
    for _, commands in command_pages.groups():
        for command in commands:
            page = generated[command_pages.path_of(command)]
            for verb in command:
                assert f"# {verb.name}\n" in page or f"`{verb.name}`" in page, verb.name
                assert verb.summary.endswith("."), verb.name
            rows = dict(re.findall(r"^\| `([^`]+)`.* \| (.+) \|$", page, re.MULTILINE))
            silent = [o.flag for o in command[0].options if not rows.get(o.flag, "").strip()]
            assert not silent, command[0].name
            assert len(rows) >= len(command[0].options) + len(command[0].params)


def test_each_option_of_the_program_is_documented() -> None:
    """Its row in the page of the command line is not empty."""
    parser: argparse.ArgumentParser = options.program_parser()
    assert all(action.help for action in parser._actions)


def test_each_setting_is_documented() -> None:
    """`set` says of each of its names what it does."""
    assert set(reference.setting_texts()) == set(SETTINGS)


def test_each_option_of_the_simulator_is_documented() -> None:
    """The table of its URLs names all that are understood, and no other."""
    assert set(reference.entries(url)) == set(url._OPTIONS)


def test_each_fault_is_documented() -> None:
    """The table of faults names all actions."""
    named = {entry.partition(":")[0] for entry in reference.entries(fault)}
    assert {action.value for action in fault.FaultAction} <= named


def test_each_key_of_the_configuration_is_documented() -> None:
    """The page has each that a file may have."""
    page = (DOCS / "reference" / "configuration.md").read_text("utf-8")
    assert all(f"`{key}`" in page or f"[{key}" in page for key in (*config._OPTIONS, *config._BARE))


def test_each_key_at_the_prompt_is_documented() -> None:
    """The page has those of `help keys`."""
    rows = re.findall(r"^  (\S+(?:, \S+)*)  ", Help((), topic="keys").text, re.MULTILINE)
    page = (DOCS / "reference" / "keys.md").read_text("utf-8")
    assert len(rows) > 5
    assert not [row for row in rows if f"| {row} |" not in page]


@pytest.mark.parametrize("pattern", [r"\bESPSHELL_[A-Z_]+\b", r"\bESPTOOL_[A-Z_]+\b"])
def test_each_variable_of_the_environment_is_documented(pattern: str) -> None:
    """The page of the environment has all that the sources have."""
    page = (DOCS / "reference" / "environment.md").read_text("utf-8")
    sources = "\n".join(path.read_text("utf-8") for path in (ROOT / "espshell").rglob("*.py"))
    assert set(re.findall(pattern, sources)) <= set(re.findall(pattern, page))


def test_each_exit_status_is_documented() -> None:
    """The page of exit statuses has each class of error."""
    page = (DOCS / "reference" / "exit-status.md").read_text("utf-8")
    assert all(f"| {status} |" in page for status in (0, 1, 2, 3, 70, 130, 143, 129))
    assert all(f"`{after}`" in page for after in AFTER)
