"""Flash settings for a header: which code is written, and when nothing is."""

from __future__ import annotations

import pytest

from espshell import chips
from espshell.errors import UsageError
from espshell.image import firmware
from espshell.ops.flash.explain import explain
from espshell.ops.flash.payload import FlashSettings, Payload, with_settings
from espshell.span import Span
from espshell.units import KIB
from tests.image import support

SEGMENTS = [(0x4010_0000, b"code" * 300)]


def boot(name: str) -> bytes:
    """Return a bootloader for a chip."""
    if name == "esp8266":
        return support.esp8266(SEGMENTS)
    return support.firmware(SEGMENTS, chip=chips.load(name).id)


def written(name: str, settings: FlashSettings, *, flash_size: int | None = None) -> Payload:
    """Return a bootloader with settings."""
    chip = chips.load(name)
    image = Payload(chip.bootloader_offset, boot(name), "boot")
    (found,) = with_settings([image], chip, settings, flash_size=flash_size)
    return found


@pytest.mark.parametrize("name", chips.NAMES)
def test_every_size(name: str) -> None:
    """A flash has the plain name of its size; each name, in any case, is its own code."""
    chip = chips.load(name)
    for size in (256 * KIB * 2**n for n in range(10)):
        rows = [row for row in chip.flash_sizes if row.size == size]
        found = written(name, FlashSettings(size="detect"), flash_size=size)
        if not rows:
            assert (found.data, "stays unchanged" in found.notes[0]) == (boot(name), True)
            continue
        (plain,) = (row for row in rows if "-" not in row.name)
        assert firmware.parse(found.data).header.size_code == plain.code
    for row in chip.flash_sizes:
        for text in (row.name, row.name.lower(), row.name.upper()):
            found = written(name, FlashSettings(size=text))
            assert firmware.parse(found.data).header.size_code == row.code
    for word, code in chip.flash_frequencies:
        found = written(name, FlashSettings(frequency=word))
        assert firmware.parse(found.data).header.frequency_code == code


@pytest.mark.parametrize("name", ["esp8266", "esp32", "esp32c3"])
@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("32m", "4MB"),
        ("16m", "2MB"),
        ("8m", "1MB"),
        ("4m", "512KB"),
        ("2m", "256KB"),
        ("16m-c1", "2MB-c1"),
        ("32m-c1", "4MB-c1"),
        ("32m-c2", "4MB-c2"),
    ],
)
def test_megabits(name: str, text: str, spelling: str) -> None:
    """The sizes of esptool 1 were megabits: refused with what they are in bytes."""
    with pytest.raises(UsageError, match="is a size in megabits") as caught:
        written(name, FlashSettings(size=text))
    assert caught.value.hint.startswith(f"{spelling} is the same")


def test_capital_letters_are_bytes() -> None:
    """4M is 4 MiB here as everywhere in this program."""
    found = written("esp32", FlashSettings(size="4M"))
    assert firmware.parse(found.data).header.size_code == 0x20


@pytest.mark.parametrize("curve", [0, 2])
def test_a_signed_bootloader(curve: int) -> None:
    """It stays as it is and a note says why; with force it is changed, and that is said."""
    chip = chips.load("esp32c3")
    data = support.signed(boot("esp32c3"), version=3 if curve else 2, curve=curve)
    image = Payload(0, data, "boot")
    settings = FlashSettings(size="2MB")
    (kept,) = with_settings([image], chip, settings)
    assert (kept.data, "it is signed" in kept.notes[0]) == (data, True)
    (changed,) = with_settings([image], chip, settings, force=True)
    assert firmware.parse(changed.data).header.size_code == 0x10
    assert "its signature becomes invalid" in changed.notes[0]
    same = FlashSettings(size="4MB")
    assert with_settings([image], chip, same)[0].notes == ()


def test_frequencies_with_one_code_are_both_named() -> None:
    """On an ESP32-C6 two words have one code: neither is preferred."""
    data = boot("esp32c6")
    other = firmware.patch_header(data, frequency=2)
    span = Span.of(0, len(data))
    image = Payload(0, firmware.patch_header(data, frequency=0), "x")
    (told,) = explain(image, [span], {0: other}, chip=chips.load("esp32c6"))
    assert "frequency 80m or 40m -> 20m" in told
