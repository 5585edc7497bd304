"""A table of small scripts, run as processes: stdout, the shape of stderr, exit status.

Each row is a script, what is on stdout, a pattern for all of stderr, and the status.  The rows of a
group run in one process each through ``sh``, so that streams are real ones.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from espshell.shell.commands import VERBS as COMMANDS
from tests.shell import example_files

FILE = "{program} -p '{port}' {options} x.espsh {arguments}"
PIPE = "cat x.espsh | {program} -p '{port}' {options} - {arguments}"
SIM = "sim://esp32c3"
PROGRAM = f"{sys.executable} -m espshell"
RAM = "0x3fc90000"


@dataclass(frozen=True)
class Row:
    """One script and what must come of it; ``out`` None: whatever."""

    text: str
    status: int = 0
    out: str | None = ""
    err: str = ""
    options: str = ""
    how: str = FILE
    port: str = SIM
    arguments: str = ""


def _bad(text: str, reason: str, *, line: int = 1, command: str | None = None, **more: str) -> Row:
    """Return a script that is wrong before anything runs: one line with its place, and the line."""
    name = text.splitlines()[line - 1].split()[0] if command is None else command
    start = f"x.espsh:{line}: " + (f"{name}: " if name else "")
    return Row(text, 2, "", rf"{re.escape(start)}{reason}.*\n    .*\n", **more)


SYNTAX = (
    _bad("pook 1", "unknown command `pook`"),
    _bad("echo a\npook 1", "unknown command `pook`", line=2),
    _bad("peek", ""),
    _bad("peek 3ff40000", "`3ff40000` is not a number; did you mean `0x3ff40000`"),
    _bad("peek 010", ""),
    _bad("peek 0x3fc90000 4 5 6", ""),
    _bad("peek --bogus 0", ""),
    _bad("echo $x", "", command=None),
    _bad("echo $1", ""),
    _bad("let x 1", ""),
    _bad("expect", ""),
    _bad("expect 1 +", ""),
    _bad("expect (1", "", command=""),
    _bad("expect 1 == 2 == ", ""),
    _bad('echo "a', "unclosed", command=""),
    _bad("need esp99", ""),
    _bad("wait -t x 1", ""),
    _bad("sleep x", ""),
    _bad("load nosuch.bin flash:0", "cannot read nosuch.bin"),
    _bad("load x.bin", ""),
    _bad("source nosuch.espsh", "cannot read nosuch.espsh"),
    _bad("save ROM0 nosuch/x.bin", ""),
    _bad("peek NOSUCH", "`NOSUCH` is not a known name"),
    _bad("peek UART0.NOSUCH", ""),
    _bad("repeat 2\necho x", "`repeat` has no `end`", command=""),
    _bad("if [DRAM\necho x\nend", r"unclosed `\[` at column 4", command=""),
    _bad("for i in 1 (2\nend", r"unclosed `\(`", command=""),
    _bad("fails if 1", "`if` belongs to a block"),
    _bad("repeat 2 for i in 1", "`for` belongs to a block"),
    _bad("end", "`end` is outside of any block", command=""),
    _bad("if 1\nelse\nelse\nend", "a second `else`", line=3, command=""),
    _bad("if 0\npook\nend", "unknown command", line=2),
    _bad("for i of 1 2\nend", "a loop is"),
    _bad("for i in 1\nelse\nend", "`else` belongs to `if`", line=2, command=""),
)

RUNS = (
    Row("echo hello", out="hello\n"),
    Row("# nothing\n\n   \n"),
    Row("echo a;echo b ; echo c", out=None),
    Row("echo a ; echo b", out="a\nb\n"),
    Row("echo one \\\n  two", out="one two\n"),
    Row("\ufeffecho bom", out="bom\n"),
    Row("echo crlf\r\necho two\r\n", out="crlf\ntwo\n"),
    Row("let x = 2 + 3\necho $x ${y:-none}", out="5 none\n"),
    Row("echo $1 ${2:-b}", out="a b\n", arguments="a"),
    Row(f"poke {RAM} 7 > /dev/null\npeek {RAM}\necho $_", out="0x3fc90000  0x00000007  7\n7\n"),
    Row("-expect 0\necho $?", out="1\n", err=r"x\.espsh:1: expect: .*\(ignored\)\n"),
    Row("fails expect 0\necho on", out=None),
    Row("for i in 0..3\necho $i\nend", out="0\n1\n2\n"),
    Row("for i in 0..8..4 x\necho $i\nend", out="0\n4\nx\n"),
    Row("repeat 2\necho x\nend", out="x\nx\n"),
    Row("if 0\necho a\nelse\necho b\nend", out="b\n"),
    Row(f"if [{RAM}] == 0\necho zero\nend", out="zero\n"),
    Row("source in.espsh 7", out="in 7\n"),
    Row("echo a > f\necho b >> f\necho c | cat - f", out="c\na\nb\n"),
    Row("quit 5\necho no", 5),
    Row("need esp32c3 esp32", out=None),
    Row("echo ok", out="ok\n", options="--chip esp32c3"),
    Row("wait -t 1 1 == 1", out=None),
    Row("sleep 1\necho slept", out="slept\n"),
    Row("poke 0x3fc90000 5\npeek 0x3fc90000", out=None, err="dry run: .*\n", options="--dry-run"),
)

FINDINGS = (
    Row("expect 1 == 2\necho no", 1, "", r"x\.espsh:1: expect: `1 == 2` is false.*\n    .*\n"),
    Row("expect -m why 0", 1, "", r"x\.espsh:1: expect: why: .*\n    .*\n"),
    Row("need esp32", 1, "", r"x\.espsh:1: need: this is an ESP32-C3.*\n    .*\n"),
    Row("wait -t 0.2 0", 1, None, r"x\.espsh:1: wait: .*\n    .*\n"),
    Row("fails echo a", 1, None, r"x\.espsh:1: fails: .*\n    .*\n"),
    Row("verify x.bin flash:0", 1, None, r"(.*\n)*x\.espsh:1: verify: .*\n    .*\n"),
    Row("diff ROM0..+16 ROM0+16..+16", 1, None, r"x\.espsh:1: diff: .*\n    .*\n"),
    Row("source fails.espsh\necho no", 1, "", r"fails\.espsh:2: expect: .*\n    expect 0\n"),
    Row("for i in 0 1\nexpect $i == 0\nend", 1, None, r"x\.espsh:2: expect: .*\n    .*\n"),
    Row("expect 0\necho on", 1, "on\n", r"x\.espsh:1: .*\n    .*\n", "--keep-going"),
    Row("expect 0\npeek 0x10\necho on", 2, "on\n", r"(.*\n){4}", "--keep-going"),
    Row("peek 0x10\nexpect 0\nquit", 2, "", r"(.*\n){4}", "--keep-going"),
)

POLICIES = (
    Row("peek 0x10", 2, "", r"x\.espsh:1: peek: .*0x00000010.*\n    peek 0x10\n"),
    Row("poke ROM0 0", 2, "", r"x\.espsh:1: poke: .*\n    .*\n"),
    Row("erase flash:0 0x1000", 2, "", r"(.*\n)?x\.espsh:1: erase: .*--yes.*\n    .*\n"),
    Row("erase chip", 2, "", r"(.*\n)?x\.espsh:1: erase: .*--yes.*\n    .*\n"),
    Row("load x.bin flash:0x10000 --force", 2, "", r"(.*\n)*x\.espsh:1: load: .*\n    .*\n"),
    Row("memtest 0x3fc98000 64", 2, "", r"x\.espsh:1: memtest: .*\n    .*\n"),
    Row("erase flash:0x20000 0x1000", 0, None, r"(.*\n)*", "--yes"),
    Row("erase flash:0x20000 0x10", 2, None, r"(.*\n)?x\.espsh:1: erase: .*\n    .*\n", "--yes"),
    Row(
        "load x.bin flash:0x20010 --force",
        2,
        None,
        r"(.*\n)*x\.espsh:1: load: .*\n    .*\n",
        "--yes",
    ),
    Row("sr set QE=1", 2, None, r"(.*\n)*x\.espsh:1: sr set: .*\n    .*\n"),
)

BENCHES = (
    Row("info", 3, "", r"espshell: cannot open /dev/nosuch.*\n", port="/dev/nosuch"),
    Row("info", 2, "", r"espshell: expected a chip.*\n", port="sim://esp99"),
    Row("info", 2, "", r"espshell: cannot open `nosuch://x`.*\n", port="nosuch://x"),
    Row("info", 3, "", r"espshell: .*\n", port="sim://esp32c3?fault=unplug@request:1"),
    Row(
        "echo on\ndump ROM0 64k > f\necho no",
        3,
        "on\n",
        r"(.*\n)*x\.espsh:2: dump: .*\n    .*\n(.*\n)*",
        port="sim://esp32c3?fault=unplug@request:60",
    ),
    Row("echo ok", 2, "", r"espshell: .*--bogus.*\n", "--bogus"),
    Row("info", 2, "", r"espshell: .*esp99.*\n", "--chip esp99"),
    Row("info", 2, "", r"espshell: .*\n", "--chip esp32"),
)

SHELLS = (
    Row("echo a\n\n\necho b", out="a\nb\n", how="{program} -p {port} < x.espsh"),
    Row(
        "echo a\n\npook",
        2,
        "",
        r"<stdin>:3: pook: .*\n    pook\n",
        how="{program} -p {port} - < x.espsh",
    ),
    Row(
        "expect 0\necho no",
        1,
        "",
        r"<stdin>:1: .*\n    .*\n",
        how="cat x.espsh | {program} -p {port}",
    ),
    Row(
        "echo a\nexpect 0",
        1,
        "a\n",
        r"<stdin>:2: .*\n    .*\n",
        how="cat x.espsh | {program} -p {port} -",
    ),
    Row(
        "dump ROM0 64k --all", 0, "40000000\n", how="{program} -p {port} x.espsh | head -c 8; echo"
    ),
    Row(
        "dump ROM0",
        2,
        "",
        r"(.*\n)*.*no space left on device\n(.*\n)*",
        how="{program} -p {port} x.espsh > /dev/full",
    ),
    Row("dump ROM0 64k > /dev/full", 2, "", r"x\.espsh:1: dump: .*no space left.*\n    .*\n"),
    Row("save ROM0 1k /dev/full", 2, "", r"x\.espsh:1: save: .*no space left.*\n    .*\n"),
    Row("echo a", 0, "", how="{program} -p {port} x.espsh >&-"),
    Row("echo a", 0, "a\n", how="{program} -p {port} x.espsh <&-"),
    Row("echo a", 2, "", r"espshell: cannot read folder: .*\n", how="{program} -p {port} folder"),
    Row("echo a", 2, "", r"espshell: .*binary.espsh.*\n", how="{program} -p {port} binary.espsh"),
    Row("pook\npeek 1 2 3", 2, "", r"x\.espsh:1:1: pook: (.*\n){4}", how="{program} check x.espsh"),
    Row("echo $1", 0, how="{program} check x.espsh"),
)

ROWS = (*SYNTAX, *RUNS, *FINDINGS, *POLICIES, *BENCHES, *SHELLS)


def blank(row: Row) -> Row:
    """Return a row whose script begins with two blank lines and a comment, from a pipe."""

    def below(match: re.Match[str]) -> str:
        return f"<stdin>:{int(match[1]) + 3}:"

    text = "\ufeff" * row.text.startswith("\ufeff") + "\n  \n# a comment\n"
    err = re.sub(r"x\\\.espsh:(\d+):", below, row.err)
    return replace(row, text=text + row.text.removeprefix("\ufeff"), how=PIPE, err=err)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the files that the rows name."""
    (tmp_path / "x.bin").write_bytes(b"data" * 1024)
    (tmp_path / "in.espsh").write_text("echo in $1\n")
    (tmp_path / "fails.espsh").write_text("echo x > /dev/null\nexpect 0\n")
    (tmp_path / "binary.espsh").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "folder").mkdir()
    return tmp_path


def run(row: Row, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a row."""
    (folder / "x.espsh").write_bytes(row.text.encode())
    values = {"program": PROGRAM, "port": row.port, "options": row.options}
    command = row.how.format(**values, arguments=row.arguments)
    root = str(Path(__file__).parents[1])
    return subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": root},
    )


def test_there_are_enough() -> None:
    """Every class of error, policy, sources, blocks and streams have rows."""
    assert len(ROWS) >= 80


@pytest.mark.long
@pytest.mark.parametrize("row", ROWS, ids=[f"{i}-{row.text[:30]!a}" for i, row in enumerate(ROWS)])
def test_a_script(row: Row, folder: Path) -> None:
    """Results are on stdout, one error with its place on stderr, and the status says whose."""
    ran = run(row, folder)
    assert (ran.returncode, ran.stderr) == (row.status, ran.stderr)
    assert re.fullmatch(row.err, ran.stderr), ran.stderr
    assert row.out is None or ran.stdout == row.out


@pytest.mark.long
@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.how == FILE], ids=lambda row: ascii(row.text[:30])
)
def test_a_script_from_a_pipe(row: Row, folder: Path) -> None:
    """Standard input that is piped behaves as a file does, blank lines and errors included."""
    test_a_script(blank(row), folder)


@pytest.mark.long
@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.how == FILE], ids=lambda row: ascii(row.text[:30])
)
def test_a_pipe_is_as_a_file(row: Row, folder: Path) -> None:
    """Results, errors and status are the same to the letter, but for the name and for times."""
    file, pipe = run(row, folder), run(replace(row, how=PIPE), folder)
    assert pipe.returncode == file.returncode
    assert without_times(pipe.stdout) == without_times(file.stdout)
    assert without_times(pipe.stderr) == without_times(file.stderr.replace("x.espsh:", "<stdin>:"))


def without_times(text: str) -> str:
    """Return a text without durations."""
    return re.sub(r"\d+(\.\d+)? (s|ms|kB/s)\b", "T", text)


@pytest.mark.long
def test_a_transcript_runs_again(folder: Path) -> None:
    """The transcript of a session gives the same results as the session."""
    text = f"let x = 3\nfor i in 1 2\npoke {RAM} $i + 1\npeek {RAM}\nend\nsource in.espsh $x\n"
    first = run(Row(text.replace("$i + 1", "$i"), options="--transcript t.espsh"), folder)
    assert (first.returncode, first.stderr) == (0, "")
    again = run(Row((folder / "t.espsh").read_text()), folder)
    assert (again.returncode, again.stdout) == (0, first.stdout)


ELSEWHERE = ("log ", "quit", "!", "cd ", "shell", "monitor", "watch", "ports", "connect")
"""Examples of what is for a person, another port, or the transcript itself."""


@pytest.mark.long
def test_a_long_session_runs_again(folder: Path) -> None:
    """The examples of all commands in one session, and its transcript: the same, errors too."""
    example_files.write(folder)
    examples = [e for verb in COMMANDS.verbs() for e in verb.examples]
    lines = [e for e in dict.fromkeys(examples) if not e.startswith(ELSEWHERE)]
    assert len(lines) > 90
    options = "--yes --keep-going"
    row = Row("\n".join(lines), options=f"{options} --transcript t.espsh", port="sim://demo")
    first = run(row, folder)
    again = run(replace(row, text=(folder / "t.espsh").read_text(), options=options), folder)
    assert again.stdout.splitlines() == first.stdout.splitlines()
    assert again.returncode == first.returncode
    assert [*errors_of(again.stderr)] == [*errors_of(first.stderr)]


def errors_of(text: str) -> Iterator[str]:
    """Yield the errors without their places and the names of their commands."""
    for line in text.splitlines():
        if match := re.match(r"x\.espsh:\d+: [^:]+: (.*)", line):
            yield match[1]
