"""UF2: the blocks of the specification, and what of them can be trusted."""

from __future__ import annotations

import struct
from hashlib import md5

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from espshell.errors import UsageError
from espshell.image import uf2

FAMILY = 0x1C5F_21B0


def block(
    data: bytes = b"abcd",
    *,
    address: int = 0x1000,
    flags: int = 0x2000,
    number: int = 0,
    count: int = 1,
    tail: bytes = b"",
) -> bytes:
    """Return a block with the fields in the order of the specification's table."""
    numbers = (0x0A324655, 0x9E5D5157, flags, address, len(data), number, count, FAMILY)
    room = 476 - len(tail)
    return struct.pack("<8I", *numbers) + data.ljust(room, b"\0") + tail + b"\x30\x6f\xb1\x0a"


def digest(address: int, size: int, data: bytes) -> bytes:
    return struct.pack("<II", address, size) + md5(data).digest()


@given(
    st.binary(min_size=1, max_size=2000),
    st.integers(0, 0xFFFF_0000),
    st.none() | st.integers(1, 113).map(lambda words: 4 * words),
    st.booleans(),
)
def test_round_trip(data: bytes, address: int, chunk: int | None, with_md5: bool) -> None:
    """One segment with the same bytes, in whole blocks as few as the payload allows."""
    contents = uf2.write(address, data, family=FAMILY, chunk_size=chunk, md5=with_md5)
    chunk = chunk or (452 if with_md5 else 476)
    assert len(contents) == 512 * -(-len(data) // chunk)
    assert contents.startswith(uf2.START)
    assert uf2.read(contents) == uf2.Uf2(((address, data),), (FAMILY,))


def test_a_block_of_the_specification() -> None:
    """Without a digest a block is the header, the payload, zeros and the last magic number."""
    assert uf2.write(0x1000, b"abcd", family=FAMILY, md5=False) == block()


def test_files_in_a_row() -> None:
    """Each has block numbers of its own; what touches is one segment."""
    files = [(0x9000, b"b" * 600), (0x1000, b"c"), (0x8000, b"a" * 0x1000)]
    contents = b"".join(uf2.write(offset, data, family=FAMILY) for offset, data in files)
    segments = ((0x1000, b"c"), (0x8000, b"a" * 0x1000 + b"b" * 600))
    assert uf2.read(contents).segments == segments


def test_the_digest_where_the_specification_wants_it() -> None:
    """It is found in the last 24 bytes, too, and may be over more than this block."""
    here = digest(0x1000, 4, b"abcd")
    expected = ((0x1000, b"abcd"),)
    assert uf2.read(block(flags=0x6000, tail=here)).segments == expected
    for contents, good in ((b"abcdabcd", True), (b"abcdabce", False)):
        both = digest(0x1000, 8, contents)
        blocks = [
            block(flags=0x6000, tail=both, number=i, count=2, address=0x1000 + 4 * i)
            for i in range(2)
        ]
        if good:
            assert uf2.read(b"".join(blocks)).segments == ((0x1000, b"abcdabcd"),)
            continue
        with pytest.raises(UsageError, match=r"wrong MD5 for 0x1000\.\.0x1008"):
            uf2.read(b"".join(blocks))


@pytest.mark.parametrize("flag", [0x0001, 0x1000])
def test_blocks_that_are_not_for_the_flash(flag: int) -> None:
    """Comments and contained files are left out; the rest is read."""
    contents = block(flags=flag, count=2) + block(flags=0, number=1, count=2, address=0x20)
    assert uf2.read(contents) == uf2.Uf2(((0x20, b"abcd"),), ())


@pytest.mark.parametrize(
    ("contents", "part"),
    [
        (b"", "is not UF2"),
        (block()[:-1], "not a multiple of 512"),
        (block() + bytes(512), "block 1 of a.uf2 has no magic"),
        (block()[:-1] + b"\0", "block 0 of a.uf2 has no magic"),
        (block(bytes(477))[:508] + block()[508:], "477 bytes"),
        (block(number=1, count=1), "number 1 of 1"),
        (block(count=3), "lacks its last blocks .2."),
        (block(number=1, count=3), "out of sequence"),
        (block(count=2) + block(address=0), "starts over, but 1 are missing"),
        (block() + block(address=0xFFF), "two blocks of a.uf2 have data for 0x1000"),
        (block(flags=0x6000, tail=digest(0x1000, 4, b"abce")), "wrong MD5"),
    ],
)
def test_broken_files(contents: bytes, part: str) -> None:
    """Each is refused in a sentence with the number of the block."""
    with pytest.raises(UsageError, match=part):
        uf2.read(contents, name="a.uf2")


@given(st.integers(0, 511), st.integers(1, 255))
@example(16, 64)
def test_every_flipped_byte_that_matters_is_noticed(index: int, flip: int) -> None:
    """Payload and addresses are under the digest; only flags and family can change unseen."""
    good = uf2.write(0x1000, bytes(452), family=FAMILY)
    changed = bytearray(good)
    changed[index] ^= flip
    try:
        found = uf2.read(bytes(changed))
    except UsageError:
        return
    assert found.segments in (((0x1000, bytes(452)),), ())
    assert 8 <= index < 12 or 28 <= index < 32 or 484 <= index < 492


@given(st.binary(max_size=600), st.integers(0, 1023))
def test_any_bytes_are_read_or_refused_in_one_line(garbage: bytes, at: int) -> None:
    """Whatever is overwritten, it is a file or a usage error."""
    good = uf2.write(0x1000, bytes(800), family=FAMILY)
    contents = good[:at] + garbage + good[at + len(garbage) :]
    message = ""
    try:
        assert uf2.read(contents).segments is not None
    except UsageError as error:
        message = error.message
    assert "\n" not in message


@pytest.mark.parametrize("size", [0, 2, 454, 456, -4])
def test_chunks_that_no_block_takes(size: int) -> None:
    """The payload must fit, and be whole words."""
    with pytest.raises(UsageError, match="452"):
        uf2.write(0, b"a", family=FAMILY, chunk_size=size)


def test_addresses_have_32_bits() -> None:
    """There is no way to say a larger one."""
    with pytest.raises(UsageError, match="4 GiB"):
        uf2.write(0xFFFF_FFFF, b"ab", family=FAMILY)
