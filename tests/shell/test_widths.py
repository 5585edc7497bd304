"""Every result on terminals of several widths: what real commands return, drawn again and again."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from espshell.image.symbol_table import Symbol, SymbolKind
from espshell.ops.memory.symbols import SymbolList
from espshell.ops.result import Result
from espshell.render import View, render
from espshell.render.document import LABEL, columns_of
from espshell.render.theme import themed_console
from espshell.shell.declaration import Presentation
from tests.image import support
from tests.shell.support import Shell

WIDTHS = (40, 80, 120)

NOT_DRAWN = {"Restored", "Watched", "Repeated", "WriteResult", "JobOutcome"}
"""Parts and bases of others, and what has been shown while it was made."""

DRAWS_LESS = {
    "Help",
    "Dump",
    "Found",
    "Difference",
    "Poke",
    "FieldWrite",
    "Verify",
    "RamLoaded",
    "Fuses",
} | {
    "Status",
    "PinTable",
    "StatusChange",
    "SfdpRead",
}
"""Pictures, which have other words where there is less room."""

OFFLINE = """
help; help sr; help sr set; help load; help image merge; ports; stub; set; set verify on; alias;
alias twice = repeat 2; alias; history; echo a few words that are not many; let A = 3; expect 1 < 2
fails expect 1 == 2; esptool version
image info app.bin; image info damaged.bin; image info program.elf
image merge all.bin app.bin 0x10000 --chip esp32c3; image info all.bin
image make -f data.bin -a 0x40100000 -f data.bin -a 0x40210010 made.bin
"""

ONLINE = """
efuse; efuse *USB*; efuse FLASH_TPUW; efuse save fuses.json; efuse diff fuses.json
info; chip-id; read-mac; flash-id; get-security-info; map; link; baud auto; baud
memtest 0x3fc90000 64; memtest 0x3fc90000 64 --dry-run; call 0x40000000 1 --dry-run
connect sim://esp32c3; trace off; ?UART0.CONF0; ?DRAM
print UART0.STATUS
peek 0x3fc90000 4; peek GPIO.ENABLE; poke 0x3fc90000 0x12345678; poke --no-verify 0x3fc90010 5
dump 0x3fc90000; dump 0x60000000 64; dump32 0x3fc90000 64; fill 0x3fc90100 64 7
copy 0x3fc90000 64 0x3fc92000
find 0x3fc90000 4096 0x12345678; diff 0x3fc90000 512 0x3fc91000; hash 0x3fc90000 64 sha256
save 0x3fc90000 64 saved.bin; load data.bin mem:0x3fc90000; snap before 0x3fc90000 64
snap; snap save snaps.json; snap load snaps.json
journal; undo; wait [0x3fc90100] == 7; reg UART0.CONF0; reg UART0.*; reg UART0.CONF0.PARITY=1
reg UART0.CONF0.PARITY=?; regs; regs UART0; svd x1.svd; reg P.R; svd off
gpio; gpio 9; gpio 4 out 1 --pull up; spi 0x9f --read 3; sfdp; sr; sr bits; sr ranges
sr protect flash:0 0x100000; sr set QE=0; sr set QE=0; read-flash-status --bytes 2; sr unprotect
load --force app.bin flash:0x10000; verify app.bin flash:0x10000; verify data.bin flash:0x10000
verify --diff data.bin flash:0x10000; set parttable parts.csv; parts; erase flash:0x10000 0x1000
-compare sim://demo flash:0x8000 0x2000; report board.md
stub never; reset; loadram --no-run --force ram.bin
monitor --run -t 10ms; connect sim://esp32c3; run
"""


def _files() -> None:
    data = bytes(range(256)) * 24
    segments = [(0x3C00_0020, support.app_description(name="hello") + data), (0x4201_0020, data)]
    app = support.firmware(segments, chip=5)
    Path("app.bin").write_bytes(app)
    Path("damaged.bin").write_bytes(app[:-1] + bytes([app[-1] ^ 1]))
    Path("data.bin").write_bytes(data)
    Path("x1.svd").write_text(
        "<device><name>X1</name><peripherals><peripheral><name>P</name><baseAddress>0x60000000"
        "</baseAddress><registers><register><name>R</name><description>What it does, in a line"
        "</description><addressOffset>0</addressOffset></register></registers></peripheral>"
        "</peripherals></device>"
    )
    ram = [(0x3FC9_0000, data[:100]), (0x4039_0000, data[:256])]
    Path("ram.bin").write_bytes(support.firmware(ram, chip=5))
    Path("parts.csv").write_text("nvs, data, nvs, 0x9000, 0x6000,\nfactory, app, factory, , 1M\n")
    Path("program.elf").write_bytes(support.elf(ram, entry=0x4039_0000, machine=support.RISCV))


@cache
def presentations() -> tuple[Presentation, ...]:
    """Return what the commands above return."""
    seen: list[Presentation] = []
    shell = Shell()
    shell.session.assume_yes = True
    execute = shell.runner.execute

    def kept(prepared: object) -> object:
        outcome = execute(prepared)  # type: ignore[arg-type]
        result = outcome.result
        if result is not None:
            seen.append(result if isinstance(result, Presentation) else Presentation(result))
        return outcome

    shell.runner.execute = kept  # type: ignore[method-assign, assignment]
    here = Path.cwd()
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            _files()
            for lines in (OFFLINE, ONLINE):
                for line in lines.replace("\n", ";").split(";"):
                    shell.type(line.strip())
                shell.connect("?flash=W25Q32JV")
        finally:
            os.chdir(here)
            shell.session.close()
    symbols = (
        Symbol(f"a_function_{n}(int, unsigned)", 0x4200_0000, 96, SymbolKind.FUNCTION) for n in "12"
    )
    seen.append(Presentation(SymbolList("program.elf", "riscv", 2, "*", tuple(symbols))))
    return tuple(seen)


def test_all_results_are_here() -> None:
    """No result of any command is left out of these tests."""
    here = {type(each.result).__name__ for each in presentations()}
    assert {cls.__name__ for cls in _results(Result)} - here - NOT_DRAWN == set()


def _results(base: type[object]) -> Iterator[type[object]]:
    for cls in type.__subclasses__(base):
        yield from _results(cls)
        # Slots make a second class of each, and the first one is nobody's.
        if getattr(sys.modules[cls.__module__], cls.__name__, None) is cls:
            yield cls


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_is_wider(width: int) -> None:
    """No line is longer than the terminal, but for a single word that is; no word is broken."""
    for each in presentations():
        kind = type(each.result).__name__
        if kind in NOT_DRAWN:
            continue
        text = str(render(each.result, View(width, fold=True)))
        for line in text.splitlines():
            longest = max(map(columns_of, line.split()), default=0)
            assert columns_of(line) <= max(width, longest + 2 * LABEL), (kind, line)
        if kind not in DRAWS_LESS:
            assert text.split() == str(render(each.result, View(1000, fold=True))).split(), kind


@pytest.mark.parametrize("width", WIDTHS)
def test_rich_draws_what_is_written(width: int) -> None:
    """A console of rich and the plain writer agree to the byte, in colour and without."""
    for each in presentations():
        if type(each.result).__name__ in NOT_DRAWN:
            continue
        for color in (True, False):
            document = render(each.result, View(width, fold=True, color=color))
            stream = io.StringIO()
            console = themed_console(
                stream, width=width, color_system="standard" if color else None
            )
            console.print(document, end="", crop=False)
            assert stream.getvalue() == str(document)
