"""Secure-boot signatures behind an image: what they are, not whether they are right.

    version 1   ESP32: right behind the image, a word 0 and 64 bytes of ECDSA
    version 2   from the next 4 KiB on, up to three blocks of 1216 bytes: E7, 02 RSA or 03 ECDSA

The CRC of a block and the digest of the image in it are checked: they tell damage, not forgery.
The signature itself is not verified, for that needs the key that is burnt into the chip.

Sources: "Secure Boot v2" and "Secure Boot" of the ESP-IDF manual.  P-384 (byte 2 is 1, SHA-384,
all behind it moved by 16), and which bytes the digest of the key is of: as blocks that espsecure
5.6 writes have them, and as it reports them.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from typing import Final

from espshell.image.firmware import Firmware, Read
from espshell.records import dataclass
from espshell.span import align_up
from espshell.units import KIB, SECTOR

BLOCK_SIZE: Final = 1216
MAX_BLOCKS: Final = 3

_MAGIC = 0xE7
_V1_SIZE = 68
_CRC = struct.Struct("<I")
_CRC_AT = 1196
_DIGEST_AT = 4
_RSA_KEY = slice(36, 812)
_CHUNK = 64 * KIB


@dataclass(frozen=True, slots=True)
class _Scheme:
    # What a block is told by, and where things are in it.
    name: str
    hash: str
    key: slice
    version: int
    sha_384: int
    curve: int | None = None

    def fits(self, block: bytes) -> bool:
        return (block[1], block[2]) == (self.version, self.sha_384) and (
            self.curve is None or block[self.key.start] == self.curve
        )


_SCHEMES = (
    _Scheme("RSA-3072", "sha256", _RSA_KEY, 2, 0),
    _Scheme("ECDSA P-192", "sha256", slice(36, 101), 3, 0, 1),
    _Scheme("ECDSA P-256", "sha256", slice(36, 101), 3, 0, 2),
    _Scheme("ECDSA P-384", "sha384", slice(52, 149), 3, 1, 3),
)


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature; of version 1 only version, scheme and offset are known."""

    version: int
    """Of secure boot: 1 or 2."""
    scheme: str
    """``RSA-3072``, ``ECDSA P-256``, or ``unknown``."""
    offset: int
    crc_ok: bool | None = None
    digest_ok: bool | None = None
    """Whether the image is the one whose digest was signed; None if it was not read."""
    key_digest: bytes | None = None
    """SHA-256 of the public key: what the chip's eFuses hold."""

    @property
    def ok(self) -> bool | None:
        """Whether nothing is damaged; None if that is not known.  It says nothing of forgery."""
        if self.crc_ok is None or self.digest_ok is None:
            return False if self.crc_ok is False else None
        return self.crc_ok and self.digest_ok


def find(read: Read, firmware: Firmware, *, verify: bool = True) -> tuple[Signature, ...]:
    """Return the signatures behind an image, in their order.

    Reads a sector; with ``verify`` all of the image besides, if there is a block of version 2.
    """
    sector_at = align_up(firmware.end, SECTOR)
    signatures: list[Signature] = []
    digests: dict[str, bytes] = {}
    for n in range(MAX_BLOCKS):
        offset = sector_at + n * BLOCK_SIZE
        block = read(offset, BLOCK_SIZE) if offset + BLOCK_SIZE <= firmware.size else b""
        if len(block) < BLOCK_SIZE or block[0] != _MAGIC:
            break
        scheme = next((candidate for candidate in _SCHEMES if candidate.fits(block)), None)
        if scheme and verify and scheme.hash not in digests:
            digests[scheme.hash] = _digest(read, sector_at, scheme.hash)
        signatures.append(_block(block, offset, scheme, digests))
    return tuple(signatures) or _version_1(read, firmware)


def _block(
    block: bytes, offset: int, scheme: _Scheme | None, digests: dict[str, bytes]
) -> Signature:
    crc_ok = _CRC.unpack_from(block, _CRC_AT)[0] == zlib.crc32(block[:_CRC_AT])
    if scheme is None:
        return Signature(2, "unknown", offset, crc_ok)
    digest = digests.get(scheme.hash)
    return Signature(
        2,
        scheme.name,
        offset,
        crc_ok,
        None if digest is None else block.startswith(digest, _DIGEST_AT),
        hashlib.sha256(block[scheme.key]).digest(),
    )


def _version_1(read: Read, firmware: Firmware) -> tuple[Signature, ...]:
    # Only ESP32, whose id is 0, has it.
    if not firmware.extended or firmware.extended.chip_id != 0 or firmware.trailing < _V1_SIZE:
        return ()
    data = read(firmware.end, _V1_SIZE)
    blank = {bytes([byte]) * (_V1_SIZE - 4) for byte in (0, 0xFF)}
    if len(data) < _V1_SIZE or data[:4] != bytes(4) or data[4:] in blank:
        return ()
    return (Signature(1, "ECDSA P-256", firmware.end),)


def _digest(read: Read, end: int, name: str) -> bytes:
    state = hashlib.new(name)
    for offset in range(0, end, _CHUNK):
        state.update(read(offset, min(_CHUNK, end - offset)))
    return state.digest()
