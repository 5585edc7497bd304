"""The simulated chips as data: one literal a chip, and defaults.

Sources: boot texts of the ESP32 and ESP32-C3 as the chips print them; the banners of the others are
from memory and have not been compared with a chip, and those of the C5 and C61 are made up after
their relatives.  ROM words of the ESP32 as recorded in
``tests/data/esp32-rom.json`` and measured on ROM code; eFuse words and registers as ESP-IDF's
``efuse_reg.h``, ``uart_reg.h`` and ``rtc_cntl_reg.h`` define them.
"""

from __future__ import annotations

from espshell.chips import MAGIC_ADDRESS, NAMES, Bits, Chip, Field, Isa, by_name
from espshell.errors import UsageError
from espshell.records import dataclass, replace
from espshell.sim import board

ROM_BAUD = 115_200
"""What a ROM believes to print its boot log with."""


# From the start of the eFuse registers, on most chips.
_SECURE_BOOT_EN = Bits(0x38, 20)
_SPI_BOOT_CRYPT_CNT = Bits(0x34, 18, 3)


@dataclass(frozen=True, slots=True)
class Log:
    """The boot log of a ROM; ``line`` is a format for reset reason and boot mode."""

    line: bytes
    power_on: bytes = b"0x1 (POWERON)"
    software: bytes = b"0xc (RTC_SW_CPU_RST)"
    watchdog: bytes = b"0x10 (RTCWDT_RTC_RST)"
    brownout: bytes = b"0xf (BROWNOUT_RST)"
    download: bytes = b"0x5 (DOWNLOAD(USB/UART0/1))"
    application: bytes = b"0xd (SPI_FAST_FLASH_BOOT)"
    waiting: bytes = b"waiting for download\r\n"
    blank: bytes = b"invalid header: 0xffffffff\r\n" * 4
    """What it prints about a flash without a program."""


@dataclass(frozen=True, slots=True)
class Model:
    """A chip with all that only a simulator needs of it."""

    chip: str
    mac: int
    """48 bits, as it is written."""
    log: Log
    revision: tuple[int, int] = (0, 0)
    package: int = 0
    features: tuple[str, ...] = ()
    """Texts of the features that the chip has; the fields of all others are 0."""
    rom: tuple[tuple[int, bytes], ...] = ()
    """What is known of the ROM's contents, by address; the rest is invented."""
    registers: tuple[tuple[int, int], ...] = ()
    """Words that are not zero after a reset."""
    calibration: tuple[int, int] | None = None
    """Register that counts cycles of the crystal, and its value for each MHz."""
    mac_crc: Bits | None = None
    """Where a CRC-8 of the MAC stands."""
    secure_boot: Bits = _SECURE_BOOT_EN
    """SECURE_BOOT_EN, from the start of the eFuse registers; ``security_fuses`` go before."""
    crypt_count: Bits = _SPI_BOOT_CRYPT_CNT
    """SPI_BOOT_CRYPT_CNT, likewise; the chip's ``flash_crypt_count`` goes before."""
    mac_ext: int = 0xFFFE
    """What stands in the middle of an EUI-64."""
    after_baud_reply: bytes = b""
    """What follows the reply of CHANGE_BAUDRATE while the divider is set."""
    usb_console: int | None = None
    """A byte of ROM data that says which port the ROM talks through."""
    prints_at: int = ROM_BAUD
    """The rate of the boot log, where it is not known from the chip's ``rom_clock``."""
    board: str = ""
    """The board that carries it, see ``board``; empty: a bare chip with a blank flash."""
    part: str = ""
    """The flash part; empty: one of 4 MiB whose registers are all zero."""
    status: tuple[int, ...] = ()
    """First values of its status registers; the others are those of the factory."""

    @property
    def download_log(self) -> bytes:
        """What it prints after power-on, going to wait for a host."""
        return self.boot_log(self.log.power_on, download=True)

    @property
    def application_log(self) -> bytes:
        """What it prints after power-on, going to run what its flash holds."""
        return self.boot_log(self.log.power_on, download=False)

    def flash(self) -> bytes:
        """Return what its flash holds from the start on; all behind that is blank."""
        return board.flash_of(self.board)

    def words(self) -> dict[int, int]:
        """Return the registers of chip and board that are not zero after a reset."""
        return {**dict(self.registers), **board.registers_of(self.board)}

    def boot_log(self, reason: bytes, *, download: bool) -> bytes:
        """Return what it prints after a reset."""
        if download:
            return self.log.line % (reason, self.log.download) + self.log.waiting
        return self.log.line % (reason, self.log.application)


USB_SERIAL_JTAG = 3
"""Value of ``usb_console`` where the ROM talks over USB-JTAG/serial."""

APPLICATION_TEXT = b"hello from the application\r\n"

BROWNOUT_TEXT = b"\r\nBrownout detector was triggered\r\n\r\n"

PANIC_TEXT = {
    Isa.RISCV: (
        b"Guru Meditation Error: Core  0 panic'ed (Load access fault)."
        b" Exception was unhandled.\r\n\r\nCore  0 register dump:\r\n"
        b"MEPC    : 0x42000c3a  RA      : 0x42000c30  SP      : 0x3fc8f0a0\r\n"
        b"\r\nRebooting...\r\n"
    ),
    Isa.XTENSA: (
        b"Guru Meditation Error: Core  0 panic'ed (LoadProhibited)."
        b" Exception was unhandled.\r\n\r\nCore  0 register dump:\r\n"
        b"PC      : 0x400d1234  PS      : 0x00060030  A0      : 0x800d1240\r\n"
        b"\r\nBacktrace: 0x400d1231:0x3ffb5a10 0x400d123d:0x3ffb5a30\r\n\r\nRebooting...\r\n"
    ),
    Isa.XTENSA_CALL0: (
        b"Guru Meditation Error: Core  0 panic'ed (LoadProhibited)."
        b" Exception was unhandled.\r\nCore 0 register dump:\r\n"
        b"PC      : 0x40201234  PS      : 0x00000030  A0      : 0x40201240\r\n"
    ),
}
"""As ESP-IDF and the ESP8266 RTOS SDK print it; the numbers mean nothing."""


def _log(banner: bytes, download: bytes, application: bytes) -> Log:
    """Return the log of a chip since the ESP32-S2.

    It takes the ROM's version and date, and how the ROM calls its two ways to boot.
    """
    line = b"ESP-ROM:%s\r\nBuild:%s\r\nrst:%%s,boot:%%s\r\n" % tuple(banner.split(b", "))
    return Log(line, download=download, application=application + b" (SPI_FAST_FLASH_BOOT)")


ESP8266 = Model(
    chip="esp8266",
    mac=0x18FE_34D4_E5F6,
    log=Log(
        line=b"\r\n ets Jan  8 2013,rst cause:%s, boot mode:(%s,6)\r\n\r\n",
        power_on=b"2",
        software=b"2",
        watchdog=b"4",
        brownout=b"2",
        download=b"1",
        application=b"3",
        waiting=b"",
        blank=b"ets_main.c 543 \r\n",
    ),
    prints_at=74_880,  # a divider for 40 MHz, and a crystal of 26 MHz
)

ESP32 = Model(
    chip="esp32",
    mac=0x246F_28A1_B2C3,
    log=Log(
        line=b"ets Jul 29 2019 12:21:46\r\n\r\nrst:%s,boot:%s\r\n",
        power_on=b"0x1 (POWERON_RESET)",
        software=b"0xc (SW_CPU_RESET)",
        watchdog=b"0x10 (RTCWDT_RTC_RESET)",
        brownout=b"0xf (RTCWDT_BROWN_OUT_RESET)",
        download=b"0x3 (DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))",
        application=b"0x13 (SPI_FAST_FLASH_BOOT)",
    ),
    revision=(3, 1),
    package=1,
    features=("240 MHz",),
    rom=(
        (0x4000_0001, bytes.fromhex("c54910d5")),  # an unaligned reading
        (0x4000_1000, bytes.fromhex("831df000 36410065 e80a822a")),
    ),
    registers=(
        # 8 MHz clock in units of 0.25 MHz and its calibration: with this pair, which is invented,
        # the ROM's formula (cycles * 15625 * frequency / 40) gives the crystal exactly.
        (0x3FF5_A010, 128),
    ),
    calibration=(0x3FF5_F06C, 20 << 7),
    mac_crc=Bits(0x3FF5_A008, 16, 8),
    after_baud_reply=b"\xc0\xc0",
)

ESP32S2 = Model(
    chip="esp32s2",
    mac=0x7CDF_A10B_0C0D,
    log=_log(b"esp32s2-rc4-20191025, Oct 25 2019", b"0x0 (DOWNLOAD(USB/UART0/1/SPI))", b"0x8"),
    revision=(1, 0),
)

ESP32S3 = Model(
    chip="esp32s3",
    mac=0x3485_18A2_B3C4,
    log=_log(b"esp32s3-20210327, Mar 27 2021", b"0x0 (DOWNLOAD(USB/UART0))", b"0x8"),
    revision=(0, 2),
    features=("embedded PSRAM 8 MiB (AP 3.3 V)",),
)

ESP32C3 = Model(
    chip="esp32c3",
    mac=0x7CDF_A1B4_C5D6,
    log=_log(b"esp32c3-api1-20210207, Feb  7 2021", b"0x5 (DOWNLOAD(USB/UART0/1))", b"0xd"),
    revision=(0, 4),
    features=("embedded flash 4 MiB (XMC)",),
    rom=((0x4000_1000, bytes.fromhex("6f50311b")),),
    usb_console=0x3FCD_F07C,
)

ESP32C2 = Model(
    chip="esp32c2",
    mac=0x083A_8DC2_D3E4,
    log=_log(b"esp8684-api2-20220127, Jan 27 2022", b"0x4 (DOWNLOAD(UART0))", b"0xc"),
    revision=(1, 2),
    package=1,
    secure_boot=Bits(0x30, 21),
    crypt_count=Bits(0x30, 7, 3),
)

ESP32C5 = Model(
    chip="esp32c5",
    mac=0x3CDC_7591_A2B3,
    # The banner is made after its relatives.
    log=_log(b"esp32c5-eco2-20250121, Jan 21 2025", b"0x8 (DOWNLOAD(USB/UART0/SPI))", b"0x18"),
    revision=(1, 0),
    registers=((0x6009_6110, 48 << 24),),  # the crystal that the ROM believes in (PCR, in MHz)
    secure_boot=Bits(0x38, 25),
    crypt_count=Bits(0x34, 16, 3),
)

ESP32C61 = Model(
    chip="esp32c61",
    mac=0xD0CF_1361_A2B3,
    # The banner is made after its relatives.
    log=_log(b"esp32c61-eco3-20250113, Jan 13 2025", b"0x4 (DOWNLOAD(USB/UART0/SPI))", b"0xc"),
    revision=(1, 0),
    secure_boot=Bits(0x34, 26),
    crypt_count=Bits(0x30, 23, 3),
)

ESP32C6 = Model(
    chip="esp32c6",
    mac=0x404C_CA51_6273,
    log=_log(b"esp32c6-20220919, Sep 19 2022", b"0x4 (DOWNLOAD(USB/UART0/SDIO_REI_FEO))", b"0xc"),
    revision=(0, 1),
)

ESP32H2 = Model(
    chip="esp32h2",
    mac=0x6055_F9F7_A1B2,
    log=_log(b"esp32h2-20221101, Nov  1 2022", b"0x4 (DOWNLOAD(USB/UART0))", b"0xc"),
    revision=(0, 1),
)

ESP32P4 = Model(
    chip="esp32p4",
    mac=0x60E2_E7D1_E2F3,
    log=_log(b"esp32p4-eco2-20240710, Jul 10 2024", b"0x304 (DOWNLOAD(USB/UART0/SPI))", b"0x30c"),
    revision=(1, 3),
)

MODELS = (
    ESP8266,
    ESP32,
    ESP32S2,
    ESP32S3,
    ESP32C2,
    ESP32C3,
    ESP32C5,
    ESP32C6,
    ESP32C61,
    ESP32H2,
    ESP32P4,
)

DEMO = replace(
    ESP32C3,
    mac=0x7CDF_A1DE_3042,
    features=(),
    board="demo",
    part="W25Q32JV",
    status=(0x04,),  # BP0: the last 64 KiB
)
"""The chip that most people have on their desk, with the part whose protection is best known."""

BOARDS = (DEMO,)


def _generic(chip: Chip) -> Model:
    """Return a model of a chip of which only the tables are known."""
    return Model(
        chip=chip.name,
        mac=0x7CDF_A100_0000 | chip.id << 8 | 1,
        log=_log(
            b"%s-20250101, Jan  1 2025" % chip.name.encode(), b"0x4 (DOWNLOAD(USB/UART0))", b"0xc"
        ),
        # The first that has a stub.
        revision=max((stub.since for stub in chip.stub_names), default=(0, 0)),
    )


def chip_of(model: Model) -> Chip:
    """Return the row of the chip tables for a model."""
    chip = by_name(model.chip)
    if chip is None:
        raise UsageError(f"{model.chip} is not in the tables of chips")
    return chip


def by_chip_name(name: str) -> Model:
    """Return the model of a chip, however its name is written, or of a board.

    Raises: UsageError that names those that exist.
    """
    for model in BOARDS:
        if model.board == name.lower():
            return model
    chip = by_name(name)
    if chip is None:
        names = ", ".join((*NAMES, *(model.board for model in BOARDS)))
        raise UsageError(f"expected a chip that can be simulated ({names}), not {name!r}")
    return next((model for model in MODELS if model.chip == chip.name), None) or _generic(chip)


def rom_contents(model: Model) -> tuple[tuple[int, bytes], ...]:
    """Return what is known of the ROM: what the model says, and the word that tells the chip."""
    magic = chip_of(model).magic
    word = () if magic is None else ((MAGIC_ADDRESS, magic.to_bytes(4, "little")),)
    return (*word, *model.rom)


def feature_values(model: Model) -> tuple[tuple[Field, int], ...]:
    """Return the fields of the model's features, with what they must hold.

    Raises: ValueError for a text that no feature of the chip has.
    """
    fields = {
        text: (feature.field, number)
        for feature in reversed(chip_of(model).features)
        for number, text in reversed(feature.texts)
    }
    unknown = [text for text in model.features if text not in fields]
    if unknown:
        raise ValueError(f"no feature of {model.chip} reads {unknown[0]!r}")
    return tuple(fields[text] for text in model.features)
