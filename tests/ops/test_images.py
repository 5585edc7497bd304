"""Files and where they belong: raw and Intel HEX, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from espshell.errors import UsageError
from espshell.image import intel_hex
from espshell.ops.flash.payload import Image, read_images


def test_raw_and_hex(tmp_path: Path) -> None:
    """The contents tell which is which; pieces of Intel HEX are images, moved by the address."""
    raw, other = tmp_path / "a.hex", tmp_path / "b.bin"
    raw.write_bytes(b"raw")
    other.write_bytes(intel_hex.to_bytes([(0x10, b"one"), (0x2_0000, b"two")]))
    assert read_images([(raw, 5), (other, 0x1000)]) == (
        Image(5, b"raw", str(raw)),
        Image(0x1010, b"one", str(other)),
        Image(0x2_1000, b"two", str(other)),
    )


@pytest.mark.parametrize("contents", [None, b""], ids=["missing", "empty"])
def test_no_file(tmp_path: Path, contents: bytes | None) -> None:
    """A file without bytes is a mistake of the one who names it, told in one line."""
    path = tmp_path / "a.bin"
    if contents is not None:
        path.write_bytes(contents)
    with pytest.raises(UsageError, match=r"a\.bin") as caught:
        read_images([(path, 0)])
    assert "\n" not in caught.value.one_line()


@pytest.mark.parametrize(("address", "where"), [(0, "0x00000000..0x00000004"), (3, "0x00000003..")])
def test_overlap(tmp_path: Path, address: int, where: str) -> None:
    """Two files for one place are refused with both names and the range; neighbours are not."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"long enough")
    second.write_bytes(b"1234")
    with pytest.raises(UsageError, match=where) as caught:
        read_images([(first, 0), (second, address)])
    assert str(first) in caught.value.message
    assert str(second) in caught.value.message
    assert len(read_images([(first, 0), (second, 11)])) == 2
