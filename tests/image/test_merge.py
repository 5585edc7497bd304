"""Merging: every byte where it belongs, and nobody's bytes in two places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.errors import UsageError
from espshell.image import intel_hex, merge, uf2
from espshell.image.merge import Format, MergePart

BOOT = MergePart(0x1000, b"boot", "boot.bin")
TABLE = MergePart(0x8000, b"table", "table.bin")
GAPS = st.integers(0, 600)
CONTENTS = st.binary(min_size=1, max_size=600)


def placed(pieces: list[tuple[int, bytes]], start: int) -> list[MergePart]:
    """Return parts one after another, each behind a gap."""
    parts: list[MergePart] = []
    for gap, data in pieces:
        parts.append(MergePart(start + gap, data, f"{len(parts)}.bin"))
        start = parts[-1].end
    return parts


@given(
    st.lists(st.tuples(GAPS, CONTENTS), min_size=1),
    st.integers(0, 0x1000),
    st.none() | st.integers(0, 100),
)
def test_raw_is_memory(pieces: list[tuple[int, bytes]], target: int, room: int | None) -> None:
    """The file is the flash from the target offset on, filled where there is nothing."""
    parts = placed(pieces, target)
    end = parts[-1].end + (room or 0)
    memory = bytearray(b"\xff" * end)
    for part in parts:
        memory[part.offset : part.end] = part.data
    pad_to = None if room is None else end
    merged = merge.merge(reversed(parts), target_offset=target, pad_to=pad_to)
    assert merged == memory[target:]


@given(st.lists(st.tuples(GAPS, CONTENTS), min_size=1))
def test_hex_and_uf2_are_the_same_memory(pieces: list[tuple[int, bytes]]) -> None:
    """Both name the addresses and hold nothing else; what touches is read as one."""
    parts = placed(pieces, 0x1_0000)
    raw = merge.merge(parts)
    for segments in (
        intel_hex.read(merge.merge(parts, fmt="hex")),
        uf2.read(merge.merge(parts, fmt="uf2", family=1)).segments,
    ):
        assert [(start, raw[start : start + len(data)]) for start, data in segments] == [*segments]
        assert sum(len(data) for _, data in segments) == sum(len(p.data) for p in parts)


def test_a_small_one() -> None:
    """Order does not matter, and the filling is FF."""
    assert merge.merge([TABLE, BOOT], target_offset=0x1000, pad_to=0x8006) == (
        b"boot" + b"\xff" * 0x6FFC + b"table" + b"\xff"
    )


@pytest.mark.parametrize("fmt", merge.FORMATS)
@pytest.mark.parametrize(
    ("parts", "part"),
    [
        ([], "nothing to merge"),
        ([BOOT, MergePart(0x2000, b"", "no.bin")], "no.bin is empty"),
        ([MergePart(0xFFFF_FFFF, b"ab", "a.bin")], "ends beyond 4 GiB"),
        ([MergePart(-1, b"ab", "a.bin")], "a.bin would begin before the start of the flash"),
        (
            [MergePart(0x1003, b"ab", "a.bin"), BOOT],
            r"a\.bin \(0x1003\.\.0x1005\) overlaps boot\.bin \(0x1000\.\.0x1004\)",
        ),
        ([BOOT, MergePart(0x1000, b"a", "a.bin")], r"overlaps"),
        ([MergePart(0xFFF, b"a", "a.bin")], r"a\.bin .* before the target offset 0x1000"),
    ],
)
def test_what_does_not_fit_together(fmt: Format, parts: list[MergePart], part: str) -> None:
    """Files are named with their ranges, whatever the format."""
    with pytest.raises(UsageError, match=part):
        merge.merge(parts, fmt=fmt, target_offset=0x1000, family=1)


def test_a_target_offset_before_the_flash() -> None:
    """Raw files begin at 0 or behind it."""
    with pytest.raises(UsageError, match="target offset -1 is before the start of the flash"):
        merge.merge([BOOT], target_offset=-1)


def test_larger_than_the_flash() -> None:
    """A file that ends behind the size to pad to is refused; one that just fits is not."""
    assert len(merge.merge([TABLE], pad_to=0x8005)) == 0x8005
    with pytest.raises(UsageError, match=r"table\.bin \(0x8000\.\.0x8005\) ends behind"):
        merge.merge([TABLE], pad_to=0x8004)


def test_a_slip_of_an_offset_does_not_fill_the_disk() -> None:
    """Raw files end where the largest flash does; the other formats need no filling."""
    far = MergePart(0xF000_0000, b"a", "a.bin")
    with pytest.raises(UsageError, match="would have"):
        merge.merge([BOOT, far])
    assert len(intel_hex.read(merge.merge([BOOT, far], fmt="hex"))) == 2


def test_options_of_other_formats() -> None:
    """Only raw is padded, and UF2 needs to know whom it is for."""
    formats: tuple[Format, ...] = ("hex", "uf2")
    for fmt in formats:
        with pytest.raises(UsageError, match=f"not {fmt}"):
            merge.merge([BOOT], fmt=fmt, pad_to=0x10000)
    with pytest.raises(UsageError, match="family"):
        merge.merge([BOOT], fmt="uf2")
