"""Records of a run that cannot be written to their end: each is named once, and the status says so.

The end comes when the run is at its line `echo`.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from espshell.cli import main
from espshell.link.trace import read_recording
from espshell.shell.declaration import Outcome
from espshell.shell.lines import Prepared
from espshell.shell.runner import Runner

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and limits of files")

FOLDER = Path("there")
NAMES = {
    "log": "x.log",
    "transcript": "x.espsh",
    "trace": "x.jsonl",
    "junit": "x.xml",
    "report": "x.json",
}


def fill() -> None:
    """Let files grow by a few more bytes, and no further."""
    import resource

    sizes = [path.stat().st_size for path in FOLDER.iterdir()]
    most = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (max(sizes, default=0) + 5, most))


def remove() -> None:
    """Remove the folder of the record."""
    shutil.rmtree(FOLDER)


def close() -> None:
    """Close the file behind the back of who writes it."""
    for number in os.listdir("/proc/self/fd"):
        try:
            is_record = str(FOLDER.resolve()) in os.readlink(f"/proc/self/fd/{number}")
        except OSError:  # that of the list itself
            continue
        if is_record:
            os.close(int(number))


def run(
    words: list[str], end: Callable[[], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> int:
    """Run the program, with an end in its middle."""
    import resource

    execute = Runner.execute

    def ending(runner: Runner, prepared: Prepared) -> Outcome:
        if prepared.verb.name == "echo":
            end()
        return execute(runner, prepared)

    monkeypatch.setattr(Runner, "execute", ending)
    monkeypatch.chdir(tmp_path)
    FOLDER.mkdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        return main(["-p", "sim://esp32c3", *words])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def ways() -> list[tuple[str, bool]]:
    """Return each record, and whether a line of the script begins it."""
    return [*((kind, False) for kind in NAMES), ("log", True), ("trace", True)]


LINES = ["-c", "peek DRAM", "-c", "echo on", "-c", "peek DRAM", "-c", "expect [DRAM] == 0"]


@pytest.mark.parametrize("end", [fill, remove, close])
@pytest.mark.parametrize(("kind", "by_line"), ways())
def test_a_record_that_ends_early(
    kind: str,
    by_line: bool,
    end: Callable[[], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The status is 2, one line names the record, and what is in the file can be read."""
    path = FOLDER / NAMES[kind]
    words = ["-c", f"{kind} {path}"] if by_line else [f"--{kind}={path}"]
    status = run([*words, *LINES], end, tmp_path, monkeypatch)
    out, err = capsys.readouterr()
    assert len(out.splitlines()) >= 4, "the lines have run to their end"
    assert "Traceback" not in err
    if end is close and kind in ("junit", "report"):  # it is not open yet
        assert (status, err.count(str(path))) == (0, 0)
    else:
        assert (status, err.count(str(path))) == (2, 1), err
    name = "transcript" if (kind, by_line) == ("log", True) else kind
    if status and kind not in ("junit", "report"):
        assert f"the {name} {path} ends here: " in err
    if not path.exists():
        assert end is remove or status
        return
    text = path.read_text()
    if kind == "junit":
        ElementTree.fromstring(text)
    elif kind == "report":
        json.loads(text)
    elif kind == "trace":
        assert read_recording(path)
    else:
        assert text.endswith("\n")
        assert name != "transcript" or main(["check", str(path)]) == 0


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_all_records_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is named once, the worst status counts, and the lines run to their end."""
    (tmp_path / "full.html").symlink_to("/dev/full")
    words = ["--trace=/dev/full", "--keep-going", "--junit=/dev/full", "--report=full.html"]
    status = run([*words, *LINES, "-c", "expect [DRAM] == 1"], int, tmp_path, monkeypatch)
    out, err = capsys.readouterr()
    assert (status, len(out.splitlines())) == (2, 4)
    assert err.count("no space left on device") == 3
    assert err.count("the trace /dev/full ends here") == err.count("cannot write full.html") == 1
    assert err.count("cannot write /dev/full") == 1
