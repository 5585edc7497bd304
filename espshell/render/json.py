"""Results as plain values for ``--json``: numbers as numbers, bytes as hexadecimal text."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from enum import Enum
from functools import singledispatch

from espshell.ops.memory.copy import Copied
from espshell.ops.memory.diff import Difference
from espshell.ops.memory.find import Found
from espshell.ops.memory.hash import Digest
from espshell.ops.memory.snapshot import Snapshot
from espshell.ops.memory.words import Dump, Fill, Peek, Poke
from espshell.render.homes import load_home

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


@singledispatch
def to_json(result: object) -> Json:
    """Return a result as JSON values, field by field unless it has a form of its own."""
    if load_home(result):
        return to_json(result)
    if is_dataclass(result) and not isinstance(result, type):
        return {f.name: to_json(getattr(result, f.name)) for f in fields(result)}
    if isinstance(result, tuple | list):
        return [to_json(item) for item in result]
    if isinstance(result, Enum):
        return str(result.value)
    if isinstance(result, bytes):
        return result.hex()
    if result is None or isinstance(result, bool | int | float | str):
        return result
    raise TypeError(f"no JSON form for {type(result).__name__}")


@to_json.register
def _(result: Peek) -> Json:
    return {
        "address": result.address,
        "width": result.width,
        "values": list(result.values),
        "readings": result.readings,
    }


@to_json.register
def _(result: Poke) -> Json:
    return {
        "address": result.address,
        "width": result.width,
        "old": _one_or_many(result.old),
        "new": _one_or_many(result.new),
        "wanted": _one_or_many(result.wanted),
        **_dry(result.dry_run),
    }


@to_json.register
def _(result: Dump) -> Json:
    return {
        "address": result.address,
        "size": len(result.data),
        "data": result.data.hex(),
        "readings": result.readings,
    }


@to_json.register
def _(result: Fill) -> Json:
    return {
        "address": result.address,
        "size": result.size,
        "width": result.width,
        "value": result.value,
        "verified": result.verified,
        "differing": list(result.differing),
        **_dry(result.dry_run),
    }


@to_json.register
def _(result: Copied) -> Json:
    return {
        "address": result.address,
        "to": result.to,
        "size": len(result.data),
        "verified": result.verified,
        "differing": list(result.differing),
        **_dry(result.dry_run),
    }


@to_json.register
def _(result: Found) -> Json:
    return {
        "address": result.address,
        "size": result.size,
        "pattern": result.pattern.text,
        "hits": [hit.address for hit in result.hits],
        "complete": result.complete,
        "readings": result.readings,
    }


@to_json.register
def _(result: Difference) -> Json:
    return {
        "equal": result.equal,
        "differing": [{"address": span.address, "size": span.size} for span in result.differing],
        "address": result.address,
        "size": len(result.expected),
        "bytes": result.bytes_differing,
        "bits_set": result.bits_set,
        "bits_cleared": result.bits_cleared,
    }


@to_json.register
def _(result: Digest) -> Json:
    return {
        "address": result.address,
        "size": result.size,
        "algorithm": result.algorithm,
        "digest": result.digest,
        "readings": result.readings,
    }


@to_json.register
def _(result: Snapshot) -> Json:
    return {
        "name": result.name,
        "address": result.address,
        "size": len(result.data),
        "stale": result.is_stale,
        "readings": result.readings,
    }


def _dry(dry_run: bool) -> dict[str, Json]:
    """Return what tells a write that was not sent."""
    return {"dry_run": True} if dry_run else {}


def _one_or_many(values: tuple[int, ...] | None) -> Json:
    """Return one value as a number and several as a list; null where nothing was read."""
    if values is None:
        return None
    return values[0] if len(values) == 1 else list(values)
