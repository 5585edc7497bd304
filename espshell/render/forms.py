"""Which form a result has: as text, as JSON.

A form of a result of ``ops.X`` is registered by importing ``render.X``, which is done when the
first such result is to be shown, so that the start of the program need not wait for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from importlib import import_module
from typing import Any, TypeVar

from espshell.render.document import Block, Document, Styled
from espshell.render.view import View

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

R = TypeVar("R")
Form = Callable[[R, View], Iterable[Block]]
JsonForm = Callable[[R], Json]

_FORMS: dict[type, Form[Any]] = {}
_JSON_FORMS: dict[type, JsonForm[Any]] = {}
_OPS, _RENDER = "espshell.ops.", "espshell.render."


def form(kind: type[R]) -> Callable[[Form[R]], Form[R]]:
    """Register a function as the text form of a type."""

    def register(function: Form[R]) -> Form[R]:
        _FORMS[kind] = function
        return function

    return register


def json_form(kind: type[R]) -> Callable[[JsonForm[R]], JsonForm[R]]:
    """Register a function as the JSON form of a type."""

    def register(function: JsonForm[R]) -> JsonForm[R]:
        _JSON_FORMS[kind] = function
        return function

    return register


def render(result: object, view: View = View()) -> Document:  # noqa: B008 - frozen
    """Return a result as a renderable. Raises: TypeError if it has no form."""
    kind = type(result)
    _import_forms(kind)
    if kind not in _FORMS:
        raise TypeError(f"no text form for {kind.__name__}")
    return Document(lambda shown: _FORMS[kind](result, shown), view)


def to_json(result: object) -> Json:
    """Return a result as JSON values, field by field unless it has a form of its own."""
    kind = type(result)
    _import_forms(kind)
    if kind in _JSON_FORMS:
        return _JSON_FORMS[kind](result)
    if is_dataclass(kind):
        return pick(result, *(field.name for field in fields(kind)))
    if isinstance(result, tuple | list):
        return [to_json(item) for item in result]
    if isinstance(result, Enum):
        return str(result.value)
    if isinstance(result, bytes):
        return result.hex()
    if result is None or isinstance(result, bool | int | float | str):
        return result
    raise TypeError(f"no JSON form for {kind.__name__}")


def pick(result: object, *names: str) -> dict[str, Json]:
    """Return attributes of a result as JSON values, by name."""
    return {name: to_json(getattr(result, name)) for name in names}


def dry_run_json(dry_run: bool) -> dict[str, Json]:
    """Return what says that a write was not sent; nothing if it was."""
    return {"dry_run": True} if dry_run else {}


def judgement(verified: bool | None) -> Styled:
    """Return how well it is known that what was written is there."""
    if verified is None:
        return Styled("written, not verified", "note")
    return Styled("verified", "ok") if verified else Styled("not as wanted", "error")


def _import_forms(kind: type) -> None:
    if kind.__module__.startswith(_OPS):
        import_module(_RENDER + kind.__module__.removeprefix(_OPS).partition(".")[0])
