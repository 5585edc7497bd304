"""Contents of a simulated chip's eFuses: what its model and URL say, or words block by block.

Fields of the model are set by the tables of chips; where the blocks are, and how the controller
protects and codes them, are facts of this module.
"""

from __future__ import annotations

import re

from espshell.chips import Bits, Chip, Field

MAC_CRC_POLYNOMIAL = 0x8C
"""x^8 + x^5 + x^4 + 1, reflected (ESP-IDF, ``esp_rom_efuse_mac_address_crc8``)."""


def can_be(field: Field, number: int) -> bool:
    """Whether a field can hold a number, and chips exist where it does."""
    if field.decode and number not in dict(field.decode).values():
        return False
    words: dict[int, int] = {}
    put(words, field, number)
    return field.value(lambda address: words.get(address, 0)) == number


def put(words: dict[int, int], field: Field, number: int) -> None:
    """Set the bits of a field."""
    raw = next((bits for bits, meaning in field.decode if meaning == number), number)
    for part in field.parts:
        _put_bits(words, part, raw)
        raw >>= part.width


def put_mac(words: dict[int, int], chip: Chip, mac: int, crc: Bits | None = None) -> None:
    """Set the words of the base MAC, and its CRC where the chip has one; other fields go before."""
    split = chip.split_mac
    if split is None:
        _put_bits(words, Bits(chip.mac[0], 0, 32), mac)
        _put_bits(words, Bits(chip.mac[1], 0, 16), mac >> 32)
        if crc is not None:
            _put_bits(words, crc, mac_crc(mac.to_bytes(6, "big")))
        return
    oui = mac >> 24
    put(words, split.low, mac & 0xFF_FFFF)
    code = next((code for code, meaning in split.codes if meaning == oui), None)
    if code is not None:
        put(words, split.code, code)
    if code is None or split.oui_word.value(lambda address: words.get(address, 0)):
        put(words, split.oui, oui)


def mac_crc(mac: bytes) -> int:
    """Return the CRC-8 that an ESP32 keeps beside its MAC."""
    crc = 0
    for byte in mac:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (MAC_CRC_POLYNOMIAL if crc & 1 else 0)
    return crc


def _put_bits(words: dict[int, int], bits: Bits, value: int) -> None:
    others = words.get(bits.address, 0) & ~bits.mask
    words[bits.address] = others | (value << bits.low & bits.mask)


# Whole states ------------------------------------------------------------------------------------

_STANDARD = (0x02C, 0x044, 0x05C, 0x07C, *range(0x09C, 0x15D, 0x20))
_WORDS = (6, 6, *(8,) * 9)

LAYOUTS = {
    "esp8266": ((0x000,), (4,)),
    "esp32": ((0x000, 0x038, 0x058, 0x078), (7, 8, 8, 8)),
    "esp32c2": ((0x02C, 0x034, 0x040, 0x060), (2, 3, 8, 8)),
}
"""Where the blocks are read, from the start of the controller, and their words; see ``blocks``.

Source: ``efuse_reg.h`` of ESP-IDF, ``EFUSE_RD_*``.
"""

_READ_PROTECTION = {
    "esp32": (0, 16, {1: (0, 8), 2: (1, 8), 3: (2, 8)}),
    "esp32c2": (1, 0, {3: (0, 4)}),  # a bit for each half
}
"""Word of block 0 and bit where RD_DIS begins, and of each block its first bit and words a bit."""

_STANDARD_PROTECTION = (1, 0, {block: (block - 4, 8) for block in range(4, 11)})

_CODED_WORDS = {1: 6, 2: 4}
"""Words of an ESP32's blocks 1 to 3 by coding scheme (bits 0 and 1 of word 6 of block 0)."""

Burnt = tuple[tuple[int, int, int], ...]
"""Words: block, index and value."""


def blocks(chip: str) -> tuple[tuple[int, int], ...]:
    """Return offset and words of each block."""
    return tuple(zip(*LAYOUTS.get(chip, (_STANDARD, _WORDS)), strict=True))


def parse_burnt(chip: str, text: str) -> tuple[int, int, int] | None:
    """Parse ``BLOCK.WORD:HEX``, one word of a block; None if the chip has no such word."""
    match = re.fullmatch(r"(\d+)\.(\d+):([0-9a-fA-F]{1,8})", text)
    if match is None:
        return None
    block, index, value = int(match[1]), int(match[2]), int(match[3], 16)
    layout = blocks(chip)
    return (block, index, value) if block < len(layout) and index < layout[block][1] else None


def parse_state(chip: str, text: str) -> Burnt | None:
    """Parse a whole state: lines ``BLOCK: HEX HEX ...``, blocks that are left out are blank."""
    found = []
    for line in text.splitlines():
        number, colon, words = line.partition("#")[0].partition(":")
        if not number.strip():
            continue
        for index, word in enumerate(words.split()):
            parsed = parse_burnt(chip, f"{number.strip()}.{index}:{word}")
            if parsed is None or not colon:
                return None
            found.append(parsed)
    return tuple(found)


def burn(words: dict[int, int], chip: Chip, burnt: Burnt) -> None:
    """Set bits of words, as burning does."""
    layout = blocks(chip.name)
    for block, index, value in burnt:
        address = chip.efuse.start + layout[block][0] + 4 * index
        words[address] = words.get(address, 0) | value


def clear(words: dict[int, int], chip: Chip) -> None:
    """Make all blocks blank."""
    for offset, count in blocks(chip.name):
        for index in range(count):
            words.pop(chip.efuse.start + offset + 4 * index, None)


def protect(words: dict[int, int], chip: Chip) -> None:
    """Let blocks read as the controller lets them be read: RD_DIS hides, coding takes words."""
    if chip.name == "esp8266":
        return
    layout, start = blocks(chip.name), chip.efuse.start
    index, low, protected = _READ_PROTECTION.get(chip.name, _STANDARD_PROTECTION)
    disabled = words.get(start + layout[0][0] + 4 * index, 0) >> low
    for block, (first, per_bit) in protected.items():
        for word in range(layout[block][1]):
            if disabled >> first + word // per_bit & 1:
                words.pop(start + layout[block][0] + 4 * word, None)
    if chip.name == "esp32":
        kept = _CODED_WORDS.get(words.get(start + 4 * 6, 0) & 3, 8)
        for block in (1, 2, 3):
            for word in range(kept, 8):
                words.pop(start + layout[block][0] + 4 * word, None)
