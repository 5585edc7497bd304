"""Which form a result has: as text, as JSON.

A form of a result of ``ops.X`` is registered by importing ``render.X``, which is done when the
first such result is to be shown, so that the start of the program need not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import Enum
from functools import cache, partial
from importlib import import_module
from operator import attrgetter
from types import ModuleType
from typing import Any, TypeVar

from espshell.lazy import run
from espshell.records import field_names
from espshell.render.document import Block, Document, Styled
from espshell.render.view import View
from espshell.span import Span

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")
Form = Callable[[R, View], Iterable[Block]]
JsonForm = Callable[[R], Json]

_FORMS: dict[str, Form[Any]] = {}
_JSON_FORMS: dict[str, JsonForm[Any]] = {}
_OPS, _RENDER = "espshell.ops.", "espshell.render."


def form(function: Form[R]) -> Form[R]:
    """Register a function as the text form of the class that its ``result`` is annotated with."""
    return _register(_FORMS, function)


def json_form(function: JsonForm[R]) -> JsonForm[R]:
    """Register a function as the JSON form of the class that its ``result`` is annotated with."""
    return _register(_JSON_FORMS, function)


def _register(forms: dict[str, F], function: F) -> F:
    # By the class's name, which only results of that class have: a form need not import it.
    name = function.__annotations__["result"].rpartition(".")[2]
    if name in forms:
        raise TypeError(f"two forms for {name}")
    forms[name] = function
    return function


def render(result: object, view: View = View()) -> Document:  # noqa: B008 - frozen
    """Return a result as a renderable. Raises: TypeError if it has no form."""
    kind = type(result)
    name = kind.__name__
    if name not in _FORMS:  # most are in the module that is named as that of the class
        _import_forms(kind.__module__, kind.__module__.rpartition(".")[2])
    if name not in _FORMS:
        _import_forms(kind.__module__)
    if name not in _FORMS:
        raise TypeError(f"no text form for {name}")
    return Document(lambda shown: _FORMS[name](result, shown), view)


def to_json(result: object) -> Json:
    """Return a result as JSON values, field by field unless it has a form of its own."""
    kind = type(result)
    _import_forms(kind.__module__)
    name = kind.__name__
    if name in _JSON_FORMS:
        return _JSON_FORMS[name](result)
    if isinstance(result, Span):
        return {"address": result.start, "size": result.size}
    if (names := field_names(kind)) is not None:
        return pick(result, *names)
    if isinstance(result, tuple | list):
        return [to_json(item) for item in result]
    if isinstance(result, dict):
        return {name: to_json(value) for name, value in result.items()}
    if isinstance(result, Enum):
        return str(result.value)
    if isinstance(result, bytes):
        return result.hex()
    if result is None or isinstance(result, bool | int | float | str):
        return result
    raise TypeError(f"no JSON form for {kind.__name__}")


def json_rows(**rows: str) -> None:
    """Register JSON forms, each as a row of columns (``pick``) for the class of that name.

    A row ``=name`` is the JSON form of that attribute alone.
    """
    for kind, row in rows.items():
        if kind in _JSON_FORMS:
            raise TypeError(f"two forms for {kind}")
        _JSON_FORMS[kind] = partial(_row_json, row)


def _row_json(row: str, result: object) -> Json:
    return pick(result, row)[""] if row.startswith("=") else pick(result, row)


def pick(result: object, *columns: str) -> dict[str, Json]:
    """Return attributes of a result as JSON values; names in one text stand between spaces.

    ``key=path.to.it`` gives an attribute another key.  ``#`` behind it is its length; ``?`` is null
    where it is empty or false, and with ``!`` it is left out then; ``~6`` is rounded to so many
    decimals, and ``:`` makes an object of pairs.
    """
    picked: dict[str, Json] = {}
    for column in " ".join(columns).split():
        name, _, decimals = column.partition("~")
        key, _, path = name.rstrip("#?!:").partition("=")
        value, sign = attrgetter(path or key)(result), column[-1]
        if decimals and value is not None:
            value = round(value, int(decimals) or None)
        elif sign == "#":
            value = len(value)
        elif sign == ":":
            value = dict(value)
        if value or sign != "!":
            picked[key] = to_json(value or None if sign == "?" else value)
    return picked


def judgement(verified: bool | None) -> Styled:
    """Return how well it is known that what was written is there."""
    if verified is None:
        return Styled("written, not verified", "note")
    return Styled("verified", "ok") if verified else Styled("not as wanted", "error")


@cache
def _import_forms(home: str, name: str = "") -> None:
    """Import what knows the forms of the classes of a module, if it is one of ours.

    ``name``: of the only module to import.
    """
    if home.startswith(_OPS):
        package = import_module(_RENDER + home.removeprefix(_OPS).partition(".")[0])
        modules = vars(package)
        for module in [modules.get(name)] if name else [package, *modules.values()]:
            if isinstance(module, ModuleType):
                run(module)
