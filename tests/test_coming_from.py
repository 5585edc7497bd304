"""The pages for those who come from other tools: complete, and their lines are ours."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from espshell import messages
from espshell.shell import check
from espshell.shell.commands import topics
from espshell.shell.registry import COMMANDS
from espshell.shell.script import Script
from espshell.shell.settings import Bench
from scripts.pages import DOCS
from tests.shell import example_files
from tests.shell.support import Shell

ESPTOOL, OTHERS = DOCS / "howto" / "esptool.md", DOCS / "howto" / "other-tools.md"
CONCRETE = {
    "ADDRESS": "0x3fc90000", "LENGTH": "64", "SIZE": "64", "VALUE": "1", "REGION": "DRAM",
    "FILE": "data.bin", "NAME": "nvs", "PLACE": "flash:app0", "PORT": "sim://esp32c3",
}  # fmt: skip
"""What the words in capitals stand for."""

NOT_LINES = r"-.*|espshell .*|\$\w+|usb:.*"
"""Options, the program itself, and values."""


def tables(text: str) -> Iterator[tuple[str, str, str]]:
    """Yield the first and second cell of each row of tables of two columns, with their heading."""
    title = ""
    for line in text.splitlines():
        if match := re.match(r"#+ (.*)", line):
            title = match[1]
        cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == 2 and not set(line) <= set("|- "):
            yield title, cells[0], cells[1]


def lines_of_ours() -> list[str]:
    """Return the code in the second columns, but for the sections that explain esptool's own."""
    sections = re.split(r"^(?=## )", ESPTOOL.read_text("utf-8"), flags=re.MULTILINE)
    text = sections[-1] + OTHERS.read_text("utf-8")
    spans = [code for _, _, ours in tables(text) for code in re.findall(r"`([^`]+)`", ours)]
    return list(dict.fromkeys(code for code in spans if not re.fullmatch(NOT_LINES, code)))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files that the lines name."""
    path = tmp_path_factory.mktemp("lines")
    example_files.write(path)
    (path / "other.espsh").write_text("peek DRAM\n")
    (path / "app.hex").write_text(":0400000001020304F2\n:00000001FF\n")
    return path


@pytest.fixture
def demo() -> Iterator[Shell]:
    """Return a shell that is connected to the board of the pages."""
    shell = Shell()
    shell.session.connect(Bench(port="sim://demo"))
    yield shell
    shell.session.close()


@pytest.mark.parametrize("line", lines_of_ours())
def test_a_line_of_ours_is_one(
    line: str, demo: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It passes the check of scripts with a chip connected; or it is the bare name of a command."""
    _require_line(line, demo, folder, monkeypatch)


def _require_line(line: str, demo: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if COMMANDS.get(line):
        return
    monkeypatch.chdir(folder)
    text = re.sub(r"\b[A-Z]{4,}\b", lambda match: CONCRETE.get(match[0], match[0]), line)
    check.check(
        demo.session, (Script("", f"let x = 1\nlet at = 1\n{text}", folder), ()), to_run=True
    )


NO_LINE = re.compile(
    r"(dialout|uucp|fuser|sudo|ser2net|esp_rfc2217_server|espshell|port|chip|flash:|socket:"
    r"|rfc2217:|sim:|usb:|[a-z]+ COMMAND).*"
)
"""What is not a line of ours in a section."""


def lines_of_sections() -> list[str]:
    """Return the code in the texts of the sections that begins as a command does."""
    texts = "".join(section.text for section in messages.sections().values())
    prose = re.sub(r"```.*?```", "", texts, flags=re.DOTALL)
    spans = re.findall(r"`([a-z][a-z0-9 ]*[^`]*)`", prose)
    return [span for span in dict.fromkeys(spans) if not NO_LINE.fullmatch(span)]


@pytest.mark.parametrize("line", lines_of_sections())
def test_a_line_of_a_section_is_one(
    line: str, demo: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a section on a message tells to type can be typed."""
    _require_line(line, demo, folder, monkeypatch)


def lines_of_topics() -> list[str]:
    """Return what stands in the first column of rows of topics and begins as a command does."""
    folder = Path(topics.__file__).parents[1] / "help"
    texts = "\n".join(path.read_text("utf-8") for path in sorted(folder.glob("*.txt")))
    rows = re.findall(r"^ {2,}(\S+(?: \S+)*)(?=  |$)", texts, re.MULTILINE)
    return [row for row in dict.fromkeys(rows) if COMMANDS.get(row.split()[0])]


@pytest.mark.parametrize("line", lines_of_topics())
def test_a_line_of_a_topic_is_one(
    line: str, demo: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `help TOPIC` shows in its rows can be typed."""
    _require_line(line, demo, folder, monkeypatch)


def commands_of(tool: str, *options: str) -> set[str]:
    """Return the commands that a tool lists in its help."""
    done = subprocess.run(
        [sys.executable, "-m", tool, *options, "--help"],
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    text = done.stdout.partition("commands")[2]
    return set(re.findall(r"^\W{1,3}([a-z][a-z0-9]*(?:-[a-z0-9]+)*)  ", text, re.MULTILINE))


@pytest.mark.long
@pytest.mark.parametrize(("tool", "options"), [("esptool", ()), ("espefuse", ("--chip", "esp32"))])
def test_each_command_of_a_tool_is_beside_ours(tool: str, options: tuple[str, ...]) -> None:
    """What it lists itself is in the first column of its table."""
    listed = commands_of(tool, *options)
    assert len(listed) > 10
    text = ESPTOOL.read_text("utf-8").partition("## Each command beside ours")[2]
    codes = re.findall(r"`([^`]+)`", " ".join(theirs for _, theirs, _ in tables(text)))
    assert not listed - {code.split()[0] for code in codes}
