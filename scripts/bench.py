"""Measure espshell against its bounds and print a table; exit status 1 if a bound is broken.

Run it by ``scripts/bench``; ``--flash``, ``--prompt`` and so on measure these alone, ``--keep``
writes the table of flash to the documents.  A benchmark is a function in ``BENCHMARKS`` that
returns its figures.
Seconds come from fresh interpreters: the person waits for the imports, too.  Times over a link are
those of the simulated wire.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from scripts import bench_flash, bench_prompt

RUNS = 3
CHUNK = 64 * 1024

HEXDUMP = """
import os, sys
from espshell.render.hexdump import HexWriter
writer = HexWriter(0x3fc80000, color={color})
for _ in range({size} // {chunk}):
    sys.stdout.write(writer.feed({data}))
sys.stdout.write(writer.finish())
"""


LINK = """
import time
from espshell.protocol.commands import ReadReg
from espshell.device import Target

size, start = 65536, 0x40000000
target = Target.open("sim://{chip}?latency={latency}", baud={baud})
if {stub}:
    target.start_stub()
clock = target.link.clock
began = clock.now()
for i in range(32):
    target.loader.execute(ReadReg(start + 4 * i))
alone = (clock.now() - began) / 32 * size / 4
began, cpu = clock.now(), time.process_time()
target.memory.read(start, size)
print(alone, clock.now() - began, time.process_time() - cpu)
"""

SCRIPT = """
import sys
sys.argv = ["espshell", "-p", "sim://esp32c3", *{arguments!r}]
from espshell.__main__ import main
sys.exit(main())
"""


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing measured, and what it must not exceed, or with ``least`` not fall short of."""

    name: str
    value: float
    bound: float
    unit: str
    least: bool = False

    @property
    def ok(self) -> bool:
        """Whether the bound holds."""
        return self.value >= self.bound if self.least else self.value <= self.bound


@dataclass(frozen=True, slots=True)
class Run:
    """What a process took: wall time in seconds and the peak of its memory in MiB."""

    seconds: float
    memory: float


def hexdump() -> list[Figure]:
    """Dump memory in chunks as they come from a chip, without and with colour."""
    mib = 1024 * 1024
    plain = HEXDUMP.format(color=False, size=mib, chunk=CHUNK, data=f"os.urandom({CHUNK})")
    coloured = HEXDUMP.format(color=True, size=mib, chunk=CHUNK, data=f"os.urandom({CHUNK})")
    erased = HEXDUMP.format(color=False, size=16 * mib, chunk=CHUNK, data=f"bytes({CHUNK})")
    return [
        *limits("dump 1 MiB to a file", best(plain, pipe=False), seconds=0.6, memory=80),
        *limits("dump 1 MiB to a pipe", best(plain, pipe=True), seconds=0.6, memory=80),
        *limits("dump 1 MiB in colour", best(coloured, pipe=True), seconds=0.6, memory=80),
        *limits("dump 16 MiB of one row", best(erased, pipe=False), seconds=0.3, memory=80),
    ]


def link() -> list[Figure]:
    """Read 64 KiB of memory over simulated links; times are virtual, but for the host's own."""
    figures = []
    for name, chip, latency, baud, stub, times in (
        ("ROM, 115200 baud, 1 ms", "esp32c3", "1ms", 115200, False, 2.3),
        ("ROM, 115200 baud, 16 ms", "esp32c3", "16ms", 115200, False, 7),
        ("ROM, 921600 baud, 1 ms", "esp32c3", "1ms", 921600, False, 7),
        ("stub, 921600 baud, 1 ms", "esp32c3", "1ms", 921600, True, 9),
    ):
        program = LINK.format(chip=chip, latency=latency, baud=baud, stub=stub)
        alone, took, cpu = map(float, output(program).split())
        figures += [
            Figure(f"64 KiB, {name}", took, alone / times, "s"),
            Figure("  times faster than one at a time", alone / took, times, "x", least=True),
            Figure("  host and simulator, CPU", cpu, 1.5, "s"),
        ]
        if baud == 115200 and latency == "1ms":
            wire = 16384 * 14 * 10 / baud
            figures.append(Figure("  of what the wire allows", 100 * wire / took, 90, "%", True))
    return figures


def prompt() -> list[Figure]:
    """Start the shell in a terminal, and type; the tables of the ESP32-S3 are the largest."""
    import compileall

    compileall.compile_dir("espshell", quiet=1)  # as it is installed
    typed = "expect [UART0.STATUS] == UART0.CONF0 + DRAM"
    starts, firsts, slowest, keys, editors = [], [], [], [], []
    for _ in range(2 * RUNS):
        with bench_prompt.TimedShell("sim://esp32s3") as shell:
            starts.append(shell.wait("esp32s3:rom> ", shell.start))
            first, *others = shell.type(typed, "esp32s3:rom> ")
            firsts.append(first)
            slowest.append(max(others))
            keys += others
            editors.append(shell.wait("sim://esp32s3  115200 baud", shell.start))
    with bench_prompt.silent_port() as port:
        waits = [bench_prompt.until_connecting(port) for _ in range(RUNS)]
    return [
        Figure("from start to prompt", median(starts), 0.25, "s"),
        Figure("from start to `connecting`", median(waits), 0.3, "s"),
        Figure("first key to screen, at once", 1000 * median(firsts), 30, "ms"),
        Figure("slowest of the first keys", 1000 * median(slowest), 30, "ms"),
        Figure("from start to toolbar, typing", median(editors), 0.7, "s"),
        Figure("key to screen, median", 1000 * median(keys), 30, "ms"),
        Figure("key to screen, 9 of 10", 1000 * sorted(keys)[len(keys) * 9 // 10], 30, "ms"),
    ]


def script() -> list[Figure]:
    """Run a script of 10,000 lines on the simulator, plain and with each kind of record."""
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        for count in (1_000, 10_000):
            lines = (f"peek {0x3FC9_0000 + 4 * (i % 1000):#x}\n" for i in range(count))
            Path(f"{folder}/{count}.espsh").write_text("".join(lines))
        short = measure(SCRIPT.format(arguments=[f"{folder}/1000.espsh"]), pipe=False)
        for name, options in {
            "": [],
            ", --json": ["--json"],
            ", --junit": [f"--junit={folder}/junit.xml"],
            ", --log": [f"--log={folder}/log.txt"],
        }.items():
            program = SCRIPT.format(arguments=[*options, f"{folder}/10000.espsh"])
            run = measure(program, pipe=False)
            figures += [
                Figure(f"script of 10,000 peek{name}", run.seconds, 3.0, "s"),
                Figure("  memory more than for 1,000", run.memory - short.memory, 4, "MiB"),
            ]
    first = best(SCRIPT.format(arguments=["-c", "echo on"]), pipe=False)
    return [*figures, Figure("from start to first command", first.seconds, 0.15, "s")]


def flash() -> list[Figure]:
    """Read, verify, write and erase flash, beside esptool; the table comes first."""
    figures, table = bench_flash.measured(keep="--keep" in sys.argv)
    sys.stdout.write(table + "\n")
    return [Figure(*figure) for figure in figures]


BENCHMARKS: tuple[Callable[[], list[Figure]], ...] = (hexdump, link, prompt, script, flash)


def output(program: str) -> str:
    """Run a Python program and return what it prints."""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    return run.stdout


def limits(name: str, run: Run, *, seconds: float, memory: float) -> list[Figure]:
    """Return both figures of a process with their bounds."""
    return [
        Figure(name, run.seconds, seconds, "s"),
        Figure(f"{name}, memory", run.memory, memory, "MiB"),
    ]


def best(program: str, *, pipe: bool) -> Run:
    """Run a Python program several times; return the least time and the most memory."""
    runs = [measure(program, pipe=pipe) for _ in range(RUNS)]
    return Run(min(run.seconds for run in runs), max(run.memory for run in runs))


def measure(program: str, *, pipe: bool) -> Run:
    """Run a Python program with its output to a pipe that is read, or to the null device."""
    start = time.perf_counter()
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE if pipe else subprocess.DEVNULL
    ) as process:
        while process.stdout and process.stdout.read(CHUNK):
            pass
        # Not process.wait(): only wait4 tells the memory of this one child.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: the program failed with status {process.returncode}:\n{program}")
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024  # getrusage(2): bytes there, else KiB
    return Run(seconds, usage.ru_maxrss / unit)


def table(figures: list[Figure]) -> str:
    """Return the figures as lines of text."""
    width = max(len(figure.name) for figure in figures)
    return "".join(
        f"{figure.name:<{width}}  {figure.value:8.2f} {figure.unit:<3}"
        f"  at {'least' if figure.least else 'most '} {figure.bound:6.2f}"
        f"  {'ok' if figure.ok else 'BROKEN'}\n"
        for figure in figures
    )


def main() -> int:
    """Run every benchmark."""
    asked = [benchmark for benchmark in BENCHMARKS if f"--{benchmark.__name__}" in sys.argv]
    chosen = asked or BENCHMARKS
    figures = [figure for benchmark in chosen for figure in benchmark()]
    sys.stdout.write(table(figures))
    return 0 if all(figure.ok for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
