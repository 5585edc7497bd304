#!/usr/bin/env python3
"""Draw the pictures of the manual, and record a session: the real program in a real terminal.

    scripts/picture.py                 all of docs/pictures, for dark and for light pages
    scripts/picture.py watch dump      some of them
    scripts/picture.py --check         compare what they say; status 1 where that is outdated

A picture is a screen as SVG.  The recording is a cast of asciinema (version 2), which
``asciinema play docs/pictures/session.cast`` plays, and the same as an SVG that moves.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import pyte

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))  # as a program it is not in the package

from scripts.svg import THEMES, Drawing, Frame  # noqa: E402
from scripts.terminal import (  # noqa: E402
    CTRL_D,
    CTRL_L,
    ENTER,
    HISTORY,
    TAB,
    Piece,
    Terminal,
    all_rows,
    cells,
)

FOLDER = ROOT / "docs" / "pictures"
COLUMNS, ROWS = 80, 24
SESSION = "session"
"""The name of the recording."""

_AT_ONCE_S = 0.04


@dataclass(frozen=True)
class Picture:
    """A session: what it is called, what is typed, and how much of it is seen."""

    name: str
    title: str
    lines: tuple[str, ...] = ()
    keys: str = ""
    """Pressed behind the lines, without Enter."""
    before: tuple[str, ...] = ()
    """Lines that come first and are not seen."""
    rows: int = ROWS
    is_moving: bool = False
    """Whether its numbers are others each time."""


RIGHT = "\x1b[C"
EDITED = 4 * RIGHT + " "
"""Toggles BP1 in `sr edit`."""

PICTURES = (
    Picture(
        "registers",
        "espshell: registers and their fields",
        ("reg UART0.CLKDIV", "reg UART1.CLKDIV.FRAG=5", "undo", "peek 0x10"),
        rows=29,
    ),
    Picture(
        "dump",
        "espshell: a dump marks what has changed",
        ("dump DRAM 64", "fill 0x3fc80010 12 0xdeadbeef", "poke8 0x3fc80021 0x4f", "dump DRAM 64"),
        before=("save flash:app0+0x100 0x100 text.bin", "load text.bin DRAM"),
        rows=25,
    ),
    Picture(
        "complete",
        "espshell: Tab knows the chip",
        keys="reg UART0.C" + TAB,
        rows=18,
    ),
    Picture(
        "watch",
        "espshell: watch, a live view",
        ("poke GPIO.OUT 0x200100",),
        "watch APB_CTRL.RND_DATA gpio:9 UART0.CLKDIV flash:app0+0x30 16" + ENTER,
        rows=17,
        is_moving=True,
    ),
    Picture(
        "verify",
        "espshell: what differs, and what is written",
        (
            "verify new.bin flash:storage --diff",
            "load new.bin flash:storage",
            "verify new.bin flash:storage",
        ),
        before=("load old.bin flash:storage",),
        rows=20,
    ),
    Picture(
        "status",
        "espshell: the flash's status registers, bit by bit",
        ("sr set BP=3 QE=1",),
        before=("stub",),
        rows=30,
    ),
    Picture("edit", "espshell: sr edit", keys="sr edit" + ENTER + EDITED, before=("sr",), rows=26),
    Picture(
        "chip",
        "espshell: pins and eFuses",
        ("gpio 8", "gpio 15 out 1", "efuse SPI_BOOT_CRYPT_CNT", "efuse *USB*"),
        rows=28,
    ),
)

FILE = '{"ssid": "espshell-lab", "channel": CHANNEL, "log": 3}\n'
"""What is loaded, old and new."""

RECORDED: tuple[tuple[str, float], ...] = (
    ("espshell -p sim://demo" + ENTER, 2.0),
    ("reg UART1.CLKD" + TAB, 1.2),
    (ENTER, 1.8),
    ("reg UART1.CLKDIV.FRAG=5" + ENTER, 2.5),
    ("undo" + ENTER, 1.5),
    ('find flash:app1 64k "hello from"' + ENTER, 2.0),
    ("save flash:app1 20k new.bin" + ENTER, 1.2),
    ("verify new.bin flash:app0" + ENTER, 2.0),
    ("load new.bin flash:app0" + ENTER, 1.6),
    ("y" + ENTER, 1.8),
    ("erase flash:fctry" + ENTER, 2.5),
    ("sr unprotect" + ENTER, 3.0),
    ("y" + ENTER, 2.0),
    (CTRL_D, 1.0),
)
"""Keys, and for how many seconds somebody reads what they bring."""


def drawn(picture: Picture, theme: str) -> tuple[str, str]:
    """Run a session; return its picture, and what it says."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, channel in (("old", "06"), ("new", "11")):
            (folder / f"{file}.bin").write_text(FILE.replace("CHANNEL", channel).ljust(0x3000))
        program = [sys.executable, "-m", "espshell", "-p", "sim://demo"]
        with Terminal(program, folder, columns=COLUMNS, rows=picture.rows, theme=theme) as terminal:
            terminal.wait_prompt()
            for line in picture.before:
                terminal.run(line)
            if picture.before:
                terminal.send(CTRL_L)
                terminal.wait_prompt()
            for line in picture.lines:
                terminal.run(line)
            if picture.keys:
                terminal.send(picture.keys)
                terminal.watch(3.5 if picture.is_moving else 0)
                terminal.wait(lambda: picture.is_moving or not terminal.look(1.0))
            shown = cells(terminal.screen)
            text = "\n".join(row.rstrip() for row in terminal.screen.display).rstrip()
    return Drawing(theme, picture.title, COLUMNS, len(shown)).still(shown, text), text


def recorded(theme: str, *, speed: float = 1) -> list[Piece]:
    """Run the recorded session; return what came when. ``speed`` is that of the typist."""
    chance = random.Random(1)
    with (
        tempfile.TemporaryDirectory() as name,
        Terminal(["sh"], Path(name), columns=COLUMNS, rows=ROWS, theme=theme) as terminal,
    ):
        terminal.wait_prompt()
        terminal.watch(0.8 / speed)
        for keys, pause in RECORDED:
            for key in keys:
                terminal.send(key)
                terminal.watch(chance.uniform(0.01, 0.05) / speed)
            if keys.endswith((ENTER, CTRL_D)):
                terminal.wait(terminal.is_ready)
            terminal.wait(lambda: not terminal.look(0.4))
            terminal.watch(pause / speed)
        return terminal.pieces


def text_of(pieces: Sequence[Piece]) -> str:
    """Return all rows of a recording."""
    screen = pyte.HistoryScreen(COLUMNS, ROWS, history=HISTORY)
    pyte.Stream(screen).feed("".join(piece.text for piece in pieces))
    return "\n".join(all_rows(screen)).rstrip()


def frames(pieces: Sequence[Piece]) -> Iterator[Frame]:
    """Yield what a recording shows from when on; what comes at once is one."""
    screen = pyte.HistoryScreen(COLUMNS, ROWS, history=HISTORY)
    stream = pyte.Stream(screen)
    for number, piece in enumerate(pieces):
        stream.feed(piece.text)
        is_last = number + 1 == len(pieces)
        if is_last or pieces[number + 1].seconds - piece.seconds > _AT_ONCE_S:
            yield Frame(round(piece.seconds, 2), cells(screen))


def cast(pieces: Sequence[Piece]) -> str:
    """Return a recording as asciinema has it.

    Source: "asciicast v2", docs.asciinema.org/manual/asciicast/v2.
    """
    header = {"version": 2, "width": COLUMNS, "height": ROWS, "title": "espshell"}
    events = ([round(piece.seconds, 3), "o", piece.text] for piece in pieces)
    return "".join(f"{json.dumps(item)}\n" for item in (header, *events))


def draw(name: str) -> None:
    """Write the files of a name."""
    for theme in THEMES:
        path = FOLDER / f"{name}-{theme}.svg"
        if name != SESSION:
            path.write_text(drawn(_named(name), theme)[0], "utf-8")
            continue
        pieces = recorded(theme)
        if theme == "dark":
            (FOLDER / f"{SESSION}.cast").write_text(cast(pieces), "utf-8")
        drawing = Drawing(theme, "espshell", COLUMNS, ROWS)
        end = pieces[-1].seconds + 3
        path.write_text(drawing.moving(list(frames(pieces)), end, text_of(pieces)), "utf-8")


def is_outdated(name: str) -> bool:
    """Return whether a session says something else than its files do."""
    if name == SESSION:
        text = text_of(recorded("dark", speed=20))
        rows = (FOLDER / f"{SESSION}.cast").read_text("utf-8").splitlines()[1:]
        texts = [text_of([Piece(at, said) for at, _, said in map(json.loads, rows)])]
    else:
        picture, texts = _named(name), []
        text = drawn(picture, "dark")[1]
    for theme in THEMES:
        svg = (FOLDER / f"{name}-{theme}.svg").read_text("utf-8")
        texts.append(unescape(svg.partition("<desc>")[2].partition("</desc>")[0]))
    if name != SESSION and picture.is_moving:
        text, *texts = (re.sub(r"\d[\d.a-fx]*", "#", one) for one in (text, *texts))
    return any(one != text for one in texts)


def _named(name: str) -> Picture:
    return next(picture for picture in PICTURES if picture.name == name)


NAMES = (*(picture.name for picture in PICTURES), SESSION)


def main() -> int:
    """Draw or compare; return the exit status."""
    parser = argparse.ArgumentParser(description="Draw the pictures of the manual.")
    parser.add_argument("--check", action="store_true", help="compare what they say")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    options = parser.parse_args()
    worst = 0
    FOLDER.mkdir(exist_ok=True)
    for name in options.names or NAMES:
        if name not in NAMES:
            parser.error(f"there is no picture {name}; there are {', '.join(NAMES)}")
        if not options.check:
            draw(name)
        elif is_outdated(name):
            sys.stdout.write(f"{name} is outdated: scripts/picture.py {name}\n")
            worst = 1
    return worst


if __name__ == "__main__":
    sys.exit(main())
