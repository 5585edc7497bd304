"""The pins of a chip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from espshell.render.document import Block, Cell, Indented, Styled, Table, Text, line
from espshell.render.forms import form, json_rows
from espshell.render.view import View

if TYPE_CHECKING:
    from espshell.ops.chip.gpio import PinSet, PinState, PinTable

json_rows(
    PinSet="before after written=writes# pulses dry_run!",
    PinState=(
        "pin=pin.number level is_output driven open_drain pull drive function strap"
        " input_only=pin.input_only rtc=pin.is_rtc uses=pin.roles: functions=pin.functions"
    ),
    PinTable="chip pins=states",
)

_DRIVES = ("5 mA", "10 mA", "20 mA", "40 mA")
_HEAD = ("pin", "level", "direction", "drives", "pull", "strength", "function", "use")
_SHORT_HEAD = ("pin", "is", "way", "function and use")
_LEAST = 70  # columns for all of it


@form
def pin_table(result: PinTable, view: View) -> Iterator[Block]:
    """Yield a row a pin, and of a single one what there is to know."""
    short = view.fold and view.width < _LEAST
    head: Sequence[Cell] = [Styled(word, "label") for word in (_SHORT_HEAD if short else _HEAD)]
    yield Table([head, *map(_short_row if short else _row, result.states)])
    for sentence in result.explains:
        yield Indented(2, Text(sentence, wraps=True))


def _row(state: PinState) -> Sequence[Cell]:
    return (
        str(state.pin.number),
        Styled("-" if state.level is None else str(state.level), "value"),
        state.direction,
        str(state.driven) if state.is_output else "-",
        state.pull or "-",
        "-" if state.drive is None else _DRIVES[state.drive],
        Styled(state.function, "" if state.function == "GPIO" else "name"),
        Styled(state.use, "note"),
    )


def _short_row(state: PinState) -> Sequence[Cell]:
    way = f"out {state.driven}" if state.is_output else state.direction
    level = "-" if state.level is None else str(state.level)
    use = f"  {state.use}" if state.use else ""
    name = Styled(state.function, "" if state.function == "GPIO" else "name")
    last = line(name, Styled(use, "note"))
    return str(state.pin.number), Styled(level, "value"), f"{way} {state.pull}".rstrip(), last


@form
def pin_set(result: PinSet, view: View) -> Iterator[Block]:
    """Yield what the pin was and is."""
    name = Styled(result.after.pin.name, "name")
    if result.dry_run:
        count = len(result.writes)
        yield Text(name, f"  not sent (dry run): {count} register{'s' * (count != 1)}")
    elif result.pulses:
        times = "once" if result.pulses == 1 else f"{result.pulses} times"
        yield Text(name, f"  pulsed {times}; now {_words(result.after)}")
    elif not result.writes:
        yield Text(name, f"  is {_words(result.after)} already")
    else:
        yield Text(name, f"  {_words(result.before)} → {_words(result.after)}")


def _words(state: PinState) -> str:
    way = f"out {state.driven}" if state.is_output else state.direction
    way += " (open drain)" * (state.is_output and state.open_drain)
    pull = f", pull-{state.pull}" if state.pull else ""
    reads = "" if state.level is None else f", reads {state.level}"
    function = f"{state.function}, " if state.function != "GPIO" else ""
    return f"{function}{way}{pull}{reads}"
