"""copy, find, diff and hash: whole ranges, on a simulated chip and as pure functions."""

from __future__ import annotations

import hashlib
import re
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from espshell.errors import UsageError
from espshell.ops.memory.diff import diff
from espshell.ops.memory.find import Hit, Pattern, find
from espshell.ops.memory.hash import ALGORITHMS, hash_range
from espshell.ops.memory.words import copy
from tests.loader.support import open_sim, wire_of

C3 = open_sim(chip="esp32c3")
MEM = C3.memory
RAM = 0x3FC9_0000


def put(data: bytes, address: int = RAM) -> None:
    """Put bytes into the simulated chip, past the loader."""
    wire_of(C3).chip.memory.write(address, data)


def ram(size: int, address: int = RAM) -> bytes:
    """Return what the simulated chip holds."""
    return wire_of(C3).chip.memory.read(address, size)


# copy --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [-70, -3, -1, 1, 2, 5, 130])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_copy_of_ranges_that_overlap(offset: int, size: int) -> None:
    """The target holds what the source held, whatever they share; around it nothing changes."""
    before = bytes(i * 7 % 251 for i in range(512))
    put(before)
    result = copy(MEM, RAM + 200, size, RAM + 200 + offset)

    at = 200 + offset
    assert result.ok
    assert result.verified
    assert result.writes[0].old == before[at : at + size]
    assert ram(512) == before[:at] + before[200 : 200 + size] + before[at + size :]


def test_copy_is_refused_where_nothing_can_be_written() -> None:
    """Both ends are looked up before anything is sent."""
    with pytest.raises(UsageError, match="cannot be written"):
        copy(MEM, RAM, 16, 0x4000_0000)
    with pytest.raises(UsageError, match="outside the memory map"):
        copy(MEM, 0x10, 16, RAM)


# find --------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    st.binary(min_size=1, max_size=3).map(lambda part: bytes(byte % 3 for byte in part)),
    st.integers(0, 2**32),
    st.sampled_from([1, 2, 4]),
    st.integers(1, 2500),
)
def test_find_is_what_a_search_of_all_bytes_finds(
    needle: bytes, seed: int, align: int, size: int
) -> None:
    """Every place once and in order, also across the pieces in which the bytes arrive."""
    data = bytes((seed * (i + 1) >> 5) * 2654435761 % 3 for i in range(size))
    put(data)
    result = find(MEM, RAM, size, Pattern.of_bytes(needle), align=align, most=10_000)

    expected = [RAM + m.start() for m in re.finditer(b"(?=%b)" % re.escape(needle), data, re.S)]
    assert [hit.address for hit in result.hits] == [a for a in expected if a % align == 0]
    assert result.ok == bool(result.hits)
    assert result.complete


def test_rows_around_a_place() -> None:
    """A place comes with the rows that it touches, cut where the search was."""
    put(bytes(range(64)))
    (hit,) = find(MEM, RAM + 3, 50, Pattern.of_hex("0f10")).hits
    assert (hit.address, hit.row_address) == (RAM + 15, RAM + 3)
    assert hit.row == bytes(range(3, 32))
    (hit,) = find(MEM, RAM, 64, Pattern.of_hex("2a??2c")).hits
    assert hit.row == bytes(range(32, 48))


def test_search_stops_and_says_so() -> None:
    """After the most places that are wanted nothing more is read."""
    put(bytes(4096))
    before = wire_of(C3).count.requests
    result = find(MEM, RAM, 4096, Pattern.of_bytes(b"\0"), most=3)
    assert [hit.address for hit in result.hits] == [RAM, RAM + 1, RAM + 2]
    assert not result.complete
    assert "stopped after 3 places" in result.notes[0]
    assert wire_of(C3).count.requests - before < 500
    assert find(MEM, RAM, 16, Pattern.of_bytes(b"\1")).failure == (
        "01 is not in 0x3fc90000..0x3fc90010"
    )


def test_patterns() -> None:
    """A number is little-endian of its width; hex has pairs, and ?? for any byte."""
    assert Pattern.of_number(0x1234, 32).text == "34120000"
    assert Pattern.of_number(-1, 16).text == "ffff"
    assert Pattern.of_hex("de??_BE").items == (0xDE, None, 0xBE)


@pytest.mark.parametrize("text", ["", "d", "dex", "d?", "????", "zz"])
def test_what_is_no_pattern(text: str) -> None:
    """Half a byte is none, and a pattern that is everywhere is a mistake."""
    with pytest.raises(UsageError):
        Pattern.of_hex(text)


def test_find_keeps_no_more_than_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every byte matches, the places behind the last one that counts are not gathered."""
    made = 0

    def counted(*values: object) -> Hit:
        nonlocal made
        made += 1
        return Hit(*values)  # type: ignore[arg-type]

    monkeypatch.setattr("espshell.ops.memory.find.Hit", counted)
    put(bytes(4096))
    assert len(find(MEM, RAM, 4096, Pattern.of_hex("00"), most=5).hits) == 5
    assert made == 5
    with pytest.raises(UsageError, match="at most 100000 are kept"):
        find(MEM, RAM, 4096, Pattern.of_hex("00"), most=100_001)


# diff --------------------------------------------------------------------------------------------


@given(st.binary(max_size=200), st.data())
def test_diff_is_the_bytes_that_differ(old: bytes, data: st.DataObject) -> None:
    """The ranges are maximal, ascending, and hold exactly the bytes that are not the same."""
    new = data.draw(st.binary(min_size=len(old), max_size=len(old)))
    result = diff(old, new, address=100)

    wrong = [100 + i for i in range(len(old)) if old[i] != new[i]]
    assert [a for s in result.differing for a in range(s.start, s.end)] == wrong
    assert result.bytes_differing == len(wrong)
    assert result.ok == (old == new)
    ends = [span.end for span in result.differing]
    assert all(e < s.start for e, s in zip(ends, result.differing[1:], strict=False))
    pairs = list(zip(old, new, strict=True))
    assert result.bits_set == sum((n & ~o).bit_count() for o, n in pairs)
    assert result.bits_cleared == sum((o & ~n).bit_count() for o, n in pairs)


def test_diff_of_two_sizes() -> None:
    """Nothing is guessed about bytes that one side does not have."""
    with pytest.raises(UsageError, match="sizes differ: 3 bytes and 4"):
        diff(b"abc", b"abcd")


# hash --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_hash_is_that_of_the_bytes(algorithm: str) -> None:
    """A digest is that of the whole range, however its pieces came."""
    data = bytes(range(256)) * 9
    put(data)
    wanted = (
        f"{zlib.crc32(data[1:]):08x}"
        if algorithm == "crc32"
        else hashlib.new(algorithm, data[1:]).hexdigest()
    )
    assert hash_range(MEM, RAM + 1, len(data) - 1, algorithm).digest == wanted


def test_no_flipped_bit_makes_a_hash_of_flash_wrong() -> None:
    """Whichever reply it is in: the digest is right, or there is none."""
    data = bytes(range(256)) * 16

    def hashed(options: str = "") -> tuple[str, int, int]:
        target = open_sim(options, "esp32c3")
        wire_of(target).chip.flash.load(data)
        assert target.flash.size
        before = wire_of(target).count.replies
        found = hash_range(target.flash, 0, len(data)).digest
        return found, before, wire_of(target).count.replies

    wanted = hashlib.md5(data).hexdigest()
    found, first, last = hashed()
    assert found == wanted
    for number in range(first + 1, last + 1):
        assert hashed(f"fault=flip@reply:{number}:12.3")[0] == wanted
