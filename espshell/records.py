"""Frozen dataclasses whose methods are compiled when the first of them is needed.

``dataclasses`` compiles six functions a class, and took half of a start; most sessions make no
instance of most classes.  Here a class gets its slots at once, and ``dataclasses`` is asked for
its ``__init__`` and its fields when one of them is used; equality, hash and text are functions
common to all classes.  A type checker sees ``dataclasses.dataclass``.  Of the other options only
``kw_only`` is taken, and of fields not ``hash``: they need functions of the class's own.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from typing import TYPE_CHECKING, Any


class _Late:
    """An attribute of a class that compiles the class when it is first asked for."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: object, owner: type) -> Any:
        cls = next(cls for cls in owner.__mro__ if vars(cls).get(self.name) is self)
        _compile(cls)
        value = vars(cls)[self.name]
        bind = getattr(type(value), "__get__", None)
        return bind(value, instance, owner) if bind else value


def _compile(slotted: Any) -> None:
    # Of a new class each time, so that an interrupt or another thread does no harm.
    cls, kw_only = slotted.__record_source__
    body = {k: v for k, v in vars(cls).items() if k not in ("__dict__", "__weakref__")}
    model = type(cls)(cls.__name__, cls.__bases__, body)
    dataclasses.dataclass(frozen=True, eq=False, repr=False, kw_only=kw_only)(model)
    compared = [field.name for field in dataclasses.fields(model) if field.compare]
    slotted.__record_key__ = attrgetter(*compared) if compared else type  # of no field: all equal
    for name in _DATACLASS:
        setattr(slotted, name, vars(model)[name])


def _slotted(cls: Any, *, kw_only: bool) -> Any:
    """Return a class with slots for its own fields, complete but for what is late."""
    hints = cls.__dict__.get("__annotations__", {})  # noqa: RUF063 - Python 3.10
    names = tuple(name for name, hint in hints.items() if not hint.startswith("ClassVar"))
    left_out = {*names, "__dict__", "__weakref__"}
    if "__eq__" in vars(cls) and cls.__hash__ is None:
        left_out.add("__hash__")  # None is Python's; what is frozen has a hash
    body = {name: value for name, value in vars(cls).items() if name not in left_out}
    special = {"__slots__": names, "__qualname__": cls.__qualname__}
    body = {**_LATE, **_COMMON, **body, **special, "__record_source__": (cls, kw_only)}
    return type(cls)(cls.__name__, cls.__bases__, body)


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self.__record_key__(self) == self.__record_key__(other)


def _text(self: Any) -> str:
    values = (f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr)
    return f"{self.__class__.__qualname__}({', '.join(values)})"


def _refuse(self: object, name: str, *value: object) -> None:
    verb = "assign to" if value else "delete"
    raise dataclasses.FrozenInstanceError(f"cannot {verb} field {name!r}")


def _state(self: Any) -> list[object]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[object]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_DATACLASS = ("__dataclass_fields__", "__dataclass_params__", "__match_args__", "__init__")
_LATE = {name: _Late(name) for name in ("__record_key__", *_DATACLASS)}
_COMMON = {
    "__eq__": _equal,
    "__hash__": lambda self: hash(self.__record_key__(self)),
    "__repr__": _text,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
    "__getstate__": _state,
    "__setstate__": _set_state,
    "__replace__": lambda self, /, **changes: dataclasses.replace(self, **changes),
}

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen, slots, kw_only=False):
        """Make a frozen dataclass with slots of the class below."""
        assert frozen
        assert slots
        return lambda cls: _slotted(cls, kw_only=kw_only)
