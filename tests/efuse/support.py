"""States of eFuses: blank, sparse and random words, by offset from the start of the controller."""

from __future__ import annotations

import random

from espshell import efuse
from espshell.chips import by_name
from espshell.efuse import Contents, Table

CHIPS = (
    "esp32", "esp32s2", "esp32s3", "esp32c2", "esp32c3", "esp32c5", "esp32c6", "esp32c61",
    "esp32h2", "esp32p4",
)  # fmt: skip
"""All that espefuse knows."""

LATER = {"esp32p4": (3, 0)}
"""Revisions from which on another table holds."""

Words = dict[int, int]


def table_of(chip: str, words: Words) -> Table:
    """Return the table for the revision that the words themselves tell."""
    table = efuse.of(chip)
    if chip not in LATER:
        return table
    first = contents_of(chip, words, table)
    return efuse.of(chip, (first.named("WAFER_VERSION_MAJOR"), first.named("WAFER_VERSION_MINOR")))


def contents_of(chip: str, words: Words, table: Table | None = None) -> Contents:
    """Return what some words mean; those that are not there are 0."""
    table = table or table_of(chip, words)
    facts = by_name(chip)
    assert facts is not None
    whole = dict.fromkeys(table.offsets, 0) | words
    return Contents(table, whole, dict(facts.key_purposes))


def blank() -> Words:
    """Return a state in which nothing is burnt."""
    return {}


def random_state(chip: str, seed: int) -> Words:
    """Return random words in all blocks; most bits are 0 but in every fourth state."""
    rng = random.Random(f"{chip} {seed}")
    words = {}
    for block in efuse.of(chip).blocks:
        for index in range(block.words):
            word = rng.getrandbits(32)
            if seed % 4:
                word &= rng.getrandbits(32) & rng.getrandbits(32)
            words[block.offset + 4 * index] = word
    return words
