"""All commands by name, and how a line is bound to one.

A command is declared by the function that does it (``declaration``); completion, help, the check of
scripts and the table in the README all read that one declaration.

The name of a command has one word or two: ``image info`` and ``image make`` are two commands of a
family.  ``Registry.whole`` makes one name of both words before a command is looked up; a word
behind the name of a family is always its second, even if ``sr`` alone is a command, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import chain
from types import MappingProxyType
from typing import Any, TypeVar

from espshell import regex
from espshell.errors import UsageError
from espshell.records import replace
from espshell.shell import dialects
from espshell.shell.arguments.types import EXPRESSION, AnyType, Scope, did_you_mean
from espshell.shell.declaration import RESTS, Option, Param, Run, Trait, Verb, groups, parse_doc
from espshell.shell.language.grammar import Command
from espshell.shell.language.words import PlainText, Variables, Word

F = TypeVar("F", bound=Run)

_OPTION = regex.late(r"--?[A-Za-z]")

REST = Param("expression", EXPRESSION)
"""What the rest of a line is given to where it is an expression."""

Bound = tuple[tuple[Param | Option, tuple[Word, ...]], ...]
"""Parameters and options, each with the words that were given for it."""


class Registry:
    """Commands, found by name; ``group`` is where help lists those that name no other."""

    def __init__(self, group: str = "") -> None:
        self._group = group
        self._verbs: dict[str, Verb | str] = {}  # or the module that declares it
        self._firsts: set[str] | None = None  # of names of two words

    def add(
        self,
        name: str,
        *,
        group: str = "",
        options: Sequence[Option] = (),
        variants: Mapping[str, Mapping[str, object]] | None = None,
        aliases: Sequence[str] = (),
        needs: str = "",
        rest: str = "words",
        alias_of: str = "",
        traits: Trait = Trait.NONE,
    ) -> Callable[[F], F]:
        """Declare the function below to be a command, and perhaps variants of it.

        Its signature says what it takes; ``options`` are those that the function does not get.
        ``aliases`` are other names of the same command.  A name of two words makes it one of a
        family; the rest of its line is words then.
        """
        if " " in name and rest != "words":
            raise ValueError(f"{name}: the grammar knows only the first word of a command")

        def declare(run: F) -> F:
            summary, details, examples = parse_doc(run.__doc__ or "")
            verb = Verb(
                name,
                run,
                group or self._group,
                summary,
                details,
                examples,
                tuple(options),
                needs=needs,
                rest=rest,
                alias_of=alias_of,
                traits=traits,
            )
            self._verbs[name] = verb
            self._firsts = None
            for variant, preset in (variants or {}).items():
                self._verbs[variant] = replace(verb, name=variant, preset=preset)
            for alias in aliases:
                self._verbs[alias] = replace(verb, name=alias, alias_of=name)
            return run

        return declare

    def include(self, other: Registry) -> None:
        """Take over the commands of another registry."""
        self._verbs.update(other._verbs)
        self._firsts = None

    def expect(self, module: str, names: Iterable[str]) -> None:
        """Take over the commands of the registry ``VERBS`` of a module when one is looked up."""
        self._verbs.update(dict.fromkeys(names, module))

    def verbs(self) -> Sequence[Verb]:
        """Return all commands, in the order of their declaration."""
        return [self._declared(name) for name in self._verbs]

    def get(self, name: str) -> Verb | None:
        """Return the command of exactly that name; ``read_mem`` is ``read-mem``."""
        name = name.lower().replace("_", "-")
        return self._declared(name) if name in self._verbs else None

    def _declared(self, name: str) -> Verb:
        verb = self._verbs[name]
        if isinstance(verb, str):
            self.include(import_module(verb).VERBS)
            verb = self._verbs[name]
            assert isinstance(verb, Verb)
        return verb

    def find(self, name: str, *, prefixes: bool = False, also: Iterable[str] = ()) -> Verb:
        """Return the command of a name, or at the prompt of the unique beginning of one.

        Raises: UsageError with a suggestion.
        """
        verb = self.get(name)
        if verb is not None:
            return verb
        first, _, second = name.lower().partition(" ")
        if family := self.family(first):
            self._require_second(first, second, family, prefixes=prefixes)
        begins = re.compile(r"\S* ".join(map(re.escape, name.lower().split(" ")))).match
        names = [n for n in self._verbs if begins(n)] if prefixes else []
        names = [n for n in names if not self._declared(n).alias_of] or names  # ours come first
        shortest = {self._declared(n).run: n for n in sorted(names, key=len, reverse=True)}
        if len(shortest) == 1:
            return self._declared(next(iter(shortest.values())))
        if shortest:
            raise UsageError(f"`{name}` could be {', '.join(sorted(shortest.values()))}")
        near = did_you_mean(name, [*self._verbs, *also])
        hint = dialects.hint(name) or near or "`help` lists the commands"
        raise UsageError(f"unknown command `{name}`", hint=hint)

    def family(self, name: str) -> tuple[str, ...]:
        """Return the second words of the commands whose first word is this, in their order."""
        start = f"{name.lower()} "
        return tuple(n.removeprefix(start) for n in self._verbs if n.startswith(start))

    def members(self, name: str) -> tuple[Verb, ...]:
        """Return the commands of a family, also that of its bare name, and other names of them."""
        names = {name.lower(), *(f"{name.lower()} {second}" for second in self.family(name))}
        return tuple(v for v in self.verbs() if names & {v.name, v.alias_of})

    def whole(self, command: Command, variables: Variables, *, prefixes: bool = False) -> Command:
        """Return a command with both words of its name as one, where it has two.

        Raises: UsageError if the name is a variable that is not set.
        """
        words = command.words
        if not words or _OPTION.match(words[0].raw):
            return command
        first = command.name.expand(variables).lower()
        if not self._begins_two(first, prefixes=prefixes):
            return command
        if self.is_argument(first, words[0].raw.lower()):
            return command
        end = words[0].column - command.column
        gap = PlainText(command.text[len(command.name.raw) : end], " ")
        pieces = (*command.name.pieces, gap, *words[0].pieces)
        name = Word(command.text[: end + len(words[0].raw)], command.column, pieces)
        return replace(command, name=name, words=words[1:])

    def _begins_two(self, name: str, *, prefixes: bool) -> bool:
        """Tell the first word of two from a whole name; at the prompt also its beginning."""
        firsts = self._firsts
        if firsts is None:
            firsts = self._firsts = {n.partition(" ")[0] for n in self._verbs if " " in n}
        if name in firsts or not prefixes or self.get(name):
            return name in firsts
        single = [n for n in self._verbs if n.startswith(name) and " " not in n]
        ours = {n for n in single if not self._declared(n).alias_of}
        begun = [n for n in firsts | ours if n.startswith(name)]
        return len(begun) == 1 and begun[0] in firsts

    def is_argument(self, first: str, second: str) -> bool:
        """Return whether a word behind the first of two is an argument of the bare command."""
        verb = self.get(first)
        words_too = verb is not None and Trait.WORDS_TOO in verb.traits
        return words_too and second not in self.family(first)

    def _require_second(
        self, first: str, second: str, family: Sequence[str], *, prefixes: bool
    ) -> None:
        """Require a second word of a family, or the beginning of one. Raises: UsageError."""
        if prefixes and second and any(member.startswith(second) for member in family):
            return
        there = ", ".join(family)
        if not second:
            raise UsageError(
                f"`{first}` is an incomplete command", hint=f"it continues with {there}"
            )
        hint = did_you_mean(second, family) or f"there are {there}"
        raise UsageError(f"there is no `{first} {second}`", hint=hint)

    def takes_expression(self, name: str) -> bool:
        """Return whether ``>`` and ``|`` in a line are operators and not redirects."""
        verb = self.get(name)
        return verb is not None and verb.rest in ("expression", "assignment")

    def holds_command(self, name: str) -> int | None:
        """Return the index of the word at which a command holds another, or None."""
        verb = self.get(name)
        return len(verb.params) if verb is not None and verb.rest == "command" else None


COMMANDS = Registry()
"""Every command there is; importing ``shell.commands`` says where each is declared."""


def bind(verb: Verb, command: Command) -> Bound:
    """Give each word of a command to a parameter or option.

    Raises: UsageError if words are missing or too many, or an option is unknown.
    """
    positional, options = _split(verb, command.words)
    positional, rest = _cut_rest(verb, command, positional)
    bound = list(options) + rest
    spare = len(positional) - sum(param.least for param in verb.params)
    for param in verb.params:
        size = min(len(positional), param.least + max(0, spare), param.type.most)
        if size < param.least:
            raise missing(param.key.upper(), verb)
        spare -= size - param.least
        if size:
            bound.append((param, tuple(positional[:size])))
            positional = positional[size:]
    if positional:
        raise UsageError(
            f"`{positional[0].raw}` is one argument too many", hint=f"usage: {verb.usage}"
        )
    return tuple(bound)


def missing(what: str, verb: Verb) -> UsageError:
    """Return the error of a command that lacks a word."""
    return UsageError(f"{what} is missing", hint=f"usage: {verb.usage}")


def parsed(
    bound: Bound, same: Mapping[str, str] = MappingProxyType({})
) -> Iterator[tuple[AnyType, Any]]:
    """Yield the arguments whose text is known before anything runs, parsed, with their types.

    ``same`` has the variables whose values are known, too.

    Raises: UsageError.
    """
    for slot, words in bound:
        if slot.type is not None and all(
            word.is_plain or same.keys() >= set(word.required_variables()) for word in words
        ):
            try:
                yield slot.type, slot.type.parse(_texts(slot.type, words, same))
            except UsageError as error:
                error.column = words[0].column
                raise


def needs_chip(verb: Verb, bound: Bound) -> bool:
    """Return whether a command needs a chip, by itself or for what it was given.

    Where that only shows when variables have their values, it does if it may.
    """
    unknown = (s.type for s, words in bound if s.type and not all(w.is_plain for w in words))
    arguments = ((kind, None) for kind in unknown), parsed(bound)
    return verb.needs_chip or any(kind.needs_chip(value) for kind, value in chain(*arguments))


def settings(bound: Bound, variables: Variables, scope: Scope) -> dict[str, Any]:
    """Return the settings that options change for their command. Raises: UsageError."""
    return {
        slot.setting: _value(slot, words, variables, scope)
        for slot, words in bound
        if isinstance(slot, Option) and slot.setting
    }


def values(verb: Verb, bound: Bound, variables: Variables, scope: Scope) -> dict[str, Any]:
    """Return the arguments of a command's function. Raises: UsageError."""
    arguments: dict[str, Any] = dict(verb.preset)
    for slot, words in bound:
        if isinstance(slot, Option) and (slot.is_accepted or slot.setting):
            continue
        value = _value(slot, words, variables, scope)
        many = isinstance(slot, Option) and slot.many
        arguments[slot.key] = (*arguments.get(slot.key, ()), value) if many else value
    for name, group in groups(verb.run).items():
        keys = [key for key in group.__annotations__ if key in arguments]
        arguments[name] = group(**{key: arguments.pop(key) for key in keys})
    return arguments


def _value(
    slot: Param | Option, words: Sequence[Word], variables: Variables, scope: Scope
) -> object:
    """Return the value of a parameter or option: of a flag True, or its name where it is many."""
    if slot.type is None:
        return slot.flag if isinstance(slot, Option) and slot.many else True
    return slot.type.resolve(slot.type.parse(_texts(slot.type, words, variables)), scope)


def _texts(kind: AnyType, words: Sequence[Word], variables: Variables) -> list[str]:
    if kind.raw:
        return [word.expand_raw(variables) for word in words]
    return [word.expand(variables) for word in words]


def _split(
    verb: Verb, words: Sequence[Word]
) -> tuple[list[Word], list[tuple[Option, tuple[Word, ...]]]]:
    """Part positional words from options; none is behind ``--`` or in what is passed on."""
    positional: list[Word] = []
    options: list[tuple[Option, tuple[Word, ...]]] = []
    remaining = list(words)
    while remaining and len(positional) != verb.first_passed_on:
        word = remaining.pop(0)
        if word.raw == "--":
            break
        if not _OPTION.match(word.raw):
            positional.append(word)
            continue
        option, value = _option(verb, word)
        if option.refusal:
            message, _, hint = option.refusal.partition("; ")
            raise UsageError(f"{option.flag}: {message}", hint=hint)
        if option.type is None:
            if value is not None:
                raise UsageError(f"{option.flag} takes no value", hint=f"usage: {verb.usage}")
            options.append((option, ()))
        elif value is None and not remaining:
            raise UsageError(f"{option.flag} needs a value", hint=f"usage: {verb.usage}")
        else:
            options.append((option, (value or remaining.pop(0),)))
    return positional + remaining, options


def _cut_rest(
    verb: Verb, command: Command, positional: list[Word]
) -> tuple[list[Word], list[tuple[Param, tuple[Word, ...]]]]:
    """Take the rest of the line off the positional words; an expression as one word."""
    size = len(verb.params)
    if verb.rest in ("words", "assignment"):
        return positional if verb.rest == "words" else [], []
    if len(positional) <= size:
        raise missing(RESTS[verb.rest], verb)
    if verb.rest == "command":
        return positional[:size], []
    index = command.words.index(positional[size])
    return positional[:size], [(REST, (command.rest_word(index),))]


def inner(verb: Verb, command: Command) -> Command:
    """Return the command that another one holds, behind the options and parameters of that one.

    Raises: UsageError if there is none.
    """
    positional, _ = _split(verb, command.words)
    if len(positional) <= len(verb.params):
        raise missing(RESTS["command"], verb)
    return command.inner(command.words.index(positional[len(verb.params)]))


def _option(verb: Verb, word: Word) -> tuple[Option, Word | None]:
    """Return an option and the value that stands in the same word: ``--name=value``, ``-n5``.

    Underscores in its name are hyphens.
    """
    text, mark, _ = word.raw.partition("=")
    name = text.replace("_", "-") if text.startswith("--") else text
    for option in verb.options:
        if name in (option.flag, option.short):
            return option, word.behind(len(text) + 1) if mark else None
    for option in verb.options:
        if option.type is not None and len(option.short) == 2 and text.startswith(option.short):
            return option, word.behind(2)
    flags = [option.flag for option in verb.options]
    hint = did_you_mean(text, flags) or f"usage: {verb.usage}"
    raise UsageError(f"{verb.name} has no option `{text}`", hint=hint)
