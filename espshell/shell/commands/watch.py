"""wait, repeat, watch: doing something more than once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from espshell.ops.memory import watch as ops
from espshell.ops.memory.watch import Sample, Waited, Watched
from espshell.ops.memory.words import dump
from espshell.ops.result import Result
from espshell.shell.arguments.places import Region, Span
from espshell.shell.arguments.types import ArgType, Positive, Scope, Seconds
from espshell.shell.commands.script import evaluated
from espshell.shell.language import expr, place
from espshell.shell.language.expr import Expr
from espshell.shell.outcome import Presentation, shown
from espshell.shell.registry import Option, Param, Registry
from espshell.units import WORD

if TYPE_CHECKING:
    from espshell.shell.lines import Held
    from espshell.shell.session import Session

VERBS = Registry()

GROUP = "Again and again"

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


class Watchable(ArgType["Expr | place.Region", "Expr | Span"]):
    """An expression, or a region; a lone name is the region or register of that name."""

    raw = True
    most = 2
    label = "EXPRESSION|REGION"

    def parse(self, texts: Sequence[str]) -> Expr | place.Region:
        """Parse it. Raises: UsageError."""
        region = Region(WORD).parse(texts)
        is_range = region.size is not None or region.end is not None
        return region if is_range else expr.parse(texts[0])

    def value(self, parsed: Expr | place.Region, scope: Scope) -> Expr | Span:
        """Return the expression, or the range."""
        if not isinstance(parsed, Expr):
            return Region().value(parsed, scope)
        name = parsed.lone_name()
        known = scope.place(name) if name else None
        return parsed if known is None else Span(known.start, known.size, known.name)

    def names(self, parsed: Expr | place.Region) -> tuple[str, ...]:
        """Return the names that it uses."""
        return parsed.names() if isinstance(parsed, Expr) else Region().names(parsed)

    def complete(self, text: str, scope: Scope) -> Iterable[str]:
        """Complete names."""
        return scope.names()


@VERBS.add(
    "wait",
    group=GROUP,
    options=[
        Option("--timeout", "give up after this long (10 s)", Seconds(), short="-t"),
        Option("--interval", "look this often (100ms)", Seconds(), short="-i"),
    ],
    rest="expression",
)
def wait(
    session: Session, expression: Expr, *, timeout: float = 10.0, interval: float = 0.1
) -> Waited:
    """Look until an expression is true; fail after 10 s.

    wait -t 2 (GPIO.IN & 1) == 1. Fails with both sides, as expect does.
    """
    return ops.wait(
        lambda: evaluated(session, expression),
        session.clock,
        timeout_s=timeout,
        interval_s=interval,
    )


@VERBS.add("repeat", group=GROUP, params=[Param("count", Positive())], rest="command")
def repeat(session: Session, count: int, command: Held) -> Presentation:
    """Run a command so many times; stops when it fails.

    repeat 10 peek 0x3fc90000. Each result is shown as it comes.
    """
    results = []
    failure = ""
    number = 0
    while number < count and not failure:
        number += 1
        outcome = command.run()
        if session.output.as_json:
            results.append(outcome.bare)
        else:
            command.show(outcome)
        if outcome.error is not None:
            failure = f"run {number} of {count}: {outcome.error.message}"
    session.next_line = ""
    return shown(Repeated(command.text, number, tuple(results), failure))


@VERBS.add(
    "watch",
    group=GROUP,
    params=[Param("what", Watchable())],
    options=[
        Option("--interval", "look this often (1 s)", Seconds(), short="-n"),
        Option("--count", "stop after so many looks", Positive()),
    ],
    needs="memory",
)
def watch(
    session: Session,
    what: Expr | Span,
    *,
    interval: float = 1.0,
    count: int | None = None,
) -> Presentation:
    """Show a value or a range live; Ctrl-C stops.

    What has changed is marked. Without a terminal, prints what is seen first and each change;
    --count ends it in a script.
    """
    from espshell.shell.terminal.live import Live

    address = what.address if isinstance(what, Span) else None
    title = what.text if isinstance(what, Expr) else what.name or f"{what.address:#010x}"
    view = Live(session.output, title, address)
    samples: list[Sample[int | bytes]] = []
    looks = 0
    notes: dict[str, None] = {}

    def looked(sample: Sample[int | bytes]) -> None:
        nonlocal looks
        looks = sample.look
        view.look(sample)

    seen = ops.changes(
        _look(session, what, notes), session.clock, interval_s=interval, count=count, looked=looked
    )
    interrupted = False
    try:
        for sample in seen:
            view.change(sample)
            if len(samples) < _KEPT:
                samples.append(sample)
    except KeyboardInterrupt:
        interrupted = True
        session.output.note("stopped")
    return shown(Watched(title, address, tuple(samples), looks, interrupted, tuple(notes)))


def _look(session: Session, what: Expr | Span, notes: dict[str, None]) -> Callable[[], int | bytes]:
    """Return what looks once and gathers what to keep in mind about it."""
    if isinstance(what, Span):
        space, check = session.space(what.space, what.size), session.settings.check

        def read() -> bytes:
            result = dump(space, what.address, what.size, check=check)
            notes.update(dict.fromkeys(result.notes))
            return result.data

        return read

    def evaluate() -> int:
        scope = session.scope
        value = what.evaluate(scope)
        notes.update(scope.notes)
        return value

    return evaluate
