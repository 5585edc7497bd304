"""Forms of results: lines of styled text, paragraphs and tables, which know no terminal.

A form yields blocks; a ``Document`` lays them out for a view.  It is a renderable of rich, and
without rich it writes itself as text.  There is one layout for both, so they cannot differ.

A line is cut at spaces only: an address, a name or a number stays whole, even where it alone is
longer than the line.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

from espshell import regex
from espshell.errors import printable
from espshell.records import replace
from espshell.render import theme
from espshell.render.view import View

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.measure import Measurement

LABEL: Final = 10
"""Columns of a label."""

_HANG = 4  # columns before the second line of a folded row
_LEAST = 20  # columns of text behind a label, however narrow the terminal is
_GAP = "  "  # between columns of a table
_WORD = regex.late(r"\s*\S+")


class Styled(NamedTuple):
    """Text in one style of the theme."""

    text: str
    style: str = ""


_STYLED_GAP = Styled(_GAP)

Line = tuple[Styled, ...]
Part = str | Styled
Cell = Part | Line


class Block:
    """Something that takes whole lines; alone, a renderable of rich, too."""

    __slots__ = ()

    def lines(self, view: View) -> Iterator[Line]:
        """Yield its lines as they fit a view."""
        raise NotImplementedError

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return self._alone().__rich_console__(console, options)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return self._alone().__rich_measure__(console, options)

    def _alone(self) -> Document:
        return Document(lambda _: [self], View(width=0))


class Text(Block):
    """One line of parts; where it is folded, ``hang`` columns are left free below its start."""

    def __init__(self, *parts: Part, hang: int = _HANG, wraps: bool = False) -> None:
        self._line = line(*parts)
        self._hang = hang
        self._wraps = wraps  # also in files

    def lines(self, view: View) -> Iterator[Line]:
        """Yield it, folded if it has to be."""
        if (view.fold or self._wraps) and _line_width(self._line) > view.width:
            yield from wrap(self._line, view.width, hang=self._hang)
        else:
            yield self._line


class Labelled(Block):
    """A paragraph behind a label, wrapped also in files, its lines below each other.

    style: of label and text; without one the label has its own.
    """

    def __init__(self, label: Part, *parts: Part, style: str = "", end: str = "") -> None:
        name = label if isinstance(label, Styled) else Styled(label, style or "label")
        self._label = Styled(f"{name.text:<{LABEL}}", name.style)
        self._line = tuple(Styled(text, own or style) for text, own in line(*parts))
        self._end = end  # of each line but the last

    def lines(self, view: View) -> Iterator[Line]:
        """Yield its lines."""
        room = max(view.width - LABEL - len(self._end), _LEAST)
        line = []
        for text, style in self._line:  # names of many parts in one are the only too long words
            words = (w.replace("/", " / ") if len(w) > room else w for w in text.split(" "))
            line.append(Styled(" ".join(words), style))
        wrapped = list(wrap(tuple(line), room))
        for number, row in enumerate(wrapped):
            before = Styled(" " * LABEL) if number else self._label
            behind = () if number == len(wrapped) - 1 or not self._end else (Styled(self._end),)
            yield (before, *row, *behind)


class Table(Block):
    """Rows of cells in columns; a plain first cell is a name.

    Where a row has no room the text of its last column goes on below itself, if that is wide
    enough, else the row is folded like a line.
    """

    def __init__(self, rows: Iterable[Sequence[Cell]], *, wrap: bool = False) -> None:
        self._rows = [_cells(row) for row in rows]
        self._wraps = wrap  # also in files

    def lines(self, view: View) -> Iterator[Line]:
        """Yield a line a row, or several where it is too long."""
        return chain.from_iterable(row.lines(view) for row in self.rows(view))

    def rows(self, view: View) -> Iterator[Block]:
        """Yield each row as a block, the columns of all of them aligned."""
        columns = list(zip_longest(*self._rows, fillvalue=()))
        if not columns:
            return
        widths = [max(map(_line_width, column)) for column in columns]
        hang = sum(widths[:-1]) + len(_GAP) * (len(widths) - 1)
        words = " ".join(map(plain, columns[-1])).split()
        room = max(*map(columns_of, words), min(_LEAST, widths[-1]), 0)
        fits = not view.fold or view.width - hang >= room
        for row in self._rows:
            aligned = _aligned(row, widths)
            if fits or _line_width(aligned) <= view.width:
                yield Text(*aligned, hang=hang, wraps=self._wraps)
            else:
                yield Text(*_joined(row))


class Indented(Block):
    """Blocks that stand further to the right."""

    def __init__(self, by: int, *blocks: Block) -> None:
        self._by = by
        self._blocks = blocks

    def lines(self, view: View) -> Iterator[Line]:
        """Yield their lines."""
        inner = replace(view, width=view.width - self._by)
        for block in self._blocks:
            for text in block.lines(inner):
                yield (Styled(" " * self._by), *text)


class Document:
    """A form of a result, ready to be drawn: by ``str``, or by a console of rich."""

    def __init__(self, form: Callable[[View], Iterable[Block]], view: View) -> None:
        self._form = form
        self.view = view

    def lines(self, view: View | None = None) -> Iterator[Line]:
        """Yield its lines for another view, or its own."""
        shown = view or self.view
        return chain.from_iterable(block.lines(shown) for block in self._form(shown))

    def __str__(self) -> str:
        """Return its lines, each with its end; in colour if its view says so."""
        return "".join(written(text, color=self.view.color) + "\n" for text in self.lines())

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.segment import Segment

        width = options.max_width
        # A recording console keeps styles for its export, whatever its file can show.
        color = not console.no_color and (console.record or console.color_system is not None)
        fold = self.view.fold or width != self.view.width
        for text in self.lines(replace(self.view, width=width, fold=fold, color=color)):
            for part, style in text:
                yield Segment(part, theme.rich_style(style) if style else None)
            yield Segment.line()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        from rich.measure import Measurement

        view = replace(self.view, width=options.max_width, fold=True)
        widths = [_line_width(text) for text in self.lines(view)]
        width = min(max(widths, default=0), options.max_width)
        return Measurement(width, width)


def line(*parts: Part) -> Line:
    """Return parts as one line, in which nothing speaks to the terminal."""
    styled = [part if isinstance(part, Styled) else Styled(part) for part in parts]
    return tuple([s if s[0].isprintable() else Styled(printable(s[0]), s[1]) for s in styled])


def spaced(*parts: Part) -> Text:
    """Return parts with two spaces between them as one line, empty ones left out."""
    shown = [part for part in parts if (part.text if isinstance(part, Styled) else part)]
    return Text(*[piece for part in shown for piece in (_STYLED_GAP, part)][1:])


def plain(text: Line) -> str:
    """Return a line without its styles."""
    return "".join([part[0] for part in text])


def written(text: Line, *, color: bool) -> str:
    """Return a line as a terminal understands it."""
    return "".join([theme.paint(*part) for part in text]) if color else plain(text)


def columns_of(text: str) -> int:
    """Return how many columns a terminal needs for a text."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    return len(text) + wide - sum(unicodedata.combining(character) > 0 for character in text)


def wrap(text: Line, width: int, *, hang: int = 0) -> Iterator[Line]:
    """Yield a line in pieces of a width, cut at spaces; all but the first begin at ``hang``."""
    letters = plain(text)
    start = end = room = 0
    for word in _WORD.finditer(letters):
        room = width - hang if start else width
        if end > start and columns_of(letters[start : word.end()]) > room:
            yield _indented(cut(text, start, end), hang if start else 0)
            start = word.end() - len(word.group().lstrip())
        end = word.end()
    yield _indented(cut(text, start, end), hang if start else 0)


def cut(text: Line, start: int, end: int) -> Line:
    """Return the characters of a line from one index up to another, as they were styled."""
    pieces, at = [], 0
    for part, style in text:
        piece = part[max(start - at, 0) : max(end - at, 0)]
        if piece:
            pieces.append(Styled(piece, style))
        at += len(part)
    return tuple(pieces)


def _indented(text: Line, by: int) -> Line:
    return (Styled(" " * by), *text) if by else text


def _line_width(text: Line) -> int:
    return columns_of(plain(text))


def _cells(row: Sequence[Cell]) -> list[Line]:
    cells = []
    for number, cell in enumerate(row):
        if isinstance(cell, str):
            cell = Styled(cell, "" if number else "name")
        cells.append(line(*((cell,) if isinstance(cell, Styled) else cell)))
    return cells


def _aligned(row: Sequence[Line], widths: Sequence[int]) -> Line:
    filled = max((number for number, cell in enumerate(row, 1) if plain(cell)), default=0)
    parts: list[Styled] = []
    for number, (cell, width) in enumerate(zip(row[:filled], widths, strict=False), 1):
        gap = "" if number == filled else " " * (width - _line_width(cell)) + _GAP
        parts += [*cell, Styled(gap)]
    return tuple(parts)


def _joined(row: Sequence[Line]) -> Line:
    cells = [cell for cell in row if plain(cell)]
    return tuple(chain.from_iterable((*cell, Styled(_GAP)) for cell in cells))[:-1]
