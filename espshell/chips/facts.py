"""The words in which a chip's literal is written; see ``chip.Chip`` for what they are used for."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from espshell.records import dataclass
from espshell.span import Span
from espshell.units import ALL_BITS, WORD

Words = Callable[[int], int]
"""Gives the word at an address."""

Revision = tuple[int, int]
"""Major and minor number of a chip's revision."""


class Isa(Enum):
    """What machine code a chip's main cores run."""

    RISCV = "riscv"
    XTENSA = "xtensa"
    """With register windows."""
    XTENSA_CALL0 = "xtensa-call0"
    """Without register windows."""


class Kind(Enum):
    """What lies behind a region of the address space."""

    ROM = "rom"
    RAM = "ram"
    PERIPHERAL = "peripheral"
    FLASH = "flash"
    """Flash seen through the cache; in download mode the cache is off and reads mean nothing."""
    PSRAM = "psram"
    """External RAM seen through the cache; as above."""


@dataclass(frozen=True, slots=True)
class Region:
    """A range of addresses, ``end`` not included."""

    name: str
    start: int
    end: int
    kind: Kind
    note: str = ""

    @property
    def span(self) -> Span:
        """Its addresses."""
        return Span(self.start, self.end)

    @property
    def size(self) -> int:
        """Bytes in the region."""
        return self.end - self.start

    def holds(self, address: int, size: int = 1) -> bool:
        """Return whether all bytes of a range lie in this region."""
        return self.start <= address and address + size <= self.end


@dataclass(frozen=True, slots=True)
class SharedRam:
    """RAM that has addresses on the data bus and others on the instruction bus, from there on.

    Source: ESP-IDF ``soc.h`` of each chip: SOC_DIRAM_*, SOC_I_D_OFFSET and, of RTC fast memory,
    SOC_RTC_DRAM_* and SOC_RTC_IRAM_*.
    """

    data: int
    instruction: int
    size: int
    reversed: bool = False
    """The words stand in opposite order on the two buses, the bytes of a word do not.

    Source: SOC_DIRAM_INVERTED and ``esp_ptr_diram_dram_to_iram()`` of ESP-IDF.
    """

    def others(self, span: Span) -> tuple[Span, ...]:
        """Return where on the other bus that lies which a span holds of this RAM."""
        ranges = []
        for here, there in (self.data, self.instruction), (self.instruction, self.data):
            part = span.intersection(Span.of(here, self.size)).shifted(-here)
            if part and self.reversed:
                words = part.aligned(WORD)
                part = Span(self.size - words.end, self.size - words.start)
            if part:
                ranges.append(part.shifted(there))
        return tuple(ranges)


@dataclass(frozen=True, slots=True)
class Bits:
    """``width`` bits from bit ``low`` of the word at ``address``."""

    address: int
    low: int
    width: int = 1

    def of(self, word: int) -> int:
        """Return the field's value in a word."""
        return word >> self.low & (1 << self.width) - 1

    @property
    def mask(self) -> int:
        """The bits of the word that belong to the field."""
        return (1 << self.width) - 1 << self.low


@dataclass(frozen=True, slots=True)
class Field:
    """A number that is spread over words: its parts, least significant first.

    ``decode`` maps what the bits say to what they mean, where these differ.
    """

    parts: tuple[Bits, ...]
    decode: tuple[tuple[int, int], ...] = ()

    def value(self, words: Words) -> int:
        """Return the number; ``words`` gives the word at an address."""
        raw, shift = 0, 0
        for part in self.parts:
            raw |= part.of(words(part.address)) << shift
            shift += part.width
        return dict(self.decode).get(raw, raw)

    @property
    def width(self) -> int:
        """Bits of all parts together."""
        return sum(part.width for part in self.parts)

    @property
    def addresses(self) -> tuple[int, ...]:
        """The words that must be read."""
        return tuple(part.address for part in self.parts)


@dataclass(frozen=True, slots=True)
class Condition:
    """It holds where a field has a value."""

    field: Field
    value: int

    def holds(self, words: Words) -> bool:
        """Look whether the field has the value."""
        return self.field.value(words) == self.value


@dataclass(frozen=True, slots=True)
class Package:
    """A marketing name; it holds where the number and every condition that is not None agree."""

    number: int
    name: str
    major: int | None = None
    single_core: bool | None = None
    since: Revision = (0, 0)
    """First revision that has the name."""
    mask: int = ALL_BITS
    """Bits of the number that count."""

    def agrees(self, number: int, revision: Revision, single_core: bool | None) -> bool:
        """Return whether a chip with these values has the name."""
        return (
            number & self.mask == self.number
            and self.major in (None, revision[0])
            and self.single_core in (None, single_core)
            and revision >= self.since
        )


@dataclass(frozen=True, slots=True)
class Feature:
    """A line of ``info``: what the values of a field mean; a value without a text says nothing."""

    field: Field
    texts: tuple[tuple[int, str], ...]

    def text(self, words: Words) -> str:
        """Return the text of the field's value, or an empty one."""
        return dict(self.texts).get(self.field.value(words), "")


@dataclass(frozen=True, slots=True)
class SplitMac:
    """A base MAC whose first half stands elsewhere than the second, or is only hinted at."""

    low: Field
    """The last three bytes as a number."""
    oui: Field
    """The first three bytes as a number, where ``oui_word`` is not zero."""
    oui_word: Field
    code: Field
    """What stands for the first three bytes otherwise."""
    codes: tuple[tuple[int, int], ...]

    def value(self, words: Words) -> int | None:
        """Return the 48 bits, or None if the first half cannot be known."""
        if self.oui_word.value(words):
            return self.oui.value(words) << 24 | self.low.value(words)
        oui = dict(self.codes).get(self.code.value(words))
        return None if oui is None else oui << 24 | self.low.value(words)

    @property
    def addresses(self) -> tuple[int, ...]:
        """The words that must be read."""
        fields = (self.low, self.oui, self.oui_word, self.code)
        return tuple(dict.fromkeys(a for field in fields for a in field.addresses))


@dataclass(frozen=True, slots=True)
class Write:
    """A word to be written under a mask, as WRITE_REG does it: wait ``delay_us``, then write."""

    address: int
    value: int
    mask: int = ALL_BITS
    delay_us: int = 0


@dataclass(frozen=True, slots=True)
class SpiController:
    """The controller that the flash hangs on, as a user command needs it.

    ``base`` is an address, the others are offsets from it.  The names are those of ESP-IDF's
    ``spi_mem_reg.h``; the defaults are its layout, which every chip since the ESP32-S2 has (SVDs;
    esptool 5.6).

    Common to all: CMD.USR is bit 18; USER has the phases COMMAND, ADDR, DUMMY, MISO, MOSI in bits
    31 to 27; USER1 has the address length less one from bit 26 and the dummy length less one from
    bit 0; USER2 has the command length less one from bit 28 and the command from bit 0; lengths
    are in bits and less one.
    """

    base: int
    cmd: int = 0x00
    addr: int = 0x04
    user: int = 0x18
    user1: int = 0x1C
    user2: int = 0x20
    mosi_dlen: int = 0x24
    mosi_dlen_low: int = 0
    """Bit of ``mosi_dlen`` where the length starts."""
    miso_dlen: int = 0x28
    miso_dlen_low: int = 0
    w0: int = 0x58
    w_words: int = 16
    """Data registers from ``w0`` on: the most that one command carries either way."""
    address_msb_first: bool = False
    """The address stands at the upper end of ADDR, not at the lower."""

    @property
    def lengths_in_user1(self) -> bool:
        """There are no length registers: USER1 is written once, with everything in it."""
        return self.mosi_dlen == self.user1


@dataclass(frozen=True, slots=True)
class FlashSize:
    """A flash size (bytes) and its code, the upper half of byte 3 of an image header."""

    name: str
    size: int
    code: int


@dataclass(frozen=True, slots=True)
class StubName:
    """The name, without suffix, of a file in a stub package, for revisions in a range."""

    name: str
    since: Revision = (0, 0)
    before: Revision | None = None

    def fits(self, revision: Revision) -> bool:
        """Return whether the stub runs on a revision."""
        return self.since <= revision and (self.before is None or revision < self.before)


@dataclass(frozen=True, slots=True)
class SecurityFuse:
    """A security eFuse where the ROM has no GET_SECURITY_INFO; it says yes where it is not zero."""

    name: str
    field: Field
    since: Revision = (0, 0)
    """First revision in which the eFuse has this meaning."""
    secure_boot: bool = False
    """It says that only signed code runs."""


@dataclass(frozen=True, slots=True)
class RomClock:
    """What a ROM takes its crystal to be (Hz) when it turns a baud rate into a divider.

    The product of the factors times ``scale`` over ``divisor``.
    """

    scale: int
    divisor: int = 1
    factors: tuple[Field, ...] = ()

    def hz(self, words: Words) -> float:
        """Return the frequency that the ROM believes in."""
        product = self.scale
        for factor in self.factors:
            product *= factor.value(words)
        return product / self.divisor

    def asked_baud(self, baud: int, crystal_hz: int, words: Words) -> int:
        """Return what to ask for in CHANGE_BAUDRATE in order to get ``baud``."""
        product = self.scale * baud
        for factor in self.factors:
            product *= factor.value(words)
        return product // (self.divisor * crystal_hz)


@dataclass(frozen=True, slots=True)
class PowerUp:
    """What must be written on one revision before the flash answers, where the conditions hold."""

    revision: Revision
    when: tuple[Condition, ...]
    writes: tuple[Write, ...]


class Quirk(Enum):
    """What a chip does otherwise than others and no other field says; each with its source."""

    ERASES_TOO_MUCH = (
        "FLASH_BEGIN counts the sectors up to the first 64 KiB boundary twice and erases past the"
        " end: a smaller size must be asked for (esptool 5.6, ESP8266)"
    )
    STUB_RAISES_CLOCK = (
        "the stub runs the UART from the PLL: its divider no longer tells the crystal, the ROM's"
        " own calibration does (esptool 5.6, ESP32 stub)"
    )
    BAUD_FIXED_IN_SECURE_DOWNLOAD = (
        "CHANGE_BAUDRATE does not work in secure download mode (Espressif's ESPTOOL-1231)"
    )
    NO_STUB_WITH_SECURE_BOOT = (
        "the ROM does not start a stub when secure boot is on (esptool 5.6, warning on ESP32-C3)"
    )
    STUB_START_BY_READ = (
        "MEM_END does not start code when secure boot is on: READ_FLASH_SLOW does, through"
        " ``read_pointer`` (esptool 5.6, ESP32-S3)"
    )
    FORCED_DOWNLOAD_STAYS = (
        "FORCE_DOWNLOAD_BOOT survives a reset by the lines and must be cleared before it"
        " (arduino-esp32 issue 6762)"
    )
    OTG_RESET_BY_WATCHDOG = (
        "over USB-OTG the control lines cannot leave download mode; the watchdog can"
        " (esptool 5.6, hard reset)"
    )
    WATCHDOG_RESET_LOSES_USB = (
        "after a reset by the watchdog the USB-JTAG/serial port may be gone until it is plugged in"
        " again (esptool 5.6, ESP32-C6)"
    )
    FLASH_UNPOWERED = (
        "on some revisions the flash has no supply in download mode (esptool 5.6, ESP32-P4)"
    )
    PADS_FROM_EFUSE = (
        "SPI_ATTACH of the ROM does not look at the eFuses for the pads of an embedded flash: they"
        " go into its argument (esptool 5.6, ESP32)"
    )
