"""Frozen dataclasses whose methods are compiled when the first instance is made.

``dataclasses`` compiles six functions a class, and took half of a start; most sessions make no
instance of most classes.  Here a class gets its slots at once, and ``dataclasses`` compiles its
``__init__`` when that is first called; equality, hash and text are functions common to all classes.
A type checker sees ``dataclasses.dataclass``.  Not for ``order``, which ``dataclasses`` compiles.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from typing import TYPE_CHECKING, Any


def _slotted(cls: Any, options: dict[str, bool]) -> Any:
    """Return a class with slots for its own fields, complete but for ``__init__``."""
    hints = cls.__dict__.get("__annotations__", {})  # noqa: RUF063 - Python 3.10
    names = tuple(name for name, hint in hints.items() if not hint.startswith("ClassVar"))
    whole = {k: v for k, v in vars(cls).items() if k not in ("__dict__", "__weakref__")}
    body = {name: value for name, value in whole.items() if name not in names}

    def init(self: Any, /, *values: object, **named: object) -> None:
        compile_init()
        self.__init__(*values, **named)

    def init_subclass(subclass: Any, /, **named: object) -> None:
        if slotted.__init__ is init:
            compile_init()  # a subclass begins with the fields of this class
        super(slotted, subclass).__init_subclass__(**named)

    def compile_init() -> None:
        # Of a new class each time, so that an interrupt or another thread does no harm.
        model = type(cls)(cls.__name__, cls.__bases__, dict(whole))
        dataclasses.dataclass(frozen=True, eq=False, repr=False, **options)(model)
        fields = [field.name for field in dataclasses.fields(model)]
        slotted._key = attrgetter(*fields) if fields else lambda _: ()  # noqa: SLF001
        for name in ("__dataclass_fields__", "__dataclass_params__", "__match_args__", "__init__"):
            setattr(slotted, name, vars(model)[name])

    special = {"__init__": init, "__init_subclass__": classmethod(init_subclass)}
    body = {**special, **_COMMON, **body, "__slots__": names, "__qualname__": cls.__qualname__}
    slotted = type(cls)(cls.__name__, cls.__bases__, body)
    return slotted


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self._key(self) == self._key(other)


def _hash(self: Any) -> int:
    return hash(self._key(self))


def _text(self: Any) -> str:
    values = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self))
    return f"{self.__class__.__qualname__}({values})"


def _refuse(self: object, name: str, value: object = None) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot change field {name!r}")


def _state(self: Any) -> list[object]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[object]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)


_COMMON = {
    "__eq__": _equal,
    "__hash__": _hash,
    "__repr__": _text,
    "__setattr__": _refuse,
    "__delattr__": _refuse,
    "__getstate__": _state,
    "__setstate__": _set_state,
}

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen, slots, **options):
        """Make a frozen dataclass with slots of the class below."""
        assert frozen
        assert slots
        return lambda cls: _slotted(cls, options)
