"""Dataclasses that are completed late are as those of ``dataclasses``."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import subprocess
import sys
import types
from dataclasses import replace
from typing import ClassVar, Generic, TypeVar

import pytest

from espshell import records
from espshell.ops.result import Step
from espshell.records import dataclass, field

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Base(Generic[T]):
    """A field without a default, one with a factory, and what is not a field."""

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
    """Nothing can be set, field or not; the hash follows the fields; unlike is not equal."""
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


@dataclass(frozen=True, slots=True)
class Empty:
    """A class without fields."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Fields that do not take part, and an equality of the class's own."""

    name: str
    note: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Folded:
    """A class with an equality of its own, and a first instance that a subclass begins."""

    name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Folded) and self.name.lower() == other.name.lower()


class Loud(Folded):
    """An ordinary subclass with an ``__init__`` that calls the one of its base."""

    def __init__(self, name: str) -> None:
        super().__init__(name.upper())


def test_a_class_is_a_dataclass_before_its_first_instance() -> None:
    """What asks a class and not an instance gets what ``dataclasses`` says."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class New(Base[int]):
        last: str = ""

    assert dataclasses.is_dataclass(New)
    assert [f.name for f in dataclasses.fields(New)] == ["first", "items", "last"]
    assert New.__match_args__ == ("first", "items")
    assert str(inspect.signature(New)).startswith("(first: 'T', items: 'list[int]' = ")


def test_a_value_is_unpickled_where_its_class_has_no_instance() -> None:
    """Another process gets an equal value."""
    value = Step("read", 1, 2)
    code = (
        "import pickle, sys; value = pickle.loads(sys.stdin.buffer.read());"
        "print(value, value == type(value)('read', 1, 2))"
    )
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, input=pickle.dumps(value), capture_output=True, check=False)
    assert ran.stdout.decode().strip() == f"{value} True", ran.stderr


def test_equality_hash_and_text_go_by_what_takes_part() -> None:
    """Fields can be left out, a class may have none, and may have an equality of its own."""
    assert Empty() == Empty()
    assert hash(Empty()) == hash(Empty())
    assert Chosen("x", "y") == Chosen("x", "z")
    assert hash(Chosen("x", "y")) == hash(Chosen("x", "z"))
    assert repr(Chosen("x", "y")) == "Chosen(name='x')"
    assert Loud("x") == Folded("X")
    assert hash(Folded("x")) == hash(Folded("x"))


def test_copies_and_refusals_are_those_of_dataclasses() -> None:
    """``copy.replace`` (Python 3.13) works, and messages say what was tried."""
    value = Chosen("x", "y")
    assert value.__replace__(name="z") == Chosen("z")  # type: ignore[attr-defined]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'name'"):
        value.name = "z"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'name'"):
        del value.name


SHAPES = """
@dataclass({options})
class Base:
    first: int
    kind: ClassVar[str] = "base"
    items: list = field(default_factory=list)
    note: str = field(default="", compare=False, repr=False)

    def __post_init__(self):
        made.append(self.first)

@dataclass({options})
class Value(Base):
    last: str = "x"
    first: int = 7

@dataclass({options}, kw_only=True)
class Keyword(Value):
    size: int
    count: int = 3
    names: list = field(default_factory=list)
"""
OPTIONS = (
    "frozen=True, slots=True",
    "frozen=True",
    "slots=True",
    "frozen=False",
    "frozen=True, slots=True, order=True",
)
TRIALS = """
    signature(Base) | signature(Value) | signature(Keyword) | Keyword.__match_args__ | Value()
    Base(1) | Base(1, [2], "n") | Base() | Base(1, 2, 3, 4) | Base(other=1) | Value(last="y")
    Keyword(1, [2], "n", "z", size=5) | Keyword(1) | Keyword(1, [], "", "", 5)
    Base(first=1, items=[])
    Base(1) == Base(1, [], "n") | Base(1) == Value(1) | Base(1) == 1 | Value(1) != Value(1, [2])
    hash(Base(1, (2,))) == hash(Base(1, (2,), "n")) | Base(1) < Base(2) | Base(2) >= Base(2, [3])
    sorted([Value(2), Value(1)]) | Base(1) < Value(2) | replace(Keyword(size=1), first=3, size=2)
    replace(Base(1), other=2) | setattr(Base(1), "first", 2)
    [f.name for f in fields(Keyword)] | [(f.compare, f.repr, f.kw_only) for f in fields(Keyword)]
    hasattr(Base(1), "__dict__") | Base(1).items is Base(1).items | Value.kind
    hasattr(Base, "items")
    getattr(Value, "last", None) == "x" or Value.__slots__ | is_dataclass(Keyword) | made
    pickled(Keyword(1, [2], "n", size=5)) | Base.__hash__ is None | asdict(Keyword(size=1))
    getattr(Keyword, "__dataclass_params__").frozen | astuple(Value(1, [2]))
    delattr(Base(1), "first")
"""


def trials(module: types.ModuleType, options: str) -> dict[str, str]:
    """Return what each trial gives with the classes of one of the two modules."""
    made: list[int] = []
    names = {"signature": inspect.signature, "made": made, "__name__": __name__}
    ours = {name: getattr(module, name) for name in ("dataclass", "field", "replace")}
    scope = {**vars(dataclasses), **names, **ours}
    source = SHAPES.format(options=options)
    exec("from __future__ import annotations\n" + source, scope)
    scope["pickled"] = lambda value: copy.deepcopy(value) == value
    results = {}
    for trial in (t for line in TRIALS.split("\n") for t in line.split("|")):
        try:
            results[trial.strip()] = str(eval(trial.strip() or "None", scope))
        except (TypeError, AttributeError) as error:
            results[trial.strip()] = f"{type(error).__name__}: {error}"
    return results


@pytest.mark.parametrize("options", OPTIONS)
def test_every_shape_is_as_dataclasses_makes_it(options: str) -> None:
    """Signatures, values, errors and fields of each kind of class are those of ``dataclasses``."""
    ours, standard = trials(records, options), trials(dataclasses, options)
    assert {t: r for t, r in ours.items() if r != standard[t]} == {}


def test_what_would_go_wrong_silently_is_refused() -> None:
    """A field of ``dataclasses`` and one without default behind one with a default are errors."""
    with pytest.raises(TypeError, match=r"take `field` from espshell\.records"):

        @dataclass(frozen=True, slots=True)
        class Foreign:
            names: list[str] = dataclasses.field(default_factory=list)

    @dataclass(frozen=True, slots=True)
    class Turned:
        first: int = 1
        last: str  # type: ignore[misc]

    with pytest.raises(TypeError, match="without default follows"):
        Turned(1, "")
