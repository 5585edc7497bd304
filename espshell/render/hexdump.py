"""The hexdump: bytes as rows of text, plain or coloured, finished as they arrive.

    3fc90000                 48 65 6c  6c 6f 2c 20 77 6f 72 6c  |     Hello, worl|  nvs
    3fc90010  64 21 0a 00 ff ff ff ff  ff ff ff ff ff ff ff ff  |d!..............|
    3fc90020  ff ff ff ff ff ff ff ff  ff ff ff ff ff ff ff ff  |................|
    *         4093 more rows like this (65488 bytes) up to 3fca0000
    3fca0000  ff ff ff ff ff ff ff ff  ff ff ff ff ff ff ff ff  |................|

Rows hold the 16 bytes from a multiple of 16, so that columns line up; bytes that were not asked
for are blank.  Values of 16, 32 and 64 bits are little-endian; the gutter at the right always is
in the order of memory.  Where only a part of a value was asked for, the digits of its bytes stand
at their places in the value.

Where 16 bytes have no room a row has 8 or 4 of them.  Names of places that have no room beside
their rows stand below the dump, with their addresses: no line of their own comes between rows.

How it works.  A byte on its way to a row is a *symbol*: 0..255 as it is, plus 256 if it changed,
or 512 for a cell that was not asked for.  Tables give a symbol's digits, character and style;
a template for each width puts sixteen of them in a row.  This is the only row formatter.  It is
twice as slow as ``bytes.hex`` of whole rows, which is 50 ms in 1 MiB and worth one less path.

A long dump bypasses rich, which needs 4 s and 400 MB where this needs 0.2 s: the writer paints by
itself, and to the byte as rich does.  A sequence is written only where the style changes from the
cell before: a third less to draw for the terminal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from espshell.errors import printable
from espshell.records import dataclass
from espshell.render import theme
from espshell.render.document import Block, Line, Styled, wrap, written
from espshell.units import KIB, count_text, size_text

if TYPE_CHECKING:
    from espshell.render.view import View

ROW: Final = 16
"""Bytes in a row, where there is room."""

Label = Callable[[int], str]
"""Gives the name of the place at an address, or an empty text."""

Before = Sequence[int | None] | None
"""Bytes that are compared with; None for one that is not known."""

_MOST_NAMES = 40  # below a dump

_CHANGED = 256
_BLANK = 512

_PLACE = 10  # columns before the first cell: eight digits of address and a gap


class HexWriter:
    """Turn bytes that arrive in chunks into the rows of a hexdump.

    What ``feed`` and ``finish`` return, put together, does not depend on where the chunks were
    cut.  Write each with one call: a write per row would cost more than the row.

    address: of the first byte.
    width: 8, 16, 32 or 64 bits in a value.
    color: colour bytes by class and changes by ``changed``; without it a change has ``^^`` below.
    squeeze: show a run of equal rows as its first row and one line that counts the others.
    before: what the range held the last time, from ``address``; bytes beyond its end, or None,
        are not compared.
    label: names the place of a row's first byte; shown at the right where the name changes.
    columns: that a row may take; 0 for any number.

    Raises: KeyError for another width.
    """

    def __init__(
        self,
        address: int,
        *,
        width: int = 8,
        color: bool = False,
        squeeze: bool = True,
        before: Before = None,
        label: Label | None = None,
        columns: int = 0,
    ) -> None:
        self._start = address
        self._columns = columns
        self._row = row_size(columns, width=width) if columns else ROW
        self._layout = _layout(width, self._row)
        self._color = color
        self._squeeze = squeeze
        self._before = before
        self._label = label
        self._address = address  # of the first byte that is not yet in a row
        self._held = b""  # the bytes from there, less than a row
        self._last: _Row | None = None  # the row before, printed or not
        self._names: list[str] = []  # places whose names had no room beside their rows
        self._skipped = 0  # rows since the last printed one, all equal to it

    def feed(self, data: bytes) -> str:
        """Return the lines that more bytes complete: whole lines, perhaps none."""
        lines: list[str] = []
        data = self._held + data
        start, stop = 0, self._row - self._address % self._row
        while stop <= len(data):
            self._add(data[start:stop], lines)
            start = self._skip(data, stop)
            stop = start + self._row
        self._held = data[start:]
        return "".join(lines)

    def finish(self) -> str:
        """Return the remaining lines; the last row of a dump is always shown."""
        lines: list[str] = []
        if self._held:
            self._add(self._held, lines)
        if self._last is not None and self._skipped:
            last = self._address - len(self._last.data)
            self._skipped -= 1
            self._end_run(last, lines)
            lines.append(self._line(last, self._last))
        if self._names:
            texts = (Styled(", ".join(self._names), "label"),)
            pieces = wrap(texts, self._columns, hang=0)
            lines += [written(piece, color=self._color) + "\n" for piece in pieces]
            self._names = []
        return "".join(lines)

    def _add(self, data: bytes, lines: list[str]) -> None:
        name = printable(self._label(self._address)) if self._label else ""
        row = _Row(data, self._changes(data), name)
        if self._squeeze and row == self._last:
            self._skipped += 1
        else:
            self._end_run(self._address, lines)
            lines.append(self._line(self._address, row))
        self._last = row
        self._address += len(data)

    def _skip(self, data: bytes, start: int) -> int:
        # Erased flash is megabytes of one row: compare it by the block.  Returns where to go on.
        if not self._skipped or self._last is None or self._before is not None or self._label:
            return start
        block = self._last.data * 256
        while data.startswith(block, start):
            start += len(block)
            self._address += len(block)
            self._skipped += 256
        return start

    def _end_run(self, end: int, lines: list[str]) -> None:
        # Account for the rows skipped up to an address; a single one is shown: it takes no more.
        if self._skipped == 1 and self._last is not None:
            lines.append(self._line(end - self._row, self._last))
        elif self._skipped:
            size = self._skipped * self._row
            exact = count_text(size, "byte") if size % KIB else size_text(size)
            text = f"{'*':<{_PLACE}}{self._skipped} more rows like this ({exact}) up to {end:08x}"
            pieces = wrap((Styled(text, "squeeze"),), self._columns or len(text), hang=_PLACE)
            lines += [written(piece, color=self._color) + "\n" for piece in pieces]
        self._skipped = 0

    def _changes(self, data: bytes) -> bytes:
        # A 1 for each byte that changed, or nothing if none did.
        if self._before is None:
            return b""
        offset = self._address - self._start
        old = self._before[offset : offset + len(data)]
        if isinstance(old, bytes) and data.startswith(old):
            return b""
        changes = bytes(b is not None and a != b for a, b in zip(data, old, strict=False))
        return changes.ljust(len(data), b"\0") if any(changes) else b""

    def _line(self, address: int, row: _Row) -> str:
        offset = address % self._row
        symbols = row.symbols(offset, self._row)
        place = self._paint(f"{address - offset:08x}", "address")
        if self._color:
            digits, characters = _ink("digits"), _ink("characters")
            cells = self._layout.template % tuple(digits.paint(self._layout.order(symbols)))
            gutter = "".join(characters.paint(symbols))
        else:
            cells = self._layout.write(_DIGITS, symbols)
            gutter = "".join([_CHARACTERS[symbol] for symbol in symbols])
        line = f"{place}  {cells}  |{gutter}|"
        if row.name and (self._last is None or row.name != self._last.name):
            line = self._named(line, address, row.name)
        if row.changes and not self._color:
            line += f"\n{' ' * len(place)}  {self._layout.write(_CARETS, symbols)}".rstrip()
        return line + "\n"

    def _named(self, line: str, address: int, name: str) -> str:
        columns = _row_columns(self._layout, self._row) + len(f"  {name}")
        if 0 < self._columns < columns:
            if len(self._names) < _MOST_NAMES:
                self._names.append(f"{address:08x} {name}")
            return line
        return f"{line}  {self._paint(name, 'label')}"

    def _paint(self, text: str, style: str) -> str:
        return theme.paint(text, style, color=self._color)


@dataclass(frozen=True, slots=True)
class Hexdump(Block):
    """A whole hexdump as a block of a form; the fields are those of ``HexWriter``.

    For more than a screenful write what ``writer`` gives instead.
    """

    address: int
    data: bytes
    width: int = 8
    squeeze: bool = True
    before: Before = None
    label: Label | None = None

    def lines(self, view: View) -> Iterator[Line]:
        """Yield its rows."""
        writer = self.writer(view)
        for row in (writer.feed(self.data) + writer.finish()).splitlines():
            yield tuple(Styled(*run) for run in theme.runs(row))

    def writer(self, view: View) -> HexWriter:
        """Return what writes its bytes as they arrive."""
        return HexWriter(
            self.address,
            width=self.width,
            color=view.color,
            squeeze=self.squeeze,
            before=self.before,
            label=self.label,
            columns=view.width if view.fold else 0,
        )


def row_size(columns: int, *, width: int = 8) -> int:
    """Return how many bytes of values of a width have room in a row of so many columns."""
    for size in (ROW, ROW // 2):
        if _row_columns(_layout(width, size), size) <= columns:
            return size
    return max(ROW // 4, width // 8)


def _row_columns(layout: _Layout, size: int) -> int:
    return _PLACE + len(layout.write(_DIGITS, bytes(size))) + len("  ||") + size


class _Row(NamedTuple):
    # Not a dataclass: one is made and compared for every row, and tuples do both five times faster.
    data: bytes
    changes: bytes
    name: str

    def symbols(self, offset: int, size: int) -> Sequence[int]:
        """Return the symbols of a row of a size, whose first byte is in column ``offset``."""
        if len(self.data) == size and not self.changes:
            return self.data
        symbols = [_BLANK] * size
        changes = self.changes or bytes(len(self.data))
        for column, (byte, changed) in enumerate(zip(self.data, changes, strict=True), offset):
            symbols[column] = byte + _CHANGED * changed
        return symbols


@dataclass(frozen=True, slots=True)
class _Layout:
    order: Callable[[Sequence[int]], tuple[int, ...]]  # from the order of memory to that of digits
    template: str

    def write(self, texts: Sequence[str], symbols: Sequence[int]) -> str:
        return self.template % tuple([texts[symbol] for symbol in self.order(symbols)])


@cache
def _layout(width: int, row: int) -> _Layout:
    size = {8: 1, 16: 2, 32: 4, 64: 8}[width]
    order = [start + size - 1 - i for start in range(0, row, size) for i in range(size)]
    values = ["%s" * size] * (row // size)
    if size == 1 and row >= ROW // 2:
        values.insert(row // 2, "")  # two spaces in the middle: sixteen bytes are hard to count
    return _Layout(itemgetter(*order), " ".join(values))


def _style(symbol: int) -> str:
    if symbol == _BLANK:
        return "byte.other"
    if symbol >= _CHANGED:
        return "changed"
    if symbol == 0x00:
        return "byte.zero"
    if symbol == 0xFF:
        return "byte.erased"
    if symbol in b" \t\n\v\f\r":
        return "byte.space"
    return "byte.printable" if 0x20 <= symbol < 0x7F else "byte.other"


_DIGITS = (*[f"{byte:02x}" for byte in range(256)] * 2, "  ")
_CHARACTERS = (*[chr(byte) if 0x20 <= byte < 0x7F else "." for byte in range(256)] * 2, " ")
_CARETS = (*["  "] * 256, *["^^"] * 256, "  ")


@dataclass(frozen=True, slots=True)
class _Ink:
    # Cells in colour.  Which text a symbol needs depends on the style that is in force before it,
    # so there is a table of texts for each style, and each symbol leads to the next table.
    plain: Sequence[str]
    following: Sequence[Sequence[str]]

    def paint(self, symbols: Sequence[int]) -> list[str]:
        cells = []
        texts, following = self.plain, self.following
        for symbol in symbols:
            cells.append(texts[symbol])
            texts = following[symbol]
        if texts is not self.plain:
            cells[-1] += theme.RESET
        return cells


@cache
def _ink(name: Literal["digits", "characters"]) -> _Ink:
    texts: Sequence[str] = _DIGITS if name == "digits" else _CHARACTERS
    styles = [_style(symbol) for symbol in range(len(texts))]
    tables = {
        current: [_cell(*cell, current=current) for cell in zip(texts, styles, strict=True)]
        for current in set(styles)
    }
    # A changed cell resets at its own end, else the gap behind it would be marked, too.
    tables["changed"] = tables["byte.other"]
    return _Ink(tables["byte.other"], [tables[style] for style in styles])


def _cell(text: str, style: str, *, current: str) -> str:
    if style == current:
        return text
    end = theme.RESET if theme.sgr(current) else ""
    if style == "changed":
        return end + theme.paint(text, style)
    return end + theme.sgr(style) + text
