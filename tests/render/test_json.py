"""Results as JSON values: numbers as numbers, bytes as hexadecimal text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum

import pytest

from espshell.ops.flash.erase import Erased
from espshell.ops.flash.guard import Stray
from espshell.ops.memory.diff import diff
from espshell.ops.memory.find import Found, Hit, Pattern
from espshell.ops.memory.hash import Digest
from espshell.ops.memory.snapshot import Snapshot
from espshell.ops.memory.undo import Restored
from espshell.ops.memory.words import Copied, Dump, Fill, Peek
from espshell.ops.memory.writing import MemoryWrite
from espshell.render import to_json
from espshell.span import Span
from tests.render.support import poked

A = 0x3FC9_0000
SEVENS = b"\7\0\0\0" * 2


class Kind(Enum):
    """Something with names."""

    ONE = "one"


@dataclass(frozen=True, slots=True)
class Inner:
    """A value in a value."""

    kind: Kind
    data: bytes


@dataclass(frozen=True, slots=True)
class Outer:
    """A result that has no form of its own."""

    name: str
    inner: tuple[Inner, ...]
    nothing: None = None
    ok: bool = True
    seconds: float = 0.5


@pytest.mark.parametrize(
    ("result", "value"),
    [
        (Peek(A, 16, (1, 2)), {"address": A, "width": 16, "values": [1, 2], "readings": 1}),
        (
            poked(A, 32, (5,), 0xFFFFFFFF, (0,), (5,)),
            {"address": A, "width": 32, "old": 0, "new": 5, "wanted": 5},
        ),
        (
            poked(A, 8, (5, 6), 0xFF, (0, 1), (5, 6)),
            {"address": A, "width": 8, "old": [0, 1], "new": [5, 6], "wanted": [5, 6]},
        ),
        (
            poked(A, 32, (5,), 0xFFFFFFFF, None, None),
            {"address": A, "width": 32, "old": None, "new": None, "wanted": 5},
        ),
        (Dump(A, 8, b"\x00\xffA"), {"address": A, "size": 3, "data": "00ff41", "readings": 1}),
        (
            Fill(A, 8, 32, 7, writes=(MemoryWrite(A, SEVENS, SEVENS, SEVENS[:4] + b"1234"),)),
            {
                "address": A,
                "size": 8,
                "width": 32,
                "value": 7,
                "verified": False,
                "differing": [A + 4],
            },
        ),
        (
            Fill(A, 4, 32, 7, writes=(MemoryWrite(A, SEVENS[:4], b"1234", dry_run=True),)),
            {
                "address": A,
                "size": 4,
                "width": 32,
                "value": 7,
                "verified": False,
                "differing": [],
                "dry_run": True,
            },
        ),
        (
            Copied(A, A + 8, writes=(MemoryWrite(A + 8, b"1234", b"5678", b"1234"),)),
            {"address": A, "to": A + 8, "size": 4, "verified": True, "differing": []},
        ),
        (
            Found(A, 16, Pattern.of_hex("de??"), (Hit(A + 2, A, bytes(16)),), complete=True),
            {
                "address": A,
                "size": 16,
                "pattern": "de??",
                "hits": [A + 2],
                "complete": True,
                "readings": 1,
            },
        ),
        (
            diff(b"1234", b"1034", address=A),
            {
                "equal": False,
                "differing": [{"address": A + 1, "size": 1}],
                "address": A,
                "size": 4,
                "bytes": 1,
                "bits_set": 0,
                "bits_cleared": 1,
            },
        ),
        (
            Digest(A, 4, "crc32", "8bb98613"),
            {"address": A, "size": 4, "algorithm": "crc32", "digest": "8bb98613", "readings": 1},
        ),
        (
            Snapshot("a", A, b"1234", is_stale=True),
            {"name": "a", "address": A, "size": 4, "stale": True, "readings": 1},
        ),
        (
            Outer("x", (Inner(Kind.ONE, b"\x01"),)),
            {
                "name": "x",
                "inner": [{"kind": "one", "data": "01"}],
                "nothing": None,
                "ok": True,
                "seconds": 0.5,
            },
        ),
        (
            Erased(
                address=0,
                size=8,
                skipped=0,
                verified=False,
                failed=(Span(4, 8),),
                elsewhere=(Stray(Span(16, 20), "is blank"),),
            ),
            {
                "address": 0,
                "size": 8,
                "skipped": 0,
                "verified": False,
                "failed": [{"address": 4, "size": 4}],
                "elsewhere": [{"address": 16, "size": 4, "reason": "is blank"}],
                "dry_run": False,
            },
        ),
        (
            Restored(A, b"\x01", writes=(), read_notes=("changed",)),
            {"writes": [], "address": A, "found": "01", "found_notes": ["changed"]},
        ),
        (
            MemoryWrite(A, b"\x34\x12", None, b"\x30\x02", 16, 0x0FF0),
            {
                "address": A,
                "data": "3412",
                "old": None,
                "new": "3002",
                "mask": "f00f",
                "answer_lost": False,
                "notes": [],
                "dry_run": False,
            },
        ),
        (None, None),
        ((1, "a", True), [1, "a", True]),
    ],
)
def test_to_json(result: object, value: object) -> None:
    """Each result is exactly these values, and they survive being written and read."""
    assert to_json(result) == value
    assert json.loads(json.dumps(to_json(result))) == value


def test_what_is_no_value_is_refused() -> None:
    """Nothing is written as Python would print it."""
    with pytest.raises(TypeError, match="no JSON form for object"):
        to_json(object())
