r"""``sim://esp32c3?flash=8M&fault=drop@reply:3``: which chip to simulate, and how.

    flash     size of the flash, or its name or the beginning of it: 4M, W25Q32JV
    mac       base MAC: 24:6f:28:a1:b2:c3
    rev       revision of the chip: 3.1
    package   number of the package in the tables of chips, or its name
    latency   of the USB bridge: 1ms, 16ms, 0
    crystal   in MHz, where the chip may have several: 26
    boot      download (default), app: start in the application (without it, a reset looks for an
              image in flash), or loop: it never gets so far
    flags     security flags, as GET_SECURITY_INFO tells them: 0x1 is secure boot
    crypt     flash encryption count
    sdm       1: secure download mode
    usb       jtag: the chip's own USB port and its way to enter download mode
    flash-file  where its contents are, at every moment: flash.bin
    sr        what its status registers hold without power, in hex: 1c,02
    wp        low: the pin WP# of the flash
    inflight  the most blocks that a stub sends ahead in READ_FLASH: 64; real ones: 1
    says      what a program in RAM prints, each second: hello%0d%0a; also \x1b, \r, \n
    returns   1: such a program then returns, which only a version 2 stub lives through
    fault     a rule (see ``fault``); may be given several times

Values may be percent-encoded; a ``+`` is a plus sign.
"""

from __future__ import annotations

import mmap
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from urllib.parse import quote, unquote

from espshell import files
from espshell.chips import Chip
from espshell.errors import PortError, UsageError, system_reason
from espshell.sim import efuse, fault, models, parts
from espshell.sim.models import Model
from espshell.sim.nor import SECTOR
from espshell.sim.parts import PartModel
from espshell.units import MIB, parse_number, parse_seconds

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


_BOOTS = [boot.value for boot in Boot]
_COMMON = parts.plain(4 * MIB)


@dataclass(frozen=True, slots=True)
class Setup:
    """Which chip to simulate, and how."""

    model: Model
    mac: int
    revision: tuple[int, int]
    package: int
    crystal_hz: int
    part: PartModel = _COMMON
    """What its flash is."""
    flash_file: Path | None = None
    status: tuple[int, ...] = ()
    """First values of the flash's status registers; the others are those of the factory."""
    wp_low: bool = False
    inflight: int = 1
    latency_s: float = 1e-3
    boot: Boot = Boot.DOWNLOAD
    flags: int = 0
    crypt_count: int = 0
    over_usb: bool = False
    says: bytes = b""
    """What a program in RAM prints; nothing: it is looked at, or executed, as far as can be."""
    returns: bool = False
    """Whether that one returns to who has called it."""
    rules: tuple[fault.Rule, ...] = ()

    @property
    def chip(self) -> Chip:
        """What the tables say about the chip."""
        return models.chip_of(self.model)

    def flash_data(self) -> bytearray | mmap.mmap:
        """Return the array of the flash, blank or as its file has it, and kept there.

        Raises: PortError if the file cannot be used.
        """
        if self.flash_file is None:
            return bytearray(b"\xff") * self.part.size
        try:
            with files.open_regular(self.flash_file, follow=True) as file:
                file.write(b"\xff" * (self.part.size - file.seek(0, os.SEEK_END)))
                file.flush()
                return mmap.mmap(file.fileno(), self.part.size)
        except OSError as error:
            raise PortError(f"cannot use {self.flash_file}: {system_reason(error)}") from error


def parse(url: str) -> Setup:
    """Return what a ``sim://`` URL asks for.

    Raises: UsageError for a chip, an option or a value that does not exist.
    """
    if not url.lower().startswith(SCHEME):
        raise UsageError(f"expected {SCHEME}CHIP, not {url!r}")
    name, _, query = url[len(SCHEME) :].partition("?")
    model = models.by_chip_name(unquote(name).strip("/"))
    crystal_hz = models.chip_of(model).crystals_mhz[0] * MHZ
    setup = Setup(model, model.mac, model.revision, model.package, crystal_hz)
    for option in filter(None, query.split("&")):
        key, _, value = option.partition("=")
        setup = _with_option(setup, key, unquote(value))
    if len(setup.status) > len(setup.part.registers):
        raise UsageError(
            f"sr: expected at most {len(setup.part.registers)} values, for the registers of"
            f" {setup.part.name}, not {len(setup.status)}"
        )
    return setup


def _with_option(setup: Setup, key: str, text: str) -> Setup:
    option = _OPTIONS.get(key)
    if option is None:
        names = ", ".join(_OPTIONS)
        raise UsageError(f"expected an option of the simulator ({names}), not {key!r}")
    changed = option.read(setup, text)
    if changed is None:
        chip = setup.chip
        expected = option.expected.format(
            text=text,
            chip=chip,
            packages=", ".join(f"{package.number} {package.name}" for package in chip.packages),
            crystals=" or ".join(map(str, chip.crystals_mhz)),
        )
        raise UsageError(f"{key}: expected {expected}", hint=option.hint)
    return changed


def with_faults(url: str, rules: Iterable[str]) -> str:
    """Return a URL with more rules, encoded as they must be."""
    for rule in rules:
        url += ("&" if "?" in url else "?") + "fault=" + quote(rule, safe="@:+")
    return url


@dataclass(frozen=True, slots=True)
class Option:
    """How an option of a URL is read; ``expected`` is the message for a value that is wrong."""

    read: Callable[[Setup, str], Setup | None]
    expected: str
    hint: str = ""


def _flash(setup: Setup, text: str) -> Setup | None:
    part = parts.by_name(text)
    if part is not None:
        return replace(setup, part=part)
    size = parse_number(text)
    if size is None or not 0 < size <= 256 * MIB or size % SECTOR:
        return None
    return replace(setup, part=parts.plain(size))


def _status(setup: Setup, text: str) -> Setup | None:
    if re.fullmatch(r"[0-9a-f]{1,2}(,[0-9a-f]{1,2})*", text, re.IGNORECASE) is None:
        return None
    return replace(setup, status=tuple(int(byte, 16) for byte in text.split(",")))


def _mac(setup: Setup, text: str) -> Setup | None:
    match = re.fullmatch(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}", text, re.IGNORECASE)
    return replace(setup, mac=int(re.sub("[:-]", "", text), 16)) if match else None


def _revision(setup: Setup, text: str) -> Setup | None:
    match = re.fullmatch(r"(\d+)\.(\d+)", text)
    if match is None:
        return None
    chip, major, minor = setup.chip, int(match[1]), int(match[2])
    possible = efuse.can_be(chip.major, major) and efuse.can_be(chip.minor, minor)
    return replace(setup, revision=(major, minor)) if possible else None


def _package(setup: Setup, text: str) -> Setup | None:
    for package in setup.chip.packages:
        if text.lower() in (str(package.number), package.name.lower()):
            return replace(setup, package=package.number)
    return None


def _latency(setup: Setup, text: str) -> Setup | None:
    seconds = parse_seconds(text)
    return None if seconds is None else replace(setup, latency_s=seconds)


def _crystal(setup: Setup, text: str) -> Setup | None:
    possible = text in map(str, setup.chip.crystals_mhz)
    return replace(setup, crystal_hz=int(text) * MHZ) if possible else None


def _flags(setup: Setup, text: str) -> Setup | None:
    flags = parse_number(text)
    possible = flags is not None and flags <= 0xFFFF_FFFF
    return replace(setup, flags=setup.flags | (flags or 0)) if possible else None


def _crypt(setup: Setup, text: str) -> Setup | None:
    count = parse_number(text)
    return None if count is None or count > 0xFF else replace(setup, crypt_count=count)


def _secure_download(setup: Setup, text: str) -> Setup | None:
    possible = text == "1" and setup.chip.rom.security_info_size
    return replace(setup, flags=setup.flags | SECURE_DOWNLOAD) if possible else None


def _usb(setup: Setup, text: str) -> Setup | None:
    possible = text == "jtag" and setup.chip.usb_serial_jtag
    return replace(setup, over_usb=True) if possible else None


def _inflight(setup: Setup, text: str) -> Setup | None:
    count = parse_number(text)
    return replace(setup, inflight=count) if count else None


_OPTIONS = {
    "flash": Option(
        _flash,
        "a size in sectors of 4k up to 256M, or a part, not {text!r}",
        hint=f"parts are {', '.join(part.name for part in parts.PARTS)}",
    ),
    "mac": Option(_mac, "six bytes such as 24:6f:28:a1:b2:c3, not {text!r}"),
    "rev": Option(_revision, "a revision that {chip.title} can have, not {text!r}"),
    "package": Option(_package, "one of {packages}, not {text!r}"),
    "latency": Option(_latency, "a time such as 16ms, not {text!r}"),
    "crystal": Option(_crystal, "{crystals} (MHz), not {text!r}"),
    "boot": Option(
        lambda setup, text: replace(setup, boot=Boot(text)) if text in _BOOTS else None,
        "download, app or loop, not {text!r}",
    ),
    "flags": Option(_flags, "32 bits such as 0x5, not {text!r}"),
    "crypt": Option(_crypt, "a number up to 255, not {text!r}"),
    "sdm": Option(_secure_download, "1, on a chip that has it, not {text!r} ({chip.title})"),
    "usb": Option(_usb, "jtag, on a chip that has it, not {text!r} ({chip.title})"),
    "flash-file": Option(
        lambda setup, text: replace(setup, flash_file=files.path_of(text)) if text else None,
        "the name of a file, not {text!r}",
    ),
    "sr": Option(_status, "bytes in hex such as 1c,02, not {text!r}"),
    "wp": Option(
        lambda setup, text: (
            replace(setup, wp_low=text == "low") if text in ("low", "high") else None
        ),
        "low or high, not {text!r}",
    ),
    "inflight": Option(_inflight, "a number of blocks from 1 on, not {text!r}"),
    "says": Option(lambda setup, text: replace(setup, says=fault.unescaped(text)), "a text"),
    "returns": Option(
        lambda setup, text: replace(setup, returns=text == "1") if text in ("0", "1") else None,
        "0 or 1, not {text!r}",
    ),
    "fault": Option(
        lambda setup, text: replace(setup, rules=(*setup.rules, fault.parse(text))), "a rule"
    ),
}
