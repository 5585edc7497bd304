"""Images for an ESP8266, byte for byte those of esptool 4."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.errors import UsageError
from espshell.image import firmware
from espshell.image.firmware import ImageLayout
from espshell.image.make import make_v1

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "make-image.json").read_text("utf-8"))
RAM = (0x4010_0000, b"code")


@pytest.mark.parametrize("vector", VECTORS["images"], ids=lambda each: str(each["name"]))
def test_the_files_are_those_of_esptool_4(vector: dict[str, Any]) -> None:
    """Names and bytes are what the recorded program wrote for the same segments."""
    segments = [(int(s["address"], 16), bytes.fromhex(s["data"])) for s in vector["segments"]]
    parts = make_v1(segments, int(vector["entry"], 16))
    assert {each.suffix: each.data.hex() for each in parts} == vector["files"]


@given(
    st.lists(
        st.tuples(st.integers(0x3FFE_8000, 0x4010_FFFF), st.binary(max_size=40)),
        min_size=1,
        max_size=16,
    ),
    st.integers(0, 0xFFFF_FFFF),
)
def test_what_was_made_can_be_read(segments: list[tuple[int, bytes]], entry: int) -> None:
    """Reading an image gives the segments, filled up to words, the entry and right sums."""
    (part,) = make_v1(segments, entry)
    found = firmware.parse(part.data)
    assert (found.layout, found.ok, found.trailing) == (ImageLayout.ESP8266_V1, True, 0)
    assert found.header.entry == entry
    assert (found.header.mode, found.header.size_frequency) == (0, 0)
    read = [(s.address, part.data[s.offset : s.offset + s.size]) for s in found.segments]
    assert read == [(at, data + bytes(-len(data) % 4)) for at, data in segments]


@pytest.mark.parametrize(
    ("segments", "entry", "says"),
    [
        ([], 0, "0 segments to load"),
        ([(0x4021_0000, b"flash")], 0, "0 segments to load"),
        ([RAM] * 17, 0, "17 segments to load"),
        ([RAM], 1 << 32, "0x100000000 is not an address"),
        ([(-4, b"")], 0, "-0x4 is not an address"),
        ([RAM, (0x4021_0000, b""), (0x4022_0000, b"")], 0, "2 segments in flash"),
        ([RAM, (0x4020_001F, b"flash")], 0, "0x4020001f overlaps the image itself"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    segments: list[tuple[int, bytes]], entry: int, says: str
) -> None:
    """No segments, too many, no address, and two things for one place in flash."""
    with pytest.raises(UsageError) as caught:
        make_v1(segments, entry)
    assert says in caught.value.message
