"""The tables of registers, row by row, and against what is known from elsewhere."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import chain

import pytest

from espshell import chips, registers
from espshell.chips import Chip, Kind
from espshell.registers.table import Peripheral, Register, Registers

NAMES = chips.NAMES

# Where the SVD names some bits twice: as a whole and in parts, or for different uses of a register.
OVERLAPPING = {
    "esp8266": {
        "SPI0.ADDR",
        "SPI1.ADDR",
        "TIMER.FRC1_CTRL",
        "TIMER.FRC2_CTRL",
        "UART0.FIFO",
        "UART1.FIFO",
    },
    "esp32p4": {"SPI0.MMU_ITEM_CONTENT"},
    "esp32": {
        "DPORT.WIFI_CLK_EN",
        "DPORT.PRO_DCACHE_DBUG0",
        "DPORT.PRO_DCACHE_DBUG3",
        "DPORT.APP_DCACHE_DBUG0",
        "DPORT.APP_DCACHE_DBUG3",
        "DPORT.PRO_CPU_RECORD_PDEBUGINST",
        "DPORT.PRO_CPU_RECORD_PDEBUGSTATUS",
        "DPORT.PRO_CPU_RECORD_PDEBUGDATA",
        "DPORT.PRO_CPU_RECORD_PDEBUGLS0STAT",
        "DPORT.CACHE_IA_INT_EN",
        "GPIO.CPUSDIO_INT1",
        *(f"PCNT.U{n}_STATUS" for n in range(8)),
        *(f"RMT.CH{n}STATUS" for n in range(8)),
        "RTC_CNTL.LOW_POWER_ST",
        "RTC_CNTL.BROWN_OUT",
        "SENS.SAR_MEAS_WAIT2",
        *(f"UART{n}.MEM_RX_STATUS" for n in range(3)),
    },
}

# What the chip's own facts call otherwise than its SVD: rows of registers under one name, another
# manual's spelling, aliases on another bus, FIFO windows.
OTHERWISE_NAMED = {
    "RMT.DATA",
    "SLC.TXFIFO_POP",
    "TWAI0.INT",
    "TWAI1.INT",
    "TWAI2.INT",
    "UART0.FIFO_AHB",
    "UART1.FIFO_AHB",
    "UART2.FIFO_AHB",
    "USB0.FIFO",
    "USB_FS.FIFO",
    "USB_FS.GRXSTSP",
    "USB_HS.FIFO",
    "USB_HS.GRXSTSP",
    "LP_UART.FIFO_AHB",
    "I3C_MST.RX",
    "LP_I2C0.DATA",
}


def table(name: str) -> Registers:
    found = registers.of(name)
    assert found is not None
    return found


def chip(name: str) -> Chip:
    found = chips.by_name(name)
    assert found is not None
    return found


def rows(name: str) -> Iterator[Register]:
    return chain.from_iterable(table(name).registers(p.name) for p in table(name).peripherals)


@pytest.mark.parametrize("name", NAMES)
def test_addresses(name: str) -> None:
    """Every register is an aligned word in a region for peripherals, and inside its peripheral."""
    facts, registers = chip(name), table(name)
    for register in rows(name):
        region = facts.region_at(register.address, 4)
        assert register.address % 4 == 0, register
        assert region is not None, register
        assert region.kind is Kind.PERIPHERAL, register
        peripheral = registers.peripheral(register.peripheral)
        assert peripheral is not None
        assert peripheral.holds(register.address), register
        assert 0 <= register.reset < 1 << 32, register


@pytest.mark.parametrize("name", NAMES)
def test_fields(name: str) -> None:
    """Fields are inside 32 bits, ascend, do not overlap but for the known ones, and are named."""
    overlapping = set()
    for register in rows(name):
        used = 0
        for field in register.fields:
            assert field.width >= 1, (register, field)
            assert field.mask < 1 << 32, (register, field)
            assert all(value < 1 << field.width for value, _ in field.values), (register, field)
            if field.mask & used:
                overlapping.add(register.full_name)
            used |= field.mask
        assert [f.low for f in register.fields] == sorted(f.low for f in register.fields)
        assert len({f.name for f in register.fields}) == len(register.fields), register
    assert overlapping == OVERLAPPING.get(name, set())


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    """Names are unique, can be typed in an expression, and find what they are names of."""
    known = table(name)
    found = list(rows(name))
    assert len({r.full_name for r in found}) == len(found)
    assert len({p.name for p in known.peripherals}) == len(known.peripherals)
    for register in found:
        for part in (register.peripheral, register.name, *(f.name for f in register.fields)):
            assert part.isidentifier(), register
            assert part == part.upper(), register
        assert known.find(register.full_name.lower()) == register
        assert register in known.at(register.address)


@pytest.mark.parametrize("name", NAMES)
def test_access(name: str) -> None:
    """A register can be read, or written, if one of its fields can."""
    for register in rows(name):
        if register.fields:
            accesses = [field.access for field in register.fields]
            assert register.access.readable == any(a.readable for a in accesses), register
            assert register.access.writable == any(a.writable for a in accesses), register


@pytest.mark.parametrize("name", NAMES)
def test_regions_of_the_same_name(name: str) -> None:
    """A region or register that the chip's own facts name has the same place in the table."""
    for region in (*chip(name).regions, *chip(name).read_effects, chip(name).efuse):
        known = table(name).find(region.name) or table(name).peripheral(region.name)
        if known is not None:
            assert known.address == region.start, region
        elif "." in region.name:
            assert region.name in OTHERWISE_NAMED, region


@pytest.mark.parametrize("name", NAMES)
def test_the_facts_of_the_chip(name: str) -> None:
    """UART divider, MAC words, flash controller and watchdogs stand where the chip's facts say."""
    known, facts = table(name), chip(name)

    def names(address: int) -> str:
        return " ".join(register.full_name for register in known.at(address))

    assert names(facts.uart_divider.address) in ("UART0.CLKDIV", "UART0.CLKDIV_SYNC")
    assert all(
        names(address).startswith(("EFUSE.R", "EFUSE.BLK0", "EFUSE.DATA")) for address in facts.mac
    )
    for offset, wanted in ((facts.spi.cmd, "CMD"), (facts.spi.user, "USER"), (facts.spi.w0, "W0")):
        if known.peripheral("SPI1"):  # left out on the ESP32-S2
            assert names(facts.spi.base + offset).endswith(wanted)
    if fuse := facts.no_download_encryption:
        (register,) = known.at(fuse.address)
        (field,) = (each for each in register.fields if each.low <= fuse.low <= each.high)
        fuses = ("DIS_DOWNLOAD_MANUAL_ENCRYPT", "DISABLE_DL_ENCRYPT")
        assert field.name in fuses or name == "esp32"
    for write in (*facts.watchdogs, *facts.watchdog_reset):
        assert "WDT" in names(write.address) or "SWD" in names(write.address)


KNOWN = {
    "esp32": """
        UART0.FIFO 3ff40000  UART0.INT_RAW 3ff40004  UART0.CLKDIV 3ff40014  UART0.STATUS 3ff4001c
        UART0.CONF0 3ff40020  UART1.CLKDIV 3ff50014  UART2.CLKDIV 3ff6e014  GPIO.OUT 3ff44004
        GPIO.OUT_W1TS 3ff44008  GPIO.OUT_W1TC 3ff4400c  GPIO.OUT1 3ff44010  GPIO.ENABLE 3ff44020
        GPIO.STRAP 3ff44038  GPIO.IN 3ff4403c  GPIO.IN1 3ff44040  GPIO.PIN0 3ff44088
        GPIO.PIN39 3ff44124  GPIO.FUNC0_IN_SEL_CFG 3ff44130  GPIO.FUNC0_OUT_SEL_CFG 3ff44530
        EFUSE.BLK0_RDATA0 3ff5a000  EFUSE.BLK0_RDATA3 3ff5a00c  RTC_CNTL.OPTIONS0 3ff48000
        RTC_CNTL.STORE0 3ff4804c  RTC_CNTL.CLK_CONF 3ff48070  RTC_CNTL.WDTCONFIG0 3ff4808c
        RTC_CNTL.WDTFEED 3ff480a0  RTC_CNTL.WDTWPROTECT 3ff480a4  TIMG0.WDTCONFIG0 3ff5f048
        TIMG0.WDTWPROTECT 3ff5f064  TIMG0.RTCCALICFG1 3ff5f06c  TIMG1.WDTWPROTECT 3ff60064
        SPI1.CMD 3ff42000  SPI1.ADDR 3ff42004  SPI1.USER 3ff4201c  SPI1.W0 3ff42080
        SPI1.W15 3ff420bc  SPI2.CMD 3ff64000  DPORT.PERIP_CLK_EN 3ff000c0
        DPORT.CPU_PER_CONF 3ff0003c  I2C0.CTR 3ff53004  IO_MUX.GPIO0 3ff49044
        LEDC.HSCH0_CONF0 3ff59000  APB_CTRL.DATE 3ff6607c  RTC_IO.OUT 3ff48400""",
    "esp32s2": """
        UART0.FIFO 3f400000  UART0.CLKDIV 3f400014  UART0.STATUS 3f40001c  UART1.STATUS 3f41001c
        GPIO.OUT 3f404004  GPIO.OUT_W1TS 3f404008  GPIO.ENABLE 3f404020  GPIO.STRAP 3f404038
        GPIO.IN 3f40403c  GPIO.PIN0 3f404074  GPIO.FUNC0_OUT_SEL_CFG 3f404554
        EFUSE.RD_WR_DIS 3f41a02c  EFUSE.RD_REPEAT_DATA0 3f41a030  EFUSE.RD_MAC_SPI_SYS_0 3f41a044
        RTC_CNTL.OPTIONS0 3f408000  RTC_CNTL.WDTCONFIG0 3f408094  RTC_CNTL.WDTWPROTECT 3f4080ac
        TIMG0.WDTCONFIG0 3f41f048  TIMG0.WDTWPROTECT 3f41f064  SPI2.CMD 3f424000
        SPI2.USER 3f424018  SPI2.W0 3f424098  SPI3.W0 3f425098  I2C0.CTR 3f413004
        IO_MUX.GPIO0 3f409004  LEDC.CH0_CONF0 3f419000""",
    "esp32s3": """
        UART0.FIFO 60000000  UART0.CLKDIV 60000014  UART0.STATUS 6000001c  UART1.STATUS 6001001c
        GPIO.OUT 60004004  GPIO.OUT_W1TS 60004008  GPIO.ENABLE 60004020  GPIO.STRAP 60004038
        GPIO.IN 6000403c  GPIO.PIN0 60004074  GPIO.FUNC0_OUT_SEL_CFG 60004554
        EFUSE.RD_WR_DIS 6000702c  EFUSE.RD_REPEAT_DATA0 60007030  EFUSE.RD_MAC_SPI_SYS_0 60007044
        RTC_CNTL.OPTIONS0 60008000  RTC_CNTL.WDTCONFIG0 60008098  RTC_CNTL.WDTWPROTECT 600080b0
        RTC_CNTL.SWD_CONF 600080b4  RTC_CNTL.SWD_WPROTECT 600080b8  TIMG0.WDTCONFIG0 6001f048
        TIMG0.WDTWPROTECT 6001f064  SPI1.CMD 60002000  SPI1.USER 60002018  SPI1.W0 60002058
        SYSTEM.PERIP_CLK_EN0 600c0018  I2C0.CTR 60013004  IO_MUX.GPIO0 60009004
        RNG.DATA 6003507c  USB_DEVICE.EP1 60038000  USB_DEVICE.EP1_CONF 60038004""",
    "esp32c2": """
        UART0.FIFO 60000000  UART0.CLKDIV 60000014  UART0.STATUS 6000001c  UART1.STATUS 6001001c
        GPIO.OUT 60004004  GPIO.OUT_W1TS 60004008  GPIO.ENABLE 60004020  GPIO.STRAP 60004038
        GPIO.IN 6000403c  GPIO.PIN0 60004074  GPIO.FUNC0_OUT_SEL_CFG 60004554
        EFUSE.RD_WR_DIS 6000882c  EFUSE.RD_REPEAT_DATA0 60008830  RTC_CNTL.OPTIONS0 60008000
        RTC_CNTL.WDTCONFIG0 60008084  RTC_CNTL.WDTWPROTECT 6000809c  TIMG0.WDTCONFIG0 6001f048
        TIMG0.WDTWPROTECT 6001f064  SPI1.CMD 60002000  SPI1.USER 60002018  SPI1.W0 60002058
        I2C0.CTR 60013004  IO_MUX.GPIO0 60009004  RNG.DATA 600260b0""",
    "esp32c3": """
        UART0.FIFO 60000000  UART0.CLKDIV 60000014  UART0.STATUS 6000001c  UART0.CONF0 60000020
        UART1.STATUS 6001001c  GPIO.OUT 60004004  GPIO.OUT_W1TS 60004008  GPIO.OUT_W1TC 6000400c
        GPIO.ENABLE 60004020  GPIO.STRAP 60004038  GPIO.IN 6000403c  GPIO.PIN0 60004074
        GPIO.FUNC0_IN_SEL_CFG 60004154  GPIO.FUNC0_OUT_SEL_CFG 60004554  EFUSE.RD_WR_DIS 6000882c
        EFUSE.RD_REPEAT_DATA0 60008830  EFUSE.RD_MAC_SPI_SYS_0 60008844  RTC_CNTL.OPTIONS0 60008000
        RTC_CNTL.WDTCONFIG0 60008090  RTC_CNTL.WDTFEED 600080a4  RTC_CNTL.WDTWPROTECT 600080a8
        RTC_CNTL.SWD_CONF 600080ac  RTC_CNTL.SWD_WPROTECT 600080b0  TIMG0.WDTCONFIG0 6001f048
        TIMG0.WDTWPROTECT 6001f064  SPI1.CMD 60002000  SPI1.ADDR 60002004  SPI1.USER 60002018
        SPI1.W0 60002058  SYSTEM.PERIP_CLK_EN0 600c0010  SYSTEM.SYSCLK_CONF 600c0058
        I2C0.CTR 60013004  IO_MUX.GPIO0 60009004  LEDC.CH0_CONF0 60019000  SYSTIMER.CONF 60023000
        RNG.DATA 600260b0  USB_DEVICE.EP1 60043000  USB_DEVICE.EP1_CONF 60043004""",
    "esp32c6": """
        UART0.FIFO 60000000  UART0.CLKDIV 60000014  UART0.STATUS 6000001c  UART1.STATUS 6000101c
        GPIO.OUT 60091004  GPIO.OUT_W1TS 60091008  GPIO.ENABLE 60091020  GPIO.STRAP 60091038
        GPIO.IN 6009103c  GPIO.PIN0 60091074  GPIO.FUNC0_IN_SEL_CFG 60091154
        GPIO.FUNC0_OUT_SEL_CFG 60091554  EFUSE.RD_WR_DIS 600b082c  EFUSE.RD_REPEAT_DATA0 600b0830
        EFUSE.RD_MAC_SPI_SYS_0 600b0844  TIMG0.WDTCONFIG0 60008048  TIMG0.WDTWPROTECT 60008064
        I2C0.CTR 60004004  IO_MUX.GPIO0 60090004  LEDC.CH0_CONF0 60007000  SYSTIMER.CONF 6000a000
        RNG.DATA 600b2808  USB_DEVICE.EP1 6000f000  USB_DEVICE.EP1_CONF 6000f004""",
    "esp32h2": """
        UART0.FIFO 60000000  UART0.CLKDIV 60000014  UART0.STATUS 6000001c  UART1.STATUS 6000101c
        GPIO.OUT 60091004  GPIO.OUT_W1TS 60091008  GPIO.ENABLE 60091020  GPIO.STRAP 60091038
        GPIO.IN 6009103c  GPIO.PIN0 60091074  EFUSE.RD_WR_DIS 600b082c
        EFUSE.RD_REPEAT_DATA0 600b0830  TIMG0.WDTCONFIG0 60009048  TIMG0.WDTWPROTECT 60009064
        I2C0.CTR 60004004  IO_MUX.GPIO0 60090004  LEDC.CH0_CONF0 60008000  SYSTIMER.CONF 6000b000
        RNG.DATA 600b2808  USB_DEVICE.EP1 6000f000  USB_DEVICE.EP1_CONF 6000f004""",
    "esp32c5": """
        UART0.FIFO 60000000  UART0.CLKDIV_SYNC 60000014  UART0.STATUS 6000001c
        UART1.STATUS 6000101c  GPIO.STRAP 60091000  GPIO.OUT 60091004  GPIO.OUT_W1TS 60091008
        GPIO.ENABLE 60091034  GPIO.IN 60091064  GPIO.PIN0 600910d4  GPIO.FUNC0_OUT_SEL_CFG 60091ad4
        EFUSE.RD_REPEAT_DATA0 600b4830  TIMG0.WDTCONFIG0 60008048
        INTPRI.CPU_INTR_FROM_CPU_3 600c509c  IO_MUX.GPIO0 60090000  USB_DEVICE.EP1 6000f000""",
    "esp32c61": """
        UART0.FIFO 60000000  UART0.CLKDIV_SYNC 60000014  UART0.STATUS 6000001c
        GPIO.STRAP 60091000  GPIO.OUT 60091004  GPIO.ENABLE 60091034  GPIO.IN 60091064
        GPIO.PIN0 600910d4  GPIO.FUNC0_OUT_SEL_CFG 60091ad4  EFUSE.RD_REPEAT_DATA0 600b4830
        TIMG0.WDTCONFIG0 60008048  IO_MUX.GPIO0 60090000  USB_DEVICE.EP1 6000f000""",
    "esp32p4": """
        UART0.FIFO 500ca000  UART0.STATUS 500ca01c  GPIO.OUT 500e0004  GPIO.OUT_W1TS 500e0008
        GPIO.ENABLE 500e0020  GPIO.STRAP 500e0038  GPIO.IN 500e003c  GPIO.IN1 500e0040
        GPIO.PIN0 500e0074  GPIO.FUNC1_IN_SEL_CFG 500e015c  GPIO.FUNC0_OUT_SEL_CFG 500e0558
        EFUSE.RD_WR_DIS 5012d02c  TIMG0.WDTCONFIG0 500c2048  TIMG0.WDTCONFIG2 500c2050
        LP_WDT.CONFIG0 50116000  LP_WDT.CONFIG1 50116004  IO_MUX.GPIO0 500e1004""",
    "esp8266": """
        UART0.FIFO 60000000  UART0.CLKDIV 60000014  UART0.STATUS 6000001c  UART1.STATUS 60000f1c
        GPIO.OUT 60000300  GPIO.OUT_W1TS 60000304  GPIO.ENABLE 6000030c  GPIO.IN 60000318
        GPIO.PIN0 60000328  GPIO.PIN15 60000364  IO_MUX.MTDI 60000804  IO_MUX.GPIO5 60000840
        SPI0.CMD 60000200  SPI0.W0 60000240  SPI0.W15 6000027c  SPI1.W1 60000144
        EFUSE.DATA0 3ff00050  TIMER.FRC2_COUNT 60000624  RNG.RNG 3ff20e44  DPORT.CTL 3ff00014""",
}
"""Registers as the technical reference manuals and ESP-IDF's ``*_reg.h`` have them."""


@pytest.mark.parametrize("name", NAMES)
def test_known_registers(name: str) -> None:
    """Registers that everybody knows are where everybody knows them."""
    words = KNOWN[name].split()
    wanted = {each: int(address, 16) for each, address in zip(words[::2], words[1::2], strict=True)}
    found = {each: table(name).find(each) for each in wanted}
    assert {each: r.address for each, r in found.items() if r} == wanted


@pytest.mark.parametrize(
    ("name", "field", "bits", "access"),
    [
        ("esp32", "UART0.STATUS.RXFIFO_CNT", "7:0", "r"),
        ("esp32", "UART0.STATUS.TXFIFO_CNT", "23:16", "r"),
        ("esp32", "UART0.CONF0.BIT_NUM", "3:2", "rw"),
        ("esp32", "UART0.CLKDIV.FRAG", "23:20", "rw"),
        ("esp32", "GPIO.PIN0.PAD_DRIVER", "2", "rw"),
        ("esp32", "GPIO.PIN39.INT_TYPE", "9:7", "rw"),
        ("esp32", "UART2.STATUS.TXD", "31", "r"),
        ("esp32", "RTC_CNTL.CLK_CONF.SOC_CLK_SEL", "28:27", "rw"),
        ("esp32", "SPI1.CMD.USR", "18", "rw"),
        ("esp32", "GPIO.OUT_W1TS.OUT_DATA_W1TS", "31:0", "w"),
        ("esp32c3", "UART0.STATUS.TXFIFO_CNT", "25:16", "r"),
        ("esp32c3", "RTC_CNTL.WDTCONFIG0.WDT_EN", "31", "rw"),
        ("esp32c3", "GPIO.OUT_W1TS.OUT_W1TS", "25:0", "w"),
        ("esp32c3", "RMT.INT_RAW.CH1_TX_END", "1", "rw"),
        ("esp32s3", "UART0.STATUS.TXFIFO_CNT", "25:16", "r"),
        ("esp32c6", "UART0.STATUS.TXFIFO_CNT", "23:16", "r"),
        ("esp8266", "GPIO.IN.STRAPPING", "31:16", "rw"),
        ("esp8266", "UART0.STATUS.TXFIFO_CNT", "23:16", "r"),
    ],
)
def test_known_fields(name: str, field: str, bits: str, access: str) -> None:
    """Fields have the bits of the manuals, also in rows of registers and derived peripherals."""
    found = table(name).find_field(field)
    assert found is not None
    assert (found[1].bits, found[1].access.value) == (bits, access)


def test_values_with_names() -> None:
    """A value has a name and a name a value, in any case."""
    found = table("esp32").find_field("rtc_cntl.clk_conf.soc_clk_sel")
    assert found is not None
    field = found[1]
    assert field.values == ((0, "XTAL"), (1, "PLL"), (2, "CK8M"), (3, "APLL"))
    assert (field.number("apll"), field.number("xyz")) == (3, None)
    assert (field.named(1), field.named(9)) == ("PLL", "")
    assert field.value(2 << 27 | 0x1234) == 2
    found = table("esp8266").find_field("GPIO.PIN4.DRIVER")
    assert found is not None
    assert found[1].named(1) == "OPEN_DRAIN"


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("gpio.out", ["GPIO.OUT", "GPIO.OUT_W1TS", "GPIO.OUT_W1TC"]),
        ("GPIO.OUT*C", ["GPIO.OUT_W1TC"]),
        ("UART?.STATUS", ["UART0.STATUS", "UART1.STATUS"]),
        ("GPIO.PIN1[23]", ["GPIO.PIN12", "GPIO.PIN13"]),
        ("nosuch", []),
    ],
)
def test_search(pattern: str, wanted: list[str]) -> None:
    """A part of a name in any case, or a pattern for all of it."""
    assert [each.full_name for each in table("esp32c3").search(pattern)] == wanted


def test_search_for_a_peripheral() -> None:
    """The whole name of a peripheral is its registers and no others."""
    found = table("esp32c3").search("gpio")
    assert {each.peripheral for each in found} == {"GPIO"}
    assert len(found) == len(table("esp32c3").names("GPIO"))


@pytest.mark.parametrize(
    ("address", "label"),
    [
        (0x6000_0020, "UART0.CONF0"),
        (0x6000_4024, "GPIO.ENABLE_W1TS"),
        (0x6000_0021, "UART0"),
        (0x6000_1000, ""),
    ],
)
def test_label(address: int, label: str) -> None:
    """A place is called by its register, else by its peripheral."""
    assert table("esp32c3").label(address) == label


def test_names_that_there_are_not() -> None:
    """What is not there is None, not an error."""
    known = table("esp32c3")
    assert known.find("UART0") is None
    assert known.find("UART0.") is None
    assert known.find("NOSUCH.CONF0") is None
    assert known.find_field("UART0.CONF0") is None
    assert known.find_field("UART0.CONF0.NOSUCH") is None
    assert known.peripheral("NOSUCH") is None
    assert known.names("NOSUCH") == ()
    assert known.at(0x6000_1000) == ()


def test_a_chip_without_a_table() -> None:
    """What is no chip has no table."""
    assert registers.of("esp32x1") is None


def test_what_is_wrong_is_left_out() -> None:
    """A name with a wrong address is worse than none: the ESP32-S2's flash controllers."""
    known = table("esp32s2")
    assert known.peripheral("SPI0") is None
    assert known.find("SPI1.W0") is None
    assert known.names("SPI4") == known.names("SPI2")


def test_one_table_a_process() -> None:
    """A table is read once."""
    assert registers.of("esp32c3") is registers.of("esp32c3")


def test_only_what_is_looked_up_is_taken_apart() -> None:
    """Loading a table splits it into peripherals; the lines of the others stay as they are."""
    registers.of.cache_clear()
    known = table("esp32c6")
    assert known.find("GPIO.OUT")
    parsed = [name for name, sheet in known._sheets.items() if "rows" in vars(sheet)]
    assert parsed == ["GPIO"]


def test_nothing_is_loaded_before_a_name_is_looked_up() -> None:
    """The package itself reads no table and imports nothing that does."""
    code = "import sys, espshell.registers; print('espshell.registers.table' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
    with pytest.raises(AttributeError):
        registers.nosuch  # type: ignore[attr-defined]  # noqa: B018


def test_a_peripheral_ends_behind_its_last_register() -> None:
    """The next address belongs to it no more."""
    uart = Peripheral("UART0", 0x6000_0000, 0x84)
    held = [uart.holds(0x6000_0000 + offset) for offset in (-1, 0, 0x83, 0x84)]
    assert held == [False, True, True, False]
