"""Contents of a simulated chip's eFuses, by the tables that the host decodes them with."""

from __future__ import annotations

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
