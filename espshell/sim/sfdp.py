"""What a flash says of itself (JESD216): images of real parts, and images made after them.

A made image has the header and the basic table of a relative, with the part's own density.
"""

from __future__ import annotations

_HEADER_SIZE = 8
_DENSITY = slice(4, 8)


def image(header: str, *tables: tuple[int, str]) -> bytes:
    """Return an image of a header, and of tables at offsets, all in hex; gaps are FF."""
    data = bytes.fromhex(header)
    for at, contents in tables:
        data = data.ljust(at, b"\xff") + bytes.fromhex(contents)
    return data


def sized(like: bytes, size: int) -> bytes:
    """Return an image with another density (bytes) in its basic table."""
    if not like:
        return b""
    at = int.from_bytes(like[_HEADER_SIZE + 4 : _HEADER_SIZE + 7], "little")
    table = bytearray(like[at:])
    table[_DENSITY] = (8 * size - 1).to_bytes(4, "little")
    return like[:at] + bytes(table)


_NINE = "e520f1ffffffff0144eb086b083b{}bbeeffffffffff00ffffff00ff0c200f5210d800ff"
"""The nine words of revision 1.0, for 4 MiB; what is left out are the clocks of a 1-1-4 read."""

W25Q128JV = image(
    "53464450050100ff00050110800000ff",
    (
        0x80,
        "e520f9ffffffff0744eb086b083b42bbfeffffffffff0000ffff40eb0c200f52"
        "10d800003602a60082ea14c9e96376337a757a75f7a2d55c19f74dffe930f880",
    ),
)
"""Real (Linux, lore 20230718-spi-nor-winbond-w25q128-v5)."""

W25Q32JV = sized(W25Q128JV, 1 << 22)
"""The first nine words are real (armink/SFUD#84), the other seven those of the W25Q128JV."""

XMC = image(
    "53464450060102ff00060110300000ff46000104d00000ff84000102c00000ff",
    (
        0x30,
        "e520f9ffffffff0144eb086b083b42bbfeffffffffff00ffffff40eb0c200f52"
        "10d800ff1532a50084a313c1cca176357a757a75f7b3d55c19f64dffe910c080",
    ),
)
"""Real, of id 464016 (dump of an ESP32-C3 board); the other tables it names are not known."""

IS25WP128F = image(
    "53464450060101ff00060110300000ff9d050103800000ff",
    (
        0x30,
        "e520fbffffffff0744eb086b083b80bbfeffffffffff00ffffff44eb0c200f52"
        "10d800ff6242a90082d801c8ec8d694c7a757a75f7a4d55c4ac22cffe830faa9",
    ),
)
"""The basic table as in its data sheet (table 5.3); the header is made."""

BY25Q32 = image(
    "53464450000101ff00000109300000ff68000103600000ff",
    (0x30, _NINE.format("42")),
    (0x60, "003600279fe97764fcebffff"),
)
"""Real (dump of an ESP32-CAM)."""

GD25Q32C = image(
    "53464450000101ff00000109300000ffc8000103600000ff",
    (0x30, _NINE.format("42")),
    (0x60, "003600279ef97764fcebffff"),
)
"""Real (dump of an ESP32 board)."""

MX25L3233F = image("53464450000101ff00000109300000ffc2000104600000ff", (0x30, _NINE.format("04")))
"""Real, but for the maker's table, which is not known."""

MX25L3206E = image(
    "53464450000100ff00000109300000ff",
    (0x30, "e52081ffffffff0100000000083b0000eeffffffffff00ffffff00ff0c200f5210d800ff"),
)
"""Made: as the plain one, but of the fast reads it has only that by two lines (1-1-2)."""

PLAIN = image("53464450000100ff00000109300000ff", (0x30, _NINE.format("42")))
"""Made: revision 1.0, one table."""
