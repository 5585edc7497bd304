"""Screens of a terminal as SVG: one that stands still, or many that follow each other.

Nothing is fetched from elsewhere: fonts are those of the reader, and every run of text says how
long it is, so that columns agree in any of them.  What moves is SMIL, which plays in ``<img>``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import groupby

from pyte.screens import Char

Row = tuple[Char, ...]
"""The cells of a row, the cursor's reversed."""

COLUMN, LINE, BORDER, BAR = 8.4, 18, 14, 30
"""Sizes in pixels: of a cell, around the text, and of the bar with the title."""
_FONT = "ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono','Liberation Mono',monospace"


@dataclass(frozen=True)
class Colors:
    """The terminal of a person: what it is drawn in where the program says nothing."""

    text: str
    background: str
    bar: str
    title: str
    edge: str
    named: str
    """The eight colours of ECMA-48, and their bright ones: six digits each."""

    def of(self, name: str, *, is_text: bool) -> str:
        """Return a colour as pyte names it, for SVG."""
        if name == "default":
            return self.text if is_text else self.background
        bright = name.startswith("bright")
        plain = name.removeprefix("bright")
        if plain in _NAMES:
            return "#" + self.named.split()[_NAMES.index(plain) + 8 * bright]
        return f"#{name}"


_NAMES = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")

THEMES = {
    "dark": Colors(
        *("#dcdfe4", "#15181e", "#20242c", "#8b929e", "#343a46"),
        "20242c ff8787 87d787 ffd75f 87afff d787d7 5fd7d7 dcdfe4 "
        "6b7280 ffafaf afffaf ffff87 afd7ff ffafff 87ffff ffffff",
    ),
    "light": Colors(
        *("#24292f", "#fcfcfb", "#eceef1", "#6a737d", "#d0d7de"),
        "24292f af0000 005f00 875f00 005faf 870087 005f5f e4e4e4 "
        "6a737d d70000 008700 af5f00 0087ff af00af 008787 ffffff",
    ),
}


@dataclass(frozen=True)
class Frame:
    """What is on the screen from a moment on, in seconds."""

    start: float
    rows: tuple[Row, ...]


class Drawing:
    """An SVG in the making; styles of text become classes."""

    def __init__(self, theme: str, title: str, columns: int, rows: int) -> None:
        self._colors = THEMES[theme]
        self._title = title
        self._width = round(columns * COLUMN + 2 * BORDER)
        self._height = BAR + rows * LINE + BORDER
        self._classes: dict[str, str] = {}

    def still(self, rows: Sequence[Row], text: str) -> str:
        """Return a picture of a screen; ``text`` is what it says to who cannot see it."""
        return self._document("".join(self._placed(y, row) for y, row in enumerate(rows)), text)

    def moving(self, frames: Sequence[Frame], end: float, text: str) -> str:
        """Return an animation that begins again at an end, in seconds.

        Each row is a strip of all that it ever shows, moved behind a window of one row.
        """
        body = []
        for y in range(max(len(frame.rows) for frame in frames)):
            shown = [(f.start, f.rows[y] if y < len(f.rows) else ()) for f in frames]
            shown = [next(run) for _, run in groupby(shown, key=lambda state: state[1])]
            states = list(dict.fromkeys(row for _, row in shown))
            strip = "".join(
                f'<g transform="translate(0,{number * LINE})">{"".join(self._runs(row))}</g>'
                for number, row in enumerate(states)
            )
            moves = ";".join(f"0,{-LINE * states.index(row)}" for _, row in shown)
            times = ";".join(["0", *(f"{start / end:.5g}" for start, _ in shown[1:])])
            body.append(
                f'<svg x="{BORDER}" y="{BAR + y * LINE}" width="{self._width - 2 * BORDER}"'
                f' height="{LINE}"><g>{strip}<animateTransform attributeName="transform"'
                f' type="translate" values="{moves}" keyTimes="{times}" calcMode="discrete"'
                f' dur="{end:g}s" repeatCount="indefinite"/></g></svg>\n'
            )
        return self._document("".join(body), text)

    def _placed(self, y: int, row: Row) -> str:
        drawn = "".join(self._runs(row))
        return f'<g transform="translate({BORDER},{BAR + y * LINE})">{drawn}</g>' if drawn else ""

    def _runs(self, row: Row) -> Iterator[str]:
        x = 0
        for look, cells in groupby(row, key=_look):
            text = "".join(cell.data for cell in cells)
            at, width = f"{x * COLUMN:.4g}", f"{len(text) * COLUMN:.4g}"
            front, back = self._of(look)
            if back != self._colors.background:
                yield f'<rect x="{at}" width="{width}" height="{LINE}" fill="{back}"/>'
            inner = text.strip()
            if inner:
                start = (x + len(text) - len(text.lstrip())) * COLUMN
                yield (
                    f'<text x="{start:.4g}" y="13" textLength="{len(inner) * COLUMN:.4g}"'
                    f' class="{self._class(front, look)}">{escape(inner, quote=False)}</text>'
                )
            x += len(text)

    def _of(self, look: Char) -> tuple[str, str]:
        front = self._colors.of(look.fg, is_text=True)
        back = self._colors.of(look.bg, is_text=False)
        return (back, front) if look.reverse else (front, back)

    def _class(self, color: str, look: Char) -> str:
        rule = f"fill:{color}"
        rule += ";font-weight:bold" * look.bold + ";font-style:italic" * look.italics
        rule += ";text-decoration:underline" * look.underscore
        return self._classes.setdefault(rule, f"c{len(self._classes)}")

    def _document(self, body: str, text: str) -> str:
        colors, middle = self._colors, self._width / 2
        rules = "".join(f".{name}{{{rule}}}" for rule, name in self._classes.items())
        dots = "".join(
            f'<circle cx="{BORDER + 5 + 17 * number}" cy="13" r="5" fill="{colors.edge}"/>'
            for number in range(3)
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self._width}" height="{self._height}"'
            f' viewBox="0 0 {self._width} {self._height}" role="img">\n'
            f"<title>{escape(self._title)}</title>\n<desc>{escape(text, quote=False)}</desc>\n"
            f"<style>text{{font:14px {_FONT};white-space:pre}}{rules}</style>\n"
            f'<rect x=".5" y=".5" width="{self._width - 1}" height="{self._height - 1}" rx="8"'
            f' fill="{colors.background}" stroke="{colors.edge}"/>\n'
            f'<path d="M1 {BAR - 6}V8a7 7 0 0 1 7-7H{self._width - 8}a7 7 0 0 1 7 7V{BAR - 6}Z"'
            f' fill="{colors.bar}"/>{dots}\n'
            f'<text x="{middle:g}" y="17.5" text-anchor="middle" style="font-size:12px"'
            f' fill="{colors.title}">{escape(self._title)}</text>\n{body}\n</svg>\n'
        )


def _look(cell: Char) -> Char:
    """Return what a cell looks like, without its letter; a blank has no colour."""
    if cell.data == " " and not (cell.reverse or cell.underscore):
        return Char(" ", bg=cell.bg)
    return cell._replace(data=" ")
