"""SLIP both ways: what goes in comes out, and nothing that a wire can do puts it out of step."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from espshell.protocol import packet, slip
from espshell.protocol.slip import Frame, Noise

SPECIAL = st.sampled_from([b"\xc0", b"\xdb", b"\xdc", b"\xdd", b"\xdb\xdc", b"\xdb\xdd", b"A"])
CONTENTS = st.binary(min_size=1, max_size=40) | st.lists(SPECIAL, min_size=1).map(b"".join)
TEXT = st.binary(max_size=40).map(lambda data: data.replace(b"\xc0", b""))
REPLY = bytes.fromhex("01 0a 0400 00f01d83 00000000")
BOOT_LOG = b"ets Jul 29 2019 12:21:46\r\nrst:0x1 (POWERON_RESET),boot:0x3 (DOWNLOAD_BOOT)\r\n"

VECTORS = [
    (b"", b"\xc0\xc0"),
    (b"ab", b"\xc0ab\xc0"),
    (b"\xc0", b"\xc0\xdb\xdc\xc0"),
    (b"\xdb", b"\xc0\xdb\xdd\xc0"),
    (b"\xdb\xdc", b"\xc0\xdb\xdd\xdc\xc0"),
    (b"\xdb\xdd\xdb\xdc", b"\xc0\xdb\xdd\xdd\xdb\xdd\xdc\xc0"),
    (b"\xdc\xdd", b"\xc0\xdc\xdd\xc0"),
]


def decoded(chunks: Iterable[bytes], decoder: slip.Decoder | None = None) -> list[Frame | Noise]:
    decoder = decoder or slip.Decoder(lambda data: True)
    return [piece for chunk in chunks for piece in decoder.feed(chunk)]


def one_by_one(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


@pytest.mark.parametrize(("data", "wire"), VECTORS)
def test_vectors_both_ways(data: bytes, wire: bytes) -> None:
    """The two bytes with a meaning are escaped, all others go as they are."""
    assert slip.encode(data) == wire
    assert slip.unescape(wire[1:-1]) == data


@given(CONTENTS)
def test_round_trip_three_ways(data: bytes) -> None:
    """A frame comes back whole, byte by byte, and with more bytes behind it."""
    wire = slip.encode(data)
    assert decoded([wire]) == [Frame(data)]
    assert decoded(one_by_one(wire)) == [Frame(data)]
    decoder = slip.Decoder(lambda data: True)
    assert decoded([wire + b"more"], decoder) == [Frame(data)]
    assert decoder.pending == b"more"


@given(st.lists(CONTENTS), st.data())
def test_frames_in_a_row_however_they_are_cut(contents: list[bytes], data: st.DataObject) -> None:
    """Where the stream is cut into chunks makes no difference."""
    wire = b"".join(map(slip.encode, contents))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(wire)))))
    edges = zip([0, *cuts], [*cuts, len(wire)], strict=True)
    assert decoded(wire[a:b] for a, b in edges) == [Frame(each) for each in contents]


@given(st.lists(st.binary(max_size=30)))
def test_random_bytes_never_raise_and_none_is_lost(chunks: list[bytes]) -> None:
    """Whatever comes is a frame or noise, in order; only the C0 between them are left out."""
    decoder = slip.Decoder(lambda data: False)
    found = decoded(chunks, decoder)
    kept = b"".join(piece.data for piece in found) + decoder.pending
    assert kept == b"".join(chunks).replace(b"\xc0", b"")


@given(TEXT, CONTENTS, TEXT, CONTENTS)
@example(BOOT_LOG, REPLY, b"", REPLY)
def test_noise_before_and_between_frames(a: bytes, one: bytes, b: bytes, two: bytes) -> None:
    """Bytes outside of frames are noise, and the frames around them are whole."""
    accepted = {one, two}
    decoder = slip.Decoder(accepted.__contains__)
    found = decoded([a + slip.encode(one) + b + slip.encode(two)], decoder)
    assert [piece for piece in found if isinstance(piece, Frame)][-1] == Frame(two)
    assert Frame(one) in found


@pytest.mark.parametrize(
    "piece", [b"\xdb", b"a\xdb", b"\xdb\x00", b"\xdb\xdb\xdc", b"\xdc\xdb\xdb", b"\xdb\xdc\xdbz"]
)
def test_wrong_escapes(piece: bytes) -> None:
    """An escape that does not exist makes a piece noise, and the next frame is not touched."""
    assert slip.unescape(piece) is None
    found = decoded([b"\xc0" + piece + slip.encode(REPLY)])
    assert found == [Noise(piece), Frame(REPLY)]


@pytest.mark.parametrize("before", [b"\xc0", b"\xc0\xc0\xc0", b"log\xc0", b"a\xc0b\xc0c"])
def test_a_stray_end_byte_does_not_put_it_out_of_step(before: bytes) -> None:
    """An odd C0 in a boot log costs nothing behind it."""
    decoder = slip.Decoder(packet.is_response)
    found = decoded([before + 2 * slip.encode(REPLY)], decoder)
    assert found[-2:] == [Frame(REPLY), Frame(REPLY)]
    assert all(isinstance(piece, Noise) for piece in found[:-2])


def test_a_reply_cut_by_another_costs_only_itself() -> None:
    """The rest of a frame whose end was lost is noise."""
    decoder = slip.Decoder(packet.is_response)
    wire = slip.encode(REPLY)
    assert decoded([wire[:7] + wire], decoder) == [Noise(REPLY[:6]), Frame(REPLY)]


def test_endless_garbage_stays_bounded() -> None:
    """What never ends is given up as noise once it is too long for any frame."""
    decoder = slip.Decoder(packet.is_response)
    fed = found = 0
    for _ in range(100):
        found += sum(len(piece.data) for piece in decoder.feed(b"U" * 4000))
        fed += 4000
        assert len(decoder.pending) <= slip.MAX_PIECE
        assert found + len(decoder.pending) == fed
    assert decoded([slip.encode(REPLY)], decoder)[-1] == Frame(REPLY)


def test_flush_gives_up_what_waits() -> None:
    """After a flush the decoder is as new."""
    decoder = slip.Decoder(lambda data: True)
    decoder.feed(b"\xc0half")
    assert decoder.flush() == Noise(b"half")
    assert decoder.flush() == Noise(b"")
    assert decoded([slip.encode(REPLY)], decoder) == [Frame(REPLY)]
