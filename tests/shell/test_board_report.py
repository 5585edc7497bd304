"""What a board is, as a page: the same document as HTML, Markdown and JSON."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from espshell import cli
from espshell.sim import protocol_sim

SECTIONS = ["info", "efuse", "flash", "status", "sfdp", "partitions", "pins"]
LINES = ["-c", "expect -m 'a <b> & `c`' 1 == 1", "-c", "-expect 2 == 1"]


def report(port: str, file: Path) -> str:
    """Return what a run with two verdicts writes."""
    protocol_sim._kept.clear()
    assert cli.main(["-p", port, *LINES, "-c", f"report {file}"]) == 0
    return file.read_text()


def test_a_machine_parses_it(tmp_path: Path) -> None:
    """Each section is the JSON of its command, and the verdicts of the script are there."""
    data = json.loads(report("sim://demo", tmp_path / "board.json"))
    applications = ["image bootloader", "image app0", "image app1"]
    assert list(data) == ["port", "time", "espshell", *SECTIONS, *applications, "verdicts"]
    assert data["info"]["mac"] == "7c:df:a1:de:30:42"
    assert data["flash"]["id"] == 0xEF4016
    assert "otadata" in json.dumps(data["partitions"])
    assert "1.1.0" in json.dumps(data["image app1"])
    assert [verdict["status"] for verdict in data["verdicts"]] == [0, 1]
    assert "`2 == 1` is false" in data["verdicts"][1]["message"]


class _Page(HTMLParser):
    """Collects the headings and the embedded JSON, and checks that tags are closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.texts: dict[str, list[str]] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an open tag."""
        if tag != "meta":
            self.open.append(tag)
            self.texts.setdefault(tag, [])

    def handle_endtag(self, tag: str) -> None:
        """Require that it closes the last open one."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text of a tag."""
        if self.open:
            self.texts[self.open[-1]].append(data)


def test_a_person_reads_it(tmp_path: Path) -> None:
    """HTML is well formed, in colour, and carries the JSON; Markdown has the same sections."""
    text = report("sim://demo", tmp_path / "board.html")
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert page.texts["h2"][:2] == ["Chip", "eFuses"]
    assert len(page.texts["h2"]) == 11
    assert "color: #" in text
    assert json.loads("".join(page.texts["script"]))["info"]["chip"] == "esp32c3"
    markdown = report("sim://demo", tmp_path / "board.md")
    assert re.findall("^## (.*)", markdown, re.MULTILINE) == page.texts["h2"]
    assert markdown.count("```") == 2 * len(page.texts["h2"])


@pytest.mark.parametrize("port", ["sim://esp32c3?sdm=1", "sim://esp8266", "sim://esp32"])
def test_what_a_board_does_not_tell_is_named(port: str, tmp_path: Path) -> None:
    """A chip in secure download mode, without eFuse names or with a blank flash gets a report."""
    data = json.loads(report(port, tmp_path / "board.json"))
    assert data["info"]["chip"] == port[6:].partition("?")[0]
    assert data["image bootloader"]["error"]


def test_the_format_is_known_before_the_board_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that says no format is a usage error."""
    assert cli.main(["-p", "sim://demo", "-c", f"report {tmp_path}/board.txt"]) == 2
    assert "expected a file name ending in .html, .htm, .md, .json" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
