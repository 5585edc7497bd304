"""The tables against another reading of the SVD files, where these are at hand.

``ESPSHELL_SVD`` names their folder; else ``shared/svd`` beside the project.
"""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest

from espshell import chips, registers
from espshell.registers.table import Register

FOLDER = Path(os.environ.get("ESPSHELL_SVD", Path(__file__).parents[3] / "shared" / "svd"))
SAMPLE = 1000

ACCESS = {"read-only": "r", "write-only": "w", "read-write": "rw", None: "rw"}

LEFT_OUT = {"esp32s2": ("SPI0.", "SPI1."), "esp32p4": ("CLIC.", "AXI_ICM.ICM_SYS_ADDRHOLE_ADDR")}
DOUBLE = {"esp32c3", "esp32c2", "esp32s3"}

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not FOLDER.is_dir(), reason="the SVD files are not at hand"),
]


class Fact(NamedTuple):
    """A register of a file: its name there, address, value after a reset, and its element."""

    name: str
    address: int
    reset: int
    element: Element


def number(element: Element, tag: str, default: str = "0") -> int:
    return int(element.findtext(tag) or default, 0)


def facts(chip: str) -> Iterator[Fact]:
    """Yield the registers of a file, each of a row, and those of derived peripherals."""
    root = ElementTree.parse(FOLDER / f"{chip}.svd").getroot()
    by_name = {p.findtext("name"): p for p in root.iter("peripheral")}
    for peripheral in by_name.values():
        model = by_name[peripheral.get("derivedFrom") or peripheral.findtext("name")]
        for element in model.iter("register"):
            where = number(peripheral, "baseAddress") + number(element, "addressOffset")
            name = f"{peripheral.findtext('name')}.{element.findtext('name')}"
            if any(name.startswith(part) for part in LEFT_OUT.get(chip, ())):
                continue
            step, count = number(element, "dimIncrement"), number(element, "dim", "1")
            reset = number(element, "resetValue")
            for i in range(0, count, max(1, 4 // step) if step else 1):
                yield Fact(name, where + i * step, reset, element)


def place_of(chip: str, fact: Fact) -> int:
    """Return where a register really is; see the corrections in ``scripts/registers.py``."""
    if chip == "esp32c5" and fact.name == "INTPRI.CPU_INTR_FROM_CPU_3":
        return fact.address + 1
    match = re.fullmatch(r"SPI\d\.SPI_W(\d+)", fact.name)
    return fact.address - 28 * int(match[1]) if chip == "esp8266" and match else fact.address


def bits_of(element: Element) -> set[tuple[int, int, str]]:
    """Return lowest bit, width and access of the fields of a register."""
    name, found = element.findtext("name") or "", set()
    for field in element.iter("field"):
        if field.findtext("name") == "Register":
            continue
        access = ACCESS[field.findtext("access") or element.findtext("access")]
        if name.endswith(("_W1TS", "_W1TC")):
            access = "w"
        step = number(field, "dimIncrement")
        for i in range(number(field, "dim", "1")):
            low = number(field, "bitOffset") + i * step
            found.add((low, number(field, "bitWidth"), access))
    return found


def words(text: str) -> str:
    return re.sub(r"[^A-Z]", "", re.sub(r"\[?%S\]?|\d", "", text.upper()))


def is_of(register: Register, fact: Fact) -> bool:
    """Whether a register of the tables is that of a file, by its name without numbers."""
    peripheral, _, name = fact.name.partition(".")
    return register.peripheral == peripheral and words(
        fact.element.findtext("name") or name
    ).endswith(words(register.name))


@pytest.mark.parametrize("chip", chips.NAMES)
def test_a_thousand_registers(chip: str) -> None:
    """Names, addresses, bits, accesses and values after a reset are those of the file."""
    table = registers.of(chip)
    assert table is not None
    every = list(facts(chip))
    for fact in random.Random(chip).sample(every, min(SAMPLE, len(every))):
        matches = [r for r in table.at(place_of(chip, fact)) if is_of(r, fact)]
        assert matches, fact
        same = [r for r in matches if r.reset == fact.reset]
        assert any(
            {(f.low, f.width, f.access.value) for f in r.fields} == bits_of(fact.element)
            for r in same
        ), (fact, matches)


@pytest.mark.parametrize("chip", chips.NAMES)
def test_counts(chip: str) -> None:
    """As many peripherals as in the file, and as many places with a register."""
    table = registers.of(chip)
    assert table is not None
    every = list(facts(chip))
    places = {place_of(chip, fact) for fact in every}
    ours = {r.address for p in table.peripherals for r in table.registers(p.name)}
    assert ours == places
