"""The fields of the JSON values of commands: what their examples give, and what the classes say.

The meaning of a field is the docstring below it in the class of the result, or a line of
``fields.txt``; ``without_meaning`` names those that have neither.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import re
import textwrap
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from espshell.render import to_json
from espshell.shell import lines
from espshell.shell.runner import Runner
from espshell.shell.session import Quit, Session

OPAQUE = ("help", "set")
"""Commands whose value has a page of its own."""

_MOST_ITEMS = 3
"""Of a list that are looked at."""

_TYPES = {"str": "text", "int": "number", "float": "number", "bool": "true or false"}
_TYPES |= {"dict": "object", "list": "list", "NoneType": "null"}


class Field(NamedTuple):
    """A field by its path, ``segments[].address``, with the types that its values have."""

    path: str
    types: tuple[str, ...]
    meaning: str


@cache
def glossary() -> dict[str, str]:
    """Return the meanings of ``fields.txt`` by key."""
    rows = Path(__file__).with_name("fields.txt").read_text("utf-8").splitlines()
    return dict(row.split("  ", 1) for row in rows if not row.startswith("#"))


def values(session: Session, line: str) -> Iterator[tuple[object, Any]]:
    """Run a line; yield the result of each of its commands, as it is and as JSON."""
    with contextlib.suppress(Quit):
        for command in lines.parse(session, line):
            result = Runner(session).run(command).bare
            if result is not None:
                yield result, to_json(result)


def fields(found: Iterable[tuple[object, Any]]) -> list[Field]:
    """Return the fields of values, each once, with all types that it has in them."""
    types: dict[str, dict[str, None]] = {}
    meanings: dict[str, str] = {}
    for result, value in found:
        for path, kind, meaning in _walk(result, value, ""):
            types.setdefault(path, {})[_TYPES[kind]] = None
            meanings[path] = meanings.get(path) or meaning
    return [Field(path, tuple(kinds), meanings[path]) for path, kinds in types.items()]


def _walk(thing: object, value: Any, path: str) -> Iterator[tuple[str, str, str]]:
    if isinstance(value, dict):
        kind: Any = type(thing)
        for name, inner in value.items():
            key = "NAME" if re.fullmatch(r"[A-Z0-9_]+", name) else name
            where = f"{path}.{key}".lstrip(".")
            meaning = docstrings(kind).get(name) or glossary().get(key, "")
            yield where, type(inner).__name__, meaning
            yield from _walk(getattr(thing, name, None), inner, where)
    elif isinstance(value, list):
        things = thing if isinstance(thing, tuple | list) and len(thing) == len(value) else value
        for item, inner in list(zip(things, value, strict=True))[:_MOST_ITEMS]:
            yield from _walk(item, inner, f"{path}[]")


@cache
def docstrings(kind: type) -> dict[str, str]:
    """Return the first sentence of the docstring below each field, and of each property."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not base.__module__.startswith("espshell."):
            continue
        with contextlib.suppress(OSError):
            (node,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
            if isinstance(node, ast.ClassDef):
                texts |= _in_class(node.body)
    return texts


def _in_class(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for statement, below in zip(body, [*body[1:], ast.Pass()], strict=True):
        match statement, below:
            case ast.FunctionDef(name=name), _:
                yield name, _sentence(ast.get_docstring(statement) or "")
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=text)):
                yield name, _sentence(str(text))


def _sentence(text: str) -> str:
    sentence = " ".join(re.split(r"\.\s|\.$", text, maxsplit=1)[0].split())
    starts_with_word = sentence[1:2].islower() or sentence[1:2] == " "
    sentence = sentence[:1].lower() + sentence[1:] if starts_with_word else sentence
    return re.sub(r"\bnone\b(?= where)|\bNone\b", "null", sentence)


def without_meaning(shown: Iterable[Field]) -> list[str]:
    """Return the paths of fields that nothing explains."""
    return [field.path for field in shown if not field.meaning]
