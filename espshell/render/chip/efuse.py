"""eFuses: the verdict first, then the fields by theme; and how two boards differ."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from espshell.render.document import Block, Indented, Styled, Table, Text
from espshell.render.forms import Json, form, json_form, json_rows, pick, to_json
from espshell.render.view import View
from espshell.units import count_text

if TYPE_CHECKING:
    from espshell.ops.chip.efuse import FuseDetail, FuseDiff, Fuses, FusesSaved, FuseValue

_WIDE = 110
"""Columns from which on a list of all fields says what each means."""

json_rows(
    FuseChange="name file=there here",
    FuseDetail=(
        "name=value.name value=value.number text=value.text theme=value.theme block=value.block"
        " bits=value.bits readable=value.readable writable=value.writable meaning=value.meaning"
        " aliases protection"
    ),
    FuseDiff="equal=ok differing not_compared=hidden file compared",
    FuseValue="value=number text theme block bits readable writable",
    Statement="subject text state=tone",
)

_TONES = {"open": "ok", "limited": "warning", "closed": "error"}


@form
def fuses(result: Fuses, view: View) -> Iterator[Block]:
    """Yield what the fuses mean, the controller's errors, and a table a theme."""
    rows = [(s.subject, s.text, _TONES[s.tone.value]) for s in result.verdict]
    rows += [("coding", result.coding, "")] if result.coding else []
    rows += [("errors", error, "error") for error in result.errors]
    yield Table([(Styled(a, "label"), Styled(b, c)) for a, b, c in rows], wrap=view.fold)
    for theme, fields in groupby(result.fields, key=lambda field: field.theme):
        if result.verdict:
            yield Text("")
        yield Text(Styled(theme, "label"))
        wide = not result.verdict or view.width >= _WIDE or not view.fold
        yield Indented(2, Table([_row(field, wide=wide) for field in fields], wrap=view.fold))


def _row(field: FuseValue, *, wide: bool) -> tuple[Styled | str, ...]:
    style = "value" if field.is_burnt else "note"
    marks = f"{'r' if field.readable else '-'}{'w' if field.writable else '-'}"  # w: to burn
    row = Styled(field.name, "name"), Styled(field.text, style), marks
    return (*row, _meaning(field)) if wide else row


def _meaning(field: FuseValue) -> str:
    """Return the meaning, and of a switch that is off what it would be."""
    return f"if set: {field.meaning}" if field.text == "no" else field.meaning


@json_form
def fuses_json(result: Fuses) -> Json:
    """Return the verdict by subject, and the fields by name."""
    fields = {field.name: to_json(field) for field in result.fields}
    return {**pick(result, "chip revision verdict"), "fields": fields, **pick(result, "errors")}


@form
def fuse_detail(result: FuseDetail, view: View) -> Iterator[Block]:
    """Yield the value, what it means, where it is and what protects it."""
    value = result.value
    yield Text(Styled(value.name, "name"), "  ", Styled(value.text, "value"))
    number = "" if value.number is None or value.number < 10 else f"{value.number:#x}"
    choices = (f"{n} {text}" for n, text in enumerate(result.values))
    rows = [
        ("meaning", _meaning(value)),
        ("number", number),
        ("values", "; ".join(choices)),
        ("place", f"block {value.block}, bits {value.bits}"),
        ("state", _state(value)),
        ("protection", result.protection),
        ("also called", ", ".join(result.aliases)),
    ]
    yield Indented(2, Table([row for row in rows if row[1]], wrap=view.fold))


def _state(value: FuseValue) -> str:
    reading = "readable" if value.readable else "read-protected"
    return f"{reading}, {'can be burnt' if value.writable else 'write-protected'}"


@form
def fuses_saved(result: FusesSaved, view: View) -> Iterator[Block]:
    """Yield what the file holds, and what it does not."""
    yield Text(Styled(result.file, "name"), f": {count_text(result.blocks, 'block')}")
    yield from _hidden(result.hidden, "left out")


@form
def fuse_diff(result: FuseDiff, view: View) -> Iterator[Block]:
    """Yield a pair of lines for each field that differs: in the file, and here."""
    for change in result.differing:
        yield Text(Styled(change.name, "name"))
        yield Text("  ", Styled(f"- {change.there}", "old"), hang=4)
        yield Text("  ", Styled(f"+ {change.here}", "new"), hang=4)
    same = result.compared - len(result.differing)
    differing = f"{len(result.differing)} differ, " if result.differing else ""
    yield Text(
        f"{differing}{count_text(same, 'field')} the same as in ", Styled(result.file, "name")
    )
    yield from _hidden(result.hidden, "not compared")


def _hidden(names: tuple[str, ...], what: str) -> Iterator[Block]:
    if names:
        yield Text(Styled(f"{what}: {', '.join(names)} (keys)", "note"))
