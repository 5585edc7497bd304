"""Files and where they belong: raw and Intel HEX, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from espshell.errors import UsageError
from espshell.image import intel_hex
from espshell.ops.flash.payload import Payload, read_payloads


def test_raw_and_hex(tmp_path: Path) -> None:
    """The contents tell which is which; pieces of Intel HEX are images, moved by the address."""
    raw, other = tmp_path / "a.raw", tmp_path / "b.bin"
    raw.write_bytes(b"raw")
    other.write_bytes(intel_hex.to_bytes([(0x10, b"one"), (0x2_0000, b"two")]))
    moved = f"{other}: its addresses, from 0x00000010 on, are added to 0x00001000"
    assert read_payloads([(raw, 5), (other, 0x1000)]) == (
        Payload(5, b"raw", str(raw)),
        Payload(0x1010, b"one", str(other), notes=(moved,)),
        Payload(0x2_1000, b"two", str(other)),
    )


def test_the_addresses_in_intel_hex(tmp_path: Path) -> None:
    """They count alone for esptool, and at place 0; to go to twice them is refused."""
    path = tmp_path / "a.hex"
    path.write_bytes(intel_hex.to_bytes([(0x1000, b"one"), (0x2000, b"two")]))
    own = (Payload(0x1000, b"one", str(path)), Payload(0x2000, b"two", str(path)))
    assert read_payloads([(path, 0)]) == own
    for place in (0, 0x1000, 0x5000):
        assert read_payloads([(path, place)], [place + 16], own_addresses=True) == own
    with pytest.raises(
        UsageError, match="begins at 0x00001000 by its own addresses, and would go to"
    ) as why:
        read_payloads([(path, 0x1000)])
    assert "flash:0" in why.value.hint


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"; a comment\n:00000001FF\n", "`; a comment`"),
        (b"\xef\xbb\xbf:00000001FF\n", "a UTF-8 byte order mark"),
        (":00000001FF\n".encode("utf-16"), "a UTF-16 byte order mark"),
        (b"\x1b]0;x\x07", r"`\\x1b\]0;x\\x07`"),
        (bytes(64), "``"),
    ],
)
@pytest.mark.parametrize("name", ["a.hex", "A.HEX", "a.ihex"])
def test_hex_by_name_only(tmp_path: Path, name: str, data: bytes, found: str) -> None:
    """A file named so whose contents are not is refused with what it begins with."""
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(UsageError, match=f"is not Intel HEX: it begins with {found}"):
        read_payloads([(path, 0)])
    other = path.rename(tmp_path / "a.bin")
    assert read_payloads([(other, 0)])[0].data == data


def test_an_empty_file_that_is_let_through(tmp_path: Path) -> None:
    """It is an image without bytes whose note says so, and overlaps nothing."""
    path, other = tmp_path / "a", tmp_path / "b"
    path.touch()
    other.write_bytes(bytes(16))
    image, _ = read_payloads([(path, 4), (other, 0)], empty=True)
    assert (image.data, image.notes) == (b"", (f"{path} is empty: nothing to write",))


@pytest.mark.parametrize("contents", [None, b""], ids=["missing", "empty"])
def test_no_file(tmp_path: Path, contents: bytes | None) -> None:
    """A file without bytes is a mistake of the one who names it, told in one line."""
    path = tmp_path / "a.bin"
    if contents is not None:
        path.write_bytes(contents)
    with pytest.raises(UsageError, match=r"a\.bin") as caught:
        read_payloads([(path, 0)])
    assert "\n" not in caught.value.one_line()


@pytest.mark.parametrize(("address", "where"), [(0, "0x00000000..0x00000004"), (3, "0x00000003..")])
def test_overlap(tmp_path: Path, address: int, where: str) -> None:
    """Two files for one place are refused with both names and the range; neighbours are not."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_bytes(b"long enough")
    second.write_bytes(b"1234")
    with pytest.raises(UsageError, match=where) as caught:
        read_payloads([(first, 0), (second, address)])
    assert str(first) in caught.value.message
    assert str(second) in caught.value.message
    assert len(read_payloads([(first, 0), (second, 11)])) == 2
