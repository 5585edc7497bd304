"""Firmware images: what is read, every way of being broken, how much is read, and new settings."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from espshell.errors import UsageError
from espshell.image import firmware
from espshell.image.firmware import ExtendedHeader, Firmware, Header, ImageLayout, Segment, Sum
from tests.image import support

RAM = ((0x3FFB_0000, b"data" * 3), (0x4008_0400, b"\x12\x34\x56\x78" * 25))
ESP32 = support.firmware(RAM)
UNHASHED = support.firmware(RAM, hashed=False)
V1_RAM = ((0x3FFE_8000, b"data" * 3), (0x4010_0000, b"\x12\x34\x56\x78" * 25))
V1 = support.esp8266(V1_RAM)
V2 = support.esp8266_v2(b"in flash, odd sum" + bytes(15), V1_RAM)
IMAGES = {"esp32": ESP32, "unhashed": UNHASHED, "v1": V1, "v2": V2}
HASH_FLAG = 23
NOT_HASHED = ("unhashed", "v1")

every_image = pytest.mark.parametrize("name", IMAGES)


def outcome(data: bytes) -> Firmware | None:
    """Return what is parsed; None for a UsageError, which must be one line."""
    try:
        return firmware.parse(data)
    except UsageError as error:
        message = error.message
    assert message
    assert "\n" not in message
    return None


def test_an_image_of_esp32_is_read_field_by_field() -> None:
    """Headers, segments and sums have the values that the image was written with."""
    found = firmware.parse(ESP32)
    at = 24 + 8 + 12 + 8
    end = len(ESP32)
    assert found == Firmware(
        layout=ImageLayout.EXTENDED,
        size=end,
        end=end,
        header=Header(0xE9, 2, 2, 0x2F, 0x4008_0400),
        first_header=None,
        extended=ExtendedHeader(0xEE, (0, 1, 2, 3, 4, 5), 0, 3, 301, 399, hash_appended=True),
        segments=(Segment(0x3FFB_0000, 12, 32), Segment(0x4008_0400, 100, at)),
        checksum=Sum(ESP32[-33:-32], ESP32[-33:-32]),
        digest=Sum(ESP32[-32:], ESP32[-32:]),
        crc=None,
        blank_after=None,
    )
    assert (found.header.size_code, found.header.frequency_code) == (0x20, 0x0F)
    assert found.extended is not None
    assert (found.extended.min_revision, found.extended.max_revision) == ((3, 1), (3, 99))
    assert found.ok


@pytest.mark.parametrize("unset", [b"\0\0", b"\xff\xff"])
def test_revisions_that_are_not_set(unset: bytes) -> None:
    """0, as before there were such fields, and FFFF, as without a limit, are not revisions."""
    found = firmware.parse(UNHASHED[:15] + unset * 2 + UNHASHED[19:]).extended
    assert found is not None
    assert (found.min_revision, found.max_revision) == (None, None)


@every_image
def test_segments_lie_where_their_offsets_say(name: str) -> None:
    """The bytes at a segment's offset are those that it was written with."""
    data = IMAGES[name]
    found = firmware.parse(data)
    loaded = [each for each in found.segments if each.placed]
    wanted = RAM if found.extended else V1_RAM
    assert [(s.address, data[s.offset : s.offset + s.size]) for s in loaded] == list(wanted)
    assert (found.ok, found.trailing) == (True, 0)


def test_version_2_has_a_part_in_flash_and_two_headers() -> None:
    """The part that stays in flash is the first segment, without an address; the CRC agrees."""
    found = firmware.parse(V2)
    assert found.layout is ImageLayout.ESP8266_V2
    assert found.first_header == Header(0xEA, 4, 2, 0x40, 0x4010_0000)
    assert found.header.segment_count == 2
    assert found.segments[0] == Segment(0, 32, 16)
    assert not found.segments[0].placed
    assert found.crc == Sum(V2[-4:], V2[-4:])


def test_version_2_may_come_without_its_crc() -> None:
    """An image that ends with its checksum is whole, and has no CRC."""
    found = firmware.parse(V2[:-4])
    assert (found.ok, found.crc, found.trailing) == (True, None, 0)


@given(st.binary(max_size=64))
def test_both_forms_of_the_crc_of_version_2(text: bytes) -> None:
    """The CRC agrees whether its top bit is set or not."""
    image = support.esp8266_v2(bytes(16), ((0x4010_0000, text),))
    assert firmware.parse(image).ok


def test_a_digest_behind_version_1_is_found_by_its_value() -> None:
    """No flag tells of the SHA-256 of version 3: it counts if it agrees, else it is other data."""
    digest = hashlib.sha256(V1).digest()
    found = firmware.parse(V1 + digest)
    assert (found.digest, found.trailing) == (Sum(digest, digest), 0)
    other = firmware.parse(V1 + bytes(32))
    assert (other.digest, other.trailing, other.ok) == (None, 32, True)


@pytest.mark.parametrize("esp8266", [True, False])
def test_the_caller_knows_better(esp8266: bool) -> None:
    """Told which kind an image is, its bytes are not asked."""
    low = support.esp8266(((0x10, b"word"),))
    data = low if esp8266 else ESP32
    found = firmware.parse(data, esp8266=esp8266)
    assert (found.layout is ImageLayout.ESP8266_V1) is esp8266
    with pytest.raises(UsageError):
        firmware.parse(data, esp8266=not esp8266)


@pytest.mark.parametrize(
    ("rest", "blank"),
    [(b"", None), (b"\xff" * 9, True), (bytes(9), True), (b"\xff\0", False), (b"a" * 9, False)],
)
def test_what_follows_the_image(rest: bytes, blank: bool | None) -> None:
    """Bytes behind the end are counted, and said to be blank if all of them are FF or 00."""
    found = firmware.parse(ESP32 + rest)
    assert (found.end, found.trailing, found.blank_after) == (len(ESP32), len(rest), blank)
    assert found.ok


@every_image
def test_a_wrong_sum_is_a_finding(name: str) -> None:
    """A changed byte of a segment's data is not an error: the sums no longer agree."""
    data = bytearray(IMAGES[name])
    data[firmware.parse(IMAGES[name]).segments[-1].offset] ^= 0x40
    found = firmware.parse(bytes(data))
    assert found.checksum.ok is False
    assert [each.ok for each in (found.digest, found.crc) if each] in ([], [False])
    assert found.ok is False


def test_a_digest_sees_what_the_checksum_does_not() -> None:
    """Another entry point leaves the checksum right, and the SHA-256 wrong."""
    found = firmware.parse(ESP32[:4] + bytes(4) + ESP32[8:])
    assert found.digest is not None
    assert (found.checksum.ok, found.digest.ok, found.ok) == (True, False, False)


BROKEN: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "its header at 0x0"),
    "another magic": (b"\x7fELF" + bytes(60), "begins with 0x7f, expected 0xe9 or 0xea"),
    "no segments": (bytes([0xE9, 0]) + ESP32[2:], "it has 0 segments, expected 1 to 16"),
    "too many": (bytes([0xE9, 17]) + ESP32[2:], "it has 17 segments"),
    "one too many": (bytes([0xE9, 3]) + UNHASHED[2:], "the segment for 0x00000000 has 0xf7"),
    "half a segment header": (
        UNHASHED[:50],
        "the header of a segment at 0x2c reaches past its end",
    ),
    "a hash flag": (ESP32[:23] + b"\x02" + ESP32[24:], "hash flag is 0x02"),
    "huge": (ESP32[:28] + b"\xff" * 4 + ESP32[32:], "has 0xffffffff bytes, only 0x"),
    "a second magic": (V2[:48] + b"\x00" + V2[49:], "its second header at 0x30 begins with 0x00"),
    "no second header": (V2[:50], "its header at 0x30"),
    "no digest": (ESP32[:-1], "its SHA-256 at 0x"),
    "no checksum": (UNHASHED[:-1], "its checksum at 0x"),
}


@pytest.mark.parametrize(("data", "says"), BROKEN.values(), ids=BROKEN)
def test_a_broken_image_is_named(data: bytes, says: str) -> None:
    """Each way of being broken has a sentence that names the place or the value."""
    with pytest.raises(UsageError) as caught:
        firmware.parse(data)
    assert says in caught.value.message
    assert caught.value.status == 2


@every_image
def test_every_truncation_is_refused(name: str) -> None:
    """No part of an image is taken for an image, but version 2 without its CRC."""
    data = IMAGES[name]
    whole = len(data) - (4 if name == "v2" else 0)
    assert all(outcome(data[:size]) is None for size in range(whole))


@every_image
def test_every_byte_of_the_headers_may_be_wrong(name: str, stride: Callable[[int], int]) -> None:
    """Any value of any byte of any header gives an image or a UsageError; a digest notices it."""
    data = IMAGES[name]
    inside = {n for s in firmware.parse(data).segments for n in range(s.offset, s.offset + s.size)}
    headers = [n for n in range(len(data) - 48) if n not in inside]
    for position in headers:
        for value in range(position % stride(1), 256, stride(1)):
            found = outcome(data[:position] + bytes([value]) + data[position + 1 :])
            changed = value != data[position] and position != HASH_FLAG
            if found and changed and name not in NOT_HASHED:
                assert found.ok is False


@given(
    st.binary(max_size=200),
    st.sampled_from(
        [b"", b"\xe9", b"\xea\x04", b"\xe9\x01", *(each[:24] for each in IMAGES.values())]
    ),
)
def test_random_bytes_never_do_more_than_raise_a_usage_error(data: bytes, start: bytes) -> None:
    """Whatever comes behind the start of an image, nothing but a UsageError is raised."""
    outcome(start + data)


@given(
    st.sampled_from(list(IMAGES.values())),
    st.lists(st.tuples(st.integers(0, 250), st.binary(min_size=1, max_size=4)), max_size=6),
)
def test_mutations_never_do_more_than_raise_a_usage_error(
    image: bytes, changes: list[tuple[int, bytes]]
) -> None:
    """Bytes put anywhere into an image lead to nothing but a UsageError."""
    data = bytearray(image)
    for position, new in changes:
        data[position : position + len(new)] = new
    outcome(bytes(data))


def counting(data: bytes) -> tuple[Callable[[int, int], bytes], list[tuple[int, int]]]:
    """Return a reader of bytes, and the list that it keeps of what was asked."""
    asked: list[tuple[int, int]] = []

    def read(offset: int, size: int) -> bytes:
        asked.append((offset, size))
        return data[offset : offset + size]

    return read, asked


def test_without_sums_only_headers_are_read() -> None:
    """An image of a megabyte costs headers, checksum and digest; whether they agree is open."""
    image = support.firmware(((0x3F40_0020, bytes(1 << 20)), *RAM))
    read, asked = counting(image + b"more")
    found = firmware.parse_from(read, len(image) + 4, verify=False)
    assert found.segments == firmware.parse(image).segments
    assert (found.ok, found.checksum.ok, found.blank_after) == (None, None, None)
    assert sum(size for _, size in asked) < 200


def test_with_sums_every_byte_is_read_about_once() -> None:
    """In all the image is read, and its headers again, in pieces of 64 KiB at most."""
    image = support.firmware(((0x3F40_0020, bytes(1 << 20)), *RAM))
    read, asked = counting(image + bytes(1 << 20))
    assert firmware.parse_from(read, len(image) + (1 << 20)).ok
    assert sum(size for _, size in asked) < len(image) + 200
    assert max(size for _, size in asked) <= 1 << 16


def test_a_huge_segment_is_refused_before_it_is_read() -> None:
    """A segment said to have 4 GiB costs no more than the headers before it."""
    read, asked = counting(BROKEN["huge"][0])
    with pytest.raises(UsageError):
        firmware.parse_from(read, len(BROKEN["huge"][0]))
    assert sum(size for _, size in asked) < 100


def test_a_reader_that_stops_early() -> None:
    """A reader with less than it was said to have leads to a UsageError, not to wrong sums."""

    def read(offset: int, size: int) -> bytes:
        return ESP32[offset : offset + size] if size < len(ESP32) // 2 else b""

    with pytest.raises(UsageError, match="its data at 0x34 cannot be read to its end"):
        firmware.parse_from(read, len(ESP32))


@pytest.mark.parametrize("name", ["esp32", "unhashed", "v1"])
def test_new_flash_settings_leave_a_whole_image(name: str) -> None:
    """Two bytes are new, the digest fits again, and what follows the image stays."""
    data = IMAGES[name] + b"behind"
    patched = firmware.patch_header(data, mode=0, size=0x30, frequency=0x02)
    found = firmware.parse(patched)
    assert (found.header.mode, found.header.size_frequency, found.ok) == (0, 0x32, True)
    assert patched[:2] == data[:2]
    assert patched[4 : found.end - 32] == data[4 : found.end - 32]
    assert patched[found.end :] == b"behind"


def test_settings_that_are_not_given_stay() -> None:
    """Without a value for it, a setting keeps what it had; without any, so do all bytes."""
    assert firmware.patch_header(ESP32) == ESP32
    head = firmware.parse(firmware.patch_header(ESP32, size=0x70)).header
    assert (head.mode, head.size_frequency) == (2, 0x7F)


@pytest.mark.parametrize(
    ("data", "says"),
    [(V2, "0xea"), (ESP32[:-1] + b"?", "is wrong"), (ESP32[:40], "is damaged")],
)
def test_new_settings_are_refused_for_what_they_would_hide(data: bytes, says: str) -> None:
    """Version 2, a damaged image and a broken one are not given a new digest."""
    with pytest.raises(UsageError, match=says):
        firmware.patch_header(data, mode=1)
