"""Random jobs through ``espshell esptool`` and through esptool 5.6, each on a fresh simulated chip.

A job is a line of arguments, a chip, and whether the stub may be used.  Compared are the exit
status, the flash, the files, and of the address space what the job names; without a stub all of
RAM and every register but those that a loader works with.  Both programs run in processes of their
own, forked from one that has imported them; the simulator runs inside, in virtual time.

What differs on purpose stands in ``KNOWN``, with its reason; docs/howto/esptool.md says the same.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import multiprocessing
import os
import random
import re
import shlex
import shutil
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import serial

from espshell import chips
from espshell.chips import Chip, Kind
from espshell.shell import commands, lines, registry
from espshell.shell.esptool import spelling
from espshell.shell.registry import COMMANDS
from espshell.units import KIB, MIB

assert commands.__doc__  # imported for what it declares

CHIPS = ("esp8266", "esp32", "esp32s2", "esp32s3", "esp32c3", "esp32c6")
RAM = {
    "esp8266": 0x3FFE_9000,
    "esp32": 0x3FFB_0000,
    "esp32s2": 0x3FFC_0000,
    "esp32s3": 0x3FCA_0000,
    "esp32c3": 0x3FC9_0000,
    "esp32c6": 0x4081_0000,
}
"""Data RAM that no stub uses."""

MANUAL = Path(__file__).parent.parent / "tests" / "data" / "esptool-manual.txt"
"""Command lines of esptool's manuals."""

COMPARED = (
    "dump-mem",
    "erase-flash",
    "erase-region",
    "merge-bin",
    "read-flash",
    "verify-flash",
    "write-flash",
    "write-flash-status",
    "write-mem",
)
"""Commands of lines that change something or write a file.

Not elf2image and make-image, which need an ELF file or another esptool, nor load-ram, which ends in
a program that runs.  Megabytes of read-flash are compared with a stub only.
"""

OUTPUTS = ("flash_contents.bin", "iram0.bin", "merged-flash.uf2")

TIMEOUT_S = 180
FLASH_SIZE = 4 * MIB
FILLED = 256 * KIB
"""Bytes of the flash that are not blank at first."""


@dataclass(frozen=True, slots=True)
class Job:
    """What both programs are given; ``words`` are addresses whose contents are compared."""

    chip: str
    stub: bool
    arguments: tuple[str, ...]
    words: tuple[int, ...] = ()

    @property
    def command(self) -> str:
        """The command, in the spelling of today."""
        return self.arguments[0].replace("_", "-")

    def __str__(self) -> str:
        """Return it as a line."""
        return f"{self.chip} {'stub' if self.stub else 'rom'}: {shlex.join(self.arguments)}"


@dataclass(slots=True)
class Left:
    """What a program leaves."""

    status: int
    text: str
    flash: bytes
    files: dict[str, bytes]
    words: dict[str, int] = field(default_factory=dict)
    memory: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """A difference that is meant: of which jobs, in what, and why."""

    reason: str
    of: Callable[[Job, Left, Left], bool]
    """Job, what ours leaves, what esptool leaves."""


def _options(job: Job) -> set[str]:
    return {word.partition("=")[0] for word in job.arguments if word.startswith("-")}


def _keeps_more(job: Job, ours: Left, theirs: Left) -> bool:
    """Return whether esptool has erased what ours has left alone, and nothing else differs."""
    pages = [slice(i, i + 256) for i in range(0, FLASH_SIZE, 256)]
    pairs = [(ours.flash[page], theirs.flash[page]) for page in pages]
    differing = [(a, b) for a, b in pairs if a != b]
    return (
        ours.status == theirs.status == 0
        and bool(differing)
        and all(
            b == 0xFF
            for first, second in differing
            for a, b in zip(first, second, strict=True)
            if a != b
        )
    )


def _is_inside_a_sector(job: Job) -> bool:
    """Return whether a file is written to a place that is not the start of a sector."""
    places = [word for word in job.arguments[1:] if word.startswith("0x")]
    return job.command == "write-flash" and any(int(place, 16) % (4 * KIB) for place in places)


KNOWN: tuple[Known, ...] = (
    Known(
        "lines of version 4 that esptool 5 takes no more: image_info --version, --diff yes",
        lambda job, ours, theirs: (
            ours.status == 0 < theirs.status
            and bool({"--version", "yes", "no"} & set(job.arguments))
        ),
    ),
    Known(
        "bits of status registers that cannot be undone are asked for by name",
        lambda job, ours, _: job.command == "write-flash-status" and ours.status == 2,
    ),
    Known(
        "a status register that does not hold what was written fails",
        lambda job, ours, theirs: (
            job.command == "write-flash-status" and ours.status > theirs.status
        ),
    ),
    Known(
        "dump-mem reads the whole range; esptool leaves out the last bytes of a size that is no "
        "multiple of 4",
        lambda job, _, theirs: job.command == "dump-mem" and int(job.arguments[2], 0) % 4 != 0,
    ),
    Known(
        "the ROM of an ESP8266 has no digests: ours reads the flash through SPI commands, esptool "
        "cannot",
        lambda job, ours, theirs: (
            (job.chip, job.stub) == ("esp8266", False) and ours.status == 0 < theirs.status
        ),
    ),
    Known(
        "the ROM of an ESP8266 erases more than it is asked to: with esptool's numbers a sector "
        "behind the file; ours asks so that nothing else is lost",
        lambda job, ours, theirs: (
            (job.chip, job.stub) == ("esp8266", False) and _keeps_more(job, ours, theirs)
        ),
    ),
    Known(
        "what else is in the first sector is kept where a file begins inside it",
        lambda job, ours, theirs: _is_inside_a_sector(job) and _keeps_more(job, ours, theirs),
    ),
    Known(
        "what cannot boot from its place is refused without --force",
        lambda job, ours, theirs: (
            (ours.status, theirs.status) == (2, 0) and "--force writes it anyway" in ours.text
        ),
    ),
    Known(
        "ALL is up to the end; esptool takes it for the size of the flash, which goes past the end",
        lambda job, ours, theirs: job.arguments[2:3] == ("ALL",) and int(job.arguments[1], 0) > 0,
    ),
    Known(
        "erase-flash works without a stub",
        lambda job, ours, theirs: (
            not job.stub
            and job.command in ("erase-flash", "write-flash")
            and ours.status == 0 < theirs.status
        ),
    ),
    Known(
        "read-flash-sfdp reads any number of bytes, esptool at most 4",
        lambda job, ours, theirs: job.command == "read-flash-sfdp" and int(job.arguments[2], 0) > 4,
    ),
)


# -- jobs --------------------------------------------------------------------------------------


def firmware(chip: Chip, size: int = 5000, seed: int = 1) -> bytes:
    """Return an image with one segment in RAM, which its chip can boot.

    Source: ESP-IDF, "app image format"; the ESP8266's has no extended header and no digest.
    """
    data = hashlib.shake_128(bytes([seed])).digest(size - size % 4)
    head = struct.pack("<BBBBI", 0xE9, 1, 2, 0x20, RAM[chip.name])
    if chip.name != "esp8266":
        head += struct.pack("<BBBBHBHHBBBBB", 0xEE, 0, 0, 0, chip.id, 0, 0, 0xFFFF, 0, 0, 0, 0, 1)
    body = head + struct.pack("<II", RAM[chip.name], len(data)) + data
    checksum = 0xEF
    for byte in data:
        checksum ^= byte
    body += bytes(15 - len(body) % 16) + bytes([checksum])
    return body if chip.name == "esp8266" else body + hashlib.sha256(body).digest()


PARTITIONS = (
    struct.pack("<2sBBII16sI", b"\xaa\x50", 0, 0, 0x1_0000, 0x10_0000, b"factory", 0)
).ljust(0xC00, b"\xff")
"""A partition table with one application. Source: ESP-IDF, "partition tables"."""


def intel_hex(address: int, data: bytes) -> str:
    """Return bytes at an address as Intel HEX."""

    def record(offset: int, kind: int, body: bytes) -> str:
        raw = struct.pack(">BHB", len(body), offset, kind) + body
        return f":{raw.hex().upper()}{-sum(raw) & 0xFF:02X}\n"

    lines = [record(0, 4, struct.pack(">H", address >> 16))]
    lines += [record(address % 65536 + i, 0, data[i : i + 16]) for i in range(0, len(data), 16)]
    return "".join([*lines, record(0, 1, b"")])


def prepare(folder: Path, chip: Chip) -> None:
    """Write the files that jobs name."""

    def some(name: str, size: int) -> bytes:
        return hashlib.shake_128(name.encode()).digest(size)

    (folder / "boot.bin").write_bytes(firmware(chip))
    (folder / "app.bin").write_bytes(firmware(chip, 30_000, seed=2))
    (folder / "small.bin").write_bytes(some("small", 777))
    (folder / "even.bin").write_bytes(some("even", 8192))
    (folder / "large.bin").write_bytes(some("large", 70_001))
    (folder / "zeros.bin").write_bytes(bytes(5000))
    (folder / "empty.bin").write_bytes(b"")
    (folder / "data.hex").write_text(intel_hex(0x2_3000, some("hex", 500)))
    (folder / "flash_args").write_text("--flash_mode dio --flash_freq 40m\n0x30000 even.bin\n")
    for word in re.findall(r"\S+\.bin", MANUAL.read_text("utf-8")):
        path = folder / word.strip('"')
        if word not in OUTPUTS and not path.exists() and not word.startswith("/"):
            path.parent.mkdir(parents=True, exist_ok=True)
            size = 5000 if "boot" in word else 20_000
            is_table = path.name.startswith("partition")
            path.write_bytes(PARTITIONS if is_table else firmware(chip, size, seed=len(word)))
    (folder / "merged-flash.hex").write_text(intel_hex(0x5_0000, some("merged", 5000)))
    filled = some("flash", FILLED)
    there = bytearray(filled + b"\xff" * (FLASH_SIZE - FILLED))
    there[0x4_0000:0x4_2000] = some("even", 8192)
    (folder / "flash").write_bytes(there)


class Source:
    """Random jobs; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def jobs(self, count: int) -> Iterator[Job]:
        """Yield jobs."""
        makers = (
            *[self._write] * 6,
            *[self._verify] * 2,
            *[self._read] * 2,
            *[self._erase] * 2,
            *[self._memory] * 3,
            *[self._dump] * 2,
            *[self._status] * 2,
            self._plain,
            self._merge,
            self._sfdp,
            self._erase_all,
        )
        for _ in range(count):
            chip = chips.by_name(self._random.choice(CHIPS))
            assert chip is not None
            stub = self._random.random() < 0.6
            arguments, words = self._random.choice(makers)(chip)
            yield Job(chip.name, stub, tuple(arguments), tuple(words))

    def _some(self, *choices: str) -> str:
        return self._random.choice(choices)

    def _spelled(self, word: str) -> str:
        """Return a name in the spelling of today or of version 4."""
        head, tail = word[:2], word[2:]
        return head + tail.replace("-", "_") if self._random.random() < 0.4 else word

    def _command(self, name: str) -> str:
        return name.replace("-", "_") if self._random.random() < 0.4 else name

    def _maybe(self, *options: Sequence[str]) -> list[str]:
        return [word for option in options if self._random.random() < 0.25 for word in option]

    def _settings(self) -> list[str]:
        sizes = self._some("keep", "detect", "4MB", "2MB", "1MB")
        return self._maybe(
            [self._some("-fm", self._spelled("--flash-mode")), self._some("keep", "dio", "qout")],
            [self._some("-ff", self._spelled("--flash-freq")), self._some("keep", "40m", "20m")],
            [f"{self._spelled('--flash-size')}={sizes}"],
        )

    def _address(self) -> int:
        if self._random.random() < 0.15:
            return self._random.randrange(0x1_0000, 0x5_0000, 4)
        return self._random.randrange(0x1_0000, 0x10_0000, 0x1000)

    def _pairs(self, chip: Chip) -> list[str]:
        if self._random.random() < 0.1:
            return ["@flash_args"]
        boot = [hex(chip.bootloader_offset), "boot.bin"]
        pairs = boot if self._random.random() < 0.4 else []
        if not pairs or self._random.random() < 0.5:
            names = ("app.bin", "small.bin", "even.bin", "large.bin", "zeros.bin", "data.hex")
            name = self._some(*names, "empty.bin")
            pairs = [*pairs, hex(self._address()), name]
        return pairs

    def _write(self, chip: Chip) -> tuple[list[str], list[int]]:
        options = self._maybe(
            ["-z"], ["-u"], ["-p"], [self._some("-s", "--skip-flashed")], ["--force"]
        )
        erase = [self._some("-e", "--erase-all")] * (self._random.random() < 0.05)
        name = self._command("write-flash")
        return [name, *erase, *options, *self._settings(), *self._pairs(chip)], []

    def _verify(self, chip: Chip) -> tuple[list[str], list[int]]:
        diff = self._maybe([self._some("--diff", "-d")])
        pairs = ["0x40000", "even.bin"] if self._random.random() < 0.5 else self._pairs(chip)
        return [self._command("verify-flash"), *diff, *self._settings(), *pairs], []

    def _read(self, _chip: Chip) -> tuple[list[str], list[int]]:
        size = self._some("1", "4096", "0x1234", "64k", "100", "5000", "256k")
        return [self._command("read-flash"), hex(self._address()), size, "out.bin"], []

    def _erase(self, _chip: Chip) -> tuple[list[str], list[int]]:
        size = self._some("0x1000", "0x4000", "16k", "65536", "0x1001", "0x800")
        return [self._command("erase-region"), hex(self._address()), size], []

    def _erase_all(self, _chip: Chip) -> tuple[list[str], list[int]]:
        return [self._command("erase-flash"), *self._maybe(["--force"])], []

    def _memory(self, chip: Chip) -> tuple[list[str], list[int]]:
        at = RAM[chip.name] + 4 * self._random.randrange(1000)
        value = hex(self._random.randrange(1 << 32))
        mask = self._maybe([hex(self._random.randrange(1 << 32))])
        if self._random.random() < 0.3:
            return [self._command("read-mem"), hex(at)], [at]
        return [self._command("write-mem"), hex(at), value, *mask], [at]

    def _dump(self, chip: Chip) -> tuple[list[str], list[int]]:
        region = self._random.choice([r for r in chip.regions if r.kind is Kind.ROM])
        size = self._some("4", "64", "0x400", "10", "1k")
        return [self._command("dump-mem"), hex(region.start), size, "out.bin"], []

    def _status(self, _chip: Chip) -> tuple[list[str], list[int]]:
        count = self._maybe(["--bytes", self._some("1", "2", "3")])
        if self._random.random() < 0.5:
            return [self._command("read-flash-status"), *count], []
        value = hex(self._random.choice([0, 0x02, 0x04, 0x1C, 0x40, 0x200]))
        kept = self._maybe(["--non-volatile"])
        return [self._command("write-flash-status"), *count, *kept, value], []

    def _sfdp(self, _chip: Chip) -> tuple[list[str], list[int]]:
        at, size = self._some("0", "16", "0x8"), self._some("1", "2", "4", "8")
        return [self._command("read-flash-sfdp"), at, size], []

    def _plain(self, _chip: Chip) -> tuple[list[str], list[int]]:
        name = self._some("flash-id", "read-mac", "chip-id", "get-security-info", "version", "run")
        return [self._command(name)], []

    def _merge(self, chip: Chip) -> tuple[list[str], list[int]]:
        kind = self._some("raw", "hex", "uf2")
        out = ["-o", f"out.{kind}", f"--format={kind}"]
        pairs = [
            hex(chip.bootloader_offset),
            "boot.bin",
            "0x10000",
            self._some("app.bin", "even.bin"),
        ]
        return [self._command("merge-bin"), *out, *self._settings(), *pairs], []


def manual_jobs(names: Sequence[str] = CHIPS) -> list[Job]:
    """Return a job for each line of the manuals that both programs can run, chip and loader.

    Of a line only the command counts: where the chip is, and how it is left, is ours to say.
    """
    found: dict[tuple[str, tuple[str, ...]], Job] = {}
    for name in names:
        chip = chips.by_name(name)
        assert chip is not None
        text = MANUAL.read_text("utf-8").replace("{chip}", name)
        for line in text.replace("{boot}", hex(chip.bootloader_offset)).splitlines():
            if not line or line.startswith("#"):
                continue
            command = spelling.program(lines.cut(line)[0])
            inside = registry.inner(
                COMMANDS.find("esptool"), spelling.modern("esptool", command, expand=False)
            )
            first, *rest = (word.expand({}) for word in (inside.name, *inside.words))
            first = first.replace("_", "-")
            if first not in COMPARED or _of_another(line, name):
                continue
            words = (first, *rest)
            places = (int(rest[0], 16),) if first == "write-mem" else ()
            for stub in (False, True) if first != "read-flash" else (True,):
                found[f"{name}{stub}", words] = Job(name, stub, words, places)
    return list(found.values())


def _of_another(line: str, chip: str) -> bool:
    """Return whether a line is for a chip of another name."""
    named = re.search(r"--chip (esp\S+)", line)
    return named is not None and named[1] != chip


# -- running -----------------------------------------------------------------------------------


def _esptool(arguments: list[str]) -> None:
    esptool = importlib.import_module("esptool")
    sys.argv = ["esptool", *arguments]
    esptool._main()  # noqa: SLF001  what the program calls


def _ours(arguments: list[str]) -> None:
    from espshell.cli import main

    sys.exit(main(["esptool", *arguments]))


TOOLS = {"ours": _ours, "esptool": _esptool}


def _child(tool: str, job: Job, folder: Path) -> None:
    """Run a program in this process, and write what the chip holds at its end."""
    os.chdir(folder)
    os.environ["NO_COLOR"] = "1"
    stream = os.open("text", os.O_WRONLY | os.O_CREAT)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    sys.stdout, sys.stderr = (open(fd, "w", encoding="utf-8") for fd in (1, 2))  # noqa: SIM115
    made = _watched()
    port = f"sim://{job.chip}?flash-file=flash"
    common = ["--port", port, "--chip", job.chip, "--before", "no-reset", "--after", "no-reset"]
    status = 1
    try:
        TOOLS[tool]([*common, *([] if job.stub else ["--no-stub"]), *job.arguments])
        status = 0
    except SystemExit as leaving:
        status = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
    except BaseException:  # noqa: BLE001  what a program does wrong is what is looked for
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        state = {"status": status, **(_state(made[-1], job) if made else {})}
        Path("state.json").write_text(json.dumps(state))
        os._exit(0)


def _watched() -> list[Any]:
    """Return a list that gets each chip that is made; let all sleep in the chip's time."""
    from espshell.sim.chip import SimChip
    from espshell.sim.protocol_sim import Serial

    made: list[Any] = []
    start, find = SimChip.__init__, Serial._find  # noqa: SLF001

    def kept(self: SimChip, setup: Any) -> None:
        start(self, setup)
        made.append(self)

    def found(self: Serial) -> None:
        find(self)
        time.sleep = self.clock.sleep  # type: ignore[assignment]

    SimChip.__init__ = kept  # type: ignore[method-assign]
    Serial._find = found  # type: ignore[method-assign]  # noqa: SLF001
    return made


def _state(chip: Any, job: Job) -> dict[str, Any]:
    """Return what of the address space is compared."""
    words = {hex(at): chip.memory.word(at) for at in job.words}
    if job.stub:
        return {"words": words}
    ram = {
        region.name: hashlib.md5(chip.memory.read(region.start, region.size)).hexdigest()
        for region in chip.facts.regions
        if region.kind is Kind.RAM
    }
    return {"words": words, "memory": ram}


def run(tool: str, job: Job, template: Path, folder: Path) -> Left:
    """Run a job by one of the programs in a folder of its own; return what it leaves."""
    shutil.copytree(template, folder)
    process = multiprocessing.get_context("fork").Process(target=_child, args=(tool, job, folder))
    process.start()
    process.join(TIMEOUT_S)
    if process.is_alive():
        process.kill()
        process.join()
    state_file = folder / "state.json"
    known = state_file.exists()
    state: dict[str, Any] = json.loads(state_file.read_text()) if known else {"status": -1}
    given = {path.name for path in template.iterdir()} | {"text", "state.json"}
    given -= {"merged-flash.bin", "merged-flash.hex"}  # which a line may write
    files = {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.name not in given}
    text = (folder / "text").read_text(errors="replace") if (folder / "text").exists() else ""
    flash = (folder / "flash").read_bytes()
    return Left(
        state["status"], text, flash, files, state.get("words", {}), state.get("memory", {})
    )


def differences(ours: Left, theirs: Left) -> list[str]:
    """Return in which things two runs differ, a line each."""
    found = []
    if (ours.status == 0) != (theirs.status == 0):
        found.append(f"status {ours.status}, esptool's {theirs.status}")
    if ours.flash != theirs.flash:
        at = [
            i
            for i in range(0, FLASH_SIZE, 256)
            if ours.flash[i : i + 256] != theirs.flash[i : i + 256]
        ]
        found.append(f"flash differs in {len(at)} pages from {at[0]:#x} to {at[-1]:#x}")
    for name in sorted({*ours.files, *theirs.files}):
        if ours.files.get(name) != theirs.files.get(name):
            sizes = [str(len(f[name])) if name in f else "none" for f in (ours.files, theirs.files)]
            found.append(f"file {name}: {sizes[0]}, esptool's {sizes[1]} bytes")
    found += [
        f"{place}: {ours.words.get(place)}, esptool's {value}"
        for place, value in theirs.words.items()
        if ours.words.get(place) != value
    ]
    found += [
        f"RAM {name} differs"
        for name, digest in theirs.memory.items()
        if ours.memory.get(name, digest) != digest
    ]
    return found


def compare(job: Job, templates: dict[str, Path], folder: Path) -> tuple[list[str], str, str]:
    """Run a job by both; return what differs, the reason if it is known, and both texts."""
    ours, theirs = (run(tool, job, templates[job.chip], folder / tool) for tool in TOOLS)
    found = differences(ours, theirs)
    known = next((known.reason for known in KNOWN if found and known.of(job, ours, theirs)), "")
    shutil.rmtree(folder)
    return found, known, f"  ours: {_last(ours.text)}\n  esptool: {_last(theirs.text)}"


def _last(text: str) -> str:
    return " / ".join([line.strip() for line in text.splitlines() if line.strip()][-3:])


def main(argv: Sequence[str] | None = None) -> int:
    """Run jobs; list what differs; return 1 if any difference is not known."""
    parser = argparse.ArgumentParser(prog="scripts/differential", description=__doc__)
    parser.add_argument("count", nargs="?", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--manual", action="store_true", help="lines of the manuals, not random")
    parser.add_argument("--only", default="", help="jobs whose line has this (a pattern)")
    parser.add_argument("--verbose", action="store_true", help="each job, and what is known")
    options = parser.parse_args(argv)
    for module in ("esptool", "espshell.cli"):  # before the processes are forked
        importlib.import_module(module)
    serial.protocol_handler_packages.append("espshell.sim")
    found = manual_jobs() if options.manual else list(Source(options.seed).jobs(options.count))
    jobs = [job for job in found if re.search(options.only, str(job))]
    if options.manual and options.count < len(jobs):
        jobs = random.Random(options.seed).sample(jobs, options.count)
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(os.cpu_count()) as pool:
        templates = {}
        for each in CHIPS:
            chip = chips.by_name(each)
            assert chip is not None
            templates[each] = Path(name, each)
            templates[each].mkdir()
            prepare(templates[each], chip)
        results = pool.map(
            lambda pair: compare(pair[1], templates, Path(name, f"job{pair[0]}")), enumerate(jobs)
        )
        return _report(jobs, results, verbose=options.verbose)


def _print(text: str) -> None:
    if text:
        print(text, flush=True)  # noqa: T201


def _report(
    jobs: Sequence[Job], results: Iterator[tuple[list[str], str, str]], *, verbose: bool
) -> int:
    counts = {"equal": 0, "known": 0, "new": 0}
    for job, (found, known, texts) in zip(jobs, results, strict=True):
        kind = "known" if known else "new" if found else "equal"
        counts[kind] += 1
        if kind == "new" or verbose:
            _print(f"{kind}: {job}: {'; '.join(found)}")
            _print(f"  because {known}" if known else texts if found else "")
    _print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    return int(counts["new"] > 0)


if __name__ == "__main__":
    sys.exit(main())
