"""What was read from a chip's eFuses, and what it means.

Pure functions of the words: numbers, protection, errors, and values in words of the field.
"""

from __future__ import annotations

from collections.abc import Mapping

from espshell.efuse.table import Fuse, Place, Table
from espshell.records import dataclass
from espshell.units import WORD

WORD_BITS = 32

_CODED_BITS = {0: 256, 1: 192, 2: 128, 3: 256}
"""Bits of an ESP32's blocks 1 to 3 by CODING_SCHEME (ESP32 TRM, "eFuse Controller")."""

_FIRST_PAD_ABOVE, _PADS_SKIPPED = 30, 2
"""An ESP32 has five bits for a GPIO: 30 and 31 stand for 32 and 33 (ESP32 TRM, SPI_PAD_CONFIG)."""

_CRC_POLYNOMIAL = 0x8C
"""x^8 + x^5 + x^4 + 1, reflected (ESP-IDF, ``esp_rom_efuse_mac_address_crc8``)."""

_BYTES = ("bytes", "key", "mac", "mac_first", "crc", "crc_first")
"""Kinds of fields whose value is bytes and not a number."""

_DIGEST = "SECURE_BOOT_DIGEST"
"""Purposes that begin so hold the digest of a public key."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The words of a chip's eFuses, by offset from the start of the controller.

    ``purposes`` are the chip's names of what key blocks are for, by number.
    """

    table: Table
    words: Mapping[int, int]
    purposes: Mapping[int, str]

    def block(self, number: int) -> tuple[int, ...]:
        """Return the words of a block as they were read."""
        block = self.table.blocks[number]
        return tuple(self.words[block.offset + WORD * n] for n in range(block.words))

    def number(self, fuse: Fuse) -> int:
        """Return a field's bits as one number; what is read-protected reads as 0."""
        value = shift = 0
        for place in self.places(fuse):
            block = self.table.blocks[place.block]
            index, low = divmod(place.first, WORD_BITS)
            last = (place.first + place.width - 1) // WORD_BITS
            words = [self.words[block.offset + WORD * n] for n in range(index, last + 1)]
            whole = sum(word << WORD_BITS * n for n, word in enumerate(words))
            value |= (whole >> low & (1 << place.width) - 1) << shift
            shift += place.width
        return value

    def named(self, *names: str) -> int:
        """Return the number of the first field of some names that the chip has; 0 for none."""
        fuse = self.table.first(*names)
        return self.number(fuse) if fuse else 0

    def places(self, fuse: Fuse) -> tuple[Place, ...]:
        """Return where a field is, with the size that the coding scheme leaves a whole block."""
        if fuse.width != max(_CODED_BITS.values()) or not self.coding_bits:
            return fuse.places
        return (Place(fuse.block, 0, self.coding_bits),)

    @property
    def coding_bits(self) -> int:
        """Bits of an ESP32's blocks 1 to 3; 0 for chips with one coding."""
        scheme = self.table.find("CODING_SCHEME")
        return _CODED_BITS[self.number(scheme)] if scheme else 0

    def is_readable(self, fuse: Fuse) -> bool:
        """Whether software may read a field."""
        bits = fuse.protection.read
        mask = self.named("RD_DIS")
        return not any(mask >> bit & 1 for bit in bits)

    def is_writable(self, fuse: Fuse) -> bool:
        """Whether more bits of a field can be burnt."""
        bit = fuse.protection.write
        return bit is None or not self.named("WR_DIS") >> bit & 1

    def is_key(self, fuse: Fuse) -> bool:
        """Whether it is a key block that can be read and holds more than a public key's digest."""
        if fuse.meaning.kind != "key" or not self.number(fuse):
            return False
        if fuse.name == "BLOCK2" and self.named("ABS_DONE_1"):
            return False  # of an ESP32 with secure boot version 2, which must read it
        purpose = self.table.find(f"KEY_PURPOSE_{fuse.name.removeprefix('BLOCK_KEY')}")
        name = self.purposes.get(self.number(purpose), "") if purpose else ""
        return not name.startswith(_DIGEST)

    def value(self, fuse: Fuse) -> float:
        """Return what a field stands for: a calibration with its unit, else its number."""
        kind, *numbers = fuse.meaning.kind.split(":")
        number = self.number(fuse)
        if kind == "pad" and number >= _FIRST_PAD_ABOVE:
            return number + _PADS_SKIPPED
        if kind not in ("signed", "twos"):
            return number
        top = 1 << fuse.width - 1
        rest = number & top - 1
        signed = (rest - top if kind == "twos" else -rest) if number & top else rest
        base, step = (float(text) for text in numbers)
        value = round(base + step * signed, 4)
        return int(value) if value.is_integer() and "." not in numbers[1] else value

    def text(self, fuse: Fuse, *, keys: bool = False) -> str:
        """Return a field's value in words; a key only if ``keys``."""
        if not self.is_readable(fuse):
            return "read-protected"
        kind, _, argument = fuse.meaning.kind.partition(":")
        if kind in _BYTES:
            return self._bytes_text(fuse, kind, argument, keys=keys)
        number = self.number(fuse)
        if kind == "words":
            texts = self.table.values.get(argument, ())
            return texts[number] if number < len(texts) else f"{number}, which has no meaning"
        count = number.bit_count()
        by_kind = {
            "flag": "yes" if number else "no",
            "hex": f"{number:#x}",
            "count": f"{'on' if count % 2 else 'off'} ({count} of {fuse.width} bits set)",
            "bits": f"{count} of {fuse.width}",
            "purpose": self.purposes.get(number, f"{number}, which is unknown"),
        }
        return by_kind.get(kind) or str(self.value(fuse))

    def _bytes_text(self, fuse: Fuse, kind: str, argument: str, *, keys: bool) -> str:
        data = self.data(fuse)
        if kind == "key" and self.is_key(fuse) and not keys:
            return f"{len(data)} bytes, readable (--keys shows them)"
        if kind in ("bytes", "key"):
            return data.hex(" ", -4) if any(data) else f"blank ({len(data)} bytes)"
        mac = data if kind.endswith("_first") else data[::-1]
        if kind.startswith("mac"):
            return mac.hex(":")
        stored, right = self.named(argument), mac_crc(mac)
        state = "right" if stored == right else f"wrong, {right:#04x} is right"
        return f"{mac.hex(':')} (CRC {stored:#04x}: {state})"

    def data(self, fuse: Fuse) -> bytes:
        """Return a field's bytes, the lowest bits first."""
        width = sum(place.width for place in self.places(fuse))
        return self.number(fuse).to_bytes(-(-width // 8), "little")

    def errors(self) -> tuple[str, ...]:
        """Return what the controller says about bits that are damaged."""
        messages = [
            f"block {error.block}: {bits & 7} errors, {'not ' * (bits >> 3)}corrected"
            for error in self.table.errors
            if (bits := self.words[error.offset] >> error.low & 0xF)
        ]
        copies = sum(self.words[offset].bit_count() for offset in self.table.repeat_errors)
        if copies:
            messages.insert(0, f"block 0: copies of {copies} bits disagree")
        if self.table.decode_status:
            offset, width = self.table.decode_status
            if warnings := self.words[offset] & (1 << width) - 1:
                messages.append(f"blocks 1 to 3: damaged coding (DEC_STATUS {warnings:#x})")
        return tuple(messages)


def mac_crc(mac: bytes) -> int:
    """Return the CRC-8 that an ESP32 keeps beside a MAC."""
    crc = 0
    for byte in mac:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (_CRC_POLYNOMIAL if crc & 1 else 0)
    return crc
