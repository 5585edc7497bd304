#!/usr/bin/env python3
"""Draw docs/session.svg: lines typed into the real program, and what it really answered."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

PORT = "sim://esp32c3"
WIDTH = 92
LINES = (
    "info",
    "poke 0x3fc90004 0x12345678",
    "fill 0x3fc90010 0x80 0xffffffff",
    "dump 0x3fc90000 0xb0",
    "expect [0x3fc90004] == 0x12345678",
    "peek 0x10",
)


def answers() -> str:
    """Return the whole session with colours; the prompt is put in front of each line."""
    arguments = [argument for line in LINES for argument in ("-c", f"echo {line!r}", "-c", line)]
    command = [sys.executable, "-m", "espshell", "-p", PORT, "--color", "always", "--keep-going"]
    run = subprocess.run(
        [*command, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    prompt = "\x1b[0;32;1mesp32c3:rom>\x1b[0m "
    return "\n".join(prompt + row if row in LINES else row for row in run.stdout.splitlines())


def main() -> None:
    """Write the picture."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(Text.from_ansi(answers()))
    path = Path(__file__).parent.parent / "docs" / "session.svg"
    path.write_text(console.export_svg(title=f"espshell -p {PORT}", theme=DIMMED_MONOKAI))


if __name__ == "__main__":
    main()
