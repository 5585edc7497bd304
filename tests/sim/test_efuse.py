"""States of simulated eFuses: where blocks are read, how they are protected and coded."""

from __future__ import annotations

from pathlib import Path

import pytest

from espshell.chips import NAMES
from espshell.efuse import table
from espshell.errors import UsageError
from espshell.sim import efuse, url
from espshell.sim.chip import SimChip


def words(text: str) -> dict[tuple[int, int], int]:
    """Return the words of a chip's eFuses that are not zero, by block and index."""
    chip = SimChip(url.parse(f"sim://{text}"))
    start = chip.facts.efuse.start
    return {
        (number, index): word
        for number, (offset, count) in enumerate(efuse.blocks(chip.facts.name))
        for index in range(count)
        if (word := chip.memory.word(start + offset + 4 * index))
    }


@pytest.mark.parametrize("chip", NAMES)
def test_layouts(chip: str) -> None:
    """The simulator's own blocks are where the host reads them."""
    assert efuse.blocks(chip) == tuple((b.offset, b.words) for b in table.of(chip).blocks)


def test_a_file_is_the_whole_state(tmp_path: Path) -> None:
    """What the file leaves out is blank, whatever the model has; a word may be burnt, too."""
    file = tmp_path / "fuses.txt"
    file.write_text("# a state\n0: 0 1 40000\n\n4: 1 2  # a key\n 5: deadbeef\n")
    assert words(f"esp32c3?efuse={file}&fuse=5.1:ff&fuse=5.1:100") == {
        (0, 1): 1,
        (0, 2): 0x40000,
        (5, 0): 0xDEAD_BEEF,
        (5, 1): 0x1FF,
    }
    assert url.parse(f"sim://esp32c3?efuse={file}").crypt_count == 1


@pytest.mark.parametrize("text", ["11: 1", "0: 0 0 0 0 0 0 0", "0: x", "0 1", "zero: 1", "-1: 1"])
def test_files_of_something_else(tmp_path: Path, text: str) -> None:
    """A block, a word or a number that cannot be is refused."""
    file = tmp_path / "fuses.txt"
    file.write_text(text)
    with pytest.raises(UsageError, match="expected a file with lines"):
        url.parse(f"sim://esp32c3?efuse={file}")


def test_read_protection(tmp_path: Path) -> None:
    """A block that RD_DIS names reads as zeros: of an ESP32-C2 each half by a bit of its own."""
    file = tmp_path / "fuses.txt"
    file.write_text("0: 0 2\n4: 1\n5: 1\n6: 1\n")
    assert words(f"esp32c3?efuse={file}") == {(0, 1): 2, (4, 0): 1, (6, 0): 1}
    file.write_text("0: 0 2\n3: 1 2 3 4 5 6 7 8\n")
    assert set(words(f"esp32c2?efuse={file}")) == {(0, 1), *((3, n) for n in range(4))}
    file.write_text("0: 20000\n1: 1\n2: 1\n3: 1\n")
    assert set(words(f"esp32?efuse={file}")) == {(0, 0), (1, 0), (3, 0)}


@pytest.mark.parametrize(("scheme", "kept"), [(0, 8), (1, 6), (2, 4), (3, 8)])
def test_coding(tmp_path: Path, scheme: int, kept: int) -> None:
    """Coding takes words of an ESP32's blocks 1 to 3."""
    file = tmp_path / "fuses.txt"
    file.write_text(f"0: 0 0 0 0 0 0 {scheme}\n1: 1 2 3 4 5 6 7 8\n")
    found = words(f"esp32?efuse={file}")
    assert sum(block == 1 for block, _ in found) == kept
