"""Intel HEX: what is read is what was written, and what is broken is said with its line."""

from __future__ import annotations

import sys
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.errors import UsageError
from espshell.image import intel_hex

HEAD = b":020000044007B3\n"
DATA = b":0400100001020304E2\n"
END = b":00000001FF\n"
WORDS = HEAD + DATA + END
"""Four bytes at 0x4007_0010, as the format's description builds its checksums."""


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r", b"\n\n"])
def test_a_file_by_hand(ending: bytes) -> None:
    """The upper half of the address has a record of its own; any end of a line will do."""
    contents = WORDS.replace(b"\n", ending)
    assert intel_hex.is_hex(contents)
    assert intel_hex.read(contents) == [(0x4007_0010, b"\x01\x02\x03\x04")]


def test_pieces_that_touch_are_one(tmp_path: Path) -> None:
    """Segments ascend and have gaps between them, however the file was written."""
    path = tmp_path / "named.bin"
    pieces = [(0x1_0000, b"cd"), (0x20, b"x" * 0x30), (0xFFFE, b"ab")]
    path.write_bytes(intel_hex.to_bytes(pieces))
    assert intel_hex.read(path) == [(0x20, b"x" * 0x30), (0xFFFE, b"abcd")]


def test_records_of_other_types() -> None:
    """A base is shifted as its type says, entries and what follows the end do not matter."""
    base, entry = b":020000021234B6\n", b":0400000300003800C1\n"
    contents = base + DATA + entry + END + DATA + b"the rest"
    assert intel_hex.read(contents) == [(0x1_2350, b"\x01\x02\x03\x04")]


def test_memory_is_not_wasted() -> None:
    """A file of many records takes little more memory than it has bytes, not many times as much."""
    contents = intel_hex.to_bytes([(0, bytes(64 * 1024))])
    tracemalloc.start()
    try:
        intel_hex.read(contents)
        assert tracemalloc.get_traced_memory()[1] < 3 * len(contents)
    finally:
        tracemalloc.stop()


@given(st.dictionaries(st.integers(0, 0xFFFF).map(lambda n: n << 16), st.binary(min_size=1)))
def test_round_trip(pieces: dict[int, bytes]) -> None:
    """What is written comes back; a file without data is refused."""
    contents = intel_hex.to_bytes(pieces.items())
    if pieces:
        assert intel_hex.read(contents) == sorted(pieces.items())
    else:
        with pytest.raises(UsageError, match="contains no data"):
            intel_hex.read(contents)


@pytest.mark.parametrize(
    ("contents", "part"),
    [
        (b"", "is not Intel HEX"),
        (b"\xe9\x03\x02\x20", "is not Intel HEX"),
        (WORDS.replace(b"0304E2", b"0305E2"), "line 2 of app.hex has a wrong checksum"),
        (WORDS.replace(b"0304E2", b"03E2"), "line 2 of app.hex has 3 data bytes"),
        (WORDS.replace(b"0304E2", b"03\xb904"), "line 2 of app.hex is not a record"),
        (WORDS.replace(b":00000001", b":04001000aabbccdd"), "line 3 of app.hex has"),
        (HEAD + DATA + DATA + END, "has bytes for 0x40070010 twice"),
        (HEAD + DATA, "has no end-of-file record"),
        (HEAD + b":04 00100001020304E2" + END, "line 2 of app.hex is not a record"),
        (HEAD + b"\r\n:0400100601020304DC\r\n" + END, "line 3 of app.hex is of the type 6"),
        (b":020000040700F3\n:0300000401000FE9\n" + END, "line 2 of app.hex has 3 data bytes"),
        (b":02000004FFFFFC\n:02FFFF000102FD\n" + END, "line 2 of app.hex is for addresses beyond"),
    ],
    ids=[
        *("empty", "image", "checksum", "length", "digits", "last", "overlap", "cut"),
        *("space", "type", "base", "4 GiB"),
    ],
)
def test_broken_files(contents: bytes, part: str) -> None:
    """One line says what is wrong, and where."""
    with pytest.raises(UsageError, match=part) as caught:
        intel_hex.read(contents, name="app.hex")
    assert "app.hex" in caught.value.message


@given(st.binary(max_size=60).map(lambda tail: b":0000000000\n:" + tail.hex().encode() + tail))
def test_any_bytes_give_segments_or_one_line(contents: bytes) -> None:
    """Garbage behind a good beginning is a usage error and nothing else."""
    with pytest.raises(UsageError) as caught:
        intel_hex.read(contents)
    assert "the Intel HEX file" in caught.value.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The system's reason is passed on with the name."""
    with pytest.raises(UsageError, match=r"cannot read .*none\.hex: no such file"):
        intel_hex.read(tmp_path / "none.hex")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said how to get it, where it is needed: a file is read without it."""
    monkeypatch.setitem(sys.modules, "intelhex", None)
    assert intel_hex.read(WORDS) == [(0x4007_0010, b"\x01\x02\x03\x04")]
    with pytest.raises(UsageError, match="intelhex") as caught:
        intel_hex.to_bytes([(0, b"x")])
    assert caught.value.hint == "pip install 'espshell[hex]'"
