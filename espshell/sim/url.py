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
from espshell.errors import PortError, UsageError, system_reason
from espshell.sim import efuse, fault, models, parts
from espshell.sim.models import Model
from espshell.sim.nor import SECTOR
from espshell.sim.parts import Part
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


_COMMON = parts.plain(4 * MIB)


@dataclass(frozen=True, slots=True)
class Setup:
    """Which chip to simulate, and how."""

    model: Model
    mac: int
    revision: tuple[int, int]
    package: int
    crystal_hz: int
    part: Part = _COMMON
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
        read = _OPTIONS.get(key)
        if read is None:
            raise UsageError(
                f"expected an option of the simulator ({', '.join(_OPTIONS)}), not {key!r}"
            )
        setup = read(setup, unquote(value))
    if len(setup.status) > len(setup.part.registers):
        raise UsageError(
            f"sr: expected at most {len(setup.part.registers)} values, for the registers of"
            f" {setup.part.name}, not {len(setup.status)}"
        )
    return setup


def with_faults(url: str, rules: Iterable[str]) -> str:
    """Return a URL with more rules, encoded as they must be."""
    for rule in rules:
        url += ("&" if "?" in url else "?") + "fault=" + quote(rule, safe="@:+")
    return url


def _flash(setup: Setup, text: str) -> Setup:
    part = parts.by_name(text)
    if part is not None:
        return replace(setup, part=part)
    size = parse_number(text)
    if size is None or not 0 < size <= 256 * MIB or size % SECTOR:
        names = ", ".join(part.name for part in parts.PARTS)
        raise UsageError(
            f"flash: expected a size in sectors of 4k up to 256M, or a part, not {text!r}",
            hint=f"parts are {names}",
        )
    return replace(setup, part=parts.plain(size))


def _flash_file(setup: Setup, text: str) -> Setup:
    if not text:
        raise UsageError("flash-file: expected the name of a file, not ''")
    return replace(setup, flash_file=files.path_of(text))


def _status(setup: Setup, text: str) -> Setup:
    if re.fullmatch(r"[0-9a-f]{1,2}(,[0-9a-f]{1,2})*", text, re.IGNORECASE) is None:
        raise UsageError(f"sr: expected bytes in hex such as 1c,02, not {text!r}")
    return replace(setup, status=tuple(int(byte, 16) for byte in text.split(",")))


def _write_protect(setup: Setup, text: str) -> Setup:
    if text not in ("low", "high"):
        raise UsageError(f"wp: expected low or high, not {text!r}")
    return replace(setup, wp_low=text == "low")


def _inflight(setup: Setup, text: str) -> Setup:
    count = parse_number(text)
    if not count:
        raise UsageError(f"inflight: expected a number of blocks from 1 on, not {text!r}")
    return replace(setup, inflight=count)


def _mac(setup: Setup, text: str) -> Setup:
    if re.fullmatch(r"[0-9a-f]{2}([:-][0-9a-f]{2}){5}", text, re.IGNORECASE) is None:
        raise UsageError(f"mac: expected six bytes such as 24:6f:28:a1:b2:c3, not {text!r}")
    return replace(setup, mac=int(re.sub("[:-]", "", text), 16))


def _revision(setup: Setup, text: str) -> Setup:
    match = re.fullmatch(r"(\d+)\.(\d+)", text)
    chip = models.chip_of(setup.model)
    if match is not None:
        major, minor = int(match[1]), int(match[2])
        if efuse.can_be(chip.major, major) and efuse.can_be(chip.minor, minor):
            return replace(setup, revision=(major, minor))
    raise UsageError(f"rev: expected a revision that {chip.title} can have, not {text!r}")


def _package(setup: Setup, text: str) -> Setup:
    chip = models.chip_of(setup.model)
    for package in chip.packages:
        if text.lower() in (str(package.number), package.name.lower()):
            return replace(setup, package=package.number)
    names = ", ".join(f"{package.number} {package.name}" for package in chip.packages)
    raise UsageError(f"package: expected one of {names}, not {text!r}")


def _latency(setup: Setup, text: str) -> Setup:
    seconds = parse_seconds(text)
    if seconds is None:
        raise UsageError(f"latency: expected a time such as 16ms, not {text!r}")
    return replace(setup, latency_s=seconds)


def _crystal(setup: Setup, text: str) -> Setup:
    crystals = models.chip_of(setup.model).crystals_mhz
    if text not in map(str, crystals):
        names = " or ".join(map(str, crystals))
        raise UsageError(f"crystal: expected {names} (MHz), not {text!r}")
    return replace(setup, crystal_hz=int(text) * MHZ)


def _boot(setup: Setup, text: str) -> Setup:
    if text not in [boot.value for boot in Boot]:
        raise UsageError(f"boot: expected download, app or loop, not {text!r}")
    return replace(setup, boot=Boot(text))


def _flags(setup: Setup, text: str) -> Setup:
    flags = parse_number(text)
    if flags is None or flags > 0xFFFF_FFFF:
        raise UsageError(f"flags: expected 32 bits such as 0x5, not {text!r}")
    return replace(setup, flags=setup.flags | flags)


def _crypt(setup: Setup, text: str) -> Setup:
    count = parse_number(text)
    if count is None or count > 0xFF:
        raise UsageError(f"crypt: expected a number up to 255, not {text!r}")
    return replace(setup, crypt_count=count)


def _secure_download(setup: Setup, text: str) -> Setup:
    chip = models.chip_of(setup.model)
    if text != "1" or not chip.rom.security_info_size:
        raise UsageError(f"sdm: expected 1, on a chip that has it, not {text!r} ({chip.title})")
    return replace(setup, flags=setup.flags | SECURE_DOWNLOAD)


def _usb(setup: Setup, text: str) -> Setup:
    chip = models.chip_of(setup.model)
    if text != "jtag" or not chip.usb_serial_jtag:
        raise UsageError(f"usb: expected jtag, on a chip that has it, not {text!r} ({chip.title})")
    return replace(setup, over_usb=True)


def _says(setup: Setup, text: str) -> Setup:
    def byte(match: re.Match[bytes]) -> bytes:
        return bytes([int(match[1], 16)]) if match[1] else _ESCAPES[match[0]]

    said = re.sub(rb"\\x([0-9A-Fa-f]{2})|\\[rnt\\]", byte, text.encode())
    return replace(setup, says=said)


def _returns(setup: Setup, text: str) -> Setup:
    if text not in ("0", "1"):
        raise UsageError(f"returns: expected 0 or 1, not {text!r}")
    return replace(setup, returns=text == "1")


def _fault(setup: Setup, text: str) -> Setup:
    return replace(setup, rules=(*setup.rules, fault.parse(text)))


_ESCAPES = {b"\\r": b"\r", b"\\n": b"\n", b"\\t": b"\t", b"\\\\": b"\\"}

_OPTIONS: dict[str, Callable[[Setup, str], Setup]] = {
    "flash": _flash,
    "mac": _mac,
    "rev": _revision,
    "package": _package,
    "latency": _latency,
    "crystal": _crystal,
    "boot": _boot,
    "flags": _flags,
    "crypt": _crypt,
    "sdm": _secure_download,
    "usb": _usb,
    "flash-file": _flash_file,
    "sr": _status,
    "wp": _write_protect,
    "inflight": _inflight,
    "says": _says,
    "returns": _returns,
    "fault": _fault,
}
