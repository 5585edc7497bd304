"""How a program in RAM looks: the picture of who lies where, its result, and symbols."""

from __future__ import annotations

import json

from espshell.image.symbol_table import Symbol, SymbolKind
from espshell.ops.chip.loadram import Occupant, RamLoaded
from espshell.ops.chip.monitor import Monitored
from espshell.ops.flash.payload import Payload
from espshell.ops.memory.symbols import SymbolList
from espshell.protocol.bootlog import Heard
from espshell.render import to_json
from espshell.render.chip import ram
from espshell.span import Span
from tests.render.support import drawn, drawn_blocks

CODE = Occupant("segment 0", Span(0x4038_0000, 0x4038_2000), "IRAM")
DATA = Occupant("segment 1", Span(0x3FC9_8000, 0x3FC9_9000), "DRAM")
STUB = (
    Occupant("stub code", Span(0x4038_0000, 0x4038_1000), "IRAM", is_stub=True),
    Occupant("stub data", Span(0x3FC8_8000, 0x3FC9_0000), "DRAM", is_stub=True),
)
SAID = Monitored("ready", 5, 0.25, "ready", True, Heard())


def picture(pieces: list[Occupant]) -> list[str]:
    return drawn_blocks(lambda view: ram.picture(pieces, view))


def test_picture() -> None:
    """Bars of a region have one scale, and what two want is marked without colour, too."""
    lines = picture([CODE, DATA, *STUB])
    assert lines == [
        "DRAM",
        "  stub data  0x3fc88000..0x3fc90000      32 KiB  |========        |",
        "  segment 1  0x3fc98000..0x3fc99000       4 KiB  |               #|",
        "IRAM",
        "  segment 0  0x40380000..0x40382000       8 KiB  |XXXXXXXX########|  X stub code",
        "  stub code  0x40380000..0x40381000       4 KiB  |XXXXXXXX        |  X segment 0",
    ]
    assert max(map(len, lines)) <= 80


def test_a_small_overlap_is_seen() -> None:
    """One word that two want is marked in a bar of megabytes."""
    one = Occupant("segment 0", Span(0x3FC0_0000, 0x3FC0_0004), "DRAM")
    stub = Occupant("stub data", Span(0x3FC0_0000, 0x3FD0_0000), "DRAM", is_stub=True)
    rows = picture([one, stub])
    assert [row.partition("|  ")[0].count("X") for row in rows] == [0, 1, 1]


def test_the_same_ram_on_another_bus() -> None:
    """Who wants the same under another address is said below, with that address."""
    here, there = Span.of(0x4039_0000, 0x1000), Span.of(0x3FC9_0000, 0x1000)
    code = Occupant("segment 0", here, "IRAM", others=(there,))
    stub = Occupant("stub data", there, "DRAM", is_stub=True, others=(here,))
    assert picture([code, DATA, stub]) == [
        "DRAM",
        "  stub data  0x3fc90000..0x3fc91000       4 KiB  |==              |",
        "             X segment 0: the same RAM is 0x40390000..0x40391000",
        "  segment 1  0x3fc98000..0x3fc99000       4 KiB  |              ##|",
        "IRAM",
        "  segment 0  0x40390000..0x40391000       4 KiB",
        "             X stub data: the same RAM is 0x3fc90000..0x3fc91000",
    ]


def test_alone_there_is_no_bar() -> None:
    """A bar of one piece would say nothing."""
    assert picture([DATA]) == ["DRAM", "  segment 1  0x3fc98000..0x3fc99000       4 KiB"]


def test_results() -> None:
    """The last line says what was loaded, and whether it runs."""
    code = (Payload(0x4038_0000, bytes(0x2000), "x.bin"),)
    loaded = RamLoaded("x.bin", 0x4038_0004, code, (CODE,), 0x1800, started=True, verified=True)
    planned = RamLoaded("x.bin", 4, code, (CODE,), 0x1800, dry_run=True)
    told = "x.bin: 1 segment, 8 KiB in 2 blocks, read back; started at 0x40380004"
    assert drawn(loaded)[-1] == told
    told = "dry run: x.bin: 1 segment, 8 KiB in 2 blocks would be loaded, entry 0x00000004"
    assert drawn(planned)[-1] == told


def test_json() -> None:
    """Numbers are numbers, the stub is not a segment, and what was said is inside."""
    code = (Payload(0x4038_0000, bytes(8), "x"),)
    loaded = RamLoaded("x", 4, code, (CODE, *STUB), 0x1800, started=True, monitored=SAID)
    assert json.loads(json.dumps(to_json(loaded))) == {
        "file": "x",
        "entry": 4,
        "segments": [{"address": 0x4038_0000, "size": 0x2000, "region": "IRAM"}],
        "size": 8,
        "blocks": 1,
        "started": True,
        "verified": False,
        "returned": None,
        "monitor": {
            "text": "ready",
            "size": 5,
            "seconds": 0.25,
            "until": "ready",
            "found": True,
            "heard": None,
        },
    }


def test_symbols() -> None:
    """A symbol is its address, size where it is known, kind, and name, which may be long."""
    rows = (
        Symbol("app_main", 0x4200_0000, 16, SymbolKind.FUNCTION),
        Symbol("_end", 0x4200_0010, 0, SymbolKind.LABEL, is_global=False),
    )
    listed = SymbolList("a.elf", "riscv", 2, "*", rows)
    assert drawn(listed) == [
        "0x42000000  16 bytes  function      app_main",
        "0x42000010            label, local  _end",
    ]
    assert drawn(SymbolList("a.elf", "riscv", 2)) == ["a.elf  2 symbols, riscv"]
    assert to_json(listed) == {
        "file": "a.elf",
        "machine": "riscv",
        "count": 2,
        "symbols": [
            {"name": "app_main", "address": 0x4200_0000, "size": 16, "kind": "function"},
            {"name": "_end", "address": 0x4200_0010, "size": 0, "kind": "label"},
        ],
    }
