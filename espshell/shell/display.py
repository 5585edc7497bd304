"""How a command's outcome is shown, and how the results of the shell's own commands look.

Results of operations are at home in ``render``; these belong to no chip.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from espshell.ops.chip.connection import ConnectionInfo, Left
from espshell.ops.memory.expect import Expectation
from espshell.ops.memory.journal import Journaled
from espshell.ops.memory.watch import Waited
from espshell.render.journal import entry_json, snapshot_row
from espshell.render.json import Json, to_json
from espshell.render.text import render, table
from espshell.render.theme import paint
from espshell.shell.commands.chip import Map, Ports, Stub
from espshell.shell.commands.journal import Snapshots
from espshell.shell.commands.pasted import Version
from espshell.shell.commands.script import Echo, Failed, Variable
from espshell.shell.commands.shell import Help, History, Table
from espshell.shell.outcome import Outcome, Shown
from espshell.shell.output import Output
from espshell.shell.registry import Verb
from espshell.units import count_text, hex32, size_text

_WORDS = 54  # columns of the second words of a family
_COLUMNS = 80


def show(output: Output, name: str | None, outcome: Outcome, seconds: float) -> None:
    """Show how a command of a name ended: its result and notes, or one JSON object for it all."""
    if output.as_json:
        output.object(_object(name, outcome, to_json(outcome.bare), seconds))
        for note in getattr(outcome.bare, "notes", ()):
            output.note(note)
    else:
        show_text(output, outcome.result)


def show_text(output: Output, result: object) -> None:
    """Show a result, unless that has been done, and its notes."""
    bare = result.result if isinstance(result, Shown) else result
    if result is bare and result is not None:
        output.lines(render(result, color=output.color))
    for note in getattr(bare, "notes", ()):
        output.note(note)


def _object(name: str | None, outcome: Outcome, value: Json, seconds: float) -> dict[str, Json]:
    error = outcome.error
    return {
        "command": name,
        "ok": outcome.status == 0,
        "value": value,
        "error": error.message if error else None,
        "hint": (error.hint or None) if error else None,
        "seconds": round(seconds, 6),
    }


@render.register
def _(result: Map, *, color: bool = False) -> list[str]:
    rows = [
        (
            region.name,
            f"{hex32(region.start)}..{hex32(region.end)}",
            size_text(region.size),
            region.kind.value,
            region.note,
        )
        for region in result.regions
    ]
    return table(rows, color=color)


@to_json.register
def _(result: Map) -> Json:
    return [
        {
            "name": region.name,
            "address": region.start,
            "size": region.size,
            "kind": region.kind.value,
            "note": region.note,
        }
        for region in result.regions
    ]


@render.register
def _(result: Version, *, color: bool = False) -> list[str]:
    return [f"espshell {result.espshell}; understands the lines of esptool {result.esptool}"]


@render.register
def _(result: Ports, *, color: bool = False) -> list[str]:
    return table(
        [(p.device, p.kind, p.ids, p.product, p.serial) for p in result.ports], color=color
    )


@to_json.register
def _(result: Ports) -> Json:
    return [
        {
            "device": port.device,
            "likely": port.is_likely,
            "kind": port.kind,
            "vid": port.vid,
            "pid": port.pid,
            "product": port.product,
            "serial": port.serial,
            "location": port.location,
        }
        for port in result.ports
    ]


@render.register
def _(result: Stub, *, color: bool = False) -> list[str]:
    state = "it runs" if result.running else "it does not run"
    if result.running is None:
        state = "no chip is connected"
    bulk = ", with bulk reads" if result.bulk_read else ""
    return [f"stub {paint(result.when, 'value', color=color)}: {state}{bulk}"]


@render.register
def _(result: ConnectionInfo, *, color: bool = False) -> list[str]:
    chip = paint(result.chip, "name", color=color)
    return [f"{chip}  {result.loader} on {result.port} at {result.baud} baud"]


@render.register
def _(result: Left, *, color: bool = False) -> list[str]:
    return [f"left the loader by {result.how}; the application starts"]


@render.register
def _(result: Expectation, *, color: bool = False) -> list[str]:
    if not result.ok:
        return []
    told = (
        "" if result.left is None else f"  ({result.left:#x} {result.operator} {result.right:#x})"
    )
    return [f"{paint('true', 'ok', color=color)}  {result.expression}{told}"]


@to_json.register
def _(result: Expectation) -> Json:
    return {
        "expression": result.expression,
        "value": result.value,
        "left": result.left,
        "operator": result.operator,
        "right": result.right,
    }


@render.register
def _(result: Waited, *, color: bool = False) -> list[str]:
    looks = f"after {result.seconds:.3g} s, {count_text(result.looks, 'look')}"
    return [f"{line}  {looks}" for line in render(result.expectation, color=color)]


@render.register
def _(result: Snapshots, *, color: bool = False) -> list[str]:
    return table([snapshot_row(kept) for kept in result.snapshots], color=color)


@to_json.register
def _(result: Snapshots) -> Json:
    return [to_json(kept) for kept in result.snapshots]


@to_json.register
def _(result: Journaled) -> Json:
    return {"count": result.count, "entries": [entry_json(entry) for entry in result.entries]}


@render.register
def _(result: Variable, *, color: bool = False) -> list[str]:
    return []


@to_json.register
def _(result: Variable) -> Json:
    return {"name": result.name, "value": result.value}


@render.register
def _(result: Failed, *, color: bool = False) -> list[str]:
    return [f"{paint('failed as it should', 'ok', color=color)}  {result.command}: {result.error}"]


@render.register
def _(result: Echo, *, color: bool = False) -> list[str]:
    return [result.text]


@render.register
def _(result: Table, *, color: bool = False) -> list[str]:
    rows = [(name, _switch(value)) for name, value in result.rows]
    return table(rows, color=color)


@to_json.register
def _(result: Table) -> Json:
    return dict(result.rows)


@render.register
def _(result: History, *, color: bool = False) -> list[str]:
    rows = enumerate(result.lines, result.first)
    return table([(str(number), line) for number, line in rows], color=color)


@to_json.register
def _(result: History) -> Json:
    return list(result.lines)


@render.register
def _(result: Help, *, color: bool = False) -> list[str]:
    if len(result.verbs) == 1:
        return _explained(result.verbs[0], color=color)
    bare = next((verb for verb in result.verbs if verb.name == result.family), None)
    lines = [*_explained(bare, color=color), ""] if bare else []
    named = [verb for verb in result.verbs if verb is not bare and not verb.preset]
    ours = [verb for verb in named if not verb.alias_of or " " in verb.name]
    rows = [(verb.group, row) for verb in ours for row in _help_rows(verb, result)]
    told = table([row for _, row in rows], color=color)
    for group in dict.fromkeys(group for group, _ in rows):
        lines.append(paint(group, "label", color=color))
        lines += ["  " + line for (at, _), line in zip(rows, told, strict=True) if at == group]
    others = ", ".join(verb.name for verb in named if verb not in ours)
    also = textwrap.wrap(f"Also: {others}." * bool(others), _COLUMNS, break_on_hyphens=False)
    return [*lines, "", *also, "`help COMMAND` explains one."]


def _help_rows(verb: Verb, among: Help) -> list[tuple[str, str]]:
    """Return a command's name and summary; of a family in a list of all, its second words once."""
    first, _, second = verb.name.partition(" ")
    if not second or among.family:
        return [(_with_variants(verb, among.verbs), verb.summary)]
    names = [each.name for each in among.verbs if each.name.startswith(f"{first} ")]
    if verb.name != names[0]:
        return []
    words = textwrap.wrap(", ".join(name.removeprefix(f"{first} ") for name in names), _WORDS)
    return [(f"{first} ...", words[0]), *(("", more) for more in words[1:])]


@to_json.register
def _(result: Help) -> Json:
    return [
        {"name": verb.name, "usage": verb.usage, "summary": verb.summary} for verb in result.verbs
    ]


def _switch(value: bool | str) -> str:
    if isinstance(value, str):
        return value
    return "on" if value else "off"


def _with_variants(verb: Verb, verbs: Sequence[Verb]) -> str:
    """Return the name of a command and of its variants: ``peek[8|16|32]``."""
    variants = [other.name for other in verbs if other.preset and other.run is verb.run]
    ends = "|".join(name.removeprefix(verb.name) for name in variants)
    return f"{verb.name}[{ends}]" if ends else verb.name


def _explained(verb: Verb, *, color: bool) -> list[str]:
    lines = [paint(verb.usage, "value", color=color), verb.summary]
    if verb.alias_of:
        lines.append(f"Another tool's name for `{verb.alias_of}`.")
    if verb.details:
        lines += ["", *verb.details.splitlines()]
    if verb.options:
        rows = [(", ".join(filter(None, (o.flag, o.short))), o.help) for o in verb.options]
        lines += ["", *("  " + line for line in table(rows, color=color))]
    return lines
