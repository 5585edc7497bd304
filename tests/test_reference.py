"""The pages of the reference that are generated: they say what the program says."""

from __future__ import annotations

import pytest

from scripts import command_pages, json_fields
from scripts.pages import Page
from tests.shell import example_files

COMMANDS = {command[0].name: command for _, inside in command_pages.groups() for command in inside}
QUICK = ("peek", "sr set", "verify")


@pytest.mark.parametrize(
    "name",
    [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.long]) for n in COMMANDS],
)
def test_the_page_of_a_command_shows_what_it_answers(name: str) -> None:
    """Each example answers again what stands below it, and each field of its value is explained."""
    command = COMMANDS[name]
    text = command_pages.answered(command_pages.page(command), command)
    assert not [
        f"{example}but got:\n{output}"
        for example, output in Page(text, prepare=example_files.write).differences()
    ]
    assert "\n## Exit status\n" in text
    table = text.partition("\n## JSON\n")[2]
    assert table
    assert "|   |" not in table, "a field without a meaning: a line of scripts/fields.txt"


def test_a_field_that_nothing_explains_is_found() -> None:
    """A docstring below the field counts, and a line of the glossary, and nothing else."""
    shown = json_fields.fields([(None, {"address": 1, "xyzzy": [{"size": 2}], "UART0": 3})])
    assert [field.path for field in shown] == ["address", "xyzzy", "xyzzy[].size", "NAME"]
    assert json_fields.without_meaning(shown) == ["xyzzy"]
