"""Registers by name on a simulated chip: read, taken apart, set field by field."""

from __future__ import annotations

import dataclasses

import pytest

from espshell import chips, registers
from espshell.errors import UsageError
from espshell.ops.memory import registers as ops
from espshell.ops.memory import words as memory
from espshell.ops.memory.writing import registers_at
from espshell.registers.table import BitField, Register
from tests.loader.support import held, open_sim, wire_of

ESP32 = open_sim()
MEM = ESP32.memory


def register(name: str) -> Register:
    found = ops.tables(MEM).find(name)
    assert found is not None
    return found


def field(name: str) -> tuple[Register, BitField]:
    found = ops.tables(MEM).find_field(name)
    assert found is not None
    return found


def put(name: str, value: int) -> None:
    """Give a register a value."""
    memory.poke(MEM, register(name).address, [value], verify=False)


def requests() -> int:
    return int(wire_of(ESP32).count.requests)


def test_read_register() -> None:
    """A register's value, and that of each of its fields."""
    put("UART0.CONF1", 0x8123_4567)
    result = ops.read_register(MEM, register("UART0.CONF1"))
    assert (result.ok, result.value, result.last_value) == (True, 0x8123_4567, 0x8123_4567)
    assert {f.name: f.value(result.value) for f in result.fields} == {
        "RXFIFO_FULL_THRHD": 0x67,
        "TXFIFO_EMPTY_THRHD": 0x45,
        "RX_FLOW_THRHD": 0x23,
        "RX_FLOW_EN": 0,
        "RX_TOUT_THRHD": 1,
        "RX_TOUT_EN": 1,
    }


def test_read_one_field() -> None:
    """If one field is asked for, its value is the last one."""
    put("UART0.CONF1", 0x8123_4567)
    result = ops.read_register(MEM, *field("UART0.CONF1.TXFIFO_EMPTY_THRHD"))
    assert [each.name for each in result.fields] == ["TXFIFO_EMPTY_THRHD"]
    assert result.last_value == 0x45


def test_read_what_changes() -> None:
    """A register that changes when it is read is read once when it is named, and says so."""
    result = ops.read_register(MEM, register("I2S0.INFIFO_POP"))
    assert "reading I2S0.INFIFO_POP changed it" in result.notes


def test_write_only_is_not_read() -> None:
    """Refused before anything is sent, and done if forced."""
    before = requests()
    with pytest.raises(UsageError, match=r"GPIO\.OUT_W1TS is write-only"):
        ops.read_register(MEM, register("GPIO.OUT_W1TS"))
    with pytest.raises(UsageError, match=r"UART0\.INT_CLR\.BRK_DET_INT_CLR is write-only"):
        ops.read_register(MEM, *field("UART0.INT_CLR.BRK_DET_INT_CLR"))
    assert requests() == before
    assert ops.read_register(MEM, register("GPIO.OUT_W1TS"), force=True).ok


def test_read_many() -> None:
    """What is write-only or changes when read is left out, and named with the reason."""
    wanted = ops.tables(MEM).registers("UART0")
    put("UART0.CLKDIV", 0x123)
    result = ops.read_registers(MEM, wanted)
    values = {each.register.name: each.value for each in result.registers}
    assert values["CLKDIV"] == 0x123
    assert {each.name for each in result.skipped} == {"FIFO", "INT_CLR"}
    assert result.notes == (
        "not read (changes when it is read): UART0.FIFO",
        "not read (write-only): UART0.INT_CLR",
    )
    assert len(result.registers) + 2 == len(wanted)
    assert not ops.read_registers(MEM, wanted, force=True).skipped


def test_too_many() -> None:
    """Nobody reads a whole chip by mistake."""
    with pytest.raises(UsageError, match="at most 1024 are read at once"):
        ops.read_registers(MEM, ops.tables(MEM).search("*"))


def test_fields_are_set_by_one_write() -> None:
    """Fields of a register in one masked write; the others keep their values."""
    put("UART0.CONF0", 0x0800_001C)
    before = requests()
    fields = [(field(f"UART0.CONF0.{n}")[1], v) for n, v in (("PARITY", 1), ("BIT_NUM", 2))]
    result = ops.write_fields(MEM, register("UART0.CONF0"), fields)
    assert held(ESP32, 0x3FF4_0020) == result.new == result.wanted == 0x0800_0019
    assert (result.old, result.written.mask, result.ok) == (0x0800_001C, 0b1101, True)
    assert [each.name for each in result.changed] == ["PARITY", "BIT_NUM"]
    assert result.last_value == 0x0800_0019
    assert [change.address for change in result.written.changes] == [0x3FF4_0020]
    assert ops.write_fields(MEM, register("UART0.CONF0"), fields, verify=False).new is None
    assert requests() > before


def test_all_ones() -> None:
    """-1 is all ones, as in a poke."""
    put("UART0.CONF1", 0)
    ops.write_fields(MEM, *each("UART0.CONF1.RX_TOUT_THRHD", -1))
    assert held(ESP32, 0x3FF4_0024) == 0x7F00_0000


def each(name: str, value: int) -> tuple[Register, list[tuple[BitField, int]]]:
    owner, found = field(name)
    return owner, [(found, value)]


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("UART0.CONF0.BIT_NUM", 4, "0x4 does not fit UART0.CONF0.BIT_NUM, which has 2 bits"),
        ("UART0.CONF0.PARITY", -2, "does not fit UART0.CONF0.PARITY, which has 1 bit"),
        ("UART0.STATUS.TXD", 1, "UART0.STATUS.TXD is read-only"),
    ],
)
def test_refused_writes(name: str, value: int, message: str) -> None:
    """A value too wide, or a field that cannot be written: refused before anything is sent."""
    before = requests()
    with pytest.raises(UsageError, match=message):
        ops.write_fields(MEM, *each(name, value))
    assert requests() == before


def test_forced_write() -> None:
    """A read-only field is written if forced."""
    put("UART0.STATUS", 0)
    assert ops.write_fields(MEM, *each("UART0.STATUS.TXD", 1), force=True).new == 1 << 31


def test_write_only_is_written_whole_and_not_read() -> None:
    """Nothing is kept of a write-only register, and nothing read."""
    before = requests()
    result = ops.write_fields(MEM, *each("UART0.INT_CLR.BRK_DET_INT_CLR", 1))
    assert requests() == before + 1
    assert (result.old, result.new, result.wanted, result.ok) == (None, None, 0x80, True)
    assert result.written.mask == 0xFFFF_FFFF
    assert result.notes == ("not read back: UART0.INT_CLR is write-only",)
    assert (result.changed, result.failure, result.last_value) == ((), "", 0x80)


def test_write_whole_register() -> None:
    """A register as a whole; read-only ones are refused."""
    assert ops.write_register(MEM, register("GPIO.OUT"), 0x55).new == 0x55
    with pytest.raises(UsageError, match=r"UART0\.STATUS is read-only"):
        ops.write_register(MEM, register("UART0.STATUS"), 1)


def test_what_does_not_read_back_is_named() -> None:
    """A field that reads back otherwise is the failure; a write-only one is none."""
    result = ops.write_fields(MEM, *each("UART0.CONF0.BIT_NUM", 3))
    assert result.old is not None
    (write,) = result.written.writes
    write = dataclasses.replace(write, new=bytes(4), data=b"\x0c\0\0\0", mask=0xC)
    other = dataclasses.replace(result.written, writes=(write,), mask=0xC)
    failed = dataclasses.replace(result, written=other)
    assert not failed.ok
    assert failed.failure.startswith("BIT_NUM reads back 0, not 3; it may clear itself")


@pytest.mark.parametrize(("address", "width"), [(0x3FF4_4008, 32), (0x3FF4_400A, 16)])
def test_poke_knows_what_is_write_only(address: int, width: int) -> None:
    """A poke of a write-only register by its address is one request and says why."""
    before = requests()
    result = memory.poke(MEM, address, [1], width=width)
    assert (result.old, result.new) == (None, None)
    assert result.notes == ("not read back: GPIO.OUT_W1TS is write-only",)
    assert requests() == before + 1


def test_field_named() -> None:
    """A typo is answered with the fields that there are."""
    owner = register("UART0.CLKDIV")
    assert ops.field_named(owner, "frag").bits == "23:20"
    with pytest.raises(UsageError, match=r"UART0\.CLKDIV has no field `FRG`") as caught:
        ops.field_named(owner, "FRG")
    assert caught.value.hint == "it has CLKDIV, FRAG"


def test_lists() -> None:
    """All peripherals, or the registers of a name; what fits nothing is an error."""
    names = [each.name for each in ops.list_registers(MEM).peripherals]
    assert names[:3] == ["AES", "APB_CTRL", "BB"]
    found = ops.list_registers(MEM, "gpio.out1")
    assert [each.name for each in found.registers] == ["OUT1", "OUT1_W1TS", "OUT1_W1TC"]
    with pytest.raises(UsageError, match="no register of the ESP32 matches `xyz`"):
        ops.list_registers(MEM, "xyz")


def test_chip_without_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said in one line."""
    chip = chips.by_name("esp32p4")
    assert chip is not None
    monkeypatch.setattr(registers, "of", lambda name: None)
    with pytest.raises(UsageError, match=r"^no register tables for the ESP32-P4$"):
        ops.tables(open_sim(chip="esp32p4").memory)
    assert registers_at(open_sim(chip="esp32p4").memory, 0x500C_A000) == ()
