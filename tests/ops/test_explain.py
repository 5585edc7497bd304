"""explain: a sentence where there is an explanation, and none where there is not."""

from __future__ import annotations

import hashlib
import random

import pytest

from espshell import chips
from espshell.image import firmware
from espshell.image.partitions import Partition, PartitionTable
from espshell.ops.flash.explain import explain, known_contents
from espshell.ops.flash.payload import Payload
from espshell.ops.memory.diff import diff
from espshell.span import Span
from tests.image import support

SECTOR = 4096
AT = 0x1_0000
RANDOM = random.Random(7).randbytes(8 * SECTOR)
APP = support.firmware(
    [(0x3F40_0020, RANDOM[: 2 * SECTOR]), (0x4008_0000, RANDOM[2 * SECTOR : 7 * SECTOR + 8])]
)
TABLE = PartitionTable(
    (
        Partition("app0", 0, 0x10, AT, 0x2000),
        Partition("app1", 0, 0x11, AT + 0x2000, 0x2000),
        Partition("nvs", 1, 2, 0x9000, 0x5000),
    )
)


def told(expected: bytes, held: bytes, *, read: bool = True, **options: object) -> tuple[str, ...]:
    """Return what is said if flash holds something; of its sectors digests or bytes are known."""
    image = Payload(AT, expected, "file")
    parts = {
        AT + at: held[at : at + SECTOR]
        for at in range(0, len(expected), SECTOR)
        if held[at : at + SECTOR] != expected[at : at + SECTOR]
    }
    digests = {at: hashlib.md5(data).digest() for at, data in parts.items()}
    contents = parts if read else known_contents(image, digests)
    assert contents.items() <= parts.items()
    spans = [Span.of(at, len(data)) for at, data in parts.items()]
    return explain(image, spans, contents, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("read", [False, True], ids=["digests", "bytes"])
def test_settings_and_digest_made_anew(read: bool) -> None:
    """What a flash tool patches is known from digests alone: old values and new ones are named."""
    patched = firmware.patch_header(APP, mode=0, size=0x10)
    assert told(APP, patched, read=read) == (
        "only the flash settings in the image's header differ: mode dio -> qio, size 4MB -> 2MB, "
        "and the SHA-256 recomputed; flash tools do that when writing",
    )


@pytest.mark.parametrize("read", [False, True], ids=["digests", "bytes"])
def test_settings_without_digest(read: bool) -> None:
    """An image without SHA-256, or with the old one, differs in two bytes only."""
    for app in (APP, support.firmware([(0x4008_0000, RANDOM)], hashed=False)):
        patched = app[:2] + b"\3\x20" + app[4:]
        assert told(app, patched, read=read, chip=chips.load("esp32")) == (
            "only the flash settings in the image's header differ: mode dio -> dout, "
            "frequency 80m -> 40m; flash tools patch them when writing",
        )


def test_settings_and_another_digest() -> None:
    """A digest that fits neither image is not put down to a tool."""
    held = APP[:2] + b"\0" + APP[3:-1] + b"\0"
    (text,) = told(APP, held)
    assert text.endswith("mode dio -> qio, and the SHA-256, which fits neither")
    assert told(APP, APP[:-1] + b"\0") == ("only the SHA-256 at the end of the image differs",)


def test_settings_and_something_else() -> None:
    """A patched header explains nothing if anything else differs."""
    held = bytearray(APP)
    held[2], held[5000] = 0, held[5000] ^ 1
    assert not any("settings" in text for text in told(APP, bytes(held)))
    assert not any("settings" in text for text in told(APP, bytes(held), read=False))


def test_a_segment() -> None:
    """Where all that differs is in one segment it is named, with its address."""
    held = bytearray(APP)
    held[3 * SECTOR : 3 * SECTOR + 9] = bytes(9)
    assert told(APP, bytes(held)) == ("all that differs is in segment 1 (0x40080000)",)
    held[-33] ^= 1
    assert told(APP, bytes(held)) == (
        "all that differs is in segment 1 (0x40080000) and the checksum and digest after it",
    )
    held[100] ^= 1
    assert told(APP, bytes(held)) == ()
    # Of whole sectors, of which nobody knows what in them differs, less can be said.
    held = bytearray(APP)
    held[3 * SECTOR] ^= 1
    assert told(APP, bytes(held), read=False) == ("all that differs is in segment 1 (0x40080000)",)
    held = bytearray(APP)
    held[9] ^= 1
    assert told(APP, bytes(held), read=False) == ()


def test_padding() -> None:
    """What differs behind the end of the image is padding if it is blank in the file."""
    file = APP + b"\xff" * SECTOR
    held = file[:-5] + b"12345"
    assert told(file, held) == ("only padding past the end of the image differs",)
    file = APP + RANDOM[:SECTOR]
    assert "only what follows past the end of the image differs" in told(file, file[:-1] + b"\0")


def test_partitions() -> None:
    """The partitions that hold a difference are named, neighbours and many of them too."""
    held = bytearray(RANDOM)
    held[0] ^= 1
    assert told(RANDOM, bytes(held), read=False, table=TABLE) == (
        "in partition app0 (0x10000..0x12000)",
    )
    held[0x3FFF] ^= 1
    assert told(RANDOM, bytes(held), read=False, table=TABLE) == (
        "in partitions app0 (0x10000..0x12000), app1 (0x12000..0x14000)",
    )
    held = bytearray(RANDOM)
    held[0x7000] ^= 1
    assert told(RANDOM, bytes(held), table=TABLE) == ()
    many = PartitionTable(tuple(Partition(f"p{i}", 1, 2, AT + 64 * i, 64) for i in range(9)))
    (text,) = told(RANDOM, b"\xff" * SECTOR + RANDOM[SECTOR:], read=False, table=many)[1:]
    assert text.endswith("p3 (0x100c0..0x10100) and 5 more")


def test_blank() -> None:
    """All, all that differs, and some of it are three different things; digests are enough."""
    for read in (False, True):
        assert told(RANDOM, b"\xff" * len(RANDOM), read=read) == (
            "flash is blank (FF) there: nothing was written, or it was erased",
        )
        some = b"\xff" * SECTOR + RANDOM[SECTOR:]
        assert told(RANDOM, some, read=read) == (
            "flash is blank (FF) in every sector that differs",
        )
        more = some[:-1] + bytes([RANDOM[-1] ^ 1])
        assert told(RANDOM, more, read=read) == ("1 of 2 sectors that differ are blank in flash",)


@pytest.mark.parametrize("shift", [1, 24, SECTOR, -1, -100])
def test_shifted(shift: int) -> None:
    """The same bytes in another place are recognised, to the byte and the direction."""
    held = b"\0" * shift + RANDOM[max(0, -shift) : len(RANDOM) - max(0, shift)]
    held = held.ljust(len(RANDOM), b"\0")
    way = "behind" if shift > 0 else "before"
    plural = "" if abs(shift) == 1 else "s"
    assert told(RANDOM, held) == (
        f"flash holds the same bytes {abs(shift)} byte{plural} {way} their place",
    )


@pytest.mark.parametrize("size", [2, 4])
def test_swapped(size: int) -> None:
    """Reversed values of 16 or 32 bits are recognised."""
    held = b"".join(RANDOM[i : i + size][::-1] for i in range(0, len(RANDOM), size))
    (text,) = told(RANDOM, held)
    assert text == f"the bytes of each {8 * size}-bit value are in reverse order"


def test_no_explanation() -> None:
    """Other data, zeros, and a repeated pattern get no sentence; equal gets none either."""
    other = random.Random(8).randbytes(len(RANDOM))
    assert told(RANDOM, other) == told(RANDOM, other, read=False) == ()
    assert told(RANDOM, bytes(len(RANDOM))) == ()
    assert told(b"\xff" * SECTOR, bytes(SECTOR)) == ()
    pattern = bytes(range(256)) * 40
    assert told(pattern, pattern[1:] + pattern[:1]) == ()
    assert told(RANDOM, RANDOM) == ()


def test_known_contents_are_never_guessed() -> None:
    """A digest gives away blank sectors and patched settings; of others nothing is known."""
    image = Payload(AT + 100, APP, "file")
    first = APP[: SECTOR - 100]
    patched = first[:2] + b"\0\x4f" + first[4:]
    digests = {
        AT: hashlib.md5(patched).digest(),
        AT + SECTOR: hashlib.md5(b"\xff" * SECTOR).digest(),
        AT + 2 * SECTOR: bytes(16),
    }
    known = known_contents(image, digests)
    assert known == {AT + 100: patched, AT + SECTOR: b"\xff" * SECTOR}
    assert diff(first, known[AT + 100]).bytes_differing == 2
