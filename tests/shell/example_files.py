"""The files that the examples of the commands name."""

from __future__ import annotations

from pathlib import Path

from espshell.shell.settings import Bench
from tests.image import support
from tests.image.test_elf import ROWS, written
from tests.shell.support import Shell

SVD = """<device><name>X1</name><peripherals><peripheral><name>FPGA</name>
<baseAddress>0x60000000</baseAddress><registers><register><name>CTRL</name>
<addressOffset>0</addressOffset></register></registers></peripheral></peripherals></device>"""


def write(folder: Path) -> None:
    """Write boot.bin and app.bin as ``sim://demo`` has them, and small files of other kinds."""
    shell = Shell()
    shell.session.connect(Bench(port="sim://demo"))
    for place, name in (("bootloader 16K", "boot.bin"), ("app0 20K", "app.bin")):
        assert shell.type(f"save flash:{place} '{folder / name}'").status == 0
    shell.session.disconnect()
    code = [(0x3FC9_0000, bytes(range(256))), (0x4039_1000, bytes(64))]
    (folder / "program.elf").write_bytes(written(ROWS, machine=support.RISCV))
    image = bytearray(support.firmware(code, chip=5, entry=0x4039_1000, hashed=False))
    image[15:17] = bytes(2)  # for every revision
    (folder / "program.bin").write_bytes(image)
    (folder / "data.bin").write_bytes(bytes(range(256)))
    (folder / "board.svd").write_text(SVD)
    (folder / "first.espsh").write_text("need esp32c3\npeek DRAM 4\n")
