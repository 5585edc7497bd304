"""Simulated chips whose flash holds something, and what was done to it."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from espshell.device import Target
from espshell.ops.flash.payload import Payload
from espshell.sim.nor import Nor
from espshell.units import KIB, MIB
from tests.loader.support import open_sim, wire_of

SECTOR = 4 * KIB

LOADERS = [("esp32", False), ("esp32c3", True), ("esp8266", False)]
"""A ROM with digests, a stub, and a ROM that has none."""

every_loader = pytest.mark.parametrize(("chip", "stub"), LOADERS)


def noise(size: int, seed: int = 1) -> bytes:
    """Return bytes that do not repeat."""
    return random.Random(seed).randbytes(size)


def opened(
    chip: str = "esp32c3", stub: bool = True, contents: bytes = b"", *, options: str = ""
) -> Target:
    """Return a simulated chip whose flash, from its start, holds something."""
    target = open_sim(options, chip)
    if stub:
        target.start_stub()
    assert target.flash.size == 4 * MIB  # what must be asked once has been asked
    nor(target).load(contents)
    return target


def nor(target: Target) -> Nor:
    """Return the flash behind a target."""
    return wire_of(target).chip.flash


def changes(target: Target) -> tuple[int, int]:
    """Return the sectors that were erased so far, blocks counted as theirs, and the pages."""
    count = nor(target).count
    assert not count.offences
    return count.sectors + 16 * count.blocks + 1024 * count.chips, count.pages


def on_file(path: Path, *, faults: str = "", **more: str) -> str:
    """Return options of a flash that is kept in a file, with rules."""
    pairs = [f"flash-file={path}", *(f"{name}={value}" for name, value in more.items())]
    return "&".join([*pairs, *(f"fault={rule}" for rule in faults.split())])


OLD = noise(192 * KIB, 1)
NEW = noise(100 * KIB, 2)
AT = 0x6000
"""Where it goes: in a block of its own and two others."""


def image(data: bytes, address: int = AT) -> list[Payload]:
    """Return data as what is loaded."""
    return [Payload(address, data, "file")]


def with_new(old: bytes, *placed: tuple[int, bytes], filled: bool = True) -> bytes:
    """Return contents with data in them, the rest of its last sector erased."""
    found = bytearray(old)
    for address, data in placed:
        padded = data + b"\xff" * (-len(data) % SECTOR) * filled
        found[address : address + len(padded)] = padded
    return bytes(found)


def held(target: Target) -> bytes:
    """Return what the flash holds, as far as it held something."""
    return bytes(nor(target).data[: len(OLD)])


def requests_of(target: Target, command: type, do: Callable[[], object]) -> list[int]:
    """Do something; return which requests, by number from 1 on, were commands of a type."""
    numbers: list[int] = []
    execute = target.loader.execute

    def counted(asked: Any, *, timeout_s: float | None = None) -> Any:
        if isinstance(asked, command):
            numbers.append(wire_of(target).count.requests + 1)
        return execute(asked, timeout_s=timeout_s)

    target.loader.execute = counted  # type: ignore[method-assign, assignment]
    do()
    return numbers
