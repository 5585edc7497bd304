"""What a run leaves behind for others: verdicts as JUnit XML, a log with the time."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from espshell import boards
from espshell.cli import main
from espshell.errors import BenchError, DeviceError, EspError, UsageError
from espshell.ops.result import Step
from espshell.shell.junit import Case, Report
from espshell.shell.output import Output

if TYPE_CHECKING:
    import xmlschema

SIM = "sim://esp32c3"
LINES = """
need esp32c3
poke DRAM 1
expect [DRAM] == 1
-expect [DRAM] == 2
expect -m "three \x1b" [DRAM] == 3
fails expect 0
wait -t 0.1 [DRAM] == 9
peek 0x10
"""


SCHEMA = Path(__file__).parent / "data" / "junit-10.xsd"


@cache
def schema() -> xmlschema.XMLSchema10:
    """Return the schema of the Jenkins xUnit plugin."""
    import xmlschema

    return xmlschema.XMLSchema10(SCHEMA)


def suites(path: Path) -> list[TestSuite]:
    """Return the suites of a file that the schema allows."""
    schema().validate(str(path))
    return list(JUnitXml.fromfile(str(path)))


def named(path: Path) -> dict[str, type | None]:
    """Return what each case of a file is, by its name."""
    return {case.name: kinds([case])[0] for suite in suites(path) for case in suite}


def kinds(cases: list[TestCase]) -> list[type | None]:
    """Return what each case is, None if it has passed."""
    return [type(case.result[0]) if case.result else None for case in cases]


def test_every_verdict_is_a_case(tmp_path: Path) -> None:
    """Findings are failures, other faults errors, what may fail is skipped; output is attached."""
    script, report = tmp_path / "x.espsh", tmp_path / "x.xml"
    script.write_text(LINES)
    assert main(["-p", SIM, "--keep-going", f"--junit={report}", str(script)]) == 2
    (suite,) = suites(report)
    cases = list(suite)
    assert [case.name.partition(":")[0] for case in cases] == ["2", "4", "5", "6", "7", "8", "9"]
    assert kinds(cases) == [None, None, Skipped, Failure, None, Failure, Error]
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (7, 2, 1, 1)
    assert r"three \x1b: `[DRAM] == 3` is false" in cases[3].result[0].message
    assert cases[1].system_out == "true  [DRAM] == 1  (0x1 == 0x1)\n"
    properties = {item.name: item.value for item in suite.properties()}  # type: ignore[no-untyped-call]
    assert properties["chip"] == "esp32c3"
    assert properties["mac"].count(":") == 5
    assert properties["port"] == SIM


def test_a_sourced_script_is_a_suite_of_its_own(tmp_path: Path) -> None:
    """A case is in the suite of the file that has its line."""
    inner, outer, report = (tmp_path / name for name in ("inner.espsh", "outer.espsh", "x.xml"))
    inner.write_text("expect 1\n")
    outer.write_text("source inner.espsh\nexpect 2\n")
    assert main(["-p", SIM, f"--junit={report}", str(outer)]) == 0
    assert {Path(s.name).name: s.tests for s in suites(report)} == {
        "inner.espsh": 1,
        "outer.espsh": 1,
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "/dev/no-such-port", "-c", "info"], "cannot open /dev/no-such-port"),
        (["-p", SIM, "-c", "pook"], "unknown command `pook`"),
    ],
)
def test_a_run_that_does_not_begin_is_an_error(
    arguments: list[str], message: str, tmp_path: Path
) -> None:
    """A port that is not there, or a wrong line, is in the file, too: no file means no run."""
    report = tmp_path / "x.xml"
    assert main([f"--junit={report}", *arguments]) > 1
    (suite,) = suites(report)
    (case,) = suite
    assert kinds([case]) == [Error]
    assert message in case.result[0].message


KINDS = """
alias chk = expect
chk 1
repeat 2 expect 1
memtest DRAM 64
for i in 1 2
expect $i
end
if [0x10] == 1
echo x
end
poke DRAM 1//([DRAM]-[DRAM])
"""


def test_what_a_case_is(tmp_path: Path) -> None:
    """An alias, what a command holds, a round of a loop, a head that fails: each is a case."""
    script, report = tmp_path / "x.espsh", tmp_path / "x.xml"
    script.write_text(KINDS)
    main(["-p", SIM, "--yes", "--keep-going", f"--junit={report}", str(script)])
    assert named(report) == {
        "3: expect 1": None,
        "4: repeat 2 expect 1": None,
        "5: memtest DRAM 64": None,
        "7: expect $i": None,
        "7: expect $i (2)": None,
        "9: if [0x10] == 1": Error,
        "12: poke DRAM 1//([DRAM]-[DRAM])": Error,
    }


def test_a_failure_in_a_sourced_file_is_one_failure(tmp_path: Path) -> None:
    """The line that sources it is not a second one; a file that cannot be read is its own."""
    inner, outer, report = (tmp_path / name for name in ("in.espsh", "out.espsh", "x.xml"))
    inner.write_text("expect 0\n")
    outer.write_text("fails source in.espsh\nsource in.espsh\n")
    assert main(["-p", SIM, f"--junit={report}", str(outer)]) == 1
    assert named(report) == {
        "1: expect 0": Failure,
        "1: fails source in.espsh": None,
        "1: expect 0 (2)": Failure,
    }


@pytest.mark.parametrize(
    ("port", "line", "status"),
    [
        (f"{SIM}?fault=unplug@reply:60", "dump ROM0 4096", 3),
        (SIM, "dump ROM0 4096", 130),
        (SIM, "dump ROM0 4096", 143),
    ],
)
def test_a_run_that_is_cut_short(
    port: str, line: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost port, Ctrl-C and SIGTERM are errors of the line that was running, and no more run."""

    def stop(_output: Output, _step: Step) -> None:
        signal.raise_signal(status - 128)

    if status > 128:
        monkeypatch.setattr(Output, "progress", stop)
    script, report = tmp_path / "x.espsh", tmp_path / "x.xml"
    script.write_text(f"expect 1\n{line}\nexpect 2\n")
    assert main(["-p", port, f"--junit={report}", str(script)]) == status
    assert named(report) == {"1: expect 1": None, f"2: {line}": Error}


def test_ctrl_c_ends_a_run_that_keeps_going(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error of its line like any other, and yet no line behind it is run."""

    def press(_output: Output, _step: Step) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Output, "progress", press)
    script, report = tmp_path / "x.espsh", tmp_path / "x.xml"
    script.write_text("dump ROM0 4096\nexpect 2\n")
    assert main(["-p", SIM, "--keep-going", f"--junit={report}", str(script)]) == 130
    assert named(report) == {"1: dump ROM0 4096": Error}


def test_several_boards_write_a_file_each(tmp_path: Path) -> None:
    """With {port} in its name; without it nothing runs, however the option is spelled."""
    words = ["-p", SIM, "-p", "sim://esp32", "-c", "expect 1"]
    for option in (["--junit", "x.xml"], ["--junit=x.xml"], ["--log", "x"], ["--trace=x"]):
        with pytest.raises(UsageError, match="several boards would write the same file"):
            boards.requested([*words, *option])
    command = [sys.executable, "-m", "espshell", *words]
    subprocess.run([*command, "--junit", f"{tmp_path}/{{port}}.xml"], check=True)
    assert [named(path) for path in tmp_path.iterdir()] == 2 * [{"1: expect 1": None}]


@given(
    st.text(),
    st.text(st.characters(max_codepoint=0xA0) | st.sampled_from("\ud800\udcff\ufffe\uffff]>&")),
    st.sampled_from([None, DeviceError, BenchError, UsageError]),
)
@settings(max_examples=15)
def test_any_text_is_one_that_xml_can_hold(
    text: str, hostile: str, kind: type[EspError] | None
) -> None:
    """Names, messages and outputs of any characters are valid, and read back as they are shown."""
    report = Report(Path("is not written"))
    report.properties["x"] = hostile
    error = kind(hostile or "x", hint=text) if kind else None
    report.add(Case(hostile, text, output=hostile + text, is_ignored=len(text) % 2 == 1), error)
    document = report.document()
    schema().validate(document)
    (suite,) = JUnitXml.fromstring(document)
    (case,) = suite
    assert bool(case.result) == (kind is not None)


def test_a_report_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """An old one stays if the new one cannot be put into UTF-8 or on the disk."""
    report = Report(tmp_path / "x.xml")
    report.path.write_text("old")
    with patch.object(Report, "document", lambda _: "\ud800"), pytest.raises(UnicodeEncodeError):
        report.write()
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_report_names_the_first_board(tmp_path: Path) -> None:
    """It is described once, also if another one is connected later."""
    report = tmp_path / "x.xml"
    line = "expect 1; connect sim://esp32; expect 2"
    assert main(["-p", SIM, f"--junit={report}", "-c", "peek ROM0", "-c", line]) == 0
    (suite,) = suites(report)
    properties = {item.name: item.value for item in suite.properties()}  # type: ignore[no-untyped-call]
    assert (properties["chip"], properties["port"]) == ("esp32c3", SIM)


def test_a_report_that_cannot_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its folder is looked for before anything runs."""
    assert main([f"--junit={tmp_path}/none/x.xml", "-p", SIM, "-c", "echo x"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "none" in err


def test_a_log_has_the_time_before_each_line(tmp_path: Path) -> None:
    """Commands, what they show, and errors, each with the time; runs are appended."""
    log = tmp_path / "x.log"
    for line in ("echo one", "expect 0"):
        main([f"--log={log}", "-p", SIM, "-c", line])
    texts = []
    for line in log.read_text().splitlines():
        match = re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z  (.*)", line)
        assert match, line
        texts.append(match[1])
    assert texts[1:3] == ["> echo one", "one"]
    assert texts[4] == "> expect 0"
    assert texts[5].startswith("expect: `0` is 0x0")
