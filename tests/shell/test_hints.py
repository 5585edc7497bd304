"""Advice names only options that the command at hand has."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

import espshell
from espshell import options
from espshell.shell import hints
from espshell.shell.declaration import Verb
from espshell.shell.registry import COMMANDS as VERBS
from tests.rows import every
from tests.shell.support import Shell

_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
_LINE = re.compile(r"`([^`]*)`")


@functools.cache
def advice() -> tuple[str, ...]:
    """Return every text that names an option, docstrings and declarations of options aside."""
    texts: set[str] = set()
    folder = Path(espshell.__file__).parent
    for name in ("ops", "device", "loader", "link", "shell"):
        for path in (folder / name).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                is_advice = isinstance(node, ast.keyword) and node.arg == "hint"
                is_error = isinstance(node, ast.Call) and _name(node).endswith("Error")
                is_text = name != "shell" and isinstance(node, ast.JoinedStr | ast.Return)
                if is_advice or is_error or is_text:
                    texts |= constants(node)
    return tuple(text for text in texts if _FLAG.search(text))


def _name(node: ast.Call) -> str:
    return str(getattr(node.func, "id", ""))


def constants(node: ast.AST) -> set[str]:
    return {
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


@every(VERBS.verbs(), lambda verb: verb.name)
def test_no_advice_names_an_option_that_the_command_lacks(verb: Verb) -> None:
    """An option in a text is the command's, the program's, or stands behind another command."""
    flags = {option.flag for option in verb.options} | set(hints.PROGRAM)
    assert len(advice()) >= 30
    for text in advice():
        told = hints.fitting(text, verb)
        assert set(_FLAG.findall(_LINE.sub("", told))) <= flags, told


def test_lines_in_advice_are_of_commands_that_have_the_option() -> None:
    """A line in backquotes that begins with a command gives it options that it has."""
    for text in advice():
        for line in _LINE.findall(text):
            words = line.split()
            verb = VERBS.get(" ".join(words[:2])) or VERBS.get(words[0])
            flags = set(_FLAG.findall(line)) - {"--help"}
            if verb is not None and flags:
                assert flags <= {option.flag for option in verb.options}, line


def test_options_of_the_program_are_those_of_its_parser() -> None:
    """The list of what any advice may name is the parser's."""
    actions = options.program_parser()._option_string_actions
    assert set(hints.PROGRAM) == {flag for flag in actions if flag.startswith("--")}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("peek 0", "; `map` lists it; --force sends it anyway"),
        ("find 0x30000000 16 1", "outside the memory map"),
        ("erase-region 0x10 0x10", "`erase ... --keep-edges`"),
    ],
)
def test_advice_for_aliases_names_our_verb(shell: Shell, line: str, told: str) -> None:
    """An alias without the option is told of ours that has it."""
    shell.session.assume_yes = True
    assert told in shell.type(line).err
