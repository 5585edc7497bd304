"""What a run leaves behind for others: verdicts as JUnit XML, a log with the time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from espshell.cli import main

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


def suites(path: Path) -> list[TestSuite]:
    """Return the suites of a file."""
    return list(JUnitXml.fromfile(str(path)))


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
