"""How a command's outcome is shown, and how the results of the shell's own commands look.

Results of operations are at home in ``render``; these belong to no chip.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from espshell.ops.result import Result
from espshell.records import replace
from espshell.render import render, to_json
from espshell.render.document import Block, Styled, Table, Text, spaced
from espshell.render.forms import Json, form, json_form, json_rows
from espshell.render.memory.journal import snapshot_row
from espshell.render.view import View
from espshell.shell import manual
from espshell.shell.declaration import Outcome, Presentation, presented
from espshell.shell.output import Output
from espshell.span import Span
from espshell.units import size_text

if TYPE_CHECKING:
    from espshell.shell.about import About
    from espshell.shell.commands.chip import Map, Ports, Stub
    from espshell.shell.commands.journal import Snapshots
    from espshell.shell.commands.pasted import Version
    from espshell.shell.commands.report import Reported
    from espshell.shell.commands.script import Echo, Failed, Variable
    from espshell.shell.commands.shell import History, NamedValues
    from espshell.shell.commands.topics import Help
    from espshell.shell.commands.values import Printed

json_rows(
    History="=lines",
    NamedValues="=rows:",
    Map="=regions",
    PortInfo="device likely=is_likely kind vid pid product serial location",
    Ports="=ports",
    Printed="expression value number symbol register region",
    Region="name address=start size kind note",
    Snapshots="=snapshots",
    Variable="name value",
)


def show(output: Output, name: str | None, outcome: Outcome, seconds: float) -> None:
    """Show how a command of a name ended: its result and notes, or one JSON object for it all."""
    if output.as_json:
        error = outcome.error
        output.object(
            {
                "command": name,
                "ok": outcome.status == 0,
                "value": to_json(outcome.bare),
                "error": error.message if error else None,
                "hint": (error.hint or None) if error else None,
                "seconds": round(seconds, 6),
                "slug": error.slug if error else None,
            }
        )
    show_text(output, outcome.result)


def show_text(output: Output, result: Result | Presentation | None) -> None:
    """Show a result, unless that has been done or JSON is wanted, and its notes."""
    if result is None:
        return
    shown = presented(result)
    if not (shown.is_shown or output.as_json):
        view, partitions = output.view, shown.partitions()
        if partitions is not None or shown.every_row:
            view = replace(view, every_row=shown.every_row, partitions=partitions)
        output.show(render(shown.result, view))
    for note in shown.result.notes:
        output.note(note)


@form
def regions(result: Map, view: View) -> Iterator[Block]:
    """Yield a row a region."""
    yield Table(
        (r.name, str(Span(r.start, r.end)), size_text(r.size), r.kind.value, r.note)
        for r in result.regions
    )


@form
def reported(result: Reported, view: View) -> Iterator[Block]:
    """Yield the file, and what the board did not tell."""
    missing = f"; no answer: {', '.join(result.missing)}" if result.missing else ""
    yield Text(Styled(result.file, "name"), f": {len(result.sections)} sections{missing}")


@form
def version(result: Version, view: View) -> Iterator[Block]:
    """Yield our version, and whose lines are understood."""
    yield Text(f"espshell {result.espshell}; understands the commands of esptool {result.esptool}")


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
def printed(result: Printed, view: View) -> Iterator[Block]:
    """Yield the value in a form or in all, and what lies at that address."""
    value, number = result.value, f"$~{result.number} = " if result.number else ""
    bits = value if value >= 0 else value & ((1 << (32 if value >= -(1 << 31) else 64)) - 1)
    character = repr(chr(value)) if 0x20 <= value < 0x7F else ""
    texts = {"x": f"{bits:#010x}" if bits > 0xFFFF else f"{bits:#x}", "d": str(value)}
    texts |= {"t": f"{bits:#_b}", "c": character or f"'\\x{value & 0xFF:02x}'"}
    if result.form:
        yield Text(Styled(number, "note"), Styled(texts[result.form], "value"))
        return
    at = Styled(result.symbol, "label"), Styled(result.register, "name")
    region = "" if result.register else result.region
    rest = spaced(Styled(texts["x"], "value"), texts["d"], character, *at, region)
    yield Text(Styled(number, "note"), *next(rest.lines(View())))
    yield Text(texts["t"])


@form
def failed(result: Failed, view: View) -> Iterator[Block]:
    """Yield the command and its error."""
    yield Text(Styled("failed, as expected", "ok"), f"  {result.command}: {result.error}")


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


@form
def history(result: History, view: View) -> Iterator[Block]:
    """Yield the lines, numbered."""
    yield Table((str(number), line) for number, line in enumerate(result.lines, result.first))


@form
def help_text(result: Help, view: View) -> Iterable[Block]:
    """Yield help on commands or a topic."""
    return manual.help_text(result, view)


@json_form
def help_json(result: Help) -> Json:
    """Return commands, and a topic's text."""
    return manual.help_json(result)


@form
def about_text(result: About, view: View) -> Iterable[Block]:
    """Yield what a name means."""
    return manual.about_text(result, view)


@json_form
def about_json(result: About) -> Json:
    """Return what a name means."""
    return manual.about_json(result)
