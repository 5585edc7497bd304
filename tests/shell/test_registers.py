"""Registers by name in the shell: expressions, completion, scripts, `reg` and `regs`."""

from __future__ import annotations

from pathlib import Path

import pytest

from espshell import registers
from espshell.link.port import SerialPort
from espshell.shell.settings import Bench
from espshell.shell.terminal import complete
from tests.shell.support import Shell
from tests.test_floors import fresh_modules

CONF0 = "UART0.CONF0"


def words(shell: Shell, text: str) -> list[str]:
    return [candidate.text for candidate in complete.candidates(shell.session, text)]


@pytest.mark.parametrize(
    "expression",
    [
        "GPIO == 0x60004000",
        "GPIO.OUT == 0x60004004",
        "gpio.out == 0x60004004",
        "[GPIO.OUT] == 0x1234",
        "u8[GPIO.OUT + 1] == 0x12",
        "GPIO.OUT.DATA_ORIG == 0x1234",
        "EFUSE == 0x60008800",
        "DRAM == 0x3fc80000",
    ],
)
def test_names_in_expressions(shell: Shell, expression: str) -> None:
    """A name is an address, brackets are contents, a field is a value."""
    shell.type("poke GPIO.OUT 0x1234")
    assert shell.type(f"expect {expression}").status == 0


def test_write_only_field_has_no_value(shell: Shell) -> None:
    """There is nothing to compare."""
    said = shell.type("expect GPIO.OUT_W1TS.OUT_W1TS == 0")
    assert (said.status, said.err) == (2, "expect: GPIO.OUT_W1TS.OUT_W1TS is write-only\n")


@pytest.mark.parametrize("verb", ["peek", "dump"])
def test_field_is_no_place(shell: Shell, verb: str) -> None:
    """A field where an address is wanted is a mistake; an expression with one is taken as it is."""
    name = "UART0.CLKDIV.FRAG"
    told = f"{verb}: `{name}` is a field, not an address; `reg {name}` shows it\n"
    assert shell.type(f"{verb} {name}").err == told
    assert shell.type(f"{verb} (DRAM+4*UART0.CLKDIV.FRAG)").status == 0


def test_beginnings_of_names(shell: Shell) -> None:
    """Each part may be shortened at the prompt and nowhere else; what is ambiguous is said."""
    assert "`UART0.STAT` is not a known name" in shell.type("peek UART0.STAT").err
    shell.session.interactive = True
    assert "UART0.STATUS" in shell.type("peek UART0.STAT").out
    assert "ASSIST_DEBUG" in shell.type("regs ASSIST_DEBUG").out
    assert "`PIN1` could be PIN10, PIN11" not in shell.type("peek GPIO.PIN1").err
    assert "`OUT_W` could be OUT_W1TC, OUT_W1TS" in shell.type("peek GPIO.OUT_W").err
    assert "could be UART0, UART1" in shell.type("peek UART").err
    assert "DRAM" in shell.type("map DRA").out
    assert "UART0.STATUS" in shell.type("reg UART0.STAT.TXF").out


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("peek gpi", ["GPIO", "GPIO_SD"]),
        ("peek UART0.CONF", ["UART0.CONF0", "UART0.CONF1"]),
        ("peek uart0.fi", ["UART0.FIFO"]),
        ("reg UART0.CLKDIV.", ["UART0.CLKDIV.CLKDIV", "UART0.CLKDIV.FRAG"]),
        ("expect UART0.CLKDIV.F", ["UART0.CLKDIV.FRAG"]),
        ("peek NOSUCH.", []),
        ("peek UART0.NOSUCH.", []),
        ("peek UART0.CLKDIV.FRAG.", []),
    ],
)
def test_completion(shell: Shell, text: str, wanted: list[str]) -> None:
    """Peripherals first, registers behind the dot, fields behind the second."""
    assert words(shell, text) == wanted


def test_completion_of_a_region_that_is_a_peripheral_too(shell: Shell) -> None:
    """No name is offered twice."""
    found = words(shell, "peek ")
    assert len(found) == len(set(found))
    assert "EFUSE" in found
    assert not [name for name in found if "." in name]


def test_suggestion(shell: Shell) -> None:
    """A name that there is not gets the nearest that there is."""
    assert "did you mean `GPIO.STRAP`?" in shell.type("peek GPIO.STRP").err
    assert "did you mean `UART0`?" in shell.type("peek UARTT0").err


def test_chip_without_tables(offline: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line says so; names that are not registers are still known."""
    monkeypatch.setattr(registers, "of", lambda name: None)
    offline.session.connect(Bench(port="sim://esp32p4"))
    for line in ("peek UART0.CONF0", "reg UART0", "regs", "expect GPIO.OUT.DATA == 1"):
        said = offline.type(line)
        assert said.status == 2, line
        assert said.err.endswith("for the ESP32-P4; `svd FILE` reads an SVD file\n"), line
    assert "UART0.FIFO" in words(offline, "peek UART0")


def test_check_of_a_script_reads_nothing(shell: Shell) -> None:
    """Names of fields are looked up before the first command runs, without reading them."""
    said = shell.script("echo begun\nexpect UART0.CONF0.NOSUCH == 0\n")
    assert (said.status, said.out) == (2, "")
    assert "test.espsh:2: expect: `UART0.CONF0.NOSUCH` is not a known name" in said.err
    before = _requests(shell)
    assert shell.script("fails expect UART0.CLKDIV.FRAG == 9\n").status == 0
    once = _requests(shell) - before
    assert shell.script("expect 1 or UART0.CLKDIV.FRAG == 9\nregs GPIO.OUT\n").status == 0
    assert (once > 0, _requests(shell)) == (True, before + once)


def _requests(shell: Shell) -> int:
    port = shell.session.chip.link.port
    assert isinstance(port, SerialPort)
    return int(port._device.wire.count.requests)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("reg UART0.NOSUCH", "UART0.NOSUCH"),
        ("reg UART0.CONF0.NOSUCH=1", "UART0.CONF0.NOSUCH"),
        ("reg UART0.CONF0.PARITY=(NOSUCH+1)", "NOSUCH"),
        ("reg UART0.CONF0.PARITY=1 .NOSUCH=1", "UART0.CONF0.NOSUCH"),
    ],
)
def test_names_of_reg_are_checked(shell: Shell, line: str, name: str) -> None:
    """Also those that follow the register of the word before."""
    said = shell.script(f"echo begun\n{line}\n")
    assert said.out == ""
    assert f"`{name}` is not a known name" in said.err


def test_reg_shows_fields(shell: Shell) -> None:
    """The register, then a row a field."""
    shell.type("poke UART0.CLKDIV 0x2001ff")
    assert shell.type("reg uart0.clkdiv").out.splitlines() == [
        "UART0.CLKDIV  0x60000014  0x002001ff",
        "  CLKDIV  11:0   0x1ff (511)",
        "  FRAG    23:20  2",
    ]
    assert shell.session.variables["_"] == "0x2001ff"
    assert shell.type("reg UART0.CLKDIV.FRAG").out.splitlines()[1:] == ["  FRAG  23:20  2"]
    assert shell.session.variables["_"] == "2"


def test_reg_of_a_pattern(shell: Shell) -> None:
    """Values of what can be read; the rest is named."""
    said = shell.type("reg GPIO.OUT*")
    assert said.out.splitlines() == ["GPIO.OUT  0x60004004  0x00000000"]
    assert said.err == "not read (write-only): GPIO.OUT_W1TS, GPIO.OUT_W1TC\n"
    whole = shell.type("reg UART0")
    assert "UART0.CONF0" in whole.out
    assert "not read (changes when it is read): UART0.FIFO" in whole.err
    both = shell.type("reg GPIO.OUT GPIO.ENABLE GPIO.OUT").out.splitlines()
    assert [line.split()[0] for line in both] == ["GPIO.OUT", "GPIO.ENABLE"]


def test_reg_sets_fields(shell: Shell) -> None:
    """Fields of one register in one write, shown with old and new; names of values count."""
    said = shell.type("reg UART0.CONF0.PARITY=1 .BIT_NUM=(1+2)")
    assert said.status == 0
    assert "  PARITY   0    0 → 1" in said.out.splitlines()
    assert "  BIT_NUM  3:2  0 → 3" in said.out.splitlines()
    assert shell.type("reg UART0.CONF0=0").status == 0
    assert shell.type("expect [UART0.CONF0] == 0").status == 0


def test_value_by_name(offline: Shell) -> None:
    """Where the table has names for values they are shown, listed and understood."""
    offline.session.connect(Bench(port="sim://esp32"))
    field = "RTC_CNTL.CLK_CONF.SOC_CLK_SEL"
    assert offline.type(f"reg {field}=?").out == (
        "SOC_CLK_SEL  28:27  read-write  XTAL (0), PLL (1), CK8M (2), APLL (3)\n"
    )
    assert offline.script(f"reg {field}=apll\n").status == 0
    assert offline.type(f"reg {field}").out.splitlines()[1] == "  SOC_CLK_SEL  28:27  3  APLL"


def test_choices_of_a_register(shell: Shell) -> None:
    """``=?`` of a register lists its fields; nothing is read."""
    before = _requests(shell)
    assert shell.type("reg UART0.CLKDIV=?").out.splitlines() == [
        "CLKDIV  11:0   read-write  0..0xfff (4095)",
        "FRAG    23:20  read-write  0..0xf (15)",
    ]
    assert _requests(shell) == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("reg .PARITY=1", "`.PARITY` is a field without a register"),
        ("reg UART0 .PARITY=1", "`.PARITY` is a field without a register"),
        ("reg UART0.CONF0.PARITY=", "has no value"),
        ("reg UART0.CONF0.PARITY=1 GPIO.OUT.DATA_ORIG=1", "these are of several registers"),
        ("reg UART0.CONF0=1 .PARITY=1", "is set as a whole or by its fields, not both"),
        ("reg UART0.CONF0.PARITY=1 .BIT_NUM", "either all of these are set, or none"),
        ("reg UART0.CONF0.PARITY=? .BIT_NUM=?", "stands alone"),
        ("reg UART0.CONF0.PARTY=1", "UART0.CONF0 has no field `PARTY`; it has PARITY, PARITY_EN"),
        ("reg UART0.CONF0.PARITY=2", "does not fit UART0.CONF0.PARITY, which has 1 bit"),
        ("reg GPIO.IN=1", "GPIO.IN is read-only"),
        ("reg GPIO.OUT_W1TS", "GPIO.OUT_W1TS is write-only"),
        ("reg NOSUCH.*", "no register of the ESP32-C3 matches `NOSUCH.*`"),
        ("reg {}", "is not the name of a register"),
        ("reg UART0.NOSUCH", "is not a known name"),
        ("regs nosuch", "no register of the ESP32-C3 matches `nosuch`"),
    ],
)
def test_refusals(shell: Shell, line: str, message: str) -> None:
    """Each is a usage error that names what is wrong, and nothing is sent."""
    before = _requests(shell)
    said = shell.type(line)
    assert (said.status, said.out) == (2, "")
    assert message in said.err
    assert _requests(shell) == before


def test_regs(shell: Shell) -> None:
    """Names, addresses and access, without reading."""
    before = _requests(shell)
    assert shell.type("regs gpio.out").out.splitlines() == [
        "GPIO.OUT       0x60004004  read-write",
        "GPIO.OUT_W1TS  0x60004008  write-only",
        "GPIO.OUT_W1TC  0x6000400c  write-only",
    ]
    assert "UART0            0x60000000..0x60000084" in shell.type("regs").out.splitlines()
    assert _requests(shell) == before


def test_json(shell: Shell) -> None:
    """Numbers as numbers; the value of a peek is what it always was."""
    shell.session.output.as_json = True
    address = 0x6000_0014
    shell.type("poke UART0.CLKDIV 0x2001ff")
    assert shell.type("peek UART0.CLKDIV").objects[0]["value"] == {
        "address": address,
        "width": 32,
        "values": [0x2001FF],
        "readings": 1,
    }
    value = {
        "register": "UART0.CLKDIV",
        "address": address,
        "value": 0x2001FF,
        "fields": {"CLKDIV": 0x1FF, "FRAG": 2},
    }
    assert shell.type("reg UART0.CLKDIV").objects[0]["value"] == value
    assert shell.type("reg UART0.CLKDI*").objects[0]["value"] == {
        "registers": [value],
        "skipped": [],
    }
    assert shell.type("reg UART0.CLKDIV.FRAG=3").objects[0]["value"] == {
        "register": "UART0.CLKDIV",
        "address": address,
        "mask": 0xF0_0000,
        "old": 0x2001FF,
        "new": 0x3001FF,
        "wanted": 0x3001FF,
        "changed": {"FRAG": {"old": 2, "new": 3}},
    }
    frag = {"name": "FRAG", "low": 20, "width": 4, "access": "read-write", "values": {}}
    assert shell.type("reg UART0.CLKDIV.FRAG=?").objects[0]["value"] == {
        "register": "UART0.CLKDIV",
        "fields": [frag],
    }
    (listed,) = shell.type("regs UART0.CLKDIV").objects[0]["value"]
    assert (listed["name"], listed["address"], listed["access"]) == (
        "UART0.CLKDIV",
        address,
        "read-write",
    )
    assert listed["fields"][1] == frag
    assert shell.type("regs").objects[0]["value"][0] == {
        "name": "AES",
        "address": 0x6003_A000,
        "size": 0xBC,
    }


def test_peek_decodes(shell: Shell) -> None:
    """One value at a register's address shows its fields, however it was named."""
    shell.type("poke UART0.CLKDIV 0x2001ff")
    wanted = [
        "0x60000014  0x002001ff  2097663  UART0.CLKDIV",
        "  CLKDIV  11:0   0x1ff (511)",
        "  FRAG    23:20  2",
    ]
    assert shell.type("peek UART0.CLKDIV").out.splitlines() == wanted
    assert shell.type("peek 0x60000014").out.splitlines() == wanted
    assert len(shell.type("peek UART0.CLKDIV 2").out.splitlines()) == 2
    assert len(shell.type("peek16 UART0.CLKDIV").out.splitlines()) == 1
    assert len(shell.type("peek DRAM").out.splitlines()) == 1


def test_poke_of_a_write_only_register(shell: Shell) -> None:
    """By name as by address it is not read back, and the note says why."""
    for place in ("GPIO.OUT_W1TS", "0x60004008"):
        said = shell.type(f"poke {place} 1")
        assert "written, not read back" in said.out
        assert said.err == "not read back: GPIO.OUT_W1TS is write-only\n"


def test_labels_of_a_dump(shell: Shell) -> None:
    """Registers in a short dump; in a long one peripherals, so that equal rows are one."""
    short = shell.type("dump GPIO 0x40").out.splitlines()
    assert [line.split("|")[2].strip() for line in short] == [
        "GPIO.BT_SELECT",
        "GPIO",
        "GPIO.ENABLE",
        "GPIO",
    ]
    long = shell.type("dump GPIO..+0x2000").out
    assert "more rows like this" in long
    assert "  GPIO\n" in long
    assert shell.type("dump UART1.CLKDIV").out.count("\n") == 1


def test_no_table_is_loaded_for_memory() -> None:
    """Who names no register and touches no peripheral does not wait for the tables."""
    line = "peek DRAM ; poke DRAM 1 ; dump DRAM 64 ; expect [DRAM] == 1"
    code = f"from espshell.cli import main; main(['-p', 'sim://esp32c3', '-c', {line!r}])"
    modules = fresh_modules(code)
    assert "espshell.shell.language.scope" in modules
    assert "espshell.registers.table" not in modules
    assert "espshell.registers.table" in fresh_modules(code.replace("DRAM 64", "GPIO 64"))


SVD = """<device><name>X1</name><peripherals><peripheral><name>UART0</name>
<baseAddress>0x60000000</baseAddress><registers><register><name>MINE</name>
<description>All of it</description><addressOffset>0x20</addressOffset><fields><field>
<name>MODE</name><description>What it does</description><bitRange>[1:0]</bitRange>
<enumeratedValues><enumeratedValue><name>OFF</name><description>Stands still</description>
<value>0</value></enumeratedValue><enumeratedValue><name>ON</name><value>1</value></enumeratedValue>
</enumeratedValues></field></fields></register></registers></peripheral></peripherals></device>"""


def test_svd_of_ones_own(shell: Shell, tmp_path: Path) -> None:
    """Its names apply until `svd off`, with their meanings, also to a check of a script."""
    path = tmp_path / "x1.svd"
    path.write_text(SVD)
    assert shell.type(f"svd {path}").out == f"{path}  X1: 1 peripheral, 1 register\n"
    assert shell.type("reg UART0.MINE").out == (
        "UART0.MINE  0x60000020  0x00000000\n  All of it\n  MODE  1:0  0  OFF  Stands still\n"
    )
    assert shell.type("reg UART0.MINE.MODE=?").out == (
        "MODE  1:0  read-write\n  OFF  0  Stands still\n  ON   1\n"
    )
    assert shell.type("reg UART0.MINE.MODE=ON").status == 0
    assert shell.type("expect UART0.MINE.MODE == 1").status == 0
    assert shell.type("reg UART0.CONF0").status == 2
    assert shell.type("svd off").status == 0
    assert shell.type("reg UART0.MINE").status == 2
    assert shell.type("reg UART0.CONF0").status == 0


def test_hostile_svd_is_one_line(offline: Shell, tmp_path: Path) -> None:
    """A file that is too large is refused unparsed; a damaged one changes nothing."""
    path = tmp_path / "x.svd"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    ran = offline.type(f"svd {path}")
    assert (ran.status, ran.err.count("\n")) == (2, 1)
    assert "16 MiB" in ran.err
    path.write_text("<!DOCTYPE x [<!ENTITY a 'b'>]><device/>")
    assert offline.type(f"svd {path}").err == (
        f"svd: {path}: it has a document type, which no SVD file needs\n"
    )
    assert offline.session.svd is None
