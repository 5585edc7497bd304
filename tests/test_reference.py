"""The pages of the reference that are generated: they say what the program says."""

from __future__ import annotations

import re

import pytest

from espshell import api, pins, registers
from espshell.chips import Chip
from espshell.efuse import table as efuse_table
from espshell.nor import layout, parts
from scripts import chip_pages, command_pages, json_fields, python_page
from scripts.pages import Page

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
        for example, output in Page(text, prepare=command_pages.write_files).differences()
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


@pytest.mark.parametrize("chip", tuple(chip_pages.all_chips()), ids=lambda chip: chip.name)
def test_the_page_of_a_chip_has_what_its_tables_have(chip: Chip) -> None:
    """Regions, pins, eFuses, peripherals and oddities stand there by name, all of them."""
    page = chip_pages.page(chip)
    names = [region.name for region in chip.regions]
    names += [fuse.name for fuse in efuse_table.of(chip.name).fuses]
    names += [quirk.name for quirk in chip.quirks]
    names += [opcode.name for opcode in chip.rom.commands]
    assert not [name for name in names if f"`{name}`" not in page]
    assert all(f"| {pin.name} |" in page for pin in pins.of(chip.name).pins)
    known = registers.of(chip.name)
    for item in known.peripherals if known else ():
        assert f"[{item.name}]({chip.name}-registers.md#" in page


def test_the_page_of_flash_parts_has_all_parts_and_layouts() -> None:
    """Each row of the tables is a row or a section there."""
    page = chip_pages.pages()["reference/flash-parts.md"]
    assert page.count("\n| `") == len(parts.rows())
    assert all(f"\n## {name}\n" in page for name in layout.names())
    assert all(name in page for part in parts.rows() for name in part.names)


def test_the_page_on_python_has_every_method_and_its_result() -> None:
    """Each method is a section with a sentence, and what it returns another one."""
    page = python_page.page()
    sections = dict(re.findall(r"^### (\w+)\n\n(.+)$", page, re.MULTILINE))
    for name, member in vars(api.ConnectedChip).items():
        if callable(member) and not name.startswith("_"):
            assert sections.get(name), name
    assert " |   |" not in page, "a field without a meaning: a line of scripts/fields.txt"
    assert {"connect", "open_all", "Peek", "Verify", "StatusChange"} <= sections.keys()
