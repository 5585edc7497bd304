"""Requests and responses: golden headers, what counts as a response, checksum and status words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.protocol import packet, slip
from espshell.protocol.packet import Opcode, Response

DATA = Path(__file__).parents[1] / "data" / "esp32-rom.json"
GOOD = bytes.fromhex("01 0a 0400 00f01d83 00000000")
WORDS = st.integers(0, 0xFFFF_FFFF)


def replies() -> list[bytes]:
    """Return every reply in the recording, with its status but without its frame."""
    wire = b"".join(bytes.fromhex(entry["rx"]) for entry in json.loads(DATA.read_text("utf-8")))
    found = slip.Decoder(packet.is_response).feed(wire)
    return [piece.data for piece in found if isinstance(piece, slip.Frame)]


def test_golden_request() -> None:
    """Direction, opcode, size, checksum, payload; little endian."""
    assert packet.request(0x0A, bytes.fromhex("00100040")) == bytes.fromhex(
        "00 0a 0400 00000000 00100040"
    )
    assert packet.request(0x07, b"abc", 0x1234_5678) == bytes.fromhex("00 07 0300 78563412 616263")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:1],
        GOOD[:9],
        GOOD[:-1],
        GOOD + b"\x00",
        b"\x00" + GOOD[1:],
        b"\x02" + GOOD[1:],
        GOOD[:2] + b"\x05" + GOOD[3:],
        GOOD[:3] + b"\x01" + GOOD[4:],
        bytes.fromhex("01 0a 0100 00000000 00"),
    ],
)
def test_what_is_no_response(data: bytes) -> None:
    """A wrong direction, a size that disagrees, or no room for a status."""
    assert not packet.is_response(data)


@given(st.integers(0, 255), WORDS, st.binary(min_size=2, max_size=600))
def test_a_response_comes_apart_as_it_was_made(opcode: int, value: int, body: bytes) -> None:
    """What is accepted can be parsed, and gives what was put in."""
    data = bytes([1, opcode]) + len(body).to_bytes(2, "little") + value.to_bytes(4, "little") + body
    assert packet.is_response(data)
    assert packet.parse_response(data) == Response(opcode, value, body)


@given(st.binary(max_size=40))
def test_random_bytes_never_raise(data: bytes) -> None:
    """Any bytes are a response or none."""
    if packet.is_response(data):
        assert packet.parse_response(data).body == data[8:]


def test_recorded_replies() -> None:
    """Every reply of the ROM in the recording is accepted, with its four bytes of status."""
    found = [packet.parse_response(data) for data in replies()]
    assert len(found) == 81
    assert found[0] == Response(Opcode.SYNC, 0x2012_0707, bytes(4))
    assert found[8] == Response(Opcode.READ_REG, 0x00F0_1D83, bytes(4))
    assert all(len(each.body) >= 4 for each in found)


@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"", 0xEF), (b"\xef", 0), (bytes(range(16)), 0xEF), (b"\x01\x02\x04", 0xE8)],
)
def test_checksum(data: bytes, expected: int) -> None:
    """XOR over the data, beginning with EF."""
    assert packet.checksum(data) == expected


def test_opcodes_are_bytes_and_stubs_have_the_upper_ones() -> None:
    """Every opcode fits its field; none is there twice."""
    assert len({int(opcode) for opcode in Opcode}) == len(Opcode.__members__)
    real = set(Opcode) - {Opcode.UNKNOWN}
    assert all(0 < opcode < 0x20 or 0xD0 <= opcode <= 0xFF for opcode in real)


def test_status_words() -> None:
    """Every code has words; the ROM's begin with 01; an unknown one still shows its number."""
    assert all(0x0100 <= code <= 0xFFFF and text for code, text in packet.STATUS_TEXT.items())
    assert all(code >> 8 == 1 or code >> 8 >= 0xC0 for code in packet.STATUS_TEXT)
    assert "0x0107" in packet.status_text(0x0107)
    assert "0xabcd" in packet.status_text(0xABCD)
