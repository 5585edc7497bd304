"""What there is to know about a chip, as a type; the facts stand in one module a chip.

A chip is a literal.  What differs between chips is data in these fields; code asks a field and
never a name.  Defaults are what most chips have.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from espshell.chips import common
from espshell.chips.facts import (
    Bits,
    Condition,
    Feature,
    Field,
    FlashSize,
    Isa,
    Kind,
    Package,
    PowerUp,
    Quirk,
    Region,
    Revision,
    RomClock,
    SecurityFuse,
    SharedRam,
    SpiController,
    SplitMac,
    StubName,
    Words,
    Write,
)
from espshell.protocol.dialect import Dialect
from espshell.records import dataclass
from espshell.span import Span


@dataclass(frozen=True, slots=True)
class Chip:
    """One chip.  Addresses are absolute; sizes are bytes."""

    name: str
    """As typed: ``esp32c3``."""
    title: str
    """As printed on it: ``ESP32-C3``."""
    id: int
    """In image headers, and in GET_SECURITY_INFO where the ROM has it."""
    magic: int | None
    """The word at ``MAGIC_ADDRESS``, where it tells the chip."""
    rom: Dialect
    regions: tuple[Region, ...]
    read_effects: tuple[Region, ...]
    """Registers that change when they are read; never read without being asked, never twice."""
    markers: tuple[int, ...]
    """Words of ROM code to be woven into long reads; which of them differ is found by reading."""
    efuse: Region
    mac: tuple[int, int]
    """Words with the low 32 and the high 16 bits of the base MAC; but see ``split_mac``."""
    major: Field
    minor: Field
    package: Field
    """The number that ``packages`` go by: the package version, or what else names follow."""
    packages: tuple[Package, ...]
    """Names; the first row that agrees counts."""
    fixed_features: tuple[str, ...]
    features: tuple[Feature, ...]
    crystals_mhz: tuple[int, ...]
    """Crystals it may have; if several, the divider of UART0 tells which."""
    uart_divider: Bits
    spi: SpiController
    uf2_family: int
    """Family id of a UF2 file (Source: Microsoft's ``uf2families.json``, as in esptool 5.6)."""
    isa: Isa = Isa.RISCV
    shared_ram: tuple[SharedRam, ...] = ()
    """RAM that has two addresses; empty: what ``regions`` holds is all different."""
    bootloader_offset: int = 0
    """Where in flash the ROM looks for the bootloader."""
    single_core: Field | None = None
    revision_zero: tuple[Condition, ...] = ()
    """If there are any and all hold, the revision is 0.0 whatever its fields say."""
    split_mac: SplitMac | None = None
    """How the base MAC is put together where ``mac`` is not enough."""
    mac_ext: Field | None = None
    """16 bits that stand between the halves of the base MAC in the EUI-64 of 802.15.4."""
    sdk_id: Field | None = None
    """The number that the chip's SDK calls its id, where there is one (not the image id)."""
    usb_serial_jtag: bool = False
    usb_otg_pid: int | None = None
    """USB product id of the ROM over USB-OTG, where the chip has that; ``USB_VID`` is the vendor.

    Source: esptool 5.6; the product id is the chip's id.
    """
    uart_clock_factor: int = 1
    """The clock of UART0 in the ROM loader is this many times the crystal."""
    rom_clock: RomClock | None = None
    """Where the ROM may be wrong about its crystal: baud rates must be corrected by this."""
    flash_sizes: tuple[FlashSize, ...] = common.FLASH_SIZES
    flash_frequencies: tuple[tuple[str, int], ...] = common.FLASH_FREQUENCIES
    """Flash clock (as in esptool's options) and its code, the lower half of byte 3 of a header."""
    flash_32bit: bool = False
    """The stub takes flash addresses past 16 MiB."""
    spi_pads: tuple[Field, ...] = ()
    """GPIO numbers for SPI_ATTACH from eFuse: CLK, Q, D, HD, CS; all 0 is the default pads."""
    custom_spi_pins: tuple[int, ...] = ()
    """GPIOs that SPI_ATTACH may be told to use for the flash; empty: none can be chosen."""
    flash_power: tuple[PowerUp, ...] = ()
    """What must be done before the flash answers; the first row that agrees counts."""
    stub_names: tuple[StubName, ...] = ()
    """Files in stub packages by revision; empty: one, named like the chip."""
    read_pointer: int | None = None
    """A word of ROM data that READ_FLASH_SLOW jumps through; see ``Quirk.STUB_START_BY_READ``."""
    watchdogs: tuple[Write, ...] = ()
    """To be written after connecting over USB-JTAG/serial, where a reset does not stop them."""
    watchdog_reset: tuple[Write, ...] = ()
    """Resets the chip by its RTC watchdog, within half a second; empty: it cannot or must not."""
    boot_strap: Bits | None = None
    """What GPIO0 was at reset: 0 is download mode, and a reset by the lines may not leave it."""
    force_download: Bits | None = None
    """FORCE_DOWNLOAD_BOOT: set, the next reset ends in download mode whatever the pins say."""
    flash_crypt_count: Field | None = None
    """Where the ROM has no GET_SECURITY_INFO: flash is encrypted if an odd number of bits is set"""
    no_download_encryption: Bits | None = None
    """eFuse: the loader no longer encrypts what it writes, so that only ciphertext boots.

    Source: DIS_DOWNLOAD_MANUAL_ENCRYPT of the technical reference manuals (on an ESP32
    DISABLE_DL_ENCRYPT), checked against the SVD tables and esptool 5.6.
    """
    security_fuses: tuple[SecurityFuse, ...] = ()
    """As above: the rest of what GET_SECURITY_INFO would tell."""
    key_purposes: tuple[tuple[int, str], ...] = ()
    """Names of the purposes in GET_SECURITY_INFO; empty: the chip's key blocks have none."""
    quirks: tuple[Quirk, ...] = ()

    @property
    def usb_otg(self) -> bool:
        """Whether its ROM loader can be reached over USB-OTG."""
        return self.usb_otg_pid is not None

    @property
    def revision_addresses(self) -> tuple[int, ...]:
        """The words that ``revision`` needs."""
        fields = [self.major, self.minor, *(condition.field for condition in self.revision_zero)]
        return tuple(sorted({address for field in fields for address in field.addresses}))

    @property
    def info_addresses(self) -> tuple[int, ...]:
        """The words that description, revision, MACs, features, crystal and clock need."""
        fields = [self.major, self.minor, self.package, *(f.field for f in self.features)]
        fields += [condition.field for condition in self.revision_zero]
        fields += [field for field in (self.single_core, self.mac_ext, self.sdk_id) if field]
        fields += self.rom_clock.factors if self.rom_clock else ()
        addresses = [*self.mac_addresses, self.uart_divider.address]
        addresses += [address for field in fields for address in field.addresses]
        return tuple(sorted(set(addresses)))

    @property
    def mac_addresses(self) -> tuple[int, ...]:
        """The words that ``base_mac`` needs."""
        return self.split_mac.addresses if self.split_mac else self.mac

    def base_mac(self, words: Words) -> int | None:
        """Return the 48 bits as they are written, or None if the eFuses do not tell them."""
        if self.split_mac:
            return self.split_mac.value(words)
        low, high = (words(address) for address in self.mac)
        return (high & 0xFFFF) << 32 | low

    def eui64(self, words: Words) -> int | None:
        """Return the 64-bit address of 802.15.4 where the chip has one."""
        mac = self.base_mac(words)
        if self.mac_ext is None or mac is None:
            return None
        return mac >> 24 << 40 | self.mac_ext.value(words) << 24 | mac & 0xFF_FFFF

    def revision(self, words: Words) -> Revision:
        """Return major and minor revision."""
        if self.revision_zero and all(condition.holds(words) for condition in self.revision_zero):
            return 0, 0
        return self.major.value(words), self.minor.value(words)

    def description(self, words: Words) -> str | None:
        """Return the marketing name, or None if no row of ``packages`` agrees."""
        number, revision = self.package.value(words), self.revision(words)
        single = bool(self.single_core.value(words)) if self.single_core else None
        return next((p.name for p in self.packages if p.agrees(number, revision, single)), None)

    def crystal_mhz(self, divider: int, baud: int) -> int:
        """Return the crystal nearest to what UART0's divider and the baud rate multiply to."""
        estimate_hz = divider * baud / self.uart_clock_factor
        return min(self.crystals_mhz, key=lambda mhz: abs(mhz * 1_000_000 - estimate_hz))

    def stub_name(self, revision: Revision) -> str | None:
        """Return the name of the stub's file without suffix, or None if no stub runs on it."""
        names = self.stub_names or (StubName(self.name),)
        return next((name.name for name in names if name.fits(revision)), None)

    def power_up(self, revision: Revision, words: Words) -> tuple[Write, ...]:
        """Return what must be written before the flash answers; see ``flash_power``."""
        for step in self.flash_power:
            if step.revision == revision and all(condition.holds(words) for condition in step.when):
                return step.writes
        return ()

    def region_at(self, address: int, size: int = 1) -> Region | None:
        """Return the region that holds a whole range, or None."""
        for region in self.regions:
            if region.start <= address and address + size <= region.end:
                return region
        return None

    def same_ram(self, span: Span) -> tuple[Span, ...]:
        """Return all spans of addresses that are the same RAM: the span itself, then others."""
        return (span, *(other for ram in self.shared_ram for other in ram.others(span)))

    def is_code(self, address: int) -> bool:
        """Return whether a core can run what is at an address in download mode: RAM or ROM."""
        region = self.region_at(address)
        return region is not None and region.kind in (Kind.RAM, Kind.ROM) and region.executable

    @property
    def synonyms(self) -> tuple[Region, ...]:
        """The data RAM under ``DRAM`` and ``RAM``, where the chip's manual has another name for it.

        So one script means the same on every chip.
        """
        named = {region.name: region for region in self.regions}
        data_ram = next(named[name] for name in ("DRAM", "DRAM1", "RAM") if name in named)
        return tuple(replace(data_ram, name=name) for name in ("DRAM", "RAM") if name not in named)

    def walk(self, span: Span) -> Iterator[tuple[int, Region | None]]:
        """Yield the regions that a range covers, each with the first of its addresses that it has.

        The last one is None where the range leaves the memory map.
        """
        address = span.start
        while address < span.end:
            region = self.region_at(address)
            yield address, region
            if region is None:
                return
            address = region.end

    def neighbours(self, address: int) -> tuple[Region | None, Region | None]:
        """Return the regions that end before and start after an address."""
        before = [r for r in self.regions if r.end <= address]
        after = [r for r in self.regions if r.start > address]
        return (
            max(before, key=lambda r: r.end, default=None),
            min(after, key=lambda r: r.start, default=None),
        )

    def changes_when_read(self, address: int, size: int = 4) -> Region | None:
        """Return the register in a range that reading would change, or None."""
        for region in self.read_effects:
            if address < region.end and region.start < address + size:
                return region
        return None
