"""Frozen dataclasses that are compiled late are as those of ``dataclasses``."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import field, replace
from typing import ClassVar, Generic, TypeVar

import pytest

from espshell.records import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Base(Generic[T]):
    """A field without a default, one with a factory, and what is no field."""

    first: T
    items: list[int] = field(default_factory=list)
    kind: ClassVar[str] = "base"

    @property
    def double(self) -> tuple[T, T]:
        """The first field twice."""
        return self.first, self.first


@dataclasses.dataclass(frozen=True)
class Ordinary(Base[int]):
    """A subclass that ``dataclasses`` makes, before its base has an instance."""

    last: str = ""


@dataclass(frozen=True, slots=True)
class Late(Base[int]):
    """A subclass that is compiled late, too."""

    last: str = ""


@pytest.mark.parametrize("cls", [Ordinary, Late])
def test_values_are_equal_by_their_fields(cls: type[Ordinary] | type[Late]) -> None:
    """Fields of the base come first; equality, text, replace, copies and patterns go by fields."""
    value = cls(1, [2], last="x")
    assert value == cls(1, [2], "x") != cls(1, [2], "y")
    assert repr(value) == f"{cls.__name__}(first=1, items=[2], last='x')"
    assert replace(value, first=3).double == (3, 3)
    assert copy.copy(value) == pickle.loads(pickle.dumps(value)) == value
    match value:
        case Base(first, items):
            assert (first, items, value.kind) == (1, [2], "base")
    assert cls(1).items is not cls(1).items


def test_a_value_is_frozen_hashable_and_has_no_dict() -> None:
    """Nothing can be set, also what is no field; a hash goes by the fields; unlike is not equal."""
    value = Late(1, (2,))  # type: ignore[arg-type]
    for name in ("first", "other"):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(value, name, 2)
    assert hash(value) == hash(Late(1, (2,)))  # type: ignore[arg-type]
    assert value != Base(1, (2,))  # type: ignore[arg-type]
    assert not hasattr(value, "__dict__")


def test_wrong_arguments_are_named_as_everywhere() -> None:
    """The first call of a class fails as each one after it."""
    for _ in range(2):
        with pytest.raises(TypeError, match=r"missing 1 required positional argument: 'first'"):
            Late()  # type: ignore[call-arg]
