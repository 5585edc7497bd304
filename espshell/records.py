"""Dataclasses that cost next to nothing until the first of them is made.

``dataclasses`` compiles several functions a class, which took half of a start; most sessions make
no instance of most classes.  Here a class gets its slots at once, and the rest when it is used:
``__init__`` from a template that all classes of its shape share, with other names; fields for
``dataclasses``, which is imported only then.  Equality, order, hash and text are functions common
to all classes.  A type checker sees ``dataclasses``.  Of the options those are taken that
somebody needs; annotations must be text, and a base that is a dataclass must be of these, too.
"""

from __future__ import annotations

import operator
from functools import cache
from types import CodeType, FunctionType, MemberDescriptorType
from typing import TYPE_CHECKING, Any

_NONE: Any = object()
"""The default of a field that has none."""


class _Factory:
    def __repr__(self) -> str:
        return "<factory>"


_FACTORY = _Factory()
"""The default of a parameter whose field has a factory."""


class _Field:
    """A field of a class: the attributes of one of ``dataclasses``, as far as they are used."""

    __slots__ = ("compare", "default", "default_factory", "hint", "kw_only", "name", "repr")

    def __init__(self, default: Any, default_factory: Any, *, compare: bool, repr: bool) -> None:  # noqa: A002
        self.name = self.hint = ""
        self.default = default
        self.default_factory = default_factory
        self.compare = compare
        self.repr = repr
        self.kw_only = False

    def standard(self) -> Any:
        """Return it as one of ``dataclasses``."""
        import dataclasses

        names = ("default", "default_factory")
        given = {name: getattr(self, name) for name in names if getattr(self, name) is not _NONE}
        return dataclasses.field(compare=self.compare, repr=self.repr, **given)


class _Late:
    """An attribute of a class that is made when it is first asked for."""

    def __init__(self, name: str, make: Any) -> None:
        self.name = name
        self.make = make

    def __get__(self, instance: object, owner: type) -> Any:
        cls = next(cls for cls in owner.__mro__ if vars(cls).get(self.name) is self)
        value = self.make(cls)  # the same whenever it is made: an interrupt or a thread do no harm
        setattr(cls, self.name, value)
        bind = getattr(type(value), "__get__", None)
        return bind(value, instance, owner) if bind else value


def _fields(cls: Any) -> tuple[Any, ...]:
    """Return the fields of a class or a subclass of it, those of bases first."""
    owner = next(c for c in cls.__mro__ if not vars(c).keys().isdisjoint(_MARKS))
    if "__record_own__" not in vars(owner):  # a subclass made by dataclasses
        return tuple(owner.__dataclass_fields__.values())
    fields: dict[str, _Field] = {}
    for base in reversed(owner.__mro__):
        fields |= vars(base).get("__record_own__", {})
    return tuple(fields.values())


def _init(cls: Any) -> FunctionType:
    """Make the ``__init__`` of a class."""
    fields = sorted(cls.__record_fields__, key=lambda field: field.kw_only)
    code = _template(
        "".join("v" if f.default_factory is _NONE else "f" for f in fields),
        hasattr(cls, "__post_init__"),
    )
    names = [field.name for field in fields]
    keyword = sum(field.kw_only for field in fields)
    code = code.replace(
        co_varnames=("self", *names),
        co_argcount=1 + len(fields) - keyword,
        co_kwonlyargcount=keyword,
    )
    defaults = [f.default if f.default_factory is _NONE else _FACTORY for f in fields]
    positional = defaults[: len(fields) - keyword]
    first = next((i for i, d in enumerate(positional) if d is not _NONE), len(positional))
    if _NONE in positional[first:]:
        raise TypeError(f"{cls.__qualname__}: a field without default follows one with a default")
    scope = {"FACTORY": _FACTORY}
    for index, field in enumerate(fields):
        scope |= {f"set{index}": _setter(cls, field.name), f"make{index}": field.default_factory}
    init = FunctionType(code, scope, "__init__", tuple(positional[first:]))
    init.__kwdefaults__ = {
        f.name: d for f, d in zip(fields, defaults, strict=True) if f.kw_only and d is not _NONE
    }
    init.__annotations__ = {field.name: field.hint for field in fields} | {"return": None}
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__module__ = cls.__module__
    return init


@cache
def _template(kinds: str, post_init: bool) -> CodeType:
    """Return the code of an ``__init__`` for so many fields: with a value, or from a factory."""
    lines = [
        f" set{i}(self, {f'make{i}() if a{i} is FACTORY else ' if kind == 'f' else ''}a{i})"
        for i, kind in enumerate(kinds)
    ]
    lines += [" self.__post_init__()"] if post_init else [" pass"]
    names = "".join(f", a{i}" for i in range(len(kinds)))
    scope: dict[str, Any] = {}
    exec("\n".join([f"def __init__(self{names}):", *lines]), scope)
    code: CodeType = scope["__init__"].__code__
    return code


def _setter(cls: Any, name: str) -> Any:
    """Return what sets a field, also of a frozen instance."""
    slot = getattr(cls, name, None)
    if isinstance(slot, MemberDescriptorType):
        return slot.__set__
    return lambda self, value: object.__setattr__(self, name, value)


def _model(cls: Any) -> Any:
    """Make the class by ``dataclasses``, for what only that can say."""
    import dataclasses

    own = {name: field.standard() for name, field in cls.__record_own__.items()}
    kept = ("__annotations__", "__module__", "__orig_bases__")
    body = {name: value for name, value in vars(cls).items() if name in kept} | own
    model = type(cls)(cls.__name__, cls.__bases__, body)
    return dataclasses.dataclass(eq=False, repr=False, **cls.__record_options__)(model)


def _key(cls: Any) -> Any:
    names = [field.name for field in cls.__record_fields__ if field.compare]
    return operator.attrgetter(*names) if names else type  # of no field: all equal


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    return self.__record_key__(self) == self.__record_key__(other)


def _ordered(compare: Any) -> Any:
    def ordered(self: Any, other: Any) -> Any:
        if other.__class__ is not self.__class__:
            return NotImplemented
        return compare(self.__record_key__(self), self.__record_key__(other))

    return ordered


def _text(self: Any) -> str:
    values = (f"{f.name}={getattr(self, f.name)!r}" for f in _fields(type(self)) if f.repr)
    return f"{self.__class__.__qualname__}({', '.join(values)})"


def _refuse(self: object, name: str, *value: object) -> None:
    import dataclasses

    verb = "assign to" if value else "delete"
    raise dataclasses.FrozenInstanceError(f"cannot {verb} field {name!r}")


def _state(self: Any) -> list[object]:
    return [getattr(self, field.name) for field in _fields(type(self))]


def _set_state(self: Any, state: list[object]) -> None:
    for field, value in zip(_fields(type(self)), state, strict=True):
        object.__setattr__(self, field.name, value)


def _replace(value: Any, /, **changes: Any) -> Any:
    """Return a copy of a value with other values of some fields."""
    cls = type(value)
    for field in cls.__record_fields__ if "__record_own__" in vars(cls) else _fields(cls):
        if field.name not in changes:
            changes[field.name] = getattr(value, field.name)
    return cls(**changes)


def field_names(cls: type) -> tuple[str, ...] | None:
    """Return the names of the fields of a class; None if it is no dataclass."""
    marked = any(not vars(base).keys().isdisjoint(_MARKS) for base in cls.__mro__)
    return tuple(field.name for field in _fields(cls)) if marked else None


_MARKS = {"__record_own__", "__dataclass_fields__"}
_LATE = {
    name: _Late(name, make)
    for name, make in {
        "__init__": _init,
        "__record_fields__": _fields,
        "__record_key__": _key,
        "__match_args__": lambda cls: tuple(f.name for f in _fields(cls) if not f.kw_only),
        "__dataclass_fields__": lambda cls: _model(cls).__dataclass_fields__,
        "__dataclass_params__": lambda cls: _model(cls).__dataclass_params__,
    }.items()
}
_COMMON = {"__eq__": _equal, "__hash__": None, "__repr__": _text, "__replace__": _replace}
_SLOTTED = {"__getstate__": _state, "__setstate__": _set_state}
_ORDERED = {f"__{name}__": _ordered(getattr(operator, name)) for name in ("lt", "le", "gt", "ge")}
_FROZEN = {
    "__hash__": lambda self: hash(self.__record_key__(self)),
    "__setattr__": _refuse,
    "__delattr__": _refuse,
}


def _record(cls: Any, *, frozen: bool, slots: bool, order: bool, kw_only: bool) -> Any:
    own = _own_fields(cls, kw_only=kw_only)
    added = {
        **_LATE,
        **_COMMON,
        **(_FROZEN if frozen else {}),
        **(_ORDERED if order else {}),
        **(_SLOTTED if slots else {}),
        "__record_own__": own,
        "__record_options__": {"frozen": frozen, "kw_only": kw_only},
    }
    if slots:
        return _slotted(cls, added)
    for name, value in added.items():
        if name not in vars(cls) or vars(cls)[name] is None:  # __hash__ that Python left out
            setattr(cls, name, value)
    for name, field in own.items():
        if field.default is not _NONE:
            setattr(cls, name, field.default)
        elif name in vars(cls):
            delattr(cls, name)
    return cls


def _own_fields(cls: Any, *, kw_only: bool) -> dict[str, _Field]:
    """Return the fields that a class adds to those of its bases. Raises: TypeError."""
    own = {}
    for name, hint in vars(cls).get("__annotations__", {}).items():
        if not hint.startswith("ClassVar"):
            field = vars(cls).get(name, _NONE)
            if type(field).__module__ == "dataclasses":
                raise TypeError(f"{name}: take `field` from espshell.records")
            if not isinstance(field, _Field):
                field = _Field(field, _NONE, compare=True, repr=True)
            field.name, field.hint, field.kw_only = name, hint, kw_only
            own[name] = field
    return own


def _slotted(cls: Any, added: dict[str, Any]) -> Any:
    """Return a class with slots for its own fields, which only another class can have."""
    own = added["__record_own__"]
    left_out = {*own, "__dict__", "__weakref__"}
    if "__eq__" in vars(cls) and cls.__hash__ is None:
        left_out.add("__hash__")  # None is Python's; what is frozen has a hash
    body = {name: value for name, value in vars(cls).items() if name not in left_out}
    inherited = {name for base in cls.__mro__[1:] for name in vars(base).get("__slots__", ())}
    slots = tuple(name for name in own if name not in inherited)
    special = {"__slots__": slots, "__qualname__": cls.__qualname__}
    return type(cls)(cls.__name__, cls.__bases__, {**added, **body, **special})


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import field as field
    from dataclasses import replace as replace
else:
    replace = _replace

    def dataclass(cls=None, /, *, frozen=False, slots=False, order=False, kw_only=False):
        """Make a dataclass of the class below."""
        options = {"frozen": frozen, "slots": slots, "order": order, "kw_only": kw_only}
        return _record(cls, **options) if cls else lambda cls: _record(cls, **options)

    def field(*, default=_NONE, default_factory=_NONE, compare=True, repr=True):  # noqa: A002
        """Return what a field is, where a default does not say it."""
        return _Field(default, default_factory, compare=compare, repr=repr)
