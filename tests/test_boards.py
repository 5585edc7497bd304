"""One command line on several boards: every line is whole, the worst status counts."""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from espshell import board_programs, boards
from espshell.cli import main
from espshell.errors import BenchError, UsageError
from espshell.link.ports import PortInfo

COMMAND = [sys.executable, "-m", "espshell"]
FAULT = "&fault=kill@flash:20"
"""In the middle of writing."""
CHIPS = ("sim://esp32", "sim://esp32c3", "sim://esp32h2")

BOARDS = (
    PortInfo("/dev/ttyUSB0", 0x10C4, 0xEA60, "A50285BI", "CP2102N", "1-1"),
    PortInfo("/dev/ttyUSB1", 0x10C4, 0xEA60, "B60000", "CP2102N", "1-2"),
    PortInfo("/dev/ttyACM0", 0x303A, 0x1001, "7C:DF:A1:00:00:01", "USB JTAG", "1-3"),
    PortInfo("/dev/ttyS0"),
)


def run(ports: Sequence[str], *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    """Run the program on ports."""
    options = [word for port in ports for word in ("-p", port)]
    return subprocess.run(
        [*COMMAND, *options, *arguments], input=given, capture_output=True, text=True, check=False
    )


def test_one_dead_board_stops_no_other() -> None:
    """Each line says whose it is, the dead one is named, and its status is that of the run."""
    chips = CHIPS[1:]
    ran = run([*chips, "/dev/no-such-port"], "-c", "peek DRAM")
    assert ran.returncode == 3
    lines = sorted(line.split()[0] for line in ran.stdout.splitlines())
    assert lines == sorted(f"[{chip}]" for chip in chips)
    table = ran.stderr.splitlines()[-3:]
    assert [line.split()[0] for line in table] == [*chips, "no-such-port"]
    assert [line.split()[3] for line in table] == ["ok", "ok", "status"]
    assert "cannot open /dev/no-such-port" in table[2]


def test_json_names_the_port() -> None:
    """Each object is that of one board, with its port; an input is for all of them."""
    ran = run(
        CHIPS[:2], "--json", "-", given="peek DRAM\necho 5 | tr a-z A-Z\nexpect [DRAM] == 1\n"
    )
    objects = [json.loads(line) for line in ran.stdout.splitlines()]
    assert ran.returncode == 1
    verdicts = [(o["port"], o["command"], o["ok"]) for o in objects if "command" in o]
    assert sorted(verdicts) == [
        (chip, command, command == "peek") for chip in CHIPS[:2] for command in ("expect", "peek")
    ]
    texts = [o["port"] for o in objects if "command" not in o]
    assert sorted(texts) == [*CHIPS[:2]], "what a program writes is text, with its board"


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [
        pytest.param(signal.SIGINT, 130, "interrupted", marks=pytest.mark.long),
        (signal.SIGTERM, 143, "ended by SIGTERM"),
        pytest.param(signal.SIGHUP, 129, "ended by SIGHUP", marks=pytest.mark.long),
    ],
)
def test_a_signal_reaches_all(number: int, status: int, word: str) -> None:
    """All programs end as if they had got it themselves, and the table says how each ended."""
    command = [*COMMAND, "-p", CHIPS[0], "-p", CHIPS[1], "-c", "echo on; watch [DRAM]"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        started: set[bytes] = set()
        while len(started) < 2:  # the first to start may have written more than a line
            started.add(process.stdout.readline().split()[0])
        process.send_signal(number)
        _, errors = process.communicate()
    assert process.returncode == status
    *table, last = errors.decode().splitlines()[-3:]
    own = 130 if number == signal.SIGINT else 143
    assert [line.split()[0] for line in table] == list(CHIPS[:2])
    assert all(f" status {own}: " in line for line in table)
    assert last == f"espshell: {word}"


def test_a_board_whose_program_is_killed() -> None:
    """Its status is that of a shell, and the table says so."""
    ran = run(CHIPS[:2], "-c", "set shell on", "-c", "!kill -KILL $PPID; sleep 9")
    assert ran.returncode == 137
    assert ran.stderr.count("status 137: killed by signal 9") == 2


def test_results_that_cannot_be_written_end_the_run() -> None:
    """A full disk is status 2, as it is with one board, and not a success without results."""
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [*COMMAND, "-p", CHIPS[0], "-p", CHIPS[1], "-c", "peek DRAM"]
        ran = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stderr.endswith("espshell: cannot write the results: no space left on device\n")


DYING = 1


@pytest.mark.parametrize(
    ("boards", "as_json"),
    [(3, False), *(pytest.param(8, as_json, marks=pytest.mark.long) for as_json in (False, True))],
)
def test_boards_of_which_one_dies(boards: int, as_json: bool, tmp_path: Path) -> None:
    """The others hold the file, the dead one is named with its error, and the status is 3."""
    image = bytes(random.Random(8).randbytes(48 * 1024))
    (tmp_path / "app.bin").write_bytes(image)
    ports = [
        f"sim://esp32c3?flash-file={tmp_path}/{i}.bin{FAULT * (i == DYING)}" for i in range(boards)
    ]
    load = f"load {tmp_path}/app.bin flash:0x10000 --force"
    lines = ["-c", load, "-c", f"verify {tmp_path}/app.bin flash:0x10000"]
    ran = run(ports, "--yes", *["--json"] * as_json, *lines)
    assert ran.returncode == 3
    for i, port in enumerate(ports):
        contents = (tmp_path / f"{i}.bin").read_bytes()[0x10000:][: len(image)]
        assert (contents == image) is (i != DYING), port
    dead = (tmp_path / f"{DYING}.bin").read_bytes()
    assert dead[0x10000:0x10100] == image[:0x100], "it died before the middle"
    results: dict[str, list[bool]] = {port: [] for port in ports}
    for line in ran.stdout.splitlines():
        if as_json:
            value = json.loads(line)
            results[value["port"]].append(value["ok"])
        else:
            port, _, text = line[1:].partition("] ")
            assert text.startswith(("verified  ", "equal  "))
            results[port].append(True)
    assert [results.pop(ports[DYING])] == [[False] * as_json]
    assert list(results.values()) == [[True, True]] * (boards - 1)
    *notes, table = [ran.stderr.splitlines()[:-boards], ran.stderr.splitlines()[-boards:]]
    assert all(line.startswith(tuple(f"[{port}] " for port in ports)) for line in notes[0])
    assert [line.split()[0] for line in table] == ports
    verdicts = [line.split(" s  ", 1)[1] for line in table]
    assert verdicts.pop(DYING).startswith("status 3: load: ")
    assert verdicts == ["ok"] * (boards - 1)
    assert any(ports[DYING] in line and "in doubt" in line for line in notes[0])


@pytest.mark.parametrize(
    ("selection", "ports"),
    [
        ("serial=a5*", ["/dev/ttyUSB0"]),
        ("kind=CP210x", ["/dev/ttyUSB0", "/dev/ttyUSB1"]),
        ("vid=303a,pid=1001", ["/dev/ttyACM0"]),
        ("location=1-2", ["/dev/ttyUSB1"]),
    ],
)
def test_boards_by_their_descriptors(
    selection: str, ports: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ports are chosen among the likely ones, by patterns for what USB says of them."""
    monkeypatch.setattr(boards, "list_ports", lambda: BOARDS)
    request = boards.requested(["--ports", selection, "-c", "info"])
    assert request == boards.Request(tuple(ports), ("-c", "info"))
    everything = boards.requested(["--all-likely", "x.espsh"])
    assert everything is not None
    assert everything.ports == tuple(port.device for port in BOARDS[:3])
    with pytest.raises(UsageError, match="knows no `colour`"):
        boards.requested(["--ports=colour=red"])
    with pytest.raises(BenchError, match="no port matches"):
        boards.requested(["--ports=serial=Z*"])


@pytest.mark.parametrize(
    "arguments", [["-p", "a", "-c", "x"], ["--port=a"], ["x.espsh", "--", "-p", "a", "-p", "b"], []]
)
def test_one_board_is_not_several(arguments: list[str]) -> None:
    """A line for one board, or none, goes its usual way; what is behind -- is the script's."""
    assert boards.requested(arguments) is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "a", "-p", "a", "-c", "info"], "a is named twice; each board needs its own port"),
        (["-p", "a", "-p", "b", "-i", "-c", "info"], "the prompt works with one board; "),
        (["-p", "a", "-p", "b", "--trace=x", "-c", "info"], "--trace=x: several boards would "),
        (["-p", "a", "-p", "b", "--junit", "x", "-c", "info"], "--junit x: several boards would "),
        (["-p", "/dev/null", "-p", "/dev/../dev/null", "x"], "/dev/null and /dev/../dev/null are "),
        (["-p", "a", "-p", "b", "--bogus", "-c", "info"], "unrecognized arguments: --bogus"),
        (["-p", "a", "-p", "b", "no-such.espsh"], "cannot read no-such.espsh: no such file"),
    ],
)
def test_what_several_boards_cannot_do(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is one line and the status of a usage error, before any board is touched."""
    assert main(arguments) == 2
    assert f"espshell: {message}" in capsys.readouterr().err


def test_each_board_has_its_file(tmp_path: object) -> None:
    """{port} in the name of a file stands for the board."""
    ran = run(CHIPS[:2], f"--transcript={tmp_path}/{{port}}.txt", "-c", "echo hello")
    assert ran.returncode == 0
    for name in ("sim_esp32", "sim_esp32c3"):
        with open(f"{tmp_path}/{name}.txt", encoding="utf-8") as transcript:
            assert "echo hello" in transcript.read()


SHARED = (
    "save DRAM 64 x",
    "save DRAM 64 $1",
    "-save DRAM 64 x",
    "fails save DRAM 64 x",
    "repeat 2 save DRAM 64 x",
    "dump-mem DRAM 64 x",
    "read-flash 0 64 x",
    "snap save x",
    "sr save x",
    "efuse save x",
    "report x.html",
    "trace x",
    "log x",
    "merge-bin -o x 0 in.bin",
    "peek DRAM > x",
    "peek DRAM >> x",
    "peek DRAM | tee x",
    "peek DRAM | sort | tee -a /dev/null x | cat",
    "peek DRAM | sort 2>&1 > x",
    "peek DRAM | (sort; date) >x",
    "peek DRAM | grep '>' | tee 'x'",
    'let f = "x"; save DRAM 64 $f',
    "let i = 1; save DRAM 64 x$i",
    "alias keep = save DRAM 64; keep x",
    "source inner.espsh x",
    "for i in x y\nsave DRAM 64 $i\nend",
    "if [DRAM]\nsave DRAM 64 x\nend",
)
OWN = (
    "save DRAM 64 x-{port}",
    "save DRAM 64 {port}/$1",
    "snap load x; diff DRAM 64 x",
    "trace on; trace off; log off",
    "peek DRAM > /dev/null",
    "peek DRAM | cat",
    "peek DRAM | tee x-{port} 2>&1 | grep '>' x > /dev/null",
    'peek DRAM | tee "$(mktemp)" < /dev/stdin',
    "peek DRAM | grep 'it''s",
    "let i = [DRAM]; save DRAM 64 x$i",
    "peek DRAM; save DRAM 64 x$_",
    "source inner.espsh x-{port}",
)


@pytest.mark.parametrize("line", [*SHARED, *OWN])
def test_a_file_that_all_boards_would_write(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is refused at its line before a board is touched; a name with {port}, or a value, is not.

    ``check --several`` says the same, but of names that are arguments.
    """
    monkeypatch.chdir(tmp_path)
    started: list[bytes] = []

    def note(_request: boards.Request, given: bytes) -> int:
        started.append(given)
        return 0

    monkeypatch.setattr(board_programs, "run", note)
    Path("inner.espsh").write_text("echo $1\nsave DRAM 64 $1\n")
    Path("in.bin").write_bytes(bytes(64))
    Path("x.espsh").write_text(f"need esp32\n{line}\n")
    is_shared = line in SHARED
    words = ["-p", "a", "-p", "b", "x.espsh", "x"]
    assert main(words) == (2 if is_shared else 0)
    shown = capsys.readouterr().err
    assert bool(started) is not is_shared
    if is_shared:
        error = shown.splitlines()[0]
        assert re.match(r"(x|inner)\.espsh:[23]: [a-z -]+: x", error), error
        assert "several boards would write the same file; {port} in the name stands for" in error
    is_refused = is_shared and "$1" not in line
    assert main(["check", "--several", "x.espsh"]) == (2 if is_refused else 0)
    assert main(["check", "x.espsh"]) == 0


@pytest.mark.parametrize("line", ["save DRAM 64 x$i", "peek DRAM > x$i", "snap save x$i"])
def test_a_file_of_a_name_that_shows_when_it_runs(line: str, tmp_path: Path) -> None:
    """The first board has it, and the other is told so: no data is lost in silence."""
    (tmp_path / "x.espsh").write_text(f"snap a DRAM 4\nlet i = [DRAM]\n{line}\n{line}\necho on\n")
    command = [*COMMAND, "-p", CHIPS[1], "-p", CHIPS[2], "x.espsh"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    errors = [text for text in ran.stderr.splitlines() if "has written it" in text]
    assert re.match(r"\[(.*)\] x.espsh:3: (save|peek|snap): x0: the board on ", errors[0])
    assert ran.stdout.count("] on") == 1
    assert (tmp_path / "x0").stat().st_size > 0


def test_the_port_in_lines(tmp_path: Path) -> None:
    """{port} stands for the board in lines of a script and in options, of one board as of many."""
    (tmp_path / "x.espsh").write_text('log {port}.log\nlet f = "{port}"\npeek DRAM > $f.txt\n')
    command = [*COMMAND, "-p", CHIPS[1], "--junit", "{port}.xml", "x.espsh"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"x.espsh", *(f"sim_esp32c3.{kind}" for kind in ("log", "txt", "xml"))}
