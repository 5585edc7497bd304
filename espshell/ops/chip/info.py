"""Facts of the connected chip: identity, MAC, features, security, and how it starts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from espshell.chips import Chip, Quirk, Words
from espshell.device import Target
from espshell.efuse import verdict
from espshell.errors import UsageError
from espshell.nor import makers
from espshell.ops.chip.pin_layout import PinLayout, strap_levels
from espshell.ops.result import Result

SECURITY_FLAGS = (
    "SECURE_BOOT_EN",
    "SECURE_BOOT_AGGRESSIVE_REVOKE",
    "SECURE_DOWNLOAD_ENABLE",
    "SECURE_BOOT_KEY_REVOKE0",
    "SECURE_BOOT_KEY_REVOKE1",
    "SECURE_BOOT_KEY_REVOKE2",
    "SOFT_DIS_JTAG",
    "HARD_DIS_JTAG",
    "DIS_USB",
    "DIS_DOWNLOAD_DCACHE",
    "DIS_DOWNLOAD_ICACHE",
)
"""Flags of GET_SECURITY_INFO from bit 0 on.

Source: ESP-IDF ``esp_flash_encrypt`` and the security information of the ROMs, the same for all.
"""


MODES = {
    "flash": "start from flash",
    "download": "download mode",
    "SDIO": "start from SDIO",
    "invalid": "a combination that no manual defines",
}


@dataclass(frozen=True, slots=True)
class Security:
    """What protects the chip, from GET_SECURITY_INFO or from eFuse where the ROM has no such thing.

    ``flags`` are the names of those that are set.  ``key_purposes`` are in words, by key block.
    """

    flags: tuple[str, ...]
    flash_crypt_count: int
    flash_encryption: bool
    secure_boot: bool = False
    secure_download: bool = False
    key_purposes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FlashId(Result):
    """The flash chip by its JEDEC id; ``size`` in bytes, None if the id does not tell it."""

    id: int
    size: int | None

    @property
    def last_value(self) -> int | None:
        """The size, for `expect $_ >= 4M`."""
        return self.size


@dataclass(frozen=True, slots=True)
class BootMode:
    """How the chip has started, and how it would start now, by its strapping pins."""

    mode: str
    """``flash``, ``download``, another word of the tables, or empty: not known."""
    levels: tuple[tuple[int, int], ...]
    """Pins and levels that decided."""
    next_mode: str
    next_levels: tuple[tuple[int, int], ...]
    is_forced: bool = False
    """Whether a register holds the chip in download mode, whatever the pins say."""

    @property
    def reason(self) -> str:
        """Why the chip is in its loader, in words."""
        if self.is_forced:
            return "download mode: FORCE_DOWNLOAD_BOOT is set"
        if self.mode == "download":
            return f"download mode: at reset {_levels_text(self.levels)}"
        if not self.mode:
            return "the straps do not tell how the chip started"
        pins = _levels_text(self.levels)
        return f"in the loader though {pins} at reset ({MODES[self.mode]}): not by the pins"

    @property
    def prospect(self) -> str:
        """What the pins would give at the next reset, in words."""
        if not self.next_mode:
            return "the pins do not tell how the next reset starts"
        return f"now {_levels_text(self.next_levels)}: {MODES[self.next_mode]} at the next reset"


@dataclass(frozen=True, slots=True)
class Info(Result):
    """Who the chip is and how it is reached; None where it cannot be known.

    ``sdk_id`` is what an ESP8266's SDK calls its chip id; ``eui64`` the address for 802.15.4.
    """

    chip: str
    description: str
    revision: tuple[int, int] | None
    features: tuple[str, ...]
    crystal_mhz: int | None
    mac: str | None
    security: Security | None
    loader: str
    port: str
    baud: int
    eui64: str | None = None
    sdk_id: int | None = None
    flash: FlashId | None = None
    boot: BootMode | None = None
    """Why it is in its loader, and what its pins would give at the next reset."""
    boot_fuses: str | None = None
    """What the eFuses say about the next reset."""


@dataclass(frozen=True, slots=True)
class Mac(Result):
    """The base MAC address from eFuse."""

    mac: str


@dataclass(frozen=True, slots=True)
class ChipId(Result):
    """The id of this one chip, read from its eFuses, and its MAC."""

    chip: str
    chip_id: int | None
    """None for all but an ESP8266: only the MAC tells two of them apart."""
    mac: str


@dataclass(frozen=True, slots=True)
class SecurityReport(Result):
    """What a ROM says of its chip's security; ``chip_id`` is None where it says none."""

    chip: str
    chip_id: int | None
    security: Security


def security_report(target: Target) -> SecurityReport:
    """Return the answer of the ROM to GET_SECURITY_INFO at connecting.

    Raises: UsageError for a chip whose ROM does not know the command.
    """
    security, reply = _told_security(target), target.security
    if security is None or reply is None:
        raise UsageError(
            f"the ROM of an {target.chip.title} does not support GET_SECURITY_INFO",
            hint="`info` reads the eFuses",
        )
    return SecurityReport(target.chip.name, reply.chip_id, security)


def info(target: Target, *, with_flash: bool = True) -> Info:
    """Read what there is to know: each word once, then the flash's id.

    In secure download mode only what is known without reading memory.
    """
    chip = target.chip
    basics = Info(
        chip=chip.name,
        description=chip.title,
        revision=None,
        features=chip.fixed_features,
        crystal_mhz=None,
        mac=None,
        security=_told_security(target),
        loader=target.loader.dialect.name,
        port=target.link.port.url,
        baud=target.link.port.baud,
    )
    if target.loader.dialect.is_secure:
        return basics
    security_fields = [fuse.field for fuse in chip.security_fuses]
    security_fields += [chip.flash_crypt_count] if chip.flash_crypt_count else []
    addresses = [a for field in security_fields for a in field.addresses]
    fuses = target.efuse
    addresses += [*fuses.addresses(0), *boot_words(chip)]
    read = target.memory.gather([*chip.info_addresses, *addresses])
    words = read.__getitem__
    target.revision = chip.revision(words)
    return replace(
        basics,
        description=chip.description(words)
        or f"{chip.title} (package {chip.package.value(words)}, not known)",
        revision=target.revision,
        features=(*chip.fixed_features, *filter(None, (f.text(words) for f in chip.features))),
        crystal_mhz=_crystal(target, words),
        mac=_mac_text(chip.base_mac(words), 6),
        eui64=_mac_text(chip.eui64(words), 8),
        sdk_id=chip.sdk_id.value(words) if chip.sdk_id else None,
        flash=flash_id(target) if with_flash else None,
        security=basics.security or _fused_security(target, words),
        boot=boot_mode(chip, words),
        boot_fuses=verdict.boot(fuses.decoded(read), target.revision) or None,
    )


def boot_words(chip: Chip) -> list[int]:
    """Return the addresses of the words that ``boot_mode`` needs."""
    layout = PinLayout(chip)
    strap, forced = layout.strap(), chip.force_download
    addresses = {layout.place(pin, "in").address for pin in layout.strap_pins}
    return [*addresses, *((strap[0],) if strap else ()), *((forced.address,) if forced else ())]


def boot_mode(chip: Chip, words: Words) -> BootMode:
    """Return how the pins made the chip start, and would now."""
    layout, forced = PinLayout(chip), chip.force_download
    then, now = strap_levels(layout, words), {}
    for pin in layout.strap_pins:
        place = layout.place(pin, "in")
        now[pin.number] = words(place.address) >> place.bit & 1
    return BootMode(
        layout.pins.boot_mode(then),
        layout.pins.deciding(then),
        layout.pins.boot_mode(now),
        layout.pins.deciding(now),
        forced is not None and bool(forced.of(words(forced.address))),
    )


def flash_id(target: Target) -> FlashId | None:
    """Read the JEDEC id of the flash chip; None if nothing answers where it should be."""
    jedec_id = target.flash.identify()
    return FlashId(jedec_id, makers.size(jedec_id)) if jedec_id else None


def mac(target: Target) -> Mac:
    """Read the base MAC address."""
    words = target.memory.gather(target.chip.mac_addresses).__getitem__
    return Mac(_mac_text(target.chip.base_mac(words), 6) or "not known")


def chip_id(target: Target) -> ChipId:
    """Read the chip's id, which only an ESP8266 has, and the MAC."""
    number, field = None, target.chip.sdk_id
    if field is not None:
        number = field.value(target.memory.gather(field.addresses).__getitem__)
    return ChipId(target.chip.name, number, mac(target).mac)


def _levels_text(levels: Sequence[tuple[int, int]]) -> str:
    return " and ".join(f"GPIO{pin} {'high' if level else 'low'}" for pin, level in levels)


def _mac_text(mac: int | None, size: int) -> str | None:
    """Return an address as it is written; the eFuses of an ESP8266 may tell none."""
    return None if mac is None else mac.to_bytes(size, "big").hex(":")


def _crystal(target: Target, words: Words) -> int | None:
    """Return the crystal in MHz; by the ROM's calibration where a stub has changed the clock."""
    chip = target.chip
    if target.loader.dialect.is_stub and Quirk.STUB_RAISES_CLOCK in chip.quirks:
        believed = chip.rom_clock.hz(words) if chip.rom_clock else 0.0
        return min(chip.crystals_mhz, key=lambda mhz: abs(mhz * 1_000_000 - believed))
    divider = chip.uart_divider.of(words(chip.uart_divider.address))
    return chip.crystal_mhz(divider, target.link.port.baud)


def _told_security(target: Target) -> Security | None:
    """Return the security information of the ROM's answer at connecting."""
    security = target.security
    if security is None:
        return None
    flags = tuple(name for bit, name in enumerate(SECURITY_FLAGS) if security.flags >> bit & 1)
    names = dict(target.chip.key_purposes)
    return Security(
        flags=flags,
        flash_crypt_count=security.flash_crypt_count,
        flash_encryption=security.flash_crypt_count.bit_count() % 2 == 1,
        secure_boot="SECURE_BOOT_EN" in flags,
        secure_download=security.secure_download,
        key_purposes=tuple(
            names.get(number, f"purpose {number}") for number in security.key_purposes if names
        ),
    )


def _fused_security(target: Target, words: Words) -> Security | None:
    """Return the same from eFuse bits, where the chip has such."""
    chip = target.chip
    if chip.flash_crypt_count is None or target.revision is None:
        return None
    burnt = [
        fuse
        for fuse in chip.security_fuses
        if target.revision >= fuse.since and fuse.field.value(words)
    ]
    count = chip.flash_crypt_count.value(words)
    return Security(
        flags=tuple(fuse.name for fuse in burnt),
        flash_crypt_count=count,
        flash_encryption=count.bit_count() % 2 == 1,  # each change of mind burns one more
        secure_boot=any(fuse.secure_boot for fuse in burnt),
        secure_download=False,
    )
