"""What `watch` shows: on a terminal a picture drawn in place, else a piece per change.

The picture stands on the terminal's second screen, from its top and never wider or higher than it,
so that no resize can disturb it; at the end the first screen is as it was, and the last picture
goes below.  What has changed since the look before is marked, by colour and by ``*``, with the time
of its last change.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence

from espshell.clock import Clock, VirtualClock
from espshell.ops.memory.watch import Sample, Seen
from espshell.records import dataclass
from espshell.registers.table import Register
from espshell.render.bits import bit_diff
from espshell.render.document import Block, Cell, Document, Indented, Styled, Table, Text
from espshell.render.hexdump import Hexdump
from espshell.render.view import View
from espshell.shell.output import Output
from espshell.units import hex32

_ENTER = "\x1b[?1049h\x1b[?25l"  # second screen, no cursor
_LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_HOME, _LINE_END, _BELOW = "\x1b[?7l\x1b[H", "\x1b[K\r\n", "\x1b[J\x1b[?7h"
_TICK_S = 0.1  # after a resize the picture is drawn anew so soon


@dataclass(frozen=True, slots=True)
class Item:
    """Something that is watched; bytes have an address, and those of a register its fields."""

    title: str
    address: int | None = None
    register: Register | None = None
    is_pins: bool = False
    """Whether the number is the levels of all pins."""


class Live:
    """Shows samples of numbers, or of the bytes at addresses, what has changed marked."""

    def __init__(self, output: Output, items: Sequence[Item], clock: Clock) -> None:
        self._output = output
        self._items = items
        self.is_live = output.live_rows > 0 and os.environ.get("TERM") != "dumb"
        self.clock: Clock = _Paced(clock, self) if self.is_live else clock
        self._seen: Sequence[int | bytes] = ()
        self._before: Sequence[int | bytes | None] = (None,) * len(items)
        self._changed: dict[tuple[int, str], float] = {}  # when, by item and field
        self._head = ""
        self._now = 0.0
        self._size = (0, 0)
        self._is_short = False  # without fields that are 0 and have never changed

    @contextlib.contextmanager
    def screen(self) -> Iterator[None]:
        """Have the second screen meanwhile; leave the last picture on the first."""
        if not self.is_live:
            yield
            return
        self._output.draw(_ENTER)
        try:
            yield
        finally:
            self._output.draw(_LEAVE)
            if self._head:
                self._output.show(Document(self._blocks, self._output.view), paged=False)

    def look(self, sample: Sample[Seen]) -> None:
        """Draw a look on a terminal; elsewhere do nothing."""
        if not self.is_live:
            return
        values = sample.seen if isinstance(sample.seen, tuple) else (sample.seen,)
        self._before, self._seen = self._seen or (None,) * len(values), values
        self._now = sample.seconds
        for index, item in enumerate(self._items):
            for part in _changes(item, self._before[index], values[index]):
                self._changed[index, part] = sample.seconds
        self._head = f"look {sample.look}, {sample.seconds:.1f} s"
        self._draw()

    def refresh(self) -> None:
        """Draw the picture anew if the terminal has another size."""
        if self._head and shutil.get_terminal_size() != self._size:
            self._draw()

    def change(self, sample: Sample[Seen]) -> None:
        """Print a change where there is no terminal."""
        if self.is_live:
            return
        values = sample.seen if isinstance(sample.seen, tuple) else (sample.seen,)
        before = self._seen or (None,) * len(values)

        def blocks(view: View) -> Iterator[Block]:
            yield Text(f"{sample.seconds:.3f} s")
            for item, old, new in zip(self._items, before, values, strict=True):
                if len(values) > 1:
                    yield Text(Styled(item.title, "name"))
                yield from _piece(item, old, new, view)

        self._output.show(Document(blocks, self._output.view))
        self._seen = values

    def _draw(self) -> None:
        self._size = shutil.get_terminal_size()
        rows = self._size[1]
        for self._is_short in (False, True):
            lines = str(Document(self._blocks, self._output.view)).splitlines()
            if len(lines) <= rows:
                break
        if len(lines) > rows:
            lines = [*lines[: rows - 1], f"... {len(lines) - rows + 1} more rows"]
        self._output.draw(_HOME + _LINE_END.join(lines) + _BELOW)

    def _blocks(self, view: View) -> Iterator[Block]:
        yield Text(Styled(self._head, "note"))
        for index, (item, old, new) in enumerate(
            zip(self._items, self._before, self._seen, strict=True)
        ):
            at = (index, "")
            if item.register is not None and isinstance(new, bytes):
                word = int.from_bytes(new, "little")
                yield Text(*self._row(at, item.title, hex32(word), f"  {word}"))
                yield Indented(2, Table(self._fields(index, item.register, word)))
            elif isinstance(new, bytes):
                yield Text(*self._row(at, item.title))
                was = old if isinstance(old, bytes) else None
                yield Hexdump(item.address or 0, new, before=was)
            else:
                value = hex32(new) if new >= 0 else str(new)
                yield Text(*self._row(at, item.title, value, f"  {new}"))
                if item.is_pins:
                    high = [str(pin) for pin in range(new.bit_length()) if new >> pin & 1]
                    styles = {True: "changed", False: "value"}
                    pins = (Styled(pin, styles[self._is_new((index, pin))]) for pin in high)
                    yield Indented(2, Text("high ", *(part for pin in pins for part in (" ", pin))))

    def _row(
        self, at: tuple[int, str], title: str, value: str = "", more: str = ""
    ) -> list[Styled]:
        """Return the parts of an item's line: title, value and the time of its last change."""
        mark = "*" if self._is_new(at) else " "
        shown = Styled(value, "changed" if mark == "*" else "value")
        gap = Styled("  " if value else "")
        return [Styled(mark), Styled(title, "name"), gap, shown, Styled(more), *self._since(at)]

    def _since(self, at: tuple[int, str]) -> list[Styled]:
        when = self._changed.get(at)
        return [Styled(f"  changed at {when:.1f} s", "note")] if when is not None else []

    def _is_new(self, at: tuple[int, str]) -> bool:
        return self._changed.get(at) == self._now

    def _fields(self, index: int, register: Register, word: int) -> Iterator[Sequence[Cell]]:
        for field in register.fields:
            at, value = (index, field.name), field.value(word)
            if self._is_short and not value and at not in self._changed:
                continue
            mark, style = ("*", "changed") if self._is_new(at) else (" ", "")
            shown = Styled(f"{value:#x}" if value > 9 else str(value), style)
            yield f"{mark}{field.name}", field.bits, shown, field.named(value), (*self._since(at),)


class _Paced:
    """The clock for a person who looks: also a simulated chip's time takes its time."""

    def __init__(self, clock: Clock, live: Live) -> None:
        self._clock, self._live = clock, live

    def now(self) -> float:
        """Return the chip's time."""
        return self._clock.now()

    def sleep(self, seconds: float) -> None:
        """Wait, in steps after which a resize is noticed."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            time.sleep(min(rest, _TICK_S))
            self._live.refresh()
        if isinstance(self._clock, VirtualClock):
            self._clock.sleep(seconds)


def _changes(item: Item, old: int | bytes | None, new: int | bytes) -> Iterator[str]:
    """Yield what of an item has changed: "" for the item itself, and its fields or pins."""
    if old is None or old == new:
        return
    yield ""
    if item.register is not None and isinstance(old, bytes) and isinstance(new, bytes):
        words = int.from_bytes(old, "little"), int.from_bytes(new, "little")
        yield from (f.name for f in item.register.fields if len({*map(f.value, words)}) > 1)
    elif item.is_pins and isinstance(old, int) and isinstance(new, int):
        yield from (str(pin) for pin in range((old ^ new).bit_length()) if (old ^ new) >> pin & 1)


def _piece(item: Item, old: int | bytes | None, new: int | bytes, view: View) -> Iterator[Block]:
    """Yield an item as it is printed where there is no terminal."""
    if isinstance(new, bytes):
        yield Hexdump(item.address or 0, new, before=old if isinstance(old, bytes) else None)
    elif isinstance(old, int) and old != new and min(old, new) >= 0:
        width = 32 if max(old, new) < 1 << 32 else 64
        yield from bit_diff(old, new, view, width=width)
    else:
        yield Text(Styled(hex32(new) if new >= 0 else str(new), "value"), f"  {new}")
