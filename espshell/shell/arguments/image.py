"""The arguments of `image`: a file or a place in flash, files with their places, sizes, a chip."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from espshell.chips import common
from espshell.errors import UsageError
from espshell.ops.flash import payload
from espshell.records import replace
from espshell.shell.arguments.flash import Pair, Pairs, complete_in_flash, file_places, in_flash
from espshell.shell.arguments.places import PLACE, SPACES, Location, Place, parse_place, unquoted
from espshell.shell.arguments.types import (
    FILE,
    TEXT,
    ArgType,
    Completed,
    Scope,
    Unfinished,
    complete_files,
    mapped,
    offer,
    single_word,
)
from espshell.shell.settings import MOST_FLASH
from espshell.units import parse_number


def _flash_bytes(word: str) -> int:
    text = word.upper()
    size = parse_number(text.removesuffix("B") if text[-2:] in ("KB", "MB") else word)
    if not size or size > MOST_FLASH:
        raise UsageError(f"`{word}` is not a size", hint="4MB, 512k or 0x1000 are; at most 256M")
    return size


FLASH_BYTES: ArgType[int, int] = ArgType("size", single_word(_flash_bytes))
"""A size as esptool writes it, or as everywhere: ``4MB``, ``256KB``, ``4M``, ``0x1000``."""


def _flash_size(word: str) -> int | None:
    if word.lower() in ("detect", "keep"):
        return None
    payload.refuse_megabits(word)
    return _flash_bytes(word.removesuffix("-c1"))


FLASH_SIZE: ArgType[int | None, int | None] = ArgType("size", single_word(_flash_size))
"""What a flash has: ``4MB``; None for ``detect`` and ``keep``, which go by its id."""


def _parse_file_or_flash(word: str) -> Path | Place:
    if not word.lower().startswith(tuple(f"{space}:" for space in SPACES)):
        return FILE.parse([unquoted(word)])
    where = parse_place(word)
    if where.space != "flash":
        raise UsageError(f"`{word}` is not in flash", hint="an image is a file or in flash")
    return where


FILE_OR_FLASH: ArgType[Path | Place, Path | Location] = ArgType(
    "file or place in flash",
    single_word(_parse_file_or_flash),
    lambda parsed, scope: parsed if isinstance(parsed, Path) else PLACE.resolve(parsed, scope),
    names=lambda parsed: () if isinstance(parsed, Path) else PLACE.names(parsed),
    files=lambda parsed: (parsed,) if isinstance(parsed, Path) else (),
    needs_chip=lambda parsed: not isinstance(parsed, Path),
    complete=lambda text, scope: (
        PLACE.complete(text, scope)
        if text.lower().startswith("flash:")
        else (*complete_files(text, scope), "flash:")
    ),
    raw=True,
    label="FILE|flash:PLACE",
)
"""A file, or a place in the connected chip's flash, which begins with ``flash:``."""


def file_offsets(*, swapped: bool = False) -> ArgType[Pairs, tuple[Pair, ...]]:
    """Take files and where in flash they belong; a bare number is an address in flash."""
    base = file_places(swapped=swapped, label="" if swapped else "FILE ADDRESS...")

    def parse(texts: Sequence[str]) -> Pairs:
        words = list(texts)
        places = slice(0 if swapped else 1, None, 2)
        words[places] = [in_flash(word) for word in words[places]]
        pairs = base.parse(words)
        for _, where in pairs:
            if where.space != "flash":
                raise UsageError(f"`{where.space}:{where.expr.text}` is not in flash")
        return pairs

    def complete(at: Unfinished) -> Iterable[Completed]:
        is_file = len(at.before) % 2 == swapped
        return (complete_files if is_file else complete_in_flash)(at.word, at.scope)

    return replace(
        base,
        parse=parse,
        complete_at=complete,
        # The name of a partition is looked up in the chip's flash.
        needs_chip=lambda parsed: parsed is not None and bool(base.names(parsed)),
    )


def passed_on(flag: str, *choices: str) -> ArgType[str, str]:
    """Take the value of another program's option, to be passed on with its flag as one word."""
    return mapped(replace(TEXT, complete=offer(*choices)), lambda text: f"{flag}={text}")


def _complete_frequencies(text: str, scope: Scope) -> Iterable[Completed]:
    frequencies = scope.chip.flash_frequencies if scope.chip else ()
    return (payload.KEEP, *(name for name, _ in frequencies or common.FLASH_FREQUENCIES))


def _complete_sizes(text: str, scope: Scope) -> Iterable[Completed]:
    sizes = scope.chip.flash_sizes if scope.chip else common.FLASH_SIZES
    return (payload.KEEP, payload.DETECT, *(size.name for size in sizes))


HEADER_MODE = replace(TEXT, complete=offer(payload.KEEP, *payload.FLASH_MODES))
HEADER_FREQUENCY = replace(TEXT, complete=_complete_frequencies)
HEADER_SIZE = replace(TEXT, complete=_complete_sizes)
"""Settings in the header of an image, of which only the chip can tell which there are."""
