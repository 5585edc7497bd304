"""What a board is, as a page: the same document as HTML, Markdown and JSON."""

from __future__ import annotations

import json
import re
import signal
from html.parser import HTMLParser
from pathlib import Path

import pytest

from espshell import api, chips, cli
from espshell.shell import report_page
from espshell.shell.output import Output
from espshell.sim import protocol_sim

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "report.md"
SECTIONS = ["info", "efuse", "flash", "status", "sfdp", "partitions", "pins"]
LINES = ["-c", "expect -m 'a <b> & `c`' 1 == 1", "-c", "-expect 2 == 1"]


def report(port: str, file: Path) -> str:
    """Return what a run with two verdicts writes."""
    protocol_sim._kept.clear()
    status = 3 if "unplug" in port else 0
    assert cli.main(["-p", port, *LINES, "-c", f"report {file}"]) == status
    return file.read_text()


def test_a_machine_parses_it(tmp_path: Path) -> None:
    """Each section is the JSON of its command, and the verdicts of the script are there."""
    data = json.loads(report("sim://demo", tmp_path / "board.json"))
    images = ["image bootloader", "image app0", "image app1"]
    first, last = ["port", "time", "espshell", "lost"], ["verdicts", "findings"]
    assert list(data) == [*first, *SECTIONS, *images, *last]
    documented = re.findall(r"^\| `([\w ]+)` \|", PAGE.read_text(), re.MULTILINE)
    assert documented == [*first, *SECTIONS, images[0], "image NAME", *last]
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
        self.blocks: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an open tag."""
        if tag != "meta":
            self.open.append(tag)
            self.texts.setdefault(tag, [])
        if tag == "pre":
            self.blocks.append("")

    def handle_endtag(self, tag: str) -> None:
        """Require that it closes the last open one."""
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep the text of a tag."""
        if self.open:
            self.texts[self.open[-1]].append(data)
        if "pre" in self.open:
            self.blocks[-1] += data


def test_a_person_reads_it(tmp_path: Path) -> None:
    """HTML is well formed, in colour, and carries the JSON; Markdown has the same sections."""
    text = report("sim://demo", tmp_path / "board.html")
    page = _Page()
    page.feed(text)
    assert page.open == []
    assert page.texts["h1"] == ["ESP32-C3 (QFN32)  7c:df:a1:de:30:42"]
    assert page.texts["h2"][:3] == ["Chip", "Results of the script", "eFuses"]
    assert "1 of 2 results of the script are failures" in page.texts["p"]
    assert len(page.texts["h2"]) == 11
    assert "color: #" in text
    assert json.loads("".join(page.texts["script"]))["info"]["chip"] == "esp32c3"
    markdown = report("sim://demo", tmp_path / "board.md")
    assert re.findall("^## (.*)", markdown, re.MULTILINE) == page.texts["h2"]
    assert markdown.count("```") == 2 * len(page.texts["h2"])

    assert report("sim://demo", tmp_path / "board.md").splitlines()[10:13] == [
        "features    Wi-Fi, Bluetooth 5 LE, one core, 160 MHz",
        "crystal     40 MHz",
        "MAC         7c:df:a1:de:30:42",
    ]


def test_a_line_of_the_page_is_one_of_the_form(tmp_path: Path) -> None:
    """Without its tags the page has the text of the Markdown, line by line."""
    page = _Page()
    page.feed(report("sim://demo", tmp_path / "board.html"))
    markdown = report("sim://demo", tmp_path / "board.md")
    blocks = re.findall(r"```+text\n(.*?)```", markdown, re.DOTALL)
    assert page.blocks == blocks


def test_what_differs_is_drawn(tmp_path: Path) -> None:
    """The diff of a verify that fails is in the page in colour, and in the JSON with its bytes."""
    wrong = tmp_path / "wrong.bin"
    with api.connect("sim://demo") as chip:
        data = bytearray(chip.read("flash:app0", 0x1000))
    data[0x123] ^= 0xFF
    wrong.write_bytes(data)
    line = f"-diff flash:app0 0x1000 {wrong}"
    assert cli.main(["-p", "sim://demo", "-c", line, "-c", f"report {tmp_path}/x.html"]) == 0
    page = _Page()
    page.feed((tmp_path / "x.html").read_text())
    assert page.texts["h2"][2].startswith("Finding: diff flash:app0")
    assert page.blocks[2].count("\n") > 1
    assert "background-color: #" in (tmp_path / "x.html").read_text()
    (finding,) = json.loads("".join(page.texts["script"]))["findings"]
    assert finding["line"] == line[1:]
    assert finding["result"]["differing"]


def test_every_style_has_a_dark_one() -> None:
    """The page needs no colours of its own: those of the themes, whose contrast is tested."""
    rules = report_page._dark_rules()
    assert rules.count("span[style=") >= 14
    assert "color: #5fd7d7 !important" in rules  # 80 of xterm, cyan of the theme `dark`


@pytest.mark.parametrize(
    "port",
    [
        "sim://esp32c3?sdm=1",
        *(pytest.param(f"sim://{name}", marks=pytest.mark.long) for name in chips.NAMES),
    ],
)
def test_what_a_board_does_not_tell_is_named(port: str, tmp_path: Path) -> None:
    """A chip in secure download mode, without eFuse names or with a blank flash gets a report."""
    data = json.loads(report(port, tmp_path / "board.json"))
    assert data["info"]["chip"] == port[6:].partition("?")[0]
    assert data["image bootloader"]["error"]
    assert data["lost"] is None
    for name in ("board.md", "board.html"):
        assert "Results of the script" in report(port, tmp_path / name)


@pytest.mark.parametrize(
    ("port", "lost", "status"),
    [
        ("sim://demo?fault=unplug@reply:190", "was unplugged", 3),
        ("/dev/there-is-no-such-port", "cannot open", 3),
    ],
)
def test_a_lost_board_gets_one(port: str, lost: str, status: int, tmp_path: Path) -> None:
    """--report writes at the end in any case, says why nobody answers, and keeps the status."""
    path = tmp_path / "board.json"
    lines = ["-c", "expect 1", "-c", "dump flash:app0"]
    assert cli.main(["-p", port, f"--report={path}", *lines]) == status
    data = json.loads(path.read_text())
    assert lost in data["lost"]
    assert lost in data["efuse"]["error"]
    is_known = port.startswith("sim:")  # it was there at the beginning
    assert data["info"].get("mac") == ("7c:df:a1:de:30:42" if is_known else None)
    assert data["port"] == port
    assert data["verdicts"][-1]["status"] == status


def test_a_board_that_is_lost_while_it_is_asked(tmp_path: Path) -> None:
    """What it has told stays; after the loss nothing is asked, the page says so, status 3."""
    page = report("sim://demo?fault=unplug@reply:200", tmp_path / "board.md")
    assert page.startswith("# ESP32-C3")
    assert "unplugged" in page.partition("## ")[0]
    assert "\nnot asked: " in page.partition("## ")[0]
    assert "## Pins" not in page


def test_a_failed_script_gets_one(tmp_path: Path) -> None:
    """A script that ends at its first failure has the results so far, and the board is asked."""
    path, script = tmp_path / "board.json", tmp_path / "x.espsh"
    script.write_text("expect 1\nexpect 0\nexpect 2\n")
    assert cli.main(["-p", "sim://demo", "--report", str(path), str(script)]) == 1
    data = json.loads(path.read_text())
    assert [verdict["status"] for verdict in data["verdicts"]] == [0, 1]
    assert data["info"]["mac"] == "7c:df:a1:de:30:42"


def test_a_stopped_run_asks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After SIGTERM the report has the results so far, and is there at once."""
    path = tmp_path / "board.json"
    monkeypatch.setattr(Output, "progress", lambda *_: signal.raise_signal(signal.SIGTERM))
    assert cli.main(["-p", "sim://demo", f"--report={path}", "-c", "dump flash:app0"]) == 143
    data = json.loads(path.read_text())
    assert data["lost"] == data["efuse"]["error"] == "ended by SIGTERM"


def test_the_format_is_known_before_the_board_is_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that says no format is a usage error."""
    assert cli.main(["-p", "sim://demo", "-c", f"report {tmp_path}/board.txt"]) == 2
    assert "expected a file name ending in .html, .htm, .md, .json" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
