"""What flash costs on the wire, beside esptool: both run as programs on the same simulated link.

Each run is a fresh interpreter with a simulated chip in it, whose flash is a file.  The port is in
virtual time, and so is ``time.sleep`` of the program, so that seconds are those of the chip, the
wire and the waiting, and nobody waits for them.  Neither tool resets the chip first.

"Work" is without getting ready: the same program is run once for `flash-id` alone, which connects,
starts the stub where the tool wants it, and changes the rate; that is taken off.
"""

from __future__ import annotations

import datetime
import json
import random
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

MIB = 1024 * 1024
BAUD = 921600
LATENCIES = ("1ms", "4ms", "16ms")  # of the bridge, once a round trip
KEPT = Path(__file__).parents[1] / "docs" / "explanation" / "benchmarks.md"

PROGRAM = """
import json, runpy, sys, time
import serial
from espshell.sim import protocol_sim

serial.protocol_handler_packages.append("espshell.sim")
ports, find, sleep = [], protocol_sim.Serial._find, time.sleep

def found(port):
    find(port)
    ports.append(port)

protocol_sim.Serial._find = found
time.sleep = lambda seconds: ports[-1].clock.sleep(seconds) if ports else sleep(seconds)
sys.argv = sys.argv[1:]
status = 0
try:
    runpy.run_module(sys.argv[0], run_name="__main__")
except SystemExit as leaving:
    status = leaving.code
count = ports[-1].wire.count
wire = count.bytes_to_chip + count.bytes_to_host
print()
print(json.dumps([status, ports[-1].clock.now(), wire, count.requests]))
"""

DECODE = """
import os, time
from espshell.link.link import Link
from espshell.protocol import slip
from tests.loader.support import ScriptedPort

frames = b"".join(slip.encode(os.urandom(4096)) for _ in range(256))
best = 1.0
for _ in range(3):
    port = ScriptedPort()
    link = Link(port)
    pieces = [frames[at:at + 512] for at in range(0, len(frames), 512)]
    port.read = lambda wait_s: pieces.pop(0)
    with link.streaming():
        began = time.process_time()
        for _ in range(256):
            link.receive_frame(1.0)
        best = min(best, time.process_time() - began)
print(best)
"""

VERIFY = """
import random
from espshell.ops.flash.payload import Payload
from espshell.ops.flash.verify import verify
from espshell.device import Target
from tests.loader.support import wire_of

data = random.Random(4).randbytes(4 << 20)
target = Target.open("sim://esp32c3")
target.start_stub()
wire_of(target).chip.flash.load(data)
assert target.flash.size == len(data)
before = wire_of(target).count.requests
assert verify(target.flash, [Payload(0, data, "data")]).ok
print(wire_of(target).count.requests - before)
"""

Figures = list[tuple[str, float, float, str, bool]]


@dataclass(frozen=True, slots=True)
class Taken:
    """What a program took: seconds of the chip's time, bytes both ways, requests."""

    seconds: float
    wire: int
    requests: int


@dataclass(frozen=True, slots=True)
class Row:
    """One thing done by both; ``ready`` of each is to be taken off for the work alone."""

    what: str
    ours: Taken
    theirs: Taken

    def text(self, ready: tuple[Taken, Taken]) -> str:
        """Return the row of a Markdown table."""
        ours, theirs = self.ours, self.theirs
        own, other = (ours.seconds - ready[0].seconds, theirs.seconds - ready[1].seconds)
        sides = [_side(ours, own), _side(theirs, other)]
        times = f"{theirs.wire / ours.wire:.2f} / {theirs.seconds / ours.seconds:.2f}"
        return f"| {self.what} | {sides[0]} | {sides[1]} | {times} |"


def _side(taken: Taken, work_s: float) -> str:
    return f"{taken.wire:,} B, {taken.seconds:.2f} s ({max(0.0, work_s):.2f})"


class Bench:
    """The two programs, and files for them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._flash = folder / "flash"
        noise = random.Random(4)
        self.latency = LATENCIES[0]
        self.whole = noise.randbytes(4 * MIB)
        self.one = self.whole[:MIB]
        self.other = noise.randbytes(MIB)

    def file(self, name: str, data: bytes) -> str:
        """Write a file and return its name."""
        path = self._folder / name
        path.write_bytes(data)
        return str(path)

    def run(
        self,
        contents: bytes,
        tool: str,
        *words: str,
        status: int = 0,
        more: str = "",
        baud: int = BAUD,
    ) -> Taken:
        """Run one of the two on a flash that holds something."""
        self._flash.write_bytes(contents)
        url = f"sim://esp32c3?flash-file={self._flash}&latency={self.latency}{more}"
        common = ["--port", url, "--before", "no-reset", "--after", "no-reset"]
        common += ["--baud", str(baud)] if baud else []
        if tool == "espshell":
            common.append("--yes")
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM, tool, *common, *words],
            capture_output=True,
            text=True,
            check=False,
        )
        last = done.stdout.splitlines()[-1:]
        got, seconds, wire, requests = json.loads(last[0]) if done.returncode == 0 else (-1,) * 4
        if got != status:
            raise SystemExit(f"bench: {tool} {words} ended with {got}:\n{done.stdout}{done.stderr}")
        return Taken(seconds, wire, requests)

    def row(
        self, what: str, contents: bytes, line: str, words: list[str], bad: tuple[int, int] = (0, 0)
    ) -> Row:
        """Have the same done by both."""
        ours = self.run(contents, "espshell", "-c", line, status=bad[0])
        return Row(what, ours, self.run(contents, "esptool", *words, status=bad[1]))

    def rows(self, names: tuple[str, ...] = ()) -> dict[str, Row]:
        """Measure everything, or some of it, by short names."""
        whole, one = self.whole, self.one
        changed = one[:600_000] + bytes(100) + one[600_100:]
        differs = whole[:3_000_000] + bytes([whole[3_000_000] ^ 1]) + whole[3_000_001:]
        f = {
            name: self.file(name, data)
            for name, data in (
                ("whole", whole),
                ("one", one),
                ("other", self.other),
                ("changed", changed),
                ("differs", differs),
            )
        }
        out = str(self._folder / "out")
        size = hex(MIB)
        rows: dict[str, Callable[[], Row]] = {
            "id": lambda: self.row(
                "get ready, `flash-id`", b"", "stub always; flash-id", ["flash-id"]
            ),
            "save": lambda: self.row(
                "`save` 1 MiB", one, f"save flash:0 1M {out}", ["read-flash", "0", size, out]
            ),
            "equal": lambda: self.row(
                "`verify` 4 MiB, equal",
                whole,
                f"stub always; verify {f['whole']} flash:0",
                ["verify-flash", "0", f["whole"]],
            ),
            "diff": lambda: self.row(
                "`verify --diff` 4 MiB, one byte differs",
                whole,
                f"stub always; verify --diff {f['differs']} flash:0",
                ["verify-flash", "--diff", "0", f["differs"]],
                (1, 2),
            ),
            "load": lambda: self.row(
                "`load` 1 MiB, one sector has changed",
                one,
                f"load {f['changed']} flash:0",
                ["write-flash", "0", f["changed"]],
            ),
            "same": lambda: self.row(
                "`load` 1 MiB, nothing has changed",
                one,
                f"load {f['one']} flash:0",
                ["write-flash", "0", f["one"]],
            ),
            "full": lambda: self.row(
                "`load` 1 MiB, everything differs",
                one,
                f"load {f['other']} flash:0",
                ["write-flash", "0", f["other"]],
            ),
            "all": lambda: self.row(
                "`load --all` 1 MiB",
                one,
                f"load --all {f['other']} flash:0",
                ["write-flash", "0", f["other"]],
            ),
            "erase": lambda: self.row(
                "`erase` 1 MiB", one, "erase flash:0 1M", ["erase-region", "0", size]
            ),
            "chip": lambda: self.row("`erase chip`, 4 MiB", whole, "erase chip", ["erase-flash"]),
        }
        return {name: row() for name, row in rows.items() if name in (names or rows)}


def measured(*, keep: bool = False) -> tuple[Figures, str]:
    """Return figures with their bounds, and the table; ``keep`` writes it to the documentation."""
    figures: Figures = []
    lines: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        for latency in LATENCIES:
            bench.latency = latency
            rows = bench.rows(() if latency == LATENCIES[0] else PROMISED)
            ready = rows["id"].ours, rows["id"].theirs
            lines += [f"| **latency {latency}** | | | |", *(r.text(ready) for r in rows.values())]
            figures += compared(latency, rows) + streamed(bench, rows) + from_rom(bench)
            if latency == LATENCIES[0]:
                figures += [
                    (
                        "verify --diff 4 MiB, on the wire",
                        wired(rows["diff"], ready),
                        20,
                        "KB",
                        False,
                    ),
                    (
                        "load 1 MiB, one sector, on the wire",
                        wired(rows["load"], ready),
                        40,
                        "KB",
                        False,
                    ),
                ]
        figures += compressed(bench)
    figures += [
        ("decoding 1 MiB, CPU", 1000 * number(DECODE), 50, "ms", False),
        ("verify 4 MiB, equal, requests", number(VERIFY), 1, "", False),
    ]
    table = "\n".join([*HEADINGS, *lines]) + "\n"
    if keep:
        KEPT.write_text(document(table, figures), "utf-8")
    return figures, table


PROMISED = ("id", "save", "equal", "diff", "full", "all", "erase")
"""The rows that are measured at each latency."""


def compared(latency: str, rows: dict[str, Row]) -> Figures:
    """Return how quick we are beside esptool, and one verify beside another."""
    return [
        *(
            (
                f"{rows[name].what}, {latency}, beside esptool",
                rows[name].theirs.seconds / rows[name].ours.seconds,
                bound,
                "x",
                True,
            )
            for name, bound in (("full", 1.03), ("all", 1.03), ("erase", 0.97))
        ),
        (
            f"`verify --diff`, {latency}, one byte / equal",
            rows["diff"].ours.seconds / rows["equal"].ours.seconds,
            1.15,
            "x",
            False,
        ),
    ]


def from_rom(bench: Bench) -> Figures:
    """Return what one byte that differs costs `verify --diff` where no stub ran before."""
    whole = bench.whole
    differs = bench.file("differs", whole[:-999] + bytes([whole[-999] ^ 1]) + whole[-998:])
    equal = bench.file("whole", whole)
    one_s, none_s = (
        bench.run(whole, "espshell", "-c", f"verify --diff {file} flash:0", status=status).seconds
        for file, status in ((differs, 1), (equal, 0))
    )
    name = f"`verify --diff`, {bench.latency}, no stub before, one byte / equal"
    return [(name, one_s / none_s, 1.15, "x", False)]


def streamed(bench: Bench, rows: dict[str, Row]) -> Figures:
    """Return the part of the wire's rate that reads through the stub have."""
    ready_s = rows["id"].ours.seconds
    save = f"save 0x40000000 64K {bench.file('out', b'')}"
    started_s = bench.run(bench.one, "espshell", "-c", "stub always; info").seconds
    memory_s = bench.run(bench.one, "espshell", "-c", f"stub always; info; {save}").seconds
    memory_s -= started_s
    flash_s = rows["save"].ours.seconds - ready_s
    bound = 97 if bench.latency == LATENCIES[0] else 95
    percent = 100 * 10 / BAUD
    return [
        (f"save 64 KiB of memory, {bench.latency}", percent * 65536 / memory_s, 95, "%", True),
        (f"save 1 MiB of flash, {bench.latency}", percent * MIB / flash_s, bound, "%", True),
    ]


def compressed(bench: Bench) -> Figures:
    """Return how many times the wire code and blank flash take, and what a slow core costs.

    Code with all that comes before it, once a connection: the upload of the handler and its proof.
    Blank flash, which takes half a second, also without: as what a second save adds.
    """
    modules = Path(sysconfig.get_path("stdlib"), "lib-dynload").glob("*.so")
    code = b"".join(path.read_bytes() for path in sorted(modules))[:MIB]
    line = f"save flash:0 1M {bench.file('out', b'')}"
    figures: Figures = []
    for bench.latency in LATENCIES:
        for baud in (BAUD, 115200):
            lines = "stub always; flash-id", line, f"{line}; {line}"
            ready_s, once_s, twice_s = (
                bench.run(b"", "espshell", "-c", words, baud=baud).seconds for words in lines
            )
            code_s = bench.run(code, "espshell", "-c", line, baud=baud).seconds - ready_s
            where = f"{baud} baud, {bench.latency}, of the wire"
            for name, took_s, bound in (
                ("code", code_s, 1.6),
                ("blank flash, the first time", once_s - ready_s, 12),
                ("blank flash", twice_s - once_s, 20),
            ):
                times = MIB * 10 / baud / took_s
                figures.append((f"save 1 MiB, {name}, {where}", times, bound, "x", True))
    bench.latency = LATENCIES[0]
    plain, slow = (
        bench.run(contents, "espshell", "-c", line, more=more).seconds
        for contents, more in ((bench.one, ""), (code, "&core=20"))
    )
    figures.append(("save 1 MiB, code, core of 20 MHz / plain", slow / plain, 1.01, "x", False))
    file = bench.file("x", bench.other)
    start = "--before", "default-reset", "--baud", "auto"
    ours = bench.run(bench.one, "espshell", *start, "-c", f"load {file} flash:0", baud=0)
    theirs = bench.run(bench.one, "esptool", "write-flash", "0", file, baud=0)
    times = theirs.seconds / ours.seconds
    figures.append(("load 1 MiB, `-b auto`, beside esptool's default", times, 6, "x", True))
    return figures


def number(program: str) -> float:
    """Run a Python program and return the number that it prints."""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    )
    return float(done.stdout)


def wired(row: Row, ready: tuple[Taken, Taken]) -> float:
    """Return what went over the wire for the work alone (KB, both ways)."""
    return (row.ours.wire - ready[0].wire) / 1000


HEADINGS = (
    "| what | espshell | esptool | esptool / espshell: bytes / seconds |",
    "|---|---|---|---|",
)


def document(table: str, figures: Figures) -> str:
    """Return the page that keeps the table."""
    bounds = "\n".join(
        f"| {name.strip()} | {value:.2f} {unit} | {'≥' if least else '≤'} {bound} |"
        for name, value, bound, unit, least in figures
    )
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return f"""# Benchmarks

Measured on {today} by `scripts/bench --keep`: espshell {version("espshell")} and esptool \
{version("esptool")}, each as a program, on a simulated ESP32-C3 at {BAUD} baud, in virtual time.
Bytes are those on the wire, both ways, with connecting and the upload of the stub.
Seconds are those of the whole program, and in brackets without getting ready (`flash-id`).
The data is random, so that compression does not help anybody.

{table}
Seconds are those of a chip whose flash has typical times of its data sheet and whose loader \
digests 1.7 MB/s; a link without faults.
espshell asks for digests before it writes and erases, and verifies each segment as it goes.
esptool does not look whether an erase has worked.

| bound | measured | wanted |
|---|---|---|
{bounds}
"""
