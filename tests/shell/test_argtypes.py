"""Types of arguments: what their text must be, what it means, and what completes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from espshell import chips
from espshell.chips import Chip
from espshell.errors import UsageError
from espshell.shell.arguments.image import FLASH_BYTES
from espshell.shell.arguments.places import ADDRESS, PLACE, REGION, Extent, Location, region
from espshell.shell.arguments.types import (
    CHIPS,
    EXPRESSION,
    FILE,
    NUMBER,
    NUMBERS,
    POSITIVE,
    SECONDS,
    TEXT,
    WORDS,
    AnyType,
    Offer,
    checked,
    chip_named,
    choice,
    completed,
    did_you_mean,
    many,
    mapped,
    number,
)


class Names:
    """A scope without a chip behind it: the names of a chip, and memory that counts."""

    def __init__(self) -> None:
        found = chips.by_name("esp32c3")
        assert found is not None
        self.chip: Chip = found

    def place(self, name: str) -> chips.Region | None:
        """Return a region."""
        return next((r for r in self.chip.regions if r.name == name.upper()), None)

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

    def about(self, name: str) -> str:
        """Return nothing."""
        return ""

    def space(self, name: str) -> Names:
        """Return the same names for every space."""
        return self


SCOPE = Names()


def value(kind: AnyType, *texts: str) -> object:
    return kind.resolve(kind.parse(texts), SCOPE)


@pytest.mark.parametrize(
    ("kind", "texts", "wanted"),
    [
        (NUMBER, ("64k",), 65536),
        (NUMBER, ("u8[0x123]",), 0x23),
        (POSITIVE, ("1",), 1),
        (POSITIVE, ("0xffffffff",), 0xFFFF_FFFF),
        (NUMBERS, ("1", "2+3"), (1, 5)),
        (PLACE, ("mem:0x10",), Location(0x10)),
        (PLACE, ("DRAM+4",), Location(0x3FC8_0004)),
        (PLACE, ("efuse:0x44",), Location(0x44, "efuse")),
        (PLACE, ("flash:0x44",), Location(0x44, "flash")),
        (REGION, ("rtc_fast",), Extent(0x5000_0000, 0x2000, "RTC_FAST")),
        (REGION, ("16", "4"), Extent(16, 4)),
        (REGION, ("16..20",), Extent(16, 4)),
        (REGION, ("16..+20",), Extent(16, 20)),
        (REGION, ("DRAM", "4"), Extent(0x3FC8_0000, 4)),
        (REGION, ("efuse:4..8",), Extent(4, 4, "", "efuse")),
        (REGION, ("flash:4..8",), Extent(4, 4, space="flash")),
        (region(256), ("16",), Extent(16, 256)),
        (region(256), ("DRAM+1",), Extent(0x3FC8_0001, 256)),
        (TEXT, ("as it is",), "as it is"),
        (WORDS, (), ()),
        (WORDS, ("a", "b"), ("a", "b")),
        (FILE, ("a/b",), Path("a/b")),
        (FILE, ("~/b",), Path.home() / "b"),
        (choice("boot", "run"), ("RUN",), "run"),
        (CHIPS, ("ESP32-C3", "esp32"), (chip_named("esp32c3"), chip_named("esp32"))),
        (SECONDS, ("200ms",), 0.2),
        (SECONDS, ("2",), 2.0),
        (FLASH_BYTES, ("256MB",), 256 << 20),
        (SECONDS, ("1000000",), 1e6),
    ],
)
def test_value(kind: AnyType, texts: tuple[str, ...], wanted: object) -> None:
    """Every form that is documented means what it says."""
    assert value(kind, *texts) == wanted


@pytest.mark.parametrize(
    ("kind", "texts", "told"),
    [
        (NUMBER, ("3ff40000",), "did you mean `0x3ff40000`?"),
        (NUMBER, ("010",), "has a leading zero"),
        (NUMBER, ("",), "expected an expression"),
        (ADDRESS, ("flash:0",), "`flash:0` is in flash; an address in memory was expected"),
        (PLACE, ("nowhere:0",), "`nowhere` is not a space"),
        (REGION, ("16",), "`16` has no length"),
        (REGION, ("16..",), "expected an end"),
        (REGION, ("16..20", "4"), "is already a region"),
        (FILE, ("",), "expected a file name"),
        (choice("boot", "run"), ("rum",), "did you mean `run`?"),
        (CHIPS, ("esp99",), "known are "),
        (FLASH_BYTES, ("0",), "`0` is not a size"),
        (FLASH_BYTES, ("257M",), "at most 256M"),
        (SECONDS, ("soon",), "`soon` is not a duration"),
        (SECONDS, ("1000001",), "`1000001` is too long; at most 1000000 seconds"),
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
        (NUMBER, ("NOSUCH",), "`NOSUCH` is not a known name"),
        (POSITIVE, ("0",), "`0` is 0; at least 1 was expected"),
        (POSITIVE, ("1-2",), "`1-2` is -1"),
        (POSITIVE, ("1 << 32",), "is 4294967296; at most "),
        (PLACE, ("1 << 32",), "0x100000000 is outside the 32-bit address space"),
        (REGION, ("0xfffffffc", "8"), "is outside the 32-bit address space"),
        (REGION, ("16", "0"), "`0` is 0; a length is at least 1 byte"),
        (REGION, ("16..16",), "the end 0x10 is not after the start 0x10"),
        (REGION, ("NOSUCH",), "`NOSUCH` is not the name of a region"),
    ],
)
def test_meaning_that_cannot_be(kind: AnyType, texts: tuple[str, ...], told: str) -> None:
    """What only the chip can tell is refused when it is known."""
    parsed = kind.parse(texts)
    with pytest.raises(UsageError) as raised:
        kind.resolve(parsed, SCOPE)
    assert told in raised.value.one_line()


@pytest.mark.parametrize(
    ("kind", "texts", "names"),
    [
        (NUMBER, ("A+[B]",), ("A", "B")),
        (EXPRESSION, ("A == B",), ("A", "B")),
        (NUMBERS, ("A", "B+1"), ("A", "B")),
        (PLACE, ("mem:A+4",), ("A",)),
        (REGION, ("A", "B"), ("A", "B")),
        (REGION, ("A..B+4",), ("A", "B")),
        (TEXT, ("A",), ()),
        (CHIPS, ("esp32",), ()),
    ],
)
def test_names(kind: AnyType, texts: tuple[str, ...], names: tuple[str, ...]) -> None:
    """The names that must be known are told before anything is evaluated."""
    assert kind.names(kind.parse(texts)) == names


def refuse_x(text: str) -> None:
    if text == "x":
        raise UsageError("no x")


@pytest.mark.parametrize(
    ("kind", "texts", "meaning"),
    [
        (many(number(1)), ("1", "2+3"), (1, 5)),
        (mapped(TEXT, str.upper), ("a",), "A"),
        (many(mapped(NUMBER, hex)), ("16", "DRAM"), ("0x10", "0x3fc80000")),
        (mapped(many(SECONDS), sum), ("1", "500ms"), 1.5),
        (checked(TEXT, refuse_x), ("y",), "y"),
    ],
)
def test_types_made_of_others(kind: AnyType, texts: tuple[str, ...], meaning: object) -> None:
    """A type of many words, of a checked text or a mapped value still does what its base does."""
    assert value(kind, *texts) == meaning


def test_a_checked_type_refuses_by_the_text_alone() -> None:
    """The check is a part of parsing, in each of many words; names and words count as before."""
    kind = many(checked(TEXT, refuse_x))
    with pytest.raises(UsageError, match="no x"):
        kind.parse(["y", "x"])
    assert (kind.least, kind.most, kind.raw) == (1, 999, False)
    names = many(checked(NUMBER, id))
    assert names.names(names.parse(["A", "B+C"])) == ("A", "B", "C")
    assert names.raw


def test_file_completion(tmp_path: Path) -> None:
    """Files of the folder that is being typed, as they would be typed; a folder has a slash."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "fw.bin").touch()
    (tmp_path / ".hidden").touch()
    assert list(FILE.complete(f"{tmp_path}/", SCOPE)) == [Offer(f"{tmp_path}/sub/", "folder")]
    assert list(FILE.complete(f"{tmp_path}/.", SCOPE)) == [Offer(f"{tmp_path}/.hidden", "0 bytes")]
    assert list(FILE.complete(f"{tmp_path}/sub/f", SCOPE)) == [
        Offer(f"{tmp_path}/sub/fw.bin", "0 bytes")
    ]
    assert list(FILE.complete(f"{tmp_path}/nosuch/", SCOPE)) == []


def test_a_whole_name_is_no_beginning_of_others() -> None:
    """One that others begin with is itself; the beginning of several is none of them."""
    names = ["MAC", "MAC_EXT", "WR_DIS"]
    assert [completed(text, names) for text in ("mac", "mac_", "w", "x")] == [
        *("MAC", "MAC_EXT", "WR_DIS", None)
    ]
    with pytest.raises(UsageError, match="`m` could be MAC, MAC_EXT"):
        completed("m", names)


def test_did_you_mean() -> None:
    """The nearest word, or nothing where none is near."""
    assert did_you_mean("Pek", ["peek", "poke"]) == "did you mean `peek`?"
    assert did_you_mean("xyz", ["peek"]) == ""
