"""What a write or an erase would do, and why it must not be done."""

from __future__ import annotations

import dataclasses
from itertools import product

import pytest

from espshell.chips import Chip
from espshell.chips.esp32 import ESP32
from espshell.chips.esp32c3 import ESP32C3
from espshell.chips.esp8266 import ESP8266
from espshell.errors import DeviceError, UsageError
from espshell.ops.flash.payload import Payload
from espshell.ops.flash.plan import Facts, plan_erase, plan_write, seconds
from espshell.span import Span
from espshell.units import KIB, MIB, SECTOR
from tests.image.support import esp8266, esp8266_v2, firmware
from tests.ops.support import noise

FACTS = Facts(ESP32C3, 4 * MIB, revision=(0, 4))
DATA = noise(SECTOR + 10)
SEGMENTS = [(0x4038_0000, bytes(64))]


def image(address: int, data: bytes = DATA, name: str = "a.bin") -> Payload:
    """Return an image."""
    return Payload(address, data, name)


def refusal(*images: Payload, facts: Facts = FACTS, **how: object) -> str:
    """Return why images are not written."""
    with pytest.raises((UsageError, DeviceError)) as caught:
        plan_write(images, facts, **how)  # type: ignore[arg-type]
    return caught.value.message


def test_whole_sectors_are_planned() -> None:
    """Ranges are sectors, neighbours merged; edges are what in them belongs to no image."""
    plan = plan_write([image(0x3000), image(0x1000), image(0x8000, bytes(SECTOR))], FACTS)
    assert plan.ranges == (Span.of(0x1000, 0x4000), Span.of(0x8000, 0x1000))
    assert plan.edges == (Span.of(0x200A, 0xFF6), Span.of(0x400A, 0xFF6))
    assert (plan.sectors, plan.size) == (5, 2 * len(DATA) + SECTOR)
    assert plan.warnings == ()


@pytest.mark.parametrize("address", [0x1001, 0x1040, 0x1100, 0x1800, 0x1FFF])
def test_no_other_place_than_a_sector(address: int) -> None:
    """Whatever power of two it is a multiple of: what is in front would be lost."""
    assert f"..{address:#010x} would be lost" in refusal(image(address))


def test_a_protected_sector_is_not_erased_for_a_part_of_it() -> None:
    """What is kept of a sector is erased and written back all the same."""
    facts = dataclasses.replace(FACTS, protected=(Span(0x1000, 0x1100),))
    with pytest.raises(DeviceError, match="write-protected"):
        plan_erase(0x1800, 0x100, facts, keep_edges=True)
    assert plan_erase(0x2000, SECTOR, facts) == Span(0x2000, 0x3000)


def test_secure_download_mode_guards_all_of_the_bootloader() -> None:
    """With secure boot, up to the partition table; what is behind is an update's to erase."""
    facts = dataclasses.replace(FACTS, secure_boot=True, secure_download=True)
    for address in (0, 0x1000, 0x7000):
        with pytest.raises(UsageError, match="without its signed bootloader"):
            plan_erase(address, SECTOR, facts)
    assert plan_erase(0x8000, SECTOR, facts) == Span(0x8000, 0x9000)


@pytest.mark.parametrize("spare", [0, 1])
def test_a_partition_is_filled_to_its_last_byte(spare: int) -> None:
    """And not by one byte more."""
    data = image(0x1_0000, bytes(SECTOR))
    limited = dataclasses.replace(data, limit=data.end - spare)
    if spare:
        assert "past the end of the partition" in refusal(limited)
    else:
        assert plan_write([limited], FACTS).sectors == 1


def test_kept_edges_are_no_warning() -> None:
    """What is kept is not lost, and a place inside a sector is allowed then."""
    plan = plan_write([image(0x1010, b"abc")], FACTS, keep_edges=True)
    assert plan.ranges == (Span.of(0x1000, 0x1000),)
    assert plan.edges == (Span.of(0x1000, 0x10), Span.of(0x1013, 0xFED))
    assert plan.warnings == ()


def test_places_that_cannot_be() -> None:
    """Inside a sector, past the end, and in a range that is write-protected."""
    assert "not the start of a sector" in refusal(image(0x1010))
    assert "before the start of the flash" in refusal(image(-SECTOR), keep_edges=True)
    assert "past the end of the flash (4 MiB)" in refusal(image(4 * MIB - SECTOR))
    last = image(4 * MIB - 2 * SECTOR, noise(2 * SECTOR))
    assert plan_write([last], FACTS).ranges == (Span(4 * MIB - 2 * SECTOR, 4 * MIB),)
    full = dataclasses.replace(last, limit=4 * MIB)
    assert plan_write([full], FACTS).payloads == (full,)
    held = dataclasses.replace(FACTS, protected=(Span.of(0x2000, 0x1000),))
    assert refusal(image(0x1000), facts=held).startswith("0x00002000..0x00003000 is write-prot")
    assert refusal(image(0x1000), facts=held, force=True).startswith("0x00002000")
    assert plan_write([image(0x3000)], held).sectors == 2


def test_an_image_larger_than_its_partition() -> None:
    """It is refused, and with force it is a warning."""
    held = dataclasses.replace(image(0x1000), limit=0x2000)
    assert "past the end of the partition at 0x00002000" in refusal(held)
    assert plan_write([held], FACTS, force=True).warnings


@pytest.mark.parametrize(
    ("chip", "data", "why"),
    [
        (ESP32C3, firmware(SEGMENTS, chip=0), "its header has ID 0, an ESP32-C3 has 5"),
        (ESP8266, firmware(SEGMENTS, chip=5), "for an ESP32 or later, not for an ESP8266"),
        (ESP32, esp8266_v2(bytes(16), SEGMENTS), "for an ESP8266, not for an ESP32"),
    ],
)
@pytest.mark.parametrize("address", [0, 0x10000])
def test_an_image_for_another_chip(chip: Chip, data: bytes, why: str, address: int) -> None:
    """It is refused wherever it goes, and force makes a warning of it."""
    facts = Facts(chip, 4 * MIB)
    assert why in refusal(image(address, data), facts=facts)
    assert why in plan_write([image(address, data)], facts, force=True).warnings[0]


def test_images_for_this_chip() -> None:
    """A bootloader for it is no reason to complain, and an ESP8266 takes its own."""
    fitting = dataclasses.replace(FACTS, revision=(3, 1))
    plan = plan_write([image(0, firmware(SEGMENTS, chip=5).ljust(SECTOR, b"\xff"))], fitting)
    assert plan.warnings == ()
    plan = plan_write([image(0, esp8266(SEGMENTS))], Facts(ESP8266, 4 * MIB))
    assert not [text for text in plan.warnings if "image" in text]


@pytest.mark.parametrize(
    ("revision", "why"), [((0, 4), "at least v3.1"), ((4, 0), "at most v3.99")]
)
def test_an_image_for_another_revision(revision: tuple[int, int], why: str) -> None:
    """The header's bounds are kept, as far as the chip's revision is known."""
    data = firmware(SEGMENTS, chip=5)
    assert why in refusal(image(0, data), facts=dataclasses.replace(FACTS, revision=revision))
    assert plan_write([image(0, data)], dataclasses.replace(FACTS, revision=None)).sectors == 1


def test_what_will_not_boot_is_said() -> None:
    """Where the ROM looks for a bootloader anything else is a warning, but for blank bytes."""
    assert "is not a bootable image" in plan_write([image(0)], FACTS).warnings[0]
    assert plan_write([image(0, b"\xff" * SECTOR)], FACTS).warnings == ()
    assert plan_write([image(0x1000, bytes(SECTOR))], FACTS).warnings == ()


def test_security() -> None:
    """Secure boot guards what is before the partition table; encryption is said."""
    secure = dataclasses.replace(FACTS, secure_boot=True)
    assert "makes it unusable" in refusal(image(0x2000), facts=secure)
    assert plan_write([image(0x8000, bytes(SECTOR))], secure).warnings == ()
    with pytest.raises(UsageError, match="never boots again"):
        plan_erase(0, 4 * MIB, secure)
    encrypted = dataclasses.replace(FACTS, encrypted=True)
    assert "unencrypted" in plan_write([image(0x8000, bytes(SECTOR))], encrypted).warnings[0]


def test_erases() -> None:
    """Whole sectors within the flash that nothing protects; with kept edges those around them."""
    assert plan_erase(0x1000, 0x2000, FACTS) == Span.of(0x1000, 0x2000)
    assert plan_erase(0x1010, 8, FACTS, keep_edges=True) == Span.of(0x1000, 0x1000)
    held = dataclasses.replace(FACTS, protected=(Span.of(0, 64 * KIB),))
    for address, size, facts, why in (
        (0x1010, SECTOR, FACTS, "is not whole sectors"),
        (0x1000, 100, FACTS, "is not whole sectors"),
        (4 * MIB - SECTOR, 2 * SECTOR, FACTS, "past the end of the flash"),
        (0xF000, SECTOR, held, "write-protected"),
    ):
        with pytest.raises(DeviceError if facts is held else UsageError, match=why):
            plan_erase(address, size, facts)


def test_seconds_grow_with_the_work() -> None:
    """More sectors, more bytes and a lower rate take longer."""
    least = seconds(1, SECTOR, 115200)
    assert 0 < least < seconds(2, SECTOR, 115200)
    assert least < seconds(1, 2 * SECTOR, 115200)
    assert least > seconds(1, SECTOR, 921600)


@pytest.mark.parametrize("first", [0, 0x8000, 0x10_0000])
@pytest.mark.parametrize(
    ("secure_boot", "encrypted", "secure_download"),
    list(product((False, True), repeat=3)),
)
def test_erases_of_a_secured_chip(
    first: int, secure_boot: bool, encrypted: bool, secure_download: bool
) -> None:
    """Refused without force with secure boot or encryption; in secure download below 0x8000."""
    facts = dataclasses.replace(
        FACTS, secure_boot=secure_boot, encrypted=encrypted, secure_download=secure_download
    )
    guarded = secure_boot and first < 0x8000
    guarded |= not secure_download and (secure_boot or encrypted)
    if guarded:
        with pytest.raises(UsageError) as caught:
            plan_erase(first, SECTOR, facts)
        assert caught.value.hint == "--force erases it anyway"
    assert plan_erase(first, SECTOR, facts, force=True) == Span.of(first, SECTOR)
    assert guarded or plan_erase(first, SECTOR, facts) == Span.of(first, SECTOR)


@pytest.mark.parametrize("closed", ["secure_download", "plain_only"])
def test_plain_files_for_a_chip_that_encrypts_nothing(closed: str) -> None:
    """With encryption on, and the chip's own encryption of downloads off, force is needed."""
    facts = dataclasses.replace(FACTS, encrypted=True, revision=(3, 1))
    facts = dataclasses.replace(facts, **{closed: True})  # type: ignore[arg-type]
    for each in (image(0, firmware(SEGMENTS, chip=5)), image(0x9000)):
        assert "flash encryption is on, and the loader does not encrypt" in refusal(
            each, facts=facts
        )
        assert plan_write([each], facts, force=True).warnings
