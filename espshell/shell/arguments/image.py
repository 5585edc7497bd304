"""The arguments of `image`: a file or a place in flash, files with their places, sizes, a chip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from espshell.chips import Chip
from espshell.errors import UsageError
from espshell.ops.flash.settings import refuse_megabits
from espshell.shell.arguments.flash import FilePlaces, Pairs
from espshell.shell.arguments.operands import unquoted
from espshell.shell.arguments.places import Place, Spot
from espshell.shell.arguments.types import ArgType, ChipNames, File, Scope, Text
from espshell.shell.language import place
from espshell.shell.settings import MOST_FLASH
from espshell.units import parse_number

_SPACES = tuple(f"{space}:" for space in place.SPACES)


class OneChip(ArgType[Chip, Chip]):
    """The name of a chip."""

    def parse(self, texts: Sequence[str]) -> Chip:
        """Find the chip. Raises: UsageError with those that are known."""
        return ChipNames().parse(texts)[0]

    def value(self, parsed: Chip, scope: Scope) -> Chip:
        """Return it."""
        return parsed

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names."""
        return ChipNames().complete(text, scope)


class FlashBytes(ArgType[int, int]):
    """A size as esptool writes it, or as everywhere: ``4MB``, ``256KB``, ``4M``, ``0x1000``."""

    def parse(self, texts: Sequence[str]) -> int:
        """Parse it. Raises: UsageError."""
        text = texts[0].upper()
        size = parse_number(text.removesuffix("B") if text[-2:] in ("KB", "MB") else texts[0])
        if not size or size > MOST_FLASH:
            raise UsageError(
                f"`{texts[0]}` is no size", hint="4MB, 512k or 0x1000 are; at most 256M"
            )
        return size

    def value(self, parsed: int, scope: Scope) -> int:
        """Return it."""
        return parsed


class FlashSize(ArgType["int | None", "int | None"]):
    """What a flash has: ``4MB``; None for ``detect`` and ``keep``, which go by its id."""

    def parse(self, texts: Sequence[str]) -> int | None:
        """Parse it. Raises: UsageError."""
        if texts[0].lower() in ("detect", "keep"):
            return None
        refuse_megabits(texts[0])
        return FlashBytes().parse([texts[0].removesuffix("-c1")])

    def value(self, parsed: int | None, scope: Scope) -> int | None:
        """Return it."""
        return parsed


class FileOrFlash(ArgType["Path | place.Place", "Path | Spot"]):
    """A file, or a place in the connected chip's flash, which begins with ``flash:``."""

    raw = True
    label = "FILE|flash:PLACE"

    def parse(self, texts: Sequence[str]) -> Path | place.Place:
        """Tell the two apart. Raises: UsageError for a place that is not in flash."""
        if not texts[0].lower().startswith(_SPACES):
            return File().parse([unquoted(texts[0])])
        where = Place().parse(texts)
        if where.space != "flash":
            raise UsageError(
                f"`{texts[0]}` is not in flash", hint="an image stands in a file or in flash"
            )
        return where

    def value(self, parsed: Path | place.Place, scope: Scope) -> Path | Spot:
        """Return the path, or evaluate the place."""
        return parsed if isinstance(parsed, Path) else Place().value(parsed, scope)

    def files(self, parsed: Path | place.Place) -> tuple[Path, ...]:
        """Return the file, if it is one."""
        return (parsed,) if isinstance(parsed, Path) else ()

    def names(self, parsed: Path | place.Place) -> tuple[str, ...]:
        """Return the names that a place uses."""
        return () if isinstance(parsed, Path) else Place().names(parsed)

    def needs_chip(self, parsed: Path | place.Place | None) -> bool:
        """Say whether it is in flash, or may be."""
        return not isinstance(parsed, Path)

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete files and names of partitions."""
        if text.lower().startswith("flash:"):
            return Place().complete(text, scope)
        return (*File().complete(text, scope), "flash:")


class FileOffsets(FilePlaces):
    """Files and where in flash they belong; a bare number is an address in flash."""

    def __init__(self, *, swapped: bool = False) -> None:
        super().__init__(swapped=swapped)
        self._place = 0 if swapped else 1
        if not swapped:
            self.label = "FILE ADDRESS..."

    def parse(self, texts: Sequence[str]) -> Pairs:
        """Parse pairs. Raises: UsageError if one lacks its half, or is not for flash."""
        words = list(texts)
        for index in range(self._place, len(words), 2):
            if ":" not in words[index]:
                words[index] = f"flash:{words[index]}"
        pairs = super().parse(words)
        for _, where in pairs:
            if where.space != "flash":
                raise UsageError(f"`{where.space}:{where.expr.text}` is not in flash")
        return pairs

    def needs_chip(self, parsed: Pairs | None) -> bool:
        """Say whether a place is the name of a partition."""
        return parsed is not None and bool(self.names(parsed))


class PassedOn(Text):
    """The value of another program's option, to be passed on together with its flag."""

    def __init__(self, flag: str, *choices: str) -> None:
        self._flag = flag
        self._choices = choices

    def value(self, parsed: str, scope: Scope) -> str:
        """Return flag and value as one word."""
        return f"{self._flag}={parsed}"

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete the values that are known."""
        return self._choices
