"""info, read-mac and chip-id from eFuse words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from espshell import chips
from espshell.chips import CHIPS
from espshell.ops.chip import info as chip
from tests.loader.support import held, open_sim, wire_of


@pytest.mark.parametrize(
    ("name", "options", "description", "revision"),
    [
        ("esp32", "", "ESP32-D0WD-V3", (3, 1)),
        ("esp32", "rev=1.0", "ESP32-D0WD", (1, 0)),
        ("esp32", "rev=3.0&package=5", "ESP32-PICO-V3", (3, 0)),
        ("esp32", "rev=1.1&package=2", "ESP32-D2WD", (1, 1)),
        ("esp32c3", "", "ESP32-C3 (QFN32)", (0, 4)),
        ("esp32c3", "rev=1.9&package=1", "ESP8685 (QFN28)", (1, 9)),
    ],
)
def test_description(name: str, options: str, description: str, revision: tuple[int, int]) -> None:
    """Package and revision give the name that is printed on the chip."""
    found = chip.info(open_sim(options, chip=name))

    assert (found.description, found.revision) == (description, revision)


def test_unknown_package() -> None:
    """A package number that no table has is told as such, and no name is guessed."""
    target = open_sim()
    word = 0x3FF5_A00C
    wire_of(target).chip.memory.set_register(word, held(target, word) & ~0xE00 | 3 << 9)

    assert chip.info(target).description == "ESP32 (package 3, not known)"


@pytest.mark.parametrize("name", ["esp32", "esp32c3"])
def test_mac(name: str) -> None:
    """The MAC is read in the order in which it is written."""
    target = open_sim("mac=24:6f:28:a1:b2:c3", chip=name)

    assert chip.mac(target).mac == "24:6f:28:a1:b2:c3"
    assert chip.info(target).mac == "24:6f:28:a1:b2:c3"
    assert chip.chip_id(target).mac == "24:6f:28:a1:b2:c3"


def test_features() -> None:
    """Features come from fixed facts and eFuse bits."""
    assert chip.info(open_sim()).features == (
        "Wi-Fi",
        "Bluetooth",
        "two cores",
        "240 MHz",
        "coding scheme none",
    )
    c3 = chip.info(open_sim(chip="esp32c3")).features
    assert any(feature.startswith("embedded flash 4 MiB") for feature in c3)


def test_crystal_is_told_by_the_divider() -> None:
    """An ESP32 whose UART divider says 26 MHz has a 26 MHz crystal."""
    target = open_sim()
    assert chip.info(target).crystal_mhz == 40
    wire_of(target).chip.memory.set_register(0x3FF4_0014, 26_000_000 // 115200)

    assert chip.info(target).crystal_mhz == 26


@pytest.mark.parametrize("name", ["esp32", "esp32c3"])
def test_security(name: str) -> None:
    """Security comes from the ROM, or from eFuse where the ROM has no such command."""
    told = chip.info(open_sim(chip=name)).security

    assert told is not None
    assert (told.flags, told.flash_encryption, told.secure_boot) == ((), False, False)


def test_security_from_efuse() -> None:
    """On an ESP32 an odd number of bits means encryption, and ABS_DONE_1 secure boot."""
    target = open_sim()
    wire_of(target).chip.memory.set_register(0x3FF5_A000, 0x7 << 20)
    word = 0x3FF5_A018
    wire_of(target).chip.memory.set_register(word, held(target, word) | 1 << 5)
    told = chip.info(target).security

    assert told is not None
    assert (told.flags, told.flash_encryption, told.secure_boot) == (("ABS_DONE_1",), True, True)


def test_info_reads_each_word_once() -> None:
    """All of info is one stream of reads: each word once, and the markers."""
    target = open_sim()
    before = wire_of(target).count.requests
    chip.info(target, with_flash=False)

    assert wire_of(target).count.requests - before <= 15


@pytest.mark.parametrize("name", chips.NAMES)
def test_short_answers_come_from_the_chip(name: str) -> None:
    """What chip-id, read-mac and flash-id tell is what info tells, and follows the chip."""
    for mac in ("5c:cf:7f:d4:e5:f6", "24:6f:28:a1:b2:c3"):
        target = open_sim(f"mac={mac}&flash=W25Q80", chip=name)
        told = chip.info(target)
        assert chip.chip_id(target) == chip.ChipId(name, told.sdk_id, told.mac or "not known")
        assert chip.mac(target).mac == (told.mac or "not known")
        assert chip.flash_id(target) == told.flash
        assert (told.sdk_id is not None) is (name == "esp8266")
        if name == "esp8266":
            assert told.sdk_id == int(mac.replace(":", "")[6:], 16)


def crystals() -> list[tuple[str, int]]:
    """Return every chip with every crystal that it may have."""
    return [(each.name, mhz) for each in CHIPS for mhz in each.crystals_mhz]


@pytest.mark.parametrize(("name", "mhz"), crystals())
def test_info_is_the_same_with_a_stub(name: str, mhz: int) -> None:
    """What is known of a chip does not depend on the loader that tells it."""
    target = open_sim(f"crystal={mhz}", name)
    through_rom = chip.info(target)
    assert through_rom.crystal_mhz == mhz
    versions = [2] if name == "esp32c61" else [1, 2]
    for version in versions:
        target = open_sim(f"crystal={mhz}", name)
        target.start_stub(version=version)
        assert replace(chip.info(target), loader="rom") == replace(through_rom, loader="rom")
