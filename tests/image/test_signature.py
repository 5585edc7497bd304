"""Secure-boot signatures: found, named, and their CRC and image digest checked."""

from __future__ import annotations

import hashlib

import pytest

from espshell.image import firmware, signature
from espshell.image.signature import BLOCK_SIZE, Signature
from espshell.units import SECTOR
from tests.image import support

IMAGE = support.firmware(((0x4008_0400, b"code"),))
SCHEMES = {
    "RSA-3072": {"version": 2},
    "ECDSA P-192": {"version": 3, "curve": 1},
    "ECDSA P-256": {"version": 3, "curve": 2},
    "ECDSA P-384": {"version": 3, "curve": 3},
}
KEYS = {"RSA-3072": (36, 812), "ECDSA P-384": (52, 149)}


def find(data: bytes, *, verify: bool = True) -> tuple[Signature, ...]:
    """Return the signatures of an image in memory."""
    return signature.find(firmware.reader(data), firmware.parse(data), verify=verify)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_block_is_named_and_checked(scheme: str) -> None:
    """Scheme, offset, both checks and the digest of the key come from where the block has them."""
    data = support.signed(IMAGE, **SCHEMES[scheme])
    start, end = KEYS.get(scheme, (36, 101))
    key = hashlib.sha256(data[SECTOR + start : SECTOR + end]).digest()
    (found,) = find(data)
    assert found == Signature(2, scheme, SECTOR, crc_ok=True, digest_ok=True, key_digest=key)
    assert found.ok


def test_an_image_that_fills_its_last_sector() -> None:
    """Nothing lies between an image that ends at a sector's end and its signature."""
    image = support.firmware(((0x4008_0400, bytes(SECTOR - 80)),))
    assert len(image) == SECTOR
    (found,) = find(support.signed(image))
    assert (found.offset, found.ok) == (SECTOR, True)


@pytest.mark.parametrize(
    ("position", "crc_ok", "digest_ok"),
    [(SECTOR + 900, False, True), (SECTOR + 1196, False, True), (SECTOR - 1, True, False)],
)
def test_damage_is_seen(position: int, crc_ok: bool, digest_ok: bool) -> None:
    """A changed byte of the block shows in its CRC, one of the padded image in the digest."""
    data = bytearray(support.signed(IMAGE))
    data[position] ^= 1
    (found,) = find(bytes(data))
    assert (found.crc_ok, found.digest_ok, found.ok) == (crc_ok, digest_ok, False)


def test_three_blocks_at_most() -> None:
    """Blocks follow each other from the start of their sector; a fourth one would not fit."""
    data = support.signed(IMAGE)
    block = data[SECTOR : SECTOR + BLOCK_SIZE]
    full = (data[:SECTOR] + block * 3).ljust(2 * SECTOR, b"\xe7")
    assert [each.offset - SECTOR for each in find(full)] == [0, BLOCK_SIZE, 2 * BLOCK_SIZE]
    gap = data[:SECTOR] + b"\xff" * BLOCK_SIZE + block
    assert find(gap) == ()


def test_a_scheme_that_is_not_known() -> None:
    """A block of another version is there all the same, with its CRC."""
    (found,) = find(support.signed(IMAGE, version=9))
    assert found == Signature(2, "unknown", SECTOR, crc_ok=True)
    assert found.ok is None


def test_without_verify_the_image_is_not_read() -> None:
    """Then it is open whether the digest agrees."""
    (found,) = find(support.signed(IMAGE), verify=False)
    assert (found.crc_ok, found.digest_ok, found.ok) == (True, None, None)


VERSION_1 = bytes(4) + bytes(range(64))


def test_version_1_stands_right_behind_the_image() -> None:
    """A word 0 and 64 bytes that are not blank are a signature of an ESP32."""
    (found,) = find(IMAGE + VERSION_1)
    assert found == Signature(1, "ECDSA P-256", len(IMAGE))
    assert found.ok is None


@pytest.mark.parametrize(
    "data",
    [
        IMAGE,
        IMAGE + VERSION_1[:-1],
        IMAGE + bytes(68),
        IMAGE + bytes(4) + b"\xff" * 64,
        IMAGE + b"\xff" + VERSION_1,
        support.firmware(((0x4008_0400, b"code"),), chip=5) + VERSION_1,
        support.esp8266(((0x4010_0000, b"code"),)) + VERSION_1,
        support.signed(IMAGE)[: SECTOR + BLOCK_SIZE - 1],
    ],
)
def test_what_is_no_signature(data: bytes) -> None:
    """Padding, a piece of one, and version 1 behind images for other chips are none."""
    assert find(data) == ()
