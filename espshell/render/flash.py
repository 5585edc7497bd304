"""What was done to flash, and its partitions, as lines and as JSON."""

from __future__ import annotations

from collections.abc import Sequence

from espshell.ops.flash.erase import Erased
from espshell.ops.flash.load import Written
from espshell.ops.flash.partitions import Parts
from espshell.ops.memory.diff import Span
from espshell.ops.memory.load import Loaded
from espshell.render.json import Json, to_json
from espshell.render.text import render, table
from espshell.render.theme import paint
from espshell.units import count_text, hex32, parse_number, size_text

_ROWS = 24  # of a plan


@render.register
def _(result: Written, *, color: bool = False) -> list[str]:
    files = paint(", ".join(dict.fromkeys(result.files)), "name", color=color)
    size = size_text(result.size)
    if not result.sectors_written:
        return [f"{paint('equal', 'ok', color=color)}  {files}: {size}, nothing to write"]
    sectors = f"{result.sectors_written} of {count_text(result.sectors, 'sector')}"
    if result.dry_run:
        lasts = f"in at most {max(1, result.seconds):.0f} s"
        head = f"dry run: {files}: {sectors} would be erased and written, {lasts}"
        return [head, *_planned(result, color=color)]
    return [f"{_judged(result.verified, color)}  {files}: {size}, {sectors} written"]


@to_json.register
def _(result: Written) -> Json:
    return {
        "files": list(result.files),
        "address": result.address,
        "size": result.size,
        "sectors": result.sectors,
        "sectors_written": result.sectors_written,
        "verified": result.verified,
        "failed": _spans(result.failed),
        "state": result.state,
        "elsewhere": _elsewhere(result),
        "written": _spans(result.written),
        "erased": _spans(result.erased),
        "dry_run": result.dry_run,
    }


@render.register
def _(result: Erased, *, color: bool = False) -> list[str]:
    span = f"flash {hex32(result.address)}..{hex32(result.address + result.size)}"
    if result.dry_run:
        return [f"dry run: {span} would be erased ({size_text(result.size)})"]
    skipped = f", {size_text(result.skipped)} of it was blank" if result.skipped else ""
    if result.skipped == result.size:
        return [f"{paint('blank', 'ok', color=color)}  {span} was blank already"]
    word, style = ("erased", "note") if result.verified is None else ("blank", "ok")
    if not result.ok:
        word, style = "not as wanted", "error"
    return [f"{paint(word, style, color=color)}  {span}, {size_text(result.size)}{skipped}"]


@to_json.register
def _(result: Erased) -> Json:
    return {
        "address": result.address,
        "size": result.size,
        "skipped": result.skipped,
        "verified": result.verified,
        "failed": _spans(result.failed),
        "elsewhere": _elsewhere(result),
        "dry_run": result.dry_run,
    }


@render.register
def _(result: Loaded, *, color: bool = False) -> list[str]:
    files = paint(", ".join(result.files), "name", color=color)
    if result.dry_run:
        return [f"dry run: {files}: {size_text(result.size)} would be written to memory"]
    verified = result.verified if result.verified or not result.ok else None
    return [f"{_judged(verified, color)}  {files}: {size_text(result.size)} in memory"]


@to_json.register
def _(result: Loaded) -> Json:
    return {
        "files": list(result.files),
        "address": result.address,
        "size": result.size,
        "verified": result.verified,
        "differing": list(result.differing),
        "dry_run": result.dry_run,
    }


@render.register
def _(result: Parts, *, color: bool = False) -> list[str]:
    rows = [
        (
            each.name,
            each.type_name,
            each.subtype_name,
            f"{hex32(each.offset)}..{hex32(each.end)}",
            size_text(each.size),
            " ".join(each.flag_names),
        )
        for each in result.table.partitions
    ]
    problems = [paint(text, "error", color=color) for text in result.problems]
    instead = result.flash_size is not None and parse_number(result.source) is None
    where = f"of {result.source}" if instead else f"at {hex32(result.table.offset)}"
    tail = f"table {where}, MD5 {result.table.md5}{_free(result)}"
    return [*table(rows, color=color), paint(tail, "note", color=color), *problems]


@to_json.register
def _(result: Parts) -> Json:
    return {
        "source": result.source,
        "offset": result.table.offset,
        "md5": result.table.md5,
        "partitions": [
            {
                "name": each.name,
                "type": each.type_name,
                "subtype": each.subtype_name,
                "address": each.offset,
                "size": each.size,
                "flags": list(each.flag_names),
            }
            for each in result.table.partitions
        ],
        "problems": list(result.problems),
    }


def _planned(result: Written, *, color: bool) -> list[str]:
    """Return a row for each range that would be changed, as many as fit on a screen."""
    deeds = [(span, "erase and program") for span in result.written]
    deeds += [(span, "erase") for span in result.erased]
    deeds.sort(key=lambda deed: deed[0].address)
    rows = [
        (f"{hex32(span.address)}..{hex32(span.address + span.size)}", size_text(span.size), what)
        for span, what in deeds[:_ROWS]
    ]
    more = len(deeds) - _ROWS
    return table(rows, color=color) + (
        [f"... {count_text(more, 'more range')}"] if more > 0 else []
    )


def _elsewhere(result: Written | Erased) -> Json:
    """Return the other places that may have changed, each with why it is named."""
    return [
        {"address": each.span.address, "size": each.span.size, "reason": each.reason}
        for each in result.elsewhere
    ]


def _spans(spans: Sequence[Span]) -> Json:
    return [{"address": span.address, "size": span.size} for span in spans]


def _free(result: Parts) -> str:
    """Return how much of the flash is behind the last partition, in words."""
    last = max((each.end for each in result.table.partitions), default=0)
    left = (result.flash_size or 0) - last
    return f", {size_text(left)} of the flash behind it" if left > 0 else ""


def _judged(verified: bool | None, color: bool) -> str:
    if verified is None:
        return paint("written, not verified", "note", color=color)
    return paint(
        "verified" if verified else "not as wanted", "ok" if verified else "error", color=color
    )
