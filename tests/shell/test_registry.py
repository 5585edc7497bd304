"""Commands as data: finding one, and giving the words of a line to its parameters."""

from __future__ import annotations

import inspect

import pytest

from espshell.errors import UsageError
from espshell.shell import grammar, registry
from espshell.shell.argtypes import Number, Numbers, Region, Text, Words
from espshell.shell.commands import VERBS
from espshell.shell.grammar import Command
from espshell.shell.registry import Option, Param, Registry, Verb


def noted(*_: object, **__: object) -> None:
    """Do nothing."""


def verb(*params: Param, options: tuple[Option, ...] = (), rest: str = "words") -> Verb:
    return Verb("v", noted, "Group", "Summary.", "", params, options, rest=rest)


def command(text: str) -> Command:
    return grammar.parse_line(text, rest_is_expression=lambda _: False)[0]


def bound(verb: Verb, text: str) -> dict[str, list[str]]:
    return {
        slot.key: [word.raw for word in words]
        for slot, words in registry.bind(verb, command(f"v {text}"))
    }


REGION_FILE = verb(Param("region", Region()), Param("file", Text()))
PLACE_VALUES = verb(
    Param("place", Number()),
    Param("value", Numbers()),
    options=(Option("--mask", "", Number(), short="-m"), Option("--no-verify", "", into="quick")),
)
OPTIONAL = verb(Param("a", Text(), optional=True), Param("b", Text()))
FILE_WORDS = verb(Param("file", Text()), Param("words", Words()))
EXPRESSION = verb(options=(Option("--message", "", Text(), short="-m"),), rest="expression")


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
        (OPTIONAL, "x", {"b": ["x"]}),
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
        (REGION_FILE, "0 16 f g", "`g` is one word too many"),
        (PLACE_VALUES, "0", "VALUE is missing"),
        (PLACE_VALUES, "0 1 --masc 1", "v has no option `--masc`; did you mean `--mask`?"),
        (PLACE_VALUES, "0 1 --mask", "--mask wants a value"),
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
    with pytest.raises(
        UsageError, match=r"`re` could be read-flash, read-mac, read-mem, reconnect, .*reset"
    ):
        VERBS.find("re", prefixes=True)
    with pytest.raises(UsageError) as raised:
        VERBS.find("mine1", also=["mine"])
    assert raised.value.hint == "did you mean `mine`?"


def test_a_variant_is_its_command_with_a_preset() -> None:
    """One function serves all variants, and its docstring all their help."""
    peek, narrow = VERBS.find("peek"), VERBS.find("peek8")
    assert (narrow.run, narrow.summary, narrow.params) == (peek.run, peek.summary, peek.params)
    assert (dict(peek.preset), dict(narrow.preset)) == ({}, {"width": 8})


@pytest.mark.parametrize("each", list(VERBS.verbs()), ids=lambda verb: verb.name)
def test_every_command_is_declared_as_its_function_is_written(each: Verb) -> None:
    """Each declared argument is a parameter of the function, and each parameter is declared."""
    parameters = dict(inspect.signature(each.run).parameters)
    parameters.pop("session")
    declared = {param.key for param in each.params} | {option.key for option in each.options}
    declared |= each.preset.keys()
    if each.rest != "words":
        declared.add(each.rest)
    presets = {"width"} if "width" in parameters else set()
    assert set(parameters) - presets == declared - presets
    required = {
        name for name, parameter in parameters.items() if parameter.default is parameter.empty
    }
    assert {param.key for param in each.params if param.least} <= required | {"status"}
    assert each.summary.endswith(".")


@pytest.mark.parametrize("each", list(VERBS.verbs()), ids=lambda verb: verb.name)
def test_every_alias_names_a_command(each: Verb) -> None:
    """Another tool's name leads to one of ours, which is a command of its own."""
    if each.alias_of:
        assert VERBS.find(each.alias_of).alias_of == ""


def test_including_keeps_the_order() -> None:
    """The list of commands is in the order of their declaration."""
    first, second = Registry(), Registry()
    for which, name in ((first, "b"), (second, "a")):
        which.add(name, group="G")(noted)
    first.include(second)
    assert [each.name for each in first.verbs()] == ["b", "a"]
