"""What a line of a script costs, in function calls and memory: seconds cannot be repeated."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import FrameType

import pytest

from espshell import cli
from espshell.shell import lines, registry
from espshell.shell.declaration import Verb
from espshell.shell.language.grammar import Command

SIM = "sim://esp32c3"
RECORDS: tuple[list[str], ...] = (
    [],
    ["--json"],
    ["--junit={folder}/junit.xml"],
    ["--log={folder}/log.txt"],
)
CALLS = 1_500
"""The most function calls of a line, those of the simulated chip included."""


def script(folder: Path, count: int) -> Path:
    """Write a script of so many lines, each another one."""
    path = folder / f"{count}.espsh"
    path.write_text("".join(f"peek {0x3FC9_0000 + 4 * i:#x}\n" for i in range(count)))
    return path


def calls(arguments: list[str]) -> int:
    """Run the program; return the number of function calls."""
    count = 0

    def profile(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        assert cli.main(["-p", SIM, *arguments]) == 0
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.parametrize("records", RECORDS)
def test_calls_of_a_line(
    records: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each line costs the same, however many there are and whatever is written down."""
    options = [option.format(folder=tmp_path) for option in records]
    calls([*options, str(script(tmp_path, 1))])  # what is loaded on first use
    small, medium, large = (calls([*options, str(script(tmp_path, n))]) for n in (5, 15, 45))
    assert (medium - small) / 10 < CALLS
    assert (large - medium) / 30 < (medium - small) / 10 * 1.1 + 20


@pytest.mark.long
@pytest.mark.parametrize("records", RECORDS)
def test_memory_of_many_lines(records: list[str], tmp_path: Path) -> None:
    """4,000 lines take at most 3 MiB more than 400 do."""
    program = (
        "import resource, sys; from espshell import cli; assert cli.main(sys.argv[1:]) == 0;"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)"
    )
    options = [option.format(folder=tmp_path) for option in records]
    sizes = []
    for count in (400, 4_000):
        words = ["-p", SIM, *options, str(script(tmp_path, count))]
        command = [sys.executable, "-c", program, *words]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        sizes.append(int(ran.stderr.split()[-1]) * (1 if sys.platform == "darwin" else 1024))
    assert sizes[1] - sizes[0] < 3 << 20


def test_a_line_is_bound_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a line means is found once, however often it is checked, repeated and run."""
    bound: list[str] = []
    bind = registry.bind

    def counted(verb: Verb, command: Command) -> registry.Bound:
        bound.append(command.text)
        return bind(verb, command)

    monkeypatch.setattr(registry, "bind", counted)
    lines.prepared_alike.cache_clear()
    path = tmp_path / "loop.espsh"
    path.write_text("repeat 5\npeek DRAM\nfails expect 1 == 2\nend\n" + "peek DRAM\n" * 5)

    assert cli.main(["-p", SIM, str(path)]) == 0
    assert sorted(bound) == ["expect 1 == 2", "fails expect 1 == 2", "peek DRAM"]
