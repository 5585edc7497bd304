"""Types of arguments: what their text must be, what it means, and what completes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from espshell import chips
from espshell.chips import Chip
from espshell.errors import UsageError
from espshell.shell.arguments.places import Address, Place, Region, Span, Spot
from espshell.shell.arguments.types import (
    AnyType,
    ChipNames,
    Choice,
    Expression,
    File,
    Number,
    Numbers,
    Positive,
    Seconds,
    Text,
    Words,
    chip_named,
    did_you_mean,
)


class Names:
    """A scope without a chip behind it: the names of a chip, and memory that counts."""

    def __init__(self) -> None:
        found = chips.by_name("esp32c3")
        assert found is not None
        self.chip: Chip = found

    def place(self, name: str) -> chips.Region | None:
        """Return a region."""
        return self.chip.region_named(name)

    def name(self, name: str) -> int | None:
        """Return where a region starts."""
        region = self.place(name)
        return region.start if region else None

    def read(self, address: int, bits: int) -> int:
        """Return the low bits of the address."""
        return address & (1 << bits) - 1

    def suggest(self, name: str) -> str | None:
        """Return nothing."""
        return None

    def knows(self, name: str) -> bool:
        """Say whether it is a region."""
        return self.place(name) is not None

    def is_field(self, name: str) -> bool:
        """Say no."""
        return False

    def names(self, text: str = "") -> Sequence[str]:
        """Return the names of the regions."""
        return [region.name for region in self.chip.regions]

    def space(self, name: str) -> Names:
        """Return the same names for every space."""
        return self


SCOPE = Names()
EFUSE = SCOPE.chip.efuse.start


def value(kind: AnyType, *texts: str) -> object:
    return kind.value(kind.parse(texts), SCOPE)


@pytest.mark.parametrize(
    ("kind", "texts", "wanted"),
    [
        (Number(), ("64k",), 65536),
        (Number(), ("u8[0x123]",), 0x23),
        (Positive(), ("1",), 1),
        (Numbers(), ("1", "2+3"), (1, 5)),
        (Place(), ("mem:0x10",), Spot(0x10)),
        (Place(), ("DRAM+4",), Spot(0x3FC8_0004)),
        (Place(), ("efuse:0x44",), Spot(EFUSE + 0x44)),
        (Place(), ("flash:0x44",), Spot(0x44, "flash")),
        (Address(), ("efuse:0x44",), EFUSE + 0x44),
        (Region(), ("rtc_fast",), Span(0x5000_0000, 0x2000, "RTC_FAST")),
        (Region(), ("16", "4"), Span(16, 4)),
        (Region(), ("16..20",), Span(16, 4)),
        (Region(), ("16..+20",), Span(16, 20)),
        (Region(), ("DRAM", "4"), Span(0x3FC8_0000, 4)),
        (Region(), ("efuse:4..8",), Span(EFUSE + 4, 4)),
        (Region(), ("flash:4..8",), Span(4, 4, space="flash")),
        (Region(256), ("16",), Span(16, 256)),
        (Region(256), ("DRAM+1",), Span(0x3FC8_0001, 256)),
        (Text(), ("as it is",), "as it is"),
        (Words(), (), ()),
        (Words(), ("a", "b"), ("a", "b")),
        (File(), ("a/b",), Path("a/b")),
        (File(), ("~/b",), Path.home() / "b"),
        (Choice("boot", "run"), ("RUN",), "run"),
        (ChipNames(), ("ESP32-C3", "esp32"), (chip_named("esp32c3"), chip_named("esp32"))),
        (Seconds(), ("200ms",), 0.2),
        (Seconds(), ("2",), 2.0),
    ],
)
def test_value(kind: AnyType, texts: tuple[str, ...], wanted: object) -> None:
    """Every form that is documented means what it says."""
    assert value(kind, *texts) == wanted


@pytest.mark.parametrize(
    ("kind", "texts", "told"),
    [
        (Number(), ("3ff40000",), "did you mean `0x3ff40000`?"),
        (Number(), ("010",), "has a leading zero"),
        (Number(), ("",), "expected an expression"),
        (Address(), ("flash:0",), "`flash:0` is in flash; an address in memory was expected"),
        (Place(), ("nowhere:0",), "`nowhere` is not a space"),
        (Region(), ("16",), "`16` has no length"),
        (Region(), ("16..",), "expected an end"),
        (Region(), ("16..20", "4"), "is a whole region"),
        (File(), ("",), "expected a file name"),
        (Choice("boot", "run"), ("rum",), "did you mean `run`?"),
        (ChipNames(), ("esp99",), "known are "),
        (Seconds(), ("soon",), "`soon` is not a duration"),
    ],
)
def test_text_that_cannot_be_meant(kind: AnyType, texts: tuple[str, ...], told: str) -> None:
    """It is refused by its text alone, so that a script can be checked without a chip."""
    with pytest.raises(UsageError) as raised:
        kind.parse(texts)
    assert told in raised.value.one_line()


@pytest.mark.parametrize(
    ("kind", "texts", "told"),
    [
        (Number(), ("NOSUCH",), "`NOSUCH` is not a known name"),
        (Positive(), ("0",), "`0` is 0; at least 1 was expected"),
        (Positive(), ("1-2",), "`1-2` is -1"),
        (Region(), ("16", "0"), "`0` is 0; a length is at least 1 byte"),
        (Region(), ("16..16",), "the end 0x10 is not behind the start 0x10"),
        (Region(), ("NOSUCH",), "`NOSUCH` is the name of no region"),
        (Place(), ("efuse:0x10000",), "efuse:0x10000 is past the end"),
    ],
)
def test_meaning_that_cannot_be(kind: AnyType, texts: tuple[str, ...], told: str) -> None:
    """What only the chip can tell is refused when it is known."""
    parsed = kind.parse(texts)
    with pytest.raises(UsageError) as raised:
        kind.value(parsed, SCOPE)
    assert told in raised.value.one_line()


@pytest.mark.parametrize(
    ("kind", "texts", "names"),
    [
        (Number(), ("A+[B]",), ("A", "B")),
        (Expression(), ("A == B",), ("A", "B")),
        (Numbers(), ("A", "B+1"), ("A", "B")),
        (Place(), ("mem:A+4",), ("A",)),
        (Region(), ("A", "B"), ("A", "B")),
        (Region(), ("A..B+4",), ("A", "B")),
        (Text(), ("A",), ()),
        (ChipNames(), ("esp32",), ()),
    ],
)
def test_names(kind: AnyType, texts: tuple[str, ...], names: tuple[str, ...]) -> None:
    """The names that must be known are told before anything is evaluated."""
    assert kind.names(kind.parse(texts)) == names


def test_file_completion(tmp_path: Path) -> None:
    """Files of the folder that is being typed, as they would be typed; a folder has a slash."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "fw.bin").touch()
    assert list(File().complete(f"{tmp_path}/", SCOPE)) == [f"{tmp_path}/sub/"]
    assert list(File().complete(f"{tmp_path}/sub/f", SCOPE)) == [f"{tmp_path}/sub/fw.bin"]
    assert list(File().complete(f"{tmp_path}/nosuch/", SCOPE)) == []


def test_did_you_mean() -> None:
    """The nearest word, or nothing where none is near."""
    assert did_you_mean("Pek", ["peek", "poke"]) == "did you mean `peek`?"
    assert did_you_mean("xyz", ["peek"]) == ""
