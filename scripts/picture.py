#!/usr/bin/env python3
"""Draw docs/*.svg: lines typed into the real program, and what it really answered."""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

DOCS = Path(__file__).parent.parent / "docs"
WIDTH = 112


@dataclass(frozen=True)
class Picture:
    """A session: where it is drawn, on which simulated chip, what is typed."""

    name: str
    port: str
    lines: tuple[str, ...]
    quiet: tuple[str, ...] = ()
    """Lines that come before and are not shown."""


PICTURES = (
    Picture(
        "session",
        "sim://esp32c3",
        (
            "info",
            "poke 0x3fc90004 0x12345678",
            "fill 0x3fc90010 0x80 0xffffffff",
            "dump 0x3fc90000 0xb0",
            "expect [0x3fc90004] == 0x12345678",
            "peek 0x10",
        ),
    ),
    Picture(
        "flash",
        "sim://esp32c3?flash=W25Q32JV&sr=00,02",
        (
            "verify new.bin flash:app0 --diff",
            "load new.bin flash:app0",
            "sr protect flash:0..0x40000",
            "load new.bin flash:nvs",
        ),
        quiet=("load table.bin flash:0x8000", "load old.bin flash:0x10000"),
    ),
)
TABLE = "nvs,data,nvs,0x9000,0x6000\nphy,data,phy,,0x1000\napp0,app,ota_0,,1M\napp1,app,ota_1,,1M\n"


def files(folder: Path) -> None:
    """Write what the sessions load: a partition table, and two images that differ a little."""
    from espshell.image import partitions
    from tests.image.support import partition_table

    table = partition_table(partitions.parse_csv(TABLE))
    (folder / "table.bin").write_bytes(table)
    old = random.Random(1).randbytes(96 * 1024)
    new = old[:0x5A23] + b"espshell" + old[0x5A2B:]
    (folder / "old.bin").write_bytes(old)
    (folder / "new.bin").write_bytes(new)


def answers(picture: Picture, folder: Path) -> str:
    """Return the whole session with colours; the prompt is put in front of each line."""
    arguments = [argument for line in picture.quiet for argument in ("-c", line)]
    mark = "-- from here on --"
    arguments += ["-c", f"echo {mark!r}"]
    for line in picture.lines:
        arguments += ["-c", f"echo {line!r}", "-c", line]
    program = [sys.executable, "-m", "espshell", "-p", picture.port, "--color", "always"]
    run = subprocess.run(
        [*program, "--yes", "--keep-going", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=folder,
        env={**os.environ, "COLUMNS": str(WIDTH), "PYTHONPATH": str(DOCS.parent)},
    )
    shown = run.stdout.partition(f"{mark}\n")[2]
    loader = "stub" if picture.quiet else "rom"
    prompt = f"\x1b[0;32;1mesp32c3:{loader}>\x1b[0m "
    rows = shown.splitlines()
    return "\n".join(prompt + row if row in picture.lines else row for row in rows)


def main() -> None:
    """Write the pictures."""
    for picture in PICTURES:
        with tempfile.TemporaryDirectory() as folder:
            files(Path(folder))
            text = answers(picture, Path(folder))
        console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
        console.print(Text.from_ansi(text))
        title = f"espshell -p {picture.port}"
        path = DOCS / f"{picture.name}.svg"
        path.write_text(console.export_svg(title=title, theme=DIMMED_MONOKAI))


if __name__ == "__main__":
    main()
