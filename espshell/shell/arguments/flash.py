"""What commands on flash are given: files and their places, and what can be erased."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from espshell.device.pins import parse_pads
from espshell.errors import UsageError
from espshell.shell.arguments.operands import unquoted
from espshell.shell.arguments.places import Place, Region, Span, Spot
from espshell.shell.arguments.types import ArgType, File, Scope, Text
from espshell.shell.language import place
from espshell.shell.later import Later
from espshell.units import parse_number

if TYPE_CHECKING:
    from espshell.ops.flash import payload as images
else:
    images = Later("espshell.ops.flash.payload")

Pair = tuple[Path, Spot]
Pairs = tuple[tuple[Path, place.Place], ...]


class FilePlaces(ArgType[Pairs, tuple[Pair, ...]]):
    """Files and the places where they belong: ``FILE PLACE``, again and again.

    ``swapped`` is esptool's order, in which a bare number is an address in flash.
    """

    raw = True
    least = 2
    most = 999

    def __init__(self, *, swapped: bool = False, to_write: bool = False) -> None:
        self._swapped = swapped
        self._to_write = to_write
        self.label = "ADDRESS FILE..." if swapped else "FILE PLACE..."

    def parse(self, texts: Sequence[str]) -> Pairs:
        """Parse pairs. Raises: UsageError if one lacks its half."""
        if len(texts) % 2:
            raise UsageError(f"`{texts[-1]}` is alone", hint=f"in pairs: {self.label}")
        pairs = []
        for first, second in zip(texts[::2], texts[1::2], strict=True):
            name, where = (second, first) if self._swapped else (first, second)
            if self._swapped and parse_number(where) is None and parse_number(name) is not None:
                raise UsageError(f"`{where}` is no address", hint=f"in this order: {self.label}")
            if self._swapped and ":" not in where:
                where = f"flash:{where}"
            place_type = Place(to_write=self._to_write)
            pairs.append((File().parse([unquoted(name)]), place_type.parse([where])))
        return tuple(pairs)

    def value(self, parsed: Pairs, scope: Scope) -> tuple[Pair, ...]:
        """Evaluate the places."""
        return tuple((file, Place().value(where, scope)) for file, where in parsed)

    def names(self, parsed: Pairs) -> tuple[str, ...]:
        """Return the names that the places use."""
        return tuple(name for _, where in parsed for name in Place().names(where))

    def files(self, parsed: Pairs) -> tuple[Path, ...]:
        """Return the files."""
        return tuple(file for file, _ in parsed)

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete files and places."""
        return (*File().complete(text, scope), *Place().complete(text, scope))


class FlashPins(Text):
    """The pins that the flash hangs on: ``auto``, ``SPI``, ``HSPI`` or ``CLK,Q,D,HD,CS``."""

    def parse(self, texts: Sequence[str]) -> str:
        """Check it. Raises: UsageError."""
        parse_pads(texts[0])
        return texts[0]

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete the words."""
        return ("auto", "SPI", "HSPI")


class Erasable(ArgType["place.Region | str", Span]):
    """A region of flash, or ``chip`` for all of it; ``bare``: a number is an address in flash."""

    raw = True
    most = 2
    label = "REGION|chip"

    def __init__(self, *, bare: bool = False) -> None:
        self._bare = bare

    def parse(self, texts: Sequence[str]) -> place.Region | str:
        """Parse it. Raises: UsageError for a place that is not in flash."""
        words = list(texts)
        if [word.lower() for word in words] in (["chip"], ["all"]):
            return "chip"
        if self._bare and ":" not in words[0]:
            words[0] = f"flash:{words[0]}"
        if self._bare and len(words) == 2 and words[1].lower() == "all":
            words = [f"{words[0]}..end"]
        elif self._bare and len(words) == 2 and words[1][-2:].upper() in ("KB", "MB"):
            words[1] = words[1][:-1]
        region = Region().parse(words)
        if region.place.space != "flash":
            raise UsageError(
                f"`{texts[0]}` is not in flash, and nothing else can be erased",
                hint=f"flash:{unquoted(texts[0])}, or `chip`",
            )
        return region

    def value(self, parsed: place.Region | str, scope: Scope) -> Span:
        """Evaluate it."""
        if isinstance(parsed, str):
            return Region().value(Region().parse(["flash:all"]), scope)
        return Region().value(parsed, scope)

    def names(self, parsed: place.Region | str) -> tuple[str, ...]:
        """Return the names it uses."""
        return () if isinstance(parsed, str) else Region().names(parsed)

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names of partitions."""
        return (*Region().complete(text, scope), "chip")


def read_pairs(files: Sequence[Pair], *, like_esptool: bool = False) -> tuple[images.Image, ...]:
    """Read the files; as esptool does, Intel HEX goes to its own addresses and a file may be empty.

    Raises: UsageError as ``read_images``.
    """
    pairs = [(path, where.address) for path, where in files]
    limits = [where.end for _, where in files]
    return images.read_images(pairs, limits, own_addresses=like_esptool, empty=like_esptool)


def require_one_space(files: Sequence[Pair], only: str = "") -> None:
    """See that all places are in one space. Raises: UsageError."""
    spaces = {where.space for _, where in files}
    if len(spaces) > 1:
        raise UsageError("some of the files are for memory and some for flash")
    if only and spaces != {only}:
        raise UsageError("files are compared with flash only; `diff FILE REGION` with memory")
