"""The pins of a chip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from espshell.render.document import Block, Cell, Indented, Styled, Table, Text, line
from espshell.render.forms import form, json_rows
from espshell.render.view import View
from espshell.units import count_text

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
    yield Table([head, *(_row(state, short=short) for state in result.states)])
    for sentence in result.explains:
        yield Indented(2, Text(sentence, wraps=True))


def _row(state: PinState, *, short: bool) -> Sequence[Cell]:
    number = str(state.pin.number)
    level = Styled("-" if state.level is None else str(state.level), "value")
    function = Styled(state.function, "" if state.function == "GPIO" else "name")
    if short:
        way = f"out {state.driven}" if state.is_output else state.direction
        use = Styled(f"  {state.use}" if state.use else "", "note")
        return number, level, f"{way} {state.pull}".rstrip(), line(function, use)
    driven = str(state.driven) if state.is_output else "-"
    strength = "-" if state.drive is None else _DRIVES[state.drive]
    end = function, Styled(state.use, "note")
    return number, level, state.direction, driven, state.pull or "-", strength, *end


@form
def pin_set(result: PinSet, view: View) -> Iterator[Block]:
    """Yield what the pin was and is."""
    if result.dry_run:
        count = count_text(len(result.writes), "register")
        text = f"not sent (dry run): {count}"
    elif result.pulses:
        times = "once" if result.pulses == 1 else f"{result.pulses} times"
        text = f"pulsed {times}; now {_words(result.after)}"
    elif not result.writes:
        text = f"is {_words(result.after)} already"
    else:
        text = f"{_words(result.before)} → {_words(result.after)}"
    yield Text(Styled(result.after.pin.name, "name"), f"  {text}")


def _words(state: PinState) -> str:
    way = f"out {state.driven}" if state.is_output else state.direction
    way += " (open drain)" * (state.is_output and state.open_drain)
    pull = f", pull-{state.pull}" if state.pull else ""
    reads = "" if state.level is None else f", reads {state.level}"
    function = f"{state.function}, " if state.function != "GPIO" else ""
    return f"{function}{way}{pull}{reads}"
