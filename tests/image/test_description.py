"""Descriptions of applications and bootloaders: where they are, and what is none."""

from __future__ import annotations

import pytest

from espshell.image import firmware
from espshell.image.description import AppDescription, BootloaderDescription, describe
from tests.image import support

CODE = (0x4008_0400, b"code")
APP = support.app_description()
BOOTLOADER = support.bootloader_description()


def described(first: bytes) -> AppDescription | BootloaderDescription | None:
    """Return the description of an image whose first segment begins so."""
    image = support.firmware(((0x3F40_0020, first), CODE))
    return describe(firmware.reader(image), firmware.parse(image))


def test_an_application_says_what_it_is() -> None:
    """Every field has the value that it was written with."""
    assert described(APP + b"more") == AppDescription(
        name="name",
        version="version",
        idf="idf",
        date="date",
        time="time",
        secure_version=7,
        elf_sha256=bytes(range(32)),
        min_block_revision=(1, 1),
        max_block_revision=(1, 99),
        mmu_page_size=0x1_0000,
    )


def test_a_bootloader_says_what_it_is() -> None:
    """Version, ESP-IDF and date have the values that they were written with."""
    assert described(BOOTLOADER + b"more") == BootloaderDescription(
        3, "v6.0", "Aug  8 2025 16:22:11"
    )


@pytest.mark.parametrize(
    "first",
    [
        APP[:255],
        b"\x33" + APP[1:],
        BOOTLOADER[:79],
        b"\x51" + BOOTLOADER[1:],
        support.bootloader_description(idf=""),
        support.bootloader_description(date="\x1b[2J"),
        support.bootloader_description(idf="\N{LATIN SMALL LETTER E WITH ACUTE}"),
        b"",
    ],
)
def test_what_is_no_description(first: bytes) -> None:
    """One that is cut off, another magic, and a P before what is not text count as program."""
    assert described(first) is None


def test_a_text_that_fills_its_field_has_no_end_mark() -> None:
    """A name of 32 bytes is read whole, and nothing of the next field."""
    found = described(support.app_description(name="n" * 32))
    assert isinstance(found, AppDescription)
    assert (found.name, found.time) == ("n" * 32, "time")


@pytest.mark.parametrize(("byte", "size"), [(0, None), (13, 8192), (255, None)])
def test_the_page_size_is_a_power_of_two(byte: int, size: int | None) -> None:
    """The byte is a logarithm; 0, as old versions left it, and nonsense are unknown."""
    found = described(APP[:180] + bytes([byte]) + APP[181:])
    assert isinstance(found, AppDescription)
    assert found.mmu_page_size == size


def test_an_esp8266_image_has_none() -> None:
    """Segments of an ESP8266 image are not looked into: its SDK describes nothing there."""
    image = support.esp8266(((0x3FFE_8000, BOOTLOADER),))
    assert describe(firmware.reader(image), firmware.parse(image)) is None
