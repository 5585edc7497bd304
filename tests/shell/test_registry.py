"""Commands as data: finding one, and giving the words of a line to its parameters."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pytest

from espshell.errors import UsageError
from espshell.shell import commands, registry
from espshell.shell.arguments.places import REGION, Extent
from espshell.shell.arguments.types import NUMBER, NUMBERS, POSITIVE, TEXT, WORDS
from espshell.shell.commands import VERBS
from espshell.shell.declaration import DRY_RUN, Option, Trait, Verb, derive
from espshell.shell.language import grammar
from espshell.shell.language.grammar import Command
from espshell.shell.language.scope import TargetScope
from espshell.shell.registry import Registry
from tests.rows import every

if TYPE_CHECKING:
    from espshell.shell.session import Session

Fast = Annotated[bool, Option("--fast", "do not wait")]
HOW = (Option("--fast", "", many=True), Option("--safe", "", many=True))


def verb(run: Callable[..., None], rest: str = "words") -> Verb:
    return Verb("v", run, "Group", rest=rest)


def command(text: str) -> Command:
    return grammar.parse_line(text, rest_is_expression=lambda _: False)[0]


def bound(verb: Verb, text: str) -> dict[str, list[str]]:
    return {
        slot.key: [word.raw for word in words]
        for slot, words in registry.bind(verb, command(f"v {text}"))
    }


def region_file(
    session: object, region: Annotated[Extent, REGION], file: Annotated[str, TEXT]
) -> None:
    """Take a region and a word."""


def place_values(
    session: object,
    place: Annotated[int, NUMBER],
    value: Annotated[tuple[int, ...], NUMBERS],
    *,
    mask: Annotated[int | None, Option("--mask", "", NUMBER, short="-m")] = None,
    quick: Annotated[bool, Option("--no-verify", "")] = False,
) -> None:
    """Take numbers, and options."""


def file_words(
    session: object, file: Annotated[str, TEXT], words: Annotated[tuple[str, ...], WORDS] = ()
) -> None:
    """Take a word and all that follow."""


def optional(session: object, a: Annotated[str, TEXT], b: Annotated[str, TEXT] = "") -> None:
    """Take a word or two."""


def expression(
    session: object,
    expression: object,
    *,
    message: Annotated[str, Option("--message", "", TEXT, short="-m")] = "",
) -> None:
    """Take the rest of the line."""


def repeated(
    session: object,
    *,
    file: Annotated[tuple[str, ...], Option("--file", "", TEXT, short="-f", many=True)] = (),
    how: Annotated[tuple[str, ...], HOW] = (),
) -> None:
    """Take options again and again."""


REGION_FILE = verb(region_file)
PLACE_VALUES = verb(place_values)
OPTIONAL = verb(optional)
FILE_WORDS = verb(file_words)
EXPRESSION = verb(expression, rest="expression")


def declared(
    session: Session,
    place: Annotated[int, NUMBER],
    count: Annotated[int, POSITIVE] = 1,
    *,
    width: int = 32,
    fast: Fast = False,
    how: Annotated[tuple[str, ...], HOW] = (),
) -> None:
    """Take all that a command can take."""


def test_a_command_is_declared_once() -> None:
    """Arguments and options are derived from the signature; a bare keyword is a variant's.

    The type of the session is not evaluated: it is there for the type checker only.
    """
    verbs = Registry()
    verbs.add("v", group="G", options=[DRY_RUN], variants={"v8": {"width": 8}}, aliases=["w"])(
        declared
    )
    v, v8, w = verbs.verbs()
    assert [(p.key, p.type, p.optional) for p in v.params] == [
        ("place", NUMBER, False),
        ("count", POSITIVE, True),
    ]
    assert [(o.flag, o.key) for o in v.options] == [
        ("--fast", "fast"),
        ("--fast", "how"),
        ("--safe", "how"),
        ("--dry-run", "dry_run"),
    ]
    assert (v8.preset, w.alias_of, w.preset) == ({"width": 8}, "v", {})
    assert v.options == v8.options == w.options
    assert v.summary == w.summary == "Take all that a command can take."


def untyped(session: object, place: int) -> None:
    """Lack a type."""


def unknown(session: object, place: Annotated[int, NOSUCH]) -> None:  # noqa: F821
    """Name a type that there is not."""


def test_a_parameter_needs_a_type_of_argument() -> None:
    """A positional parameter without one is a mistake, found when the command is first used."""
    with pytest.raises(TypeError, match="untyped: `place` has no type of argument"):
        _ = verb(untyped).params
    late = verb(unknown)
    with pytest.raises(NameError):
        _ = late.params


@pytest.mark.parametrize(
    ("which", "text", "wanted"),
    [
        (REGION_FILE, "DRAM f", {"region": ["DRAM"], "file": ["f"]}),
        (REGION_FILE, "0 16 f", {"region": ["0", "16"], "file": ["f"]}),
        (PLACE_VALUES, "0 1 2 3", {"place": ["0"], "value": ["1", "2", "3"]}),
        (PLACE_VALUES, "0 -1", {"place": ["0"], "value": ["-1"]}),
        (PLACE_VALUES, "0 --mask -1 5", {"mask": ["-1"], "place": ["0"], "value": ["5"]}),
        (PLACE_VALUES, "-m 3 0 5", {"mask": ["3"], "place": ["0"], "value": ["5"]}),
        (PLACE_VALUES, "0 5 --no-verify", {"quick": [], "place": ["0"], "value": ["5"]}),
        (PLACE_VALUES, "0 -- --mask", {"place": ["0"], "value": ["--mask"]}),
        (OPTIONAL, "x", {"a": ["x"]}),
        (OPTIONAL, "x y", {"a": ["x"], "b": ["y"]}),
        (FILE_WORDS, "f", {"file": ["f"]}),
        (FILE_WORDS, "f --flag -x", {"file": ["f"], "words": ["--flag", "-x"]}),
        (EXPRESSION, "a  ==  -b", {"expression": ["a  ==  -b"]}),
        (EXPRESSION, "-m 'x y' a -b", {"message": ["'x y'"], "expression": ["a -b"]}),
    ],
)
def test_bind(which: Verb, text: str, wanted: dict[str, list[str]]) -> None:
    """Each word goes to the parameter or option that a person meant."""
    assert bound(which, text) == wanted


@pytest.mark.parametrize(
    ("which", "text", "told"),
    [
        (REGION_FILE, "f", "FILE is missing; usage: v REGION FILE"),
        (REGION_FILE, "0 16 f g", "`g` is one argument too many"),
        (PLACE_VALUES, "0", "VALUE is missing"),
        (PLACE_VALUES, "0 1 --masc 1", "v has no option `--masc`; did you mean `--mask`?"),
        (PLACE_VALUES, "0 1 --mask", "--mask needs a value"),
        (PLACE_VALUES, "0 1 --no-verify=1", "--no-verify takes no value"),
        (FILE_WORDS, "--flag f", "v has no option `--flag`"),
        (EXPRESSION, "-m text", "EXPRESSION is missing"),
    ],
)
def test_bind_refuses(which: Verb, text: str, told: str) -> None:
    """What is missing, too much or unknown is named, with the usage."""
    with pytest.raises(UsageError) as raised:
        bound(which, text)
    assert raised.value.one_line().startswith(told)


def test_find() -> None:
    """A command is found by its name, in both spellings and any case; prefixes only if allowed."""
    assert VERBS.find("Read_Mem").name == "read-mem"
    assert VERBS.find("pee", prefixes=True).name == "peek"
    with pytest.raises(UsageError, match="unknown command `pee`"):
        VERBS.find("pee")
    with pytest.raises(UsageError, match=r"`re` could be read-mac, reconnect, reg, .*reset"):
        VERBS.find("re", prefixes=True)  # our own names come before read-flash and read-mem
    assert VERBS.find("du", prefixes=True).name == "dump"
    assert VERBS.find("dump-", prefixes=True).name == "dump-mem"
    with pytest.raises(UsageError) as raised:
        VERBS.find("mine1", also=["mine"])
    assert raised.value.hint == "did you mean `mine`?"


def test_a_variant_is_its_command_with_a_preset() -> None:
    """One function serves all variants, and its docstring all their help."""
    peek, narrow = VERBS.find("peek"), VERBS.find("peek8")
    assert (narrow.run, narrow.summary, narrow.params) == (peek.run, peek.summary, peek.params)
    assert (dict(peek.preset), dict(narrow.preset)) == ({}, {"width": 8})


@every(VERBS.verbs(), lambda verb: verb.name)
def test_every_command_gives_its_function_all(each: Verb) -> None:
    """What is no argument or option is set by a variant, the runner or esptool's commands."""
    _, *parameters = inspect.signature(each.run).parameters.values()
    given = {each.rest, "like_esptool", *each.preset} | (
        {"run_file"} if Trait.LINES in each.traits else set()
    )
    given |= {key for verb in VERBS.verbs() if verb.run is each.run for key in verb.preset}
    given |= {param.key for param in each.params} | {option.key for option in each.options}
    given |= {
        name
        for name, group in derive(each.run, each.rest).groups.items()
        if {*group.__annotations__} <= given
    }
    assert {parameter.name for parameter in parameters} <= given
    assert not [o.flag for o in each.extra if not (o.refusal or o.is_accepted or o.setting)]
    assert each.summary.endswith(".")


@every(VERBS.verbs(), lambda verb: verb.name)
def test_every_alias_names_a_command(each: Verb) -> None:
    """Another tool's name leads to one of ours, which is a command of its own."""
    if each.alias_of:
        assert VERBS.find(each.alias_of).alias_of == ""


def test_including_keeps_the_order() -> None:
    """The list of commands is in the order of their declaration."""
    first, second = Registry(), Registry()
    for which, name in ((first, "b"), (second, "a")):
        which.add(name, group="G")(lambda session: None)
    first.include(second)
    assert [each.name for each in first.verbs()] == ["b", "a"]


# Names of two words ---------------------------------------------------------------------------


def pot(session: object, words: Annotated[tuple[str, ...], WORDS] = ()) -> None:
    """Take all words."""


POTS = Registry()
for _name, _alias in (
    ("pot", ""),
    ("pot set", ""),
    ("pot show", ""),
    ("put", "pot set"),
    ("pan", ""),
):
    POTS.add(_name, group="G", alias_of=_alias)(pot)


def whole(text: str, *, prefixes: bool = False, **variables: str) -> tuple[str, list[str]]:
    """Return the name and the arguments that a line has."""
    found = POTS.whole(command(text), variables, prefixes=prefixes)
    return found.name.expand(variables), [word.raw for word in found.words]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("pot set a b", ("pot set", ["a", "b"])),
        ("pot   set  a", ("pot set", ["a"])),
        ("POT SET", ("POT SET", [])),
        ("pot", ("pot", [])),
        ("pot --all set", ("pot", ["--all", "set"])),
        ("pot nosuch a", ("pot nosuch", ["a"])),
        ("pan set", ("pan", ["set"])),
        ("po set", ("po", ["set"])),
        ("pot $which a", ("pot show", ["a"])),
        ("$first set a", ("pot set", ["a"])),
    ],
)
def test_whole(text: str, wanted: tuple[str, list[str]]) -> None:
    """The word behind the name of a family is the second of the name, unless it is an option."""
    assert whole(text, which="show", first="pot") == wanted


def test_whole_is_done_once() -> None:
    """A name that has both words takes no third, and the rest of the source stays where it was."""
    once = POTS.whole(command("pot set  a b"), {})
    assert POTS.whole(once, {}) == once
    assert (once.name.raw, once.rest(0), once.text) == ("pot set", "a b", "pot set  a b")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("po se a", ("po se", ["a"])),
        ("pot sh", ("pot sh", [])),
        ("p se", ("p", ["se"])),
        ("pan se", ("pan", ["se"])),
    ],
)
def test_whole_of_beginnings(text: str, wanted: tuple[str, list[str]]) -> None:
    """At the prompt the beginning of a family's name is enough, if nothing else begins so."""
    assert whole(text, prefixes=True) == wanted


def test_find_two_words() -> None:
    """Both words may be shortened at the prompt; a script needs both whole."""
    assert POTS.find("Pot Set").name == "pot set"
    assert POTS.find("po sh", prefixes=True).name == "pot show"
    assert POTS.find("pot").name == "pot"


@pytest.mark.parametrize(
    ("name", "prefixes", "told"),
    [
        ("pot xyz", False, "there is no `pot xyz`; there are set, show"),
        ("pot shwo", True, "there is no `pot shwo`; did you mean `show`?"),
        ("pot s", True, "`pot s` could be pot set, pot show"),
        ("po sh", False, "unknown command `po sh`"),
    ],
)
def test_find_refuses_two_words(name: str, prefixes: bool, told: str) -> None:
    """A second word that a family does not have is answered with those that it has."""
    registry = Registry()
    for each in ("pot set", "pot show"):  # two functions, as two commands have
        registry.add(each, group="G")(lambda *_: None)
    with pytest.raises(UsageError) as raised:
        registry.find(name, prefixes=prefixes)
    assert raised.value.one_line().startswith(told)
    with pytest.raises(UsageError) as raised:
        registry.find("pot")
    assert raised.value.one_line() == "`pot` is an incomplete command; it continues with set, show"


def test_family() -> None:
    """A family knows its second words; its members are those, the bare name and other names."""
    assert POTS.family("POT") == ("set", "show")
    assert POTS.family("pan") == ()
    assert [each.name for each in POTS.members("pot")] == ["pot", "pot set", "pot show", "put"]


def test_two_words_and_an_expression() -> None:
    """Redirects are known by the first word, so that only plain words can follow two."""
    with pytest.raises(ValueError, match="first word"):
        Registry().add("pot boil", group="G", rest="expression")


@every(VERBS.verbs(), lambda verb: verb.name)
def test_the_bare_name_of_a_family_takes_no_words(each: Verb) -> None:
    """A word behind it is always the second of a name, so that it could never be given any."""
    if VERBS.family(each.name) and Trait.WORDS_TOO not in each.traits:
        assert each.params == ()


def test_options_that_may_be_given_again() -> None:
    """The function gets all values in their order; a flag counts by its name."""
    many = verb(repeated)
    found = registry.bind(many, command("v -f a --safe --file b --fast -f a"))
    scope = TargetScope(None)
    assert registry.values(many, found, {}, scope) == {
        "file": ("a", "b", "a"),
        "how": ("--safe", "--fast"),
    }
    assert registry.values(many, (), {}, scope) == {}
    assert many.options[0].usage == "[--file FILE]..."


def test_needs_chip_by_argument() -> None:
    """A type may need a chip for what it was given; what is not known yet may, too."""
    line = VERBS.find("image info")
    for text, wanted in (("a.bin", False), ("flash:0", True), ("$1", True)):
        found = registry.bind(line, command(f"v {text}"))
        assert registry.needs_chip(line, found) is wanted, text


@every(VERBS.verbs(), lambda verb: verb.name)
def test_what_may_be_absent_has_a_default(verb: Verb) -> None:
    """A command whose argument may be left out is called without it."""
    parameters = inspect.signature(verb.run).parameters
    for param in verb.params:
        assert param.least or parameters[param.key].default is not inspect.Parameter.empty


def test_the_index_names_what_each_module_declares() -> None:
    """Commands are found where they are declared, and listed in that order."""
    rows = [row.split(": ") for row in commands.INDEX.strip().split("\n")]
    modules = dict.fromkeys(module for module, _ in rows)
    index = {m: [n for o, names in rows if o == m for n in names.split(", ")] for m in modules}
    folder = Path(commands.__file__).parent
    assert {*modules, "__init__"} == {path.stem for path in folder.glob("*.py")}
    for module in modules:
        declared = import_module(f"{commands.__name__}.{module}").VERBS.verbs()
        names = [each.name for each in declared]
        assert index[module] == names, f"INDEX has to say\n{module}: {', '.join(names)}"
