"""What was written to flash and erased of it, and its partitions."""

from __future__ import annotations

from collections.abc import Iterator

from espshell.ops.flash.erase import Erased
from espshell.ops.flash.load import Written
from espshell.ops.flash.partitions import Parts
from espshell.render.document import Block, Styled, Table, Text
from espshell.render.forms import Json, form, json_form, json_rows, judgement, pick
from espshell.render.view import View
from espshell.span import Span
from espshell.units import count_text, hex32, parse_number, size_text

_ROWS = 24  # of a plan


json_rows(
    Erased="address size skipped verified failed elsewhere dry_run",
    Partition="name type=type_name subtype=subtype_name address=offset size flags=flag_names",
    Stray="address=span.start size=span.size reason",
    Written=(
        "files address size sectors sectors_written verified failed state elsewhere written erased"
        " dry_run"
    ),
)


@form
def written(result: Written, view: View) -> Iterator[Block]:
    """Yield the files, how much was written, and how well that is known."""
    files = Styled(", ".join(dict.fromkeys(result.files)), "name")
    sectors = f"{result.sectors_written} of {count_text(result.sectors, 'sector')}"
    size = size_text(result.size)
    if not result.sectors_written:
        yield Text(Styled("equal", "ok"), "  ", files, f": {size}, nothing to write")
    elif result.dry_run:
        lasts = f"in at most {max(1, result.seconds):.0f} s"
        yield Text("dry run: ", files, f": {sectors} would be erased and written, {lasts}")
        yield from _planned(result)
    else:
        yield Text(judgement(result.verified), "  ", files, f": {size}, {sectors} written")


def _planned(result: Written) -> Iterator[Block]:
    """Yield a row for each range that would be changed, as many as fit on a screen."""
    actions = [(span, "erase and program") for span in result.written]
    actions += [(span, "erase") for span in result.erased]
    actions.sort(key=lambda action: action[0].start)
    yield Table((str(span), size_text(span.size), action) for span, action in actions[:_ROWS])
    if (more := len(actions) - _ROWS) > 0:
        yield Text(f"... {count_text(more, 'more range')}")


@form
def erased(result: Erased, view: View) -> Iterator[Block]:
    """Yield the range, and how much of it was blank before."""
    span, size = f"flash {Span.of(result.address, result.size)}", size_text(result.size)
    if result.dry_run:
        yield Text(f"dry run: {span} would be erased ({size})")
    elif result.skipped == result.size:
        yield Text(Styled("blank", "ok"), f"  {span} was blank already")
    else:
        skipped = f", {size_text(result.skipped)} of it was blank" if result.skipped else ""
        word = Styled("erased", "note") if result.verified is None else Styled("blank", "ok")
        if not result.ok:
            word = Styled("not as wanted", "error")
        yield Text(word, f"  {span}, {size}{skipped}")


@form
def parts(result: Parts, view: View) -> Iterator[Block]:
    """Yield a row a partition, where the table comes from, and what is wrong with it."""
    yield Table(
        (
            part.name,
            part.type_name,
            part.subtype_name,
            str(Span(part.offset, part.end)),
            size_text(part.size),
            " ".join(part.flag_names),
        )
        for part in result.table.partitions
    )
    instead = result.flash_size is not None and parse_number(result.source) is None
    is_file = instead or not result.is_placed
    where = f"of {result.source}" if is_file else f"at {hex32(result.table.offset)}"
    last = max((part.end for part in result.table.partitions), default=0)
    free = (result.flash_size or 0) - last
    behind = f", {size_text(free)} of the flash behind it" if free > 0 else ""
    yield Text(Styled(f"table {where}, MD5 {result.table.md5}{behind}", "note"))
    yield from (Text(Styled(text, "error")) for text in result.problems)


@json_form
def parts_json(result: Parts) -> Json:
    """Return the table and its partitions."""
    return {
        "source": result.source,
        "offset": result.table.offset if result.is_placed else None,
        **pick(result, "md5=table.md5 partitions=table.partitions problems"),
    }
