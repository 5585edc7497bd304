"""How a command's outcome is shown, and how the results of the shell's own commands look.

Results of operations are at home in ``render``; these belong to no chip.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from espshell.ops.result import Result
from espshell.render import render, to_json
from espshell.render.document import Block, Indented, Styled, Table, Text
from espshell.render.forms import Json, form, json_form, json_rows
from espshell.render.memory.journal import snapshot_row
from espshell.render.view import View
from espshell.shell.commands.chip import Map, Ports, Stub
from espshell.shell.commands.journal import Snapshots
from espshell.shell.commands.pasted import Version
from espshell.shell.commands.report import Reported
from espshell.shell.commands.script import Echo, Failed, Variable
from espshell.shell.commands.shell import Help, History, NamedValues
from espshell.shell.declaration import Verb
from espshell.shell.outcome import Outcome, Presentation
from espshell.shell.output import Output
from espshell.span import Span
from espshell.units import size_text

json_rows(
    Help="=verbs",
    History="=lines",
    Map="=regions",
    PortInfo="device likely=is_likely kind vid pid product serial location",
    Ports="=ports",
    Region="name address=start size kind note",
    Snapshots="=snapshots",
    Variable="name value",
    Verb="name usage summary",
)


def show(output: Output, name: str | None, outcome: Outcome, seconds: float) -> None:
    """Show how a command of a name ended: its result and notes, or one JSON object for it all."""
    if output.as_json:
        output.object(_object(name, outcome, to_json(outcome.bare), seconds))
    show_text(output, outcome.result)


def show_text(output: Output, result: Result | Presentation | None) -> None:
    """Show a result, unless that has been done or JSON is wanted, and its notes."""
    if result is None:
        return
    if not isinstance(result, Presentation):
        result = Presentation(result)
    if not (result.is_shown or output.as_json):
        partitions = result.partitions()
        view = replace(output.view, every_row=result.every_row, partitions=partitions)
        output.show(render(result.result, view))
    for note in result.result.notes:
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


@form
def regions(result: Map, view: View) -> Iterator[Block]:
    """Yield a row a region."""
    yield Table(
        (
            region.name,
            str(Span(region.start, region.end)),
            size_text(region.size),
            region.kind.value,
            region.note,
        )
        for region in result.regions
    )


@form
def reported(result: Reported, view: View) -> Iterator[Block]:
    """Yield the file, and what the board did not tell."""
    missing = f"; no answer: {', '.join(result.missing)}" if result.missing else ""
    yield Text(Styled(result.file, "name"), f": {len(result.sections)} sections{missing}")


@form
def version(result: Version, view: View) -> Iterator[Block]:
    """Yield our version, and whose lines are understood."""
    yield Text(f"espshell {result.espshell}; understands the lines of esptool {result.esptool}")


@form
def ports(result: Ports, view: View) -> Iterator[Block]:
    """Yield a row a port."""
    yield Table((p.device, p.kind, p.ids, p.product, p.serial) for p in result.ports)


@form
def stub(result: Stub, view: View) -> Iterator[Block]:
    """Yield when the stub is started and whether it runs."""
    state = "it runs" if result.running else "it does not run"
    if result.running is None:
        state = "no chip is connected"
    bulk = ", with bulk reads" if result.bulk_read else ""
    yield Text("stub ", Styled(result.when, "value"), f": {state}{bulk}")


@form
def snapshots(result: Snapshots, view: View) -> Iterator[Block]:
    """Yield a row a snapshot."""
    yield Table(snapshot_row(snapshot) for snapshot in result.snapshots)


@form
def variable(result: Variable, view: View) -> Iterator[Block]:
    """Yield nothing: who sets a variable knows it."""
    yield from ()


@form
def failed(result: Failed, view: View) -> Iterator[Block]:
    """Yield the command and its error."""
    yield Text(Styled("failed as it should", "ok"), f"  {result.command}: {result.error}")


@form
def echo(result: Echo, view: View) -> Iterator[Block]:
    """Yield the words."""
    yield Text(result.text)


@form
def settings(result: NamedValues, view: View) -> Iterator[Block]:
    """Yield names and values."""
    switches = {True: "on", False: "off"}
    yield Table(
        (name, value if isinstance(value, str) else switches[value]) for name, value in result.rows
    )


@json_form
def settings_json(result: NamedValues) -> Json:
    """Return values by name."""
    return dict(result.rows)


@form
def history(result: History, view: View) -> Iterator[Block]:
    """Yield the lines, numbered."""
    yield Table((str(number), line) for number, line in enumerate(result.lines, result.first))


@form
def help_text(result: Help, view: View) -> Iterator[Block]:
    """Yield all about one command, or a row for each of a family or of all, by group."""
    if len(result.verbs) == 1:
        yield from _explained(result.verbs[0])
        return
    bare = next((verb for verb in result.verbs if verb.name == result.family), None)
    if bare:
        yield from _explained(bare)
        yield Text()
    named = [verb for verb in result.verbs if verb is not bare and not verb.preset]
    ours = [verb for verb in named if not verb.alias_of or " " in verb.name]
    rows = [(verb.group, row) for verb in ours for row in _help_rows(verb, result)]
    indent = 2
    inner = replace(view, width=view.width - indent)
    blocks = list(Table((row for _, row in rows), wrap=True).rows(inner))
    for group in dict.fromkeys(group for group, _ in rows):
        yield Text(Styled(group, "label"))
        inside = (block for (at, _), block in zip(rows, blocks, strict=True) if at == group)
        yield Indented(indent, *inside)
    yield Text()
    if others := ", ".join(verb.name for verb in named if verb not in ours):
        yield Text(f"Also: {others}.", hang=0, wraps=True)
    yield Text("`help COMMAND` explains one.")


def _help_rows(verb: Verb, among: Help) -> Iterator[tuple[str, str]]:
    """Yield a command's name and summary; of a family in a list of all, its second words once."""
    first, _, second = verb.name.partition(" ")
    if not second or among.family:
        yield _with_variants(verb, among.verbs), verb.summary
        return
    family = f"{first} "
    seconds = [v.name.removeprefix(family) for v in among.verbs if v.name.startswith(family)]
    if second == seconds[0]:
        yield f"{first} ...", ", ".join(seconds)


def _with_variants(verb: Verb, verbs: Sequence[Verb]) -> str:
    """Return the name of a command and of its variants: ``peek[8|16|32]``."""
    variants = [other.name for other in verbs if other.preset and other.run is verb.run]
    ends = "|".join(name.removeprefix(verb.name) for name in variants)
    return f"{verb.name}[{ends}]" if ends else verb.name


def _explained(verb: Verb) -> Iterator[Block]:
    yield Text(Styled(verb.usage, "value"))
    yield Text(verb.summary, hang=0)
    if verb.alias_of:
        yield Text(f"Another tool's name for `{verb.alias_of}`.")
    if verb.details:
        yield Text()
        yield from (Text(text, hang=0) for text in verb.details.splitlines())
    if verb.options:
        yield Text()
        rows = ((", ".join(filter(None, (o.flag, o.short))), o.help) for o in verb.options)
        yield Indented(2, Table(rows))
