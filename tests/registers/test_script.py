"""From an SVD file to a table and back to registers."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from espshell.registers.table import Registers

SVD = """<device><name>ESP32-X1</name><version>3</version>
<licenseText>Copyright 2024 Somebody

    and so on</licenseText>
<peripherals>
<peripheral><name>UART0</name><baseAddress>0x60000000</baseAddress><registers>
 <register><name>INT_ST</name><addressOffset>0x8</addressOffset><size>0x20</size><fields>
  <field><name>FULL_INT_ST</name><bitOffset>0</bitOffset><bitWidth>1</bitWidth>
   <access>read-only</access></field>
  <field><name>CH%s_END</name><bitOffset>4</bitOffset><bitWidth>2</bitWidth>
   <access>read-only</access><dim>3</dim><dimIncrement>2</dimIncrement></field>
 </fields></register>
 <register><name>INT_RAW</name><addressOffset>0x4</addressOffset><size>0x20</size>
  <resetValue>0x10</resetValue><fields>
  <field><name>FULL_INT_RAW</name><bitOffset>0</bitOffset><bitWidth>1</bitWidth>
   <access>read-write</access></field>
  <field><name>MODE</name><bitOffset>8</bitOffset><bitWidth>2</bitWidth>
   <access>write-only</access><enumeratedValues>
    <enumeratedValue><name>OFF</name><value>0</value></enumeratedValue>
    <enumeratedValue><name>ON</name><value>1</value></enumeratedValue></enumeratedValues></field>
 </fields></register>
 <register><name>KEY[%s]</name><dim>4</dim><dimIncrement>0x4</dimIncrement>
  <addressOffset>0x20</addressOffset><size>0x20</size><access>read-only</access></register>
 <register><name>W0</name><addressOffset>0x40</addressOffset><size>0x20</size></register>
 <register><name>W1</name><addressOffset>0x44</addressOffset><size>0x20</size></register>
 <register><name>W2</name><addressOffset>0x48</addressOffset><size>0x20</size></register>
</registers></peripheral>
<peripheral derivedFrom="UART0"><name>UART1</name><baseAddress>0x60001000</baseAddress></peripheral>
</peripherals></device>"""

ROWS = """\
UART0 60000000 4c
 INT_RAW 4 rw 10 FULL_~=0 MODE=9:8(0:OFF,1:ON)/w
 INT_ST 8 r 0 FULL_~=0 CH{0..2}_END=5:4
 KEY_{0..3} 20+4 r 0
 W{0..2} 40+4 rw 0
UART1 60001000 4c = UART0
"""


def script() -> ModuleType:
    path = Path(__file__).parents[2] / "scripts" / "registers.py"
    spec = importlib.util.spec_from_file_location("registers_script", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_svd_to_table_to_registers(tmp_path: Path) -> None:
    """Rows, derived peripherals, values and accesses go into the table and come out of it."""
    (tmp_path / "esp32x1.svd").write_text(SVD)
    text = script().table(tmp_path / "esp32x1.svd")

    assert text.startswith("# Registers of the ESP32-X1, made by scripts/registers.py")
    assert "esp32x1.svd of https://github.com/espressif/svd (version 3)" in text
    assert "# Copyright 2024 Somebody; Apache-2.0." in text
    assert "".join(f"{x}\n" for x in text.splitlines() if not x.startswith("#")) == ROWS

    known = Registers.from_text(text)
    names = ["INT_RAW", "INT_ST", *(f"KEY_{n}" for n in range(4)), "W0", "W1", "W2"]
    assert list(known.names("UART1")) == names
    raw, status, last = (known.find(f"UART1.{n}") for n in ("INT_RAW", "INT_ST", "W2"))
    assert raw is not None
    assert status is not None
    assert last is not None
    assert [(f.name, f.bits, f.access.value) for f in raw.fields] == [
        ("FULL_INT_RAW", "0", "rw"),
        ("MODE", "9:8", "w"),
    ]
    assert [(f.name, f.bits) for f in status.fields] == [
        ("FULL_INT_ST", "0"),
        ("CH0_END", "5:4"),
        ("CH1_END", "7:6"),
        ("CH2_END", "9:8"),
    ]
    assert (raw.reset, raw.readable_bits, last.address) == (0x10, 0xFFFF_FCFF, 0x6000_1048)


def test_output_is_written_a_file_a_chip(tmp_path: Path) -> None:
    """The file is called like the chip; a wrong number of arguments is an error."""
    (tmp_path / "esp32x1.svd").write_text(SVD)
    assert script().main([str(tmp_path), str(tmp_path / "out")]) == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["esp32x1.txt"]
    assert script().main([]) == 2
