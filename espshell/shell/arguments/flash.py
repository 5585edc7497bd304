"""What commands on flash are given: files and their places, and what can be erased."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from espshell.device.board import parse_pads
from espshell.errors import UsageError
from espshell.ops.flash import payload as images
from espshell.records import replace
from espshell.shell.arguments.places import PLACE, REGION, Extent, Location, Place, Range, unquoted
from espshell.shell.arguments.types import (
    FILE,
    TEXT,
    ArgType,
    Completed,
    Offer,
    Scope,
    Unfinished,
    checked,
    complete_files,
    offer,
    offer_names,
)
from espshell.units import parse_number

_FLASH = "flash:"

Pair = tuple[Path, Location]
Pairs = tuple[tuple[Path, Place], ...]


def file_places(
    *, swapped: bool = False, label: str = "", where: ArgType[Place, Location] = PLACE
) -> ArgType[Pairs, tuple[Pair, ...]]:
    """Take files and the places where they belong: ``FILE PLACE``, again and again.

    ``swapped`` is esptool's order, in which a bare number is an address in flash.
    """
    label = label or ("ADDRESS FILE..." if swapped else "FILE PLACE...")

    def parse(texts: Sequence[str]) -> Pairs:
        if len(texts) % 2:
            partner = "file" if swapped else "place"
            message = f"expected a {partner} after `{texts[-1]}`"
            raise UsageError(message, hint=f"the form is {label}")
        pairs = []
        for first, second in zip(texts[::2], texts[1::2], strict=True):
            name, place_text = (second, first) if swapped else (first, second)
            if swapped and parse_number(place_text) is None and parse_number(name) is not None:
                raise UsageError(
                    f"`{place_text}` is not an address", hint=f"in this order: {label}"
                )
            if swapped:
                place_text = in_flash(place_text)
            pairs.append((FILE.parse([unquoted(name)]), where.parse([place_text])))
        return tuple(pairs)

    def resolve(parsed: Pairs, scope: Scope) -> tuple[Pair, ...]:
        return tuple((file, where.resolve(place, scope)) for file, place in parsed)

    def complete(at: Unfinished) -> Iterable[Completed]:
        if len(at.before) % 2 == swapped:
            return complete_files(at.word, at.scope)
        return (complete_in_flash if swapped else where.complete)(at.word, at.scope)

    return ArgType(
        "places and files" if swapped else "files and places",
        parse,
        resolve,
        names=lambda parsed: [name for _, place in parsed for name in where.names(place)],
        files=lambda parsed: [file for file, _ in parsed],
        complete_at=complete,
        least=2,
        most=999,
        raw=True,
        label=label,
    )


def in_flash(text: str) -> str:
    """Return the text of a place, a bare number with the space ``flash:``."""
    return text if ":" in text else f"flash:{text}"


def complete_in_flash(text: str, scope: Scope) -> Iterable[Completed]:
    """Offer partitions, with the space that not everybody types."""
    if text[: len(_FLASH)].lower() == _FLASH:
        yield from REGION.complete(text, scope)
    else:
        for one in offer_names(text, scope.space("flash")) if scope.chip else ():
            yield Offer(_FLASH + one.text, one.about)


def erasable(*, bare: bool = False) -> ArgType[Range, Extent]:
    """Take a region of flash, or ``chip`` for all; ``bare``: a number is an address in flash."""

    def parse(texts: Sequence[str]) -> Range:
        words = list(texts)
        if [word.lower() for word in words] in (["chip"], ["all"]):
            return REGION.parse(["flash:all"])
        if bare:  # as esptool writes it: ``0 ALL``, ``0 64KB``
            words[0] = in_flash(words[0])
            if len(words) == 2 and words[1].lower() == "all":
                words = [f"{words[0]}..end"]
            elif len(words) == 2 and words[1][-2:].upper() in ("KB", "MB"):
                words[1] = words[1][:-1]
        region = REGION.parse(words)
        if region.place.space != "flash":
            raise UsageError(
                f"`{texts[0]}` is not in flash; only flash can be erased",
                hint=f"flash:{unquoted(texts[0])}, or `chip`",
            )
        return region

    def complete(at: Unfinished) -> Iterable[Completed]:
        return () if at.before else (("chip", "all of it"), *complete_in_flash(at.word, at.scope))

    kind = "region of flash"
    return replace(REGION, kind=kind, parse=parse, complete_at=complete, label="REGION|chip")


FLASH_PINS = replace(checked(TEXT, parse_pads), kind="pins", complete=offer("auto", "SPI", "HSPI"))
"""The pins that the flash hangs on: ``auto``, ``SPI``, ``HSPI`` or ``CLK,Q,D,HD,CS``."""


def read_pairs(files: Sequence[Pair], *, like_esptool: bool = False) -> tuple[images.Payload, ...]:
    """Read the files; as esptool does, Intel HEX goes to its own addresses and a file may be empty.

    Raises: UsageError as ``read_images``.
    """
    pairs = [(path, where.address) for path, where in files]
    limits = [where.end for _, where in files]
    return images.read_payloads(pairs, limits, own_addresses=like_esptool, empty=like_esptool)


def require_one_space(files: Sequence[Pair], only: str = "") -> None:
    """Require all places to be in one space. Raises: UsageError."""
    spaces = {where.space for _, where in files}
    if len(spaces) > 1:
        raise UsageError("some files are for memory and some for flash")
    if only and spaces != {only}:
        raise UsageError("files are compared with flash only; `diff FILE REGION` with memory")
