"""let, expect, need, fails, echo, sleep, source: what scripts are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

from espshell.chips import Chip
from espshell.errors import BenchError, DeviceError, EspError, UsageError
from espshell.ops.memory import watch
from espshell.ops.result import Result
from espshell.records import dataclass
from espshell.shell import registry
from espshell.shell.arguments.operands import is_number
from espshell.shell.arguments.types import ANY_PATH, CHIPS, SECONDS, TEXT, WORDS
from espshell.shell.commands.shell import NamedValues
from espshell.shell.declaration import Option, Trait
from espshell.shell.language import expr
from espshell.shell.language.assignment import assigned
from espshell.shell.language.expr import Expr
from espshell.shell.language.grammar import Command
from espshell.shell.language.scope import TargetScope
from espshell.shell.language.words import Word
from espshell.shell.lines import Held
from espshell.shell.registry import Registry
from espshell.shell.session import Session
from espshell.units import number_text, parse_number

VERBS = Registry("Scripts")

_TICK_S, _MOST_TICKS = 0.1, 1000
"""How often `sleep` shows that it lives, and how many times at most."""


@dataclass(frozen=True, slots=True)
class Variable(Result):
    """A variable was set; ``value`` is a number where it is one."""

    name: str
    value: int | str
    notes: tuple[str, ...] = ()
    """What to keep in mind about what was read for it."""

    @property
    def last_value(self) -> int | str:
        """The value."""
        return self.value


@dataclass(frozen=True, slots=True)
class Failed(Result):
    """A command failed, as it should."""

    command: str
    error: str


@dataclass(frozen=True, slots=True)
class Echo(Result):
    """Words to be shown."""

    text: str


@VERBS.add("let", rest="assignment")
def let(session: Session, assignment: Command) -> Variable | NamedValues:
    """Set a variable: let NAME = EXPRESSION.

    Quote text. `$NAME` inserts the value into any later line. Without arguments, lists the
    variables and, at the prompt, the values of `print` ($~1, $~2, ...).

    Example: let place = DRAM + 0x100; peek $place
    """
    if not assignment.words:
        shown = sorted(session.variables.items(), key=_by_name)
        return NamedValues(tuple((f"${name}", value) for name, value in shown))
    setting = assigned(assignment)
    scope = session.scope
    value = _value(session, setting.value, scope)
    text = number_text(value) if isinstance(value, int) else value
    session.variables[setting.name] = text
    return Variable(setting.name, value, tuple(scope.notes))


@VERBS.add("expect", rest="expression", traits=Trait.VERDICT)
def expect(
    session: Session,
    expression: Expr,
    *,
    message: Annotated[str, Option("--message", "message if it is false", TEXT, short="-m")] = "",
) -> watch.Expectation:
    """Fail unless an expression is true; shows both sides.

    `[ADDRESS]` is the 32-bit word at an address; u8[..] and u16[..] are narrower.

    Example: expect --message "RAM is zero" [DRAM] == 0
    """
    return evaluated(session, expression, message)


def evaluated(session: Session, expression: Expr, message: str = "") -> watch.Expectation:
    """Evaluate what is expected to be true, both sides of it where it is one comparison."""
    sides, scope = expression.sides(), session.scope
    if sides is None:
        value = expression.evaluate(scope)
        return watch.Expectation(expression.text, value, message=message, notes=tuple(scope.notes))
    first_side, operator, right = sides
    first, second = first_side.evaluate(scope), right.evaluate(scope)
    value = int(expr.compare(first, operator, second))
    notes = tuple(scope.notes)
    return watch.Expectation(expression.text, value, first, operator, second, message, notes)


@VERBS.add("need", needs="chip", traits=Trait.NEED | Trait.VERDICT)
def need(session: Session, chip: Annotated[tuple[Chip, ...], CHIPS]) -> None:
    """Refuse any chip but these.

    Example: need esp32c3
    """
    connected = session.chip.chip
    if connected not in chip:
        titles = " or ".join(one.title for one in chip)
        raise DeviceError(f"this is an {connected.title}, not an {titles}")


@VERBS.add("fails", rest="command", traits=Trait.FAILS | Trait.VERDICT)
def fails(session: Session, command: Held) -> Failed:
    """Succeed only if a command fails.

    A usage error does not count as a failure here, nor does a lost chip.

    Example: fails poke ROM0 0
    """
    list(registry.parsed(command.prepared.bound))  # raises for what is mistyped
    try:
        error = command.run().error
    except BenchError:
        raise
    except EspError as raised:
        error = raised
    session.next_line = ""
    if error is None:
        raise DeviceError(f"`{command.text}` should have failed but did not")
    return Failed(command.text, error.message)


@VERBS.add("echo")
def echo(session: Session, words: Annotated[tuple[str, ...], WORDS] = ()) -> Echo:
    """Print words and the values of variables: echo QE is $qe.

    Expressions are not evaluated: name the value with `let qe = EXPRESSION` first, or use `print
    EXPRESSION`.

    Example: echo "RAM begins here:"; peek DRAM
    """
    return Echo(" ".join(words))


@VERBS.add("sleep")
def sleep(session: Session, seconds: Annotated[float, SECONDS]) -> None:
    """Pause: sleep 2, sleep 200ms.

    Example: sleep 200ms
    """
    clock, start = session.clock, session.clock.now()
    step = max(_TICK_S, seconds / _MOST_TICKS)
    while (passed := clock.now() - start) < seconds:
        session.output.alive(f"{passed:.1f} of {seconds:g} s")
        clock.sleep(min(step, seconds - passed))


@VERBS.add("source", traits=Trait.LINES)
def source(
    session: Session,
    file: Annotated[Path, ANY_PATH],
    arguments: Annotated[tuple[str, ...], WORDS] = (),
    *,
    run_file: Callable[[Path, Sequence[str]], None],
) -> None:
    """Run the lines of another file.

    ARGUMENTS become $1 to $9. A script looks for the file in its own folder. Variables set by `let`
    remain set.

    Example: source first.espsh
    """
    run_file(file, arguments)


@VERBS.add("if", rest="expression", traits=Trait.BLOCK)
def begin_if(session: Session, expression: Expr) -> None:
    """Run the lines up to `end` (or `else`) if a condition is true.

    `if`, `else` and `end` each stand on their own line; `else` is optional.

    Example: if [DRAM] == 0
    >     echo "RAM is empty"
    > end
    """
    raise _only_in_scripts("if")


@VERBS.add("for", traits=Trait.BLOCK)
def begin_for(session: Session, words: Annotated[tuple[str, ...], WORDS] = ()) -> None:
    """Run the lines up to `end` once for each word.

    for NAME in WORD...: the word is $NAME. 0..8 stands for the numbers 0 to 7, 0..0x4000..0x1000
    counts in steps of 0x1000.

    Example: for name in app0 app1
    >     hash flash:$name
    > end
    """
    raise _only_in_scripts("for")


@VERBS.add("else", traits=Trait.BLOCK)
def begin_else(session: Session) -> None:
    """Begin the lines that run if the condition of `if` is false.

    Example: if [DRAM] == 0
    >     echo empty
    > else
    >     dump DRAM 16
    > end
    """
    raise _only_in_scripts("else")


@VERBS.add("end", traits=Trait.BLOCK)
def end_block(session: Session) -> None:
    """End the lines of `if`, `for` or a `repeat` without a command.

    Example: repeat 2
    >     peek DRAM
    > end
    """
    raise _only_in_scripts("end")


def _only_in_scripts(name: str) -> UsageError:
    return UsageError(f"`{name}` belongs to a block of lines", hint="`source FILE` runs a script")


def _by_name(variable: tuple[str, str]) -> tuple[bool, int, str]:
    """Return the key that sorts names first, then values of the prompt by number."""
    name = variable[0]
    number = name.removeprefix("~")
    return name.startswith("~"), int(number) if number.isdigit() else 0, name


def _value(session: Session, word: Word, scope: TargetScope) -> int | str:
    """Return the value of a word for `let`: quoted text, a variable unchanged, or an expression."""
    if word.is_quoted and not is_number(word.raw):
        return word.expand(session.variables)
    if word.lone_variable() is not None:
        text = word.expand(session.variables)
        number = parse_number(text)
        return text if number is None else number
    return expr.parse(word.expand_raw(session.variables)).evaluate(scope)
