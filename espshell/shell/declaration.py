"""A command as data, how one ends, and arguments: derived from the signature of its function.

A function below ``Registry.add`` says once what its command takes::

    def peek(
        session: Session,
        place: Annotated[Location, PLACE],
        count: Annotated[int, POSITIVE] = 1,
        *,
        width: int = 32,
        force: Force = False,
    ) -> Peek: ...

A positional parameter is an argument, optional if it has a default; a keyword-only one is an option
if it is annotated with one, as ``Force = Annotated[bool, Option("--force", "...")]``, a group of
options if it is annotated with a class whose fields are, and else what the name of a variant sets:
``width`` of ``peek8``.  The first parameter is the session, and one
that is not annotated with a type of argument takes the rest of the line.

Annotations are text until a command is used for the first time, so that a start evaluates those of
one command and not of ninety.  What stands in them must be there when the program runs, and not
only for the type checker.
"""

from __future__ import annotations

import enum
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, get_args, get_origin

from espshell.errors import EspError
from espshell.ops.result import Result
from espshell.records import dataclass, field, replace
from espshell.shell.arguments.types import AnyType, ArgType, no_outputs

if TYPE_CHECKING:
    from espshell.image.partitions import PartitionTable

RESTS = {"expression": "EXPRESSION", "command": "COMMAND", "assignment": "NAME = VALUE"}
"""What the rest of a line can be where it is not words, and how it stands in the usage line."""


EXAMPLE = "Example: "
"""Begins a line of a command's docstring that shows it at work."""

MORE = "> "
"""Begins the next line of an example of several."""

USAGE_WIDTH = 72
"""Columns of a usage line behind what is wrong."""


@dataclass(frozen=True, slots=True)
class Presentation:
    """A result, and how the command wants it to be shown."""

    result: Result
    every_row: bool = False
    """Whether all of it is shown, however long it is."""
    partitions: Callable[[], PartitionTable | None] = lambda: None
    """Returns the partition table, if the names of places in flash are shown."""
    is_shown: bool = False
    """Whether it has been shown already, such as a dump row by row."""


def presented(result: Result | Presentation) -> Presentation:
    """Return how a result is shown: as its command wants it, or as it is."""
    return result if isinstance(result, Presentation) else Presentation(result)


def shown(result: Result) -> Presentation:
    """Return the presentation of a result that has been shown already."""
    return Presentation(result, is_shown=True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of one command; ``status`` is the exit status that it means."""

    status: int
    result: Result | Presentation | None = None
    error: EspError | None = None
    is_verdict: bool = False
    """Whether it judges the chip, or has failed."""

    @property
    def bare(self) -> Result | None:
        """The result, without its presentation."""
        return self.result.result if isinstance(self.result, Presentation) else self.result


Answer = Result | Presentation | Outcome | None
Run = Callable[..., Answer]


class Trait(enum.Flag):
    """What a command is to the lines around it."""

    NONE = 0
    ALIAS = enum.auto()
    """Gives a line a name: the check of a script does so, too."""
    SYMBOLS = enum.auto()
    """Loads names of places: the check of a script does so, too."""
    LINES = enum.auto()
    """Runs the lines of a file; its function is given ``run_file``."""
    FAILS = enum.auto()
    """Wants the command that it holds to fail: what that one lacks is not looked for."""
    NEED = enum.auto()
    """Says what the chip must be: a script that is run finds that out before its first line."""
    CHIP = enum.auto()
    """Behind it another chip may be connected."""
    WORDS_TOO = enum.auto()
    """The bare name of a family that takes words: what is not a second name is an argument."""
    PARTITIONS = enum.auto()
    """Behind it the names of partitions may be others than they are now."""
    BLOCK = enum.auto()
    """Begins or ends a block of a script, which the runner and the check take apart."""
    VERDICT = enum.auto()
    """Judges the chip: a case in a report, also where all is well."""
    ONCE = enum.auto()
    """Is a comment in a transcript: it would end its run, or overwrite it."""


@dataclass(frozen=True, slots=True)
class Param:
    """A positional argument; ``key`` is the name of the function's parameter."""

    key: str
    type: AnyType
    optional: bool = False

    @property
    def least(self) -> int:
        """Words that must be there."""
        return 0 if self.optional else self.type.least

    @property
    def usage(self) -> str:
        """How it stands in the usage line."""
        label = self.type.label or self.key.upper() + "..." * (self.type.most > 2)
        return f"[{label}]" if self.least == 0 else label


@dataclass(frozen=True, slots=True)
class Option:
    """An option; without a type it is a flag.

    ``many``: it may be given again, and the function gets a tuple: of values, or of a flag's names.
    """

    flag: str
    help: str
    type: AnyType | None = None
    short: str = ""
    into: str = ""
    """The function's parameter; its annotation says it."""
    many: bool = False
    refusal: str = ""
    """Why it cannot be had, and what to do instead; it is in the table of options all the same."""
    setting: str = ""
    """What of the session's settings it changes for its command; the function does not get it."""
    is_accepted: bool = False
    """Whether it is only accepted, as its help says: the function does not get it."""

    @property
    def key(self) -> str:
        """The name of the function's parameter: ``into``, or that of the flag."""
        return self.into or self.flag.lstrip("-").replace("-", "_")

    @property
    def value(self) -> str:
        """How its value stands in the usage line; empty for a flag."""
        return self.type.label or self.flag.lstrip("-").upper() if self.type else ""

    @property
    def usage(self) -> str:
        """How it stands in the usage line."""
        return f"[{' '.join(filter(None, (self.flag, self.value)))}]" + "..." * self.many


DRY_RUN = Option("--dry-run", "show what would be written; write nothing", setting="dry_run")
"""For commands that change something."""


@dataclass(frozen=True)
class Verb:
    """One command.

    ``rest`` says what the end of its line is: ``words``, one ``expression``, another ``command``
    or an ``assignment``; all but words go to the function's parameter of that name.
    """

    name: str
    run: Run
    group: str
    summary: str = ""
    details: str = ""
    examples: tuple[str, ...] = ()
    """Lines that show it at work on ``sim://demo``; the tests run them."""
    extra: tuple[Option, ...] = ()
    """Options that no parameter of the function stands for."""
    preset: Mapping[str, object] = field(default_factory=dict)
    """Arguments that the name itself gives: ``peek8`` is peek with a width of 8."""
    needs: str = ""
    """``chip``: one must be connected. ``memory``: and its address space must be within reach.

    ``flash``: one must be connected, and its flash can be written also in secure download mode.
    """
    rest: str = "words"
    alias_of: str = ""
    """For another tool's name of a command: ours."""
    traits: Trait = Trait.NONE

    @cached_property
    def params(self) -> tuple[Param, ...]:
        """Its positional arguments, in their order."""
        return derive(self.run, self.rest).params

    @cached_property
    def options(self) -> tuple[Option, ...]:
        """Its options, those of parameters first."""
        return derive(self.run, self.rest).options + self.extra

    @cached_property
    def writes_files(self) -> bool:
        """Whether a word of its line may be a file that it writes."""
        slots: tuple[Param | Option, ...] = (*self.params, *self.options)
        return any(slot.type and slot.type.outputs is not no_outputs for slot in slots)

    @cached_property
    def first_passed_on(self) -> int | None:
        """The index of the word from which on all are passed on, so that none is an option."""
        if self.rest != "words":
            return len(self.params) + 1
        last = len(self.params) - 1
        return last if self.params and self.params[last].type.takes_options else None

    @property
    def usage(self) -> str:
        """The usage line as an error and 80 columns have room for it."""
        return self.usage_within(USAGE_WIDTH)

    def usage_within(self, width: int) -> str:
        """Return the usage line, its options as ``[options]`` where not all fit into a width.

        They stand behind the arguments, unless what follows is passed on as it is.
        """
        arguments = [*(param.usage for param in self.params)]
        arguments += [RESTS[self.rest]] if self.rest != "words" else []
        first = arguments if self.first_passed_on is None else []
        last = [] if first else arguments
        every = " ".join((self.name, *first, *(option.usage for option in self.options), *last))
        if len(every) <= width:
            return every
        return " ".join((self.name, *first, "[options]", *last))


def parse_doc(doc: str) -> tuple[str, str, tuple[str, ...]]:
    """Cut a docstring into summary, details, and the examples behind ``Example:``.

    A line that begins with ``>`` goes on with the example above it.
    """
    summary, _, rest = doc.strip().partition("\n")
    details: list[str] = []
    examples: list[str] = []
    for line in map(str.strip, rest.splitlines()):
        if line.startswith(EXAMPLE):
            examples.append(line.removeprefix(EXAMPLE))
        elif examples and line.startswith(MORE):
            examples[-1] += "\n" + line.removeprefix(MORE)
        else:
            details.append(line)
    return summary, "\n".join(details).strip(), tuple(examples)


class Parameters(NamedTuple):
    """The arguments and options of a command, as the signature of its function says them."""

    params: tuple[Param, ...]
    options: tuple[Option, ...]
    groups: Mapping[str, type]
    """Parameters of the function that take a group of options as one value."""


@cache
def derive(run: Run, rest: str) -> Parameters:
    """Derive the arguments and options of a command from the signature of its function.

    Raises: TypeError if a positional parameter is not annotated with a type of argument.
    """
    # Parameters are read from the code: ``inspect`` takes 6 ms to import.
    code = run.__code__
    positional = code.co_varnames[1 : code.co_argcount]  # but the session
    first_default = len(positional) - len(run.__defaults__ or ())
    params: list[Param] = []
    for index, name in enumerate(positional):
        if name == rest and rest in RESTS:
            continue
        kind = next(iter(_metadata(_evaluated(run, run.__annotations__[name]))), None)
        if not isinstance(kind, ArgType):
            raise TypeError(f"{run.__qualname__}: `{name}` has no type of argument")
        params.append(Param(name, kind, index >= first_default))
    options: list[Option] = []
    groups: dict[str, type] = {}
    for name in code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]:
        hint = _evaluated(run, run.__annotations__[name])
        if not (own := _options(name, hint)) and (own := list(_options_of(hint))):
            groups[name] = hint
        options += own
    return Parameters(tuple(params), tuple(options), groups)


def _options(name: str, hint: object) -> list[Option]:
    """Return the options that a parameter or a field stands for, as its annotation says."""
    metadata = _metadata(hint)
    listed = metadata[0] if metadata and isinstance(metadata[0], tuple) else metadata
    return [replace(option, into=name) for option in listed if isinstance(option, Option)]


def _options_of(group: object) -> Iterator[Option]:
    """Yield the options that the fields of a class stand for; none if it is not a group."""
    for name, hint in getattr(group, "__annotations__", {}).items():
        if isinstance(hint, str) and isinstance(group, type):
            yield from _options(name, _evaluated(group, hint))


def _metadata(hint: object) -> tuple[Any, ...]:
    return get_args(hint)[1:] if get_origin(hint) is Annotated else ()


def _evaluated(owner: Run | type, annotation: str) -> Any:
    return eval(annotation, vars(sys.modules[owner.__module__]))
