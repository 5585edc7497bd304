r"""``sim://esp32c3?flash=8M&fault=drop@reply:3``: which chip to simulate, and how.

``sim://demo`` is a board: an ESP32-C3 with a bootloader, partitions, two applications and a
protected region in its flash.  The options change it as any other chip.

    flash     size of the flash, or its name or the beginning of it: 4M, W25Q32JV
    mac       base MAC: 24:6f:28:a1:b2:c3
    rev       revision of the chip: 3.1
    package   number of the package in the tables of chips, or its name
    latency   of the USB bridge: 1ms, 16ms, 0
    maxbaud   the fastest rate of bridge and cable; above it nothing but garbage comes: 921600
    noise     RATE:PROBABILITY that a bit of a byte is wrong, both ways, at this rate and faster
              ones: 1500000:0.001; the same errors in every run; may be given several times
    crystal   in MHz, where the chip may have several: 26
    core      clock of the core in MHz, which code of a host runs at: 160
    boot      download (default), app: start in the application (without it, a reset looks for an
              image in flash), or loop: it never gets so far
    flags     security flags, as GET_SECURITY_INFO tells them: 0x1 is secure boot
    crypt     flash encryption count
    efuse     a file with the words of all eFuses, a line a block: "4: 01234567 89abcdef ..."
    fuse      a word of a block to be burnt, too: 0.2:40000; may be given several times
    sdm       1: secure download mode
    usb       jtag: the chip's own USB port and its way to enter download mode
    flash-file  where its contents are, at every moment: flash.bin
    sr        what its status registers hold without power, in hex: 1c,02
    wp        low: the pin WP# of the flash
    gpioN     the level that something outside gives pin N for good: gpio9=0
    wire      two pins that are connected: wire=8:9; may be given several times
    inflight  the most blocks that a stub sends ahead in READ_FLASH: 64; real ones: 1
    says      what a program in RAM prints, each second: hello%0d%0a; also \x1b, \r, \n
    returns   1: such a program then returns, which only a version 2 stub lives through
    ram       what is wrong with its RAM (see ``ram_fault``): stuck:0x3fca0010.5=1; several times
    fault     a rule (see ``fault``); may be given several times

Values may be percent-encoded; a ``+`` is a plus sign.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from espshell import files
from espshell.chips import Chip
from espshell.errors import PortError, UsageError, system_reason
from espshell.records import dataclass
from espshell.sim import efuse, fault, gpio, models, parts, ram_fault
from espshell.sim.models import Model
from espshell.sim.nor import SECTOR
from espshell.sim.parts import PartModel
from espshell.units import KIB, MIB, parse_number, parse_seconds

SCHEME = "sim://"
MHZ = 1_000_000

SECURE_BOOT = 1 << 0
SECURE_DOWNLOAD = 1 << 2
"""Security flags that a ROM behaves by (ESP-IDF, ``esp_rom_get_security_info``)."""


class Boot(Enum):
    """What a chip does when it gets power."""

    DOWNLOAD = "download"
    APPLICATION = "app"
    LOOP = "loop"


_MAC = re.compile(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}", re.IGNORECASE)
_BYTES = re.compile(r"[0-9a-f]{1,2}(,[0-9a-f]{1,2})*", re.IGNORECASE)
_COMMON = parts.plain(4 * MIB)
_STATE = files.Limit(64 * KIB, "a file of eFuses")


@dataclass(frozen=True, slots=True)
class Setup:
    """Which chip to simulate, and how."""

    model: Model
    mac: int
    revision: tuple[int, int]
    package: int
    crystal_hz: int
    core_hz: int = 160 * MHZ
    part: PartModel = _COMMON
    """What its flash is."""
    flash_file: Path | None = None
    status: tuple[int, ...] = ()
    """First values of the flash's status registers; the others are those of the factory."""
    wp_low: bool = False
    inflight: int = 1
    latency_s: float = 1e-3
    max_baud: int = 0
    """Above this rate nothing gets through; 0: no limit."""
    noise: tuple[tuple[int, float], ...] = ()
    """Rates, and how likely each byte is wrong from there on."""
    boot: Boot = Boot.DOWNLOAD
    flags: int = 0
    crypt_count: int = 0
    fuses: efuse.Burnt | None = None
    """All eFuses, in the place of what the model and other options say of them."""
    burnt: efuse.Burnt = ()
    """Words of eFuses that are burnt, too."""
    over_usb: bool = False
    levels: tuple[tuple[int, int], ...] = ()
    """Pins and the levels that they have from outside."""
    wires: tuple[tuple[int, int], ...] = ()
    """Pins that are connected with each other."""
    says: bytes = b""
    """What a program in RAM prints; empty: the program itself is examined or executed."""
    returns: bool = False
    """Whether that program returns to its caller."""
    ram_faults: tuple[ram_fault.RamFault, ...] = ()
    rules: tuple[fault.Rule, ...] = ()

    @property
    def chip(self) -> Chip:
        """What the tables say about the chip."""
        return models.chip_of(self.model)

    def flash_data(self) -> bytearray | mmap.mmap:
        """Return the array of the flash, as the board has it or as its file has it, and kept there.

        A file that is too short is filled up from the board.
        Raises: PortError if the file cannot be used.
        """
        contents = bytearray(b"\xff") * self.part.size
        held = self.model.flash()[: self.part.size]
        contents[: len(held)] = held
        if self.flash_file is None:
            return contents
        try:
            with files.open_regular(self.flash_file, follow=True) as file:
                file.write(contents[file.seek(0, os.SEEK_END) :])
                file.flush()
                return mmap.mmap(file.fileno(), self.part.size)
        except OSError as error:
            raise PortError(f"cannot use {self.flash_file}: {system_reason(error)}") from error


def parse(url: str) -> Setup:
    """Parse a ``sim://`` URL into the setup that it describes.

    Raises: UsageError for a chip, an option or a value that does not exist.
    """
    if not url.lower().startswith(SCHEME):
        raise UsageError(f"expected {SCHEME}CHIP, not {url!r}")
    name, _, query = url[len(SCHEME) :].partition("?")
    model = models.by_chip_name(unquote(name).strip("/"))
    crystal_hz = models.chip_of(model).crystals_mhz[0] * MHZ
    part = parts.by_name(model.part) or _COMMON
    setup = Setup(
        *(model, model.mac, model.revision, model.package, crystal_hz),
        part=part,
        status=model.status,
    )
    for option in filter(None, query.split("&")):
        key, _, value = option.partition("=")
        setup = _with_option(setup, key, unquote(value))
    if setup.fuses is not None or setup.burnt:
        setup = _as_burnt(setup)
    if len(setup.status) > len(setup.part.registers):
        raise UsageError(
            f"sr: expected at most {len(setup.part.registers)} values, for the registers of"
            f" {setup.part.name}, not {len(setup.status)}"
        )
    return setup


def _with_option(setup: Setup, key: str, text: str) -> Setup:
    if match := re.fullmatch(r"gpio(\d+)", key):
        key, text = "gpioN", f"{match[1]}={text}"
    option = _OPTIONS.get(key)
    if option is None:
        names = ", ".join(_OPTIONS)
        raise UsageError(f"expected an option of the simulator ({names}), not {key!r}")
    value: Any = option.parse(setup, text)
    if value is None:
        chip = setup.chip
        expected = option.expected
        if "{text" not in expected:
            expected += ", not {text!r}"
        expected = expected.format(
            text=text,
            chip=chip,
            packages=", ".join(f"{package.number} {package.name}" for package in chip.packages),
            crystals=" or ".join(map(str, chip.crystals_mhz)),
        )
        raise UsageError(f"{key}: expected {expected}", hint=option.hint)
    return replace(setup, **{option.field: value})


def _as_burnt(setup: Setup) -> Setup:
    """Return a setup whose ROM behaves as the eFuses say, where it has GET_SECURITY_INFO."""
    words: dict[int, int] = {}
    efuse.burn(words, setup.chip, (*(setup.fuses or ()), *setup.burnt))
    start, model = setup.chip.efuse.start, setup.model
    count, secure = (
        field.of(words.get(start + field.address, 0))
        for field in (model.crypt_count, model.secure_boot)
    )
    if not setup.chip.rom.security_info_size:
        return setup
    return replace(setup, crypt_count=setup.crypt_count | count, flags=setup.flags | secure)


def with_faults(url: str, rules: Iterable[str]) -> str:
    """Return a URL with more rules, encoded as they must be."""
    for rule in rules:
        url += ("&" if "?" in url else "?") + "fault=" + quote(rule, safe="@:+")
    return url


@dataclass(frozen=True, slots=True)
class UrlOption:
    """An option of a URL: the field of ``Setup`` that it sets, and how its text is read."""

    field: str
    parse: Callable[[Setup, str], object]
    """The field's new value, or None if the text is wrong."""
    expected: str
    """The message for a text that is wrong."""
    hint: str = ""


def _part(text: str) -> PartModel | None:
    size = parse_number(text)
    part = parts.by_name(text)
    if part is not None or size is None or not 0 < size <= 256 * MIB or size % SECTOR:
        return part
    return parts.plain(size)


def _revision(setup: Setup, text: str) -> tuple[int, int] | None:
    match = re.fullmatch(r"(\d+)\.(\d+)", text)
    if match is None:
        return None
    chip, major, minor = setup.chip, int(match[1]), int(match[2])
    possible = efuse.can_be(chip.major, major) and efuse.can_be(chip.minor, minor)
    return (major, minor) if possible else None


def _package(setup: Setup, text: str) -> int | None:
    numbers = {
        name: package.number
        for package in reversed(setup.chip.packages)
        for name in (str(package.number), package.name.lower())
    }
    return numbers.get(text.lower())


def _number(text: str, limit: int) -> int | None:
    number = parse_number(text)
    return number if number is not None and number <= limit else None


def _flags(setup: Setup, text: str) -> int | None:
    flags = _number(text, 0xFFFF_FFFF)
    return None if flags is None else setup.flags | flags


def _noise(setup: Setup, text: str) -> tuple[tuple[int, float], ...] | None:
    match = re.fullmatch(r"([1-9]\d*):(\d*\.?\d+)", text)
    if match is None or float(match[2]) > 1:
        return None
    return (*setup.noise, (int(match[1]), float(match[2])))


def _pins(setup: Setup) -> tuple[int, ...]:
    return gpio.MODELS[setup.chip.name].pins


def _levels(setup: Setup, text: str) -> tuple[tuple[int, int], ...] | None:
    pin, _, level = text.partition("=")
    is_pin = level in ("0", "1") and int(pin) in _pins(setup)
    return (*setup.levels, (int(pin), int(level))) if is_pin else None


def _wires(setup: Setup, text: str) -> tuple[tuple[int, int], ...] | None:
    match = re.fullmatch(r"(\d{1,3}):(\d{1,3})", text)
    pair = (int(match[1]), int(match[2])) if match else (-1, -1)
    return (*setup.wires, pair) if {*pair} <= {*_pins(setup)} else None


_OPTIONS = {
    "flash": UrlOption(
        "part",
        lambda _, text: _part(text),
        "a size in sectors of 4k up to 256M, or a part",
        hint=f"parts are {', '.join(part.name for part in parts.PARTS)}",
    ),
    "mac": UrlOption(
        "mac",
        lambda _, text: int(re.sub("[:-]", "", text), 16) if _MAC.fullmatch(text) else None,
        "six bytes such as 24:6f:28:a1:b2:c3",
    ),
    "rev": UrlOption("revision", _revision, "a revision that {chip.title} can have"),
    "package": UrlOption("package", _package, "one of {packages}"),
    "latency": UrlOption("latency_s", lambda _, text: parse_seconds(text), "a time such as 16ms"),
    "maxbaud": UrlOption(
        "max_baud",
        lambda _, text: parse_number(text) or None,
        "a rate such as 921600",
    ),
    "noise": UrlOption("noise", _noise, "a rate and a probability such as 921600:0.001"),
    "crystal": UrlOption(
        "crystal_hz",
        lambda setup, text: {str(mhz): mhz * MHZ for mhz in setup.chip.crystals_mhz}.get(text),
        "{crystals} (MHz)",
    ),
    "core": UrlOption(
        "core_hz",
        lambda _, text: (_number(text, 1000) or 0) * MHZ or None,
        "a clock in MHz such as 20",
    ),
    "boot": UrlOption(
        "boot",
        lambda _, text: {boot.value: boot for boot in Boot}.get(text),
        "download, app or loop",
    ),
    "flags": UrlOption("flags", _flags, "32 bits such as 0x5"),
    "crypt": UrlOption("crypt_count", lambda _, text: _number(text, 0xFF), "a number up to 255"),
    "efuse": UrlOption(
        "fuses",
        lambda setup, text: efuse.parse_state(
            setup.chip.name, files.read_text(files.path_of(text), _STATE)
        ),
        "a file with lines such as `4: 01234567 89abcdef`, of blocks that {chip.title} has",
    ),
    "fuse": UrlOption(
        "burnt",
        lambda setup, text: (
            (*setup.burnt, word) if (word := efuse.parse_burnt(setup.chip.name, text)) else None
        ),
        "BLOCK.WORD:HEX such as 0.2:40000, a word that {chip.title} has",
    ),
    "sdm": UrlOption(
        "flags",
        lambda setup, text: (
            setup.flags | SECURE_DOWNLOAD
            if text == "1" and setup.chip.rom.security_info_size
            else None
        ),
        "1, on a chip that has it, not {text!r} ({chip.title})",
    ),
    "usb": UrlOption(
        "over_usb",
        lambda setup, text: (text == "jtag" and setup.chip.usb_serial_jtag) or None,
        "jtag, on a chip that has it, not {text!r} ({chip.title})",
    ),
    "flash-file": UrlOption(
        "flash_file",
        lambda _, text: files.path_of(text) if text else None,
        "the name of a file",
    ),
    "sr": UrlOption(
        "status",
        lambda _, text: (
            tuple(int(byte, 16) for byte in text.split(",")) if _BYTES.fullmatch(text) else None
        ),
        "bytes in hex such as 1c,02",
    ),
    "wp": UrlOption(
        "wp_low",
        lambda _, text: {"low": True, "high": False}.get(text),
        "low or high",
    ),
    "gpioN": UrlOption("levels", _levels, "the level 0 or 1 of a pin that an {chip.title} has"),
    "wire": UrlOption("wires", _wires, "two pins that an {chip.title} has, such as 4:5"),
    "inflight": UrlOption(
        "inflight",
        lambda _, text: parse_number(text) or None,
        "a number of blocks from 1 on",
    ),
    "says": UrlOption("says", lambda _, text: fault.unescaped(text), "a text"),
    "returns": UrlOption("returns", lambda _, text: {"0": False, "1": True}.get(text), "0 or 1"),
    "ram": UrlOption(
        "ram_faults", lambda setup, text: (*setup.ram_faults, ram_fault.parse(text)), "a fault"
    ),
    "fault": UrlOption("rules", lambda setup, text: (*setup.rules, fault.parse(text)), "a rule"),
}
