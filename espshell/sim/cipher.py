"""Flash encryption: what a loader writes when a FLASH_BEGIN asks for it.

A real chip uses AES with a key from its eFuses and the address.  Here the ciphertext is the data
XOR a stream that depends on the address alone, so ``apply`` goes both ways.  As on a real chip a
loader reads back what the flash holds, and it encrypts whenever it is asked, also when the eFuses
hold no key yet (esptool's own tests rely on it, on an ESP32).
"""

from __future__ import annotations

import hashlib

_ROW = 256


def apply(data: bytes, offset: int) -> bytes:
    """Return data for an offset in flash encrypted, or decrypted."""
    first = offset // _ROW
    rows = range(first, (offset + len(data) + _ROW - 1) // _ROW)
    stream = b"".join(hashlib.shake_128(b"flash encryption %d" % row).digest(_ROW) for row in rows)[
        offset - first * _ROW :
    ][: len(data)]
    mixed = int.from_bytes(data, "little") ^ int.from_bytes(stream, "little")
    return mixed.to_bytes(len(data), "little")
