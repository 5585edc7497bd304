"""Every long command, stopped in its middle in every way: what is said, left behind and returned.

A row of ``JOBS`` is a command; a row of ``ENDS`` is what stops it.  The place of the end is counted
in exchanges of the simulated wire (``ends_program``), so it is the same in every run.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import pytest

from tests.shell import example_files

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs signals and fork")


@dataclass(frozen=True)
class Job:
    """A command; ``before``: lines that run first; ``changes``: it writes flash."""

    line: str
    before: tuple[str, ...] = ()
    changes: bool = False
    port: str = "sim://demo"
    shows: bool = True
    """Whether it writes to stdout when it is run to its end."""
    streams: bool = False
    """Whether it writes to stdout before its end."""
    writes: str = ""
    """The file that it writes."""


NEW = "new.bin"
JOBS = {
    "load": Job(f"load {NEW} flash:app1 --force", changes=True),
    "load memory": Job("load data.bin DRAM --force"),
    "load and more": Job(f"load {NEW} flash:app1 --force --all --keep-edges", changes=True),
    "save flash": Job("save flash:app0 f.bin", writes="f.bin"),
    "save hex": Job("save flash:app0 64K f.hex", writes="f.hex"),
    "save memory": Job("save DRAM 64K f.bin", writes="f.bin"),
    "erase": Job("erase flash:app0", changes=True),
    "erase chip": Job("erase chip", changes=True, port="sim://demo?sr=0"),
    "verify": Job(f"verify {NEW} flash:app0", port="sim://demo?sr=0"),
    "verify --diff": Job(f"verify {NEW} flash:app0 --diff"),
    "copy": Job("copy DRAM 4K (DRAM + 0x2000)"),
    "copy flash": Job("copy flash:app0 16K flash:app1 --force", changes=True),
    "fill": Job("fill DRAM 4K 0x12345678"),
    "fill flash": Job("fill flash:app1 16K 0x12345678", changes=True),
    "poke flash": Job("poke flash:app1 1", changes=True),
    "hash": Job("hash DRAM 16K sha256"),
    "hash flash": Job("hash flash:app0 sha256"),
    "find": Job("find DRAM 16K 0x12345678"),
    "find flash": Job('find flash:app0 "nosuchtext"'),
    "dump": Job("dump DRAM 16K --all", streams=True),
    "dump flash": Job("dump flash:app0 16K --all", streams=True),
    "dump > file": Job("dump DRAM 16K --all > f.txt", shows=False, writes="f.txt"),
    "dump >> file": Job("dump DRAM 16K --all >> data.bin", shows=False, writes="data.bin"),
    "diff": Job("diff flash:app0 16K flash:app1 16K"),
    "memtest": Job("memtest (DRAM + 0x8000) 256"),
    "memtest --restore": Job("memtest (DRAM + 0x8000) 256 --restore"),
    "loadram": Job("loadram program.bin --check --no-monitor"),
    "loadram and listen": Job(
        "loadram program.bin --until nosuchtext -t 5", port="sim://demo?says=hello"
    ),
    "snap": Job("snap a DRAM 16K"),
    "write-flash-status": Job("write-flash-status --non-volatile 0x0", changes=True),
    "sr set": Job("sr set BP=0", changes=True),
    "sr save": Job("sr save f.json", writes="f.json"),
    "sr protect": Job("sr protect flash:0 1M", changes=True),
    "efuse save": Job("efuse save f.json", writes="f.json"),
    "efuse": Job("efuse"),
    "link": Job("link"),
    "baud auto": Job("baud auto"),
    "baud": Job("baud 921600"),
    "stub": Job("stub always", before=("peek ROM0",)),
    "reconnect": Job("reconnect", before=("peek ROM0",)),
    "wait": Job("wait -t 5 [DRAM] == 1"),
    "repeat": Job("repeat 20 peek DRAM", streams=True),
    "watch": Job("watch --count 20 --interval 100ms [DRAM]", streams=True),
    "sleep": Job("repeat 5 sleep 1", before=("peek ROM0",), shows=False),
    "monitor": Job("monitor --run -t 2", before=("peek ROM0",), port="sim://demo?says=hello"),
    "source": Job("source lines.espsh", streams=True),
    "report": Job("report f.json", writes="f.json"),
    "info": Job("info"),
    "parts": Job("parts"),
    "compare": Job("compare sim://esp32c3"),
    "undo": Job("undo", before=("fill DRAM 256 1",)),
    "gpio": Job("gpio 5 pulse 20"),
    "call": Job("call 0x40000000 1 2"),
    "esptool write": Job(f"esptool write-flash 0x110000 {NEW} --force", changes=True),
    "esptool read": Job("esptool read-flash 0x10000 0x8000 f.bin", writes="f.bin"),
    "esptool erase": Job("esptool erase-region 0x10000 0x10000", changes=True),
}

SIGNALS = {"SIGINT": (130, "interrupted"), "SIGTERM": (143, "ended by SIGTERM")}
SIGNALS["SIGHUP"] = (129, "ended by SIGHUP")

STATE = re.compile(
    r"in doubt|not verified|nothing was changed|\bverified\b|as before|\bmay (or|have)"
)


@dataclass(frozen=True)
class Ended:
    """How a case ended."""

    status: int
    begin: int
    stop: int
    left: tuple[str, ...]
    out: str
    err: str
    files: frozenset[str]
    """Names of files that were not there before."""
    flash_before: str
    flash: str
    """Digests of the flash when the command began, and at the end."""


class Programs:
    """Runs cases, each in a folder of its own."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process, self._folder = process, folder
        self._inputs = folder / "inputs"
        self._inputs.mkdir()
        example_files.write(self._inputs)
        (self._inputs / NEW).write_bytes(random.Random(1).randbytes(40_000))
        (self._inputs / "lines.espsh").write_text("peek DRAM\n" * 20)
        self._spans: dict[str, Ended] = {}
        self._number = 0

    def whole(self, name: str) -> Ended:
        """Run a job without an end, once."""
        if name not in self._spans:
            self._spans[name] = self.run(JOBS[name], "", 0)
        return self._spans[name]

    def run(self, job: Job, end: str, at: int) -> Ended:
        """Run a job that ends in a way at an event."""
        self._number += 1
        folder = self._folder / str(self._number)
        folder.mkdir()
        for path in self._inputs.iterdir():
            (folder / path.name).write_bytes(path.read_bytes())
        words = [word for line in (*job.before, job.line) for word in ("-c", line)]
        arguments = ["-p", job.port, "--yes", *words, "-c", "echo after"]
        case = {"folder": str(folder), "arguments": arguments, "end": end, "at": at}
        cast(IO[str], self._process.stdin).write(json.dumps(case) + "\n")
        cast(IO[str], self._process.stdin).flush()
        facts: dict[str, Any] = json.loads(cast(IO[str], self._process.stdout).readline())
        before = {path.name for path in self._inputs.iterdir()}
        return Ended(
            facts["status"],
            facts.get("begin", 0),
            facts.get("stop", 0),
            tuple(facts.get("left", ())),
            facts["out"],
            facts["err"],
            frozenset(path.name for path in folder.iterdir()) - before,
            facts.get("flash_before", ""),
            facts.get("flash", ""),
        )


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Programs]:
    """Return what runs cases."""
    folder = tmp_path_factory.mktemp("ends")
    command = [sys.executable, "-m", "tests.ends_program", str(folder)]
    pipe = subprocess.PIPE
    root = Path(__file__).parents[1]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=root) as process:
        yield Programs(process, folder)
        cast(IO[str], process.stdin).close()


ENDS = (*SIGNALS, "stdout closed", "stdout full", "stderr closed", "disk full", "unplugged")

QUICK = ("load", "save flash", "sr set")
QUICK_ENDS = ("SIGTERM", "stdout closed", "disk full", "unplugged")


def cases() -> Iterator[Any]:
    """Yield every end of the quick jobs, and for the others those that differ by the job."""
    for name, job in JOBS.items():
        for end in ENDS:
            is_quick = name in QUICK and end in QUICK_ENDS
            differs = end in QUICK_ENDS and (end != "disk full" or bool(job.writes))
            if (name, end) == ("sleep", "unplugged"):
                continue  # who only waits does not notice
            if name in QUICK or differs:
                yield pytest.param(name, end, marks=() if is_quick else pytest.mark.long)


@pytest.mark.parametrize(("name", "end"), [*cases()])
def test_an_end_in_the_middle(
    name: str, end: str, programs: Programs, stride: Callable[[int], int]
) -> None:
    """The status names the end, one line says it, the chip is left as usual, no file is in part."""
    job, whole = JOBS[name], programs.whole(name)
    assert whole.stop > whole.begin, "nothing happens on the wire"
    span = whole.stop - whole.begin
    parts: tuple[float, ...] = (0.5, 0.93, 0.0) if job.changes else (0.5,)
    step = min(stride(1), len(parts))  # the quick run takes one of them, by turns
    parts = parts[(ENDS.index(end) + len(name)) % step :: step]
    for place in sorted({whole.begin + 1 + int(span * part) for part in parts}):
        if place > whole.stop:
            continue
        ended = programs.run(job, end, place)
        assert "bug of espshell" not in ended.err
        assert "Traceback" not in ended.err
        expected = _status(job, end, whole)
        assert ended.status == expected, ended.err
        if end == "unplugged":
            assert re.search(r"lost \S+ while ", ended.err), ended.err
        elif end in SIGNALS:
            assert ended.err.splitlines()[-1] == f"espshell: {SIGNALS[end][1]}"
        if end in (*SIGNALS, "unplugged"):
            assert "after" not in ended.out.split()[-1:]
            is_told = (name, end) == ("report", "unplugged")  # a report names what was lost
            assert ended.files <= {job.writes if is_told else f"{job.writes}.part"} - {".part"}
            _require_state(job, ended, whole)
        elif end == "disk full" and job.writes:
            assert ended.files <= {f"{job.writes}.part"}
            assert "cannot write " in ended.err.splitlines()[-1]
        else:
            assert ended.flash == whole.flash, "it went on to its end"
        if end != "unplugged":
            assert ended.left[-1:] == whole.left[-1:] or name in LEAVES


LEAVES = ("loadram", "loadram and listen", "monitor", "reconnect")
"""Jobs that leave the loader, or reach it, themselves."""


def _status(job: Job, end: str, whole: Ended) -> int:
    """Return the status of a job with an end."""
    if end in SIGNALS:
        return SIGNALS[end][0]
    if end == "unplugged":
        return 3
    if end == "disk full" and job.writes:
        return 2
    is_shown = job.shows or "after" in whole.out.split()
    if end.startswith("stdout") and is_shown and (whole.out or not whole.status):
        return 130 if end == "stdout closed" else 2
    return whole.status


def _require_state(job: Job, ended: Ended, whole: Ended) -> None:
    """Require that a job that changes flash says in which state it is, and that this is true."""
    if not job.changes:
        assert ended.flash == ended.flash_before
        return
    assert STATE.search(ended.err), ended.err
    if "nothing was changed" in ended.err or re.search(r"^\S+ as before$", ended.err, re.M):
        assert ended.flash == ended.flash_before
    elif re.search(r"in doubt|sent, not|erased, not|may", ended.err) is None:
        assert ended.flash == whole.flash
