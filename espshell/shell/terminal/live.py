"""What `watch` shows: on a terminal one picture drawn over and over, else a piece per change."""

from __future__ import annotations

from espshell.ops.memory.watch import Sample
from espshell.render.bits import bit_diff
from espshell.render.hexdump import Hexdump
from espshell.render.theme import paint
from espshell.shell.output import Output
from espshell.units import hex32


class View:
    """Shows samples of a number, or of the bytes at an address, what has changed marked."""

    def __init__(self, output: Output, what: str, address: int | None) -> None:
        self._output = output
        self._what = what
        self._address = address
        self._before: int | bytes | None = None
        self._drawn = 0  # lines of the picture on the screen

    def look(self, sample: Sample[int | bytes]) -> None:
        """Draw a look on a terminal; elsewhere do nothing."""
        rows = self._output.live_rows
        if not rows:
            return
        lines = [f"{self._what}  look {sample.look}, {sample.seconds:.1f} s", *self._lines(sample)]
        if len(lines) >= rows:
            lines = [*lines[: rows - 2], "..."]
        over = f"\x1b[{self._drawn}A\x1b[J" if self._drawn else ""
        self._output.write(over + "".join(line + "\n" for line in lines))
        self._drawn = len(lines)
        self._before = sample.seen

    def change(self, sample: Sample[int | bytes]) -> None:
        """Print a change where there is no terminal."""
        if self._output.live_rows or self._output.as_json:
            return
        self._output.lines([f"{sample.seconds:.3f} s", *self._lines(sample)])
        self._before = sample.seen

    def _lines(self, sample: Sample[int | bytes]) -> list[str]:
        color, before, seen = self._output.color, self._before, sample.seen
        if isinstance(seen, bytes):
            old = before if isinstance(before, bytes) else None
            dump = Hexdump(self._address or 0, seen, before=old)
            return dump.text(color=color).splitlines()
        if isinstance(before, int) and before != seen and min(before, seen) >= 0:
            width = 32 if max(before, seen) < 1 << 32 else 64
            return bit_diff(before, seen, width=width, color=color)
        value = hex32(seen) if seen >= 0 else str(seen)
        return [f"{paint(value, 'value', color=color)}  {seen}"]
