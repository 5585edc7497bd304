"""Intel HEX: what is read is what was written, and what is broken is said with its line."""

from __future__ import annotations

import sys
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


@given(st.dictionaries(st.integers(0, 0xFFFF).map(lambda n: n << 16), st.binary(min_size=1)))
def test_round_trip(pieces: dict[int, bytes]) -> None:
    """What is written comes back; a file without data is refused."""
    contents = intel_hex.to_bytes(pieces.items())
    if pieces:
        assert intel_hex.read(contents) == sorted(pieces.items())
    else:
        with pytest.raises(UsageError, match="holds no data"):
            intel_hex.read(contents)


@pytest.mark.parametrize(
    ("contents", "part"),
    [
        (b"", "is not Intel HEX"),
        (b"\xe9\x03\x02\x20", "is not Intel HEX"),
        (WORDS.replace(b"0304E2", b"0305E2"), "line 2 has invalid checksum"),
        (WORDS.replace(b"0304E2", b"03E2"), "line 2 has invalid length"),
        (WORDS.replace(b"0304E2", b"03\xb904"), "invalid record at line 2"),
        (WORDS.replace(b":00000001", b":04001000aabbccdd"), "line 3"),
        (HEAD + DATA + DATA + END, "overlap at address 0x40070010 on line 3"),
        (HEAD + DATA, "has no end record"),
    ],
    ids=["empty", "image", "checksum", "length", "digits", "last", "overlap", "cut"],
)
def test_broken_files(contents: bytes, part: str) -> None:
    """One line says what is wrong, and where."""
    with pytest.raises(UsageError, match=part) as caught:
        intel_hex.read(contents, name="app.hex")
    assert caught.value.message.startswith("app.hex")


@given(st.binary(max_size=60).map(lambda tail: b":0000000000\n:" + tail.hex().encode() + tail))
def test_any_bytes_give_segments_or_one_line(contents: bytes) -> None:
    """Garbage behind a good beginning is a usage error and nothing else."""
    with pytest.raises(UsageError) as caught:
        intel_hex.read(contents)
    assert caught.value.message.startswith("the Intel HEX file")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The system's reason is passed on with the name."""
    with pytest.raises(UsageError, match=r"cannot read .*none\.hex: no such file"):
        intel_hex.read(tmp_path / "none.hex")


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said how to get it."""
    monkeypatch.setitem(sys.modules, "intelhex", None)
    with pytest.raises(UsageError, match="intelhex") as caught:
        intel_hex.read(WORDS)
    assert caught.value.hint == "pip install 'espshell[hex]'"
