"""``sim://`` URLs: what each option does to the chip, and what a wrong one is answered."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from espshell.chips import Chip, by_name
from espshell.errors import UsageError
from espshell.sim import efuse, models, url
from espshell.sim.chip import SimChip
from espshell.sim.fault import FaultAction
from espshell.sim.url import Boot
from espshell.units import MIB


@pytest.mark.parametrize("model", models.MODELS)
def test_the_chip_is_what_the_model_says(model: models.Model) -> None:
    """MAC, revision and package read back through the tables of chips."""
    setup = url.parse(f"sim://{model.chip}")
    chip, words = _facts(setup), SimChip(setup).memory.word
    assert chip.base_mac(words) == model.mac
    assert chip.revision(words) == model.revision
    assert chip.package.value(words) == model.package


@pytest.mark.parametrize(
    ("name", "revision", "package"),
    [("esp32", (0, 0), 6), ("ESP32", (2, 3), 0), ("ESP32-C3", (1, 11), 1), ("esp32c3", (0, 7), 3)],
)
def test_revision_package_and_mac(name: str, revision: tuple[int, int], package: int) -> None:
    """All that a field can hold can be asked for, however it is spread over words."""
    major, minor = revision
    setup = url.parse(f"sim://{name}?rev={major}.{minor}&package={package}&mac=00:11:22:aa:bb:cc")
    chip, words = _facts(setup), SimChip(setup).memory.word
    assert (chip.major.value(words), chip.minor.value(words)) == revision
    assert chip.package.value(words) == package
    assert words(chip.mac[0]) == 0x22AA_BBCC
    assert words(chip.mac[1]) & 0xFFFF == 0x0011


def test_the_other_options() -> None:
    """Sizes and times are written as everywhere; rules may be encoded and repeated."""
    noise = quote("noise@reply:1:a&b=c")
    setup = url.parse(
        f"sim://esp32c3?flash=16M&latency=16ms&boot=app&usb=jtag&flags=0x11&crypt=3&sdm=1"
        f"&fault=drop@reply:2+3&fault={noise}"
    )
    assert (setup.part.size, setup.latency_s) == (16 * MIB, 16e-3)
    assert (setup.boot, setup.flags, setup.crypt_count) == (Boot.APPLICATION, 0x15, 3)
    assert setup.over_usb
    assert [rule.action for rule in setup.rules] == [FaultAction.DROP, FaultAction.NOISE]
    assert setup.rules[0].step == 3
    assert setup.rules[1].text == b"a&b=c"
    assert url.parse("sim://esp32?package=ESP32-U4WDH").package == 4


@pytest.mark.parametrize(
    ("flash", "size", "jedec"),
    [
        ("W25Q32", 4 * MIB, 0xEF4016),
        ("w25q128jv", 16 * MIB, 0xEF4018),
        ("GD25Q64", 8 * MIB, 0xC84017),
        ("XM25QH32", 4 * MIB, 0x204016),
        ("2M", 2 * MIB, 0xEF4015),
        ("64k", 64 * 1024, 0xEF4010),
    ],
)
def test_a_flash_by_name_or_size(flash: str, size: int, jedec: int) -> None:
    """A part brings its size and its id, and a size the id of a common part."""
    nor = SimChip(url.parse(f"sim://esp32?flash={flash}")).flash
    assert (nor.size, nor.part.jedec_id) == (size, jedec)


def test_options_of_the_flash() -> None:
    """First values of its registers, its pin WP#, its file, and what stubs do."""
    setup = url.parse("sim://esp32?sr=1c,2&wp=low&inflight=64&flash=mx25l323&flash-file=a%26b.bin")
    assert (setup.status, setup.wp_low, setup.inflight) == ((0x1C, 0x02), True, 64)
    assert (setup.part.name, setup.flash_file) == ("MX25L3233F", Path("a&b.bin"))
    flash = SimChip(url.parse("sim://esp32?flash=W25Q128JV&sr=1c")).flash
    assert flash.status.active == [0x1C, 0x02, 0x60]


def test_the_core_and_its_memory() -> None:
    """The core's clock is in MHz; faults of the RAM may be several."""
    setup = url.parse(
        "sim://esp32?core=20&ram=stuck:0x3ffb0010.5=1&ram=couple:0x3ffb0010.5>0x3ffb0020.7"
        "&ram=bridge:0x3ffb0000+4k:4,7"
    )
    assert setup.core_hz == 20_000_000
    assert [fault.kind for fault in setup.ram_faults] == ["stuck", "couple", "bridge"]
    memory = SimChip(setup).memory
    memory.write_word(0x3FFB_0010, 0)
    assert memory.word(0x3FFB_0010) == 0x20
    assert memory.read(0x3FFB_000F, 3) == b"\0\x20\0"
    memory.write_word(0x3FFB_0090, 1)
    assert memory.word(0x3FFB_0090) == 1
    memory.write_word(0x3FFB_0080, 0x1234)
    assert memory.word(0x3FFB_0000) == 0x1234


def test_rules_are_added_to_a_url() -> None:
    """Whatever a rule holds survives."""
    made = url.with_faults("sim://esp32", ["drop@reply:2+3", "noise@reply:1:50% & more?"])
    rules = url.parse(made).rules
    assert rules[0].step == 3
    assert rules[1].text == b"50% & more?"
    assert url.with_faults("sim://esp32?flash=1M", ["hang@reply:1"]).count("?") == 1


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("sim://", "esp8266, esp32"),
        ("sim://esp99", "esp8266, esp32"),
        ("socket://x", "sim://CHIP"),
        ("sim://esp32?colour=red", "flash, mac, rev"),
        ("sim://esp32?flash=4X", "a size"),
        ("sim://esp32?flash=IS25", "or a part"),
        ("sim://esp32?flash-file=", "name of a file"),
        ("sim://esp32?sr=123", "bytes in hex"),
        ("sim://esp32?sr=1,2,3,4", "at most 3 values"),
        ("sim://esp32?sr=1,2,3&flash=W25Q64BV", "of W25Q64BV"),
        ("sim://esp32?wp=0", "low or high"),
        ("sim://esp32?inflight=0", "a number of blocks"),
        ("sim://esp32?fault=drop@flash:1", "kill@flash:N"),
        ("sim://esp32?fault=kill@flash:1-2", "kill@flash:N"),
        ("sim://esp32?flash=100", "sectors"),
        ("sim://esp32?mac=12:34", "six bytes"),
        ("sim://esp32?rev=3", "a revision"),
        ("sim://esp32?rev=4.0", "a revision"),
        ("sim://esp32c3?package=9", "0 ESP32-C3 (QFN32)"),
        ("sim://esp32?latency=soon", "a time"),
        ("sim://esp32?boot=maybe", "download, app or loop"),
        ("sim://esp32?crystal=32", "40 or 26"),
        ("sim://esp32?core=0", "a clock in MHz"),
        ("sim://esp32?core=fast", "a clock in MHz"),
        ("sim://esp32?ram=stuck:0x3ffb0000.5", "a fault such as stuck:"),
        ("sim://esp32?ram=bridge:0x3ffb0000:4,7", "a fault such as stuck:"),
        ("sim://esp32?ram=lost:0x3ffb0000", "a fault such as stuck:"),
        ("sim://esp32?sdm=1", "on a chip that has it"),
        ("sim://esp32c3?sdm=yes", "expected 1"),
        ("sim://esp32c3?flags=0x100000000", "32 bits"),
        ("sim://esp32c3?crypt=256", "255"),
        ("sim://esp32?usb=jtag", "on a chip that has it"),
        ("sim://esp32c3?usb=yes", "jtag"),
        ("sim://esp32?fault=explode@reply:1", "drop"),
        ("sim://esp32?fuse=0.7:1", "BLOCK.WORD:HEX"),
        ("sim://esp32?fuse=4.0:1", "BLOCK.WORD:HEX"),
        ("sim://esp32c3?fuse=0.0:123456789", "BLOCK.WORD:HEX"),
        ("sim://esp32c3?fuse=", "BLOCK.WORD:HEX"),
    ],
)
def test_wrong_urls(wrong: str, expected: str) -> None:
    """Each says what was expected."""
    with pytest.raises(UsageError, match="expected") as caught:
        url.parse(wrong)
    assert expected in caught.value.message


def test_every_option_is_described() -> None:
    """The module's text lists them all."""
    for option in url._OPTIONS:
        assert f"\n    {option} " in (url.__doc__ or "")


def test_mac_crc() -> None:
    """The check value of CRC-8/MAXIM-DOW over ``123456789`` is A1."""
    assert efuse.mac_crc(b"123456789") == 0xA1


def _facts(setup: url.Setup) -> Chip:
    chip = by_name(setup.model.chip)
    assert chip is not None
    return chip


def test_opening_a_wrong_url_is_a_usage_error(open_sim: Callable[[str], object]) -> None:
    """The port raises what the parser raises."""
    with pytest.raises(UsageError):
        open_sim("sim://esp32?colour=red")
