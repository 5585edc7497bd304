"""wait, repeat, watch: doing something more than once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated

from espshell.ops.memory import watch as ops
from espshell.ops.memory import words, writing
from espshell.ops.result import Result
from espshell.records import dataclass
from espshell.shell.arguments.operands import is_number
from espshell.shell.arguments.places import REGION, Extent, region
from espshell.shell.arguments.types import POSITIVE, SECONDS, ArgType, Scope
from espshell.shell.commands.script import evaluated
from espshell.shell.declaration import Option, Trait
from espshell.shell.language import expr, place
from espshell.shell.language.expr import Expr
from espshell.shell.lines import Held
from espshell.shell.outcome import Presentation, shown
from espshell.shell.registry import Registry
from espshell.shell.session import Session
from espshell.shell.terminal import live
from espshell.units import WORD

VERBS = Registry("Again and again")

_ALL_PINS = ("[GPIO.IN]", "[GPIO.IN] | [GPIO.IN1] << 32")  # of one bank, of two

_KEPT = 10_000  # changes that a watch hands back; the first ones, as a script asked for them


@dataclass(frozen=True, slots=True)
class Repeated(Result):
    """A command ran so many times; ``results`` are what came of it."""

    command: str
    count: int
    """How often it ran, the time that failed included."""
    results: tuple[object, ...]
    """With ``--json`` only; else they have been shown."""
    failure: str = ""

    @property
    def ok(self) -> bool:
        """Whether it never failed."""
        return not self.failure


def _parse_watchables(texts: Sequence[str]) -> tuple[Expr | place.Range, ...]:
    """Parse each word, a length together with the place before it; contents have no length."""
    groups: list[list[str]] = []
    for text in texts:
        if groups and len(groups[-1]) == 1 and "[" not in groups[-1][0] and is_number(text):
            groups[-1].append(text)
        else:
            groups.append([text])
    parsed: list[Expr | place.Range] = []
    for group in groups:
        is_pin = group[0].lower().startswith("gpio:")
        what = None if is_pin else region(WORD).parse(group)
        is_range = what is not None and (what.size is not None or what.end is not None)
        parsed.append(what if what and is_range else expr.parse(group[0]))
    return tuple(parsed)


def _resolve_watchable(parsed: Expr | place.Range, scope: Scope) -> Expr | Extent:
    if not isinstance(parsed, Expr):
        return REGION.resolve(parsed, scope)
    name = parsed.lone_name()
    if name == "gpio" and scope.chip is not None:  # in capitals it is the peripheral
        return expr.parse(_ALL_PINS[scope.knows("GPIO.IN1")])
    named = scope.place(name) if name else None
    return parsed if named is None else Extent(named.start, named.size, named.name)


def _names(parsed: Expr | place.Range) -> Sequence[str]:
    return parsed.names() if isinstance(parsed, Expr) else REGION.names(parsed)


WATCHABLES: ArgType[tuple[Expr | place.Range, ...], tuple[Expr | Extent, ...]] = ArgType(
    "expressions or regions",
    _parse_watchables,
    lambda parsed, scope: tuple(_resolve_watchable(item, scope) for item in parsed),
    names=lambda parsed: tuple(name for item in parsed for name in _names(item)),
    complete_at=lambda at: (*REGION.complete(at.word, at.scope), ("gpio:", "a pin")),
    most=40,
    raw=True,
    label="EXPRESSION|REGION...",
)
"""Expressions and regions; a lone name is the region or register of that name."""


@VERBS.add("wait", rest="expression", traits=Trait.VERDICT)
def wait(
    session: Session,
    expression: Expr,
    *,
    timeout: Annotated[
        float, Option("--timeout", "give up after this time (10 s)", SECONDS, short="-t")
    ] = 10.0,
    interval: Annotated[
        float, Option("--interval", "evaluate at this interval (100ms)", SECONDS, short="-i")
    ] = 0.1,
) -> ops.Waited:
    """Wait until an expression is true; fail after 10 s.

    wait -t 2 (GPIO.IN & 1) == 1. Fails with both sides, as expect does.

    Example: wait --timeout 1 [DRAM] == 0
    """

    def looked(last: ops.Expectation, seconds: float) -> None:
        value = last.value if last.left is None else last.left
        session.output.alive(f"{expression.text}: {value:#x}, {seconds:.1f} of {timeout:g} s")

    return ops.wait(
        lambda: evaluated(session, expression),
        session.clock,
        timeout_s=timeout,
        interval_s=interval,
        looked=looked,
    )


@VERBS.add("repeat", rest="command")
def repeat(session: Session, count: Annotated[int, POSITIVE], command: Held) -> Presentation:
    """Run a command COUNT times; stops at the first failure.

    repeat 10 peek 0x3fc90000. Each result is shown as it comes.

    Example: repeat 3 peek DRAM
    """
    results = []
    failure = ""
    number = 0
    while number < count and not failure:
        number += 1
        session.output.alive(f"{command.text}: run {number} of {count}", around=True)
        outcome = command.run()
        if session.output.as_json:
            results.append(outcome.bare)
        else:
            command.show(outcome)
        if outcome.error is not None:
            failure = f"run {number} of {count}: {outcome.error.message}"
    session.next_line = ""
    return shown(Repeated(command.text, number, tuple(results), failure))


@VERBS.add("watch", needs="memory")
def watch(
    session: Session,
    what: Annotated[tuple[Expr | Extent, ...], WATCHABLES],
    *,
    interval: Annotated[
        float, Option("--interval", "read at this interval (1 s)", SECONDS, short="-n")
    ] = 1.0,
    count: Annotated[
        int | None, Option("--count", "stop after this many readings", POSITIVE)
    ] = None,
) -> Presentation:
    """Show values and ranges live; Ctrl-C stops.

    `watch UART0.STATUS DRAM+4 16 [0x3fc90000]` shows a register with its fields, a range and a
    word. `watch gpio` shows the levels of all pins as bits of a number, `watch gpio:9` one.
    Changes are marked, with the time of the last one. Without a terminal the first values and every
    change are printed; use --count in a script.

    Example: watch --count 2 --interval 100ms [DRAM]
    """
    items = [_item(session, subject) for subject in what]
    view = live.Live(session.output, items, session.clock)
    samples: list[ops.Sample[ops.Seen]] = []
    looks = 0
    notes: dict[str, None] = {}
    readers = [_look(session, subject, notes) for subject in what]

    def look() -> ops.Seen:
        values = tuple(read() for read in readers)
        return values if len(values) > 1 else values[0]

    def looked(sample: ops.Sample[ops.Seen]) -> None:
        nonlocal looks
        looks = sample.look
        view.look(sample)

    changes = ops.changes(look, view.clock, interval_s=interval, count=count, looked=looked)
    interrupted = False
    with view.screen():
        try:
            for sample in changes:
                view.change(sample)
                if len(samples) < _KEPT:
                    samples.append(sample)
        except KeyboardInterrupt:
            interrupted = True
    if interrupted:
        session.output.note("stopped")
    title, address = ", ".join(item.title for item in items), items[0].address
    address = address if len(items) == 1 else None
    return shown(ops.Watched(title, address, tuple(samples), looks, interrupted, tuple(notes)))


def _item(session: Session, what: Expr | Extent) -> live.Item:
    """Return what is drawn of a thing that is watched."""
    if isinstance(what, Expr):
        return live.Item(what.text, is_pins=what.text in _ALL_PINS)
    title, register = what.name or f"{what.address:#010x}", None
    if what.space == "mem" and what.size == WORD and "." in what.name:
        register = next(iter(writing.registers_at(session.chip.memory, what.address)), None)
    return live.Item(title, what.address, register)


def _look(
    session: Session, what: Expr | Extent, notes: dict[str, None]
) -> Callable[[], int | bytes]:
    """Return a function that reads once and collects the notes about it."""
    if isinstance(what, Extent):
        space, check = session.space(what.space, what.size), session.settings.check

        def read() -> bytes:
            result = words.dump(space, what.address, what.size, check=check)
            notes.update(dict.fromkeys(result.notes))
            return result.data

        return read

    def evaluate() -> int:
        scope = session.scope
        value = what.evaluate(scope)
        notes.update(scope.notes)
        return value

    return evaluate
