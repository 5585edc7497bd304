"""The grid of `sr edit`: keys on a model, the picture, and both in a real terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace

import pyte
import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from espshell.errors import UsageError
from espshell.image.partitions import PartitionTable, parse_csv
from espshell.nor import parts, plan
from espshell.nor.settings import Setting
from espshell.ops.status.registers import Status, explain_status
from espshell.render import View
from espshell.shell.terminal import grid
from espshell.shell.terminal.grid import Grid
from scripts.terminal import Pty

# Python since 3.12 warns of a fork where threads are; the child becomes another program at once.
pytestmark = pytest.mark.filterwarnings("ignore:.*forkpty:DeprecationWarning")

UP, DOWN, RIGHT, LEFT = "\x1b[A", "\x1b[B", "\x1b[C", "\x1b[D"
ENTER, ESCAPE, CTRL_C = "\r", "\x1b", "\x03"

TABLE = parse_csv("nvs,data,nvs,0x9000,0x6000\nfactory,app,factory,0x10000,1M\n")

PICTURE = """\
flash     ef4016  W25Q32JV

          7       6       5       4       3       2       1       0
SR1  05h  SRP0!   SEC     TB      BP2     BP1     BP0     wel     busy
  before  0       0       0       1       1       1       .       .       0x1c
   after  0       0      [1]      1       1       1       .       .       0x3c
                          ^
SR2  35h  sus     CMP     LB3*    LB2*    LB1*    -       QE      SRP1!
          .       0       0       0       0       .       1       0       0x02
SR3  15h  HRSW!   DRV1    DRV0    -       -       WPS!    -       -
          0       1       1       .       .       0       .       .       0x60

SR1.5     TB=1: 1 counts the protected part from address 0, 0 from the end


changes   TB 0→1
protected 0x000000..0x400000 (4 MiB, all; computed)
         [################################################################]
          0x000000                                                0x400000
          |bootloader, partition table, nvs
           |factory--------
covers    bootloader, partition table, nvs, factory

arrows move, space toggles, u undoes all, Enter reviews, Escape leaves"""

W25Q32JV = {"SR1": 0x1C, "SR2": 0x02, "SR3": 0x60}


def status(name: str = "W25Q32JV", **registers: int) -> Status:
    """Return what a part of the table would answer."""
    part = parts.by_name(name)
    assert part is not None
    found = parts.identify(part.jedec_id, None, name=name)
    return explain_status(found, registers or W25Q32JV)


def at(model: Grid, register: str, position: int) -> Grid:
    """Put the cursor of a grid somewhere."""
    model.move(-9, 9)
    row = [each.name for each in model.registers].index(register)
    model.move(row, position - 7)
    assert (model.register.name, model.bit.position) == (register, position)
    return model


def press(*keys: str, found: Status | None = None, size: Size | None = None) -> grid.Answer:
    """Press keys in the grid; return what it gives back."""

    class Screen(DummyOutput):
        def get_size(self) -> Size:
            return size or Size(rows=24, columns=80)

    with create_pipe_input() as pipe, create_app_session(input=pipe, output=Screen()):
        pipe.send_text("".join(keys))
        return grid.edit(found or status(), View(partitions=TABLE))


def test_cursor_stays_on_bits() -> None:
    """It starts at the highest bit of the first register and stops at the edges."""
    model = Grid(status())
    assert (model.register.name, model.bit.name) == ("SR1", "SRP0")
    model.move(-1, 1)
    assert model.bit.name == "SRP0"
    model.move(99, -99)
    assert (model.register.name, model.bit.position) == ("SR3", 0)


def test_toggling_gives_fields() -> None:
    """Bits are toggled, fields come back; toggled twice, nothing."""
    model = at(Grid(status()), "SR1", 3)
    assert model.toggle()
    at(model, "SR2", 1).toggle()
    assert list(model.settings) == [Setting("BP", 5), Setting("QE", 0)]
    assert model.plan.wanted == {"SR1": 0x14, "SR2": 0x00, "SR3": 0x60}
    model.toggle()
    assert list(model.settings) == [Setting("BP", 5)]
    model.undo()
    assert not model.settings
    assert model.plan.nothing_to_do


@pytest.mark.parametrize(
    ("register", "position", "why"),
    [
        ("SR1", 1, "read-only"),
        ("SR3", 4, "reserved"),
        ("SR2", 4, "one-way: it is 1"),
    ],
)
def test_bits_that_are_locked(register: str, position: int, why: str) -> None:
    """Space does nothing there, and the picture says why."""
    model = at(Grid(status(SR1=0, SR2=0x12, SR3=0)), register, position)
    assert not model.toggle()
    assert model.settings == ()
    (told,) = (line for line in grid.lines(model, View()) if line.startswith("locked"))
    assert why in told


def test_one_way_bit_can_be_asked_for() -> None:
    """A one-way bit that is 0 can be toggled; what it needs is asked for by the review."""
    model = at(Grid(status()), "SR2", 3)
    assert model.toggle()
    assert [each.kind for each in model.plan.confirmations] == [plan.ConfirmationKind.ONE_WAY]
    assert "asks for  LB1 (one-way)" in grid.lines(model, View())
    assert not model.plan.refusals
    volatile = at(Grid(status(), volatile=True), "SR2", 3)
    assert volatile.toggle()
    assert volatile.plan.refusals == ("LB1 is one-way and cannot be set temporarily",)


def test_bits_of_candidates() -> None:
    """A bit on which candidates differ is locked; one that they share is not."""
    found = parts.identify(0xC84016, None)
    model = Grid(explain_status(found, dict.fromkeys(("SR1", "SR2", "SR3"), 0)))
    assert "candidates differ" in model.locked(at(model, "SR2", 3).bit)
    assert not model.locked(at(model, "SR2", 1).bit)


def test_all_is_locked() -> None:
    """In a lock mode, in doubt, and where nothing is known that writes, no bit can be toggled."""
    frozen = Grid(status(SR1=0x80, SR2=0x01, SR3=0))
    assert "lock mode permanent" in frozen.locked(frozen.bit)
    doubted = replace(status().identified, doubts=("it may be a copy",))
    doubtful = Grid(explain_status(doubted, W25Q32JV))
    assert doubtful.locked(doubtful.bit) == "it may be a copy"
    security = Grid(status("MX25L3233F", SR1=0, CR=7, SCUR=0))
    assert "espshell does not write SCUR" in security.locked(at(security, "SCUR", 1).bit)


def test_picture() -> None:
    """Old row, new row, caret, cursor, the bit's meaning, and the range that it would give."""
    model = at(Grid(status()), "SR1", 5)
    model.toggle()
    assert "\n".join(grid.lines(model, View(partitions=TABLE))) == PICTURE


@pytest.mark.parametrize("rows", [24, 20, 14])
@pytest.mark.parametrize("table", [TABLE, None], ids=["partitions", "none"])
def test_picture_fits(rows: int, table: PartitionTable | None) -> None:
    """What is less important gives way; the keys and the cursor stay."""
    for name in ("W25Q32JV", "IS25LP032"):
        part = parts.by_name(name)
        assert part is not None
        held = dict.fromkeys((each.name for each in part.layout.registers), 0)
        model = Grid(status(name, **held))
        for register in model.registers[:2]:
            at(model, register.name, 4).toggle()
        picture = grid.lines(model, View(partitions=table), rows=rows)
        assert len(picture) <= rows
        assert max(map(len, picture)) <= 80
        assert picture[-1] == grid.KEYS
        assert any("[" in line for line in picture)


def test_enter_gives_settings() -> None:
    """Keys as a terminal sends them: the second bit of SR1, and QE, which is below."""
    answer = press(RIGHT, " ", DOWN, *[RIGHT] * 5, " ", ENTER)
    assert answer == (Setting("SEC", 1), Setting("QE", 0))
    assert press(" ", "u", ENTER) == ()


def test_arrows_go_back() -> None:
    """Left and up undo right and down."""
    assert press(RIGHT, DOWN, LEFT, UP, " ", ENTER) == (Setting("SRP0", 1),)


@pytest.mark.parametrize("key", [ESCAPE, CTRL_C])
def test_leaving_gives_none(key: str) -> None:
    """What was toggled is forgotten."""
    assert press(" ", key) is None


def test_a_terminal_that_is_gone_gives_none() -> None:
    """The end of the input is leaving: nothing is changed, and it is no bug."""
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.close()
        assert grid.edit(status(), View(partitions=TABLE)) is None


def test_refused_combination_is_not_reviewed() -> None:
    """Enter does nothing while all of it would be refused; the picture says why."""
    found = parts.identify(0xEF4017, None)
    unclear = explain_status(found, {"SR1": 0, "SR2": 0, "SR3": 0xFF})
    model = at(Grid(unclear), "SR1", 2)
    assert model.toggle()
    assert any(line.startswith("refused") for line in grid.lines(model, View()))
    assert press(*[RIGHT] * 5, " ", ENTER, CTRL_C, found=unclear) is None


def test_narrow_terminal() -> None:
    """Below 80 columns there is no grid, but another way."""
    with pytest.raises(UsageError, match="needs 80 columns, and the terminal has 60"):
        press(ENTER, size=Size(rows=24, columns=60))


# A real terminal ---------------------------------------------------------------------------------

PROGRAM = """
from espshell.nor import parts
from espshell.ops.status.registers import explain_status
from espshell.render import View
from espshell.shell.terminal import grid
found = parts.identify(0xEF4016, None, name="W25Q32JV")
print("begin")
status = explain_status(found, {"SR1": 0x1C, "SR2": 2, "SR3": 0x60})
print("end", grid.edit(status, View(color=COLOR)))
"""


class GridTerminal(Pty):
    """The grid in a terminal of 80 by 24."""

    def __init__(self, color: bool) -> None:
        command = (sys.executable, "-c", PROGRAM.replace("COLOR", str(color)))
        super().__init__(pyte.Screen(80, 24), command, {**os.environ, "TERM": "xterm-256color"})
        self.child.delaybeforesend = None

    def wait(self, *wanted: str) -> None:
        """Read until these are the lines on the screen, but for empty ones."""
        while [row for row in self.rows() if row] != list(wanted):
            self.receive()


@pytest.fixture(params=[True, False], ids=["color", "plain"])
def terminal(request: pytest.FixtureRequest) -> Iterator[GridTerminal]:
    """Start the grid, up to its picture."""
    started = GridTerminal(request.param)
    started.wait("begin", *_picture(Grid(status())))
    yield started
    started.child.close(force=True)


def test_terminal(terminal: GridTerminal) -> None:
    """The same picture with colour and without; when it ends its place is free again."""
    terminal.send(RIGHT + RIGHT + " ")
    model = at(Grid(status()), "SR1", 5)
    model.toggle()
    terminal.wait("begin", *_picture(model))
    terminal.send(ENTER)
    terminal.wait("begin", "end (Setting(name='TB', value=1),)")


@pytest.mark.parametrize("terminal", [False], indirect=True)
def test_terminal_leaves(terminal: GridTerminal) -> None:
    """Escape alone is a key of its own."""
    terminal.send(ESCAPE)
    terminal.wait("begin", "end None")


def _picture(model: Grid) -> list[str]:
    return [line for line in grid.lines(model, View()) if line]
