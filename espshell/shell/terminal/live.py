"""What `watch` shows: on a terminal one picture drawn over and over, else a piece per change."""

from __future__ import annotations

from collections.abc import Iterator

from espshell.ops.memory.watch import Sample
from espshell.render.bits import bit_diff
from espshell.render.document import Block, Document, Styled, Text
from espshell.render.hexdump import Hexdump
from espshell.render.view import View
from espshell.shell.output import Output
from espshell.units import hex32


class Live:
    """Shows samples of a number, or of the bytes at an address, what has changed marked."""

    def __init__(self, output: Output, name: str, address: int | None) -> None:
        self._output = output
        self._name = name
        self._address = address
        self._before: int | bytes | None = None
        self._drawn = 0  # lines of the picture on the screen

    def look(self, sample: Sample[int | bytes]) -> None:
        """Draw a look on a terminal; elsewhere do nothing."""
        rows = self._output.live_rows
        if not rows:
            return
        head = f"{self._name}  look {sample.look}, {sample.seconds:.1f} s"
        lines = str(self._document(head, sample)).splitlines()
        if len(lines) >= rows:
            lines = [*lines[: rows - 2], "..."]
        over = f"\x1b[{self._drawn}A\x1b[J" if self._drawn else ""
        self._output.write(over + "".join(line + "\n" for line in lines))
        self._drawn = len(lines)
        self._before = sample.seen

    def change(self, sample: Sample[int | bytes]) -> None:
        """Print a change where there is no terminal."""
        if not self._output.live_rows:
            self._output.show(self._document(f"{sample.seconds:.3f} s", sample))
            self._before = sample.seen

    def _document(self, head: str, sample: Sample[int | bytes]) -> Document:
        def blocks(view: View) -> Iterator[Block]:
            yield Text(head)
            yield from self._picture(sample.seen, view)

        return Document(blocks, self._output.view)

    def _picture(self, seen: int | bytes, view: View) -> Iterator[Block]:
        before = self._before
        if isinstance(seen, bytes):
            old = before if isinstance(before, bytes) else None
            yield Hexdump(self._address or 0, seen, before=old)
        elif isinstance(before, int) and before != seen and min(before, seen) >= 0:
            width = 32 if max(before, seen) < 1 << 32 else 64
            yield from bit_diff(before, seen, view, width=width)
        else:
            yield Text(Styled(hex32(seen) if seen >= 0 else str(seen), "value"), f"  {seen}")
